//! Backward through the layers, a group of maps at a time.
//!
//! ```text
//! for each group of up to 8 maps, from the last to the first:
//!     its layers, last to first:   δ = gradient with the δ of the group's later layers added, where the map is positive
//!     push:                        the group's δ into every earlier map
//! ```
//! A gradient is then read and written once a group instead of once a map, and its chain stays in order: maps from the last
//! to the first, taps ascending. The images of the group's δ, reflected borders included, are computed once a pixel and
//! stay in registers while the thread visits all earlier maps.

use cubecl::prelude::*;

use super::{
    TABLE,
    adjoint::images,
    taps::{Four, load_taps},
};

/// Turns the gradients of a layer's maps into δ. Cubes: pixels; members; slices.
///
/// `first_map` is the layer's first map, or the first of a part of it; maps `first_reader..end` are later and in the group.
#[cube(launch_unchecked)]
pub(crate) fn finish(
    maps: &Array<f32>,
    taps: &Array<Four>,
    table: &Array<u32>,
    gradients: &mut Array<f32>,
    rows: usize,
    columns: usize,
    channels: usize,
    input_channels: usize,
    first_map: usize,
    first_reader: usize,
    end: usize,
    repeated: usize,
) {
    let pixel = ABSOLUTE_POS_X as usize;
    let plane = rows * columns;
    if pixel < plane {
        let channel = input_channels + first_map + CUBE_POS_Y as usize;
        let image = CUBE_POS_Z as usize * channels * plane;
        let place = image + channel * plane + pixel;
        let (y, x) = ((pixel / columns) as i32, (pixel % columns) as i32);
        let mut sum = gradients[place];
        let mut adjoint = Array::<f32>::new(9usize);
        let mut weights = Array::<f32>::new(9usize);
        for i in 0..end - first_reader {
            let reader = end - 1 - i;
            let d = table[TABLE * reader] as i32;
            let from = image + (input_channels + reader) * plane;
            images(gradients, from, y, x, rows as i32, columns as i32, d, repeated as i32, &mut adjoint, 0usize);
            load_taps(taps, table[TABLE * reader + 1] as usize + channel, &mut weights, 0usize);
            #[unroll]
            for tap in 0..9usize {
                sum = fma(adjoint[tap], weights[tap], sum);
            }
        }
        gradients[place] = select(maps[place] > 0.0f32, sum, 0.0f32);
    }
}

/// Adds the δ of maps `first_map..first_map + group` to the gradients of channels `from..until`. Cubes: pixels; 1; slices.
#[cube(launch_unchecked)]
pub(crate) fn push(
    taps: &Array<Four>,
    table: &Array<u32>,
    gradients: &mut Array<f32>,
    rows: usize,
    columns: usize,
    channels: usize,
    input_channels: usize,
    first_map: usize,
    from: usize,
    until: usize,
    repeated: usize,
    #[comptime] group: usize,
) {
    let pixel = ABSOLUTE_POS_X as usize;
    let plane = rows * columns;
    if pixel < plane {
        let image = CUBE_POS_Z as usize * channels * plane;
        let (y, x) = ((pixel / columns) as i32, (pixel % columns) as i32);
        let mut adjoint = Array::<f32>::new(9 * group);
        let mut entries = Array::<usize>::new(group);
        #[unroll]
        for i in 0..group {
            let map = first_map + i;
            let d = table[TABLE * map] as i32;
            entries[i] = table[TABLE * map + 1] as usize;
            let delta = image + (input_channels + map) * plane;
            images(gradients, delta, y, x, rows as i32, columns as i32, d, repeated as i32, &mut adjoint, 9 * i);
        }
        let pairs = (until - from) / 2;
        for pair in 0..pairs {
            push_to(taps, gradients, image + pixel, plane, from + 2 * pair, &adjoint, &entries, group, 2usize);
        }
        for channel in from + 2 * pairs..until {
            push_to(taps, gradients, image + pixel, plane, channel, &adjoint, &entries, group, 1usize);
        }
    }
}

/// Adds to `count` channels from `channel` on: their chains are independent and run side by side.
#[cube]
fn push_to(
    taps: &Array<Four>,
    gradients: &mut Array<f32>,
    pixel: usize,
    plane: usize,
    channel: usize,
    adjoint: &Array<f32>,
    entries: &Array<usize>,
    #[comptime] group: usize,
    #[comptime] count: usize,
) {
    let mut sums = Array::<f32>::new(count);
    let mut weights = Array::<f32>::new(9 * count);
    #[unroll]
    for i in 0..count {
        sums[i] = gradients[pixel + (channel + i) * plane];
    }
    #[unroll]
    for later in 0..group {
        let map = group - 1 - later;
        #[unroll]
        for i in 0..count {
            load_taps(taps, entries[map] + channel + i, &mut weights, 9 * i);
        }
        #[unroll]
        for tap in 0..9usize {
            #[unroll]
            for i in 0..count {
                sums[i] = fma(adjoint[9 * map + tap], weights[9 * i + tap], sums[i]);
            }
        }
    }
    #[unroll]
    for i in 0..count {
        gradients[pixel + (channel + i) * plane] = sums[i];
    }
}
