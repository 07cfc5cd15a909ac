//! The adjoint of the reflected shift: which outputs read a given pixel through a given tap.
//!
//! Along one axis of `n` pixels, tap 0 of output `i` reads `i - d`, tap 2 reads `i + d`, reflected at the edges. So pixel
//! `q` is read through tap 0 by `q + d`, and near the edge also by the output whose reading was reflected onto it; tap 2
//! is the mirror image, tap 1 reads in place.

#![expect(unsafe_code, reason = "reads rows of maps that other threads use at the same time")]

use std::ops::Range;

use super::{
    buffer::Buffer,
    lanes::{Lanes, multiversion},
    maps::{MARGIN, Maps, Size, View},
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

/// Columns of a tile.
pub(super) const SPAN: usize = 64;
/// Tiles of a row that may be reached by a reflection: the first, and the last or, where that is short, the last two.
const EDGES: usize = 3;

/// A map's δ, complete: see [`finish_delta`].
#[derive(Clone, Copy)]
pub(super) struct Delta {
    pub(super) gradients: View,
    pub(super) channel: usize,
    /// What [`finish_delta`] wrote, and the number of the map there.
    pub(super) edges: View,
    pub(super) member: usize,
    pub(super) dilation: usize,
    pub(super) border: Border,
}

/// Returns the numbers of what both outer column taps see of a row in its edge tiles: `[column tap 0 or 2][x]`.
const fn record(size: Size) -> usize {
    let padded = size.padded();
    2 * if padded < EDGES * SPAN { padded } else { EDGES * SPAN }
}

/// Returns room for what the outer column taps see of each row of some maps' δ in its edge tiles: a slice of such records.
/// They are written once a row, and read by each of the rows that a row tap brings there, first for the maps of the group,
/// then for those before it.
pub(super) fn edges(size: Size, maps: usize) -> Maps {
    Maps::new(Size { rows: size.rows, columns: record(size) }, maps)
}

/// Where the nine adjoint images of a tile lie, `[row tap][column tap]`.
#[derive(Clone, Copy)]
pub(super) struct Taps([[*const f32; 3]; 3]);

impl Taps {
    /// Returns the image of a tap at column `x` of the tile.
    #[inline(always)]
    pub(super) const fn at(&self, tap: usize, x: usize) -> *const f32 {
        self.0[tap / 3][tap % 3].wrapping_add(x)
    }
}

/// The nine adjoint images of several maps' δ for a few rows. Most are δ itself, seen from elsewhere; only where a border
/// has reflected something they are written down.
pub(super) struct Adjoint {
    size: Size,
    tiles: usize,
    maps: usize,
    /// `[row][tile][map]`.
    taps: Vec<Taps>,
    /// For each map the first tile behind the inner ones, which begin with number 1; or 1.
    inner_ends: Vec<usize>,
    /// Rows onto which another was reflected, `[row][map][row tap]`, and their records.
    sums: Buffer,
    records: Buffer,
    zeros: Buffer,
}

/// What a row tap reads: a row's first pixel, and the row's record.
#[derive(Clone, Copy)]
struct Source {
    row: *const f32,
    record: *const f32,
}

impl Adjoint {
    /// Returns room for up to `rows` rows of `maps` maps.
    pub(super) fn new(size: Size, rows: usize, maps: usize) -> Self {
        let tiles = size.columns.div_ceil(SPAN);
        let nothing = Taps([[std::ptr::null(); 3]; 3]);
        let taps = vec![nothing; rows * tiles * maps];
        let sums = Buffer::any(rows * maps * 3 * length(size));
        Self {
            size,
            tiles,
            maps,
            taps,
            inner_ends: vec![1; maps],
            sums,
            records: Buffer::any(rows * maps * 3 * record(size)),
            zeros: Buffer::zeros(length(size).max(record(size))),
        }
    }

    /// Returns the images of all maps for a tile.
    #[inline(always)]
    pub(super) fn tile(&self, row: usize, tile: usize) -> &[Taps] {
        &self.taps[(row * self.tiles + tile) * self.maps..][..self.maps]
    }

    /// Returns the tiles of a map whose images lie side by side: the left edge, what is between, the right edge.
    #[inline(always)]
    pub(super) fn runs(&self, map: usize) -> [Range<usize>; 3] {
        match self.inner_ends[map] {
            1 => [0..self.tiles, 0..0, 0..0],
            end => [0..1, 1..end, end..self.tiles],
        }
    }

    /// As the function [`fill`].
    #[inline(always)]
    unsafe fn fill<L: Lanes>(&mut self, (row, map): (usize, usize), y: usize, delta: &Delta) {
        let nothing = Source { row: self.zeros.as_ptr().wrapping_add(MARGIN), record: self.zeros.as_ptr() };
        let mut sources = [nothing; 3];
        for (ky, source) in sources.iter_mut().enumerate() {
            match readers(y, ky, self.size.rows, delta.dilation, delta.border) {
                [Some(direct), Some(reflected)] => {
                    let place = (row * self.maps + map) * 3 + ky;
                    // SAFETY: the caller's promise.
                    *source = unsafe { self.sum::<L>(place, [direct, reflected], delta) };
                }
                [Some(y), None] | [None, Some(y)] => {
                    let Delta { gradients, channel, edges, member, .. } = *delta;
                    *source = Source { row: gradients.at(y, channel), record: edges.at(y, member) };
                }
                [None, None] => {}
            }
        }
        let inner_end = inner_end(self.size, delta.dilation);
        self.inner_ends[map] = inner_end;
        let half = record(self.size) / 2;
        for tile in 0..self.tiles {
            self.taps[(row * self.tiles + tile) * self.maps + map] = Taps(sources.map(|from| {
                let middle = from.row.wrapping_add(tile * SPAN);
                if tile > 0 && tile < inner_end {
                    [middle.wrapping_add(delta.dilation), middle, middle.wrapping_sub(delta.dilation)]
                } else {
                    let outer = from.record.wrapping_add(edge(tile, inner_end) * SPAN);
                    [outer, middle, outer.wrapping_add(half)]
                }
            }));
        }
    }

    /// Writes down, at a place, the sum of two rows of δ and its record.
    ///
    /// # Safety
    /// Nobody writes δ meanwhile.
    #[inline(always)]
    unsafe fn sum<L: Lanes>(&mut self, place: usize, rows: [usize; 2], delta: &Delta) -> Source {
        let sum = &mut self.sums[place * length(self.size)..][..length(self.size)];
        let rows = rows.map(|y| delta.gradients.at(y, delta.channel).cast_const());
        for x in (0..length(self.size)).step_by(L::N) {
            // SAFETY: two rows with their margins, and the caller's promise.
            let [a, b] = rows.map(|row| unsafe { L::read(row.wrapping_add(x).wrapping_sub(MARGIN)) });
            a.fma(L::splat(1.0), b).store(&mut sum[x..]);
        }
        let row = sum.as_ptr().wrapping_add(MARGIN);
        let images = &mut self.records[place * record(self.size)..][..record(self.size)];
        // From the two rows again: a row that was written a moment ago cannot be read at shifted places without waiting.
        // SAFETY: rows with their margins, zero beyond the last pixel; the caller's promise.
        unsafe { write_record::<L, 2>(self.size, rows, images, delta) };
        Source { row, record: images.as_ptr() }
    }
}

/// Returns the first tile behind the inner ones, which begin with number 1 and see no reflection; or 1.
const fn inner_end(size: Size, dilation: usize) -> usize {
    let end = size.columns.saturating_sub(dilation + 1) / SPAN;
    if end > 1 { end } else { 1 }
}

/// Returns which of the edge tiles a tile is.
const fn edge(tile: usize, inner_end: usize) -> usize {
    if tile == 0 { 0 } else { 1 + tile - inner_end }
}

/// Writes the record of a row of δ, or of the sum of two.
///
/// # Safety
/// The rows have margins of more than the dilation on both sides of their padded columns, zero beyond the last pixel.
#[inline(always)]
unsafe fn write_record<L: Lanes, const R: usize>(size: Size, rows: [*const f32; R], images: &mut [f32], delta: &Delta) {
    let inner_end = inner_end(size, delta.dilation);
    let (before, behind) = images.split_at_mut(record(size) / 2);
    for tile in std::iter::once(0).chain(inner_end..size.columns.div_ceil(SPAN)) {
        let at = edge(tile, inner_end) * SPAN;
        // SAFETY: the caller's promise.
        unsafe { shift::<L, R>(size, (rows, tile * SPAN), [&mut before[at..], &mut behind[at..]], delta) };
    }
}

/// Returns the numbers of a row with its margins.
const fn length(size: Size) -> usize {
    size.padded() + 2 * MARGIN
}

/// Writes the images of both outer column taps for the tile that begins at column `first`, from that row or the sum of two.
///
/// # Safety
/// As [`write_record`].
#[inline(always)]
unsafe fn shift<L: Lanes, const R: usize>(
    size: Size,
    (rows, first): ([*const f32; R], usize),
    images: [&mut [f32]; 2],
    delta: &Delta,
) {
    let (columns, d, repeated) = (size.columns, delta.dilation, delta.border.repeated());
    let end = (size.padded() - first).min(SPAN);
    // As `readers` has it: the pixels that a reflected reading hits, and where it came from.
    let reflections = [
        (1 - repeated..(d + 1 - repeated).min(columns), d - repeated),
        (columns + repeated - 1 - d..columns + repeated - 1, 2 * columns + repeated - 2 - d),
    ];
    for (side, (image, (hit, mirror))) in images.into_iter().zip(reflections).enumerate() {
        let image = &mut image[..end];
        for x in (0..end).step_by(L::N) {
            let at = |row: *const f32| row.wrapping_add(first + d + x).wrapping_sub(2 * side * d);
            // SAFETY: the caller's promise.
            let values = rows.map(|row| unsafe { L::read(at(row)) });
            let sum = if R == 2 { values[0].fma(L::splat(1.0), values[1]) } else { values[0] };
            sum.store(&mut image[x..]);
        }
        if side == 1 && first + end > columns {
            image[columns.saturating_sub(first)..].fill(0.0);
        }
        for q in hit.start.max(first)..hit.end.min(first + end) {
            // SAFETY: a pixel of each row.
            let values = rows.map(|row| unsafe { row.wrapping_add(mirror - q).read() });
            image[q - first] += if R == 2 { values[0] + values[1] } else { values[0] };
        }
    }
}

multiversion! {
    /// Finds the images of map number `at.1` for row `at.0` of the block, which is row `y` of the slice. They are valid as
    /// long as `images` and δ are not changed.
    ///
    /// # Safety
    /// Nobody writes δ meanwhile.
    pub(super) [unsafe] fn fill(images: &mut Adjoint, at: (usize, usize), y: usize, delta: &Delta) = fill_body
}

#[inline(always)]
unsafe fn fill_body<L: Lanes>(images: &mut Adjoint, at: (usize, usize), y: usize, delta: &Delta) {
    // SAFETY: the caller's promise.
    unsafe { images.fill::<L>(at, y, delta) };
}

multiversion! {
    /// Makes rows of a map's gradient its δ, which is the gradient where the map is positive, with zeros all around; and
    /// writes their records.
    ///
    /// # Safety
    /// Nobody else uses these rows of the gradients and their records meanwhile, and nobody writes the maps.
    pub(super) [unsafe] fn finish_delta(delta: &Delta, maps: View, rows: Range<usize>) = finish_delta_body
}

#[inline(always)]
unsafe fn finish_delta_body<L: Lanes>(delta: &Delta, maps: View, rows: Range<usize>) {
    let Size { columns, .. } = maps.size;
    for y in rows.clone() {
        // SAFETY: the caller's promise.
        let (row, values) = unsafe { (delta.gradients.row_with_margins(y, delta.channel), maps.row(y, delta.channel)) };
        row[..MARGIN].fill(0.0);
        row[MARGIN + columns..].fill(0.0);
        for (gradient, &value) in row[MARGIN..][..columns].iter_mut().zip(values) {
            *gradient = if value > 0.0 { *gradient } else { 0.0 };
        }
    }
    // When all rows are written: see `Adjoint::sum`.
    for y in rows {
        // SAFETY: the caller's promise; the row has its margins, now zero.
        unsafe {
            let images = delta.edges.row_mut(y, delta.member);
            write_record::<L, 1>(maps.size, [delta.gradients.at(y, delta.channel).cast_const()], images, delta);
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
