//! Small pieces that cover a surface, weighted by area, so that tessellation does not matter.

use rayon::prelude::*;

use crate::{mesh::Mesh, numeric::tree_sum, space::DVec3};

/// Largest product of a piece's share of the area and its size, mm: what one unlucky sample may add to a mean.
const SHARE_MM: f64 = 3e-6;
/// Roughly the most pieces that large triangles are cut into.
const MOST_PIECES: f64 = 1_048_576.0;
/// Most times a triangle is halved: a guard for edges that do not get shorter.
pub(super) const MOST_HALVINGS: u32 = 48;

/// A piece of a triangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) corners: [DVec3; 3],
}

impl Piece {
    pub(super) fn centroid(&self) -> DVec3 {
        let [a, b, c] = self.corners;
        (a + b + c) / 3.0
    }

    pub(super) fn area_mm2(&self) -> f64 {
        let [a, b, c] = self.corners;
        0.5 * (b - a).cross(c - a).length()
    }

    /// Returns the number of the longest edge, and its length: edge i goes from corner i to the next.
    pub(super) fn longest(&self) -> (usize, f64) {
        let squared = |i: usize| self.corners[i].distance_squared(self.corners[(i + 1) % 3]);
        let i = (1..3).fold(0, |best, i| if squared(i) > squared(best) { i } else { best });
        (i, squared(i).sqrt())
    }

    /// Returns the middles of the edges.
    pub(super) fn middles(&self) -> [DVec3; 3] {
        [0, 1, 2].map(|i| 0.5 * (self.corners[i] + self.corners[(i + 1) % 3]))
    }
}

/// Returns how much a linear function between the corners of a piece and the distance itself can differ, for corners that
/// have the right value, as a share of the longest edge.
///
/// The distance changes by at most the way one goes, so at barycentric λ they differ by at most Σ λi |x - vi| <=
/// sqrt(Σ λi |x - vi|²) = sqrt(Σ λi λj |vi - vj|²) <= longest / sqrt(3).
pub(super) const BEND: f64 = 0.577_350_269_189_626;

/// Returns the largest product of area and longest edge that a piece of a surface of this area may have, mm³.
pub(super) fn largest_mm3(area_mm2: f64) -> f64 {
    let piece_mm2 = area_mm2 / MOST_PIECES;
    (SHARE_MM / BEND * area_mm2).max(1.5 * piece_mm2 * piece_mm2.sqrt())
}

/// Returns the area of the triangles that can be measured, mm².
pub(super) fn area_mm2(mesh: &Mesh) -> f64 {
    let area = |triangle| finite_corners(mesh, triangle).map(|corners| Piece { corners }.area_mm2());
    let areas: Vec<f64> =
        (0..mesh.triangles.len()).into_par_iter().map(|t| area(t).filter(|a| a.is_finite()).unwrap_or(0.0)).collect();
    tree_sum(&areas)
}

/// Returns a triangle as one piece when it has area; triangles with a missing or non-finite corner have none.
pub(super) fn whole(mesh: &Mesh, triangle: usize) -> Option<Piece> {
    let piece = Piece { corners: finite_corners(mesh, triangle)? };
    let area_mm2 = piece.area_mm2();
    (area_mm2 > 0.0 && area_mm2.is_finite()).then_some(piece)
}

fn finite_corners(mesh: &Mesh, triangle: usize) -> Option<[DVec3; 3]> {
    let corner = |v: u32| mesh.vertices.get(v as usize).copied().filter(|p| p.is_finite());
    let [a, b, c] = mesh.triangles[triangle];
    Some([corner(a)?, corner(b)?, corner(c)?])
}

/// Shapes with known distances, for the tests of this module and its neighbours.
#[cfg(test)]
pub(super) mod shapes {
    use super::*;
    pub(in crate::metrics) use crate::mesh::shapes::{both, cuboid};

    /// A sphere: an octahedron whose triangles are split `levels` times, vertices on the sphere.
    pub(in crate::metrics) fn sphere(centre: DVec3, radius: f64, levels: u32) -> Mesh {
        let axes = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z];
        let octants = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
        let octahedron = Mesh { vertices: axes.to_vec(), triangles: octants.to_vec() };
        let mut mesh = finer(&octahedron, levels);
        mesh.vertices.iter_mut().for_each(|p| *p = centre + p.normalize() * radius);
        mesh
    }

    /// Every triangle in four, and again; corners are not shared.
    pub(in crate::metrics) fn finer(mesh: &Mesh, times: u32) -> Mesh {
        let mut finer = Mesh::default();
        for t in 0..mesh.triangles.len() {
            let mut parts = vec![mesh.corners(t)];
            for _ in 0..times {
                parts = parts.iter().flat_map(quarters).collect();
            }
            for part in parts {
                let first = finer.vertices.len() as u32;
                finer.vertices.extend(part);
                finer.triangles.push([first, first + 1, first + 2]);
            }
        }
        finer
    }

    fn quarters(corners: &[DVec3; 3]) -> [[DVec3; 3]; 4] {
        let [a, b, c] = *corners;
        let [ab, bc, ca] = Piece { corners: *corners }.middles();
        [[a, ab, ca], [ab, b, bc], [ca, bc, c], [bc, ca, ab]]
    }
}
