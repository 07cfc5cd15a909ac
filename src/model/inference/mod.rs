//! Inference: the class of every voxel of a scan, on the scan's own grid; by one network or several, seen upright or in all
//! eight orientations.
//!
//! Slices are streamed: two at most are in flight, and each goes to its place in the result as soon as it is done. With one
//! network and one orientation the class is that of the largest logit. Otherwise it is that of the largest mean
//! probability:
//!
//! ```text
//! mean(class) = (Σ over networks in the order given, over orientations in the order of `Symmetry::ALL`: p(class)) / count
//! ```
//! summed in f64 from left to right, so that members which agree to the bit have a mean of the same bits.

mod mean;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use burn::backend::Flex;
use rayon::prelude::*;

use self::mean::{Mean, Member};
use super::{
    axial::Axial,
    data::check_slab,
    device::Device,
    file::Model,
    lanes::{for_each_slice, interrupted},
    op::MsdBackend,
    pace::Pace,
    symmetry::Symmetry,
};
use crate::{
    fault::{Fault, Result},
    pipeline::stage::Progress,
    volume::Volume,
};

/// What networks say of a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// Most probable class of each voxel; of equals the lowest.
    pub label: Volume<u8>,
    /// Probability that the voxel is not background, 0 to 1, where it was wanted.
    pub probability: Option<Volume<f32>>,
}

/// How a scan is to be segmented.
#[derive(Clone, Copy, Debug)]
pub struct Inference<'a> {
    /// One network, or several whose probabilities are averaged. They may differ in everything but the classes.
    pub models: &'a [Model],
    /// Whether each slice is seen in all eight orientations and the probabilities are averaged.
    pub test_time_augmentation: bool,
    /// Whether the probability is wanted: four bytes a voxel.
    pub probability: bool,
    /// Where to compute. Only the processor's bits are promised.
    pub device: Device,
}

/// Segments a scan on the processor, probability included.
///
/// # Errors
/// As [`Inference::run`].
pub fn infer(model: &Model, ct: &Volume<f32>, progress: &dyn Progress) -> Result<Inferred> {
    infer_on(Device::Cpu, model, ct, progress)
}

/// Segments a scan on a device, probability included. Only the processor's bits are promised.
///
/// # Errors
/// As [`Inference::run`].
pub fn infer_on(device: Device, model: &Model, ct: &Volume<f32>, progress: &dyn Progress) -> Result<Inferred> {
    let models = std::slice::from_ref(model);
    Inference { models, test_time_augmentation: false, probability: true, device }.run(ct, progress)
}

/// Where the slices of a result go.
struct Sink {
    label: Vec<u8>,
    probability: Option<Vec<f32>>,
}

impl Inference<'_> {
    /// Segments a scan.
    ///
    /// # Errors
    /// Usage when there is no model or the device cannot be used; unfit when a model is broken, the models have different
    /// classes, a voxel is not finite, or slices are too small or too few for a network; interrupted when `progress` says
    /// so.
    pub fn run(&self, ct: &Volume<f32>, progress: &dyn Progress) -> Result<Inferred> {
        let axial = Axial::new(&ct.grid);
        self.check(axial)?;
        if ct.data.par_iter().any(|hu| !hu.is_finite()) {
            return Err(Fault::unfit("a voxel of the scan is not a finite number"));
        }
        let device = self.device.resolve()?;
        let symmetries = if self.test_time_augmentation { &Symmetry::ALL[..] } else { &Symmetry::ALL[..1] };
        let mean = Mean { members: self.models.iter().map(Member::new).collect(), symmetries, ct, axial };
        let sink = Mutex::new(Sink {
            label: vec![0; ct.data.len()],
            probability: self.probability.then(|| vec![0.0; ct.data.len()]),
        });
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => {
                let device = burn::backend::cuda::CudaDevice::new(number);
                stream::<burn::backend::Cuda>(&mean, &device, true, &sink, progress)
            }
            _ => stream::<Flex>(&mean, &Default::default(), false, &sink, progress),
        }?;
        let Sink { label, probability } = sink.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Inferred {
            label: Volume { grid: ct.grid, data: label },
            probability: probability.map(|data| Volume { grid: ct.grid, data }),
        })
    }

    fn check(&self, axial: Axial) -> Result<()> {
        let Some(first) = self.models.first() else { return Err(Fault::usage("there is no model to segment with")) };
        for (model, number) in self.models.iter().zip(1..) {
            let one = || -> Result<()> {
                let (net, wanted) = (&model.architecture, first.architecture.classes);
                net.check()?;
                model.normalisation.check()?;
                if model.parameters.len() != net.parameter_count() {
                    return Err(Fault::unfit("the model's parameters do not fit its architecture"));
                }
                if net.classes != wanted {
                    let what = format!("the model has {} classes, and the first has {wanted}", net.classes);
                    return Err(Fault::unfit(what).hint("only networks with the same classes have a mean"));
                }
                net.check_size(axial.slice_size())?;
                check_slab(axial, mean::slab(model))
            };
            let named =
                |fault: Fault| if self.models.len() > 1 { fault.within(format!("model {number}")) } else { fault };
            one().map_err(named)?;
        }
        Ok(())
    }
}

fn stream<B: MsdBackend>(
    mean: &Mean<'_>,
    device: &B::Device,
    one_at_a_time: bool,
    sink: &Mutex<Sink>,
    progress: &dyn Progress,
) -> Result<()> {
    let (slices, done, pace) = (mean.axial.slices(), AtomicU64::new(0), Pace::new());
    let with_probability = sink.lock().unwrap_or_else(PoisonError::into_inner).probability.is_some();
    let work = |slice: usize| -> Result<()> {
        let found = mean.slice::<B>(slice, with_probability, device, &|| match progress.cancelled() {
            true => Err(interrupted("stopped")),
            false => Ok(()),
        })?;
        {
            // A slice is written whole or, after a panic, the result is never looked at.
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            mean.axial.scatter(&found.label, slice, &mut sink.label);
            if let (Some(volume), Some(pixels)) = (&mut sink.probability, &found.probability) {
                mean.axial.scatter(pixels, slice, volume);
            }
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress.step(done, slices as u64, &pace.of(done));
        Ok(())
    };
    for_each_slice(slices, one_at_a_time, work).map(drop)
}
