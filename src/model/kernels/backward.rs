//! The backward pass: gradients of parameters, and of the input where somebody wants it.

use rayon::prelude::*;

use super::{
    Simd,
    adjoint::Adjoint,
    head,
    lanes::{Lanes, multiversion},
    maps::{Maps, Size, padded_plane},
    worth_splitting,
};
use crate::model::{border::Border, msdnet::Architecture};

/// Rows that share one set of f32 lanes; short enough that their rounding stays far below 1e-5.
pub(super) const BAND: usize = 32;
/// Lanes of a weight gradient: column x belongs to lane x mod 16.
pub(super) const LANES: usize = 16;
/// Earlier maps whose gradients are updated together, sharing the loads of the adjoint images.
const TOGETHER: usize = 4;

/// Whether the gradient of the input is wanted. Training does not need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputGradient {
    /// Compute it.
    Wanted,
    /// Leave it out.
    Skipped,
}

/// What a backward pass gives.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// In the order of the parameters.
    pub parameters: Vec<f32>,
    /// `[channel][y][x]`, if wanted.
    pub input: Option<Vec<f32>>,
}

/// One map's δ on its way to all earlier maps.
struct Push<'a> {
    maps: &'a Maps,
    /// δ, rows up to whole tiles.
    delta: &'a [f32],
    weights: &'a [[f32; 9]],
    dilation: usize,
    border: Border,
    /// The first map whose gradient is wanted.
    first_wanted: usize,
}

/// Sums of one band: a set of lanes for each tap of each earlier map, then one for the bias.
type BandSums = Vec<[f32; LANES]>;

/// Returns the gradients for one slice, given those of its logits (`[class][y][x]`).
#[must_use]
pub fn backward(
    maps: &Maps,
    parameters: &[f32],
    logit_gradients: &[f32],
    net: &Architecture,
    (input, simd): (InputGradient, Simd),
) -> Gradients {
    let size = maps.size;
    let mut gradients = vec![0.0; parameters.len()];
    let logit_gradients: Vec<Vec<f32>> =
        logit_gradients.chunks_exact(size.pixels()).map(|plane| padded_plane(plane, size)).collect();
    let mut map_gradients =
        head::backward(maps, parameters, &logit_gradients, net, simd, &mut gradients[net.head_range()]);
    let mut delta = vec![0.0; size.rows * size.padded()];
    for map in (0..net.maps()).rev() {
        masked_delta(maps, &map_gradients, net.input_channels + map, &mut delta);
        let push = Push {
            maps,
            delta: &delta,
            weights: parameters[net.weight_range(map)].as_chunks().0,
            dilation: net.dilation(map / net.width),
            border: net.border,
            first_wanted: if input == InputGradient::Wanted { 0 } else { net.input_channels },
        };
        let bands = push_all(&push, &mut map_gradients, simd);
        let mut sums = add_bands(&bands);
        gradients[net.bias_range()][map] = sums.pop().unwrap_or(0.0);
        gradients[net.weight_range(map)].copy_from_slice(&sums);
    }
    let input = (input == InputGradient::Wanted).then(|| input_gradients(maps, &map_gradients, net.input_channels));
    Gradients { parameters: gradients, input }
}

/// Writes δ: the gradient of a map where the map is positive.
fn masked_delta(maps: &Maps, map_gradients: &[f32], channel: usize, delta: &mut [f32]) {
    let width = maps.size.padded();
    for (y, row) in delta.chunks_exact_mut(width).enumerate() {
        let gradients = &map_gradients[(y * maps.channels + channel) * width..][..width];
        for ((delta, &gradient), &value) in row.iter_mut().zip(gradients).zip(maps.row(y, channel)) {
            *delta = if value > 0.0 { gradient } else { 0.0 };
        }
    }
}

