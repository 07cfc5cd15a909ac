//! The solid angle of a triangle.

use crate::space::DVec3;

/// Below this share of its size the sign of a volume is not told by double precision.
const UNSURE: f64 = 1e-13;

/// Returns the solid angle of a triangle, corners given relative to the eye, as a share of 4 pi; positive when the corners
/// run clockwise seen from the eye, as those of a surface around it do.
///
/// `tan(angle / 2) = abc / (|a||b||c| + (a.b)|c| + (b.c)|a| + (c.a)|b|)` (Van Oosterom and Strackee, 1983). An eye on the
/// triangle sees half of everything; to which side is for `side` to say, which is asked only then.
pub(crate) fn share([a, b, c]: &[DVec3; 3], side: impl FnOnce() -> i32) -> f64 {
    let (la, lb, lc) = (a.length(), b.length(), c.length());
    let mut volume = a.dot(b.cross(*c));
    let size = la * lb * lc;
    if volume.abs() <= UNSURE * size {
        volume = f64::from(side()) * volume.abs().max(f64::MIN_POSITIVE);
    }
    let adjacent = size + a.dot(*b) * lc + b.dot(*c) * la + c.dot(*a) * lb;
    libm::atan2(volume, adjacent) / std::f64::consts::TAU
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_octant_is_an_eighth_and_a_face_in_the_eye_a_half() {
        let octant = [DVec3::X, DVec3::Y, DVec3::Z];
        assert!((share(&octant, || 0) - 0.125).abs() < 1e-15);
        assert!((share(&[DVec3::Y, DVec3::X, DVec3::Z], || 0) + 0.125).abs() < 1e-15);
        let around = [DVec3::X, DVec3::new(-1.0, 1.0, 0.0), DVec3::new(-1.0, -1.0, 0.0)];
        assert_eq!(share(&around, || 1), 0.5);
        assert_eq!(share(&around, || -1), -0.5);
        let beside = around.map(|p| p + 5.0 * DVec3::X);
        assert!(share(&beside, || 1).abs() < 1e-12);
    }
}
