//! Mesh to label: a voxel is in the object when its centre is inside the surface.
//!
//! ```text
//! mesh ──▶ ticks ──▶ closed? ──yes──▶ crossings of the rays along x
//!                       └──────no───▶ patches turned, rims spanned, crossings less the share of the spans
//! ```
//! Rays run along a grid axis in voxel coordinates, so oblique and left-handed grids need nothing of their own. Everything
//! that decides on a closed surface is exact for the mesh's vertices rounded to 2^-20 voxel ([`soup`]): a centre that lies
//! on the surface counts as if it had been moved a hair towards rising indices, x before y before z. A surface through
//! voxel centres therefore owns its low faces and not its high ones.

mod closure;
mod exact;
mod fraction;
mod mending;
mod patches;
mod place;
mod rims;
mod rows;
mod soup;

use closure::{Closure, closure, without_copies};
pub use fraction::{SUBDIVISION, fraction};
use mending::Mended;
use rayon::prelude::*;
use rows::Rows;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use soup::Soup;

use crate::{
    fault::Result,
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

/// What was met on the way from mesh to label. All but the first four are 0 where the surface is closed under the rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VoxelizeReport {
    /// Voxels inside.
    pub voxels: usize,
    /// The surface is closed under the rule, so the label is exact.
    pub closed: bool,
    /// Triangles left out because they repeat another; looked for only where they could change the label.
    pub duplicate_triangles: usize,
    /// Voxels that a closed surface winds around more than once: outside under even-odd, inside under nonzero.
    pub overlapping_voxels: usize,
    /// Sets of triangles connected over edges that two of them share.
    pub patches: usize,
    /// Triangles turned over, so that neighbours agree and patches face outwards.
    pub turned_triangles: usize,
    /// Rings of edges at which the surface ends.
    pub boundary_loops: usize,
    /// Edges in them.
    pub boundary_edges: usize,
    /// Sum of the areas of the holes, each the length of its area vector, mm²; a flat hole's own area.
    pub hole_area_mm2: f64,
    /// Rays along x that end inside when crossings alone are counted: rows that leak elsewhere.
    pub leaking_rows: usize,
    /// Voxels near spanned holes whose winding number was summed one by one; elsewhere a bound settled it.
    pub winding_voxels: usize,
    /// Voxels whose winding number is more than a quarter from a whole number: where the label depends on how a hole would
    /// be closed.
    pub doubtful_voxels: usize,
    /// Voxels that counting crossings along x alone would have labelled otherwise.
    pub flipped_voxels: usize,
}

/// Returns the voxels whose centre is inside the mesh.
///
/// # Errors
/// As [`voxelize_reported`].
pub fn voxelize(mesh: &Mesh, grid: &Grid, rule: Rule) -> Result<Volume<u8>> {
    voxelize_reported(mesh, grid, rule).map(|voxelized| voxelized.label)
}

/// Returns the voxels whose centre is inside the mesh, and how surely.
///
/// On a surface closed under the rule (every edge in an even number of triangles; for `nonzero` run through as often one way
/// as the other) the label is exact; shared vertices are not needed. On any other, patches of triangles are turned to face
/// outwards and the rule is applied to the generalised winding number, rounded: no row leaks, nothing is inverted, and each
/// hole is closed by the surface on which that number is a half.
///
/// # Errors
/// Unfit when the mesh has no triangle, refers to vertices it does not have, has coordinates that are not finite, lies
/// outside the grid, or is so small beside it that it must be in metres.
pub fn voxelize_reported(mesh: &Mesh, grid: &Grid, rule: Rule) -> Result<Voxelized> {
    let soup = placed(mesh, grid)?;
    let mut report = VoxelizeReport::default();
    let shape = shape(soup, grid.size, grid.spacing_mm, rule, &mut report);
    let data = match &shape {
        Shape::Closed(rows) => marks(rows, grid.size, rule),
        Shape::Open(mended) => mended.label(&mut report),
    };
    report.voxels = data.par_iter().filter(|&&inside| inside == 1).count();
    Ok(Voxelized { label: Volume { grid: *grid, data }, report })
}

/// Checks mesh and grid and brings the one into the other.
fn placed(mesh: &Mesh, grid: &Grid) -> Result<Soup> {
    place::require_sound(mesh)?;
    place::require_within(mesh, grid)?;
    let mut soup = Soup::of(mesh, grid)?;
    place::require_overlap(&soup, mesh, grid)?;
    if grid.world_from_voxel().matrix3.determinant() < 0.0 {
        soup.triangles.par_iter_mut().for_each(|triangle| triangle.swap(1, 2));
    }
    Ok(soup)
}

/// A surface that encloses a region for certain, or one that had to be mended.
enum Shape {
    Closed(Rows),
    Open(Box<Mended>),
}

/// Finds all crossings of a surface, mended where it is open.
fn shape(mut soup: Soup, size: [usize; 3], spacing_mm: DVec3, rule: Rule, report: &mut VoxelizeReport) -> Shape {
    let found = exact(&soup, size, rule);
    // the search for copies is left to where they may matter: under even-odd two copies of a wall cancel
    if found.as_ref().is_none_or(|(_, overlapping)| rule == Rule::EvenOdd && *overlapping > 0) {
        let unique = without_copies(&soup);
        let copies = soup.triangles.len() - unique.len();
        if copies > 0 || found.is_none() {
            soup.triangles = unique;
            report.duplicate_triangles = copies;
            let Some((rows, overlapping)) = exact(&soup, size, rule) else {
                return Shape::Open(Box::new(Mended::new(&soup, size, spacing_mm, rule, report)));
            };
            (report.closed, report.overlapping_voxels) = (true, overlapping);
            return Shape::Closed(rows);
        }
    }
    match found {
        Some((rows, overlapping)) => {
            (report.closed, report.overlapping_voxels) = (true, overlapping);
            Shape::Closed(rows)
        }
        None => Shape::Open(Box::new(Mended::new(&soup, size, spacing_mm, rule, report))),
    }
}

/// Returns the crossings, and how many voxels are wound around more than once, when the surface is closed under the rule.
fn exact(soup: &Soup, size: [usize; 3], rule: Rule) -> Option<(Rows, usize)> {
    let Closure { even, balanced } = closure(soup);
    let closed = if rule == Rule::EvenOdd { even } else { balanced };
    closed.then(|| {
        let rows = Rows::of(soup, &soup.triangles, size);
        let overlapping = (0..rows.count())
            .into_par_iter()
            .with_min_len(256)
            .map(|row| {
                let mut overlapping = 0;
                rows.runs(row, |from, to, winding| {
                    overlapping += if winding.abs() > 1 { to - from } else { 0 };
                });
                overlapping
            })
            .sum();
        (rows, overlapping)
    })
}

/// Returns 1 for the voxels that the crossings put inside.
fn marks(rows: &Rows, size: [usize; 3], rule: Rule) -> Vec<u8> {
    let mut label = vec![0_u8; size.iter().product()];
    label.par_chunks_mut(size[0]).enumerate().with_min_len(256).for_each(|(row, label)| {
        rows.runs(row, |from, to, winding| {
            if rule.inside(winding) {
                label[from..to].fill(1);
            }
        });
    });
    label
}

#[cfg(test)]
mod tests;
