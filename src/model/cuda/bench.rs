//! Seconds that the network takes on a card.

use std::{sync::Arc, time::Instant};

use burn::{
    backend::{Autodiff, Cuda, cuda::CudaDevice},
    tensor::{Tensor, TensorData},
};

use crate::{
    fault::Result,
    model::{
        device::Device,
        init::initial_parameters,
        kernels::Size,
        msdnet::Architecture,
        op::{mean_nll, msd_block, read},
    },
    numeric::Seed,
};

/// Seconds, each with everything from numbers in the computer's memory to results there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// One slice through the network.
    pub forward: f64,
    /// One training step without the optimiser: forward, loss, backward of one slice.
    pub step: f64,
    /// A scan of `slices` slices through the network.
    pub scan: f64,
}

/// Slices that travel together.
const TOGETHER: usize = 8;

/// Times a network on card `number`, after a first run of everything that compiles the kernels: means over `repeats`.
///
/// # Errors
/// When the card cannot be used or fails, or slices are too small for the network.
pub fn seconds(number: usize, net: &Architecture, size: Size, slices: usize, repeats: usize) -> Result<Seconds> {
    Device::Cuda(number).resolve()?;
    net.check()?;
    net.check_size(size)?;
    let bench = Bench { device: CudaDevice::new(number), net: Arc::new(net.clone()), size };
    let parameters = initial_parameters(net, Seed([1; 32]));
    let (repeats, slices) = (repeats.max(1), slices.max(1));
    let mean = |f: &dyn Fn() -> Result<()>| -> Result<f64> {
        f()?;
        let start = Instant::now();
        (0..repeats).try_for_each(|_| f())?;
        Ok(start.elapsed().as_secs_f64() / repeats as f64)
    };
    Ok(Seconds {
        forward: mean(&|| bench.scan(&parameters, 1))?,
        step: mean(&|| bench.step(&parameters))?,
        scan: mean(&|| bench.scan(&parameters, slices))?,
    })
}

struct Bench {
    device: CudaDevice,
    net: Arc<Architecture>,
    size: Size,
}

impl Bench {
    fn images(&self, slices: usize) -> TensorData {
        let count = slices * self.net.input_channels * self.size.pixels();
        // A cheap pattern without order: the time does not depend on the numbers.
        let image: Vec<f32> = (0..count).map(|i| (i * 2_654_435_761 % 1024) as f32 / 512.0 - 1.0).collect();
        TensorData::new(image, [slices, self.net.input_channels, self.size.rows, self.size.columns])
    }

    /// Sends a scan through the network, a few slices at a time; results are fetched one part behind, so that the card
    /// computes meanwhile.
    fn scan(&self, parameters: &[f32], slices: usize) -> Result<()> {
        let parameters =
            Tensor::<Cuda, 1>::from_data(TensorData::new(parameters.to_vec(), [parameters.len()]), &self.device);
        let mut waiting: Option<Tensor<Cuda, 4>> = None;
        for first in (0..slices).step_by(TOGETHER) {
            let images = Tensor::from_data(self.images(TOGETHER.min(slices - first)), &self.device);
            let logits = msd_block(images, parameters.clone(), &self.net);
            if let Some(logits) = waiting.replace(logits) {
                read(logits)?;
            }
        }
        waiting.map_or(Ok(()), |logits| read(logits).map(drop))
    }

    fn step(&self, parameters: &[f32]) -> Result<()> {
        type B = Autodiff<Cuda>;
        let images = Tensor::<B, 4>::from_data(self.images(1), &self.device);
        let weights = TensorData::new(parameters.to_vec(), [parameters.len()]);
        let weights = Tensor::<B, 1>::from_data(weights, &self.device).require_grad();
        let target: Arc<[u8]> = (0..self.size.pixels()).map(|i| (i % self.net.classes) as u8).collect();
        let loss = mean_nll(msd_block(images, weights.clone(), &self.net), &target);
        let gradients = loss.backward();
        if let Some(gradient) = weights.grad(&gradients) {
            read(gradient)?;
        }
        read(loss).map(drop)
    }
}