/// Adds a map's δ to the gradients of all earlier maps; returns the sums of its weight gradients by band.
fn push_all(push: &Push<'_>, map_gradients: &mut [f32], simd: Simd) -> Vec<BandSums> {
    let size = push.maps.size;
    let band_length = BAND * push.maps.channels * size.padded();
    let band = |(band, gradients): (usize, &mut [f32])| {
        let mut sums = vec![[0.0; LANES]; 9 * push.weights.len() + 1];
        push_band(simd, push, band * BAND, gradients, &mut sums);
        sums
    };
    if worth_splitting(18 * push.weights.len() * size.pixels()) {
        map_gradients.par_chunks_mut(band_length).enumerate().map(band).collect()
    } else {
        map_gradients.chunks_mut(band_length).enumerate().map(band).collect()
    }
}

/// Returns the sum of bands and lanes for each set of lanes: bands in order lane by lane, then the lanes halved four times.
pub(super) fn add_bands(bands: &[BandSums]) -> Vec<f32> {
    let sets = bands.first().map_or(0, Vec::len);
    let total = |set: usize| {
        let mut lanes = [0.0_f64; LANES];
        for band in bands {
            for (sum, &lane) in lanes.iter_mut().zip(&band[set]) {
                *sum += f64::from(lane);
            }
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0] as f32
    };
    (0..sets).map(total).collect()
}

/// Copies the input's gradients out of the padded rows.
fn input_gradients(maps: &Maps, map_gradients: &[f32], channels: usize) -> Vec<f32> {
    let Size { rows, columns } = maps.size;
    let row = |c: usize, y: usize| &map_gradients[(y * maps.channels + c) * maps.size.padded()..][..columns];
    (0..channels).flat_map(|c| (0..rows).flat_map(move |y| row(c, y).iter().copied())).collect()
}

multiversion! {
    /// Handles the band that begins at row `first_row`; `gradients` are its rows of all maps.
    fn push_band(push: &Push<'_>, first_row: usize, gradients: &mut [f32], sums: &mut [[f32; LANES]]) = band_body
}

#[inline(always)]
fn band_body<L: Lanes, const WIDE: usize, const HALF: usize>(
    push: &Push<'_>,
    first_row: usize,
    gradients: &mut [f32],
    sums: &mut [[f32; LANES]],
) {
    let Push { maps, weights, .. } = *push;
    let row_length = maps.channels * maps.size.padded();
    let rows = gradients.len() / row_length;
    // The nine images of a block should stay in the first-level cache.
    let block_rows = (512 / maps.size.padded()).clamp(1, 8).min(rows);
    let mut adjoint = Adjoint::new(maps.size, block_rows);
    let mut from = 0;
    while from < rows {
        let count = block_rows.min(rows - from);
        adjoint.fill(push.delta, first_row + from, count, push.dilation, push.border);
        let block = Block { maps, adjoint: &adjoint, first_row: first_row + from, rows: count };
        let gradients = &mut gradients[from * row_length..][..count * row_length];
        let whole = weights.len() - weights.len() % TOGETHER;
        for map in (0..whole).step_by(TOGETHER) {
            for pair in (map..map + TOGETHER).step_by(2) {
                block.weight_sums::<L, HALF, 2>(pair, &mut sums[9 * pair..]);
            }
        }
        for map in whole..weights.len() {
            block.weight_sums::<L, HALF, 1>(map, &mut sums[9 * map..]);
        }
        block.bias_sum(&mut sums[9 * weights.len()]);
        let wanted = push.first_wanted;
        let whole = wanted + (weights.len() - wanted) / TOGETHER * TOGETHER;
        for map in (wanted..whole).step_by(TOGETHER) {
            block.map_gradients::<L, WIDE, TOGETHER>(map, &weights[map..], gradients);
        }
        for map in whole..weights.len() {
            block.map_gradients::<L, WIDE, 1>(map, &weights[map..], gradients);
        }
        from += count;
    }
}

/// A few rows of the adjoint images, with the maps that meet them.
struct Block<'a> {
    maps: &'a Maps,
    adjoint: &'a Adjoint,
    first_row: usize,
    rows: usize,
}

