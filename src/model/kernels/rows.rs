//! Where the rows lie that a convolution reads: a few rows of the slice and those that its taps reach, reflected at the
//! edges.
//!
//! They are read where they are. Copies of a few maps and of a part of the columns at a time, which fit the second-level
//! cache, took a quarter of the time for small slices and gained nothing for large ones: in large pages, rows of many maps
//! are as easily found as copies, and whole rows are fetched ahead by the processor.

use std::ops::Range;

use super::maps::View;
use crate::model::border::Border;

/// Some rows of a slice, and those around them, of maps from one on.
pub(super) struct Rows {
    /// The address of each row's first pixel in the first map, from row `-reach` on. Before and behind the columns lie
    /// the margins.
    starts: Vec<*const f32>,
    reach: usize,
    /// Numbers from a row of one map to that of the next.
    pub(super) map_step: usize,
    /// Number of rows without those around them.
    pub(super) count: usize,
    /// Columns, up to whole tiles.
    pub(super) columns: usize,
}

impl Rows {
    /// Returns these rows and so many above and below, of all maps from `first` on.
    pub(super) fn new(maps: View, first: usize, rows: Range<usize>, reach: usize, border: Border) -> Self {
        let signed = reach as isize;
        let all = rows.start as isize - signed..rows.end as isize + signed;
        let start = |y| maps.at(border.source(y, maps.size.rows), first).cast_const();
        let columns = maps.size.padded();
        Self { starts: all.map(start).collect(), reach, map_step: maps.map_step(), count: rows.len(), columns }
    }

    /// Returns the address of a row of the first map, counted from the first row.
    #[inline(always)]
    pub(super) fn start(&self, row: isize) -> *const f32 {
        self.starts[(row + self.reach as isize) as usize]
    }
}
