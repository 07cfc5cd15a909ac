//! The output layer: each class is a weighted sum of all maps at the pixel.

use rayon::prelude::*;

use super::{
    Simd,
    backward::{BAND, LANES, add_bands},
    lanes::{Lanes, multiversion},
    maps::Maps,
    worth_splitting,
};
use crate::model::msdnet::Architecture;

/// Returns the logits, `[class][y][x]`.
pub(super) fn forward(maps: &Maps, parameters: &[f32], net: &Architecture, simd: Simd) -> Vec<f32> {
    let size = maps.size;
    let weights = &parameters[net.head_weight_range()];
    let biases = &parameters[net.head_bias_range()];
    let mut logits = vec![0.0; net.classes * size.pixels()];
    for ((plane, weights), &bias) in
        logits.chunks_exact_mut(size.pixels()).zip(weights.chunks_exact(maps.channels)).zip(biases)
    {
        let row = |(y, out): (usize, &mut [f32])| {
            let mut sums = vec![bias; size.padded()];
            sum_row(simd, maps, y, weights, &mut sums);
            out.copy_from_slice(&sums[..size.columns]);
        };
        if worth_splitting(maps.channels * size.pixels()) {
            plane.par_chunks_exact_mut(size.columns).enumerate().for_each(row);
        } else {
            plane.chunks_exact_mut(size.columns).enumerate().for_each(row);
        }
    }
    logits
}

multiversion! {
    /// Adds all maps of row `y`, times their weights, to `sums`.
    fn sum_row(maps: &Maps, y: usize, weights: &[f32], sums: &mut [f32]) = row_body
}

#[inline(always)]
fn row_body<L: Lanes, const WIDE: usize, const HALF: usize>(maps: &Maps, y: usize, weights: &[f32], sums: &mut [f32]) {
    for (channel, &weight) in weights.iter().enumerate() {
        let values = maps.row(y, channel);
        for x in (0..sums.len()).step_by(L::N) {
            L::load(&values[x..]).fma(L::splat(weight), L::load(&sums[x..])).store(&mut sums[x..]);
        }
    }
}

/// Returns the gradients of all maps, `[y][map][x up to whole tiles]`, and writes those of the layer's own parameters.
pub(super) fn backward(
    maps: &Maps,
    parameters: &[f32],
    logit_gradients: &[Vec<f32>],
    net: &Architecture,
    simd: Simd,
    own_gradients: &mut [f32],
) -> Vec<f32> {
    let size = maps.size;
    let weights = &parameters[net.head_weight_range()];
    let mut gradients = vec![0.0; size.rows * maps.channels * size.padded()];
    let band_length = BAND * maps.channels * size.padded();
    let band = |(band, rows): (usize, &mut [f32])| {
        let mut sums = vec![[0.0; LANES]; net.classes * (maps.channels + 1)];
        pull_band(simd, maps, band * BAND, (weights, logit_gradients), rows, &mut sums);
        sums
    };
    let bands: Vec<_> = if worth_splitting(2 * net.classes * maps.channels * size.pixels()) {
        gradients.par_chunks_mut(band_length).enumerate().map(band).collect()
    } else {
        gradients.chunks_mut(band_length).enumerate().map(band).collect()
    };
    own_gradients.copy_from_slice(&add_bands(&bands));
    gradients
}

multiversion! {
    /// Handles the band that begins at row `first_row`: map gradients, then lanes of weights (`[class][map]`) and biases.
    fn pull_band(
        maps: &Maps,
        first_row: usize,
        head: (&[f32], &[Vec<f32>]),
        rows: &mut [f32],
        sums: &mut [[f32; LANES]],
    ) = pull_body
}

#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
fn pull_body<L: Lanes, const WIDE: usize, const HALF: usize>(
    maps: &Maps,
    first_row: usize,
    (weights, logit_gradients): (&[f32], &[Vec<f32>]),
    rows: &mut [f32],
    sums: &mut [[f32; LANES]],
) {
    let (channels, width) = (maps.channels, maps.size.padded());
    for (row, gradients) in rows.chunks_exact_mut(channels * width).enumerate() {
        let y = first_row + row;
        for (class, plane) in logit_gradients.iter().enumerate() {
            let logits = &plane[y * width..][..width];
            for (channel, gradients) in gradients.chunks_exact_mut(width).enumerate() {
                let weight = L::splat(weights[class * channels + channel]);
                let values = maps.row(y, channel);
                let lanes = &mut sums[class * channels + channel];
                let mut own: [L; HALF] = std::array::from_fn(|i| L::load(&lanes[i * L::N..]));
                for x in (0..width).step_by(LANES) {
                    for i in 0..HALF {
                        let at = x + i * L::N;
                        let logit = L::load(&logits[at..]);
                        logit.fma(weight, L::load(&gradients[at..])).store(&mut gradients[at..]);
                        own[i] = logit.fma(L::load(&values[at..]), own[i]);
                    }
                }
                for i in 0..HALF {
                    own[i].store(&mut lanes[i * L::N..]);
                }
            }
            let bias = &mut sums[logit_gradients.len() * channels + class];
            for chunk in logits.as_chunks::<LANES>().0 {
                for (sum, logit) in bias.iter_mut().zip(chunk) {
                    *sum += logit;
                }
            }
        }
    }
}
