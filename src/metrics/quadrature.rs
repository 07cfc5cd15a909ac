//! Small pieces that cover a surface: one sample each, weighted by area, so that tessellation does not matter.

use rayon::prelude::*;

use crate::{mesh::Mesh, numeric::tree_sum, space::DVec3};

/// Longest edge of a piece, mm, unless the surface is so large that this would make more than [`MOST_PIECES`].
const LONGEST_MM: f64 = 2.0;
/// Roughly the most pieces that large triangles are cut into.
const MOST_PIECES: f64 = 1_048_576.0;
/// Most times a triangle is halved: a guard for edges that do not get shorter.
const MOST_HALVINGS: u32 = 48;

/// A piece of a triangle of the mesh.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) corners: [DVec3; 3],
    pub(super) triangle: u32,
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

    /// Returns the four halves-by-edge; the last, in the middle, has the centroid of the whole.
    pub(super) fn quarters(&self) -> [Self; 4] {
        let [a, b, c] = self.corners;
        let (ab, bc, ca) = (0.5 * (a + b), 0.5 * (b + c), 0.5 * (c + a));
        [[a, ab, ca], [ab, b, bc], [ca, bc, c], [bc, ca, ab]].map(|corners| Self { corners, ..*self })
    }

    /// Calls `give` with pieces no longer than `longest_mm`, by halving the longest edge: slivers stay few.
    fn halve(&self, longest_mm: f64, left: u32, give: &mut impl FnMut(Self)) {
        let squared = |i: usize| self.corners[i].distance_squared(self.corners[(i + 1) % 3]);
        let i = (1..3).fold(0, |best, i| if squared(i) > squared(best) { i } else { best });
        if left == 0 || squared(i) <= longest_mm * longest_mm {
            return give(*self);
        }
        let [from, to, apex] = [0, 1, 2].map(|k| self.corners[(i + k) % 3]);
        let middle = 0.5 * (from + to);
        for corners in [[from, middle, apex], [middle, to, apex]] {
            Self { corners, ..*self }.halve(longest_mm, left - 1, give);
        }
    }
}

/// Returns the pieces of a range of triangles, in order. Triangles without area, or with a missing or non-finite corner,
/// have none.
pub(super) fn pieces(mesh: &Mesh, triangles: std::ops::Range<usize>, longest_mm: f64) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(triangles.len());
    for triangle in triangles {
        let Some(corners) = finite_corners(mesh, triangle) else { continue };
        let whole = Piece { corners, triangle: triangle as u32 };
        let area_mm2 = whole.area_mm2();
        if area_mm2 > 0.0 && area_mm2.is_finite() {
            whole.halve(longest_mm, MOST_HALVINGS, &mut |piece| pieces.push(piece));
        }
    }
    pieces
}

/// Returns the longest edge that pieces of this surface may have, mm.
pub(super) fn longest_mm(mesh: &Mesh) -> f64 {
    LONGEST_MM.max((area_mm2(mesh) / MOST_PIECES).sqrt())
}

/// Returns the area of the triangles that can be measured, mm².
pub(super) fn area_mm2(mesh: &Mesh) -> f64 {
    let area = |triangle| finite_corners(mesh, triangle).map(|corners| Piece { corners, triangle: 0 }.area_mm2());
    let areas: Vec<f64> =
        (0..mesh.triangles.len()).into_par_iter().map(|t| area(t).filter(|a| a.is_finite()).unwrap_or(0.0)).collect();
    tree_sum(&areas)
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

    /// A closed box of twelve triangles.
    pub(in crate::metrics) fn cuboid(low: DVec3, high: DVec3) -> Mesh {
        let corner = |i: u32| {
            let pick = |bit: u32, low: f64, high: f64| if i >> bit & 1 == 1 { high } else { low };
            DVec3::new(pick(0, low.x, high.x), pick(1, low.y, high.y), pick(2, low.z, high.z))
        };
        let quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
        Mesh {
            vertices: (0..8).map(corner).collect(),
            triangles: quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect(),
        }
    }

    /// A sphere: an octahedron whose triangles are split `levels` times, vertices on the sphere.
    pub(in crate::metrics) fn sphere(centre: DVec3, radius: f64, levels: u32) -> Mesh {
        let axes = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z];
        let octants = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
        let mut mesh = Mesh::default();
        for octant in octants {
            let mut parts = vec![Piece { corners: octant.map(|i: usize| axes[i]), triangle: 0 }];
            for _ in 0..levels {
                parts = parts.iter().flat_map(Piece::quarters).collect();
            }
            for part in parts {
                let first = mesh.vertices.len() as u32;
                mesh.vertices.extend(part.corners.map(|p| centre + p.normalize() * radius));
                mesh.triangles.push([first, first + 1, first + 2]);
            }
        }
        mesh
    }
}

#[cfg(test)]
mod tests {
    use super::{shapes::*, *};

    #[test]
    fn pieces_cover_the_surface_and_are_small() {
        let mesh = cuboid(DVec3::ZERO, DVec3::new(10.0, 7.0, 0.01));
        let pieces = pieces(&mesh, 0..12, 2.0);
        let area: f64 = pieces.iter().map(Piece::area_mm2).sum();
        assert!((area - (140.0 + 0.34)).abs() < 1e-9, "{area}");
        let longest = pieces.iter().flat_map(|p| (0..3).map(|i| p.corners[i].distance(p.corners[(i + 1) % 3])));
        assert!(longest.fold(0.0, f64::max) <= 2.0);
        let on_slivers = pieces.iter().filter(|p| p.triangle >= 4).count();
        assert!(on_slivers < 200, "a sliver is cut across only: {on_slivers}");
    }

    #[test]
    fn a_surface_in_the_wrong_unit_does_not_fill_the_memory() {
        let mesh = cuboid(DVec3::ZERO, DVec3::splat(2e5));
        assert!(pieces(&mesh, 0..12, longest_mm(&mesh)).len() < 20_000_000);
    }
}
