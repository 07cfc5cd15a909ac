//! How much of each voxel is inside: the share of 4 x 4 x 4 sub-voxels whose centre is.

use rayon::prelude::*;

use super::{Rule, Shape, VoxelizeReport, placed, shape};
use crate::{fault::Result, mesh::Mesh, space::Grid, volume::Volume};

/// Sub-voxels along each axis of a voxel.
pub const SUBDIVISION: usize = 4;
/// Sub-voxels of a voxel.
const PARTS: f32 = (SUBDIVISION * SUBDIVISION * SUBDIVISION) as f32;

/// Returns the share of each voxel that is inside the mesh, in steps of 1/64, and how it was found (counts are of
/// sub-voxels).
///
/// A voxel is cut into 4 x 4 x 4 parts and the rule of [`voxelize_reported`](super::voxelize_reported) decides on the centre
/// of each. A voxel cut by a plane comes out within 1/8 of its true share, one cut by many triangles closer.
///
/// # Errors
/// As [`voxelize_reported`](super::voxelize_reported).
pub fn fraction(mesh: &Mesh, grid: &Grid, rule: Rule) -> Result<(Volume<f32>, VoxelizeReport)> {
    let soup = placed(mesh, grid)?.refined(SUBDIVISION as i64);
    let [nx, ny, nz] = grid.size;
    let size = grid.size.map(|n| SUBDIVISION * n);
    let mut report = VoxelizeReport::default();
    let mut shares = vec![0.0_f32; nx * ny * nz];
    match shape(soup, size, grid.spacing_mm / SUBDIVISION as f64, rule, &mut report) {
        Shape::Closed(rows) => shares.par_chunks_mut(nx).enumerate().with_min_len(64).for_each(|(row, shares)| {
            let (y, z) = (row % ny, row / ny);
            for part in 0..SUBDIVISION * SUBDIVISION {
                let (fine_y, fine_z) = (SUBDIVISION * y + part % SUBDIVISION, SUBDIVISION * z + part / SUBDIVISION);
                rows.runs(fine_y + size[1] * fine_z, |from, to, winding| {
                    if rule.inside(winding) {
                        add(shares, from, to);
                    }
                });
            }
            shares.iter_mut().for_each(|share| *share /= PARTS);
        }),
        Shape::Open(mended) => mended.label_into(&mut shares, nx * ny, SUBDIVISION, &mut report, |label, shares| {
            for (row, label) in label.chunks_exact(size[0]).enumerate() {
                let at = nx * (row % size[1] / SUBDIVISION + ny * (row / size[1] / SUBDIVISION));
                for (x, &inside) in label.iter().enumerate() {
                    shares[at + x / SUBDIVISION] += f32::from(inside) / PARTS;
                }
            }
        }),
    }
    report.voxels = shares.par_iter().map(|&share| (share * PARTS) as usize).sum();
    Ok((Volume { grid: *grid, data: shares }, report))
}

/// Adds a run of sub-voxels to the voxels they are in.
fn add(counts: &mut [f32], from: usize, to: usize) {
    for (x, count) in counts.iter_mut().enumerate().take(to.div_ceil(SUBDIVISION)).skip(from / SUBDIVISION) {
        *count += (to.min(SUBDIVISION * (x + 1)) - from.max(SUBDIVISION * x)) as f32;
    }
}
