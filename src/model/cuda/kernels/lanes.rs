//! Weight gradients: the lanes of each band, one f32 chain a lane, then all lanes and bands in f64 in order.
//!
//! A cube is 16 lanes x 8 threads; a thread keeps the nine sums of four earlier maps in registers, so that 13 loads feed 36
//! multiply-adds. All maps of a slice are handled by one launch: `items` says which pair of map and earlier maps a cube has.

use cubecl::prelude::*;

use super::{BAND, LANES, MAPS_A_THREAD, TABLE, adjoint::images};

/// Writes the lanes of convolution weights. Cubes: items (`[map, first earlier map]`); bands.
#[cube(launch_unchecked)]
pub(crate) fn weight_lanes(
    maps: &Array<f32>,
    deltas: &Array<f32>,
    table: &Array<u32>,
    items: &Array<u32>,
    lanes: &mut Array<f32>,
    rows: usize,
    columns: usize,
    channels: usize,
    input_channels: usize,
    slice: usize,
    repeated: usize,
    first_entry: usize,
    bands: usize,
) {
    let lane = UNIT_POS_X as usize;
    let item = 2 * CUBE_POS_X as usize;
    let band = CUBE_POS_Y as usize;
    let map = items[item] as usize;
    let first = items[item + 1] as usize + UNIT_POS_Y as usize * MAPS_A_THREAD;
    let inputs = table[TABLE * map + 2] as usize;
    if first < inputs {
        let plane = rows * columns;
        let slice_start = slice * channels * plane;
        let delta = slice_start + (input_channels + map) * plane;
        let mut sources = Array::<usize>::new(MAPS_A_THREAD);
        #[unroll]
        for i in 0..MAPS_A_THREAD {
            sources[i] = slice_start + select(first + i < inputs, first + i, first) * plane;
        }
        let mut sums = Array::<f32>::new(9 * MAPS_A_THREAD);
        #[unroll]
        for i in 0..9 * MAPS_A_THREAD {
            sums[i] = 0.0f32;
        }
        let dilation = table[TABLE * map] as usize;
        let last = select((band + 1) * BAND < rows, (band + 1) * BAND, rows);
        for y in band * BAND..last {
            // Columns near an edge, and all of a row near one, are read with their reflections.
            let inside = y > dilation && y + dilation + 1 < rows;
            let mut above = Array::<usize>::new(3usize);
            #[unroll]
            for ky in 0..3usize {
                above[ky] = delta + (y + dilation - ky * dilation) * columns + dilation;
            }
            let row = y * columns;
            let mut x = lane;
            let left = select(inside, dilation + 1, columns);
            while x < left && x < columns {
                add_near_edge(maps, deltas, delta, &sources, &mut sums, y, x, rows, columns, dilation, repeated);
                x += LANES;
            }
            while x + dilation + 1 < columns {
                let mut adjoint = Array::<f32>::new(9usize);
                #[unroll]
                for tap in 0..9usize {
                    adjoint[tap] = deltas[above[tap / 3] + x - tap % 3 * dilation];
                }
                add_products(maps, &sources, row + x, &adjoint, &mut sums);
                x += LANES;
            }
            while x < columns {
                add_near_edge(maps, deltas, delta, &sources, &mut sums, y, x, rows, columns, dilation, repeated);
                x += LANES;
            }
        }
        let entry = table[TABLE * map + 1] as usize + first - first_entry;
        #[unroll]
        for i in 0..MAPS_A_THREAD {
            if first + i < inputs {
                #[unroll]
                for tap in 0..9usize {
                    lanes[((9 * (entry + i) + tap) * bands + band) * LANES + lane] = sums[9 * i + tap];
                }
            }
        }
    }
}

/// Adds a pixel with all who read it.
#[cube]
fn add_near_edge(
    maps: &Array<f32>,
    deltas: &Array<f32>,
    delta: usize,
    sources: &Array<usize>,
    sums: &mut Array<f32>,
    y: usize,
    x: usize,
    rows: usize,
    columns: usize,
    dilation: usize,
    repeated: usize,
) {
    let (y_at, x_at, d) = (y as i32, x as i32, dilation as i32);
    let mut adjoint = Array::<f32>::new(9usize);
    images(deltas, delta, y_at, x_at, rows as i32, columns as i32, d, repeated as i32, &mut adjoint, 0usize);
    add_products(maps, sources, y * columns + x, &adjoint, sums);
}

