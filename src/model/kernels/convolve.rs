//! The inner loop of the forward pass: a few maps, convolved with 3 x 3 taps, are added to rows of partial sums.
//!
//! Output rows that lie one dilation apart share source rows, so up to four of them are computed together:
//!
//! ```text
//! source rows  y-d   y   y+d  y+2d y+3d y+4d        6 rows loaded
//! output rows         y   y+d  y+2d y+3d            4 x 9 taps used
//! ```
//! With four rows of four vectors a multiply-add needs half a load, 0.9 when a load across two cache lines counts twice;
//! sixteen sums, nine weights and the sources fill the registers of AVX-512.

#![expect(unsafe_code, reason = "addresses in place of slices: bounds are checked once a tile, not once a load")]

use std::{hint::black_box, ops::Range};

use super::{
    ahead::Ahead,
    lanes::{Lanes, multiversion},
    maps::View,
};
use crate::model::border::Border;

/// Output rows computed together, at most.
const ROWS: usize = 4;

/// Maps that are added, with the nine taps of each.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) maps: View,
    /// The map of the first taps.
    pub(super) first: usize,
    pub(super) weights: &'a [[f32; 9]],
    pub(super) dilation: usize,
    pub(super) border: Border,
}

/// Partial sums of a rectangle of pixels.
pub(super) struct Sums {
    /// The sum of the first pixel.
    pub(super) data: *mut f32,
    /// Numbers from one row to the next.
    pub(super) step: usize,
    pub(super) rows: Range<usize>,
    /// Multiples of [`TILE`](super::maps::TILE).
    pub(super) columns: Range<usize>,
}

multiversion! {
    /// Adds the sources to the sums, and meanwhile looks ahead, a step for every few rows.
    ///
    /// # Safety
    /// `sums.data` holds the rectangle; nobody else uses it, and nobody writes the sources, meanwhile.
    pub(super) [unsafe] fn add(sources: &Sources<'_>, sums: &Sums, ahead: &mut Ahead) = add_body
}

#[inline(always)]
unsafe fn add_body<L: Lanes>(sources: &Sources<'_>, sums: &Sums, ahead: &mut Ahead) {
    let d = sources.dilation;
    for residue in 0..d.min(sums.rows.len()) {
        let mut left = (sums.rows.len() - residue).div_ceil(d);
        let mut row = residue;
        // As equal groups as possible: a group of few rows has too few sums for the processor to work on.
        while left > 0 {
            let count = left.div_ceil(left.div_ceil(ROWS));
            // SAFETY: rows `row`, `row + d` .. of the rectangle, and the caller's promise.
            unsafe {
                match count {
                    4 => group::<L, 4>(sources, sums, row),
                    3 => group::<L, 3>(sources, sums, row),
                    2 => group::<L, 2>(sources, sums, row),
                    _ => group::<L, 1>(sources, sums, row),
                }
            }
            ahead.step();
            row += count * d;
            left -= count;
        }
    }
}

/// Adds the sources to `R` rows that lie one dilation apart.
///
/// # Safety
/// As [`add`]; the rows are in the rectangle.
#[inline(always)]
unsafe fn group<L: Lanes, const R: usize>(sources: &Sources<'_>, sums: &Sums, row: usize) {
    let Sources { maps, first, dilation: d, border, .. } = *sources;
    let mut rows = [maps.at(0, first).cast_const(); ROWS + 2];
    for (k, source) in rows.iter_mut().enumerate().take(R + 2) {
        let y = (sums.rows.start + row + k * d) as isize - d as isize;
        *source = maps.at(border.source(y, maps.size.rows), first).wrapping_add(sums.columns.start);
    }
    let out = sums.data.wrapping_add(row * sums.step);
    let (step, columns) = (d * sums.step, sums.columns.len());
    let wide = if L::N == 16 { columns / (4 * L::N) * (4 * L::N) } else { 0 };
    // SAFETY: the vectors from column x on are in the rectangle, and sources reach `d` < 16 columns beyond it, which is
    // within the margins.
    unsafe {
        for x in (0..wide).step_by(4 * L::N) {
            tile::<L, R, 4>(sources, &rows, x, out.wrapping_add(x), step);
        }
        for x in (wide..columns).step_by(2 * L::N) {
            tile::<L, R, 2>(sources, &rows, x, out.wrapping_add(x), step);
        }
    }
}

/// Adds the sources to a tile of `R` rows and `T` vectors, which stays in registers meanwhile.
///
/// # Safety
/// As [`add`]; `out` is the tile's first sum, `rows` are its source rows.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
unsafe fn tile<L: Lanes, const R: usize, const T: usize>(
    sources: &Sources<'_>,
    rows: &[*const f32; ROWS + 2],
    x: usize,
    out: *mut f32,
    out_step: usize,
) {
    let (d, map_step) = (sources.dilation, sources.maps.map_step());
    let mut sums = [[L::splat(0.0); T]; R];
    for row in 0..R {
        for i in 0..T {
            // SAFETY: the caller's promise, here and below.
            sums[row][i] = unsafe { L::read(out.wrapping_add(row * out_step + i * L::N)) };
        }
    }
    let mut at = x;
    for taps in sources.weights {
        let weights: [L; 9] = std::array::from_fn(|tap| L::splat(taps[tap]));
        // Hidden from the compiler, which would otherwise keep thirty addresses in place of ten rows and one offset.
        at = black_box(at);
        for k in 0..R + 2 {
            // Never true, which the compiler cannot know: so it does not load ahead over this place until registers run out.
            if at == usize::MAX - k {
                break;
            }
            for kx in 0..3 {
                let from = rows[k].wrapping_add(at + kx * d).wrapping_sub(d);
                // SAFETY: as above.
                let values: [L; T] = std::array::from_fn(|i| unsafe { L::read(from.wrapping_add(i * L::N)) });
                for row in 0..R {
                    // Source row k is tap ky = k - row of output row `row`: taps come in ascending order for each.
                    if k >= row && k - row < 3 {
                        for i in 0..T {
                            sums[row][i] = values[i].fma(weights[3 * (k - row) + kx], sums[row][i]);
                        }
                    }
                }
            }
        }
        at += map_step;
    }
    for row in 0..R {
        for i in 0..T {
            // SAFETY: as above.
            unsafe { sums[row][i].write(out.wrapping_add(row * out_step + i * L::N)) };
        }
    }
}
