//! The fit itself: trimmed point-to-plane ICP against the tree over the bone surface.

use rayon::prelude::*;

use super::{
    sample::{Model, Point},
    solve::{Normal, proper},
};
use crate::{
    fault::{Fault, Result},
    geometry::surface::{Border, isosurface},
    mesh::{Mesh, bvh::Bvh, components},
    space::{DAffine3, DVec3, Rigid},
    volume::Volume,
};

/// Pieces of the bone surface below this area are noise, mm².
const SPECK_MM2: f64 = 200.0;
/// Distances are cut off here when candidates are compared, mm.
pub(super) const CUT_MM: f64 = 8.0;
/// What a point outside the scan costs when candidates are compared, mm.
pub(super) const OUTSIDE_MM: f64 = 4.0;
/// Points and rounds of the fit that decides between candidates, of the next, and of the last one.
const CHOICE: (usize, usize) = (512, 12);
const MIDDLE: (usize, usize) = (2048, 12);
// Both images of the mesh must have arrived before they are compared, also from a start some degrees off.
const LAST: (usize, usize) = (4096, 60);
/// Points that compare the fitted candidates.
const SCORED: usize = 1536;
/// The fit ends when a round moves the mesh by less, mm.
const SETTLED_MM: f64 = 1e-3;
/// Residuals beyond this many standard deviations have no weight (Tukey's biweight, 95 % efficient for normal noise).
pub(super) const TUKEY: f64 = 4.685;
/// Points per task.
const CHUNK: usize = 256;

/// The bone surface of a scan.
#[derive(Debug)]
pub(super) struct Bone {
    pub(super) surface: Mesh,
    pub(super) tree: Bvh,
    pub(super) level_hu: f64,
    pub(super) spacing_mm: DVec3,
    voxel_from_world: DAffine3,
    low: DVec3,
    high: DVec3,
}

impl Bone {
    /// Returns the surface at a level, without specks.
    ///
    /// # Errors
    /// Unfit when the scan has no surface at this level.
    pub(super) fn new(ct: &Volume<f32>, level_hu: f64) -> Result<Self> {
        let surface = components::at_least(&isosurface(ct, level_hu, Border::Open), SPECK_MM2);
        let tree = Bvh::new(&surface);
        if tree.is_empty() {
            return Err(Fault::unfit(format!("the scan has no bone surface at {level_hu:.0} HU"))
                .hint("give the level with `bone_hu`, and check the scan's HU with `calvaria info`"));
        }
        // A voxel from the faces on: the model may be capped there, and the scan's surface ends there.
        let last = DVec3::from_array(ct.grid.size.map(|n| n as f64 - 1.0));
        let margin = DVec3::from_array(ct.grid.size.map(|n| if n < 8 { 0.0 } else { 1.0 }));
        let (voxel_from_world, spacing_mm) = (ct.grid.voxel_from_world(), ct.grid.spacing_mm);
        Ok(Self { surface, tree, level_hu, spacing_mm, voxel_from_world, low: margin, high: last - margin })
    }

    /// Returns the unit normal of a triangle of the surface, out of the bone.
    pub(super) fn normal(&self, triangle: usize) -> Option<DVec3> {
        let [a, b, c] = self.tree.corners(triangle)?;
        (b - a).cross(c - a).try_normalize()
    }

    /// Returns whether the scan can say anything about this place.
    pub(super) fn holds(&self, p: DVec3) -> bool {
        let voxel = self.voxel_from_world.transform_point3(p);
        voxel.cmpge(self.low).all() && voxel.cmple(self.high).all()
    }
}

/// The best of some starts.
pub(super) struct Choice {
    pub(super) motion: Rigid,
    /// Truncated mean distance, mm.
    pub(super) score_mm: f64,
    /// That of the second best motion that differs, if there is one.
    pub(super) second_mm: Option<f64>,
}

/// Fits every start shortly, the promising ones longer, and returns the best.
///
/// The second best is fitted as long as the best before it counts as one: a short fit that has not arrived yet would look
/// like a rival.
pub(super) fn choose(model: &Model, bone: &Bone, starts: &[Rigid], trim: f64) -> Choice {
    // Fits that end closer than this are the same; thick slices leave many small dips around one place.
    let same_mm = (1.5 * bone.spacing_mm.max_element()).max(5.0);
    let mut fitted: Vec<(f64, Rigid)> = starts
        .par_iter()
        .map(|start| {
            let motion = fit(model.points(CHOICE.0), model, bone, start, CHOICE.1, trim);
            (score_mm(model.points(SCORED), bone, &motion), motion)
        })
        .collect();
    fitted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let longer = |start: &Rigid| {
        let motion = fit(model.points(MIDDLE.0), model, bone, start, MIDDLE.1, trim);
        (score_mm(model.points(SCORED), bone, &motion), motion)
    };
    let mut best: Option<(f64, Rigid)> = None;
    for (_, start) in &fitted {
        if best.as_ref().is_some_and(|(_, best)| model.apart_mm(best, start) <= same_mm) {
            continue;
        }
        let one = longer(start);
        match &mut best {
            None => best = Some(one),
            Some(best) if model.apart_mm(&best.1, &one.1) <= same_mm => {}
            Some(best) => {
                let second = best.0.max(one.0);
                if one.0 < best.0 {
                    *best = one;
                }
                return Choice { motion: best.1, score_mm: best.0, second_mm: Some(second) };
            }
        }
    }
    let (score_mm, motion) = best.unwrap_or((CUT_MM, Rigid::IDENTITY));
    Choice { motion, score_mm, second_mm: None }
}

