//! The forward pass: each map from all earlier ones, in place, without a copy of any.
//!
//! Layers are taken in groups. First all maps before the group are added to all of the group's maps, tile by tile of the
//! slice and a few maps at a time, so that sums and sources stay in the second-level cache; then the layers follow each
//! other, each adding only the maps of its own group. Every sum still takes the maps in ascending order.

#![expect(unsafe_code, reason = "threads write different parts of the maps")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Simd,
    ahead::Ahead,
    buffer::Buffer,
    convolve::{Sources, Sums, add},
    head::Logits,
    maps::{MARGIN, Maps, Size, View},
    worth_splitting,
};
use crate::model::msdnet::Architecture;

/// Maps of a group, unless a layer has more.
pub(super) const GROUP: usize = 10;
/// Earlier maps added in one go.
const AT_ONCE: usize = 4;
/// Rows of a tile, at most.
const TILE_ROWS: usize = 64;
/// Columns of a tile, at most.
const TILE_COLUMNS: usize = 128;

/// Layers that are computed together.
struct Group<'a> {
    maps: View,
    net: &'a Architecture,
    parameters: &'a [f32],
    /// Numbered over all layers, without the input.
    members: Range<usize>,
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
    for layers in groups(net) {
        let members = layers.start * net.width..layers.end * net.width;
        let channels = net.input_channels + members.start..net.input_channels + members.end;
        let group = Group { maps: maps.view_mut(), net, parameters, members };
        add_earlier(&group, simd);
        for layer in layers {
            finish_layer(&group, layer, simd);
        }
        logits.add(&maps, channels, simd);
    }
    (maps, logits.finish())
}

/// Returns the layers of each group, in order.
pub(super) fn groups(net: &Architecture) -> impl DoubleEndedIterator<Item = Range<usize>> {
    let together = (GROUP / net.width).max(1);
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

/// Sets the group's maps to bias plus what the maps before the group give.
fn add_earlier(group: &Group<'_>, simd: Simd) {
    let Size { rows, columns } = group.maps.size;
    let columns = columns.next_multiple_of(super::maps::TILE);
    let earlier = group.net.inputs(group.members.start / group.net.width);
    let work = 9 * earlier * group.members.len() * rows * columns;
    for_pieces(rows, TILE_ROWS, work, |rows| {
        for x in (0..columns).step_by(TILE_COLUMNS) {
            add_earlier_to_tile(group, rows.clone(), x..columns.min(x + TILE_COLUMNS), simd);
        }
    });
}

/// Handles one tile of [`add_earlier`].
fn add_earlier_to_tile(group: &Group<'_>, rows: Range<usize>, columns: Range<usize>, simd: Simd) {
    let Group { maps, net, parameters, ref members } = *group;
    // An odd number of cache lines, so that rows one dilation apart fall into different sets of the cache.
    let step = columns.len() + 16;
    let plane = rows.len() * step;
    let mut data = Buffer::any(members.len() * plane);
    for (map, sums) in members.clone().zip(data.chunks_exact_mut(plane)) {
        sums.fill(parameters[net.bias_range()][map]);
    }
    let earlier = net.inputs(members.start / net.width);
    let reach = net.largest_dilation();
    let seen = rows.start.saturating_sub(reach)..(rows.end + reach).min(maps.size.rows);
    for first in (0..earlier).step_by(AT_ONCE) {
        let next = (first + AT_ONCE).min(earlier)..(first + 2 * AT_ONCE).min(earlier);
        let pieces = seen.clone().flat_map(|y| next.clone().map(move |channel| maps.at(y, channel)));
        let pieces = pieces.map(|row| row.wrapping_add(columns.start).wrapping_sub(MARGIN).cast_const());
        let mut ahead = Ahead::new(pieces, columns.len() + 2 * MARGIN, members.len() * rows.len().div_ceil(4));
        for (map, sums) in members.clone().zip(data.chunks_exact_mut(plane)) {
            let sources = Sources {
                maps,
                first,
                weights: &parameters[net.weight_range(map)].as_chunks().0[first..earlier.min(first + AT_ONCE)],
                dilation: net.dilation(map / net.width),
                border: net.border,
            };
            let sums = Sums { data: sums.as_mut_ptr(), step, rows: rows.clone(), columns: columns.clone() };
            // SAFETY: the sums are this call's own; the sources are maps before the group, which nobody writes now.
            unsafe { add(simd, &sources, &sums, &mut ahead) };
        }
    }
    for (map, sums) in members.clone().zip(data.chunks_exact(plane)) {
        for (y, sums) in rows.clone().zip(sums.chunks_exact(step)) {
            let to = maps.at(y, net.input_channels + map).wrapping_add(columns.start);
            // SAFETY: these pixels of the group's maps belong to this tile alone, and nobody reads the group's maps now.
            unsafe { std::slice::from_raw_parts_mut(to, columns.len()) }.copy_from_slice(&sums[..columns.len()]);
        }
    }
}

/// Adds to a layer's maps what earlier layers of its group give, rectifies them and sets their borders.
fn finish_layer(group: &Group<'_>, layer: usize, simd: Simd) {
    let size = group.maps.size;
    let inside = layer * group.net.width - group.members.start;
    for_pieces(size.rows, TILE_ROWS, (9 * inside * group.net.width + 10) * size.pixels(), |rows| {
        finish_rows(group, layer, rows, simd);
    });
}

/// Handles some rows of [`finish_layer`].
fn finish_rows(group: &Group<'_>, layer: usize, rows: Range<usize>, simd: Simd) {
    let Group { maps, net, parameters, ref members } = *group;
    let earlier = net.inputs(members.start / net.width);
    for map in layer * net.width..(layer + 1) * net.width {
        let channel = net.input_channels + map;
        let sources = Sources {
            maps,
            first: earlier,
            weights: &parameters[net.weight_range(map)].as_chunks().0[earlier..],
            dilation: net.dilation(layer),
            border: net.border,
        };
        if !sources.weights.is_empty() {
            let (data, step) = (maps.at(rows.start, channel), maps.row_step);
            let sums = Sums { data, step, rows: rows.clone(), columns: 0..maps.size.padded() };
            // SAFETY: these rows of the map belong to this call alone; the sources are maps of layers before this one.
            unsafe { add(simd, &sources, &sums, &mut Ahead::nothing()) };
        }
        for y in rows.clone() {
            // SAFETY: as above.
            unsafe { maps.finish_row(y, channel, net.border) };
        }
    }
}
