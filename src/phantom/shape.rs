//! Signed distances of a few solids, mm, negative inside: the bricks of the anatomy.
//!
//! Only `+ - * / sqrt` are used, which IEEE 754 rounds alike everywhere, so a head has the same bits on every machine.

use crate::space::DVec3;

/// Returns the distance to an axis-aligned ellipsoid about the origin, to first order (exact on the axes and for a sphere).
///
/// `|p/r| (|p/r| - 1) / |p/r²|`: the implicit function over the length of its gradient.
pub(super) fn ellipsoid(p: DVec3, radii_mm: DVec3) -> f64 {
    let per_mm = radii_mm.recip();
    let q = p * per_mm;
    let (level, slope) = (q.length(), (q * per_mm).length());
    if slope > 0.0 { level * (level - 1.0) / slope } else { -radii_mm.min_element() }
}

/// Returns the distance to the segment `a`-`b`, and where on it the nearest point lies, from 0 to 1.
pub(super) fn segment(p: DVec3, a: DVec3, b: DVec3) -> (f64, f64) {
    let (along, to) = (b - a, p - a);
    let share = (to.dot(along) * along.length_squared().recip()).clamp(0.0, 1.0);
    ((to - along * share).length(), share)
}

/// Returns the distance to a tube from `a` to `b` whose radius goes linearly from the first to the second.
pub(super) fn tube(p: DVec3, a: DVec3, b: DVec3, radii_mm: [f64; 2]) -> f64 {
    let (distance, share) = segment(p, a, b);
    distance - (radii_mm[0] + (radii_mm[1] - radii_mm[0]) * share)
}

/// Returns the distance to a box about the origin with rounded edges; `half_mm` includes the rounding.
pub(super) fn rounded_box(p: DVec3, half_mm: DVec3, round_mm: f64) -> f64 {
    let q = p.abs() - half_mm + DVec3::splat(round_mm);
    q.max(DVec3::ZERO).length() + q.max_element().min(0.0) - round_mm
}

/// Returns the larger number, with the edge between the two rounded over `width`.
pub(super) fn smooth_max(a: f64, b: f64, width: f64) -> f64 {
    let overlap = (width - (a - b).abs()).max(0.0);
    a.max(b) + overlap * overlap / (4.0 * width)
}

/// Returns the smaller number, with the edge between the two rounded over `width`.
pub(super) fn smooth_min(a: f64, b: f64, width: f64) -> f64 {
    -smooth_max(-a, -b, width)
}

/// Returns 0 below `low`, 1 above `high`, and the cubic with flat ends between them.
pub(super) fn smooth_step(low: f64, high: f64, x: f64) -> f64 {
    let t = ((x - low) * (high - low).recip()).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Returns how far a number is from the nearest whole one, from -0.5 to 0.5; magnitudes below 2^51.
pub(super) fn from_whole(x: f64) -> f64 {
    /// Adding and taking away this rounds to a whole number, on machines without an instruction for it too.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    x - ((x + ROUND) - ROUND)
}

/// Returns a smooth wave of period 1 between -1 and 1, made of two parabolas: a sine of whole turns within 0.06.
pub(super) fn wave(turns: f64) -> f64 {
    let turn = from_whole(turns);
    16.0 * turn * (0.5 - turn.abs())
}

/// Returns the distance to a sheet that winds through space with a period, mm, signed by its side: a gyroid.
pub(super) fn fold_mm(p: DVec3, period_mm: f64) -> f64 {
    let [x, y, z] = (p / period_mm).to_array().map(|turns| (wave(turns), wave(turns + 0.25)));
    // The steepest slope of the sum is about 1.7 a radian; parabolas are steeper than sines by a quarter.
    (x.0 * y.1 + y.0 * z.1 + z.0 * x.1) * period_mm / (std::f64::consts::TAU * 2.1)
}

/// Farther than this from the box around a part its exact distance is not asked for, mm: no fillet reaches so far.
const FAR_MM: f64 = 10.0;

/// Returns the distance to a part that lies in a box, given by its corners; far outside the box the distance to that.
#[inline(always)]
pub(super) fn within(p: DVec3, [low, high]: [[f64; 3]; 2], exact: impl FnOnce() -> f64) -> f64 {
    let away = (DVec3::from_array(low) - p).max(p - DVec3::from_array(high)).max_element();
    if away > FAR_MM && !plain::wanted() { away } else { exact() }
}

/// Whether every distance is asked for: the plain way, which tests hold the boxes against.
pub(super) mod plain {
    #[cfg(test)]
    std::thread_local! {
        static WANTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    #[cfg(test)]
    pub(in crate::phantom) fn want(wanted: bool) {
        WANTED.set(wanted);
    }

    #[cfg(test)]
    pub(super) fn wanted() -> bool {
        WANTED.get()
    }

    #[cfg(not(test))]
    pub(super) const fn wanted() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_exact_where_they_can_be() {
        assert_eq!(ellipsoid(DVec3::new(5.0, 0.0, 0.0), DVec3::splat(2.0)), 3.0);
        assert_eq!(ellipsoid(DVec3::new(0.0, 1.0, 0.0), DVec3::new(9.0, 4.0, 2.0)), -3.0);
        assert_eq!(ellipsoid(DVec3::ZERO, DVec3::new(9.0, 4.0, 2.0)), -2.0);
        assert_eq!(tube(DVec3::new(5.0, 7.0, 0.0), DVec3::ZERO, DVec3::new(10.0, 0.0, 0.0), [1.0, 3.0]), 5.0);
        assert_eq!(rounded_box(DVec3::new(0.0, 0.0, 4.0), DVec3::new(3.0, 2.0, 1.0), 0.5), 3.0);
        assert_eq!(rounded_box(DVec3::ZERO, DVec3::new(3.0, 2.0, 1.0), 0.5), -1.0);
    }

    #[test]
    fn a_wave_is_nearly_a_sine() {
        assert_eq!((wave(0.0), wave(0.25), wave(-0.25), wave(7.5)), (0.0, 1.0, -1.0, 0.0));
        let worst = (0..1000)
            .map(|i| (wave(0.001 * f64::from(i)) - (std::f64::consts::TAU * 0.001 * f64::from(i)).sin()).abs());
        assert!(worst.fold(0.0, f64::max) < 0.06);
    }

    #[test]
    fn rounding_acts_near_the_edge_only() {
        assert_eq!(smooth_max(1.0, 5.0, 2.0), 5.0);
        assert_eq!(smooth_min(1.0, 5.0, 2.0), 1.0);
        assert_eq!(smooth_max(3.0, 3.0, 2.0), 3.5);
        assert_eq!(smooth_step(0.0, 2.0, 1.0), 0.5);
    }
}
