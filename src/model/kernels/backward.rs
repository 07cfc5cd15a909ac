//! The backward pass: gradients of parameters, and of the input where somebody wants it.
//!
//! Layers are taken in the groups of the forward pass, last first. Inside a group each layer's δ goes to the earlier maps of
//! the group, in a wave over the rows. Then the δ of all its layers are complete, and one pass over the rows of the slice adds
//! them to all maps before the group and sums up the group's weight gradients; a row's maps and gradients come from memory
//! once a group.

#![expect(unsafe_code, reason = "threads write different parts of the gradients")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Simd,
    adjoint::{self, Adjoint, Delta},
    ahead::Ahead,
    buffer::Buffer,
    head::{self, Head},
    in_pool,
    maps::{Maps, Size, View},
    pieces::{for_pieces, groups},
    push::{LANES, Packed, push, weight_sums},
    wave::Wave,
    worth_splitting,
};
use crate::model::msdnet::Architecture;

/// Maps of a group, unless a layer has more.
const GROUP: usize = 10;
/// Rows that share one set of f32 lanes; short enough that their rounding stays far below 1e-5.
const BAND: usize = 32;

/// Whether the gradient of the input is wanted. Training does not need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputGradient {
    /// Compute it.
    Wanted,
    /// Leave it out.
    Skipped,
}

/// What a backward pass gives.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// In the order of the parameters.
    pub parameters: Vec<f32>,
    /// `[channel][y][x]`, if wanted.
    pub input: Option<Vec<f32>>,
}

/// Layers whose δ are pushed together.
struct Group<'a> {
    maps: View,
    gradients: View,
    /// Records of the group's δ.
    edges: View,
    net: &'a Architecture,
    parameters: &'a [f32],
    layers: Range<usize>,
    /// The output layer, in the first group that is handled.
    head: Option<&'a Head<'a>>,
    /// The first map whose gradient is wanted.
    first_wanted: usize,
}

/// Returns the gradients for one slice, given those of its logits (`[class][y][x]`).
#[must_use]
pub fn backward(
    maps: &Maps,
    parameters: &[f32],
    logit_gradients: &[f32],
    net: &Architecture,
    how: (InputGradient, Simd),
) -> Gradients {
    in_pool(net.multiply_adds_per_pixel() * maps.size.pixels(), || pass(maps, parameters, logit_gradients, net, how))
}

/// As [`backward`].
fn pass(
    maps: &Maps,
    parameters: &[f32],
    logit_gradients: &[f32],
    net: &Architecture,
    (input, simd): (InputGradient, Simd),
) -> Gradients {
    let size = maps.size;
    let mut own = vec![0.0; parameters.len()];
    let mut gradients = Maps::new(size, net.channels());
    let mut edges = adjoint::edges(size, GROUP.max(net.width));
    let head = Head::new(size, parameters, logit_gradients, net);
    for layers in groups(net, GROUP).rev() {
        let first_wanted = if input == InputGradient::Wanted { 0 } else { net.input_channels };
        let group = Group {
            maps: maps.view(),
            gradients: gradients.view_mut(),
            edges: edges.view_mut(),
            net,
            parameters,
            head: (layers.end == net.depth).then_some(&head),
            layers,
            first_wanted,
        };
        if group.head.is_some() {
            for_pieces(size.rows, BAND, net.classes * group.members().len() * size.pixels(), |rows| {
                group.start_rows(group.earlier()..net.channels(), rows, simd);
            });
        }
        push_inside(&group, simd);
        push_out(&group, &mut own, simd);
    }
    let input = (input == InputGradient::Wanted)
        .then(|| (0..net.input_channels).flat_map(|channel| gradients.plane(channel)).collect());
    Gradients { parameters: own, input }
}

