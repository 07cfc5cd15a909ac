//! The backward pass as launches: δ of all maps group by group, then all weight gradients slice by slice.

use std::ops::Range;

use super::{
    kernels::{BAND, LANES, MAPS_A_THREAD},
    launch::{Kernel, Launch, Machine},
    network::Batch,
};
use crate::model::{kernels::InputGradient, msdnet::Architecture};

/// Maps of a group at most: the nine images of each stay in registers.
const GROUP: usize = 8;
/// Threads of a cube that share a lane and take different planes.
const PLANES: usize = 8;
/// Bytes that the lanes of weight gradients may take; more weights take turns.
const LANE_BYTES: usize = 256 << 20;

/// The buffers that a backward pass reads.
pub(super) struct Saved<'a, B> {
    pub(super) maps: &'a B,
    pub(super) parameters: &'a B,
    pub(super) logit_gradients: &'a B,
}

/// Returns the gradients of the parameters, and of the input (`[slice][channel][pixel]`) if wanted.
pub(super) fn backward<M: Machine>(
    machine: &M,
    saved: &Saved<'_, M::Buffer>,
    batch: &Batch<'_>,
    input: InputGradient,
) -> (M::Buffer, Option<M::Buffer>) {
    let (net, plane, slices) = (batch.net, batch.plane(), batch.slices);
    let from = if input == InputGradient::Wanted { 0 } else { net.input_channels };
    let gradients = machine.poisoned(slices * net.channels() * plane);
    machine.flat(
        Kernel::Pull,
        (plane, net.channels() - from, slices),
        &[saved.logit_gradients, saved.parameters, &gradients],
        &[plane, net.channels(), net.classes, net.head_weight_range().start, from],
    );
    let (taps, table) = (batch.taps(machine, saved.parameters), machine.words(&batch.table()));
    for group in groups(net).iter().rev() {
        finish(machine, &[saved.maps, &taps, &table, &gradients], batch, group);
        push(machine, &[&taps, &table, &gradients], batch, group, from);
    }
    let parameters = machine.poisoned(net.parameter_count());
    for slice in 0..slices {
        weights(machine, &[saved.maps, &gradients, &table], &parameters, batch, slice);
        head_and_biases(machine, saved, &gradients, &parameters, batch, slice);
    }
    let input = (input == InputGradient::Wanted).then(|| {
        let result = machine.poisoned(slices * net.input_channels * plane);
        let numbers = [plane, net.channels(), net.input_channels];
        machine.flat(Kernel::CopyPlanes, (plane, net.input_channels, slices), &[&gradients, &result], &numbers);
        result
    });
    (parameters, input)
}

/// Returns the maps in groups: whole layers, or parts of one layer where it has more maps than a group.
fn groups(net: &Architecture) -> Vec<Range<usize>> {
    let parts = |layer: Range<usize>, step: usize| {
        let end = layer.end;
        layer.step_by(step).map(move |first| first..end.min(first + step))
    };
    if net.width <= GROUP {
        parts(0..net.maps(), GROUP / net.width * net.width).collect()
    } else {
        (0..net.depth).flat_map(|layer| parts(layer * net.width..(layer + 1) * net.width, GROUP)).collect()
    }
}

/// Finishes the δ of a group, its last layer first.
fn finish<M: Machine>(machine: &M, buffers: &[&M::Buffer], batch: &Batch<'_>, group: &Range<usize>) {
    let (net, size) = (batch.net, batch.size);
    let members = net.width.min(group.len());
    for first in group.clone().step_by(members).rev() {
        let numbers = [
            size.rows,
            size.columns,
            net.channels(),
            net.input_channels,
            first,
            first + members,
            group.end,
            net.border.repeated(),
        ];
        machine.flat(Kernel::Finish, (batch.plane(), members, batch.slices), buffers, &numbers);
    }
}

/// Adds the δ of a group to the gradients of all channels before it.
fn push<M: Machine>(machine: &M, buffers: &[&M::Buffer], batch: &Batch<'_>, group: &Range<usize>, from: usize) {
    let (net, size) = (batch.net, batch.size);
    let until = net.inputs(group.start / net.width);
    if from >= until {
        return;
    }
    let numbers =
        [size.rows, size.columns, net.channels(), net.input_channels, group.start, from, until, net.border.repeated()];
    machine.flat(Kernel::Push { group: group.len() }, (batch.plane(), 1, batch.slices), buffers, &numbers);
}

