//! Training: slices in random order, one Adam step a batch, a checkpoint after each epoch.
//!
//! The order of an epoch comes from (seed, epoch), the initial weights from the seed alone, and a checkpoint holds all other
//! state, so a run that was killed ends with the same bytes as one that was not.

mod checkpoint;
mod params;

use std::{path::Path, sync::Arc};

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, TensorData, backend::AutodiffBackend},
};
use serde::Serialize;

use self::checkpoint::State;
pub use self::params::TrainParams;
use super::{
    adam::Adam,
    data::{Dataset, SliceId, TrainingCase},
    device::Device,
    file::Model,
    init::initial_parameters,
    kernels::Size,
    msdnet::Architecture,
    op::{MsdBackend, mean_nll, msd_block},
};
use crate::{
    fault::{Fault, Kind, Result},
    numeric::{Seed, tree_sum},
    pipeline::stage::{Params as _, Progress},
};

/// What one epoch did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Number, from 1.
    pub epoch: u64,
    /// Steps taken so far.
    pub steps: u64,
    /// Mean over the epoch's batches of the loss before each step.
    pub loss: f64,
    /// blake3 over the weights after it and the digest of the epoch before: equal digests mean equal histories.
    pub weights_chain: String,
}

/// A finished training.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The network after the last epoch.
    pub model: Model,
    /// One entry an epoch.
    pub history: Vec<Epoch>,
}

/// Trains a network on the processor. `scratch` is a folder that survives a killed run; a checkpoint of the same training
/// found there is continued.
///
/// # Errors
/// Usage when a parameter is out of range or there is no case; unfit when the cases cannot be learnt from, or the loss is no
/// longer a finite number; interrupted when `progress` says so.
pub fn train(
    cases: &[TrainingCase<'_>],
    params: &TrainParams,
    seed: Seed,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Trained> {
    train_on(Device::Cpu, cases, params, seed, scratch, progress)
}

/// Trains a network on a device. Only the processor's bits are promised.
///
/// # Errors
/// As [`train`], or when the device cannot be used.
pub fn train_on(
    device: Device,
    cases: &[TrainingCase<'_>],
    params: &TrainParams,
    seed: Seed,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Trained> {
    params.check().map_err(|(name, why)| Fault::usage(format!("`{name}`: {why}")))?;
    let net = params.architecture();
    let data = Dataset::new(cases, net.classes, params.slab)?;
    let slices = data.slices();
    slices.iter().try_for_each(|&id| net.check_size(data.size(id)))?;
    if params.batch > 1 && slices.iter().any(|&id| data.size(id) != data.size(slices[0])) {
        return Err(Fault::unfit("slices of different sizes cannot share a batch").hint("set `batch: 1`"));
    }
    let device = device.resolve()?;
    let identity = checkpoint::identity(cases, params, seed, device);
    let run = Run { data: &data, params, seed, net: Arc::new(net), scratch, identity, progress };
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(number) => {
            run.train::<Autodiff<burn::backend::Cuda>>(&burn::backend::cuda::CudaDevice::new(number))
        }
        _ => run.train::<Autodiff<Flex>>(&Default::default()),
    }
}

/// One training with everything it needs.
struct Run<'a> {
    data: &'a Dataset<'a>,
    params: &'a TrainParams,
    seed: Seed,
    net: Arc<Architecture>,
    scratch: &'a Path,
    identity: String,
    progress: &'a dyn Progress,
}

impl Run<'_> {
    fn train<B: AutodiffBackend + MsdBackend>(&self, device: &B::Device) -> Result<Trained> {
        let mut state = checkpoint::load(self.scratch, &self.identity, &self.net).unwrap_or_else(|| State {
            parameters: initial_parameters(&self.net, self.seed),
            adam: Adam::new(self.params.lr, self.net.parameter_count()),
            history: Vec::new(),
        });
        for epoch in state.history.len() as u64 + 1..=self.params.epochs {
            let loss = self.epoch::<B>(device, epoch, &mut state)?;
            let weights_chain = checkpoint::chain(state.history.last(), &state.parameters);
            state.history.push(Epoch { epoch, steps: state.adam.step, loss, weights_chain });
            checkpoint::save(self.scratch, &self.identity, &state)?;
        }
        let model = Model {
            architecture: (*self.net).clone(),
            normalisation: self.data.normalisation.clone(),
            parameters: state.parameters,
        };
        Ok(Trained { model, history: state.history })
    }

    /// Visits every slice once; returns the mean loss of the batches.
    fn epoch<B: AutodiffBackend + MsdBackend>(&self, device: &B::Device, epoch: u64, state: &mut State) -> Result<f64> {
        let order = self.data.order(self.seed, epoch);
        let (slices, epochs) = (order.len() as u64, self.params.epochs);
        let mut losses = Vec::with_capacity(order.len());
        let mut recent = 0.0;
        for batch in order.chunks(self.params.batch) {
            if self.progress.cancelled() {
                return Err(Fault::new(
                    Kind::Interrupted(SIGINT),
                    "stopped; run again to go on from the last whole epoch",
                ));
            }
            let (loss, gradients) = self.step::<B>(device, batch, &state.parameters)?;
            if !loss.is_finite() || gradients.iter().any(|gradient| !gradient.is_finite()) {
                return Err(Fault::unfit(format!("the training diverged in epoch {epoch}: the loss is {loss}"))
                    .hint("lower `lr`, and check that scans and labels belong together"));
            }
            state.adam.update(&mut state.parameters, &gradients);
            losses.push(loss);
            recent = if losses.len() == 1 { loss } else { recent + 0.05 * (loss - recent) };
            let done = (epoch - 1) * slices + (losses.len() * self.params.batch).min(order.len()) as u64;
            self.progress.step(done, epochs * slices, &format!("epoch {epoch}/{epochs}, loss {recent:.4}"));
        }
        Ok(tree_sum(&losses) / losses.len() as f64)
    }

    /// Returns the loss of a batch and its gradient with respect to the parameters.
    fn step<B: AutodiffBackend + MsdBackend>(
        &self,
        device: &B::Device,
        batch: &[SliceId],
        parameters: &[f32],
    ) -> Result<(f64, Vec<f32>)> {
        let Size { rows, columns } = self.data.size(batch[0]);
        let images: Vec<f32> = batch.iter().flat_map(|&id| self.data.image(id)).collect();
        let target: Arc<[u8]> = batch.iter().flat_map(|&id| self.data.target(id)).collect();
        let shape = [batch.len(), self.net.input_channels, rows, columns];
        let images = Tensor::<B, 4>::from_data(TensorData::new(images, shape), device);
        let weights = TensorData::new(parameters.to_vec(), [parameters.len()]);
        let weights = Tensor::<B, 1>::from_data(weights, device).require_grad();
        let loss = mean_nll(msd_block(images, weights.clone(), &self.net), &target);
        let gradients = loss.backward();
        let gradients =
            weights.grad(&gradients).ok_or_else(|| Fault::unfit("the loss does not depend on the weights"))?;
        let failed = |error| Fault::unfit(format!("the device gave no result: {error:?}"));
        let gradients = gradients.into_data().to_vec::<f32>().map_err(failed)?;
        let loss = loss.into_data().to_vec::<f32>().map_err(failed)?;
        Ok((f64::from(loss[0]), gradients))
    }
}

/// The signal that a stopped training reports; the program knows the real one.
const SIGINT: i32 = 2;

#[cfg(test)]
mod tests;
