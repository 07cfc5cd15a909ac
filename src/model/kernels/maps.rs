//! The one buffer that holds all maps of a slice, rows outermost, each row with its reflected border beside it.
//!
//! ```text
//! data[y][c][ margin | columns, up to a multiple of 32 | margin ]
//! ```
//! With the border in place a tap is a shifted view of a row; above and below, the row itself is chosen by reflection. Rows
//! outermost put the same row of all maps side by side, which is what every loop reads.

#![expect(unsafe_code, reason = "threads write different rows or maps of one buffer")]

use super::{
    buffer::Buffer,
    lanes::{Lanes, multiversion},
};
use crate::model::border::Border;

/// Rows are padded to a multiple of this, so that a register tile never straddles their end.
pub(super) const TILE: usize = 32;
/// Columns beside a row: a cache line, and more than the largest dilation.
pub(super) const MARGIN: usize = 16;

/// Size of a slice in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
}

impl Size {
    /// Returns the number of pixels.
    #[must_use]
    pub const fn pixels(self) -> usize {
        self.rows * self.columns
    }

    /// Returns the columns rounded up to whole tiles: the length of a row in planes.
    pub(super) const fn padded(self) -> usize {
        self.columns.next_multiple_of(TILE)
    }
}

/// All maps of one slice: the input channels, then those of each layer. Also the gradients of all maps.
#[derive(Clone, Debug)]
pub struct Maps {
    pub(super) size: Size,
    pub(super) channels: usize,
    data: Buffer,
}

impl Maps {
    /// Returns maps with any content.
    pub(super) fn new(size: Size, channels: usize) -> Self {
        Self { size, channels, data: Buffer::any(size.rows * row_step(size, channels)) }
    }

    /// Returns where everything lies, for loops whose threads write different parts.
    pub(super) fn view(&self) -> View {
        let Self { size, channels, ref data } = *self;
        View { size, channels, row_step: row_step(size, channels), data: data.as_ptr().cast_mut() }
    }

    /// As [`Self::view`], for maps that are written.
    pub(super) fn view_mut(&mut self) -> View {
        View { data: self.data.as_mut_ptr(), ..self.view() }
    }

    /// Returns a row of a map, up to whole tiles; what lies beyond the last column is finite.
    #[inline(always)]
    pub(super) fn row(&self, y: usize, channel: usize) -> &[f32] {
        let start = y * row_step(self.size, self.channels) + channel * map_step(self.size) + MARGIN;
        &self.data[start..][..self.size.padded()]
    }

    /// Sets a map from a plane, and reflects its border.
    pub(super) fn set(&mut self, channel: usize, plane: &[f32], border: Border) {
        let size = self.size;
        let (row_step, map_step) = (row_step(size, self.channels), map_step(size));
        for (y, values) in plane.chunks_exact(size.columns).enumerate() {
            let row = &mut self.data[y * row_step + channel * map_step..][..map_step];
            row[MARGIN..][..size.columns].copy_from_slice(values);
            add_border(row, size, border);
        }
    }

    /// Returns the pixels of a map without its border, row by row.
    #[must_use]
    pub fn plane(&self, channel: usize) -> Vec<f32> {
        (0..self.size.rows).flat_map(|y| self.row(y, channel)[..self.size.columns].iter().copied()).collect()
    }
}

/// Returns the numbers from a row of one map to that of the next.
const fn map_step(size: Size) -> usize {
    size.padded() + 2 * MARGIN
}

/// Returns the numbers from one row to the next: an odd number of cache lines, so that the same place in different rows
/// falls into different sets of the cache.
const fn row_step(size: Size, channels: usize) -> usize {
    16 * ((channels * map_step(size) / 16) | 1)
}

