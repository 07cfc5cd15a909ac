//! The network as two operations of a burn backend: `msd_block`, from image to logits, and the mean negative log-likelihood.
//!
//! A backend gets both for nothing as compositions of ordinary operations ([`super::reference`]). Flex, burn's CPU backend,
//! and CUDA have them as single operations on our kernels ([`FusedBackend`]): one buffer holds all maps of a slice, and
//! backward returns the gradients of all parameters at once, where a graph of concatenations would keep 5 GB of copies for a
//! 512 x 512 slice.

use std::sync::Arc;

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients as GradientStore,
            ops::{Backward, Ops, OpsKind},
        },
        flex::FlexTensor,
    },
    tensor::{
        Tensor, TensorData, TensorPrimitive,
        backend::Backend,
        ops::{FloatTensor, FloatTensorOps as _},
    },
};

use super::{
    kernels::{self, InputGradient, Maps, Size},
    msdnet::Architecture,
    reference,
};
use crate::fault::{Fault, Result};

/// A backend that can run the network.
pub trait MsdBackend: Backend {
    /// Returns the logits `[n, classes, y, x]` of slices `[n, channels, y, x]`, for parameters in one flat list
    /// (laid out as [`Architecture`] says).
    fn msd_block(
        input: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        net: &Arc<Architecture>,
    ) -> FloatTensor<Self> {
        let logits = reference::msd_block::<Self>(from_float(input), from_float(parameters), net);
        into_float(logits)
    }

    /// Returns the mean negative log-likelihood `[1]` over the pixels whose class is not [`kernels::IGNORED`]; `target`
    /// holds n x y x x classes.
    fn mean_nll(logits: FloatTensor<Self>, target: &Arc<[u8]>) -> FloatTensor<Self> {
        into_float(reference::mean_nll::<Self>(from_float(logits), target))
    }
}

/// Returns the logits of slices: [`MsdBackend::msd_block`] on tensors.
pub fn msd_block<B: MsdBackend>(
    input: Tensor<B, 4>,
    parameters: Tensor<B, 1>,
    net: &Arc<Architecture>,
) -> Tensor<B, 4> {
    from_float(B::msd_block(into_float(input), into_float(parameters), net))
}

/// Returns the loss: [`MsdBackend::mean_nll`] on tensors.
pub fn mean_nll<B: MsdBackend>(logits: Tensor<B, 4>, target: &Arc<[u8]>) -> Tensor<B, 1> {
    from_float(B::mean_nll(into_float(logits), target))
}

fn from_float<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

fn into_float<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

/// A backend that runs the network as single operations with gradients written by hand.
pub(super) trait FusedBackend: Backend {
    /// What a forward pass keeps for the backward pass: all maps, and nothing twice.
    type Kept: Clone + std::fmt::Debug + Send + 'static;

    /// Returns whether its kernels can address slices `[n, channels, y, x]` with all their maps.
    fn fits(_input: &FloatTensor<Self>, _net: &Architecture) -> bool {
        true
    }

    /// Returns whether its kernels can address logits `[n, classes, y, x]`.
    fn fits_loss(_logits: &FloatTensor<Self>) -> bool {
        true
    }

    /// Returns the logits of a batch, and what its backward pass needs.
    fn forward(
        input: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        net: &Architecture,
    ) -> (FloatTensor<Self>, Self::Kept);

    /// Returns the gradients of the parameters, summed over the batch, and those of the input if wanted.
    fn backward(
        kept: &Self::Kept,
        parameters: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        net: &Architecture,
        input: InputGradient,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>);

