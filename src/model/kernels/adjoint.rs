//! The adjoint of the reflected shift: which outputs read a given pixel through a given tap.
//!
//! Along one axis of `n` pixels, tap 0 of output `i` reads `i - d`, tap 2 reads `i + d`, reflected at the edges. So pixel
//! `q` is read through tap 0 by `q + d`, and near the edge also by the output whose reading was reflected onto it; tap 2
//! is the mirror image, tap 1 reads in place.

#![expect(unsafe_code, reason = "reads rows of maps that other threads use at the same time")]

use super::{
    buffer::Buffer,
    lanes::{Lanes, multiversion},
    maps::{MARGIN, Size, View},
};
use crate::model::border::Border;

/// Returns the one or two outputs along an axis of `n` that read pixel `q` through a tap, direct reading first.
fn readers(q: usize, tap: usize, n: usize, d: usize, border: Border) -> [Option<usize>; 2] {
    let repeated = border.repeated();
    match tap {
        0 => [Some(q + d).filter(|&i| i < n), (d - repeated.min(d)).checked_sub(q).filter(|&i| i < d)],
        1 => [Some(q), None],
        _ => [q.checked_sub(d), (2 * n + repeated - 2 - d).checked_sub(q).filter(|&i| i < n && i + d >= n)],
    }
}

/// Columns of a tile of images: nine images of so many columns lie side by side.
pub(super) const SPAN: usize = 64;

/// A map's δ: its gradient where the map is positive. It is made where it is read, and stands nowhere.
#[derive(Clone, Copy)]
pub(super) struct Delta {
    pub(super) maps: View,
    pub(super) gradients: View,
    pub(super) channel: usize,
    pub(super) dilation: usize,
    pub(super) border: Border,
}

multiversion! {
    /// Fills in the images of map number `at.1` for row `at.0` of the block, which is row `y` of the slice.
    ///
    /// # Safety
    /// Nobody writes the gradients of the map meanwhile.
    pub(super) [unsafe] fn fill(images: &mut Adjoint, at: (usize, usize), y: usize, delta: &Delta) = fill_body
}

#[inline(always)]
unsafe fn fill_body<L: Lanes>(images: &mut Adjoint, at: (usize, usize), y: usize, delta: &Delta) {
    // SAFETY: the caller's promise.
    unsafe { images.fill::<L>(at, y, delta) };
}

/// The nine adjoint images of several maps' δ for a few rows: `[row][tile of 64 columns][map][tap][64]`.
pub(super) struct Adjoint {
    size: Size,
    tiles: usize,
    maps: usize,
    data: Buffer,
    row_sum: Buffer,
}

impl Adjoint {
    /// Returns room for up to `rows` rows of `maps` maps.
    pub(super) fn new(size: Size, rows: usize, maps: usize) -> Self {
        let tiles = size.columns.div_ceil(SPAN);
        let data = Buffer::any(rows * tiles * maps * 9 * SPAN);
        Self { size, tiles, maps, data, row_sum: Buffer::zeros(tiles * SPAN + 2 * MARGIN) }
    }

    /// Returns the address of the images of map number `map` and those after it, `[map][tap][64]`.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, tile: usize, map: usize) -> *const f32 {
        debug_assert!(tile < self.tiles && map < self.maps);
        self.data.as_ptr().wrapping_add(((row * self.tiles + tile) * self.maps + map) * 9 * SPAN)
    }

    /// As the function [`fill`].
    #[inline(always)]
    unsafe fn fill<L: Lanes>(&mut self, (row, map): (usize, usize), y: usize, delta: &Delta) {
        let Size { rows, columns } = self.size;
        let Delta { maps, gradients, channel, dilation: d, border } = *delta;
        for ky in 0..3 {
            let [direct, reflected] = readers(y, ky, rows, d, border);
            let sum = &mut self.row_sum[MARGIN..][..columns];
            for (source, add) in [(direct.or(reflected), false), (direct.and(reflected), true)] {
                if let Some(y) = source {
                    // SAFETY: nobody writes maps in the backward pass; gradients are the caller's promise.
                    let (values, gradients) = unsafe { (maps.row(y, channel), gradients.row(y, channel)) };
                    for ((sum, &value), &gradient) in sum.iter_mut().zip(values).zip(gradients) {
                        let delta = if value > 0.0 { gradient } else { 0.0 };
                        *sum = if add { *sum + delta } else { delta };
                    }
                } else if !add {
                    sum.fill(0.0);
                }
            }
            self.shift::<L>((row, map), ky, d, border);
        }
    }

    /// Writes the three images of one row tap from the row in `row_sum`.
    #[inline(always)]
    fn shift<L: Lanes>(&mut self, (row, map): (usize, usize), ky: usize, d: usize, border: Border) {
        let columns = self.size.columns;
        let image = |tile: usize, kx: usize| ((row * self.tiles + tile) * self.maps + map) * 9 * SPAN + (3 * ky + kx) * SPAN;
        for tile in 0..self.tiles {
            for kx in 0..3 {
                let from = &self.row_sum[MARGIN + tile * SPAN + d - kx * d..][..SPAN];
                let to = &mut self.data[image(tile, kx)..][..SPAN];
                for x in (0..SPAN).step_by(L::N) {
                    L::load(&from[x..]).store(&mut to[x..]);
                }
            }
        }
        let place = |q: usize, kx: usize| image(q / SPAN, kx) + q % SPAN;
        for q in columns..(columns + d).min(self.tiles * SPAN) {
            self.data[place(q, 2)] = 0.0;
        }
        for (kx, near_edge) in [(0, 0..columns.min(d + 1)), (2, columns.saturating_sub(d + 1)..columns)] {
            for q in near_edge {
                if let Some(i) = readers(q, kx, columns, d, border)[1] {
                    self.data[place(q, kx)] += self.row_sum[MARGIN + i];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_exactly_those_who_read() {
        for border in [Border::Symmetric, Border::Reflect] {
            for n in 1..=9 {
                for d in 1..=border.reach(n) {
                    for tap in 0..3 {
                        for q in 0..n {
                            let reads = |i: usize| border.source((i + tap * d) as isize - d as isize, n) == q;
                            let truth: Vec<usize> = (0..n).filter(|&i| reads(i)).collect();
                            let mut found: Vec<usize> = readers(q, tap, n, d, border).into_iter().flatten().collect();
                            found.sort_unstable();
                            assert_eq!(found, truth, "{border:?} n {n} d {d} tap {tap} q {q}");
                        }
                    }
                }
            }
        }
    }
}
