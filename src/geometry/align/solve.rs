//! Six unknowns: three of rotation, three of translation.

use crate::space::{DMat3, DQuat, DVec3, Rigid};

/// Sweeps of the eigenvalue search; three to six are enough for most matrices.
const SWEEPS: usize = 30;

/// The normal equations of a linearised rigid fit about a centre.
#[derive(Clone, Debug)]
pub(super) struct Normal {
    matrix: [[f64; 6]; 6],
    right: [f64; 6],
    /// Sum of the weights.
    total: f64,
    centre: DVec3,
}

impl Normal {
    pub(super) const fn new(centre: DVec3) -> Self {
        Self { matrix: [[0.0; 6]; 6], right: [0.0; 6], total: 0.0, centre }
    }

    /// Adds one equation: the point `p` should move by `residual` along the unit vector `along`.
    pub(super) fn add(&mut self, p: DVec3, along: DVec3, residual: f64, weight: f64) {
        self.add_row(Self::row(p - self.centre, along), residual, weight);
    }

    /// Returns how far a point moves along a unit vector for each of the six unknowns; the point is given from the centre.
    pub(super) fn row(from_centre: DVec3, along: DVec3) -> [f64; 6] {
        let turn = from_centre.cross(along);
        [turn.x, turn.y, turn.z, along.x, along.y, along.z]
    }

    /// Adds one equation by its row.
    #[expect(clippy::needless_range_loop, reason = "matrix algebra reads by index")]
    pub(super) fn add_row(&mut self, row: [f64; 6], residual: f64, weight: f64) {
        self.total += weight;
        for i in 0..6 {
            let weighted = weight * row[i];
            for j in 0..=i {
                self.matrix[i][j] += weighted * row[j];
            }
            self.right[i] += weighted * residual;
        }
    }

    /// Returns the motion that solves the equations; nothing when they leave a motion open.
    pub(super) fn solve(&self) -> Option<Rigid> {
        self.motion(self.unknowns()?)
    }

    /// Returns the six unknowns: a rotation vector about the centre, radians, and a translation, mm.
    pub(super) fn unknowns(&self) -> Option<[f64; 6]> {
        let lower = self.cholesky()?;
        let mut x = self.right;
        for i in 0..6 {
            for j in 0..i {
                x[i] -= lower[i][j] * x[j];
            }
            x[i] /= lower[i][i];
        }
        for i in (0..6).rev() {
            for j in i + 1..6 {
                x[i] -= lower[j][i] * x[j];
            }
            x[i] /= lower[i][i];
        }
        Some(x)
    }

    /// Returns the motion of six unknowns, unless a number is not finite.
    pub(super) fn motion(&self, x: [f64; 6]) -> Option<Rigid> {
        let motion = Rigid::about(self.centre, DVec3::new(x[0], x[1], x[2]), DVec3::new(x[3], x[4], x[5]));
        (motion.rotation.is_finite() && motion.translation_mm.is_finite()).then_some(motion)
    }

    #[expect(clippy::needless_range_loop, reason = "matrix algebra reads by index")]
    fn cholesky(&self) -> Option<[[f64; 6]; 6]> {
        // A trace of damping keeps a sphere, which may turn freely, solvable.
        const DAMPING: f64 = 1e-9;
        let mut lower = [[0.0; 6]; 6];
        for i in 0..6 {
            for j in 0..=i {
                let mut sum = self.matrix[i][j];
                for k in 0..j {
                    sum -= lower[i][k] * lower[j][k];
                }
                if i == j {
                    sum += DAMPING * self.matrix[i][i];
                    if !(sum > 0.0 && sum.is_finite()) {
                        return None;
                    }
                    lower[i][i] = sum.sqrt();
                } else {
                    lower[i][j] = sum / lower[j][j];
                }
            }
        }
        Some(lower)
    }

