//! Mesh to label: a voxel is in the object when its centre is inside the surface.
//!
//! ```text
//! mesh ──▶ voxel coordinates ──▶ closed? ──yes──▶ rays along x
//!                                   └─────no───▶ rays along x, y, z, and a vote
//! ```
//! Rays run along grid axes in voxel coordinates, so oblique and left-handed grids need nothing of their own. A surface
//! point exactly on a voxel centre is inside where a ray along a rising index enters, outside where it leaves.

mod closure;
mod rays;

use closure::{Closure, closure, without_copies};
use rayon::prelude::*;
use rays::{SCANS, Scan, Soup, scan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::{DVec3, Grid},
    volume::Volume,
};

/// What is inside where several surfaces overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Inside when an odd number of shells is around: a shell within a shell is a cavity, whichever way it faces.
    #[default]
    EvenOdd,
    /// Inside unless wound zero times around: overlapping shells are a union, a cavity's normals must point into it.
    Nonzero,
}

impl Rule {
    const fn inside(self, winding: i32) -> bool {
        match self {
            Self::EvenOdd => winding & 1 == 1,
            Self::Nonzero => winding != 0,
        }
    }
}

/// A label with an account of how sure it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Voxelized {
    /// 1 inside, 0 outside.
    pub label: Volume<u8>,
    /// How it was found.
    pub report: VoxelizeReport,
}

/// What was met on the way from mesh to label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VoxelizeReport {
    /// Voxels inside.
    pub voxels: usize,
    /// The surface is closed under the rule, so the label is exact.
    pub closed: bool,
    /// Triangles left out because they repeat another; looked for only where they could change the label.
    pub duplicate_triangles: usize,
    /// Rays along each grid axis that ended inside and had no vote; none on a closed surface.
    pub open_rays: [usize; 3],
    /// Voxels on which the rays of different axes disagreed; decided by the majority.
    pub disputed_voxels: usize,
    /// Voxels without a majority, taken as outside.
    pub undecided_voxels: usize,
}

/// Positions are kept to 2^-20 voxel: fine beside any scanner, coarse beside the rounding of the change of coordinates,
/// so a plane through voxel centres in the world goes through them in voxel coordinates too.
const TICKS_PER_VOXEL: f64 = (1_u64 << 20) as f64;

/// Returns the voxels whose centre is inside the mesh.
///
/// # Errors
/// As [`voxelize_reported`].
pub fn voxelize(mesh: &Mesh, grid: &Grid, rule: Rule) -> Result<Volume<u8>> {
    voxelize_reported(mesh, grid, rule).map(|voxelized| voxelized.label)
}

/// Returns the voxels whose centre is inside the mesh, and how surely.
///
/// On a closed surface the label is exact and independent of the axis; shared vertices are not needed. On an open one each
/// voxel is decided by the majority of the rays along the three axes that end outside, so that nothing leaks along a row.
///
/// # Errors
/// Unfit when the mesh has no triangle, refers to vertices it does not have, has coordinates that are not finite, lies
/// outside the grid, or is so small beside it that it must be in metres.
pub fn voxelize_reported(mesh: &Mesh, grid: &Grid, rule: Rule) -> Result<Voxelized> {
    require_sound(mesh)?;
    require_within(mesh, grid)?;
    let voxel_from_world = grid.voxel_from_world();
    let points: Vec<[f64; 3]> =
        mesh.vertices.par_iter().map(|&p| snapped(voxel_from_world.transform_point3(p))).collect();
    let whole = Soup { points: &points, triangles: &mesh.triangles };
    let mut report = VoxelizeReport { closed: true, ..VoxelizeReport::default() };
    let data = match exact(&whole, grid.size, rule) {
        Some(found) if rule == Rule::Nonzero || !found.overlaps => found.marks,
        // the search for copies is left to where they may matter: under even-odd two copies of a wall cancel
        found => {
            let unique = without_copies(&whole);
            let soup = Soup { points: &points, triangles: &unique };
            let copies = mesh.triangles.len() - unique.len();
            match if copies == 0 { None } else { exact(&soup, grid.size, rule) } {
                Some(better) => {
                    report.duplicate_triangles = copies;
                    better.marks
                }
                None => match found {
                    Some(found) => found.marks,
                    None => {
                        report = VoxelizeReport { duplicate_triangles: copies, ..VoxelizeReport::default() };
                        vote(&soup, grid.size, rule, &mut report)
                    }
                },
            }
        }
    };
    report.voxels = data.par_iter().filter(|&&inside| inside == 1).count();
    Ok(Voxelized { label: Volume { grid: *grid, data }, report })
}