    /// Returns the mean loss `[1]` and its gradient with respect to the logits.
    fn loss_and_gradient(logits: FloatTensor<Self>, target: &[u8]) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Returns a tensor times the one number in `factor`.
    fn scaled(tensor: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Runs the network as single operations wherever a backend has them.
macro_rules! fused {
    ($backend:ty) => {
        impl MsdBackend for $backend {
            fn msd_block(
                input: FloatTensor<Self>,
                parameters: FloatTensor<Self>,
                net: &Arc<Architecture>,
            ) -> FloatTensor<Self> {
                if Self::fits(&input, net) {
                    Self::forward(input, parameters, net).0
                } else {
                    into_float(reference::msd_block::<Self>(from_float(input), from_float(parameters), net))
                }
            }

            fn mean_nll(logits: FloatTensor<Self>, target: &Arc<[u8]>) -> FloatTensor<Self> {
                if Self::fits_loss(&logits) {
                    Self::loss_and_gradient(logits, target).0
                } else {
                    into_float(reference::mean_nll::<Self>(from_float(logits), target))
                }
            }
        }
    };
}

fused!(Flex);
#[cfg(feature = "cuda")]
fused!(burn::backend::Cuda);

impl<B: FusedBackend + MsdBackend, C: CheckpointStrategy> MsdBackend for Autodiff<B, C> {
    fn msd_block(
        input: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        net: &Arc<Architecture>,
    ) -> FloatTensor<Self> {
        if !B::fits(&input.primitive, net) {
            return into_float(reference::msd_block::<Self>(from_float(input), from_float(parameters), net));
        }
        let parents = [input.node.clone(), parameters.node.clone()];
        match BlockGradient.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(operation) => {
                let (logits, maps) = B::forward(input.primitive, parameters.primitive.clone(), net);
                let kept = Kept { maps, parameters: parameters.primitive, net: Arc::clone(net) };
                operation.finish(kept, logits)
            }
            OpsKind::UnTracked(operation) => operation.finish(B::msd_block(input.primitive, parameters.primitive, net)),
        }
    }

    fn mean_nll(logits: FloatTensor<Self>, target: &Arc<[u8]>) -> FloatTensor<Self> {
        if !B::fits_loss(&logits.primitive) {
            return into_float(reference::mean_nll::<Self>(from_float(logits), target));
        }
        match LossGradient.prepare::<C>([logits.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(operation) => {
                let (loss, gradient) = B::loss_and_gradient(logits.primitive, target);
                operation.finish(gradient, loss)
            }
            OpsKind::UnTracked(operation) => operation.finish(B::mean_nll(logits.primitive, target)),
        }
    }
}

/// The backward step of `msd_block`.
#[derive(Debug)]
struct BlockGradient;

/// What `msd_block` keeps from forward to backward.
#[derive(Clone, Debug)]
struct Kept<B: FusedBackend> {
    maps: B::Kept,
    parameters: FloatTensor<B>,
    net: Arc<Architecture>,
}

impl<B: FusedBackend> Backward<B, 2> for BlockGradient {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 2>, grads: &mut GradientStore, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let Kept { maps, parameters, net } = ops.state;
        let [input_node, parameter_node] = ops.parents;
        let wanted = if input_node.is_some() { InputGradient::Wanted } else { InputGradient::Skipped };
        let (of_parameters, of_input) = B::backward(&maps, parameters, gradient, &net, wanted);
        if let (Some(node), Some(gradient)) = (input_node, of_input) {
            grads.register::<B>(node.id, gradient);
        }
        if let Some(node) = parameter_node {
            grads.register::<B>(node.id, of_parameters);
        }
    }
}

/// The backward step of `mean_nll`; its state is the gradient for a loss of weight one.
#[derive(Debug)]
struct LossGradient;

impl<B: FusedBackend> Backward<B, 1> for LossGradient {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<FloatTensor<B>, 1>, grads: &mut GradientStore, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::scaled(ops.state, upstream));
        }
    }
}

impl FusedBackend for Flex {
    type Kept = Arc<Vec<Maps>>;

    fn forward(input: FlexTensor, parameters: FlexTensor, net: &Architecture) -> (FlexTensor, Self::Kept) {
        let (logits, maps) = forward(&input, &parameters, net);
        (logits, Arc::new(maps))
    }

