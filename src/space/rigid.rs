//! Rigid motions: a rotation and a translation, mm.

use glam::{DMat3, DQuat, DVec3};
use serde::{Deserialize, Serialize};

/// A rotation followed by a translation: `to = rotation * from + translation_mm`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rigid {
    /// A proper rotation (determinant +1).
    pub rotation: DMat3,
    /// Translation applied after the rotation, mm.
    pub translation_mm: DVec3,
}

impl Rigid {
    /// The motion that moves nothing.
    pub const IDENTITY: Self = Self { rotation: DMat3::IDENTITY, translation_mm: DVec3::ZERO };

    /// Returns the rotation by a rotation vector (axis times angle in radians) about a centre, then a translation.
    #[must_use]
    pub fn about(centre_mm: DVec3, rotation_vector: DVec3, translation_mm: DVec3) -> Self {
        let rotation = DMat3::from_quat(DQuat::from_scaled_axis(rotation_vector));
        Self { rotation, translation_mm: centre_mm - rotation * centre_mm + translation_mm }
    }

    /// Returns the moved point.
    #[must_use]
    pub fn apply(&self, p: DVec3) -> DVec3 {
        self.rotation * p + self.translation_mm
    }

    /// Returns the motion back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let rotation = self.rotation.transpose();
        Self { rotation, translation_mm: -(rotation * self.translation_mm) }
    }

    /// Returns the motion `first`, then this one.
    #[must_use]
    pub fn after(&self, first: &Self) -> Self {
        Self { rotation: self.rotation * first.rotation, translation_mm: self.apply(first.translation_mm) }
    }

    /// Returns the 4 x 4 matrix, row-major.
    #[must_use]
    pub fn to_rows(&self) -> [[f64; 4]; 4] {
        let (r, t) = (self.rotation.transpose(), self.translation_mm);
        let row = |v: DVec3, t: f64| [v.x, v.y, v.z, t];
        [row(r.x_axis, t.x), row(r.y_axis, t.y), row(r.z_axis, t.z), [0.0, 0.0, 0.0, 1.0]]
    }

    /// Returns the motion of a row-major 4 x 4 matrix, or nothing when it is not a proper rigid motion within 1e-6.
    #[must_use]
    pub fn from_rows(rows: [[f64; 4]; 4]) -> Option<Self> {
        let row = |i: usize| DVec3::new(rows[i][0], rows[i][1], rows[i][2]);
        let rotation = DMat3::from_cols(row(0), row(1), row(2)).transpose();
        let translation_mm = DVec3::new(rows[0][3], rows[1][3], rows[2][3]);
        let gram = rotation.transpose() * rotation - DMat3::IDENTITY;
        let orthonormal = gram.to_cols_array().into_iter().all(|v| v.abs() <= 1e-6);
        let affine = rows[3] == [0.0, 0.0, 0.0, 1.0];
        (orthonormal && affine && rotation.determinant() > 0.0 && translation_mm.is_finite())
            .then_some(Self { rotation, translation_mm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_motion_and_its_inverse_cancel() {
        let motion = Rigid::about(DVec3::new(10.0, 0.0, -4.0), DVec3::new(0.1, -0.4, 0.7), DVec3::new(3.0, 2.0, 1.0));
        let p = DVec3::new(5.0, -6.0, 7.0);
        assert!((motion.inverse().apply(motion.apply(p)) - p).length() < 1e-12);
        assert!((motion.after(&motion.inverse()).apply(p) - p).length() < 1e-12);
        assert_eq!(Rigid::from_rows(motion.to_rows()), Some(motion));
    }

    #[test]
    fn a_mirror_is_not_rigid() {
        let mut rows = Rigid::IDENTITY.to_rows();
        rows[0][0] = -1.0;
        assert_eq!(Rigid::from_rows(rows), None);
    }
}
