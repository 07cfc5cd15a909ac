//! Where an edge meets a slice and a ray meets a triangle, as the next voxel centre: exact for any integer coordinates.
//!
//! Each answer is found in double precision together with a bound on its error; only when a voxel centre lies within that
//! bound is the same rational number formed in 128-bit integers. So ties (a vertex, an edge or a face exactly on a centre)
//! and near ties fall as they would in unlimited precision: the centre behaves as if moved by (e, e^2, e^3) towards rising
//! indices, e infinitely small.

use super::soup::{BITS, Point, TICKS, ceil};

/// Relative error of the short chains below, generously: each has less than 16 roundings of 2^-53.
const ROUNDING: f64 = 1.0 / (1_u64 << 48) as f64;

/// Returns the index of the first ray, along v, not before the place where an edge crosses the slice w.
///
/// Needs `low[2] <= w < high[2]`. Depends on the edge alone, not on the triangle.
#[inline]
pub(super) fn ceil_of_cut(low: &Point, high: &Point, w: i64) -> i64 {
    let up = w - low[2];
    if up == 0 {
        return ceil(low[1]);
    }
    let (across, rise) = (high[1] - low[1], high[2] - low[2]);
    let share = up as f64 * across as f64 / rise as f64;
    let v = (low[1] as f64 + share) / TICKS;
    let slack = ROUNDING * (1.0 + (low[1].abs() as f64 + share.abs()) / TICKS);
    next_index(v, slack).unwrap_or_else(|| {
        let (up, across, rise) = (i128::from(up), i128::from(across), i128::from(rise));
        ceil_of_ratio(i128::from(low[1]) * rise + up * across, rise << BITS)
    })
}

/// The plane of a triangle, ready for rays along u.
pub(super) struct Plane {
    corner: Point,
    sides: [Point; 2],
    normal: [f64; 3],
    /// Sums of absolute products: 2^-52 of them bounds the error of the normal.
    size: [f64; 3],
}

impl Plane {
    #[inline]
    pub(super) fn new([a, b, c]: &[Point; 3]) -> Self {
        let minus = |p: &Point| [p[0] - a[0], p[1] - a[1], p[2] - a[2]];
        let sides = [minus(b), minus(c)];
        let [p, q] = sides.map(|side| side.map(|t| t as f64));
        let pair = |i: usize, j: usize| (p[i] * q[j], p[j] * q[i]);
        let products = [pair(1, 2), pair(2, 0), pair(0, 1)];
        Self {
            corner: *a,
            sides,
            normal: products.map(|(one, two)| one - two),
            size: products.map(|(one, two)| one.abs() + two.abs()),
        }
    }

    /// Returns the index of the first centre, along u, not before the crossing, and the sign of the normal along u.
    ///
    /// Needs a ray that crosses the triangle, hence a plane that is not parallel to u.
    #[inline]
    pub(super) fn crossing(&self, v: i64, w: i64) -> (i64, bool) {
        let [across, up] = [(v - self.corner[1]) as f64, (w - self.corner[2]) as f64];
        let [nu, nv, nw] = self.normal;
        let share = (nv * across + nw * up) / nu;
        let spread = (self.size[1] * across.abs() + self.size[2] * up.abs() + self.size[0] * share.abs()) / nu.abs();
        let u = (self.corner[0] as f64 - share) / TICKS;
        let slack = ROUNDING * (1.0 + (spread + share.abs() + self.corner[0].abs() as f64) / TICKS);
        if nu.abs() > ROUNDING * self.size[0]
            && let Some(index) = next_index(u, slack)
        {
            return (index, nu > 0.0);
        }
        self.crossing_exactly(v, w)
    }

    #[cold]
    fn crossing_exactly(&self, v: i64, w: i64) -> (i64, bool) {
        let [p, q] = self.sides.map(|side| side.map(i128::from));
        let [nu, nv, nw] = [(1, 2), (2, 0), (0, 1)].map(|(i, j)| p[i] * q[j] - p[j] * q[i]);
        if nu == 0 {
            return (ceil(self.corner[0]), true);
        }
        let [across, up] = [i128::from(v - self.corner[1]), i128::from(w - self.corner[2])];
        let top = nu * i128::from(self.corner[0]) - nv * across - nw * up;
        let index = if nu > 0 { ceil_of_ratio(top, nu << BITS) } else { ceil_of_ratio(-top, (-nu) << BITS) };
        (index, nu > 0)
    }
}

