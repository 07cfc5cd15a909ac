//! A block of the forward pass: some complete maps, added to the partial sums of others.

#![expect(unsafe_code, reason = "threads write different rows of the maps")]

use std::ops::Range;

use super::{
    Simd,
    convolve::{Team, add},
    maps::View,
    pieces::for_pieces,
    rows::Rows,
    tile::MOST,
};
use crate::model::{dilations::Preset, msdnet::Architecture};

/// Earlier maps added in one go: more save reading and writing sums, fewer stay in a cache.
const AT_ONCE: usize = 13;
/// Rows whose sums are completed in one go, at most: the more the fewer rows around them are read again, and the better they
/// can be taken by twos and fours whatever the dilation.
const AT_ONCE_ROWS: usize = 20;

/// Maps that are added to the partial sums of others.
pub(super) struct Block<'a> {
    pub(super) maps: View,
    pub(super) net: &'a Architecture,
    pub(super) parameters: &'a [f32],
    /// Consecutive maps, which are complete.
    pub(super) from: Range<usize>,
    /// Layers whose sums have all maps before `from`. They stand in the maps themselves.
    pub(super) to: Range<usize>,
}

impl Block<'_> {
    /// Adds the maps `from` to the layers `to`.
    pub(super) fn add(&self, simd: Simd) {
        let size = self.maps.size;
        let work = 9 * self.from.len() * self.net.width * self.to.len() * size.pixels();
        let teams = self.teams();
        let together = self.from.len().div_ceil(self.from.len().div_ceil(AT_ONCE));
        for_pieces(size.rows, AT_ONCE_ROWS, work, |rows| {
            for first in self.from.clone().step_by(together) {
                let some = first..self.from.end.min(first + together);
                // SAFETY: these rows of the sums belong to this call alone; the maps `from` are complete, and nobody writes them.
                unsafe { self.add_to_rows(&teams, some, rows.clone(), simd) };
            }
        });
    }

    /// Adds some of the maps `from` to some rows of the sums.
    ///
    /// # Safety
    /// Nobody else uses these rows of the sums meanwhile. The rows of the maps that the taps reach are complete, and nobody
    /// writes them.
    pub(super) unsafe fn add_to_rows(&self, teams: &[Team], some: Range<usize>, rows: Range<usize>, simd: Simd) {
        let reach = teams.iter().map(|team| team.dilation).max().unwrap_or(0);
        let sources = Rows::new(self.maps, some.start, rows.clone(), reach, self.net.border);
        // The sums of the first of all maps begin with their biases.
        let begin = some.start == 0;
        let some = some.start - self.from.start..some.end - self.from.start;
        for team in teams {
            // SAFETY: the caller's promise.
            unsafe { add(simd, team, &sources, some.clone(), (self.maps, rows.start), begin) };
        }
    }

    /// Returns the maps of the layers `to` in teams with the same dilation.
    pub(super) fn teams(&self) -> Vec<Team> {
        let net = self.net;
        let layers = self.to.start..self.to.end.min(self.to.start + Preset::PERIOD);
        layers
            .flat_map(|layer| self.teams_of((layer..self.to.end).step_by(Preset::PERIOD), net.dilation(layer)))
            .collect()
    }

    /// Returns teams, as equal as possible, of all maps of some layers with the same dilation.
    fn teams_of(&self, layers: impl Iterator<Item = usize>, dilation: usize) -> Vec<Team> {
        let net = self.net;
        let maps: Vec<usize> = layers.flat_map(|layer| layer * net.width..(layer + 1) * net.width).collect();
        let together = maps.len().div_ceil(maps.len().div_ceil(MOST));
        let biases = &self.parameters[net.bias_range()];
        let weights = |map| &self.parameters[net.weight_range(map)].as_chunks().0[self.from.clone()];
        let member = |&map: &usize| (net.input_channels + map, biases[map], weights(map));
        maps.chunks(together).map(|maps| Team::new(dilation, &maps.iter().map(member).collect::<Vec<_>>())).collect()
    }
}
