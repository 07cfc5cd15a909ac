//! The network in ordinary burn operations: what the fused operation must equal, and what a backend without one runs.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData, activation, backend::Backend, module::conv2d, ops::ConvOptions};

use super::{border::Border, kernels::IGNORED, msdnet::Architecture};

/// Returns the logits `[n, classes, y, x]` of slices `[n, channels, y, x]`.
pub fn msd_block<B: Backend>(input: Tensor<B, 4>, parameters: Tensor<B, 1>, net: &Architecture) -> Tensor<B, 4> {
    let mut maps = input;
    for layer in 0..net.depth {
        let dilation = net.dilation(layer);
        let first = layer * net.width;
        let weights = net.weight_range(first).start..net.weight_range(first + net.width).start;
        let weight = parameters.clone().slice([weights]).reshape([net.width, net.inputs(layer), 3, 3]);
        let start = net.bias_range().start + first;
        let biases = start..start + net.width;
        let bias = parameters.clone().slice([biases]);
        let options = ConvOptions::new([1, 1], [0, 0], [dilation, dilation], 1);
        let convolved = conv2d(padded(maps.clone(), dilation, net.border), weight, Some(bias), options);
        maps = Tensor::cat(vec![maps, activation::relu(convolved)], 1); // [n, inputs of the next layer, y, x]
    }
    let weight = parameters.clone().slice([net.head_weight_range()]).reshape([net.classes, net.channels(), 1, 1]);
    let bias = parameters.slice([net.head_bias_range()]);
    conv2d(maps, weight, Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
}

/// Returns the mean negative log-likelihood `[1]` over the pixels that count.
///
/// A product with one-hot weights, because gathering has no deterministic gradient on a GPU.
pub fn mean_nll<B: Backend>(logits: Tensor<B, 4>, target: &Arc<[u8]>) -> Tensor<B, 1> {
    let [n, classes, rows, columns] = logits.dims();
    let counted = target.iter().filter(|&&class| class != IGNORED).count().max(1);
    let pixels = rows * columns;
    let mut weights = vec![0.0_f32; n * classes * pixels];
    for (i, &class) in target.iter().enumerate().filter(|&(_, &class)| class != IGNORED) {
        weights[((i / pixels) * classes + usize::from(class)) * pixels + i % pixels] = -1.0 / counted as f32;
    }
    let weights = Tensor::from_data(TensorData::new(weights, [n, classes, rows, columns]), &logits.device());
    (activation::log_softmax(logits, 1) * weights).flatten::<2>(1, 3).sum_dim(1).sum_dim(0).flatten(0, 1)
}

/// Returns the maps with `margin` reflected pixels on every side.
fn padded<B: Backend>(maps: Tensor<B, 4>, margin: usize, border: Border) -> Tensor<B, 4> {
    let [_, _, rows, columns] = maps.dims();
    let device = maps.device();
    let sources = |n: usize| {
        let ends = margin as isize;
        let sources: Vec<i64> = (-ends..n as isize + ends).map(|i| border.source(i, n) as i64).collect();
        let length = sources.len();
        Tensor::<B, 1, Int>::from_data(TensorData::new(sources, [length]), &device)
    };
    maps.select(2, sources(rows)).select(3, sources(columns))
}
