//! The forward pass as launches: one a layer for all slices.

use super::{
    kernels::CLASSES_A_THREAD,
    launch::{Kernel, Launch, Machine},
    network::Batch,
};

/// Pixels of a column that a thread computes, and maps it loads together: a single slice needs the parallelism of short
/// strips, several slices the fewer loads of tall ones.
const SHORT: Kernel = Kernel::Convolve { tall: 4, at_once: 2 };
const TALL: Kernel = Kernel::Convolve { tall: 8, at_once: 1 };
/// Slices from which on tall strips are used.
const MANY: usize = 4;
/// Threads of a cube.
const THREADS: usize = 256;

/// Returns all maps, `[slice][channel][pixel]`, and the logits, `[slice][class][pixel]`.
pub(super) fn forward<M: Machine>(
    machine: &M,
    input: &M::Buffer,
    parameters: &M::Buffer,
    batch: &Batch<'_>,
) -> (M::Buffer, M::Buffer) {
    let (net, plane, slices) = (batch.net, batch.plane(), batch.slices);
    let maps = machine.poisoned(slices * net.channels() * plane);
    let taps = batch.taps(machine, parameters);
    machine.flat(
        Kernel::CopyPlanes,
        (plane, net.input_channels, slices),
        &[input, &maps],
        &[plane, net.input_channels, net.channels()],
    );
    for layer in 0..net.depth {
        convolve(machine, &[&maps, &taps, parameters], batch, layer);
    }
    let logits = machine.poisoned(slices * net.classes * plane);
    machine.flat(
        Kernel::Head,
        (plane, net.classes.div_ceil(CLASSES_A_THREAD), slices),
        &[&maps, parameters, &logits],
        &[plane, net.channels(), net.classes, net.head_weight_range().start, net.head_bias_range().start],
    );
    (maps, logits)
}

fn convolve<M: Machine>(machine: &M, buffers: &[&M::Buffer], batch: &Batch<'_>, layer: usize) {
    let (net, size, dilation) = (batch.net, batch.size, batch.net.dilation(layer));
    let (kernel, tall) = if batch.slices < MANY { (SHORT, 4) } else { (TALL, 8) };
    let wide = size.columns.next_multiple_of(32).next_power_of_two().min(THREADS / 2);
    let high = THREADS / wide;
    let strips = size.rows.div_ceil(tall * dilation) * dilation;
    let first_map = layer * net.width;
    machine.launch(&Launch {
        kernel,
        cubes: [size.columns.div_ceil(wide), strips.div_ceil(high), batch.slices * net.width].map(|n| n as u32),
        threads: [wide, high].map(|n| n as u32),
        buffers,
        numbers: &[
            size.rows,
            size.columns,
            net.channels(),
            net.width,
            net.inputs(layer),
            net.input_channels + first_map,
            net.bias_range().start + first_map,
            net.weight_range(first_map).start / 9,
            dilation,
            net.border.repeated(),
        ],
    });
}