/// Returns the motion after the last fit, with most points.
pub(super) fn settle(model: &Model, bone: &Bone, start: &Rigid, trim: f64) -> Rigid {
    fit(model.points(LAST.0), model, bone, start, LAST.1, trim)
}

/// Returns the mean distance to bone, cut off at [`CUT_MM`], mm.
fn score_mm(points: &[Point], bone: &Bone, motion: &Rigid) -> f64 {
    let cost = |point: &Point| {
        let p = motion.apply(point.position);
        if !bone.holds(p) {
            return OUTSIDE_MM;
        }
        bone.tree.closest_within(p, CUT_MM).map_or(CUT_MM, |hit| hit.distance_mm)
    };
    points.iter().map(cost).sum::<f64>() / points.len().max(1) as f64
}

/// A point of the mesh and where it should go.
#[derive(Clone, Copy)]
struct Pair {
    p: DVec3,
    normal: DVec3,
    /// Signed distance to the plane of the nearest triangle.
    residual_mm: f64,
    distance_mm: f64,
    /// Cosine between the normals of mesh and bone.
    agree: f64,
}

fn fit(points: &[Point], model: &Model, bone: &Bone, start: &Rigid, rounds: usize, trim: f64) -> Rigid {
    let mut motion = *start;
    let mut near = vec![None; points.len()];
    for _ in 0..rounds {
        let pairs = pairs(points, bone, &motion, &mut near);
        let Some(step) = normal_equations(pairs, motion.apply(model.centroid), trim).and_then(|normal| normal.solve())
        else {
            break;
        };
        let next = proper(&step.after(&motion));
        let moved_mm = model.apart_mm(&motion, &next);
        motion = next;
        if moved_mm < SETTLED_MM {
            break;
        }
    }
    motion
}

fn pairs(points: &[Point], bone: &Bone, motion: &Rigid, near: &mut [Option<usize>]) -> Vec<Pair> {
    let pair = |point: &Point, near: &mut Option<usize>| {
        let p = motion.apply(point.position);
        if !bone.holds(p) {
            return None;
        }
        let hit = bone.tree.closest_from(p, *near)?;
        *near = Some(hit.triangle);
        let normal = bone.normal(hit.triangle)?;
        let agree = normal.dot(motion.rotation * point.normal);
        Some(Pair { p, normal, residual_mm: (hit.point - p).dot(normal), distance_mm: hit.distance_mm, agree })
    };
    let chunks: Vec<Vec<Pair>> = points
        .par_chunks(CHUNK)
        .zip(near.par_chunks_mut(CHUNK))
        .map(|(points, near)| points.iter().zip(near).filter_map(|(point, near)| pair(point, near)).collect())
        .collect();
    chunks.concat()
}

/// Returns the equations of the fit at a motion; nothing when too little of the mesh lies on bone.
pub(super) fn normal_equations_at(model: &Model, bone: &Bone, motion: &Rigid, trim: f64) -> Option<Normal> {
    let points = model.points(MIDDLE.0);
    let pairs = pairs(points, bone, motion, &mut vec![None; points.len()]);
    normal_equations(pairs, motion.apply(model.centroid), trim)
}

/// Weighs the pairs and returns their equations about a centre; nothing when there are too few.
///
/// The farthest pairs are trimmed, pairs whose normals disagree are left out (the other table of the skull), and the rest
/// is weighed down with its residual (Tukey's biweight, scale from the median absolute residual).
fn normal_equations(mut pairs: Vec<Pair>, centre: DVec3, trim: f64) -> Option<Normal> {
    const FEWEST: usize = 12;
    const FLOOR_MM: f64 = 0.02;
    keep_agreeing(&mut pairs);
    let mut distances: Vec<f64> = pairs.iter().map(|pair| pair.distance_mm).collect();
    let limit_mm = quantile(&mut distances, trim)?;
    pairs.retain(|pair| pair.distance_mm <= limit_mm);
    if pairs.len() < FEWEST {
        return None;
    }
    let mut residuals: Vec<f64> = pairs.iter().map(|pair| pair.residual_mm.abs()).collect();
    let scale_mm = TUKEY * (1.4826 * quantile(&mut residuals, 0.5)?).max(FLOOR_MM);
    let mut normal = Normal::new(centre);
    for pair in &pairs {
        let share = pair.residual_mm / scale_mm;
        let weight = (1.0 - share * share).max(0.0);
        normal.add(pair.p, pair.normal, pair.residual_mm, weight * weight);
    }
    Some(normal)
}

/// Drops pairs whose normals disagree, unless the mesh is wound so badly that its normals mean nothing; a mesh wound
/// inside out is recognised by most of its normals being opposite.
fn keep_agreeing(pairs: &mut Vec<Pair>) {
    const CLEAR: f64 = 0.65;
    const SAME_SIDE: f64 = 0.3;
    let along = pairs.iter().filter(|pair| pair.agree > 0.0).count() as f64 / pairs.len().max(1) as f64;
    if along >= CLEAR {
        pairs.retain(|pair| pair.agree > SAME_SIDE);
    } else if along <= 1.0 - CLEAR {
        pairs.retain(|pair| pair.agree < -SAME_SIDE);
    }
}

/// Returns the value below which this share of the values lies.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let at = ((values.len() as f64 * share) as usize).min(last);
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}
