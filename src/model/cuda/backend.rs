//! The network's operations for burn's CUDA backend.

use burn::{
    backend::Cuda,
    tensor::{DType, Shape, Slice, TensorMetadata as _, ops::FloatTensorOps as _},
};
use burn_cubecl::{kernel::into_contiguous, tensor::CubeTensor};
use cubecl::cuda::CudaRuntime;

use super::{
    backward::{Saved, backward},
    card::{Card, Memory},
    forward::forward,
    launch::{Kernel, Machine as _},
    loss::loss_and_gradient,
    network::{Batch, INDEXABLE},
};
use crate::model::{
    kernels::{InputGradient, Size},
    msdnet::Architecture,
    op::FusedBackend,
};

type CudaTensor = CubeTensor<CudaRuntime>;

/// The maps of a batch, in parts of so many slices.
type Parts = Vec<(Memory, usize)>;

impl FusedBackend for Cuda {
    type Kept = Parts;

    fn fits(input: &CudaTensor, net: &Architecture) -> bool {
        let [_, _, rows, columns] = input.shape().dims();
        Batch::slices_together(net, Size { rows, columns }) > 0
    }

    fn fits_loss(logits: &CudaTensor) -> bool {
        (logits.shape().num_elements() as u64) < INDEXABLE
    }

    fn forward(input: CudaTensor, parameters: CudaTensor, net: &Architecture) -> (CudaTensor, Parts) {
        let (parameters, [n, _, rows, columns]) = (into_contiguous(parameters), input.shape().dims());
        let size = Size { rows, columns };
        let card = Card { client: input.client.clone() };
        let mut parts = Vec::new();
        let mut logits = Vec::new();
        for (first, slices) in spans(n, Batch::slices_together(net, size)) {
            let part = part(&input, first, slices, n);
            let batch = Batch { net, size, slices };
            let (maps, result) = forward(&card, &memory(&part), &memory(&parameters), &batch);
            logits.push(tensor(&input, result, &[slices, net.classes, rows, columns]));
            parts.push((maps, slices));
        }
        (joined(logits), parts)
    }

    fn backward(
        kept: &Parts,
        parameters: CudaTensor,
        gradient: CudaTensor,
        net: &Architecture,
        wanted: InputGradient,
    ) -> (CudaTensor, Option<CudaTensor>) {
        let (parameters, [n, _, rows, columns]) = (into_contiguous(parameters), gradient.shape().dims());
        let card = Card { client: gradient.client.clone() };
        let mut sum: Option<CudaTensor> = None;
        let mut inputs = Vec::new();
        let mut first = 0;
        for &(ref maps, slices) in kept {
            let part = part(&gradient, first, slices, n);
            let saved = Saved { maps, parameters: &memory(&parameters), logit_gradients: &memory(&part) };
            let batch = Batch { net, size: Size { rows, columns }, slices };
            let (own, input) = backward(&card, &saved, &batch, wanted);
            let own = tensor(&gradient, own, &[net.parameter_count()]);
            sum = Some(match sum {
                Some(before) => Self::float_add(before, own),
                None => own,
            });
            inputs.extend(input.map(|input| tensor(&gradient, input, &[slices, net.input_channels, rows, columns])));
            first += slices;
        }
        let sum = sum.unwrap_or_else(|| {
            Self::float_zeros(Shape::new([net.parameter_count()]), &gradient.device, DType::F32.into())
        });
        (sum, (wanted == InputGradient::Wanted).then(|| joined(inputs)))
    }

    fn loss_and_gradient(logits: CudaTensor, target: &[u8]) -> (CudaTensor, CudaTensor) {
        let logits = into_contiguous(logits);
        let [n, classes, rows, columns] = logits.shape().dims();
        let card = Card { client: logits.client.clone() };
        let (loss, gradient) = loss_and_gradient(&card, &memory(&logits), target, (classes, rows * columns));
        (tensor(&logits, loss, &[1]), tensor(&logits, gradient, &[n, classes, rows, columns]))
    }

    fn scaled(gradient: CudaTensor, factor: CudaTensor) -> CudaTensor {
        let (gradient, factor) = (into_contiguous(gradient), into_contiguous(factor));
        let card = Card { client: gradient.client.clone() };
        let count = gradient.shape().num_elements();
        let result = card.poisoned(count);
        card.flat(Kernel::Scale, (count, 1, 1), &[&memory(&gradient), &memory(&factor), &result], &[count]);
        let shape: Vec<usize> = gradient.shape().to_vec();
        tensor(&gradient, result, &shape)
    }
}

/// Returns the first slice and the length of each part of `n` slices.
fn spans(n: usize, together: usize) -> impl Iterator<Item = (usize, usize)> {
    let together = together.max(1);
    (0..n).step_by(together).map(move |first| (first, together.min(n - first)))
}

/// Returns slices `first..first + slices` of `n` as a dense tensor; without a copy if they are all.
fn part(tensor: &CudaTensor, first: usize, slices: usize, n: usize) -> CudaTensor {
    if slices == n {
        return into_contiguous(tensor.clone());
    }
    let range = Slice::from(first as isize..(first + slices) as isize);
    into_contiguous(<Cuda>::float_slice(tensor.clone(), &[range]))
}

/// Returns one tensor of parts that follow each other.
fn joined(mut parts: Vec<CudaTensor>) -> CudaTensor {
    if parts.len() == 1 { parts.swap_remove(0) } else { <Cuda>::float_cat(parts, 0) }
}

fn memory(tensor: &CudaTensor) -> Memory {
    Memory { handle: tensor.handle.clone(), length: tensor.shape().num_elements() }
}

fn tensor(like: &CudaTensor, memory: Memory, shape: &[usize]) -> CudaTensor {
    let shape = Shape::from(shape.to_vec());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, memory.handle, DType::F32)
}
