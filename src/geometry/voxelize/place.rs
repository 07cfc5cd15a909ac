//! What a mesh and a grid must be before one can be drawn into the other.

use super::soup::{BITS, Soup};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::{DVec3, Grid},
};

/// Largest extent of a mesh that may be in metres, in its own numbers: no head is smaller than two millimetres.
const LARGEST_IN_METRES: f64 = 2.0;

/// Checks that the mesh has triangles of finite vertices.
pub(super) fn require_sound(mesh: &Mesh) -> Result<()> {
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

/// Checks that the mesh and the grid are in the same place, as far as boxes tell, and of the same order of size.
pub(super) fn require_within(mesh: &Mesh, grid: &Grid) -> Result<()> {
    placed_or_not(mesh, grid, false)
}

fn placed_or_not(mesh: &Mesh, grid: &Grid, apart: bool) -> Result<()> {
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
    if extent < LARGEST_IN_METRES && extent < 0.02 * grid_extent {
        return Err(Fault::unfit(format!("the mesh is only {extent:.3} mm across: {places}"))
            .hint("if the file is in metres, say `unit: m` for it"));
    }
    if apart || low.cmpgt(grid_high).any() || high.cmplt(grid_low).any() {
        return Err(Fault::unfit(format!("the mesh lies outside the image: {places}"))
            .hint("check the mesh's frame (LPS or RAS) and unit, or align it with the scan first"));
    }
    Ok(())
}

/// Checks that the mesh is not beside an oblique image whose box along the world's axes it meets.
pub(super) fn require_overlap(soup: &Soup, mesh: &Mesh, grid: &Grid) -> Result<()> {
    let first = soup.points.first().copied().unwrap_or_default();
    let (low, high) = soup.points.iter().fold((first, first), |(low, high), p| {
        ([0, 1, 2].map(|i| p[i].min(low[i])), [0, 1, 2].map(|i| p[i].max(high[i])))
    });
    let half = 1 << (BITS - 1);
    let apart = (0..3).any(|i| high[i] < -half || low[i] > ((grid.size[i] as i64) << BITS) - half);
    if apart { placed_or_not(mesh, grid, true) } else { Ok(()) }
}

fn shown(p: DVec3) -> String {
    format!("({:.1}, {:.1}, {:.1})", p.x, p.y, p.z)
}
