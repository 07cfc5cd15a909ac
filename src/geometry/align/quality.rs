//! How well the mesh lies on bone, in numbers.

use rayon::prelude::*;

use super::{
    AlignOptions, Alignment, Handed, Weakest,
    fit::{Bone, normal_equations_at},
    refine::Refined,
    sample::{Model, Point},
};
use crate::{
    mesh::{Mesh, bvh::Hit, thickness::Walls},
    numeric::tree_sum,
    space::{DVec3, Rigid},
};

/// Change of the distances that the weakest motion is scaled to, mm.
const CHANGE_MM: f64 = 0.1;
/// Longest weakest motion that is said, mm.
const LONGEST_MM: f64 = 1000.0;
/// Bone of the mesh that is thinner than this may be lost in any scan, mm.
pub(super) const THIN_MM: f64 = 2.0;
/// Normals that agree less than this say nothing.
const CLEAR: f64 = 0.3;

/// What the way to the motion brought.
pub(super) struct Seen {
    pub(super) ambiguity: Option<f64>,
    pub(super) handed: Option<Handed>,
    pub(super) refined: Option<Refined>,
    pub(super) starts: usize,
}

/// Measures the alignment.
pub(super) fn measure(model: &Model, bone: &Bone, motion: Rigid, seen: &Seen, options: &AlignOptions) -> Alignment {
    let points = model.points(usize::MAX);
    let near: Vec<Option<(f64, f64)>> = points
        .par_iter()
        .with_min_len(256)
        .map(|point| {
            let hit = nearest(bone, &motion, point)?;
            let agree = bone.normal(hit.triangle).map_or(0.0, |normal| normal.dot(motion.rotation * point.normal));
            Some((hit.distance_mm, agree))
        })
        .collect();
    let mut inside: Vec<(f64, f64)> = near.into_iter().flatten().collect();
    inside.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let distances: Vec<f64> = inside.iter().map(|near| near.0).collect();
    let inlier_mm = options.inlier_mm.unwrap_or_else(|| (0.5 * bone.spacing_mm.max_element()).max(2.0));
    let on_bone = &inside[..inside.partition_point(|near| near.0 <= inlier_mm)];
    let squares: Vec<f64> = on_bone.iter().map(|near| near.0 * near.0).collect();
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let along = on_bone.iter().filter(|near| near.1 > CLEAR).count();
    let against = on_bone.iter().filter(|near| near.1 < -CLEAR).count();
    let condition =
        normal_equations_at(model, bone, &motion, options.trim).map(|normal| normal.condition(model.radius_mm));
    Alignment {
        world_from_mesh: motion,
        inlier_share: share(on_bone.len(), inside.len()),
        overlap_share: share(inside.len(), points.len()),
        median_residual_mm: percentile(&distances, 0.5),
        p95_residual_mm: percentile(&distances, 0.95),
        p95_thick_residual_mm: None,
        rms_residual_mm: (tree_sum(&squares) / squares.len().max(1) as f64).sqrt(),
        condition: condition.map_or(f64::INFINITY, |condition| condition.ratio),
        weakest: condition.map(|condition| {
            let slide_mm = (CHANGE_MM * condition.give).min(LONGEST_MM);
            let [rx, ry, rz, x, y, z] = condition.weakest;
            Weakest {
                slide_mm,
                rotation_deg: (DVec3::new(rx, ry, rz) * (slide_mm * 180.0 / std::f64::consts::PI)).to_array(),
                translation_mm: (DVec3::new(x, y, z) * slide_mm).to_array(),
            }
        }),
        ambiguity: seen.ambiguity,
        handed: seen.handed,
        outwards_share: share(along, along + against),
        edge_share: seen.refined.map(|refined| refined.edge_share),
        swell_mm: seen.refined.map(|refined| refined.swell_mm),
        bone_hu: bone.level_hu,
        starts: seen.starts,
        notes: Vec::new(),
        refusal: None,
    }
}

/// Returns the 95th percentile of the distances of bone that is not thin, mm; nothing when that is the smaller part.
///
/// A wall that the scan is too coarse to show lies far from any bone of the scan, however well the mesh is placed; a mesh
/// out of place is off where bone is thick too.
pub(super) fn p95_of_thick(mesh: &Mesh, model: &Model, bone: &Bone, motion: &Rigid) -> Option<f64> {
    let walls = Walls::new(mesh);
    let is_thin = |point: &Point| walls.below_mm(point.position, point.normal).is_some_and(|mm| mm < THIN_MM);
    let inside: Vec<(f64, bool)> = (model.points(usize::MAX).par_iter().with_min_len(256))
        .filter_map(|point| nearest(bone, motion, point).map(|hit| (hit.distance_mm, is_thin(point))))
        .collect();
    let mut thick: Vec<f64> = inside.iter().filter(|(_, is_thin)| !is_thin).map(|&(mm, _)| mm).collect();
    thick.sort_by(f64::total_cmp);
    (!thick.is_empty() && 2 * thick.len() >= inside.len()).then(|| percentile(&thick, 0.95))
}

/// Returns where the bone is nearest to a point of the mesh, or nothing outside the scan.
fn nearest(bone: &Bone, motion: &Rigid, point: &Point) -> Option<Hit> {
    let p = motion.apply(point.position);
    bone.holds(p).then(|| bone.tree.closest(p)).flatten()
}

/// Returns the number below which a share of sorted numbers lies; infinity when there are none.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(((sorted.len() as f64 * share) as usize).min(last)).copied().unwrap_or(f64::INFINITY)
}
