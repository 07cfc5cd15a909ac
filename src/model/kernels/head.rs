//! The output layer: each class is a weighted sum of all maps at the pixel.

use std::ops::Range;

use super::{
    Simd,
    lanes::{Lanes, multiversion},
    maps::{Maps, Size, View, padded_plane},
    push::LANES,
};
use crate::model::msdnet::Architecture;

/// The logits, as far as maps have been added.
pub(super) struct Logits<'a> {
    net: &'a Architecture,
    weights: &'a [f32],
    biases: &'a [f32],
    /// A map for each class.
    sums: Maps,
    view: View,
}

impl<'a> Logits<'a> {
    /// Returns logits to which no map has been added.
    pub(super) fn new(size: Size, parameters: &'a [f32], net: &'a Architecture) -> Self {
        let mut sums = Maps::new(size, net.classes);
        let (weights, biases) = (&parameters[net.head_weight_range()], &parameters[net.head_bias_range()]);
        Self { net, weights, biases, view: sums.view_mut(), sums }
    }

    /// Adds some complete maps to a row, while they are in a cache. Map 0 comes first; it begins with the biases.
    ///
    /// # Safety
    /// Nobody else uses this row of the logits, or writes that of these maps, meanwhile.
    #[expect(unsafe_code, reason = "threads write different rows")]
    pub(super) unsafe fn add(&self, maps: View, channels: Range<usize>, y: usize, simd: Simd) {
        for class in 0..self.net.classes {
            // SAFETY: the caller's promise.
            let sums = unsafe { self.view.row_mut(y, class) };
            if channels.start == 0 {
                sums.fill(self.biases[class]);
            }
            let weights = &self.weights[class * self.net.channels()..][..self.net.channels()];
            // SAFETY: the caller's promise.
            unsafe { add_row(simd, (maps, y), channels.clone(), weights, sums) };
        }
    }

    /// Returns the logits, `[class][y][x]`.
    pub(super) fn finish(self) -> Vec<f32> {
        let Size { rows, columns } = self.sums.size;
        let mut logits = Vec::with_capacity(self.net.classes * self.sums.size.pixels());
        for class in 0..self.net.classes {
            for y in 0..rows {
                logits.extend_from_slice(&self.sums.row(y, class)[..columns]);
            }
        }
        logits
    }
}

multiversion! {
    /// Adds some maps of row `maps.1`, times their weights, to sums.
    ///
    /// # Safety
    /// Nobody writes that row meanwhile.
    [unsafe] fn add_row(maps: (View, usize), channels: Range<usize>, weights: &[f32], sums: &mut [f32]) = add_row_body
}

#[inline(always)]
#[expect(unsafe_code, reason = "reads rows of maps of which other threads write other rows")]
unsafe fn add_row_body<L: Lanes>((maps, y): (View, usize), channels: Range<usize>, weights: &[f32], sums: &mut [f32]) {
    for channel in channels {
        let weight = L::splat(weights[channel]);
        // SAFETY: the caller's promise.
        let values = unsafe { maps.row(y, channel) };
        for x in (0..sums.len()).step_by(L::N) {
            L::load(&values[x..]).fma(weight, L::load(&sums[x..])).store(&mut sums[x..]);
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
