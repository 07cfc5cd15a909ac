//! A start from pairs of points that a person marked: the rigid motion with the least squared distances.

use super::solve::eigen;
use crate::{
    fault::{Fault, Result},
    space::{DMat3, DQuat, DVec3, Rigid},
};

/// Points farther from a line than this on both sides fix the turn about it, mm.
const OFF_LINE_MM: f64 = 5.0;

/// A point of the mesh and where it belongs in the scan, both LPS mm.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Landmark {
    /// On the mesh, in its own frame, LPS mm.
    pub mesh: [f64; 3],
    /// In the scan's world, LPS mm.
    pub ct: [f64; 3],
}

/// Returns the motion from mesh to scan that fits the pairs best (Horn 1987: unit quaternions), never a mirror image.
///
/// # Errors
/// Usage when there are fewer than three pairs, a number is not finite, or the points lie on one line.
pub fn motion(pairs: &[Landmark]) -> Result<Rigid> {
    if pairs.len() < 3 {
        return Err(Fault::usage(format!("a start from landmarks needs at least 3 pairs, not {}", pairs.len())));
    }
    let (from, to): (Vec<DVec3>, Vec<DVec3>) =
        pairs.iter().map(|pair| (DVec3::from_array(pair.mesh), DVec3::from_array(pair.ct))).unzip();
    if from.iter().chain(&to).any(|p| !p.is_finite()) {
        return Err(Fault::usage("a landmark is not a finite point"));
    }
    let centre = |points: &[DVec3]| points.iter().sum::<DVec3>() / points.len() as f64;
    let (from_centre, to_centre) = (centre(&from), centre(&to));
    for (points, centre, name) in [(&from, from_centre, "mesh"), (&to, to_centre, "scan")] {
        if off_line_mm(points, centre) < OFF_LINE_MM {
            return Err(Fault::usage(format!(
                "the landmarks on the {name} lie on one line: the turn about it is open"
            ))
            .hint("mark points that are far apart in all directions"));
        }
    }
    let mut sums = DMat3::ZERO;
    for (&a, &b) in from.iter().zip(&to) {
        let (a, b) = (a - from_centre, b - to_centre);
        sums += DMat3::from_cols(a * b.x, a * b.y, a * b.z);
    }
    // sums.col(j)[i] is the sum of a_i b_j.
    let s = |i: usize, j: usize| sums.col(j)[i];
    let (xx, yy, zz) = (s(0, 0), s(1, 1), s(2, 2));
    let (wx, wy, wz) = (s(1, 2) - s(2, 1), s(2, 0) - s(0, 2), s(0, 1) - s(1, 0));
    let (xy, xz, yz) = (s(0, 1) + s(1, 0), s(2, 0) + s(0, 2), s(1, 2) + s(2, 1));
    let [w, x, y, z] = largest([
        [xx + yy + zz, wx, wy, wz],
        [wx, xx - yy - zz, xy, xz],
        [wy, xy, yy - xx - zz, yz],
        [wz, xz, yz, zz - xx - yy],
    ]);
    let rotation = DMat3::from_quat(DQuat::from_xyzw(x, y, z, w).normalize());
    Ok(Rigid { rotation, translation_mm: to_centre - rotation * from_centre })
}

/// Returns the root mean square distance between the pairs after a motion, mm.
#[must_use]
pub fn error_mm(pairs: &[Landmark], motion: &Rigid) -> f64 {
    let square =
        |pair: &Landmark| motion.apply(DVec3::from_array(pair.mesh)).distance_squared(DVec3::from_array(pair.ct));
    (pairs.iter().map(square).sum::<f64>() / pairs.len().max(1) as f64).sqrt()
}

/// Returns how far the farthest point lies from the line through the centre and the point farthest from it, mm.
fn off_line_mm(points: &[DVec3], centre: DVec3) -> f64 {
    let away = points.iter().map(|&p| p - centre);
    let along = away.clone().fold(DVec3::ZERO, |far, p| if p.length() > far.length() { p } else { far });
    let along = along.normalize_or_zero();
    away.map(|p| (p - along * p.dot(along)).length()).fold(0.0, f64::max)
}

/// Returns the eigenvector of the largest eigenvalue of a symmetric matrix.
fn largest(m: [[f64; 4]; 4]) -> [f64; 4] {
    let (values, vectors) = eigen(m);
    let best = (0..4).fold(0, |best, i| if values[i] > values[best] { i } else { best });
    vectors.map(|row| row[best])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(truth: &Rigid, points: &[[f64; 3]]) -> Vec<Landmark> {
        points.iter().map(|&mesh| Landmark { mesh, ct: truth.apply(DVec3::from_array(mesh)).to_array() }).collect()
    }

    const MARKED: [[f64; 3]; 4] = [[0.0, -80.0, 5.0], [60.0, 10.0, -4.0], [-58.0, 12.0, -2.0], [3.0, 70.0, 40.0]];

    #[test]
    fn exact_pairs_give_the_motion_back() {
        for turn in [DVec3::ZERO, DVec3::new(0.3, -2.0, 1.0), DVec3::new(0.0, 0.0, std::f64::consts::PI)] {
            let truth = Rigid::about(DVec3::ZERO, turn, DVec3::new(100.0, -20.0, 900.0));
            for n in [3, 4] {
                let pairs = pairs(&truth, &MARKED[..n]);
                let found = motion(&pairs).unwrap();
                assert!(error_mm(&pairs, &found) < 1e-9, "{turn} {n}");
                assert!(found.apply(DVec3::Z * 50.0).distance(truth.apply(DVec3::Z * 50.0)) < 1e-9);
                assert!(found.rotation.determinant() > 0.0);
            }
        }
    }

    #[test]
    fn a_slip_of_the_hand_is_spread_and_too_little_is_refused() {
        let truth = Rigid::about(DVec3::ZERO, DVec3::new(0.2, 0.1, 0.4), DVec3::X);
        let mut marked = pairs(&truth, &MARKED);
        marked[1].ct[2] += 4.0;
        let error = error_mm(&marked, &motion(&marked).unwrap());
        assert!(error > 0.1 && error < 2.0, "{error}");
        assert!(motion(&marked[..2]).is_err());
        let line = pairs(&truth, &[[0.0; 3], [10.0, 0.0, 0.0], [30.0, 0.1, 0.0]]);
        assert!(motion(&line).unwrap_err().what.contains("one line"));
        marked[0].mesh[0] = f64::NAN;
        assert!(motion(&marked).is_err());
    }
}
