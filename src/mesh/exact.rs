//! On which side a point lies: of a line in the plane, of a plane in space. The sign is exact for any finite coordinates.
//!
//! Double precision decides when its error bound allows; otherwise the same determinant is formed without rounding, as a sum
//! of doubles that do not overlap (Shewchuk, *Adaptive precision floating-point arithmetic and fast robust geometric
//! predicates*, 1997). Products must neither overflow nor fall below 2^-1022, which lengths in any unit do not.

use crate::space::DVec3;

/// Half a unit in the last place of 1.
const EPSILON: f64 = f64::EPSILON / 2.0;
/// Bounds on the relative error of the determinants below (Shewchuk's A bounds).
const BOUND_2D: f64 = (3.0 + 16.0 * EPSILON) * EPSILON;
const BOUND_3D: f64 = (7.0 + 56.0 * EPSILON) * EPSILON;

/// A number as a sum of doubles that do not overlap, smallest first, without zeros.
#[derive(Clone, Debug, Default)]
struct Sum(Vec<f64>);

impl Sum {
    /// The difference of two doubles.
    fn difference(a: f64, b: f64) -> Self {
        let mut sum = Self(vec![a]);
        sum.add(-b);
        sum
    }

    /// Adds a double: the rounding error of each partial sum is kept (Knuth's two-sum).
    fn add(&mut self, b: f64) {
        let mut carry = b;
        let mut kept = 0;
        for at in 0..self.0.len() {
            let part = self.0[at];
            let sum = carry + part;
            let shadow = sum - carry;
            let error = (carry - (sum - shadow)) + (part - shadow);
            carry = sum;
            if error != 0.0 {
                self.0[kept] = error;
                kept += 1;
            }
        }
        self.0.truncate(kept);
        if carry != 0.0 {
            self.0.push(carry);
        }
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::default();
        for &a in &self.0 {
            for &b in &other.0 {
                let high = a * b;
                product.add(a.mul_add(b, -high));
                product.add(high);
            }
        }
        product
    }

    fn plus(mut self, other: &Self, sign: f64) -> Self {
        other.0.iter().for_each(|&part| self.add(sign * part));
        self
    }

    fn sign(&self) -> i32 {
        self.0.last().map_or(0, |&largest| if largest > 0.0 { 1 } else { -1 })
    }
}

const fn sign(value: f64) -> i32 {
    if value > 0.0 {
        1
    } else if value < 0.0 {
        -1
    } else {
        0
    }
}

/// Returns 1 when the three points run counter-clockwise, -1 when clockwise, 0 when they are on a line.
pub(super) fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> i32 {
    let (left, right) = ((a[0] - c[0]) * (b[1] - c[1]), (a[1] - c[1]) * (b[0] - c[0]));
    let area = left - right;
    if area.abs() > BOUND_2D * (left.abs() + right.abs()) {
        return sign(area);
    }
    let [ax, ay, bx, by] = [(a[0], c[0]), (a[1], c[1]), (b[0], c[0]), (b[1], c[1])].map(|(p, q)| Sum::difference(p, q));
    ax.times(&by).plus(&ay.times(&bx), -1.0).sign()
}

/// Returns -1, 0 or 1: the side of the plane through a, b, c on which d lies, where double precision can tell.
///
/// 1 is the side from which a, b, c run clockwise: below a counter-clockwise triangle.
#[inline]
pub(super) fn side_roughly(a: DVec3, b: DVec3, c: DVec3, d: DVec3) -> Option<i32> {
    let (a, b, c) = (a - d, b - d, c - d);
    let products = [(b.x * c.y, c.x * b.y), (c.x * a.y, a.x * c.y), (a.x * b.y, b.x * a.y)];
    let [bc, ca, ab] = products.map(|(one, two)| one - two);
    let [size_bc, size_ca, size_ab] = products.map(|(one, two)| one.abs() + two.abs());
    let volume = a.z * bc + b.z * ca + c.z * ab;
    let size = size_bc * a.z.abs() + size_ca * b.z.abs() + size_ab * c.z.abs();
    (volume.abs() > BOUND_3D * size).then(|| sign(volume))
}

/// Returns -1, 0 or 1: the side of the plane through a, b, c on which d lies; 0 is on the plane.
pub(super) fn side(a: DVec3, b: DVec3, c: DVec3, d: DVec3) -> i32 {
    side_roughly(a, b, c, d).unwrap_or_else(|| side_exactly(a, b, c, d))
}

#[cold]
fn side_exactly(a: DVec3, b: DVec3, c: DVec3, d: DVec3) -> i32 {
    let [a, b, c] = [a, b, c].map(|p| [0, 1, 2].map(|i| Sum::difference(p[i], d[i])));
    let minor = |p: &[Sum; 3], q: &[Sum; 3]| p[0].times(&q[1]).plus(&q[0].times(&p[1]), -1.0);
    let volume = minor(&b, &c).times(&a[2]).plus(&minor(&c, &a).times(&b[2]), 1.0);
    volume.plus(&minor(&a, &b).times(&c[2]), 1.0).sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_hold_where_doubles_fail() {
        // Kettner and others (2008): points around a line, a few units in the last place apart
        let step = f64::EPSILON / 2.0;
        let mut unsure = 0;
        for i in 0..32_i32 {
            for j in 0..32_i32 {
                let p = [0.5 + f64::from(i) * step, 0.5 + f64::from(j) * step];
                // the points (12, 12), (24, 24) are on the diagonal
                assert_eq!(turn(p, [12.0, 12.0], [24.0, 24.0]), (j - i).signum(), "{i} {j}");
                let plane = [DVec3::new(12.0, 12.0, 0.1), DVec3::new(24.0, 24.0, 0.3), DVec3::new(24.0, 24.0, 7.7)];
                let q = DVec3::new(p[0], p[1], 1e-3);
                let expected = (j - i).signum();
                assert_eq!(side(plane[0], plane[1], plane[2], q), expected, "{i} {j}");
                assert_eq!(side(plane[0], plane[2], plane[1], q), -expected, "{i} {j}");
                unsure += u32::from(side_roughly(plane[0], plane[1], plane[2], q).is_none());
            }
        }
        assert!(unsure > 500, "{unsure}");
        assert_eq!(side(DVec3::ZERO, DVec3::X, DVec3::Y, -DVec3::Z), 1);
        assert_eq!(side(DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::new(1e300, -1e-300, 0.0)), 0);
    }
}