/// Sets everything beside the columns of a row that begins with its margin.
#[inline(always)]
pub(super) fn add_border(row: &mut [f32], size: Size, border: Border) {
    let columns = size.columns;
    row[..MARGIN].fill(0.0);
    row[MARGIN + columns..].fill(0.0);
    let reach = border.reach(columns);
    let (left, pixels) = row.split_at_mut(MARGIN);
    let (pixels, right) = pixels.split_at_mut(columns);
    let (first, last) = (&pixels[columns - reach..], &pixels[..reach]);
    // Nearly always a whole margin: then the length is known when this is compiled.
    if let (Some(left), Some(right)) = (left.first_chunk_mut::<MARGIN>(), right.first_chunk_mut::<MARGIN>())
        && let (Some(first), Some(last)) = (first.first_chunk::<MARGIN>(), last.last_chunk::<MARGIN>())
    {
        *left = std::array::from_fn(|i| first[MARGIN - 1 - i]);
        *right = std::array::from_fn(|i| last[MARGIN - 1 - i]);
        return;
    }
    left.iter_mut().rev().zip(first).for_each(|(beyond, &value)| *beyond = value);
    right[..MARGIN].iter_mut().zip(last.iter().rev()).for_each(|(beyond, &value)| *beyond = value);
}

/// Where the rows of some [`Maps`] lie: an address that several threads use at once.
///
/// Its users keep to this: in one parallel loop a map's row is either read, or written by one thread; and the maps outlive
/// the loop.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) size: Size,
    pub(super) channels: usize,
    /// Numbers from one row to the next.
    pub(super) row_step: usize,
    data: *mut f32,
}

// SAFETY: an address; using it is unsafe, and bound to the rule above.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Returns the numbers from a row of one map to that of the next.
    #[inline(always)]
    pub(super) const fn map_step(&self) -> usize {
        map_step(self.size)
    }

    /// Returns the address of the first pixel of a row. Sixteen numbers lie before it and behind its padded end.
    #[inline(always)]
    pub(super) const fn at(&self, y: usize, channel: usize) -> *mut f32 {
        debug_assert!(y < self.size.rows && channel < self.channels);
        self.data.wrapping_add(y * self.row_step + channel * self.map_step() + MARGIN)
    }

    /// Returns a row, up to whole tiles.
    ///
    /// # Safety
    /// Nobody writes the row meanwhile, and the maps outlive the result.
    #[inline(always)]
    pub(super) unsafe fn row<'a>(&self, y: usize, channel: usize) -> &'a [f32] {
        // SAFETY: `at` is inside the buffer with `padded` numbers from there on; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.at(y, channel), self.size.padded()) }
    }

    /// Returns a row to be written, up to whole tiles.
    ///
    /// # Safety
    /// Nobody else uses the row meanwhile, and the maps outlive the result.
    #[inline(always)]
    pub(super) unsafe fn row_mut<'a>(&self, y: usize, channel: usize) -> &'a mut [f32] {
        // SAFETY: as in `row`.
        unsafe { std::slice::from_raw_parts_mut(self.at(y, channel), self.size.padded()) }
    }

    /// Returns a row to be written, with both margins.
    ///
    /// # Safety
    /// As [`Self::row_mut`].
    #[inline(always)]
    pub(super) unsafe fn row_with_margins<'a>(&self, y: usize, channel: usize) -> &'a mut [f32] {
        // SAFETY: a row with both margins is `map_step` numbers of the buffer; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(y, channel).wrapping_sub(MARGIN), self.map_step()) }
    }
}

multiversion! {
    /// Rectifies a row of a map and sets its border.
    ///
    /// # Safety
    /// Nobody else uses the row meanwhile.
    pub(super) [unsafe] fn finish_row(maps: View, y: usize, channel: usize, border: Border) = finish_row_body
}

#[inline(always)]
unsafe fn finish_row_body<L: Lanes>(maps: View, y: usize, channel: usize, border: Border) {
    // SAFETY: the caller's promise.
    let row = unsafe { maps.row_with_margins(y, channel) };
    for value in &mut row[MARGIN..][..maps.size.columns] {
        *value = if *value > 0.0 { *value } else { 0.0 };
    }
    add_border(row, maps.size, border);
}

/// Returns a plane with rows up to whole tiles, zero beyond the last column.
pub(super) fn padded_plane(plane: &[f32], size: Size) -> Vec<f32> {
    let mut padded = vec![0.0; size.rows * size.padded()];
    for (to, from) in padded.chunks_exact_mut(size.padded()).zip(plane.chunks_exact(size.columns)) {
        to[..size.columns].copy_from_slice(from);
    }
    padded
}
