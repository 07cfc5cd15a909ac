//! One triangle: the nearest point on it, and where a ray meets it.

use crate::space::DVec3;

/// Which part of a triangle a point lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The interior.
    Face,
    /// The edge from corner `i` to corner `(i + 1) % 3`.
    Edge(usize),
    /// Corner `i`.
    Corner(usize),
}

/// Below this share of the squared product of two edges, the squared area is rounding noise: the triangle is a line.
pub(super) const FLAT: f64 = 1e-24;

/// Returns the point of a triangle nearest to `p`, and the part it lies on.
///
/// Voronoi regions of the corners, edges and face (Ericson, *Real-Time Collision Detection*, 2005, 5.1.5). A triangle
/// without area is treated as its three edges, so the answer is finite for every finite triangle.
#[must_use]
pub fn closest_on_triangle(p: DVec3, corners: &[DVec3; 3]) -> (DVec3, Feature) {
    let [a, b, c] = *corners;
    let (ab, ac) = (b - a, c - a);
    let ap = p - a;
    let (ab_ap, ac_ap) = (ab.dot(ap), ac.dot(ap));
    if ab_ap <= 0.0 && ac_ap <= 0.0 {
        return (a, Feature::Corner(0));
    }
    let bp = p - b;
    let (ab_bp, ac_bp) = (ab.dot(bp), ac.dot(bp));
    if ab_bp >= 0.0 && ac_bp <= ab_bp {
        return (b, Feature::Corner(1));
    }
    let cp = p - c;
    let (ab_cp, ac_cp) = (ab.dot(cp), ac.dot(cp));
    if ac_cp >= 0.0 && ab_cp <= ac_cp {
        return (c, Feature::Corner(2));
    }
    // Twice the signed areas of the three triangles that the foot of `p` makes with the edges, times the area.
    let area_ab = ab_ap * ac_bp - ab_bp * ac_ap;
    if area_ab <= 0.0 && ab_ap > 0.0 && ab_bp < 0.0 {
        return (a + ab * (ab_ap / (ab_ap - ab_bp)), Feature::Edge(0));
    }
    let area_ca = ab_cp * ac_ap - ab_ap * ac_cp;
    if area_ca <= 0.0 && ac_ap > 0.0 && ac_cp < 0.0 {
        return (a + ac * (ac_ap / (ac_ap - ac_cp)), Feature::Edge(2));
    }
    let area_bc = ab_bp * ac_cp - ab_cp * ac_bp;
    let (from_b, from_c) = (ac_bp - ab_bp, ab_cp - ac_cp);
    if area_bc <= 0.0 && from_b > 0.0 && from_c > 0.0 {
        return (b + (c - b) * (from_b / (from_b + from_c)), Feature::Edge(1));
    }
    let area = area_ab + area_bc + area_ca;
    if area > FLAT * ab.length_squared() * ac.length_squared() {
        return (a + ab * (area_ca / area) + ac * (area_ab / area), Feature::Face);
    }
    closest_on_edges(p, corners)
}

fn closest_on_edges(p: DVec3, corners: &[DVec3; 3]) -> (DVec3, Feature) {
    let mut best = (corners[0], Feature::Corner(0));
    for i in 0..3 {
        let (from, to) = (corners[i], corners[(i + 1) % 3]);
        let along = to - from;
        let length_squared = along.length_squared();
        let share = if length_squared > 0.0 { ((p - from).dot(along) / length_squared).clamp(0.0, 1.0) } else { 0.0 };
        let point = from + along * share;
        if point.distance_squared(p) < best.0.distance_squared(p) {
            best = (point, Feature::Edge(i));
        }
    }
    best
}

/// Returns the position on the ray where it meets the triangle, from either side (Möller and Trumbore, 1997).
pub(super) fn ray_hit(origin: DVec3, direction: DVec3, corners: &[DVec3; 3]) -> Option<f64> {
    // A ray through a shared edge must not slip between two triangles by rounding.
    const EDGE: f64 = 1e-12;
    let [a, b, c] = *corners;
    let (ab, ac) = (b - a, c - a);
    let across = direction.cross(ac);
    let determinant = ab.dot(across);
    if determinant == 0.0 {
        return None;
    }
    let from_a = origin - a;
    let u = from_a.dot(across) / determinant;
    let turned = from_a.cross(ab);
    let v = direction.dot(turned) / determinant;
    let t = ac.dot(turned) / determinant;
    (u >= -EDGE && v >= -EDGE && u + v <= 1.0 + EDGE && t >= 0.0).then_some(t)
}