    /// Returns how well the equations fix the motion, rotations measured as arc at `radius_mm`.
    #[expect(clippy::needless_range_loop, reason = "matrix algebra reads by index")]
    pub(super) fn condition(&self, radius_mm: f64) -> Condition {
        let radius_mm = radius_mm.max(1e-9);
        let scale = |i: usize| if i < 3 { radius_mm } else { 1.0 };
        let mut matrix = [[0.0; 6]; 6];
        for i in 0..6 {
            for j in 0..=i {
                matrix[i][j] = self.matrix[i][j] / (scale(i) * scale(j) * self.total.max(1e-300));
                matrix[j][i] = matrix[i][j];
            }
        }
        let (values, vectors) = eigen(matrix);
        let weakest = (0..6).fold(0, |weakest, i| if values[i] < values[weakest] { i } else { weakest });
        let strongest = values.iter().fold(0.0_f64, |high, &v| high.max(v));
        // Below rounding a direction is free: a sphere, which may turn anyhow.
        let low = values[weakest].max(1e-15 * strongest).max(1e-300);
        let along: [f64; 6] = std::array::from_fn(|i| vectors[i][weakest] / scale(i));
        Condition { ratio: (strongest / low).sqrt(), weakest: along, give: 1.0 / low.sqrt() }
    }
}

/// How well equations fix a motion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    /// Square root of the ratio of the extreme eigenvalues.
    pub(super) ratio: f64,
    /// The motion that is fixed worst: rotation vector about the centre, radians, and translation, mm; of length 1 mm when
    /// rotations are measured as arc.
    pub(super) weakest: [f64; 6],
    /// How long that motion is, mm, when it changes the distances along the normals by 1 mm root mean square.
    pub(super) give: f64,
}

/// Returns the eigenvalues of a symmetric matrix, and its eigenvectors as columns (cyclic Jacobi).
#[expect(clippy::needless_range_loop, reason = "matrix algebra reads by index")]
pub(super) fn eigen<const N: usize>(mut m: [[f64; N]; N]) -> ([f64; N], [[f64; N]; N]) {
    let mut vectors: [[f64; N]; N] = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for _ in 0..SWEEPS {
        for p in 0..N {
            for q in p + 1..N {
                if m[p][q].abs() <= 1e-300 {
                    continue;
                }
                let theta = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in m.iter_mut().chain(&mut vectors) {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                for k in 0..N {
                    (m[p][k], m[q][k]) = (c * m[p][k] - s * m[q][k], s * m[p][k] + c * m[q][k]);
                }
            }
        }
    }
    (std::array::from_fn(|i| m[i][i]), vectors)
}

/// Returns the motion with its rotation made exactly proper again: products of many rotations drift by rounding.
pub(super) fn proper(motion: &Rigid) -> Rigid {
    Rigid { rotation: DMat3::from_quat(DQuat::from_mat3(&motion.rotation).normalize()), ..*motion }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_motion_is_found_and_a_free_one_is_seen() {
        let centre = DVec3::new(5.0, 6.0, 7.0);
        let truth = Rigid::about(centre, DVec3::new(1e-4, -2e-4, 3e-4), DVec3::new(0.3, -0.2, 0.1));
        let points = [DVec3::X, DVec3::Y, DVec3::Z, DVec3::ONE, DVec3::new(-2.0, 1.0, 4.0)].map(|p| p * 20.0);
        let mut normal = Normal::new(centre);
        for p in points {
            for along in [DVec3::X, DVec3::Y, DVec3::Z] {
                normal.add(p, along, (truth.apply(p) - p).dot(along), 1.0);
            }
        }
        let found = normal.solve().unwrap();
        for p in points {
            assert!((found.apply(p) - truth.apply(p)).length() < 1e-4);
        }
        assert!(normal.condition(30.0).ratio < 5.0);
        let mut sphere = Normal::new(DVec3::ZERO);
        for p in points {
            sphere.add(p.normalize(), p.normalize(), 0.1, 1.0);
        }
        assert!(sphere.condition(1.0).ratio > 1e6 && sphere.condition(1.0).give > 1e6);
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        let mut m = [[0.0; 6]; 6];
        for (i, row) in m.iter_mut().enumerate() {
            row[i] = i as f64 + 1.0;
        }
        // A block [[2, 1], [1, 2]] has eigenvalues 1 and 3.
        (m[0][0], m[1][1], m[0][1], m[1][0]) = (2.0, 2.0, 1.0, 1.0);
        let (mut values, vectors) = eigen(m);
        let unit = |i: usize| (0..6).map(|k| vectors[k][i] * vectors[k][i]).sum::<f64>();
        assert!((0..6).all(|i| (unit(i) - 1.0).abs() < 1e-12));
        values.sort_by(f64::total_cmp);
        for (value, expected) in values.iter().zip([1.0, 3.0, 3.0, 4.0, 5.0, 6.0]) {
            assert!((value - expected).abs() < 1e-12);
        }
    }
}