impl Block<'_> {
    /// Adds to the lanes of the weight gradients of `M` maps from `map` on.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
    fn weight_sums<L: Lanes, const HALF: usize, const M: usize>(&self, map: usize, sums: &mut [[f32; LANES]]) {
        for ky in 0..3 {
            let mut lanes = [[[L::splat(0.0); HALF]; 3]; M];
            for m in 0..M {
                for kx in 0..3 {
                    for i in 0..HALF {
                        lanes[m][kx][i] = L::load(&sums[9 * m + 3 * ky + kx][i * L::N..]);
                    }
                }
            }
            for row in 0..self.rows {
                let images: [&[f32]; 3] = std::array::from_fn(|kx| self.adjoint.row(3 * ky + kx, row));
                let values: [&[f32]; M] = std::array::from_fn(|m| self.maps.row(self.first_row + row, map + m));
                for x in (0..images[0].len()).step_by(LANES) {
                    for i in 0..HALF {
                        let at = x + i * L::N;
                        let value: [L; M] = std::array::from_fn(|m| L::load(&values[m][at..]));
                        for kx in 0..3 {
                            let image = L::load(&images[kx][at..]);
                            for m in 0..M {
                                lanes[m][kx][i] = image.fma(value[m], lanes[m][kx][i]);
                            }
                        }
                    }
                }
            }
            for m in 0..M {
                for kx in 0..3 {
                    for i in 0..HALF {
                        lanes[m][kx][i].store(&mut sums[9 * m + 3 * ky + kx][i * L::N..]);
                    }
                }
            }
        }
    }

    /// Adds δ itself, which is the image of the centre tap.
    #[inline(always)]
    fn bias_sum(&self, sums: &mut [f32; LANES]) {
        for row in 0..self.rows {
            for chunk in self.adjoint.row(4, row).as_chunks::<LANES>().0 {
                for (sum, delta) in sums.iter_mut().zip(chunk) {
                    *sum += delta;
                }
            }
        }
    }

    /// Adds the nine taps to the gradients of `M` maps from `map` on.
    #[inline(always)]
    fn map_gradients<L: Lanes, const WIDE: usize, const M: usize>(
        &self,
        map: usize,
        weights: &[[f32; 9]],
        gradients: &mut [f32],
    ) {
        let width = self.maps.size.padded();
        for row in 0..self.rows {
            let rows = &mut gradients[(row * self.maps.channels + map) * width..][..M * width];
            let mut x = 0;
            while x + WIDE * L::N <= width {
                self.gradient_tile::<L, WIDE, M>(row, x, weights, rows);
                x += WIDE * L::N;
            }
            while x < width {
                self.gradient_tile::<L, 2, M>(row, x, weights, rows);
                x += 2 * L::N;
            }
        }
    }

    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
    fn gradient_tile<L: Lanes, const T: usize, const M: usize>(
        &self,
        row: usize,
        x: usize,
        weights: &[[f32; 9]],
        rows: &mut [f32],
    ) {
        let width = self.maps.size.padded();
        let mut sums = [[L::splat(0.0); T]; M];
        for m in 0..M {
            for i in 0..T {
                sums[m][i] = L::load(&rows[m * width + x + i * L::N..]);
            }
        }
        for tap in 0..9 {
            let image = &self.adjoint.row(tap, row)[x..x + T * L::N];
            let values: [L; T] = std::array::from_fn(|i| L::load(&image[i * L::N..]));
            for m in 0..M {
                let weight = L::splat(weights[m][tap]);
                for i in 0..T {
                    sums[m][i] = values[i].fma(weight, sums[m][i]);
                }
            }
        }
        for m in 0..M {
            for i in 0..T {
                sums[m][i].store(&mut rows[m * width + x + i * L::N..]);
            }
        }
    }
}
