//! The forward pass: each map from all earlier ones, in place, without a copy of any.
//!
//! Layers are taken in groups. First all maps before the group are added to all of the group's maps, tile by tile of the
//! slice and a few maps at a time, so that sums and copied sources stay in the second-level cache. The group's own maps
//! follow: the first half of its layers, these added to the second half in the same way, the second half; and where layers
//! are few, one after the other. Every sum still takes the maps in ascending order.

#![expect(unsafe_code, reason = "threads write different parts of the maps")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Simd,
    ahead::Ahead,
    buffer::Buffer,
    convolve::{Sources, Sums, add},
    head::Logits,
    maps::{self, Maps, Size, View},
    window::{Rows, Tile, Window},
    worth_splitting,
};
use crate::model::{dilations::Preset, msdnet::Architecture};

/// Maps of a group, unless a layer has more.
const GROUP: usize = 40;
/// Layers that follow one after the other, at most.
const AT_A_TIME: usize = 10;
/// Earlier maps added in one go.
const AT_ONCE: usize = 4;
/// Rows of a tile, at most.
const TILE_ROWS: usize = 24;
/// Columns of a tile, at most.
const TILE_COLUMNS: usize = 128;

/// Maps that are added to the partial sums of others.
struct Block<'a> {
    maps: View,
    net: &'a Architecture,
    parameters: &'a [f32],
    /// Consecutive maps, which are complete.
    from: Range<usize>,
    /// Layers whose sums have all maps before `from`.
    to: Range<usize>,
}

/// Returns all maps and the logits (`[class][y][x]`) of one slice, `image` being `[channel][y][x]`.
///
/// The caller has checked that the slice is large enough for the dilations ([`Architecture::check_size`]).
#[must_use]
pub fn forward(image: &[f32], size: Size, parameters: &[f32], net: &Architecture, simd: Simd) -> (Maps, Vec<f32>) {
    let mut maps = Maps::new(size, net.channels());
    for (channel, plane) in image.chunks_exact(size.pixels()).enumerate() {
        maps.set(channel, plane, net.border);
    }
    let mut logits = Logits::new(size, parameters, net);
    logits.add(&maps, 0..net.input_channels, simd);
    for layers in groups(net, GROUP) {
        let channels = net.inputs(layers.start)..net.inputs(layers.end);
        let block = Block { maps: maps.view_mut(), net, parameters, from: 0..channels.start, to: layers };
        add_block(&block, simd);
        add_inside(&block, simd);
        logits.add(&maps, channels, simd);
    }
    (maps, logits.finish())
}

/// Returns the layers of each group of so many maps, in order.
pub(super) fn groups(net: &Architecture, maps: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    let together = (maps / net.width).max(1);
    let depth = net.depth;
    (0..depth.div_ceil(together)).map(move |group| group * together..depth.min((group + 1) * together))
}

/// Calls `f` with the ranges into which `n` rows are cut: at most `most` long, equally many for every thread.
pub(super) fn for_pieces(n: usize, most: usize, work: usize, f: impl Fn(Range<usize>) + Sync) {
    let threads = if worth_splitting(work) { rayon::current_num_threads() } else { 1 };
    let length = n.div_ceil(threads * n.div_ceil(threads * most)).max(1);
    let piece = |i: usize| f(i * length..n.min((i + 1) * length));
    let pieces = n.div_ceil(length);
    if threads > 1 { (0..pieces).into_par_iter().for_each(piece) } else { (0..pieces).for_each(piece) }
}

/// Adds to the layers `to` what they give each other, and completes them.
fn add_inside(block: &Block<'_>, simd: Simd) {
    let Block { net, ref to, .. } = *block;
    if to.len() <= AT_A_TIME {
        for layer in to.clone() {
            finish_layer(
                &Block { from: net.inputs(to.start)..net.inputs(layer), to: layer..layer + 1, ..*block },
                simd,
            );
        }
        return;
    }
    let middle = to.start + to.len().div_ceil(2);
    add_inside(&Block { from: 0..0, to: to.start..middle, ..*block }, simd);
    let half = Block { from: net.inputs(to.start)..net.inputs(middle), to: middle..to.end, ..*block };
    add_block(&half, simd);
    add_inside(&half, simd);
}

/// Adds the maps `from` to the layers `to`.
fn add_block(block: &Block<'_>, simd: Simd) {
    let Size { rows, columns } = block.maps.size;
    let columns = columns.next_multiple_of(maps::TILE);
    let work = 9 * block.from.len() * block.net.width * block.to.len() * rows * columns;
    for_pieces(rows, TILE_ROWS, work, |rows| {
        for x in (0..columns).step_by(TILE_COLUMNS) {
            add_to_tile(block, &Tile { rows: rows.clone(), columns: x..columns.min(x + TILE_COLUMNS) }, simd);
        }
    });
}

