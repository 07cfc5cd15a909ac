//! Another voxel size on the same axes.

use rayon::prelude::*;

use super::affordable;
use crate::{
    fault::Result,
    space::{DVec3, Grid},
    volume::Volume,
};

/// Returns the volume at another voxel spacing, on the same axes and about the same centre.
///
/// Linear between voxels; where the new spacing is coarser, a tent as wide as the new voxel averages the old ones, so
/// that noise is not aliased. Beyond the border the edge voxel counts again.
///
/// # Errors
/// Unfit when the spacing is not a positive number, or the result would be larger than 4 GiB.
pub fn to_spacing(volume: &Volume<f32>, spacing_mm: DVec3) -> Result<Volume<f32>> {
    let old = volume.grid;
    let scaled = [0, 1, 2].map(|axis: usize| old.size[axis] as f64 * old.spacing_mm[axis] / spacing_mm[axis]);
    affordable(scaled)?;
    let size = scaled.map(|n| (n.round() as usize).max(1));
    let half = |size: [usize; 3]| (DVec3::new(size[0] as f64, size[1] as f64, size[2] as f64) - DVec3::ONE) * 0.5;
    let centre_mm = old.world_from_voxel().transform_point3(half(old.size));
    let origin_mm = centre_mm - old.direction * (spacing_mm * half(size));
    let grid = Grid::new(size, origin_mm, spacing_mm, old.direction)?;
    let mut data = volume.data.clone();
    let mut now = old.size;
    for axis in 0..3 {
        let taps = taps(old.size[axis], size[axis], spacing_mm[axis] / old.spacing_mm[axis]);
        data = along_axis(&data, now, axis, &taps);
        now[axis] = size[axis];
    }
    Volume::new(grid, data)
}

/// The old voxels of one new voxel along an axis: index of the first, and weights that add up to 1.
type Taps = (usize, Vec<f64>);

fn taps(old: usize, new: usize, ratio: f64) -> Vec<Taps> {
    let reach = ratio.max(1.0);
    (0..new)
        .map(|k| {
            let centre = (k as f64 - (new as f64 - 1.0) * 0.5) * ratio + (old as f64 - 1.0) * 0.5;
            let (low, high) = ((centre - reach).ceil() as i64, (centre + reach).floor() as i64);
            let clamp = |j: i64| j.clamp(0, old as i64 - 1) as usize;
            let first = clamp(low);
            let mut weights = vec![0.0; clamp(high) - first + 1];
            for j in low..=high {
                weights[clamp(j) - first] += (1.0 - (j as f64 - centre).abs() / reach).max(0.0);
            }
            let sum: f64 = weights.iter().sum();
            (first, weights.into_iter().map(|w| w / sum).collect())
        })
        .collect()
}

fn along_axis(data: &[f32], size: [usize; 3], axis: usize, taps: &[Taps]) -> Vec<f32> {
    let stride = size[..axis].iter().product::<usize>();
    let (block, outer) = (stride * size[axis], size[axis + 1..].iter().product::<usize>());
    let mut out = vec![0.0_f32; stride * taps.len() * outer];
    out.par_chunks_mut(stride).enumerate().for_each(|(line, out)| {
        let (first, weights) = &taps[line % taps.len()];
        let source = &data[line / taps.len() * block..];
        for (i, value) in out.iter_mut().enumerate() {
            let sum = weights
                .iter()
                .enumerate()
                .fold(0.0, |sum, (j, weight)| sum + weight * f64::from(source[i + (first + j) * stride]));
            *value = sum as f32;
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that is linear in the world, so that linear interpolation must give it back.
    fn field(p: DVec3) -> f64 {
        3.0 + 2.0 * p.x - 1.5 * p.y + 0.5 * p.z
    }

    #[test]
    fn another_spacing_keeps_the_centre_and_a_linear_field() {
        let grid = Grid::aligned([6, 8, 9], DVec3::new(1.0, 2.0, 1.0));
        let mut volume = Volume::filled(grid, 0.0);
        for (index, value) in volume.data.iter_mut().enumerate() {
            *value = field(grid.world(index % 6, index / 6 % 8, index / 48)) as f32;
        }
        for spacing in [DVec3::ONE, DVec3::new(0.5, 0.5, 0.5), DVec3::new(2.0, 4.0, 3.0)] {
            let other = to_spacing(&volume, spacing).unwrap();
            let middle = |v: &Volume<f32>| {
                v.grid.world(0, 0, 0) + v.grid.world(v.grid.size[0] - 1, v.grid.size[1] - 1, v.grid.size[2] - 1)
            };
            assert!((middle(&volume) - middle(&other)).length() < 1e-9);
            let [x, y, z] = other.grid.size.map(|n| n / 2);
            if other.grid.size.iter().all(|&n| n > 2) {
                let error = f64::from(other.at(x, y, z)) - field(other.grid.world(x, y, z));
                assert!(error.abs() < 1e-4, "{spacing}: {error}");
            }
        }
        assert_eq!(to_spacing(&volume, volume.grid.spacing_mm).unwrap(), volume);
        assert!(to_spacing(&volume, DVec3::ZERO).is_err());
    }
}
