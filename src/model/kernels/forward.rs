//! The forward pass: each map from all earlier ones, in place, without a copy of any.
//!
//! Output rows that lie one dilation apart share source rows, so up to four of them are computed together:
//!
//! ```text
//! source rows  y-d   y   y+d  y+2d y+3d y+4d        6 rows loaded
//! output rows         y   y+d  y+2d y+3d            4 x 9 taps used
//! ```

use rayon::prelude::*;

use super::{
    Simd, head,
    lanes::{Lanes, multiversion},
    maps::{Maps, Size},
    worth_splitting,
};
use crate::model::{border::Border, msdnet::Architecture};

/// Output rows computed together.
const GROUP: usize = 4;
/// Earlier maps added in one go: few enough that the hardware's prefetch follows their rows.
const CHANNELS_AT_ONCE: usize = 4;

/// One convolution of 3 x 3 taps with all maps before it.
struct Convolution<'a> {
    maps: &'a Maps,
    /// Nine taps for each earlier map.
    weights: &'a [[f32; 9]],
    bias: f32,
    dilation: usize,
    border: Border,
}

/// Returns all maps and the logits (`[class][y][x]`) of one slice, `image` being `[channel][y][x]`.
///
/// The caller has checked that the slice is large enough for the dilations ([`Architecture::check_size`]).
#[must_use]
pub fn forward(image: &[f32], size: Size, parameters: &[f32], net: &Architecture, simd: Simd) -> (Maps, Vec<f32>) {
    let mut maps = Maps::new(size, net.channels(), net.largest_dilation());
    for (channel, plane) in image.chunks_exact(size.pixels()).enumerate() {
        maps.set(channel, plane, size.columns, net.border);
    }
    let mut plane = vec![0.0; size.rows * size.padded()];
    for map in 0..net.maps() {
        let convolution = Convolution {
            maps: &maps,
            weights: parameters[net.weight_range(map)].as_chunks().0,
            bias: parameters[net.bias_range()][map],
            dilation: net.dilation(map / net.width),
            border: net.border,
        };
        convolve(&convolution, &mut plane, simd);
        maps.set(net.input_channels + map, &plane, size.padded(), net.border);
    }
    let logits = head::forward(&maps, parameters, net, simd);
    (maps, logits)
}

/// Writes the rectified result of a convolution to a plane, bands of rows in parallel where that pays.
fn convolve(convolution: &Convolution<'_>, plane: &mut [f32], simd: Simd) {
    let size = convolution.maps.size;
    let band_rows = GROUP * convolution.dilation;
    let bands = |(band, rows): (usize, &mut [f32])| convolve_band(simd, convolution, band * band_rows, rows);
    if worth_splitting(9 * convolution.weights.len() * size.pixels()) {
        plane.par_chunks_mut(band_rows * size.padded()).enumerate().for_each(bands);
    } else {
        plane.chunks_mut(band_rows * size.padded()).enumerate().for_each(bands);
    }
}

multiversion! {
    /// Computes the rows of a plane from `first_row` on.
    fn convolve_band(convolution: &Convolution<'_>, first_row: usize, rows: &mut [f32]) = band_body
}

#[inline(always)]
fn band_body<L: Lanes, const WIDE: usize, const HALF: usize>(
    convolution: &Convolution<'_>,
    first_row: usize,
    rows: &mut [f32],
) {
    let dilation = convolution.dilation;
    let count = rows.len() / convolution.maps.size.padded();
    for residue in 0..dilation.min(count) {
        let rows_from = (first_row, residue);
        match (count - residue).div_ceil(dilation) {
            4 => group::<L, WIDE, 4>(convolution, rows_from, rows),
            3 => group::<L, WIDE, 3>(convolution, rows_from, rows),
            2 => group::<L, WIDE, 2>(convolution, rows_from, rows),
            _ => group::<L, WIDE, 1>(convolution, rows_from, rows),
        }
    }
}

/// Computes `R` rows one dilation apart, from row `residue` of the band on.
#[inline(always)]
fn group<L: Lanes, const WIDE: usize, const R: usize>(
    convolution: &Convolution<'_>,
    (first_row, residue): (usize, usize),
    rows: &mut [f32],
) {
    let Convolution { maps, dilation, border, .. } = *convolution;
    let first = (first_row + residue) as isize - dilation as isize;
    let sources: [usize; GROUP + 2] =
        std::array::from_fn(
            |k| if k < R + 2 { border.source(first + (k * dilation) as isize, maps.size.rows) } else { 0 },
        );
    let width = maps.size.padded();
    for row in 0..R {
        rows[(residue + row * dilation) * width..][..width].fill(convolution.bias);
    }
    for from in (0..convolution.weights.len()).step_by(CHANNELS_AT_ONCE) {
        let mut x = 0;
        while x + WIDE * L::N <= width {
            tile::<L, WIDE, R>(convolution, &sources, from, x, &mut rows[residue * width..]);
            x += WIDE * L::N;
        }
        while x < width {
            tile::<L, 2, R>(convolution, &sources, from, x, &mut rows[residue * width..]);
            x += 2 * L::N;
        }
    }
    for row in 0..R {
        for value in &mut rows[(residue + row * dilation) * width..][..width] {
            *value = if *value > 0.0 { *value } else { 0.0 };
        }
    }
}

/// Adds a few maps to a tile of `R` rows and `T` vectors that stays in registers meanwhile.
#[inline(always)]
fn tile<L: Lanes, const T: usize, const R: usize>(
    convolution: &Convolution<'_>,
    sources: &[usize; GROUP + 2],
    from: usize,
    x: usize,
    rows: &mut [f32],
) {
    let Convolution { maps, weights, dilation, .. } = *convolution;
    let row_step = dilation * maps.size.padded();
    let mut sums = [[L::splat(0.0); T]; R];
    for row in 0..R {
        for i in 0..T {
            sums[row][i] = L::load(&rows[row * row_step + x + i * L::N..]);
        }
    }
    let until = weights.len().min(from + CHANNELS_AT_ONCE);
    for (channel, taps) in weights[from..until].iter().enumerate() {
        for k in 0..R + 2 {
            let source = maps.row_with_border(sources[k], from + channel);
            for kx in 0..3 {
                let shifted = &source[x + maps.margin + kx * dilation - dilation..][..T * L::N];
                let values: [L; T] = std::array::from_fn(|i| L::load(&shifted[i * L::N..]));
                for row in 0..R {
                    // Source row k is tap ky = k - row of output row `row`: taps come in ascending order for each.
                    if k >= row && k - row < 3 {
                        let weight = L::splat(taps[3 * (k - row) + kx]);
                        for i in 0..T {
                            sums[row][i] = values[i].fma(weight, sums[row][i]);
                        }
                    }
                }
            }
        }
    }
    for row in 0..R {
        for i in 0..T {
            sums[row][i].store(&mut rows[row * row_step + x + i * L::N..]);
        }
    }
}
