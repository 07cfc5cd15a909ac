//! Where the rows lie that the convolution of a tile reads: in the maps themselves, or in copies of a few maps.
//!
//! In the buffer of all maps the rows of a tile lie in hundreds of pages; looking these up took as long as the arithmetic.
//! So maps that are used for a whole group are copied to one place first; what is used once is read where it is.

#![expect(unsafe_code, reason = "reads rows of maps that other threads use at the same time")]

use std::ops::Range;

use super::{
    ahead::Ahead,
    buffer::Buffer,
    maps::{MARGIN, View},
};
use crate::model::border::Border;

/// A rectangle of pixels.
#[derive(Clone)]
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    /// Both ends are multiples of [`TILE`](super::maps::TILE).
    pub(super) columns: Range<usize>,
}

impl Tile {
    /// Returns the rows of the slice that stand for those from `reach` above the tile to `reach` below it.
    fn around(&self, reach: usize, rows: usize, border: Border) -> impl Iterator<Item = usize> {
        let reach = reach as isize;
        let all = self.rows.start as isize - reach..self.rows.end as isize + reach;
        all.map(move |y| border.source(y, rows))
    }
}

/// The rows of a tile and around it, of some maps that lie equally far from each other.
pub(super) struct Rows {
    /// The address of each row's first pixel in the first map, from row `-reach` on. Before and behind the tile's columns
    /// lie [`MARGIN`] more.
    starts: Vec<*const f32>,
    reach: usize,
    /// Numbers from a row of one map to that of the next.
    pub(super) map_step: usize,
    /// Rows of the tile.
    pub(super) rows: usize,
    /// Columns of the tile.
    pub(super) columns: usize,
}

impl Rows {
    /// Returns the rows of all maps from `first` on, where they are.
    pub(super) fn in_place(maps: View, first: usize, tile: &Tile, reach: usize, border: Border) -> Self {
        let start = |y| maps.at(y, first).wrapping_add(tile.columns.start).cast_const();
        let starts = tile.around(reach, maps.size.rows, border).map(start).collect();
        Self { starts, reach, map_step: maps.map_step(), rows: tile.rows.len(), columns: tile.columns.len() }
    }

    /// Returns the address of a row of the first map, counted from the tile's first.
    #[inline(always)]
    pub(super) fn start(&self, row: isize) -> *const f32 {
        self.starts[(row + self.reach as isize) as usize]
    }
}

/// Copies of a few maps around a tile: `[map][row][column]`.
pub(super) struct Window {
    data: Buffer,
    tile: Tile,
    border: Border,
    rows: Rows,
}

impl Window {
    /// Returns room for `maps` maps, and `reach` rows above and below the tile.
    pub(super) fn new(tile: &Tile, maps: usize, reach: usize, border: Border) -> Self {
        let (rows, columns) = (tile.rows.len(), tile.columns.len());
        // An odd number of cache lines, so that rows one dilation apart fall into different sets of the cache.
        let row_step = 16 * (((columns + 2 * MARGIN) / 16) | 1);
        let count = rows + 2 * reach;
        let data = Buffer::any(maps * count * row_step);
        let starts = (0..count).map(|row| data.as_ptr().wrapping_add(row * row_step + MARGIN)).collect();
        let rows = Rows { starts, reach, map_step: count * row_step, rows, columns };
        Self { data, tile: tile.clone(), border, rows }
    }

    /// Returns where the rows of the copies are.
    pub(super) const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Copies maps.
    ///
    /// # Safety
    /// Nobody writes these maps meanwhile.
    pub(super) unsafe fn fill(&mut self, maps: View, channels: Range<usize>) {
        let Self { data, tile, rows, .. } = self;
        let row_step = rows.map_step / rows.starts.len();
        let length = rows.columns + 2 * MARGIN;
        for (row, y) in tile.around(rows.reach, maps.size.rows, self.border).enumerate() {
            for (i, channel) in channels.clone().enumerate() {
                let from = maps.at(y, channel).wrapping_add(tile.columns.start).wrapping_sub(MARGIN);
                // SAFETY: a part of a row with its margins; the rest is the caller's promise.
                let from = unsafe { std::slice::from_raw_parts(from, length) };
                data[i * rows.map_step + row * row_step..][..length].copy_from_slice(from);
            }
        }
    }

    /// Asks for maps that are copied later, within so many steps.
    pub(super) fn ahead(&self, maps: View, channels: Range<usize>, steps: usize) -> Ahead {
        let Tile { rows, columns } = &self.tile;
        let reach = self.rows.reach;
        let rows = rows.start.saturating_sub(reach)..(rows.end + reach).min(maps.size.rows);
        let pieces = rows.flat_map(|y| channels.clone().map(move |channel| maps.at(y, channel)));
        let pieces = pieces.map(|row| row.wrapping_add(columns.start).wrapping_sub(MARGIN).cast_const());
        Ahead::new(pieces, columns.len() + 2 * MARGIN, steps)
    }
}