/// Computes the convolution weights' gradients of one slice and adds them to `parameters`.
fn weights<M: Machine>(
    machine: &M,
    buffers: &[&M::Buffer; 3],
    parameters: &M::Buffer,
    batch: &Batch<'_>,
    slice: usize,
) {
    let (net, size) = (batch.net, batch.size);
    let bands = size.rows.div_ceil(BAND);
    let together = (LANE_BYTES / (4 * 9 * bands * LANES)).max(1);
    let entry = |map: usize| net.weight_range(map).start / 9;
    let mut first = 0;
    while first < net.maps() {
        let mut end = first + 1;
        while end < net.maps() && entry(end + 1) - entry(first) <= together {
            end += 1;
        }
        let items: Vec<u32> = (first..end)
            .flat_map(|map| {
                let inputs = net.inputs(map / net.width);
                (0..inputs).step_by(PLANES * MAPS_A_THREAD).flat_map(move |channel| [map as u32, channel as u32])
            })
            .collect();
        let entries = entry(end) - entry(first);
        let lanes = machine.poisoned(9 * entries * bands * LANES);
        machine.launch(&Launch {
            kernel: Kernel::WeightLanes,
            cubes: [items.len() as u32 / 2, bands as u32, 1],
            threads: [LANES as u32, PLANES as u32],
            buffers: &[buffers[0], buffers[1], buffers[2], &machine.words(&items), &lanes],
            numbers: &[
                size.rows,
                size.columns,
                net.channels(),
                net.input_channels,
                slice,
                net.border.repeated(),
                entry(first),
                bands,
            ],
        });
        add(machine, &lanes, parameters, 9 * entry(first)..9 * entry(end), (bands, slice));
        first = end;
    }
}

/// The same for the output layer and all biases.
fn head_and_biases<M: Machine>(
    machine: &M,
    saved: &Saved<'_, M::Buffer>,
    gradients: &M::Buffer,
    parameters: &M::Buffer,
    batch: &Batch<'_>,
    slice: usize,
) {
    let (net, size) = (batch.net, batch.size);
    let Saved { maps, logit_gradients, .. } = *saved;
    let bands = size.rows.div_ceil(BAND);
    let head = net.head_weight_range();
    let lanes = machine.poisoned(head.len() * bands * LANES);
    machine.launch(&Launch {
        kernel: Kernel::HeadLanes,
        cubes: [net.channels().div_ceil(PLANES * MAPS_A_THREAD), bands, net.classes].map(|n| n as u32),
        threads: [LANES as u32, PLANES as u32],
        buffers: &[maps, logit_gradients, &lanes],
        numbers: &[size.rows, size.columns, net.channels(), net.classes, slice, bands],
    });
    add(machine, &lanes, parameters, head, (bands, slice));
    let biases = [
        (gradients, slice * net.channels() + net.input_channels, net.bias_range()),
        (logit_gradients, slice * net.classes, net.head_bias_range()),
    ];
    for (planes, first_plane, range) in biases {
        let lanes = machine.poisoned(range.len() * bands * LANES);
        machine.launch(&Launch {
            kernel: Kernel::PlaneLanes,
            cubes: [range.len().div_ceil(PLANES), bands, 1].map(|n| n as u32),
            threads: [LANES as u32, PLANES as u32],
            buffers: &[planes, &lanes],
            numbers: &[size.rows, size.columns, first_plane, range.len(), bands],
        });
        add(machine, &lanes, parameters, range, (bands, slice));
    }
}

/// Adds up lanes and bands, and adds the results to a range of the parameters' gradients.
fn add<M: Machine>(
    machine: &M,
    lanes: &M::Buffer,
    parameters: &M::Buffer,
    range: Range<usize>,
    (bands, slice): (usize, usize),
) {
    let numbers = [range.len(), range.start, bands, slice];
    machine.flat(Kernel::AddLanes, (range.len(), 1, 1), &[lanes, parameters], &numbers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{border::Border, dilations::Preset};

    #[test]
    fn groups_are_whole_layers_or_parts_of_one() {
        let net = |depth, width| Architecture {
            preset: Preset::Public,
            depth,
            width,
            input_channels: 1,
            classes: 2,
            border: Border::Symmetric,
        };
        let deep = groups(&net(100, 1));
        assert_eq!((deep.len(), &deep[0], &deep[12]), (13, &(0..8), &(96..100)));
        assert_eq!(groups(&net(5, 3)), [0..6, 6..12, 12..15]);
        assert_eq!(groups(&net(2, 11)), [0..8, 8..11, 11..19, 19..22]);
    }
}
