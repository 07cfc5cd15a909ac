//! The output layer: each class is a weighted sum of all maps at the pixel.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Simd,
    lanes::{Lanes, multiversion},
    maps::{Maps, Size, View, padded_plane},
    push::LANES,
    worth_splitting,
};
use crate::model::msdnet::Architecture;

/// The logits, as far as maps have been added.
pub(super) struct Logits<'a> {
    size: Size,
    net: &'a Architecture,
    weights: &'a [f32],
    /// `[y][class][x up to whole tiles]`: a row of the maps is read once for all classes.
    sums: Vec<f32>,
}

impl<'a> Logits<'a> {
    /// Returns the biases.
    pub(super) fn new(size: Size, parameters: &'a [f32], net: &'a Architecture) -> Self {
        let biases = &parameters[net.head_bias_range()];
        let row = biases.iter().flat_map(|&bias| std::iter::repeat_n(bias, size.padded()));
        let sums = row.collect::<Vec<f32>>().repeat(size.rows);
        Self { size, net, weights: &parameters[net.head_weight_range()], sums }
    }

    /// Adds some maps, while they are still in a cache.
    pub(super) fn add(&mut self, maps: &Maps, channels: Range<usize>, simd: Simd) {
        let Self { size, net, weights, ref mut sums } = *self;
        let length = net.classes * size.padded();
        let row = |(y, sums): (usize, &mut [f32])| sum_row(simd, (maps, y), channels.clone(), weights, sums);
        if worth_splitting(4 * net.classes * channels.len() * size.pixels()) {
            sums.par_chunks_exact_mut(length).enumerate().for_each(row);
        } else {
            sums.chunks_exact_mut(length).enumerate().for_each(row);
        }
    }

    /// Returns the logits, `[class][y][x]`.
    pub(super) fn finish(self) -> Vec<f32> {
        let Self { size, net, sums, .. } = self;
        let mut logits = Vec::with_capacity(net.classes * size.pixels());
        for class in 0..net.classes {
            for row in sums.chunks_exact(net.classes * size.padded()) {
                logits.extend_from_slice(&row[class * size.padded()..][..size.columns]);
            }
        }
        logits
    }
}

multiversion! {
    /// Adds some maps of row `maps.1`, times their weights (`[class][map]`), to `sums` (`[class][x]`).
    fn sum_row(maps: (&Maps, usize), channels: Range<usize>, weights: &[f32], sums: &mut [f32]) = row_body
}

#[inline(always)]
fn row_body<L: Lanes>((maps, y): (&Maps, usize), channels: Range<usize>, weights: &[f32], sums: &mut [f32]) {
    let width = maps.size.padded();
    for channel in channels {
        let values = maps.row(y, channel);
        for (sums, weights) in sums.chunks_exact_mut(width).zip(weights.chunks_exact(maps.channels)) {
            let weight = L::splat(weights[channel]);
            for x in (0..width).step_by(L::N) {
                L::load(&values[x..]).fma(weight, L::load(&sums[x..])).store(&mut sums[x..]);
            }
        }
    }
}

multiversion! {
    /// Sets a row of a map's gradient.
    pub(super) fn start(head: &Head<'_>, y: usize, channel: usize, gradients: &mut [f32]) = start_body
}

#[inline(always)]
fn start_body<L: Lanes>(head: &Head<'_>, y: usize, channel: usize, gradients: &mut [f32]) {
    head.start::<L>(y, channel, gradients);
}

multiversion! {
    /// Adds a row to the lanes of the layer's weights (`[class][map]`) and biases.
    pub(super) fn weight_sums(head: &Head<'_>, y: usize, maps: View, sums: &mut [f32]) = weight_sums_body
}

#[inline(always)]
fn weight_sums_body<L: Lanes>(head: &Head<'_>, y: usize, maps: View, sums: &mut [f32]) {
    head.weight_sums::<L>(y, maps, sums);
}

/// The output layer in the backward pass.
pub(super) struct Head<'a> {
    size: Size,
    net: &'a Architecture,
    weights: &'a [f32],
    /// For each class `[y][x up to whole tiles]`.
    logit_gradients: Vec<Vec<f32>>,
}

impl<'a> Head<'a> {
    /// Returns the layer with the gradients of its logits, `[class][y][x]`.
    pub(super) fn new(size: Size, parameters: &'a [f32], logit_gradients: &[f32], net: &'a Architecture) -> Self {
        let planes = logit_gradients.chunks_exact(size.pixels());
        Self {
            size,
            net,
            weights: &parameters[net.head_weight_range()],
            logit_gradients: planes.map(|plane| padded_plane(plane, size)).collect(),
        }
    }

    /// Returns the number of sets of lanes for weights (`[class][map]`) and biases.
    pub(super) fn sets(&self) -> usize {
        self.net.classes * (self.net.channels() + 1)
    }

    fn row(&self, class: usize, y: usize) -> &[f32] {
        &self.logit_gradients[class][y * self.size.padded()..][..self.size.padded()]
    }

    /// As the function [`start`].
    #[inline(always)]
    fn start<L: Lanes>(&self, y: usize, channel: usize, gradients: &mut [f32]) {
        for x in (0..gradients.len()).step_by(L::N) {
            let mut sum = L::splat(0.0);
            for class in 0..self.net.classes {
                let weight = L::splat(self.weights[class * self.net.channels() + channel]);
                sum = L::load(&self.row(class, y)[x..]).fma(weight, sum);
            }
            sum.store(&mut gradients[x..]);
        }
    }

    /// As the function [`weight_sums`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "reads rows of maps that other threads read at the same time")]
    fn weight_sums<L: Lanes>(&self, y: usize, maps: View, sums: &mut [f32]) {
        let (weights, biases) = sums.split_at_mut(self.net.classes * maps.channels * LANES);
        for (class, (weights, bias)) in
            weights.chunks_exact_mut(maps.channels * LANES).zip(biases.chunks_exact_mut(LANES)).enumerate()
        {
            let upstream = self.row(class, y);
            for (channel, lanes) in weights.chunks_exact_mut(LANES).enumerate() {
                // SAFETY: nobody writes maps in the backward pass.
                let values = unsafe { maps.row(y, channel) };
                for half in (0..LANES).step_by(L::N) {
                    let mut sum = L::load(&lanes[half..]);
                    for x in (half..upstream.len()).step_by(LANES) {
                        sum = L::load(&upstream[x..]).fma(L::load(&values[x..]), sum);
                    }
                    sum.store(&mut lanes[half..]);
                }
            }
            for chunk in upstream.as_chunks::<LANES>().0 {
                for (sum, gradient) in bias.iter_mut().zip(chunk) {
                    *sum += gradient;
                }
            }
        }
    }
}
