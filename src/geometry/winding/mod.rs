//! The generalised winding number: how often a surface that need not be closed winds around a point.
//!
//! ```text
//!  w(p) = (solid angle of all triangles seen from p) / 4 pi         Jacobson, Kavan and Sorkine-Hornung, SIGGRAPH 2013
//!
//!    ______            ______
//!   /      \          /      \          an open surface = the same surface with its rims spanned, which winds a whole
//!  |  S     .   =    |  S+C   |  -  C   number of times around every point, minus the spans C, whose share is small
//!   \______/          \______/          beside the whole and, away from the rims, next to nothing
//! ```
//! So what is summed is not the millions of triangles of the surface but the spans of its rims ([`Spans`]), in a hierarchy
//! in which a far part counts as one dipole (Barill et al., *Fast winding numbers for soups and clouds*, 2018), here with a
//! bound on what that neglects. [`of_triangles`] is the plain sum.

mod solid_angle;
mod spans;

pub(crate) use solid_angle::share;
pub(crate) use spans::Spans;

use crate::{mesh::Mesh, numeric::tree_sum, space::DVec3};

/// Returns the generalised winding number of a mesh at a point: 1 inside a closed outward-facing surface, 0 outside, in
/// between near a hole. The plain sum over all triangles; of no meaning on the surface itself.
#[must_use]
pub fn of_triangles(mesh: &Mesh, p: DVec3) -> f64 {
    let shares: Vec<f64> =
        (0..mesh.triangles.len()).map(|t| share(&mesh.corners(t).map(|corner| corner - p), || 0)).collect();
    tree_sum(&shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tetrahedron_winds_once_around_its_inside() {
        let vertices = vec![DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::Z];
        let mesh = Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] };
        let at = |p: DVec3| of_triangles(&mesh, p);
        assert!((at(DVec3::splat(0.1)) - 1.0).abs() < 1e-12);
        assert!(at(DVec3::splat(0.5)).abs() < 1e-12 && at(DVec3::splat(-0.1)).abs() < 1e-12);
        // without the slanted face a point far off on the diagonal sees an octant's worth of hole
        let open = Mesh { triangles: mesh.triangles[..3].to_vec(), ..mesh };
        let far = DVec3::splat(-1e-9);
        assert!((of_triangles(&open, far) + 0.125).abs() < 1e-6);
    }
}
