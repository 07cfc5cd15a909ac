//! How thick a closed mesh is below a point of its surface.

use super::{Mesh, bvh::Bvh};
use crate::space::DVec3;

/// Where the ray begins below the surface, mm: behind its own triangle and those that share its corners.
const BELOW_MM: f64 = 1e-6;

/// A mesh, ready to be asked how thick it is.
#[derive(Debug)]
pub struct Walls {
    bvh: Bvh,
    /// A mesh wound inside out has its inside on the other side.
    inwards: f64,
}

impl Walls {
    /// Makes a mesh ready.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        Self { bvh: Bvh::new(mesh), inwards: if mesh.volume_mm3() < 0.0 { 1.0 } else { -1.0 } }
    }

    /// Returns how far a ray from a point of the surface runs inside before it comes out again, mm: `normal` is the
    /// triangle's, of unit length, by its winding. Nothing when the ray never comes out, or has no direction.
    #[must_use]
    pub fn below_mm(&self, point: DVec3, normal: DVec3) -> Option<f64> {
        let into = normal * self.inwards;
        if into == DVec3::ZERO {
            return None;
        }
        Some(self.bvh.ray(point + into * BELOW_MM, into)?.t + BELOW_MM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::shapes::cuboid;

    #[test]
    fn a_plate_is_as_thick_as_it_is_and_an_open_sheet_has_no_thickness() {
        let mut plate = cuboid(DVec3::ZERO, DVec3::new(20.0, 20.0, 1.25));
        let (top, up) = (DVec3::new(7.0, 3.0, 1.25), DVec3::Z);
        let thick = |mesh: &Mesh, normal| Walls::new(mesh).below_mm(top, normal);
        assert!((thick(&plate, up).unwrap() - 1.25).abs() < 1e-9);
        assert_eq!(thick(&plate, DVec3::ZERO), None);
        plate.triangles.iter_mut().for_each(|triangle| triangle.swap(0, 1));
        assert!((thick(&plate, -up).unwrap() - 1.25).abs() < 1e-9, "wound inside out");
        let sheet = Mesh { triangles: vec![[0, 1, 2]], vertices: vec![DVec3::ZERO, DVec3::X * 9.0, DVec3::Y * 9.0] };
        assert_eq!(Walls::new(&sheet).below_mm(DVec3::new(1.0, 1.0, 0.0), DVec3::Z), None);
    }
}
