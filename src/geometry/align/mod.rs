//! Brings a mesh from a frame of its own onto the bone of a CT scan, by a rigid motion, without hands.
//!
//! ```text
//! CT ──▶ bone level ──▶ iso-surface ──▶ coarse field ──▶ search: all rotations, some shifts, short fits
//!                            │                               │ the best few that differ
//!                            └──────────▶ tree ──────────▶ fit: trimmed point-to-plane ICP ──▶ quality
//! ```
//! Only proper rotations are tried. The mirror image of the mesh runs through the same search, and when it fits better
//! the alignment is not accepted: a skull is so nearly symmetric that residuals alone do not tell.
//!
//! Sources: Besl and `McKay` 1992 (ICP), Chen and Medioni 1992 (point to plane), Chetverikov et al. 2002 (trimming).

mod field;
mod fit;
mod level;
mod quality;
mod sample;
mod search;
mod solve;

use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::Rigid,
    volume::Volume,
};

/// Starts that are fitted to the surface, of the mesh and of its mirror image.
const STARTS: (usize, usize) = (5, 3);

/// Where the alignment starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Start {
    /// Anywhere: all rotations are searched.
    #[default]
    Auto,
    /// The mesh already lies near its place.
    Identity,
    /// Near this motion, mesh to world.
    Known(Rigid),
}

/// How to align, and what to accept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlignOptions {
    /// Intensity of the bone surface, HU; found from the histogram, then from the scan under the mesh, when absent.
    pub bone_hu: Option<f64>,
    /// Share of the mesh that is taken to have a counterpart in the scan while fitting.
    pub trim: f64,
    /// Largest distance at which a point of the mesh lies on bone, mm; 2 or half of the largest spacing when absent.
    pub inlier_mm: Option<f64>,
    /// Largest median residual that is accepted, mm.
    pub accept_median_mm: f64,
    /// Smallest share of the mesh (inside the scan) on bone that is accepted.
    pub accept_inlier_share: f64,
    /// Smallest share of the mesh inside the scan that is accepted.
    pub accept_overlap_share: f64,
}

impl Default for AlignOptions {
    fn default() -> Self {
        Self {
            bone_hu: None,
            trim: 0.85,
            inlier_mm: None,
            accept_median_mm: 1.0,
            accept_inlier_share: 0.7,
            accept_overlap_share: 0.3,
        }
    }
}

/// A motion from mesh to scan, with everything needed to judge it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// Mesh (in its own frame) to the scan's world, LPS mm.
    pub world_from_mesh: Rigid,
    /// Share of the mesh surface inside the scan that lies on bone.
    pub inlier_share: f64,
    /// Share of the mesh surface that lies inside the scan.
    pub overlap_share: f64,
    /// Median distance of the mesh surface (inside the scan) to the bone surface, mm.
    pub median_residual_mm: f64,
    /// 95th percentile of that distance, mm.
    pub p95_residual_mm: f64,
    /// Root mean square of the distances that count as on bone, mm.
    pub rms_residual_mm: f64,
    /// Square root of the ratio of the largest to the smallest curvature of the fit: large when the mesh can slide.
    pub condition: f64,
    /// Truncated mean distance of this motion over that of the second best that differs: near 1 is ambiguous.
    pub ambiguity: Option<f64>,
    /// Truncated mean distance of this motion over that of the mirrored mesh's best: above 1 the mesh looks mirrored.
    pub mirror: Option<f64>,
    /// Level of the bone surface that was used, HU.
    pub bone_hu: f64,
    /// Number of starts that were fitted after the coarse search.
    pub starts: usize,
    /// Why the alignment must not be used; nothing when it is accepted.
    pub refusal: Option<String>,
}

impl Alignment {
    /// Returns whether the alignment may be used.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.refusal.is_none()
    }
}

/// Finds the rigid motion that brings a mesh onto the bone of a scan.
///
/// The mesh is in LPS millimetres, anywhere, turned anyhow; parts may be missing from it or lie outside the scan. The
/// result is the same for any number of threads. What does not fit is returned with a refusal.
///
/// # Errors
/// Unfit when the mesh has no surface or the scan no bone; usage when an option is out of range.
pub fn align(mesh: &Mesh, ct: &Volume<f32>, start: &Start, options: &AlignOptions) -> Result<Alignment> {
    if !(options.trim > 0.1 && options.trim <= 1.0) {
        return Err(Fault::usage(format!("the trimmed share must lie in (0.1, 1], not {}", options.trim)));
    }
    let level = options.bone_hu.unwrap_or_else(|| level::bone_hu(ct));
    let model = sample::Model::new(mesh)?;
    let bone = fit::Bone::new(ct, level)?;
    let field = field::Field::new(&bone);
    let candidates = match start {
        Start::Auto => search::search(&model, &field, STARTS.0),
        Start::Identity => vec![Rigid::IDENTITY],
        Start::Known(motion) => vec![*motion],
    };
    let best = fit::choose(&model, &bone, &candidates, options.trim);
    let mirrored = model.mirrored();
    let mirror_candidates = search::search(&mirrored, &field, STARTS.1);
    let mirror = fit::choose(&mirrored, &bone, &mirror_candidates, options.trim);
    drop(field);

    let mut bone = bone;
    let mut motion = fit::approach(&model, &bone, &best.motion, options.trim);
    if let Some(level) = calibrated(ct, &model, &bone, &motion, options) {
        bone = fit::Bone::new(ct, level)?;
        motion = fit::approach(&model, &bone, &motion, options.trim);
    }
    motion = fit::settle(&model, &bone, &motion, options.trim);
    let scores = quality::Scores {
        best: best.score_mm,
        second: best.second_mm,
        mirror: mirror.score_mm,
        starts: candidates.len(),
    };
    Ok(quality::judge(&model, &bone, motion, &scores, options))
}

/// Returns the level under the aligned mesh, when the level was chosen freely, the fit is good enough to tell, and the
/// new level differs: the model was drawn at some level, and only that one puts both surfaces at the same place.
fn calibrated(
    ct: &Volume<f32>,
    model: &sample::Model,
    bone: &fit::Bone,
    motion: &Rigid,
    options: &AlignOptions,
) -> Option<f64> {
    if options.bone_hu.is_some() {
        return None;
    }
    let found = level::under(ct, model, bone, motion)?;
    ((found - bone.level_hu).abs() > level::WORTH_HU).then_some(found)
}

#[cfg(test)]
mod tests;
