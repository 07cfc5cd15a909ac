//! The documented order of every number in plain code, pixel by pixel: what the fast kernels must equal to the last bit.

use super::{Gradients, Size};
use crate::model::{border::Border, msdnet::Architecture};

/// Returns the logits and all gradients of a slice, given its parameters and image, and how the gradients of the logits
/// follow from these.
pub(super) fn run(
    net: &Architecture,
    size: Size,
    (parameters, image): (&[f32], &[f32]),
    upstream: impl Fn(&[f32]) -> Vec<f32>,
) -> (Vec<f32>, Gradients) {
    let maps = maps(net, size, parameters, image);
    let (pixels, weights) = (size.pixels(), &parameters[net.head_weight_range()]);
    let mut logits = Vec::new();
    for (weights, &bias) in weights.chunks(net.channels()).zip(&parameters[net.head_bias_range()]) {
        logits.extend((0..pixels).map(|p| maps.iter().zip(weights).fold(bias, |z, (map, &w)| map[p].mul_add(w, z))));
    }
    let upstream = upstream(&logits);
    let upstream: Vec<&[f32]> = upstream.chunks(pixels).collect();
    let mut own = vec![0.0; parameters.len()];
    for (class, upstream) in upstream.iter().enumerate() {
        for (channel, map) in maps.iter().enumerate() {
            own[net.head_weight_range()][class * net.channels() + channel] = sum(size, upstream, map);
        }
        own[net.head_bias_range()][class] = sum(size, upstream, &vec![1.0; pixels]);
    }
    let mut gradients: Vec<Vec<f32>> = (0..net.channels())
        .map(|channel| {
            let weight = |class: usize| weights[class * net.channels() + channel];
            let add =
                |p: usize| upstream.iter().enumerate().fold(0.0, |g, (class, row)| row[p].mul_add(weight(class), g));
            (0..pixels).map(add).collect()
        })
        .collect();
    for map in (0..net.maps()).rev() {
        let channel = net.input_channels + map;
        let delta: Vec<f32> =
            maps[channel].iter().zip(&gradients[channel]).map(|(&f, &g)| if f > 0.0 { g } else { 0.0 }).collect();
        own[net.bias_range()][map] = sum(size, &delta, &vec![1.0; pixels]);
        let layer = map / net.width;
        for tap in 0..9 {
            let image = adjoint(size, &delta, tap, net.dilation(layer) as isize, net.border);
            for earlier in 0..net.inputs(layer) {
                own[net.weight_range(map)][9 * earlier + tap] = sum(size, &image, &maps[earlier]);
                let weight = parameters[net.weight_range(map)][9 * earlier + tap];
                for (gradient, &image) in gradients[earlier].iter_mut().zip(&image) {
                    *gradient = image.mul_add(weight, *gradient);
                }
            }
        }
    }
    (logits, Gradients { parameters: own, input: Some(gradients[..net.input_channels].concat()) })
}

fn maps(net: &Architecture, size: Size, parameters: &[f32], image: &[f32]) -> Vec<Vec<f32>> {
    let Size { rows, columns } = size;
    let mut maps: Vec<Vec<f32>> = image.chunks(size.pixels()).map(<[f32]>::to_vec).collect();
    for map in 0..net.maps() {
        let (layer, d) = (map / net.width, net.dilation(map / net.width) as isize);
        let weights = &parameters[net.weight_range(map)];
        let value = |p: usize| {
            let (y, x) = ((p / columns) as isize, (p % columns) as isize);
            let mut z = parameters[net.bias_range()][map];
            for (earlier, plane) in maps[..net.inputs(layer)].iter().enumerate() {
                for tap in 0..9 {
                    let y = net.border.source(y + (tap as isize / 3 - 1) * d, rows);
                    let x = net.border.source(x + (tap as isize % 3 - 1) * d, columns);
                    z = plane[y * columns + x].mul_add(weights[9 * earlier + tap], z);
                }
            }
            if z > 0.0 { z } else { 0.0 }
        };
        let plane = (0..size.pixels()).map(value).collect();
        maps.push(plane);
    }
    maps
}

/// Returns the sum of δ over the pixels whose tap reads each pixel: rows first, then columns, direct reading first.
fn adjoint(size: Size, delta: &[f32], tap: usize, d: isize, border: Border) -> Vec<f32> {
    let Size { rows, columns } = size;
    let along = |n: usize, q: usize, shift: isize, value: &dyn Fn(usize) -> f32| {
        let reads = |i: &usize| border.source(*i as isize + shift, n) == q;
        let direct = |i: &usize| *i as isize + shift == q as isize;
        let mut readers: Vec<usize> = (0..n).filter(reads).collect();
        readers.sort_by_key(|i| !direct(i));
        readers.into_iter().map(value).reduce(|a, b| a + b).unwrap_or(0.0)
    };
    let (down, right) = ((tap as isize / 3 - 1) * d, (tap as isize % 3 - 1) * d);
    let by_rows: Vec<f32> =
        (0..size.pixels()).map(|p| along(rows, p / columns, down, &|y| delta[y * columns + p % columns])).collect();
    (0..size.pixels()).map(|p| along(columns, p % columns, right, &|x| by_rows[p / columns * columns + x])).collect()
}

/// Returns a sum over all pixels: bands of 32 rows, 16 lanes.
fn sum(size: Size, image: &[f32], map: &[f32]) -> f32 {
    let mut totals = [0.0_f64; 16];
    for band in (0..size.rows).step_by(32) {
        let mut lanes = [0.0_f32; 16];
        for y in band..size.rows.min(band + 32) {
            for x in 0..size.columns {
                let p = y * size.columns + x;
                lanes[x % 16] = image[p].mul_add(map[p], lanes[x % 16]);
            }
        }
        for (total, lane) in totals.iter_mut().zip(lanes) {
            *total += f64::from(lane);
        }
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            totals[lane] += totals[lane + half];
        }
    }
    totals[0] as f32
}
