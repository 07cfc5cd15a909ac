//! From the scene to voxels: the mean density over a voxel (partial volume), and the true label at its centre.

use rayon::prelude::*;

use super::{body::Body, scene::Scene};
use crate::{
    space::{DVec3, Grid},
    volume::Volume,
};

/// Distance between sample points that is fine enough, mm.
const POINT_SPACING_MM: f64 = 1.3;
/// Most sample points along one axis of a voxel.
const MOST_POINTS: usize = 6;

/// Returns the mean density of a voxel, HU: of its centre alone when no boundary is near, else of a lattice of points
/// (2 x 2 x 4 in a voxel of 2 x 2 x 5 mm).
pub(super) fn average_voxel(scene: &Scene, grid: &Grid, index: DVec3) -> f64 {
    let world_from_voxel = grid.world_from_voxel();
    let centre = scene.sample(world_from_voxel.transform_point3(index));
    if centre.clear_mm > 0.5 * grid.spacing_mm.length() {
        return centre.hu;
    }
    let counts = grid.spacing_mm.to_array().map(|mm| ((mm / POINT_SPACING_MM).ceil() as usize).clamp(2, MOST_POINTS));
    let offset = |n: usize, i: usize| (i as f64 + 0.5) / n as f64 - 0.5;
    let columns = counts[0] * counts[1];
    let mut sum = 0.0;
    for column in 0..columns {
        let (i, j) = (column % counts[0], column / counts[0]);
        // Each column of points stands at heights of its own, or thin layers across the slice would show as rings.
        let lift = (column as f64 + 0.5) / columns as f64 - 0.5;
        for k in 0..counts[2] {
            let along = offset(counts[2], k) + lift / counts[2] as f64;
            let at = index + DVec3::new(offset(counts[0], i), offset(counts[1], j), along);
            sum += scene.sample(world_from_voxel.transform_point3(at)).hu;
        }
    }
    sum / (counts[0] * counts[1] * counts[2]) as f64
}

/// Returns the true bone at the voxel centres: 1 where the centre is inside.
pub(super) fn label(body: &dyn Body, grid: Grid) -> Volume<u8> {
    let [nx, ny, nz] = grid.size;
    let slices: Vec<Vec<u8>> = (0..nz)
        .into_par_iter()
        .map(|z| (0..nx * ny).map(|i| u8::from(body.bone_mm(grid.world(i % nx, i / nx, z)) < 0.0)).collect())
        .collect();
    Volume { grid, data: slices.concat() }
}