impl Group<'_> {
    /// Returns the group's maps, numbered without the input.
    fn members(&self) -> Range<usize> {
        self.layers.start * self.net.width..self.layers.end * self.net.width
    }

    /// Returns the number of maps before the group.
    fn earlier(&self) -> usize {
        self.net.inputs(self.layers.start)
    }

    /// Returns the δ of a map, which is numbered without the input.
    fn delta(&self, map: usize) -> Delta {
        Delta {
            gradients: self.gradients,
            channel: self.net.input_channels + map,
            edges: self.edges,
            member: map - self.members().start,
            dilation: self.net.dilation(map / self.net.width),
            border: self.net.border,
        }
    }

    /// Returns the weights by which the δ of a layer reach the earlier maps of the group, if both are in it.
    fn packed_inside(&self, layer: usize) -> Option<Packed> {
        let (net, first) = (self.net, self.earlier());
        let weights = |delta| self.weights((layer + 1) * net.width - 1 - delta);
        (layer < self.layers.end).then(|| Packed::new(first, net.inputs(layer) - first, net.width, weights))
    }

    /// Returns the nine taps of a map for each earlier map.
    fn weights(&self, map: usize) -> &[[f32; 9]] {
        self.parameters[self.net.weight_range(map)].as_chunks().0
    }

    /// Sets rows of some maps' gradients to what the output layer gives. Nobody else uses these rows meanwhile.
    fn start_rows(&self, channels: Range<usize>, rows: Range<usize>, simd: Simd) {
        let Some(head) = self.head else { return };
        for y in rows {
            for channel in channels.clone() {
                // SAFETY: the row belongs to this call alone.
                head::start(simd, head, y, channel, unsafe { self.gradients.row_mut(y, channel) });
            }
        }
    }

    /// Returns the number of sets of lanes for the weights and bias of a map.
    fn sets(&self, map: usize) -> usize {
        9 * self.net.inputs(map / self.net.width) + 1
    }
}

/// Completes the δ of all layers, last first, and adds each to the gradients of the earlier maps of its group.
fn push_inside(group: &Group<'_>, simd: Simd) {
    let (net, size) = (group.net, group.maps.size);
    let work = 9 * net.width * group.members().len() * size.pixels();
    let mut left = group.layers.clone();
    while !left.is_empty() {
        // A layer's δ is complete when that of the layer behind it has been added, which is read as far as its taps reach.
        let last = left.end - 1;
        let reaches = left.clone().rev().map(|layer| if layer == last { 0 } else { net.dilation(layer + 1) });
        let wave = Wave::new(size.rows, work, reaches);
        left.end -= wave.len();
        let packed: Vec<_> = (left.end..=last).rev().map(|layer| group.packed_inside(layer + 1)).collect();
        wave.run(|number, rows| {
            let layer = last - number;
            if let Some(packed) = &packed[number] {
                push_rows(group, layer + 1, packed, rows.clone(), simd);
            }
            for map in layer * net.width..(layer + 1) * net.width {
                // SAFETY: these rows belong to this call alone; nobody writes maps in the backward pass.
                unsafe { adjoint::finish_delta(simd, &group.delta(map), group.maps, rows.clone()) };
            }
        });
    }
}

/// Adds the complete δ of a layer to some rows of the gradients of the earlier maps of its group.
fn push_rows(group: &Group<'_>, layer: usize, packed: &Packed, rows: Range<usize>, simd: Simd) {
    let mut images = Adjoint::new(group.maps.size, 1, group.net.width);
    for y in rows {
        for member in 0..group.net.width {
            let delta = group.delta((layer + 1) * group.net.width - 1 - member);
            // SAFETY: nobody writes this δ any more.
            unsafe { adjoint::fill(simd, &mut images, (0, member), y, &delta) };
        }
        // SAFETY: these rows of the earlier maps' gradients belong to this call alone.
        unsafe { push(simd, packed, (&images, 0), group.gradients, y) };
    }
}

