//! The forward pass: each map from all earlier ones, in place, without a copy of any.
//!
//! Layers are taken in groups. First all maps before the group are added to all of the group's maps, a few rows and a few
//! earlier maps at a time, so that sums and sources stay in the second-level cache. The group's own maps follow: the first
//! half of its layers, these added to the second half in the same way, the second half; and where layers are few, one after
//! the other. Every sum still takes the maps in ascending order.

#![expect(unsafe_code, reason = "threads write different parts of the maps")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Simd,
    convolve::{Sources, Sums, add},
    head::Logits,
    maps::{Maps, Size, View, finish_row},
    rows::Rows,
    worth_splitting,
};
use crate::model::{dilations::Preset, msdnet::Architecture};

/// Maps of a group, unless a layer has more.
const GROUP: usize = 40;
/// Layers that follow one after the other, at most.
const AT_A_TIME: usize = 10;
/// Earlier maps added in one go: more save reading and writing sums, fewer stay in a cache.
const AT_ONCE: usize = 8;
/// Rows whose sums are completed in one go, at most.
const AT_ONCE_ROWS: usize = 24;

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

impl<'a> Block<'a> {
    /// Returns the maps that are added to, numbered without the input.
    fn members(&self) -> Range<usize> {
        self.to.start * self.net.width..self.to.end * self.net.width
    }

    /// Returns the sums of a map from a row on, with its weights for some earlier maps. They stand in the map itself.
    fn sums(&self, map: usize, earlier: Range<usize>, y: usize) -> Sums<'a> {
        let weights = &self.parameters[self.net.weight_range(map)].as_chunks().0[earlier];
        Sums { data: self.maps.at(y, self.net.input_channels + map), weights }
    }

    /// Lets sums begin with their biases, in some rows, where the first of all maps is added next.
    ///
    /// # Safety
    /// These rows of the maps that are added to belong to this call alone.
    unsafe fn begin(&self, rows: Range<usize>) {
        if self.from.start > 0 {
            return;
        }
        for (y, map) in rows.flat_map(|y| self.members().map(move |map| (y, map))) {
            // SAFETY: the caller's promise.
            let row = unsafe { self.maps.row_mut(y, self.net.input_channels + map) };
            row.fill(self.parameters[self.net.bias_range()][map]);
        }
    }
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
        // The first group has nothing but the image before it: too little for a pass of its own.
        let first = if layers.start > 0 { channels.start } else { 0 };
        let block = Block { maps: maps.view_mut(), net, parameters, from: 0..first, to: layers };
        if first > 0 {
            add_block(&block, simd);
        }
        add_inside(&Block { from: first..first, ..block }, simd);
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

/// Adds to the layers `to` all maps from the start of `from` on, and completes them.
fn add_inside(block: &Block<'_>, simd: Simd) {
    let Block { net, ref from, ref to, .. } = *block;
    if to.len() <= AT_A_TIME {
        for layer in to.clone() {
            let block = Block { from: from.start..net.inputs(layer), to: layer..layer + 1, ..*block };
            finish_layer(&block, simd);
        }
        return;
    }
    let middle = to.start + to.len().div_ceil(2);
    let complete = net.inputs(middle);
    add_inside(&Block { from: from.clone(), to: to.start..middle, ..*block }, simd);
    add_block(&Block { from: from.start..complete, to: middle..to.end, ..*block }, simd);
    add_inside(&Block { from: complete..complete, to: middle..to.end, ..*block }, simd);
}

/// Adds the maps `from` to the layers `to`.
fn add_block(block: &Block<'_>, simd: Simd) {
    let size = block.maps.size;
    let work = 9 * block.from.len() * block.net.width * block.to.len() * size.pixels();
    for_pieces(size.rows, AT_ONCE_ROWS, work, |rows| add_to_rows(block, rows, simd));
}

/// Handles some rows of [`add_block`].
fn add_to_rows(block: &Block<'_>, rows: Range<usize>, simd: Simd) {
    let Block { maps, net, ref from, ref to, .. } = *block;
    // SAFETY: these rows of the sums belong to this call alone.
    unsafe { block.begin(rows.clone()) };
    let reach = to.clone().map(|layer| net.dilation(layer)).max().unwrap_or(0);
    for first in from.clone().step_by(AT_ONCE) {
        let end = from.end.min(first + AT_ONCE);
        let sources = Rows::new(maps, first, rows.clone(), reach, net.border);
        for layer in to.start..to.end.min(to.start + Preset::PERIOD) {
            let alike = (layer..to.end).step_by(Preset::PERIOD);
            let alike = alike.flat_map(|layer| layer * net.width..(layer + 1) * net.width);
            let sums: Vec<_> = alike.map(|map| block.sums(map, first..end, rows.start)).collect();
            // SAFETY: these rows of the sums belong to this call alone; the sources are complete, and nobody writes them.
            unsafe {
                add(simd, Sources { rows: &sources, dilation: net.dilation(layer) }, &sums, maps.row_step);
            }
        }
    }
}

/// Adds the maps `from` to the one layer `to`, rectifies its maps and sets their borders.
fn finish_layer(block: &Block<'_>, simd: Simd) {
    let size = block.maps.size;
    for_pieces(size.rows, AT_ONCE_ROWS, (9 * block.from.len() * block.net.width + 10) * size.pixels(), |rows| {
        finish_rows(block, rows, simd);
    });
}

/// Handles some rows of [`finish_layer`].
fn finish_rows(block: &Block<'_>, rows: Range<usize>, simd: Simd) {
    let Block { maps, net, ref from, ref to, .. } = *block;
    let dilation = net.dilation(to.start);
    // SAFETY: these rows of the sums belong to this call alone.
    unsafe { block.begin(rows.clone()) };
    let sources = Rows::new(maps, from.start, rows.clone(), dilation, net.border);
    for map in block.members() {
        if !from.is_empty() {
            let sums = [block.sums(map, from.clone(), rows.start)];
            // SAFETY: these rows of the map belong to this call alone; the sources are maps of layers before this one.
            unsafe { add(simd, Sources { rows: &sources, dilation }, &sums, maps.row_step) };
        }
        for y in rows.clone() {
            // SAFETY: as above.
            unsafe { finish_row(simd, maps, y, net.input_channels + map, net.border) };
        }
    }
}
