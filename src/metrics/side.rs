//! On which side of a surface a point lies.
//!
//! The sign is that of the angle-weighted pseudo-normal at the nearest point (Bærentzen and Aanæs 2005): exact for closed,
//! consistently oriented surfaces, and local where a surface has holes, unlike counting the crossings of a ray. Corners at
//! exactly the same place count as one vertex. Closed surfaces wound inside out are recognised by their negative volume.

use rayon::prelude::*;

use crate::{
    mesh::{
        Mesh,
        bvh::{Feature, closest_on_triangle},
    },
    space::DVec3,
};

/// The triangles around each vertex, ready to ask for sides.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    mesh: &'a Mesh,
    /// Vertex -> the first vertex at the same place.
    same: Vec<u32>,
    /// Vertex -> where its triangles begin in `around`; one more at the end.
    starts: Vec<u32>,
    around: Vec<u32>,
    outwards: f64,
}

impl<'a> Sides<'a> {
    pub(super) fn new(mesh: &'a Mesh) -> Self {
        let same = first_at_same_place(&mesh.vertices);
        let valid = |triangle: &[u32; 3]| triangle.iter().all(|&v| (v as usize) < same.len());
        let mut starts = vec![0_u32; same.len() + 1];
        for v in mesh.triangles.iter().filter(|t| valid(t)).flatten() {
            starts[same[*v as usize] as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut around = vec![0_u32; starts.last().map_or(0, |&n| n as usize)];
        for (t, triangle) in mesh.triangles.iter().enumerate().filter(|(_, t)| valid(t)) {
            for &v in triangle {
                let at = &mut next[same[v as usize] as usize];
                around[*at as usize] = t as u32;
                *at += 1;
            }
        }
        let outwards = if mesh.triangles.iter().all(valid) && mesh.volume_mm3() < 0.0 { -1.0 } else { 1.0 };
        Self { mesh, same, starts, around, outwards }
    }

    /// Returns whether `p`, to which this triangle is the nearest, lies outside. A point on the surface counts as outside.
    pub(super) fn is_outside(&self, p: DVec3, nearest: usize) -> bool {
        let (point, feature) = closest_on_triangle(p, &self.mesh.corners(nearest));
        self.outwards * (p - point).dot(self.normal(nearest, feature)) >= 0.0
    }

    /// Returns the normal, of any length, of one part of a triangle.
    fn normal(&self, nearest: usize, feature: Feature) -> DVec3 {
        let triangle = self.mesh.triangles[nearest].map(|v| self.same[v as usize]);
        match feature {
            Feature::Face => self.face_normal(nearest),
            Feature::Edge(i) => {
                let [from, to] = [triangle[i], triangle[(i + 1) % 3]];
                let on_edge = |&&t: &&u32| self.mesh.triangles[t as usize].iter().any(|&v| self.same[v as usize] == to);
                self.star(from).iter().filter(on_edge).fold(DVec3::ZERO, |sum, &t| sum + self.face_normal(t as usize))
            }
            Feature::Corner(i) => self.star(triangle[i]).iter().fold(DVec3::ZERO, |sum, &t| {
                sum + self.face_normal(t as usize) * self.angle_at(t as usize, triangle[i])
            }),
        }
    }

    fn star(&self, vertex: u32) -> &[u32] {
        let v = vertex as usize;
        &self.around[self.starts[v] as usize..self.starts[v + 1] as usize]
    }

    fn face_normal(&self, triangle: usize) -> DVec3 {
        let [a, b, c] = self.mesh.corners(triangle);
        (b - a).cross(c - a).normalize_or_zero()
    }

    fn angle_at(&self, triangle: usize, vertex: u32) -> f64 {
        let at = self.mesh.triangles[triangle].iter().position(|&v| self.same[v as usize] == vertex).unwrap_or(0);
        let corners = self.mesh.corners(triangle);
        let (one, two) = (corners[(at + 1) % 3] - corners[at], corners[(at + 2) % 3] - corners[at]);
        libm::atan2(one.cross(two).length(), one.dot(two))
    }
}

/// Returns for each vertex the first one at exactly the same place.
pub(super) fn first_at_same_place(vertices: &[DVec3]) -> Vec<u32> {
    let key = |&v: &u32| vertices[v as usize].to_array().map(|x| (x + 0.0).to_bits());
    // Sorted by x first, which is at hand: the other coordinates are looked up only where x is the same.
    let mut order: Vec<(u64, u32)> = (0..vertices.len() as u32).map(|v| (key(&v)[0], v)).collect();
    order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(&a.1).cmp(&key(&b.1))).then(a.1.cmp(&b.1)));
    let order: Vec<u32> = order.into_iter().map(|(_, v)| v).collect();
    let mut same = vec![0_u32; vertices.len()];
    let mut first = 0;
    for (at, v) in order.iter().enumerate() {
        if at == 0 || key(v) != key(&order[at - 1]) {
            first = *v;
        }
        same[*v as usize] = first;
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mesh::bvh::Bvh, metrics::quadrature::shapes::cuboid, numeric::Seed};

    fn check(mesh: &Mesh) {
        let (sides, bvh) = (Sides::new(mesh), Bvh::new(mesh));
        let mut stream = Seed([9; 32]).stream("sides", 0);
        for _ in 0..2000 {
            let p = DVec3::new(stream.between(-2.0, 2.0), stream.between(-2.0, 2.0), stream.between(-2.0, 2.0));
            let hit = bvh.closest(p).unwrap();
            assert_eq!(sides.is_outside(p, hit.triangle), p.abs().max_element() > 1.0, "{p}");
        }
    }

    #[test]
    fn a_box_knows_its_inside_also_unwelded_and_inside_out() {
        let welded = cuboid(DVec3::splat(-1.0), DVec3::ONE);
        check(&welded);
        let corners = welded.triangles.iter().flatten().map(|&v| welded.vertices[v as usize]).collect();
        let triangles = (0..welded.triangles.len() as u32).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect();
        let mut soup = Mesh { vertices: corners, triangles };
        check(&soup);
        soup.triangles.iter_mut().for_each(|t| t.swap(0, 1));
        check(&soup);
    }
}