/// Adds the δ of a group to the gradients of all maps before it, and sets the gradients of its weights and biases (and of
/// the output layer's).
fn push_out(group: &Group<'_>, own: &mut [f32], simd: Simd) {
    let (net, size, members) = (group.net, group.maps.size, group.members());
    let count = group.earlier().saturating_sub(group.first_wanted);
    let packed = Packed::new(group.first_wanted, count, members.len(), |i| group.weights(members.end - 1 - i));
    let sets: usize = members.clone().map(|map| group.sets(map)).sum::<usize>() + group.head.map_or(0, Head::sets);
    let band = |band: usize| {
        // As long for every group, so that it is used again.
        let mut sums = Buffer::any(sets.max((GROUP.max(net.width) * 9 + 1 + net.classes) * net.channels()) * LANES);
        sums[..sets * LANES].fill(0.0);
        push_band(group, &packed, band * BAND..size.rows.min((band + 1) * BAND), &mut sums[..sets * LANES], simd);
        sums
    };
    let bands = size.rows.div_ceil(BAND);
    let split = worth_splitting(18 * members.len() * group.earlier() * size.pixels());
    let bands: Vec<Buffer> =
        if split { (0..bands).into_par_iter().map(band).collect() } else { (0..bands).map(band).collect() };
    let total = |set: usize| total(&bands, set);
    let totals: Vec<f32> =
        if split { (0..sets).into_par_iter().map(total).collect() } else { (0..sets).map(total).collect() };
    let mut at = 0;
    for map in members.rev() {
        let count = group.sets(map);
        let (weights, bias) = totals[at..at + count].split_at(count - 1);
        own[net.weight_range(map)].copy_from_slice(weights);
        own[net.bias_range()][map] = bias[0];
        at += count;
    }
    if group.head.is_some() {
        own[net.head_range()].copy_from_slice(&totals[at..]);
    }
}

/// Returns the sum of a set: bands in order lane by lane, then the lanes halved four times.
fn total(bands: &[Buffer], set: usize) -> f32 {
    let mut lanes = [0.0_f64; LANES];
    for band in bands {
        for (sum, &lane) in lanes.iter_mut().zip(&band[set * LANES..][..LANES]) {
            *sum += f64::from(lane);
        }
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0] as f32
}

/// Handles one band of [`push_out`]; `sums` has the sets of each map from the last to the first, then the output layer's.
fn push_band(group: &Group<'_>, packed: &Packed, rows: Range<usize>, sums: &mut [f32], simd: Simd) {
    let Size { columns, .. } = group.maps.size;
    let members = group.members();
    // One map's images of a block should stay in the first-level cache.
    let block = (512 / columns).clamp(1, 8);
    let mut images = Adjoint::new(group.maps.size, block, members.len());
    for y in rows.clone().step_by(block) {
        let count = (rows.end - y).min(block);
        for row in 0..count {
            for (i, map) in members.clone().rev().enumerate() {
                // SAFETY: this loop writes no gradients of the group.
                unsafe { adjoint::fill(simd, &mut images, (row, i), y + row, &group.delta(map)) };
            }
            group.start_rows(group.first_wanted..group.earlier(), y + row..y + row + 1, simd);
            // SAFETY: these rows of the earlier maps' gradients belong to this call alone.
            unsafe { push(simd, packed, (&images, row), group.gradients, y + row) };
        }
        let next = (y + count).min(rows.end)..(y + count + block).min(rows.end);
        let earlier = next.flat_map(|y| (0..group.earlier()).map(move |channel| (y, channel)));
        let pieces = earlier.flat_map(|(y, channel)| [group.maps.at(y, channel), group.gradients.at(y, channel)]);
        let steps = members.len() * group.earlier().div_ceil(3);
        let mut ahead = Ahead::new(pieces.map(<*mut f32>::cast_const), columns, steps);
        let mut rest = &mut *sums;
        for (i, map) in members.clone().rev().enumerate() {
            let (sums, behind) = rest.split_at_mut(group.sets(map) * LANES);
            // SAFETY: nobody writes maps in the backward pass.
            unsafe { weight_sums(simd, (&images, i), group.maps, (y, count), sums, &mut ahead) };
            rest = behind;
        }
        if let Some(head) = group.head {
            for y in y..y + count {
                head::weight_sums(simd, head, y, group.maps, rest);
            }
        }
    }
}
