//! The medical engineer: a clean surface of the true bone, and of the missing piece, in a frame of their own.

use rayon::prelude::*;

use super::body::Body;
use crate::{
    fault::{Fault, Result},
    geometry::surface::{Border, isosurface},
    mesh::Mesh,
    numeric::Stream,
    space::{DMat3, DQuat, DVec3, Grid, Rigid},
    volume::Volume,
};

/// Samples along the edge of the blocks that are filled at once when no surface is near, the largest first.
const BLOCK: usize = 8;
/// Share of a first-order distance that is trusted as a lower bound of the true distance.
const TRUST: f64 = 0.6;

/// Returns the surface of the bone within the scan's field, in the scan's world. Where the scan ends the bone is capped.
///
/// # Errors
/// Usage when the field holds no bone.
pub(super) fn gold(body: &dyn Body, ct: &Grid, gold_mm: f64) -> Result<Mesh> {
    let (low, high) = field_mm(ct);
    let room = DVec3::splat(gold_mm);
    let mesh = if ct.direction == DMat3::IDENTITY {
        let inside = |p: DVec3| body.bone_mm(p).max((low - p).max_element()).max((p - high).max_element());
        surface(low - room, high + room, gold_mm, &inside)?
    } else {
        // Turned slices: the field is a box in axes of its own, about its middle.
        let half = 0.5 * (high - low);
        let middle = 0.5 * (ct.world(0, 0, 0) + ct.world(ct.size[0] - 1, ct.size[1] - 1, ct.size[2] - 1));
        let beyond = |p: DVec3| ((ct.direction.transpose() * (p - middle)).abs() - half).max_element();
        let reach = ct.direction.abs() * half + room;
        surface(middle - reach, middle + reach, gold_mm, &|p| body.bone_mm(p).max(beyond(p)))?
    };
    if mesh.triangles.is_empty() {
        let reason = format!("the field of {:.0} mm holds no bone", (high - low).min_element());
        return Err(Fault::usage(reason).hint("choose a larger `size` or `spacing_mm`"));
    }
    Ok(mesh)
}

/// Returns the surface of the missing bone, in the scan's world.
///
/// # Errors
/// Usage when `gold_mm` is too coarse to see it.
pub(super) fn missing(body: &dyn Body, gold_mm: f64) -> Result<Mesh> {
    let (centre, bound_mm) = body.opening();
    let reach = DVec3::splat(bound_mm);
    let mesh = surface(centre - reach, centre + reach, gold_mm, &|p| body.missing_mm(p))?;
    if mesh.triangles.is_empty() {
        return Err(Fault::usage("the missing bone falls between the samples").hint("choose a smaller `gold_mm`"));
    }
    Ok(mesh)
}

/// Draws the engineer's frame: any rotation about the head's middle, then up to 200 mm of translation. World from gold.
pub(super) fn draw_frame(middle_mm: DVec3, stream: &mut Stream) -> Rigid {
    let mut normal = || stream.normal();
    // Four normal numbers, normalized, are a uniformly random rotation.
    let quaternion = DQuat::from_xyzw(normal(), normal(), normal(), normal());
    let heading = DVec3::new(normal(), normal(), normal()).normalize_or(DVec3::X);
    let rotation =
        if quaternion.length_squared() > 0.0 { DMat3::from_quat(quaternion.normalize()) } else { DMat3::IDENTITY };
    let shift = heading * stream.between(0.0, 200.0);
    Rigid { rotation, translation_mm: middle_mm - rotation * middle_mm + shift }.inverse()
}

/// Returns the lowest and highest corner of the space that the voxels fill, if the grid's axes are the world's.
fn field_mm(grid: &Grid) -> (DVec3, DVec3) {
    let half = 0.5 * grid.spacing_mm;
    let last = DVec3::from_array(grid.size.map(|n| (n - 1) as f64));
    let aligned = Grid { direction: DMat3::IDENTITY, ..*grid };
    (grid.origin_mm - half, aligned.world_from_voxel().transform_point3(last) + half)
}

