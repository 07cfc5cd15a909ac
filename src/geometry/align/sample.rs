//! Points spread evenly over the surface of a mesh.

use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::{DVec3, Rigid},
};

/// Points that are drawn from a mesh.
const POINTS: usize = 8192;

/// A point on the mesh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) position: DVec3,
    /// Unit normal of its triangle.
    pub(super) normal: DVec3,
}

/// The mesh as the alignment sees it: points in an order whose every beginning covers the whole surface.
#[derive(Clone, Debug)]
pub(super) struct Model {
    points: Vec<Point>,
    pub(super) centroid: DVec3,
    /// Root mean square distance of the surface from its centroid, mm.
    pub(super) radius_mm: f64,
}

impl Model {
    /// Draws the points, evenly by area.
    ///
    /// # Errors
    /// Unfit when the mesh has no area.
    pub(super) fn new(mesh: &Mesh) -> Result<Self> {
        let mut sums = Vec::with_capacity(mesh.triangles.len());
        let mut sum = 0.0;
        for triangle in 0..mesh.triangles.len() {
            sum += finite_corners(mesh, triangle).map_or(0.0, |[a, b, c]| 0.5 * (b - a).cross(c - a).length());
            sums.push(sum);
        }
        if !(sum > 0.0 && sum.is_finite()) {
            return Err(Fault::unfit("the mesh has no surface to align"));
        }
        let points: Vec<Point> = (0..POINTS as u64)
            .filter_map(|i| {
                // Bit reversal spreads every beginning of the sequence over all areas.
                let share = (reversed(i) * POINTS as f64 + 0.5) / POINTS as f64;
                let triangle = sums.partition_point(|&sum_to| sum_to <= share * sum).min(sums.len() - 1);
                point(finite_corners(mesh, triangle)?, i)
            })
            .collect();
        let n = points.len().max(1) as f64;
        let centroid = points.iter().fold(DVec3::ZERO, |sum, point| sum + point.position) / n;
        let square = points.iter().map(|point| point.position.distance_squared(centroid)).sum::<f64>() / n;
        Ok(Self { points, centroid, radius_mm: square.sqrt() })
    }

    /// Returns the first points: evenly spread, whatever their number.
    pub(super) fn points(&self, most: usize) -> &[Point] {
        &self.points[..self.points.len().min(most)]
    }

    /// Returns the mirror image across the plane through the centroid.
    pub(super) fn mirrored(&self) -> Self {
        let flip = DVec3::new(-1.0, 1.0, 1.0);
        let mirror = |point: &Point| Point {
            position: self.centroid + flip * (point.position - self.centroid),
            normal: flip * point.normal,
        };
        Self { points: self.points.iter().map(mirror).collect(), ..*self }
    }

    /// Returns how far two motions take the mesh apart, root mean square over its surface, mm.
    pub(super) fn apart_mm(&self, one: &Rigid, other: &Rigid) -> f64 {
        let points = self.points(64);
        let square = |point: &Point| one.apply(point.position).distance_squared(other.apply(point.position));
        (points.iter().map(square).sum::<f64>() / points.len().max(1) as f64).sqrt()
    }
}

fn finite_corners(mesh: &Mesh, triangle: usize) -> Option<[DVec3; 3]> {
    let corner = |v: u32| mesh.vertices.get(v as usize).copied().filter(|p| p.is_finite());
    let [a, b, c] = mesh.triangles[triangle];
    Some([corner(a)?, corner(b)?, corner(c)?])
}

/// Returns the i-th point of the additive recurrence with the two-dimensional golden ratio (Roberts 2018), folded into
/// the triangle.
fn point([a, b, c]: [DVec3; 3], i: u64) -> Option<Point> {
    const STEP: (f64, f64) = (0.754_877_666_246_692_7, 0.569_840_290_998_053_3);
    let (u, v) = ((STEP.0 * i as f64).fract(), (STEP.1 * i as f64).fract());
    let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
    let normal = (b - a).cross(c - a).try_normalize()?;
    Some(Point { position: a + (b - a) * u + (c - a) * v, normal })
}

/// Returns the number's bits mirrored at the binary point (van der Corput).
fn reversed(i: u64) -> f64 {
    (i.reverse_bits() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_spread_by_area_from_the_first_on() {
        // Two squares: one of area 3, one of area 1.
        let square =
            |x: f64, w: f64| [[x, 0.0], [x + w, 0.0], [x + w, 1.0], [x, 1.0]].map(|[x, y]| DVec3::new(x, y, 0.0));
        let mesh = Mesh {
            vertices: [square(0.0, 3.0), square(10.0, 1.0)].concat(),
            triangles: vec![[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]],
        };
        let model = Model::new(&mesh).unwrap();
        for n in [16, 256, 4096] {
            let left = model.points(n).iter().filter(|p| p.position.x < 5.0).count();
            assert!(left.abs_diff(n * 3 / 4) <= 1, "{left} of {n}");
        }
        assert!((model.centroid - DVec3::new(3.75, 0.5, 0.0)).length() < 0.02, "{}", model.centroid);
        let mirrored = model.mirrored();
        assert!((mirrored.points[7].position.x + model.points[7].position.x - 2.0 * model.centroid.x).abs() < 1e-12);
        assert!(Model::new(&Mesh::default()).is_err());
    }
}
