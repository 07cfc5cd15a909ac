//! Shapes for tests, here and in the modules above.

use super::Mesh;
use crate::space::DVec3;

/// A closed box of twelve triangles.
pub(crate) fn cuboid(low: DVec3, high: DVec3) -> Mesh {
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

/// Two meshes as one.
pub(crate) fn both(mut one: Mesh, other: Mesh) -> Mesh {
    let first = one.vertices.len() as u32;
    one.vertices.extend(other.vertices);
    one.triangles.extend(other.triangles.iter().map(|triangle| triangle.map(|v| v + first)));
    one
}
