//! Inference: the class of every voxel of a scan, on the scan's own grid.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use burn::{
    backend::Flex,
    tensor::{Tensor, TensorData},
};
use rayon::prelude::*;

use super::{
    axial::Axial,
    data::{check_slab, slab_image},
    device::Device,
    file::Model,
    kernels,
    op::{MsdBackend, msd_block},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::stage::Progress,
    volume::Volume,
};

/// What a network says of a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// Most probable class of each voxel; of equals the lowest.
    pub label: Volume<u8>,
    /// Probability that the voxel is not background, 0 to 1.
    pub probability: Volume<f32>,
}

/// Segments a scan on the processor.
///
/// # Errors
/// Unfit when the model is broken, a voxel is not finite, or slices are too small for the network; interrupted when
/// `progress` says so.
pub fn infer(model: &Model, ct: &Volume<f32>, progress: &dyn Progress) -> Result<Inferred> {
    infer_on(Device::Cpu, model, ct, progress)
}

/// Segments a scan on a device. Only the processor's bits are promised.
///
/// # Errors
/// As [`infer`], or when the device cannot be used.
pub fn infer_on(device: Device, model: &Model, ct: &Volume<f32>, progress: &dyn Progress) -> Result<Inferred> {
    let net = Arc::new(model.architecture.clone());
    net.check()?;
    model.normalisation.check()?;
    if model.parameters.len() != net.parameter_count() {
        return Err(Fault::unfit("the model's parameters do not fit its architecture"));
    }
    let axial = Axial::new(&ct.grid);
    net.check_size(axial.slice_size())?;
    check_slab(axial, slab(model))?;
    if ct.data.par_iter().any(|hu| !hu.is_finite()) {
        return Err(Fault::unfit("a voxel of the scan is not a finite number"));
    }
    let device = device.resolve()?;
    let done = AtomicU64::new(0);
    let slice = |slice: usize| -> Result<Slice> {
        if progress.cancelled() {
            return Err(Fault::new(Kind::Interrupted(SIGINT), "stopped"));
        }
        let inferred = match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => infer_slice::<burn::backend::Cuda>(
                model,
                &net,
                ct,
                (axial, slice),
                &burn::backend::cuda::CudaDevice::new(number),
            ),
            _ => infer_slice::<Flex>(model, &net, ct, (axial, slice), &Default::default()),
        }?;
        progress.step(done.fetch_add(1, Ordering::Relaxed) + 1, axial.slices() as u64, "");
        Ok(inferred)
    };
    let slices: Vec<Slice> = match device {
        Device::Cuda(_) => (0..axial.slices()).map(slice).collect::<Result<_>>()?,
        _ => (0..axial.slices()).into_par_iter().map(slice).collect::<Result<_>>()?,
    };
    Ok(assemble(ct, axial, &slices))
}

/// The signal that a stopped inference reports; the program knows the real one.
const SIGINT: i32 = 2;

/// Class and probability of each pixel of a slice.
type Slice = (Vec<u8>, Vec<f32>);

fn slab(model: &Model) -> usize {
    (model.architecture.input_channels - 1) / 2
}

fn infer_slice<B: MsdBackend>(
    model: &Model,
    net: &Arc<super::Architecture>,
    ct: &Volume<f32>,
    (axial, slice): (Axial, usize),
    device: &B::Device,
) -> Result<Slice> {
    let size = axial.slice_size();
    let image = slab_image(ct, axial, slice, slab(model), &model.normalisation);
    let shape = [1, net.input_channels, size.rows, size.columns];
    let image = Tensor::<B, 4>::from_data(TensorData::new(image, shape), device);
    let parameters = TensorData::new(model.parameters.clone(), [model.parameters.len()]);
    let logits = msd_block(image, Tensor::from_data(parameters, device), net);
    let logits = logits.into_data().to_vec::<f32>();
    let logits = logits.map_err(|error| Fault::unfit(format!("the device gave no result: {error:?}")))?;
    let probabilities = kernels::probabilities(&logits, net.classes, kernels::active());
    let pixels = size.pixels();
    let largest = |pixel: usize| {
        let at = |class: usize| logits[class * pixels + pixel];
        (1..net.classes).fold(0, |best, class| if at(class) > at(best) { class } else { best }) as u8
    };
    let not_background = match net.classes {
        2 => probabilities[pixels..].to_vec(),
        _ => probabilities[..pixels].iter().map(|background| 1.0 - background).collect(),
    };
    Ok(((0..pixels).map(largest).collect(), not_background))
}

/// Puts slices back on the scan's grid.
fn assemble(ct: &Volume<f32>, axial: Axial, slices: &[Slice]) -> Inferred {
    let mut label = Volume::filled(ct.grid, 0_u8);
    let mut probability = Volume::filled(ct.grid, 0.0_f32);
    for (slice, (classes, probabilities)) in slices.iter().enumerate() {
        for ((i, &class), &p) in axial.indices(slice).zip(classes).zip(probabilities) {
            label.data[i] = class;
            probability.data[i] = p;
        }
    }
    Inferred { label, probability }
}
