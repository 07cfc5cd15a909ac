//! Many random starts of one mesh against one scan: how often and how exactly the way back is found.

use super::{AlignOptions, Alignment, Scan, Start, sample::Model};
use crate::{
    fault::Result,
    mesh::Mesh,
    numeric::Seed,
    space::{DQuat, DVec3, Rigid},
};

/// Points of the mesh over which the error is measured.
const POINTS: usize = 1024;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trials {
    /// How many starts.
    pub starts: usize,
    /// How many starts of the same seed are passed over before: trials can be run in portions.
    pub first: usize,
    /// Seed of the starts.
    pub seed: u64,
    /// Largest displacement along each axis, mm.
    pub shift_mm: f64,
    /// A start is found when its error is at most this, root mean square over the mesh, mm.
    pub found_mm: f64,
}

impl Default for Trials {
    fn default() -> Self {
        Self { starts: 300, first: 0, seed: 2019, shift_mm: 100.0, found_mm: 1.0 }
    }
}

/// One start and what became of it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How the mesh was displaced: original to displaced.
    pub displaced: Rigid,
    /// Distance of the result from the truth, root mean square over the mesh, mm.
    pub error_mm: f64,
    /// Rotation of the result against the truth, degrees.
    pub error_deg: f64,
    /// The result.
    pub alignment: Alignment,
}

/// The starts together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Starts that were tried.
    pub tried: usize,
    /// Of these, found (error within [`Trials::found_mm`]).
    pub found: usize,
    /// Of these, accepted.
    pub accepted: usize,
    /// Accepted, but not found: what must never happen.
    pub wrong: usize,
    /// Median and largest error of those found, mm.
    pub error_mm: (f64, f64),
    /// Largest rotation error of those found, degrees.
    pub error_deg: f64,
    /// Largest median and 95th percentile of the residuals of those found, mm.
    pub residual_mm: (f64, f64),
}

/// Returns the i-th displacement about a centre: any rotation, uniformly, and a shift of up to `shift_mm` along each axis.
#[must_use]
pub fn displacement(trials: &Trials, centre_mm: DVec3, i: usize) -> Rigid {
    let mut stream = Seed::derive(trials.seed, "align_starts", "", 0).stream("displacement", i as u64);
    let mut normal = || stream.normal();
    let turn = DQuat::from_xyzw(normal(), normal(), normal(), normal());
    let turn = if turn.length_squared() > 1e-12 { turn.normalize() } else { DQuat::IDENTITY };
    let rotation = crate::space::DMat3::from_quat(turn);
    let mut shift = || stream.between(-trials.shift_mm, trials.shift_mm);
    let shift = DVec3::new(shift(), shift(), shift());
    Rigid { rotation, translation_mm: centre_mm - rotation * centre_mm + shift }
}

/// Displaces a mesh many times and aligns it each time; `truth` brings the undisplaced mesh to the scan.
///
/// `each` hears of every trial as it ends, in order: a clock, if any, is the caller's.
///
/// # Errors
/// As [`Scan::align`].
pub fn align_starts(
    mesh: &Mesh,
    scan: &Scan<'_>,
    truth: &Rigid,
    trials: &Trials,
    options: &AlignOptions,
    mut each: impl FnMut(usize, &Trial),
) -> Result<Summary> {
    let model = Model::new(mesh)?;
    let mut all = Vec::with_capacity(trials.starts);
    for i in trials.first..trials.first + trials.starts {
        let displaced = displacement(trials, model.centroid, i);
        let alignment = scan.align(&mesh.moved(&displaced), &Start::Auto, options)?;
        let back = alignment.world_from_mesh.after(&displaced);
        let square =
            model.points(POINTS).iter().map(|p| back.apply(p.position).distance_squared(truth.apply(p.position)));
        let error_mm = (square.sum::<f64>() / model.points(POINTS).len().max(1) as f64).sqrt();
        let turn = DQuat::from_mat3(&(back.rotation * truth.rotation.transpose())).normalize();
        // The vector part keeps small angles exact.
        let error_deg = 2.0 * libm::asin(turn.xyz().length().min(1.0)) * 180.0 / std::f64::consts::PI;
        let trial = Trial { displaced, error_mm, error_deg, alignment };
        each(i, &trial);
        all.push(trial);
    }
    Ok(summary(&all, trials))
}

fn summary(all: &[Trial], trials: &Trials) -> Summary {
    let is_found = |trial: &&Trial| trial.error_mm <= trials.found_mm;
    let found: Vec<&Trial> = all.iter().filter(is_found).collect();
    let mut errors: Vec<f64> = found.iter().map(|trial| trial.error_mm).collect();
    errors.sort_by(f64::total_cmp);
    let largest = |value: &dyn Fn(&Trial) -> f64| found.iter().map(|trial| value(trial)).fold(0.0, f64::max);
    Summary {
        tried: all.len(),
        found: found.len(),
        accepted: all.iter().filter(|trial| trial.alignment.accepted()).count(),
        wrong: all.iter().filter(|trial| trial.alignment.accepted() && !is_found(trial)).count(),
        error_mm: (errors.get(errors.len() / 2).copied().unwrap_or(0.0), errors.last().copied().unwrap_or(0.0)),
        error_deg: largest(&|trial| trial.error_deg),
        residual_mm: (
            largest(&|trial| trial.alignment.median_residual_mm),
            largest(&|trial| trial.alignment.p95_residual_mm),
        ),
    }
}
