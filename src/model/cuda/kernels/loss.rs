//! Softmax and negative log-likelihood, and the mean of the losses over the tree of `numeric::tree_sum`.

use cubecl::prelude::*;

use super::{
    LEAF,
    elementary::{exp, ln},
};

/// The class number of pixels that count for nothing.
const IGNORED: u32 = 255;

/// Writes the loss of each pixel and its gradient with respect to the logits (`[slice][class][pixel]`).
///
/// `target` holds four classes a word, lowest byte first; `scale` is the f32 1 / (pixels that count), as bits.
#[cube(launch_unchecked)]
pub(crate) fn nll(
    logits: &Array<f32>,
    target: &Array<u32>,
    gradients: &mut Array<f32>,
    losses: &mut Array<f32>,
    plane: usize,
    classes: usize,
    pixels: usize,
    scale: usize,
) {
    let pixel = ABSOLUTE_POS_X as usize;
    if pixel < pixels {
        let first = pixel / plane * classes * plane + pixel % plane;
        let truth = (target[pixel / 4] >> ((pixel % 4) as u32 * 8u32)) & 255u32;
        let mut largest = logits[first];
        let mut own = 0.0f32;
        for class in 0..classes {
            let logit = logits[first + class * plane];
            largest = select(logit > largest, logit, largest);
            own = select(truth == class as u32, logit, own);
        }
        let mut sum = 0.0f32;
        for class in 0..classes {
            let power = exp(logits[first + class * plane] - largest);
            gradients[first + class * plane] = power;
            sum += power;
        }
        for class in 0..classes {
            let probability = gradients[first + class * plane] / sum;
            let excess = select(truth == class as u32, probability - 1.0f32, probability);
            let gradient = excess * f32::reinterpret(scale as u32);
            gradients[first + class * plane] = select(truth == IGNORED, 0.0f32, gradient);
        }
        let loss = (largest - own) + ln(sum);
        losses[pixel] = select(truth == IGNORED, 0.0f32, loss);
    }
}

/// Adds the losses of each leaf from left to right.
#[cube(launch_unchecked)]
pub(crate) fn leaf_sums(losses: &Array<f32>, sums: &mut Array<f64>, count: usize) {
    let first = ABSOLUTE_POS_X as usize * LEAF;
    if first < count {
        let last = select(first + LEAF < count, first + LEAF, count);
        let mut sum = f64::cast_from(0.0f32);
        for i in first..last {
            sum += f64::cast_from(losses[i]);
        }
        sums[ABSOLUTE_POS_X as usize] = sum;
    }
}

/// Adds the two halves of each node at one depth of the tree over `leaves`; a node's sum lies at its first leaf.
#[cube(launch_unchecked)]
pub(crate) fn pair_sums(sums: &mut Array<f64>, leaves: usize, depth: usize) {
    let node = ABSOLUTE_POS_X as usize;
    if node < 1usize << depth {
        // The left half of n leaves has (n + 1) / 2 of them; bits of `node`, highest first, say left or right.
        let mut first = 0usize;
        let mut length = leaves;
        for level in 0..depth {
            let half = length.div_ceil(2);
            let right = (node >> (depth - 1 - level)) & 1usize;
            first += right * half;
            length = select(right == 1, length - half, half);
        }
        if length > 1 {
            sums[first] += sums[first + length.div_ceil(2)];
        }
    }
}

/// Writes the mean.
#[cube(launch_unchecked)]
pub(crate) fn mean(sums: &Array<f64>, loss: &mut Array<f32>, counted: usize) {
    if ABSOLUTE_POS_X == 0 {
        let mut result = 0.0f32;
        if counted > 0 {
            result = f32::cast_from(sums[0] / f64::cast_from(counted as u32));
        }
        loss[0] = result;
    }
}
