//! The intensity at which bone begins.

use super::{fit::Bone, sample::Model};
use crate::{
    space::{DVec3, Rigid},
    volume::Volume,
};

/// Levels closer than this make no difference worth a second fit.
pub(super) const WORTH_HU: f64 = 25.0;

/// Values above this are not air.
const TISSUE_HU: f32 = -300.0;
/// Soft tissue lies between these.
const SOFT_HU: (f32, f32) = (-200.0, 200.0);
/// Values above this are bone, if only a part of the voxel.
const SOME_BONE_HU: f32 = 300.0;
/// A level found automatically lies between these.
const LIKELY_HU: (f64, f64) = (150.0, 800.0);
/// The level under a mesh may be anything that still is a surface against air or tissue.
const POSSIBLE_HU: (f64, f64) = (-300.0, 1500.0);

/// Width of a histogram bin, HU, and the range of the histogram.
const BIN_HU: f32 = 8.0;
const RANGE_HU: (f32, f32) = (-1024.0, 3072.0);

/// Returns a level for the bone surface: half way between soft tissue (or, in a dry skull, air) and typical bone.
pub(super) fn bone_hu(ct: &Volume<f32>) -> f64 {
    let bins = ((RANGE_HU.1 - RANGE_HU.0) / BIN_HU) as usize;
    let mut histogram = vec![0_u64; bins];
    for &value in ct.data.iter().filter(|value| value.is_finite()) {
        histogram[(((value - RANGE_HU.0) / BIN_HU).max(0.0) as usize).min(bins - 1)] += 1;
    }
    let within = |low: f32, high: f32| {
        let bin = |hu: f32| ((hu - RANGE_HU.0) / BIN_HU) as usize;
        &histogram[bin(low)..bin(high)]
    };
    let centre = |low: f32, bin: usize| f64::from(low + (bin as f32 + 0.5) * BIN_HU);
    let bone = median_bin(within(SOME_BONE_HU, RANGE_HU.1)).map(|bin| centre(SOME_BONE_HU, bin));
    let soft = within(SOFT_HU.0, SOFT_HU.1);
    let tissue: u64 = within(TISSUE_HU, RANGE_HU.1).iter().sum();
    let around = if 2 * soft.iter().sum::<u64>() > tissue {
        let peak = (0..soft.len()).fold(0, |best, bin| if soft[bin] > soft[best] { bin } else { best });
        centre(SOFT_HU.0, peak)
    } else {
        f64::from(RANGE_HU.0)
    };
    bone.map_or(SOME_BONE_HU.into(), |bone| (0.5 * (around + bone)).clamp(LIKELY_HU.0, LIKELY_HU.1))
}

fn median_bin(counts: &[u64]) -> Option<usize> {
    let total: u64 = counts.iter().sum();
    let mut sum = 0;
    counts.iter().position(|count| {
        sum += count;
        2 * sum >= total && total > 0
    })
}

/// Returns the median intensity of the scan under the aligned mesh, or nothing when too little of it lies on bone.
pub(super) fn under(ct: &Volume<f32>, model: &Model, bone: &Bone, motion: &Rigid) -> Option<f64> {
    let near_mm = ct.grid.spacing_mm.max_element();
    let voxel_from_world = ct.grid.voxel_from_world();
    let points = model.points(4000);
    let mut values: Vec<f32> = points
        .iter()
        .filter_map(|point| {
            let p = motion.apply(point.position);
            let inside = bone.holds(p) && bone.tree.closest_within(p, near_mm).is_some();
            inside.then(|| trilinear(ct, voxel_from_world.transform_point3(p))).flatten()
        })
        .collect();
    if 2 * values.len() < points.len() / 2 {
        return None;
    }
    let middle = values.len() / 2;
    let median = *values.select_nth_unstable_by(middle, f32::total_cmp).1;
    Some(f64::from(median).clamp(POSSIBLE_HU.0, POSSIBLE_HU.1))
}

/// Returns the value between voxel centres, or nothing outside the outermost ones.
pub(super) fn trilinear(ct: &Volume<f32>, voxel: DVec3) -> Option<f32> {
    let size = DVec3::from_array(ct.grid.size.map(|n| n as f64));
    if voxel.cmplt(DVec3::ZERO).any() || voxel.cmpge(size - 1.0).any() {
        return None;
    }
    let low = voxel.floor();
    let [fx, fy, fz] = (voxel - low).to_array().map(|f| f as f32);
    let [x, y, z] = low.to_array().map(|v| v as usize);
    let row = |y, z| ct.at(x, y, z) * (1.0 - fx) + ct.at(x + 1, y, z) * fx;
    let plane = |z| row(y, z) * (1.0 - fy) + row(y + 1, z) * fy;
    Some(plane(z) * (1.0 - fz) + plane(z + 1) * fz).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Grid;

    fn scan(parts: &[(f32, usize)]) -> Volume<f32> {
        let data: Vec<f32> = parts.iter().flat_map(|&(hu, n)| std::iter::repeat_n(hu, n)).collect();
        Volume::new(Grid::aligned([data.len(), 1, 1], DVec3::ONE), data).unwrap()
    }

    #[test]
    fn the_level_lies_half_way_to_bone() {
        let head = bone_hu(&scan(&[(-1000.0, 500), (40.0, 400), (1000.0, 90), (3071.0, 5)]));
        assert!((head - 520.0).abs() < 10.0, "{head}");
        let dry = bone_hu(&scan(&[(-1000.0, 500), (700.0, 90)]));
        assert_eq!(dry, 150.0, "half way to air is -150: held at what can be bone");
        assert_eq!(bone_hu(&scan(&[(-1000.0, 10), (f32::NAN, 3)])), 300.0);
    }

    #[test]
    fn interpolation_is_linear() {
        let mut ct = Volume::filled(Grid::aligned([3, 3, 3], DVec3::ONE), 0.0_f32);
        for z in 0..3 {
            for y in 0..3 {
                for x in 0..3 {
                    let at = ct.grid.index(x, y, z);
                    ct.data[at] = (x + 10 * y + 100 * z) as f32;
                }
            }
        }
        assert_eq!(trilinear(&ct, DVec3::new(0.5, 1.25, 0.75)), Some(0.5 + 12.5 + 75.0));
        assert_eq!(trilinear(&ct, DVec3::new(-0.1, 1.0, 1.0)), None);
    }
}
