//! The sum of squared distances to planes, as a quadratic form.

use crate::space::{DMat3, DVec3};

/// Pull towards the middle of an edge, as a share of the planes' own: decides where the planes leave a point free.
const PULL: f64 = 1e-6;

/// x -> x'Ax + 2b'x + c, the sum of weighted squared distances to planes (Garland and Heckbert 1997). Weights are areas,
/// so that slivers, whose normals mean nothing, weigh nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quadric {
    /// Upper triangle of A: xx, xy, xz, yy, yz, zz.
    a: [f64; 6],
    b: DVec3,
    c: f64,
}

impl Quadric {
    /// Returns the form of one plane through a point, with its unit normal.
    pub(super) fn plane(point: DVec3, normal: DVec3, weight: f64) -> Self {
        let n = normal;
        let d = -n.dot(point);
        let a = [n.x * n.x, n.x * n.y, n.x * n.z, n.y * n.y, n.y * n.z, n.z * n.z].map(|v| weight * v);
        Self { a, b: weight * d * n, c: weight * d * d }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self { a: std::array::from_fn(|i| self.a[i] + other.a[i]), b: self.b + other.b, c: self.c + other.c }
    }

    /// Returns the form's value at a point, never below zero.
    pub(super) fn at(&self, p: DVec3) -> f64 {
        (p.dot(self.matrix() * p) + 2.0 * self.b.dot(p) + self.c).max(0.0)
    }

    /// Returns where the form is least; where it is flat, as near to `middle` as may be.
    pub(super) fn least_near(&self, middle: DVec3) -> DVec3 {
        let a = self.matrix();
        let pull = PULL * (self.a[0] + self.a[3] + self.a[5]);
        let gradient = a * middle + self.b;
        let step = (a + DMat3::from_diagonal(DVec3::splat(pull))).inverse() * gradient;
        if step.is_finite() { middle - step } else { middle }
    }

    fn matrix(&self) -> DMat3 {
        let [xx, xy, xz, yy, yz, zz] = self.a;
        DMat3::from_cols(DVec3::new(xx, xy, xz), DVec3::new(xy, yy, yz), DVec3::new(xz, yz, zz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_planes_is_where_they_meet() {
        let meet = DVec3::new(3.0, -2.0, 1.0);
        let plane = |normal: DVec3| Quadric::plane(meet, normal, 2.0);
        let corner = plane(DVec3::X).plus(&plane(DVec3::Y)).plus(&plane(DVec3::Z));
        assert!((corner.least_near(DVec3::ZERO) - meet).length() < 1e-4);
        assert!((corner.at(DVec3::ZERO) - 2.0 * meet.length_squared()).abs() < 1e-12);
        let floor = plane(DVec3::Z);
        let foot = floor.least_near(DVec3::new(7.0, 8.0, 9.0));
        assert!((foot - DVec3::new(7.0, 8.0, 1.0)).length() < 1e-4, "{foot}");
        assert_eq!(Quadric::default().least_near(meet), meet);
    }
}