/// Handles one tile of [`add_block`].
fn add_to_tile(block: &Block<'_>, tile: &Tile, simd: Simd) {
    let Block { maps, net, parameters, ref from, ref to } = *block;
    let members = to.start * net.width..to.end * net.width;
    let (rows, columns) = (tile.rows.len(), tile.columns.len());
    // An odd number of cache lines, so that rows one dilation apart fall into different sets of the cache.
    let step = columns + 16;
    let mut data = Buffer::any(members.len() * rows * step);
    for (map, sums) in members.clone().zip(data.chunks_exact_mut(rows * step)) {
        start_sums(block, map, tile, sums);
    }
    let reach = to.clone().map(|layer| net.dilation(layer)).max().unwrap_or(0);
    let mut window = Window::new(tile, AT_ONCE.min(from.len()), reach, net.border);
    for first in from.clone().step_by(AT_ONCE) {
        let [end, next] = [1, 2].map(|i| from.end.min(first + i * AT_ONCE));
        // SAFETY: these maps are complete, and nobody writes them now.
        unsafe { window.fill(maps, first..end) };
        let mut ahead = window.ahead(maps, end..next, members.len() * rows);
        for layer in to.start..to.end.min(to.start + Preset::PERIOD) {
            let alike =
                (layer..to.end).step_by(Preset::PERIOD).flat_map(|layer| layer * net.width..(layer + 1) * net.width);
            let sums: Vec<_> = alike
                .map(|map| Sums {
                    data: data.as_mut_ptr().wrapping_add((map - members.start) * rows * step),
                    weights: &parameters[net.weight_range(map)].as_chunks().0[first..end],
                })
                .collect();
            // SAFETY: the sums are this call's own; the weights are those of the window's maps.
            unsafe {
                add(simd, Sources { rows: window.rows(), dilation: net.dilation(layer) }, &sums, step, &mut ahead)
            };
        }
    }
    for (map, sums) in members.clone().zip(data.chunks_exact(rows * step)) {
        keep_sums(block, map, tile, sums);
    }
}

/// Sets the sums of a tile to the bias, or to what they were before.
fn start_sums(block: &Block<'_>, map: usize, tile: &Tile, sums: &mut [f32]) {
    let Block { maps, net, parameters, .. } = *block;
    if block.from.start == 0 {
        sums.fill(parameters[net.bias_range()][map]);
        return;
    }
    for (y, sums) in tile.rows.clone().zip(sums.chunks_exact_mut(tile.columns.len() + 16)) {
        // SAFETY: these pixels belong to this tile alone.
        let row = unsafe { maps.row(y, net.input_channels + map) };
        sums[..tile.columns.len()].copy_from_slice(&row[tile.columns.clone()]);
    }
}

/// Writes the sums of a tile to their map.
fn keep_sums(block: &Block<'_>, map: usize, tile: &Tile, sums: &[f32]) {
    let Tile { rows, columns } = tile.clone();
    for (y, sums) in rows.zip(sums.chunks_exact(columns.len() + 16)) {
        let to = block.maps.at(y, block.net.input_channels + map).wrapping_add(columns.start);
        // SAFETY: these pixels belong to this tile alone, and nobody reads them now.
        unsafe { std::slice::from_raw_parts_mut(to, columns.len()) }.copy_from_slice(&sums[..columns.len()]);
    }
}

/// Adds the maps `from` to the one layer `to`, rectifies its maps and sets their borders.
fn finish_layer(block: &Block<'_>, simd: Simd) {
    let size = block.maps.size;
    for_pieces(size.rows, TILE_ROWS, (9 * block.from.len() * block.net.width + 10) * size.pixels(), |rows| {
        finish_rows(block, rows, simd);
    });
}

/// Handles some rows of [`finish_layer`].
fn finish_rows(block: &Block<'_>, rows: Range<usize>, simd: Simd) {
    let Block { maps, net, parameters, ref from, ref to } = *block;
    let (layer, dilation) = (to.start, net.dilation(to.start));
    let tile = Tile { rows, columns: 0..maps.size.padded() };
    let in_place = Rows::in_place(maps, from.start, &tile, dilation, net.border);
    for map in layer * net.width..(layer + 1) * net.width {
        let channel = net.input_channels + map;
        let weights = &parameters[net.weight_range(map)].as_chunks().0[from.clone()];
        if !weights.is_empty() {
            let sums = Sums { data: maps.at(tile.rows.start, channel), weights };
            // SAFETY: these rows of the map belong to this call alone; the sources are maps of layers before this one.
            unsafe { add(simd, Sources { rows: &in_place, dilation }, &[sums], maps.row_step, &mut Ahead::nothing()) };
        }
        for y in tile.rows.clone() {
            // SAFETY: as above.
            unsafe { maps.finish_row(y, channel, net.border) };
        }
    }
}
