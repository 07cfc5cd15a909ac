//! The vertices of the mesh as it was, each kept at the triangle that lies nearest to it now.
//!
//! What a collapse changes are the triangles around one edge. So if every old vertex kept there finds a new triangle within
//! the tolerance, and this held before, then all old vertices are within the tolerance of the surface afterwards.

use crate::{
    mesh::{Mesh, bvh::closest_on_triangle},
    space::DVec3,
};

const END: u32 = u32::MAX;

/// Old vertices by triangle, as lists.
pub(super) struct Nearby {
    tolerance2: f64,
    places: Vec<DVec3>,
    first: Vec<u32>,
    next: Vec<u32>,
    /// Vertices of the triangles that a collapse replaces, and the triangle that each will go to.
    moving: Vec<(u32, u32)>,
}

impl Nearby {
    /// Returns the old vertices, each at the first triangle that uses it.
    pub(super) fn of(mesh: &Mesh, tolerance_mm: f64) -> Self {
        let mut nearby = Self {
            tolerance2: tolerance_mm * tolerance_mm,
            places: mesh.vertices.clone(),
            first: vec![END; mesh.triangles.len()],
            next: vec![END; mesh.vertices.len()],
            moving: Vec::new(),
        };
        let mut placed = vec![false; mesh.vertices.len()];
        for (t, triangle) in mesh.triangles.iter().enumerate() {
            for &v in triangle {
                if !std::mem::replace(&mut placed[v as usize], true) {
                    nearby.put(v, t as u32);
                }
            }
        }
        nearby
    }

    fn put(&mut self, vertex: u32, triangle: u32) {
        self.next[vertex as usize] = self.first[triangle as usize];
        self.first[triangle as usize] = vertex;
    }

    /// Returns whether every vertex kept at the old triangles is within the tolerance of a new one. `new` holds the
    /// triangles that stay, with the corners they would have; ties go to the first.
    pub(super) fn fits(&mut self, old: impl Iterator<Item = u32>, new: &[(u32, [DVec3; 3])]) -> bool {
        self.moving.clear();
        for triangle in old {
            let mut vertex = self.first[triangle as usize];
            while vertex != END {
                let p = self.places[vertex as usize];
                let mut best = (f64::INFINITY, END);
                for &(number, corners) in new {
                    let distance2 = closest_on_triangle(p, &corners).0.distance_squared(p);
                    if distance2 < best.0 {
                        best = (distance2, number);
                    }
                }
                if best.0.is_nan() || best.0 > self.tolerance2 {
                    return false;
                }
                self.moving.push((vertex, best.1));
                vertex = self.next[vertex as usize];
            }
        }
        true
    }

    /// Moves the vertices that the last call of [`Self::fits`] found new triangles for.
    pub(super) fn accept(&mut self, old: impl Iterator<Item = u32>) {
        old.for_each(|triangle| self.first[triangle as usize] = END);
        for (vertex, triangle) in std::mem::take(&mut self.moving) {
            self.put(vertex, triangle);
        }
    }
}
