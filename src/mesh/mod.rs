//! Triangles in the world: LPS millimetres, counter-clockwise seen from outside.

pub mod bvh;
pub mod check;
pub mod components;
pub(crate) mod edges;
mod exact;
pub mod examine;
pub(crate) mod forest;
pub mod intersect;
pub mod repair;
#[cfg(test)]
pub(crate) mod shapes;
pub mod thickness;

use crate::space::{DVec3, Rigid};

/// An indexed triangle mesh. Vertices are LPS mm; normals point outwards on a well-oriented closed mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh {
    /// Vertex positions, LPS mm.
    pub vertices: Vec<DVec3>,
    /// Three vertex indices a triangle, counter-clockwise from outside.
    pub triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// Returns the three corners of a triangle.
    #[must_use]
    pub fn corners(&self, triangle: usize) -> [DVec3; 3] {
        self.triangles[triangle].map(|v| self.vertices[v as usize])
    }

    /// Returns the mesh after a rigid motion.
    #[must_use]
    pub fn moved(&self, motion: &Rigid) -> Self {
        Self { vertices: self.vertices.iter().map(|&p| motion.apply(p)).collect(), triangles: self.triangles.clone() }
    }

    /// Returns the smallest and largest corner of the bounding box, or nothing for an empty mesh.
    #[must_use]
    pub fn bounds_mm(&self) -> Option<(DVec3, DVec3)> {
        let first = *self.vertices.first()?;
        Some(self.vertices.iter().fold((first, first), |(low, high), &p| (low.min(p), high.max(p))))
    }

    /// Returns the surface area, mm².
    #[must_use]
    pub fn area_mm2(&self) -> f64 {
        (0..self.triangles.len())
            .map(|t| {
                let [a, b, c] = self.corners(t);
                0.5 * (b - a).cross(c - a).length()
            })
            .sum()
    }

    /// Returns the enclosed volume, mm³: positive when normals point outwards (divergence theorem).
    #[must_use]
    pub fn volume_mm3(&self) -> f64 {
        let about = self.vertices.first().copied().unwrap_or(DVec3::ZERO);
        (0..self.triangles.len())
            .map(|t| {
                let [a, b, c] = self.corners(t).map(|p| p - about);
                a.dot(b.cross(c)) / 6.0
            })
            .sum()
    }
}