    fn backward(
        maps: &Self::Kept,
        parameters: FlexTensor,
        gradient: FlexTensor,
        net: &Architecture,
        wanted: InputGradient,
    ) -> (FlexTensor, Option<FlexTensor>) {
        let (gradient, parameters, simd) = (gradient.to_contiguous(), parameters.to_contiguous(), kernels::active());
        let [n, _, rows, columns] = gradient.layout().shape().dims();
        let per_slice = net.classes * rows * columns;
        let mut sum = vec![0.0_f32; net.parameter_count()];
        let mut input = Vec::new();
        for (maps, gradient) in maps.iter().zip(gradient.storage::<f32>().chunks_exact(per_slice)) {
            let slice = kernels::backward(maps, parameters.storage(), gradient, net, (wanted, simd));
            sum.iter_mut().zip(&slice.parameters).for_each(|(sum, gradient)| *sum += gradient);
            input.extend(slice.input.into_iter().flatten());
        }
        let count = sum.len();
        let input = (wanted == InputGradient::Wanted).then(|| tensor(input, &[n, net.input_channels, rows, columns]));
        (tensor(sum, &[count]), input)
    }

    fn loss_and_gradient(logits: FlexTensor, target: &[u8]) -> (FlexTensor, FlexTensor) {
        loss_and_gradient(&logits, target)
    }

    fn scaled(gradient: FlexTensor, factor: FlexTensor) -> FlexTensor {
        Self::float_mul_scalar(gradient, factor.to_contiguous().storage::<f32>()[0].into())
    }
}

/// Returns the numbers of a tensor, finite ones.
///
/// # Errors
/// Unfit when the device failed, or a number is not finite: which is what a kernel that never ran leaves behind.
pub fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>> {
    let numbers = fetch(tensor)?;
    if numbers.iter().all(|number| number.is_finite()) {
        Ok(numbers)
    } else {
        let what =
            "the network's results are not finite numbers: its weights have diverged, or the device left work undone";
        Err(Fault::unfit(what).hint("lower `lr`; if that does not help, run with `--device cpu`"))
    }
}

/// Returns the numbers of a tensor, whatever they are.
///
/// # Errors
/// Unfit when the device failed.
pub fn fetch<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>> {
    let failed =
        |why: String| Fault::unfit(format!("the device gave no result: {why}")).hint("run again with `--device cpu`");
    let numbers = tensor.try_into_data().map_err(|error| failed(format!("{error:?}")))?;
    #[cfg(feature = "cuda")]
    super::cuda::check_alive()?;
    numbers.to_vec::<f32>().map_err(|error| failed(format!("{error:?}")))
}

/// Returns the logits of a batch and all maps of each slice.
fn forward(input: &FlexTensor, parameters: &FlexTensor, net: &Architecture) -> (FlexTensor, Vec<Maps>) {
    let (input, parameters) = (input.to_contiguous(), parameters.to_contiguous());
    let [n, channels, rows, columns] = input.layout().shape().dims();
    let (size, simd) = (Size { rows, columns }, kernels::active());
    let (logits, maps): (Vec<Vec<f32>>, Vec<Maps>) = input
        .storage::<f32>()
        .chunks_exact(channels * size.pixels())
        .map(|image| {
            let (maps, logits) = kernels::forward(image, size, parameters.storage(), net, simd);
            (logits, maps)
        })
        .unzip();
    (tensor(logits.concat(), &[n, net.classes, rows, columns]), maps)
}

/// Returns the mean loss of a batch and its gradient with respect to the logits.
fn loss_and_gradient(logits: &FlexTensor, target: &[u8]) -> (FlexTensor, FlexTensor) {
    let logits = logits.to_contiguous();
    let [n, classes, rows, columns] = logits.layout().shape().dims();
    // The kernel wants [class][pixel]: for one slice that is what is there.
    let (loss, gradient) = if n == 1 {
        kernels::nll(logits.storage(), target, kernels::active())
    } else {
        let pixels = rows * columns;
        let class_first = swap_outer(logits.storage(), n, classes, pixels);
        let (loss, gradient) = kernels::nll(&class_first, target, kernels::active());
        (loss, swap_outer(&gradient, classes, n, pixels))
    };
    (tensor(vec![loss as f32], &[1]), tensor(gradient, &[n, classes, rows, columns]))
}

/// Returns `[b][a][pixel]` from `[a][b][pixel]`.
fn swap_outer(data: &[f32], a: usize, b: usize, pixels: usize) -> Vec<f32> {
    (0..b).flat_map(|j| (0..a).flat_map(move |i| &data[(i * b + j) * pixels..][..pixels])).copied().collect()
}

fn tensor(data: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(data, shape))
}