/// Adds the products of nine images with the four maps at a pixel.
#[cube]
fn add_products(maps: &Array<f32>, sources: &Array<usize>, pixel: usize, adjoint: &Array<f32>, sums: &mut Array<f32>) {
    let mut values = Array::<f32>::new(MAPS_A_THREAD);
    #[unroll]
    for i in 0..MAPS_A_THREAD {
        values[i] = maps[sources[i] + pixel];
    }
    #[unroll]
    for i in 0..MAPS_A_THREAD {
        #[unroll]
        for tap in 0..9usize {
            sums[9 * i + tap] = fma(adjoint[tap], values[i], sums[9 * i + tap]);
        }
    }
}

/// Writes the lanes of the output layer's weights. Cubes: earlier maps, 32 at a time; bands; classes.
#[cube(launch_unchecked)]
pub(crate) fn head_lanes(
    maps: &Array<f32>,
    logit_gradients: &Array<f32>,
    lanes: &mut Array<f32>,
    rows: usize,
    columns: usize,
    channels: usize,
    classes: usize,
    slice: usize,
    bands: usize,
) {
    let lane = UNIT_POS_X as usize;
    let band = CUBE_POS_Y as usize;
    let class = CUBE_POS_Z as usize;
    let first = (CUBE_POS_X * CUBE_DIM_Y + UNIT_POS_Y) as usize * MAPS_A_THREAD;
    if first < channels {
        let plane = rows * columns;
        let gradient = (slice * classes + class) * plane;
        let mut sources = Array::<usize>::new(MAPS_A_THREAD);
        let mut sums = Array::<f32>::new(MAPS_A_THREAD);
        #[unroll]
        for i in 0..MAPS_A_THREAD {
            sources[i] = (slice * channels + select(first + i < channels, first + i, first)) * plane;
            sums[i] = 0.0f32;
        }
        let last = select((band + 1) * BAND < rows, (band + 1) * BAND, rows);
        for y in band * BAND..last {
            let mut x = lane;
            while x < columns {
                let logit = logit_gradients[gradient + y * columns + x];
                #[unroll]
                for i in 0..MAPS_A_THREAD {
                    sums[i] = fma(logit, maps[sources[i] + y * columns + x], sums[i]);
                }
                x += LANES;
            }
        }
        #[unroll]
        for i in 0..MAPS_A_THREAD {
            if first + i < channels {
                lanes[((class * channels + first + i) * bands + band) * LANES + lane] = sums[i];
            }
        }
    }
}

/// Writes the lanes of biases: sums of planes `first_plane..first_plane + count`. Cubes: planes, 8 at a time; bands.
#[cube(launch_unchecked)]
pub(crate) fn plane_lanes(
    planes: &Array<f32>,
    lanes: &mut Array<f32>,
    rows: usize,
    columns: usize,
    first_plane: usize,
    count: usize,
    bands: usize,
) {
    let lane = UNIT_POS_X as usize;
    let band = CUBE_POS_Y as usize;
    let number = (CUBE_POS_X * CUBE_DIM_Y + UNIT_POS_Y) as usize;
    if number < count {
        let plane = (first_plane + number) * rows * columns;
        let mut sum = 0.0f32;
        let last = select((band + 1) * BAND < rows, (band + 1) * BAND, rows);
        for y in band * BAND..last {
            let mut x = lane;
            while x < columns {
                sum += planes[plane + y * columns + x];
                x += LANES;
            }
        }
        lanes[(number * bands + band) * LANES + lane] = sum;
    }
}

/// Adds up the lanes of each weight, and adds the result to its gradient (to nothing for the first slice).
///
/// In f64: each lane over the bands, then the 16 lanes by halves.
#[cube(launch_unchecked)]
pub(crate) fn add_lanes(
    lanes: &Array<f32>,
    gradients: &mut Array<f32>,
    weights: usize,
    first_gradient: usize,
    bands: usize,
    slice: usize,
) {
    let weight = ABSOLUTE_POS_X as usize;
    if weight < weights {
        let mut totals = Array::<f64>::new(LANES);
        #[unroll]
        for lane in 0..LANES {
            totals[lane] = f64::cast_from(0.0f32);
        }
        for band in 0..bands {
            #[unroll]
            for lane in 0..LANES {
                totals[lane] += f64::cast_from(lanes[(weight * bands + band) * LANES + lane]);
            }
        }
        #[unroll]
        for halving in 0..4usize {
            let half = comptime!(LANES / 2) >> halving;
            #[unroll]
            for lane in 0..8usize {
                if lane < half {
                    totals[lane] += totals[lane + half];
                }
            }
        }
        let before = select(slice == 0, 0.0f32, gradients[first_gradient + weight]);
        gradients[first_gradient + weight] = before + f32::cast_from(totals[0]);
    }
}
