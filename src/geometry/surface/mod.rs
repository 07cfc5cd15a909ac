//! Iso-surface of a volume as a closed, oriented, 2-manifold mesh: marching cubes with one vertex a cut grid edge.
//!
//! ```text
//! values ──▶ lattice (one bit a point) ──▶ counts a row, prefix sums ──▶ vertices, triangles, each written in place
//! ```
//! Vertices are shared by grid edge and never welded by position; every face is cut by a rule that sees the face alone
//! (`cases`); so with a capped border the mesh is closed, oriented and 2-manifold for any values. That is proven case by
//! case over all 256 cells (`proof`), and vertices stay apart in single precision too (`clearance`), so the same holds
//! after a round trip through STL. No two triangles cross. Numbering follows memory order: the same bytes for any number of threads.
//!
//! # Which topology
//! Where a face has inside corners on one diagonal only, the values do not say whether they are joined. We always keep
//! them apart, and follow that choice through the cell's inside: the object is the 6-connected foreground, and the mesh's
//! Euler number is exactly twice the object's, for any values. The asymptotic decider (Nielson and Hamann 1991) and the
//! interior test of MC33 (Chernyaev 1995) would follow the trilinear interpolant instead. We do not use them because
//! 1. the surface is compared with labels, and labels are counted, cleaned and measured as 6-connected voxels
//!    ([`components`](super::components)): with one rule for both, pieces of the label are pieces of the mesh, a filter on
//!    one is a filter on the other, and a probability cut at 0.5 has the topology of its own mask;
//! 2. the choice moves no vertex. Only the triangles of the ambiguous cells differ, by a fraction of a cell, and there the
//!    scan itself does not say where the surface runs;
//! 3. on a binary label every ambiguous face is a tie, and a tie must separate the foreground, so the decider would act on
//!    probabilities only, and the two routes of a study would differ by a rule instead of by their data;
//! 4. the interpolant's saddle takes a product of four values, whose sign in floating point needs care to be the same from
//!    both cells and on every machine; the separating rule needs none.

mod cases;
mod clearance;
mod field;
mod lattice;
mod march;
mod slots;

#[cfg(test)]
mod proof;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod tests;

use field::{AtLeast, Field, NonZero};
use lattice::Lattice;
use march::{Values, Winding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    mesh::Mesh,
    space::{DVec3, Grid},
    volume::Volume,
};

/// What lies beyond the outermost voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Outside: the object ends half a voxel beyond its outermost voxel centres, and the mesh is closed.
    Cap,
    /// Unknown: the surface ends at the outermost voxel centres, open where the object goes on.
    Open,
}

/// Returns the surface around the voxels whose value is at least `iso`, LPS mm, normals outwards.
///
/// Vertices lie on grid edges where the linearly interpolated value equals `iso`, but never within a thousandth of the
/// edge of its ends (more for grids several metres from the origin, see `clearance`). A value that is not a number is
/// outside, and its edges are cut in the middle; next to an infinite value the surface lies at the finite end. Works on
/// left-handed grids.
///
/// Source: Lorensen and Cline 1987, with a table of our own. Cost: one pass to classify, then only cut cells.
#[must_use]
pub fn isosurface(values: &Volume<f32>, iso: f64, border: Border) -> Mesh {
    surface_of(&values.grid, &values.data, border, &AtLeast::new(iso))
}

/// Returns the surface around the non-zero voxels of a label, half way between voxels; see [`isosurface`].
#[must_use]
pub fn label_surface(label: &Volume<u8>, border: Border) -> Mesh {
    surface_of(&label.grid, &label.data, border, &NonZero)
}

/// Returns, for each vertex of a surface cut from a grid, whether it lies beyond the outermost voxel centres: on the cap
/// that closes the mesh where the scan ends, which is no anatomy.
#[must_use]
pub fn on_cap(mesh: &Mesh, grid: &Grid) -> Vec<bool> {
    // a cap lies half a voxel out; a quarter tells it from rounding
    const BEYOND: f64 = 0.25;
    let voxel_from_world = grid.voxel_from_world();
    let last = DVec3::from_array(grid.size.map(|n| (n - 1) as f64));
    let beyond = |p: DVec3| {
        let voxel = voxel_from_world.transform_point3(p);
        voxel.min_element() < -BEYOND || (voxel - last).max_element() > BEYOND
    };
    mesh.vertices.iter().map(|&p| beyond(p)).collect()
}

fn surface_of<F: Field>(grid: &Grid, data: &[F::Value], border: Border, field: &F) -> Mesh {
    let lattice = Lattice::new(data, grid.size, border, field);
    let numbering = lattice.number();
    let world_from_voxel = grid.world_from_voxel();
    let winding = if world_from_voxel.matrix3.determinant() > 0.0 { Winding::Kept } else { Winding::Reversed };
    let values = Values { data, field, world_from_voxel, clearance: clearance::clearance(grid, lattice.pad) };
    let (vertices, triangles) = rayon::join(
        || march::vertices(&lattice, &numbering, &values),
        || march::triangles(&lattice, &numbering, winding),
    );
    Mesh { vertices, triangles }
}