/// Returns the smallest integer not below x when the true value, within `slack` of x, cannot lie on an integer's other side.
#[inline]
fn next_index(x: f64, slack: f64) -> Option<i64> {
    // far rays are cut off by the caller; a cast saturates
    let below = x as i64;
    let index = below + i64::from(x > below as f64);
    let (under, over) = (x - (index - 1) as f64, index as f64 - x);
    (under > slack && over > slack).then_some(index)
}

/// Returns the smallest integer not below a / b, for b > 0.
const fn ceil_of_ratio(a: i128, b: i128) -> i64 {
    -((-a).div_euclid(b)) as i64
}

/// Returns the sign of the volume that p spans with a triangle, p moved by an infinitely small (e, e^2, e^3): never 0 unless
/// the triangle has no area. Positive when the corners run counter-clockwise seen from the side on which p is not.
pub(super) fn side_of(p: &Point, corners: &[Point; 3]) -> i32 {
    let [a, b, c] = corners.map(|corner| [0, 1, 2].map(|i| i128::from(corner[i] - p[i])));
    let cross = |p: [i128; 3], q: [i128; 3]| [(1, 2), (2, 0), (0, 1)].map(|(i, j)| p[i] * q[j] - p[j] * q[i]);
    let bc = cross(b, c);
    let volume = a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2];
    let minus = |p: [i128; 3], q: [i128; 3]| [p[0] - q[0], p[1] - q[1], p[2] - q[2]];
    let normal = cross(minus(b, a), minus(c, a));
    // moving p along the normal lessens the volume
    let signs = [volume, -normal[0], -normal[1], -normal[2]].map(i128::signum);
    signs.into_iter().find(|&sign| sign != 0).unwrap_or(0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    const ONE: i64 = 1 << BITS;

    #[test]
    fn ceilings_are_exact_at_and_beside_integers() {
        assert_eq!(
            [ceil_of_ratio(4, 2), ceil_of_ratio(5, 2), ceil_of_ratio(-5, 2), ceil_of_ratio(-4, 2)],
            [2, 3, -2, -2]
        );
        assert_eq!(next_index(2.5, 1e-9), Some(3));
        assert_eq!(next_index(-2.5, 1e-9), Some(-2));
        assert_eq!([next_index(3.0, 1e-9), next_index(3.0 - 1e-10, 1e-9), next_index(3.0 + 1e-10, 1e-9)], [None; 3]);
        // an edge that passes one third of a tick beside a ray, on either side
        let low = [0, ONE - 1, 0];
        assert_eq!(ceil_of_cut(&low, &[0, ONE + 2, 3 * ONE], ONE), 1, "the cut is exactly on the ray");
        assert_eq!(ceil_of_cut(&low, &[0, ONE + 2, 3 * ONE], ONE + 1), 2, "a millionth of a tick beyond");
        assert_eq!(ceil_of_cut(&low, &[0, ONE + 2, 3 * ONE], ONE - 1), 1);
    }

    #[test]
    fn the_fast_answer_is_the_exact_one() {
        let mut stream = Seed([9; 32]).stream("exact", 0);
        let mut ties = 0;
        for round in 0..20_000 {
            // coarse coordinates make ties, fine ones near ties, wide ones slivers
            let step = [ONE, ONE / 4, 1][round % 3];
            let reach = [4, 40, 300 * ONE as u64][round % 3];
            let corners: [Point; 3] = std::array::from_fn(|_| {
                std::array::from_fn(|_| (stream.below(reach) as i64 - reach as i64 / 2) * step)
            });
            let plane = Plane::new(&corners);
            let [v, w] = [0, 1].map(|_| (stream.below(4) as i64 - 2) * ONE);
            let exact = plane.crossing_exactly(v, w);
            let [p, q] = plane.sides.map(|side| side.map(i128::from));
            if p[1] * q[2] != p[2] * q[1] {
                assert_eq!(plane.crossing(v, w), exact, "{corners:?} {v} {w}");
                let centre = [exact.0 * ONE, v, w];
                // the ceiling is on the far side of the plane (or on it), the index before on the near side
                let far = side_of(&centre, &corners);
                let near = side_of(&[centre[0] - ONE, v, w], &corners);
                assert_eq!((far, near), if exact.1 { (-1, 1) } else { (1, -1) }, "{corners:?} {v} {w}");
                ties += u32::from(next_index(exact.0 as f64, 0.0).is_none());
            }
        }
        assert!(ties > 1000);
    }
}
