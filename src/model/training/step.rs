//! One training step on a device: loss of a batch, and its gradient with respect to the parameters.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData, backend::AutodiffBackend};

use crate::{
    fault::{Fault, Result},
    model::{
        data::{Dataset, Sample},
        kernels::Size,
        msdnet::Architecture,
        op::{MsdBackend, fetch, mean_nll, msd_block},
    },
};

/// Returns the loss of a batch before the step and the gradient.
pub(super) fn step<B: AutodiffBackend + MsdBackend>(
    device: &B::Device,
    net: &Arc<Architecture>,
    data: &Dataset<'_>,
    batch: &[Sample],
    parameters: &[f32],
) -> Result<(f32, Vec<f32>)> {
    let Size { rows, columns } = batch[0].symmetry.size(data.size(batch[0].id));
    let pixels = batch.len() * rows * columns;
    let (mut images, mut target) = (Vec::new(), Vec::new());
    if batch.len() > 1 {
        images.reserve(net.input_channels * pixels);
        target.reserve(pixels);
    }
    for &sample in batch {
        data.image(sample, &mut images);
        data.target(sample, &mut target);
    }
    let target: Arc<[u8]> = target.into();
    let shape = [batch.len(), net.input_channels, rows, columns];
    let images = Tensor::<B, 4>::from_data(TensorData::new(images, shape), device);
    let weights = TensorData::new(parameters.to_vec(), [parameters.len()]);
    let weights = Tensor::<B, 1>::from_data(weights, device).require_grad();
    let loss = mean_nll(msd_block(images, weights.clone(), net), &target);
    let gradients = loss.backward();
    let gradients = weights.grad(&gradients).ok_or_else(|| Fault::unfit("the loss does not depend on the weights"))?;
    // Not finite is for the training to judge: it knows the step.
    let (gradients, loss) = (fetch(gradients)?, fetch(loss)?);
    Ok((loss[0], gradients))
}