/// Returns what the rays along x find, which is all there is to know, when the surface is closed under the rule.
fn exact(soup: &Soup<'_>, size: [usize; 3], rule: Rule) -> Option<Scan> {
    let Closure { even, balanced } = closure(soup);
    let closed = if rule == Rule::EvenOdd { even } else { balanced };
    closed.then(|| scan(soup, size, SCANS[0], rule))
}

/// Returns the label on which most rays agree.
fn vote(soup: &Soup<'_>, size: [usize; 3], rule: Rule, report: &mut VoxelizeReport) -> Vec<u8> {
    let scans = SCANS.map(|axes| scan(soup, size, axes, rule));
    report.open_rays = [0, 1, 2].map(|axis| scans[axis].open_rays);
    let [along_x, along_y, along_z] = scans.map(|scan| scan.marks);
    let [nx, ny, nz] = size;
    let mut label = vec![0_u8; along_x.len()];
    let (disputed, undecided) = label
        .par_chunks_mut(nx * ny)
        .enumerate()
        .map(|(z, slice)| {
            let (mut disputed, mut undecided) = (0, 0);
            for (at, voxel) in slice.iter_mut().enumerate() {
                let (x, y) = (at % nx, at / nx);
                let marks = [along_x[at + z * nx * ny], along_y[y + ny * (x + nx * z)], along_z[z + nz * (x + nx * y)]];
                let count = |mark| marks.iter().filter(|&&m| m == mark).count();
                let (inside, outside) = (count(1), count(0));
                *voxel = u8::from(inside > outside);
                disputed += usize::from(inside > 0 && outside > 0);
                undecided += usize::from(inside == outside);
            }
            (disputed, undecided)
        })
        .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    (report.disputed_voxels, report.undecided_voxels) = (disputed, undecided);
    label
}

/// Returns a position rounded to ticks; adding zero turns -0.0 into 0.0, so that equal positions have equal bits.
fn snapped(p: DVec3) -> [f64; 3] {
    p.to_array().map(|c| (c * TICKS_PER_VOXEL).round_ties_even() / TICKS_PER_VOXEL + 0.0)
}

fn require_sound(mesh: &Mesh) -> Result<()> {
    if mesh.triangles.is_empty() {
        return Err(Fault::unfit("the mesh has no triangles, so it has no inside"));
    }
    let known = mesh.vertices.len();
    if let Some(&vertex) = mesh.triangles.iter().flatten().find(|&&v| v as usize >= known) {
        return Err(Fault::unfit(format!("a triangle refers to vertex {vertex}, the mesh has {known}")));
    }
    let lost = mesh.vertices.iter().filter(|p| !(p.is_finite() && p.abs().max_element() < 1e9)).count();
    if lost > 0 {
        return Err(Fault::unfit(format!("{lost} of {known} vertices have coordinates that are not usable numbers"))
            .hint("repair the mesh, or export it again"));
    }
    Ok(())
}

/// Checks that the mesh and the grid are in the same place and of the same order of size.
fn require_within(mesh: &Mesh, grid: &Grid) -> Result<()> {
    let Some((low, high)) = mesh.bounds_mm() else { return Ok(()) };
    let world_from_voxel = grid.world_from_voxel();
    let corners = (0..8).map(|c: u32| {
        let end = |axis: usize| if c >> axis & 1 == 1 { grid.size[axis] as f64 - 0.5 } else { -0.5 };
        world_from_voxel.transform_point3(DVec3::new(end(0), end(1), end(2)))
    });
    let (grid_low, grid_high) =
        corners.fold((DVec3::INFINITY, DVec3::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)));
    let places = format!(
        "the mesh spans {} to {} mm, the image {} to {} mm (LPS)",
        shown(low),
        shown(high),
        shown(grid_low),
        shown(grid_high)
    );
    let (extent, grid_extent) = ((high - low).max_element(), (grid_high - grid_low).max_element());
    if extent < 2.0 && extent < 0.02 * grid_extent {
        return Err(Fault::unfit(format!("the mesh is only {extent:.3} mm across: {places}"))
            .hint("if the file is in metres, say `unit: m` for it"));
    }
    if low.cmpgt(grid_high).any() || high.cmplt(grid_low).any() {
        return Err(Fault::unfit(format!("the mesh lies outside the image: {places}"))
            .hint("check the mesh's frame (LPS or RAS) and unit, or align it with the scan first"));
    }
    Ok(())
}

fn shown(p: DVec3) -> String {
    format!("({:.1}, {:.1}, {:.1})", p.x, p.y, p.z)
}

#[cfg(test)]
mod tests;
