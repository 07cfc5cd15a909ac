//! The one buffer that holds all maps of a slice, rows outermost, each row with its reflected border beside it.
//!
//! ```text
//! data[y][c][ margin | columns, up to a multiple of 32 | margin ]
//! ```
//! With the border in place a tap is a shifted view of a row; above and below, the row itself is chosen by reflection. Rows
//! outermost make a band of rows one contiguous piece, so threads share nothing that is written.

use crate::model::border::Border;

/// Rows are padded to a multiple of this, so that a register tile never straddles their end.
pub(super) const TILE: usize = 32;

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

/// All maps of one slice: the input channels, then those of each layer.
#[derive(Clone, Debug)]
pub struct Maps {
    pub(super) size: Size,
    pub(super) channels: usize,
    pub(super) margin: usize,
    stride: usize,
    pub(super) data: Vec<f32>,
}

impl Maps {
    /// Returns zero maps whose rows have a border of `margin` columns on either side.
    pub(super) fn new(size: Size, channels: usize, margin: usize) -> Self {
        let stride = size.padded() + 2 * margin;
        Self { size, channels, margin, stride, data: vec![0.0; size.rows * channels * stride] }
    }

    /// Returns a row of a map from `margin` columns before its first pixel.
    #[inline(always)]
    pub(super) fn row_with_border(&self, y: usize, channel: usize) -> &[f32] {
        &self.data[(y * self.channels + channel) * self.stride..][..self.stride]
    }

    /// Returns a row of a map, up to whole tiles; what lies beyond the last column is finite.
    #[inline(always)]
    pub(super) fn row(&self, y: usize, channel: usize) -> &[f32] {
        &self.row_with_border(y, channel)[self.margin..self.margin + self.size.padded()]
    }

    /// Sets a map from a plane whose rows are `stride` long, and reflects its border.
    pub(super) fn set(&mut self, channel: usize, plane: &[f32], stride: usize, border: Border) {
        let (size, margin, row_stride) = (self.size, self.margin, self.stride);
        for (y, rows) in self.data.chunks_exact_mut(self.channels * row_stride).enumerate() {
            let row = &mut rows[channel * row_stride..][..row_stride];
            row[margin..margin + size.columns].copy_from_slice(&plane[y * stride..][..size.columns]);
            for out in 0..margin.min(border.reach(size.columns)) {
                let (left, right) = (-1 - out as isize, (size.columns + out) as isize);
                row[margin - 1 - out] = row[margin + border.source(left, size.columns)];
                row[margin + size.columns + out] = row[margin + border.source(right, size.columns)];
            }
        }
    }

    /// Returns the pixels of a map without its border, row by row.
    #[must_use]
    pub fn plane(&self, channel: usize) -> Vec<f32> {
        (0..self.size.rows).flat_map(|y| self.row(y, channel)[..self.size.columns].iter().copied()).collect()
    }
}

/// Returns a plane with rows up to whole tiles, zero beyond the last column.
pub(super) fn padded_plane(plane: &[f32], size: Size) -> Vec<f32> {
    let mut padded = vec![0.0; size.rows * size.padded()];
    for (to, from) in padded.chunks_exact_mut(size.padded()).zip(plane.chunks_exact(size.columns)) {
        to[..size.columns].copy_from_slice(from);
    }
    padded
}
