//! Forward: one layer's maps, a strip of pixels a thread.
//!
//! A thread computes `tall` pixels of a column that lie one dilation apart, so that they share source rows:
//!
//! ```text
//! source rows  y-d   y   y+d  y+2d y+3d y+4d        6 x 3 loads (tall = 4)
//! output rows         y   y+d  y+2d y+3d            4 x 9 multiply-adds
//! ```
//! Neighbouring threads take neighbouring columns; strips that share their halo rows lie in the same cube.

use cubecl::prelude::*;

use super::taps::{Four, load_taps, source};

/// Writes the rectified maps `first_output..first_output + width` from the first `inputs` maps.
///
/// Cubes: columns; strips, all blocks of a residue after each other; slices x members of the layer.
#[cube(launch_unchecked)]
pub(crate) fn convolve(
    maps: &mut Array<f32>,
    taps: &Array<Four>,
    parameters: &Array<f32>,
    rows: usize,
    columns: usize,
    channels: usize,
    width: usize,
    inputs: usize,
    first_output: usize,
    first_bias: usize,
    first_entry: usize,
    dilation: usize,
    repeated: usize,
    #[comptime] tall: usize,
    #[comptime] at_once: usize,
) {
    let x = ABSOLUTE_POS_X as usize;
    let strip = ABSOLUTE_POS_Y as usize;
    let blocks = rows.div_ceil(tall * dilation);
    if x < columns && strip < blocks * dilation {
        let member = CUBE_POS_Z as usize % width;
        let plane = rows * columns;
        let image = (CUBE_POS_Z as usize / width) * channels * plane;
        let first_row = strip % blocks * tall * dilation + strip / blocks;
        let (d, n, edge) = (dilation as i32, columns as i32, repeated as i32);
        let mut places = Array::<usize>::new(3 * (tall + 2));
        #[unroll]
        for k in 0..tall + 2 {
            let y = source((first_row + k * dilation) as i32 - d, rows as i32, edge) as usize;
            #[unroll]
            for kx in 0..3usize {
                let column = source((x + kx * dilation) as i32 - d, n, edge) as usize;
                places[3 * k + kx] = image + y * columns + column;
            }
        }
        let mut sums = Array::<f32>::new(tall);
        #[unroll]
        for row in 0..tall {
            sums[row] = parameters[first_bias + member];
        }
        let entry = first_entry + member * inputs;
        let whole = inputs / at_once * at_once;
        for step in 0..inputs / at_once {
            add_maps(maps, taps, plane, entry, step * at_once, &places, &mut sums, tall, at_once);
        }
        for channel in whole..inputs {
            add_maps(maps, taps, plane, entry, channel, &places, &mut sums, tall, 1usize);
        }
        let output = image + (first_output + member) * plane;
        #[unroll]
        for row in 0..tall {
            let y = first_row + row * dilation;
            if y < rows {
                maps[output + y * columns + x] = select(sums[row] > 0.0f32, sums[row], 0.0f32);
            }
        }
    }
}

/// Adds `count` maps from `channel` on: loads first, so that they are in flight together.
#[cube]
fn add_maps(
    maps: &Array<f32>,
    taps: &Array<Four>,
    plane: usize,
    entry: usize,
    channel: usize,
    places: &Array<usize>,
    sums: &mut Array<f32>,
    #[comptime] tall: usize,
    #[comptime] count: usize,
) {
    let mut values = Array::<f32>::new(count * 3 * (tall + 2));
    let mut weights = Array::<f32>::new(count * 9);
    #[unroll]
    for i in 0..count {
        let from = (channel + i) * plane;
        #[unroll]
        for k in 0..3 * (tall + 2) {
            values[i * 3 * (tall + 2) + k] = maps[from + places[k]];
        }
        load_taps(taps, entry + channel + i, &mut weights, 9 * i);
    }
    #[unroll]
    for i in 0..count {
        #[unroll]
        for tap in 0..9usize {
            #[unroll]
            for row in 0..tall {
                let value = values[(i * (tall + 2) + row + tap / 3) * 3 + tap % 3];
                sums[row] = fma(value, weights[9 * i + tap], sums[row]);
            }
        }
    }
}
