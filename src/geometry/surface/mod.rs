//! Iso-surface of a volume as a closed, oriented, 2-manifold mesh: marching cubes with one vertex a cut grid edge.
//!
//! ```text
//! values >= iso ──▶ lattice (one bit a point) ──▶ numbers of the cut edges ──▶ vertices, triangles
//! ```
//! Vertices are shared by grid edge and never welded by position; every face is cut by a rule that sees the face alone
//! ([`cases`]); so with a capped border the mesh is closed, oriented and 2-manifold for any values. The inside is the
//! 6-connected foreground: voxels that touch along an edge or at a corner only are kept apart, and the mesh's Euler number
//! is twice that of the object. Numbering follows memory order: the same bytes for any number of threads.

mod cases;
mod lattice;
mod march;

use lattice::Lattice;
use march::Winding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{mesh::Mesh, space::Grid, volume::Volume};

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
/// edge of its ends. Values that are not a number count as outside. Works on left-handed grids.
///
/// Source: Lorensen and Cline 1987, with a table of our own. Cost: one pass to classify, then only cut cells.
#[must_use]
pub fn isosurface(values: &Volume<f32>, iso: f64, border: Border) -> Mesh {
    surface_of(&values.grid, &values.data, border, |v| f64::from(v) >= iso, |v| f64::from(v) - iso)
}

/// Returns the surface around the non-zero voxels of a label, half way between voxels; see [`isosurface`].
#[must_use]
pub fn label_surface(label: &Volume<u8>, border: Border) -> Mesh {
    surface_of(&label.grid, &label.data, border, |v| v != 0, |v| if v == 0 { -0.5 } else { 0.5 })
}

fn surface_of<T: Copy + Sync>(
    grid: &Grid,
    data: &[T],
    border: Border,
    inside: impl Fn(T) -> bool + Sync,
    depth: impl Fn(T) -> f64 + Sync,
) -> Mesh {
    let lattice = Lattice::new(data, grid.size, border, inside);
    let (starts, count) = lattice.number();
    let world_from_voxel = grid.world_from_voxel();
    let winding = if world_from_voxel.matrix3.determinant() > 0.0 { Winding::Kept } else { Winding::Reversed };
    let (vertices, triangles) = rayon::join(
        || march::vertices(&lattice, data, &world_from_voxel, &depth),
        || march::triangles(&lattice, &starts, winding),
    );
    debug_assert_eq!(vertices.len(), count, "every cut edge has its vertex");
    Mesh { vertices, triangles }
}

#[cfg(test)]
mod tests;