/// Returns the surface of a distance function (negative inside) in a box.
fn surface(low: DVec3, high: DVec3, step_mm: f64, distance: &(dyn Fn(DVec3) -> f64 + Sync)) -> Result<Mesh> {
    let size = ((high - low) / step_mm).ceil().to_array().map(|n| n as usize + 1);
    let grid = Grid::new(size, low, DVec3::splat(step_mm), DMat3::IDENTITY)?;
    Ok(isosurface(&sample(grid, distance), 0.0, Border::Cap))
}

/// Returns minus the distance at every sample: positive inside. Blocks far from the surface get one value; next to the
/// surface every sample has its own, so the surface is that of all samples.
fn sample(grid: Grid, distance: &(dyn Fn(DVec3) -> f64 + Sync)) -> Volume<f32> {
    let [nx, ny, nz] = grid.size;
    let slabs: Vec<Vec<f32>> = (0..nz.div_ceil(BLOCK))
        .into_par_iter()
        .map(|slab| {
            let depth = BLOCK.min(nz - slab * BLOCK);
            let mut slab = Slab { grid, distance, z0: slab * BLOCK, values: vec![0.0; nx * ny * depth] };
            for y in (0..ny).step_by(BLOCK) {
                for x in (0..nx).step_by(BLOCK) {
                    slab.fill([x, y, 0], BLOCK);
                }
            }
            slab.values
        })
        .collect();
    Volume { grid, data: slabs.concat() }
}

/// A few layers of samples.
struct Slab<'a> {
    grid: Grid,
    distance: &'a (dyn Fn(DVec3) -> f64 + Sync),
    z0: usize,
    values: Vec<f32>,
}

impl Slab<'_> {
    /// Fills a block: at once when the surface passes neither it nor its neighbours, else its eighths.
    fn fill(&mut self, low: [usize; 3], edge: usize) {
        let [nx, ny, _] = self.grid.size;
        let high = [nx, ny, self.values.len() / (nx * ny)];
        if (0..3).any(|axis| low[axis] >= high[axis]) {
            return;
        }
        let half = 0.5 * (edge - 1) as f64 * self.grid.spacing_mm;
        let middle = self.grid.world(low[0], low[1], self.z0 + low[2]) + half;
        let away = (self.distance)(middle);
        if edge > 1 && away.abs() * TRUST <= half.length() + self.grid.spacing_mm.max_element() {
            for eighth in 0..8 {
                self.fill(std::array::from_fn(|axis| low[axis] + (eighth >> axis & 1) * (edge / 2)), edge / 2);
            }
            return;
        }
        let [xs, ys, zs] = std::array::from_fn(|axis| low[axis]..(low[axis] + edge).min(high[axis]));
        for z in zs {
            for y in ys.clone() {
                self.values[nx * (y + ny * z)..][xs.clone()].fill(-away as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{numeric::Seed, phantom::PhantomParams};

    #[test]
    fn blocks_leave_the_surface_as_it_is_with_every_sample() {
        let params = PhantomParams {
            anatomy: crate::phantom::AnatomyKind::Detailed,
            defect: crate::phantom::DefectKind::Surgical,
            ..Default::default()
        };
        for case in 1..3 {
            let seed = Seed::derive(2019, "phantom", &format!("p{case:02}"), 0);
            let scene = crate::phantom::draw_scene(seed, 300.0, &params);
            let low = scene.world_from_head.translation_mm - DVec3::new(90.0, 100.0, 120.0);
            let grid = Grid::new([61, 68, 65], low, DVec3::splat(3.0), DMat3::IDENTITY).unwrap();
            let distance = |p: DVec3| scene.bone_mm(p);
            let each = (0..61 * 68 * 65).map(|i| -distance(grid.world(i % 61, i / 61 % 68, i / 61 / 68)) as f32);
            let plain = Volume { grid, data: each.collect() };
            let fast = sample(grid, &distance);
            let [fast, plain] = [fast, plain].map(|samples| isosurface(&samples, 0.0, Border::Cap));
            assert!(fast == plain, "the surfaces of case {case} differ");
        }
    }
}
