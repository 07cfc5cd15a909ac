//! How well the mesh lies on bone, and whether that is good enough.

use rayon::prelude::*;

use super::{
    AlignOptions, Alignment,
    fit::{Bone, normal_equations_at},
    sample::Model,
};
use crate::{numeric::tree_sum, space::Rigid};

/// A mesh whose mirror image fits this much better looks mirrored.
const MIRROR_RATIO: f64 = 1.0;

/// What the choice between starts brought, truncated mean distances in mm.
pub(super) struct Scores {
    pub(super) best: f64,
    pub(super) second: Option<f64>,
    pub(super) mirror: f64,
    pub(super) starts: usize,
}

/// Measures the alignment and decides.
pub(super) fn judge(model: &Model, bone: &Bone, motion: Rigid, scores: &Scores, options: &AlignOptions) -> Alignment {
    let points = model.points(usize::MAX);
    let distances: Vec<Option<f64>> = points
        .par_iter()
        .map(|point| {
            let p = motion.apply(point.position);
            bone.holds(p).then(|| bone.tree.closest(p)).flatten().map(|hit| hit.distance_mm)
        })
        .collect();
    let mut inside: Vec<f64> = distances.into_iter().flatten().collect();
    inside.sort_by(f64::total_cmp);
    let at =
        |share: f64| inside.get(((inside.len() as f64 * share) as usize).min(inside.len().saturating_sub(1))).copied();
    let inlier_mm = options.inlier_mm.unwrap_or_else(|| (0.5 * bone.spacing_mm.max_element()).max(2.0));
    let on_bone = &inside[..inside.partition_point(|&d| d <= inlier_mm)];
    let squares: Vec<f64> = on_bone.iter().map(|d| d * d).collect();
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let ratio = |other: f64| scores.best / other.max(1e-9);
    let mut found = Alignment {
        world_from_mesh: motion,
        inlier_share: share(on_bone.len(), inside.len()),
        overlap_share: share(inside.len(), points.len()),
        median_residual_mm: at(0.5).unwrap_or(f64::INFINITY),
        p95_residual_mm: at(0.95).unwrap_or(f64::INFINITY),
        rms_residual_mm: (tree_sum(&squares) / squares.len().max(1) as f64).sqrt(),
        condition: normal_equations_at(model, bone, &motion, options.trim)
            .map_or(f64::INFINITY, |normal| normal.condition(model.radius_mm)),
        ambiguity: scores.second.map(ratio),
        mirror: Some(ratio(scores.mirror)),
        bone_hu: bone.level_hu,
        starts: scores.starts,
        refusal: None,
    };
    found.refusal = refusal(&found, options);
    found
}

fn refusal(found: &Alignment, options: &AlignOptions) -> Option<String> {
    let percent = |share: f64| 100.0 * share;
    if found.mirror.is_some_and(|ratio| ratio > MIRROR_RATIO) {
        return Some("the mirror image of the mesh fits the scan better: check its frame (LPS or RAS)".to_owned());
    }
    if found.overlap_share < options.accept_overlap_share {
        return Some(format!(
            "only {:.0} % of the mesh lies inside the scan (limit {:.0} %)",
            percent(found.overlap_share),
            percent(options.accept_overlap_share)
        ));
    }
    if found.median_residual_mm > options.accept_median_mm || found.inlier_share < options.accept_inlier_share {
        return Some(format!(
            "median distance to bone {:.2} mm (limit {} mm), {:.0} % of the surface on bone (limit {:.0} %)",
            found.median_residual_mm,
            options.accept_median_mm,
            percent(found.inlier_share),
            percent(options.accept_inlier_share)
        ));
    }
    None
}
