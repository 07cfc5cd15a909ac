//! A mesh made ready to be drawn: broken triangles left out, equal vertices joined, normals averaged.

use rayon::prelude::*;

use crate::{
    mesh::{Mesh, bvh::Bvh},
    space::DVec3,
};

/// A mesh with one smooth normal a vertex.
pub(super) struct Solid {
    pub mesh: Mesh,
    /// Unit normals, area-weighted over the triangles of a vertex; zero for a vertex without area.
    pub normals: Vec<DVec3>,
    /// Vertex of this solid for each vertex of the mesh as given, `u32::MAX` for those left out.
    pub from_given: Vec<u32>,
}

impl Solid {
    pub(super) fn new(given: &Mesh) -> Self {
        let (vertices, from_given) = joined(&given.vertices);
        let known = |v: &u32| from_given.get(*v as usize).is_some_and(|&to| to != u32::MAX);
        let whole = given.triangles.iter().filter(|triangle| triangle.iter().all(known));
        let triangles: Vec<[u32; 3]> = whole.map(|triangle| triangle.map(|v| from_given[v as usize])).collect();
        let mesh = Mesh { vertices, triangles };
        Self { normals: normals(&mesh), mesh, from_given }
    }

    /// Returns the signed distance of each vertex from a reference, mm: positive outside it.
    ///
    /// The side is told by the reference's smooth normal at the nearest point.
    pub(super) fn deviation_mm(&self, reference: &Self) -> Vec<f64> {
        let tree = Bvh::new(&reference.mesh);
        let signed = |&p: &DVec3| {
            let Some(hit) = tree.closest(p) else { return f64::NAN };
            let normal = reference.normal_at(hit.triangle, hit.point);
            if normal.dot(p - hit.point) < 0.0 { -hit.distance_mm } else { hit.distance_mm }
        };
        self.mesh.vertices.par_iter().map(signed).collect()
    }

    /// Returns the smooth normal at a point of a triangle, not of unit length.
    fn normal_at(&self, triangle: usize, point: DVec3) -> DVec3 {
        let [a, b, c] = self.mesh.corners(triangle);
        let face = (b - a).cross(c - a);
        let square = face.length_squared();
        if square == 0.0 {
            return face;
        }
        let weight_b = (point - a).cross(c - a).dot(face) / square;
        let weight_c = (b - a).cross(point - a).dot(face) / square;
        let [na, nb, nc] = self.mesh.triangles[triangle].map(|v| self.normals[v as usize]);
        na * (1.0 - weight_b - weight_c) + nb * weight_b + nc * weight_c
    }
}

/// Returns the different finite positions, and which of them each given one is.
fn joined(given: &[DVec3]) -> (Vec<DVec3>, Vec<u32>) {
    // Adding zero makes -0 and +0 one.
    let key = |p: &DVec3| p.to_array().map(|v| (v + 0.0).to_bits());
    let finite = given.iter().enumerate().filter(|(_, p)| p.is_finite());
    let mut sorted: Vec<([u64; 3], u32)> = finite.map(|(at, p)| (key(p), at as u32)).collect();
    sorted.par_sort_unstable();
    let mut vertices = Vec::new();
    let mut from_given = vec![u32::MAX; given.len()];
    let mut last = None;
    for (key, at) in sorted {
        if last != Some(key) {
            vertices.push(given[at as usize]);
            last = Some(key);
        }
        from_given[at as usize] = vertices.len() as u32 - 1;
    }
    (vertices, from_given)
}

fn normals(mesh: &Mesh) -> Vec<DVec3> {
    let mut sums = vec![DVec3::ZERO; mesh.vertices.len()];
    for (t, triangle) in mesh.triangles.iter().enumerate() {
        let [a, b, c] = mesh.corners(t);
        let twice_area = (b - a).cross(c - a);
        triangle.iter().for_each(|&v| sums[v as usize] += twice_area);
    }
    sums.into_iter().map(|sum| if sum.length_squared() > 0.0 { sum / sum.length() } else { DVec3::ZERO }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit cube as a soup of separate triangles.
    fn cube(side: f64) -> Mesh {
        let corner = |i: u32| DVec3::new(f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2 & 1)) * side;
        let faces = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
        let soup = faces.into_iter().flat_map(|[a, b, c, d]| [a, b, c, a, c, d].map(corner));
        let vertices: Vec<DVec3> = soup.collect();
        Mesh { triangles: (0..12).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect(), vertices }
    }

    #[test]
    fn a_soup_is_joined_and_its_normals_point_out() {
        let solid = Solid::new(&cube(2.0));
        assert_eq!(solid.mesh.vertices.len(), 8);
        assert!(solid.mesh.volume_mm3() > 0.0);
        let out = |(p, n): (&DVec3, &DVec3)| (*p - DVec3::ONE).dot(*n) > 0.9;
        assert!(solid.mesh.vertices.iter().zip(&solid.normals).all(out));
    }

    #[test]
    fn deviation_is_positive_outside() {
        let (small, large) =
            (cube(2.0), cube(4.0).moved(&crate::space::Rigid::about(DVec3::ZERO, DVec3::ZERO, -DVec3::ONE)));
        let (small, large) = (Solid::new(&small), Solid::new(&large));
        let all = |values: Vec<f64>, expected: f64| values.iter().all(|v| (v - expected).abs() < 1e-12);
        assert!(all(large.deviation_mm(&small), 3.0_f64.sqrt()), "corner to corner");
        assert!(all(small.deviation_mm(&large), -1.0), "corner to the nearest face");
    }

    #[test]
    fn broken_parts_are_left_out() {
        let mut mesh = cube(1.0);
        mesh.vertices[0] = DVec3::NAN;
        mesh.triangles.push([1, 2, 4_000_000]);
        let solid = Solid::new(&mesh);
        assert_eq!(solid.mesh.triangles.len(), 11);
        assert_eq!(solid.from_given[0], u32::MAX);
        assert!(Solid::new(&Mesh::default()).deviation_mm(&solid).is_empty());
    }
}
