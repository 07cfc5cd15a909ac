//! The start without hands: all rotations, some shifts, judged on the coarse map; the best are fitted there.

use rayon::prelude::*;

use super::{
    field::Field,
    sample::{Model, Point},
    solve::{Normal, proper},
};
use crate::space::{DMat3, DQuat, DVec3, Rigid};

/// Rotations that are tried: no rotation is farther than about 13 degrees from one of them.
const ROTATIONS: usize = 3072;
/// Points that judge a start, that fit it, and that judge the fit.
const POINTS: (usize, usize, usize) = (64, 192, 512);
/// Starts that are fitted on the map.
const FITTED: usize = 96;
/// Rounds of the fit on the map; the reach of a point shrinks from the first to the last, mm.
const ROUNDS: usize = 14;
const REACH_MM: (f64, f64) = (40.0, 10.0);
/// Distances are cut off here when starts and fits are judged, mm.
const CUT_MM: (f64, f64) = (20.0, 10.0);
/// Motions that take the mesh less far apart are the same, mm.
const SAME_MM: f64 = 10.0;

/// Returns the most promising motions that differ, best first.
pub(super) fn search(model: &Model, field: &Field, most: usize) -> Vec<Rigid> {
    let shifts = shifts(model, field);
    let mut starts: Vec<(f64, usize, Rigid)> = (0..ROTATIONS)
        .into_par_iter()
        .map(|i| {
            let rotation = rotation(i);
            let motion =
                |shift: DVec3| Rigid { rotation, translation_mm: field.centroid + shift - rotation * model.centroid };
            let (cost, shift) = best_shift(model, field, &motion(DVec3::ZERO), &shifts);
            (cost, i, motion(shift))
        })
        .collect();
    starts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    starts.truncate(FITTED);
    let mut fitted: Vec<(f64, Rigid)> = starts
        .par_iter()
        .map(|(_, _, start)| {
            let motion = fit(model, field, start);
            (cost(model.points(POINTS.2), field, &motion, CUT_MM.1), motion)
        })
        .collect();
    fitted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut distinct: Vec<Rigid> = Vec::new();
    for (_, motion) in fitted {
        if distinct.len() < most && distinct.iter().all(|other| model.apart_mm(&motion, other) > SAME_MM) {
            distinct.push(motion);
        }
    }
    distinct
}

/// Returns the shifts of the centroid that are tried: the less the two surfaces agree in size, the more content one has
/// that the other has not, and the farther their centroids may lie apart.
fn shifts(model: &Model, field: &Field) -> Vec<DVec3> {
    let step_mm = (1.5 * (model.radius_mm - field.radius_mm).abs()).clamp(10.0, 40.0);
    let steps = [-1.0, 0.0, 1.0];
    let mut shifts = Vec::with_capacity(27);
    for x in steps {
        for y in steps {
            shifts.extend(steps.map(|z| step_mm * DVec3::new(x, y, z)));
        }
    }
    shifts
}

/// Returns the best of the shifts of a motion, with its cost.
fn best_shift(model: &Model, field: &Field, motion: &Rigid, shifts: &[DVec3]) -> (f64, DVec3) {
    let place = |point: &Point| field.in_cells(motion.apply(point.position)).as_vec3().to_array();
    let places: Vec<[f32; 3]> = model.points(POINTS.0).iter().map(place).collect();
    let mut best = (f64::INFINITY, DVec3::ZERO);
    for &shift in shifts {
        let cells = (shift * field.length_in_cells(1.0)).as_vec3().to_array();
        let cost = field.rough_mm(&places, cells, CUT_MM.0);
        if cost < best.0 {
            best = (cost, shift);
        }
    }
    best
}

/// Returns the i-th of [`ROTATIONS`] evenly spread rotations (super-Fibonacci spirals, Alexa 2022).
fn rotation(i: usize) -> DMat3 {
    const PSI: f64 = 1.533_751_168_755_204_3;
    let s = i as f64 + 0.5;
    let share = s / ROTATIONS as f64;
    let (small, large) = (share.sqrt(), (1.0 - share).sqrt());
    let alpha = std::f64::consts::TAU * s / std::f64::consts::SQRT_2;
    let beta = std::f64::consts::TAU * s / PSI;
    let turn = DQuat::from_xyzw(
        small * libm::sin(alpha),
        small * libm::cos(alpha),
        large * libm::sin(beta),
        large * libm::cos(beta),
    );
    DMat3::from_quat(turn.normalize())
}

/// Returns the mean distance to bone, cut off; a point outside the map costs three quarters of the cut.
fn cost(points: &[Point], field: &Field, motion: &Rigid, cut_mm: f64) -> f64 {
    let one = |point: &Point| {
        let p = motion.apply(point.position);
        match field.nearest(p) {
            None => 0.75 * cut_mm,
            Some(near) => near.distance(p).min(cut_mm),
        }
    };
    points.iter().map(one).sum::<f64>() / points.len().max(1) as f64
}

/// Fits point to point on the map: coarse, but from far away.
fn fit(model: &Model, field: &Field, start: &Rigid) -> Rigid {
    let mut motion = *start;
    for round in 0..ROUNDS {
        let share = round as f64 / (ROUNDS - 1) as f64;
        let reach_mm = REACH_MM.0 + (REACH_MM.1 - REACH_MM.0) * share;
        let mut normal = Normal::new(motion.apply(model.centroid));
        for point in model.points(POINTS.1) {
            let p = motion.apply(point.position);
            let Some(near) = field.nearest(p).filter(|_| field.bone.holds(p)) else { continue };
            let away = near - p;
            let weight = 1.0 - away.length_squared() / (reach_mm * reach_mm);
            if weight > 0.0 {
                for along in [DVec3::X, DVec3::Y, DVec3::Z] {
                    normal.add(p, along, away.dot(along), weight);
                }
            }
        }
        let Some(step) = normal.solve() else { break };
        motion = proper(&step.after(&motion));
    }
    motion
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rotation_is_near_one_that_is_tried() {
        let tried: Vec<DQuat> = (0..ROTATIONS).map(|i| DQuat::from_mat3(&rotation(i))).collect();
        let mut stream = crate::numeric::Seed([2; 32]).stream("rotations", 0);
        let mut worst: f64 = 0.0;
        for _ in 0..300 {
            let asked =
                DQuat::from_xyzw(stream.normal(), stream.normal(), stream.normal(), stream.normal()).normalize();
            let nearest = tried.iter().map(|q| q.dot(asked).abs()).fold(0.0, f64::max);
            worst = worst.max(2.0 * libm::acos(nearest.min(1.0)));
        }
        assert!(worst.to_degrees() < 16.0, "{}", worst.to_degrees());
    }
}
