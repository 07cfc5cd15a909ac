//! Training: slices in random order, one Adam step a batch, validation and a checkpoint after each epoch.
//!
//! ```text
//! for each epoch:   samples(seed, epoch) ─▶ batches ─▶ step ─▶ Adam        checkpoint now and then, and when stopped
//!                   validation cases ─▶ loss, Dice ─▶ best? stop?          checkpoint
//! ```
//! The order and the turns of an epoch come from (seed, epoch), the initial weights from the seed alone, and a checkpoint
//! holds all other state, so a run that was killed at any moment ends with the same bytes as one that was not. When a
//! checkpoint is written is a matter of time; what the training gives is not.

mod checkpoint;
mod history;
mod params;
mod run;
mod step;
mod validation;

use std::{path::Path, sync::Arc, time::Duration};

use burn::backend::{Autodiff, Flex};

use self::run::Run;
pub use self::{
    history::{Epoch, History, StepDigest, Stop, Validation},
    params::{Keep, Monitor, TrainParams},
};
use super::{
    data::{Dataset, TrainingCase},
    device::Device,
    file::Model,
};
use crate::{
    fault::{Fault, Result},
    numeric::Seed,
    pipeline::stage::{Params as _, Progress},
};

/// A finished training.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The network with the weights that were kept.
    pub model: Model,
    /// What the training did.
    pub history: History,
}

/// A training with all that it works on.
pub struct Training<'a> {
    /// Cases to learn from, in the order of their ids.
    pub cases: &'a [TrainingCase<'a>],
    /// Cases to judge by, never learnt from; may be empty, and must be where `validate_last` holds some of `cases` out.
    pub validation: &'a [TrainingCase<'a>],
    /// Parameters.
    pub params: &'a TrainParams,
    /// Seed of weights, order and turns.
    pub seed: Seed,
    /// Where to compute. Only the processor's bits are promised.
    pub device: Device,
    /// A folder that survives a killed run; a checkpoint of the same training found there is continued.
    pub scratch: &'a Path,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Least time between checkpoints inside an epoch: what a kill can cost. Zero writes one each step.
    pub checkpoint_interval: Duration,
}

/// What a kill costs at most, where nobody says otherwise. A checkpoint is three times the weights, 0.5 MB at depth 100.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);

/// Trains a network on the processor. `scratch` is a folder that survives a killed run; a checkpoint of the same training
/// found there is continued.
///
/// # Errors
/// As [`Training::run`].
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
/// As [`Training::run`].
pub fn train_on(
    device: Device,
    cases: &[TrainingCase<'_>],
    params: &TrainParams,
    seed: Seed,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Trained> {
    let (validation, checkpoint_interval) = (&[], CHECKPOINT_INTERVAL);
    Training { cases, validation, params, seed, device, scratch, progress, checkpoint_interval }.run()
}

impl Training<'_> {
    /// Trains, from the checkpoint in `scratch` if there is one of this very training.
    ///
    /// # Errors
    /// Usage when a parameter is out of range, there is no case left to train on, or an option needs validation cases and
    /// there are none; unfit when the cases cannot be learnt from, or the loss is no longer a finite number; interrupted
    /// when `progress` says so. When the device cannot be used.
    pub fn run(&self) -> Result<Trained> {
        let params = self.params;
        params.check().map_err(|(name, why)| Fault::usage(format!("`{name}`: {why}")))?;
        let (cases, validation) = self.split()?;
        let data = Dataset::new(cases, params)?;
        let judges = Dataset::for_validation(validation, params, data.normalisation.clone())?;
        let net = params.architecture();
        data.slices().iter().try_for_each(|&id| net.check_size(data.size(id)))?;
        judges.slices().iter().try_for_each(|&id| net.check_size(judges.size(id)))?;
        let first = data.size(data.slices()[0]);
        if params.batch > 1 && data.slices().iter().any(|&id| data.size(id) != first) {
            return Err(Fault::unfit("slices of different sizes cannot share a batch").hint("set `batch: 1`"));
        }
        let device = self.device.resolve()?;
        let run = Run {
            data: &data,
            judges: (!validation.is_empty()).then_some(&judges),
            params,
            seed: self.seed,
            net: Arc::new(net),
            one_at_a_time: device != Device::Cpu,
            scratch: self.scratch,
            identity: checkpoint::identity(cases, validation, params, self.seed, device),
            progress: self.progress,
            checkpoint_interval: self.checkpoint_interval,
        };
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => {
                run.train::<Autodiff<burn::backend::Cuda>>(&burn::backend::cuda::CudaDevice::new(number))
            }
            _ => run.train::<Autodiff<Flex>>(&Default::default()),
        }
    }

    /// Returns the cases to learn from and those to judge by.
    fn split(&self) -> Result<(&[TrainingCase<'_>], &[TrainingCase<'_>])> {
        let held_out = self.params.validate_last;
        if held_out > 0 && !self.validation.is_empty() {
            return Err(Fault::usage("validation cases are given, and `validate_last` names others")
                .hint("leave one of the two out"));
        }
        if held_out > 0 && held_out >= self.cases.len() {
            let what = format!("`validate_last: {held_out}` leaves none of {} cases to train on", self.cases.len());
            return Err(Fault::usage(what));
        }
        let (cases, last) = self.cases.split_at(self.cases.len() - held_out);
        let validation = if held_out > 0 { last } else { self.validation };
        match self.params.needs_validation() {
            Some(option) if validation.is_empty() => {
                Err(Fault::usage(format!("`{option}` needs validation cases, and there are none"))
                    .hint("give some, or hold some out with `validate_last: 2`"))
            }
            _ => Ok((cases, validation)),
        }
    }
}

#[cfg(test)]
mod tests;
