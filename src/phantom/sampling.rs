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

/// Voxels along the edge of the blocks of a slice that are filled at once when no surface is near.
const BLOCK: usize = 16;
/// Share of a first-order distance that is trusted as a lower bound of the true distance.
const TRUST: f64 = 0.6;

/// Returns the true bone at the voxel centres: 1 where the centre is inside.
pub(super) fn label(body: &dyn Body, grid: Grid) -> Volume<u8> {
    let [nx, ny, nz] = grid.size;
    let slices: Vec<Vec<u8>> = (0..nz)
        .into_par_iter()
        .map(|z| {
            let mut slice = vec![0; nx * ny];
            for y in (0..ny).step_by(BLOCK) {
                for x in (0..nx).step_by(BLOCK) {
                    fill(body, &grid, z, [x, y], BLOCK, &mut slice);
                }
            }
            slice
        })
        .collect();
    Volume { grid, data: slices.concat() }
}

/// Fills a block of a slice: at once when no surface is near, else its quarters.
fn fill(body: &dyn Body, grid: &Grid, z: usize, [x, y]: [usize; 2], edge: usize, slice: &mut [u8]) {
    let [nx, ny, _] = grid.size;
    if x >= nx || y >= ny {
        return;
    }
    let half = 0.5 * (edge - 1) as f64;
    let middle = DVec3::new(x as f64 + half, y as f64 + half, z as f64);
    let away = body.bone_mm(grid.world_from_voxel().transform_point3(middle));
    let reach_mm = half * DVec3::new(grid.spacing_mm.x, grid.spacing_mm.y, 0.0).length();
    if edge > 1 && away.abs() * TRUST <= reach_mm {
        for quarter in 0..4 {
            let place = [x + (quarter & 1) * (edge / 2), y + (quarter >> 1) * (edge / 2)];
            fill(body, grid, z, place, edge / 2, slice);
        }
        return;
    }
    for row in y..(y + edge).min(ny) {
        slice[row * nx + x..row * nx + (x + edge).min(nx)].fill(u8::from(away < 0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        numeric::Seed,
        phantom::{AnatomyKind, DefectKind, PhantomParams, draw_scene},
        space::DMat3,
    };

    #[test]
    fn blocks_change_no_voxel_of_the_label() {
        let params =
            PhantomParams { anatomy: AnatomyKind::Detailed, defect: DefectKind::Surgical, ..Default::default() };
        for case in 3..6 {
            let scene = draw_scene(Seed::derive(2019, "phantom", &format!("p{case:02}"), 0), 300.0, &params);
            let low = scene.world_from_head.translation_mm - DVec3::new(95.0, 100.0, 120.0);
            let grid = Grid::new([96, 96, 24], low, DVec3::new(2.0, 2.1, 8.0), DMat3::IDENTITY).unwrap();
            let bone = |i: usize| u8::from(scene.bone_mm(grid.world(i % 96, i / 96 % 96, i / 96 / 96)) < 0.0);
            assert!(label(&scene, grid).data.into_iter().eq((0..96 * 96 * 24).map(bone)), "case {case}");
        }
    }
}
