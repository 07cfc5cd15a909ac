//! A scan made ready: its coarse surface and map, and the fine surfaces that were asked for.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    AlignOptions, Alignment, Effort, Start,
    coarse::coarse,
    field::Field,
    fit::{self, Bone},
    handed, level, quality, refine, refuse,
    sample::Model,
    search,
};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::Rigid,
    volume::Volume,
};

/// Starts that are fitted to the surface, of the mesh and of its mirror image.
const STARTS: (usize, usize) = (5, 3);
/// Levels are rounded to this, HU, so that meshes that differ little share a surface.
const LEVEL_STEP_HU: f64 = 5.0;
/// Fine surfaces that are kept.
const KEPT: usize = 4;

/// A scan to which meshes are aligned.
#[derive(Debug)]
pub struct Scan<'a> {
    ct: &'a Volume<f32>,
    /// Whether the level was given, so that it stays.
    fixed: bool,
    /// The map, and the coarse surface under it.
    field: Field,
    /// Whether the coarse surface is of the scan itself.
    whole: bool,
    /// Surfaces of the scan itself by level; order of insertion, so that the oldest goes first.
    fine: Mutex<Vec<(i64, Arc<Bone>)>>,
}

impl<'a> Scan<'a> {
    /// Returns the scan, made ready for a level of bone; found from the histogram when absent.
    ///
    /// # Errors
    /// Unfit when the scan has no bone surface.
    pub fn new(ct: &'a Volume<f32>, bone_hu: Option<f64>) -> Result<Self> {
        let blocks = coarse(ct);
        let searched = blocks.as_ref().unwrap_or(ct);
        let level_hu = bone_hu.unwrap_or_else(|| level::bone_hu(searched));
        let field = Field::new(Arc::new(Bone::new(searched, level_hu)?));
        Ok(Self { ct, fixed: bone_hu.is_some(), field, whole: blocks.is_none(), fine: Mutex::new(Vec::new()) })
    }

    /// Aligns a mesh; see [`align`](super::align). The level of bone is the scan's: `options.bone_hu` is not read here.
    ///
    /// # Errors
    /// As [`align`](super::align).
    pub fn align(&self, mesh: &Mesh, start: &Start, options: &AlignOptions) -> Result<Alignment> {
        if !(options.trim > 0.1 && options.trim <= 1.0) {
            return Err(Fault::usage(format!("the trimmed share must lie in (0.1, 1], not {}", options.trim)));
        }
        if options.effort == Effort::Verify && *start == Start::Auto {
            return Err(Fault::usage("only a given start can be verified without refining it"));
        }
        let model = Model::new(mesh)?;
        refuse::size(&model, self.field.radius_mm)?;
        let mut found = self.place(mesh, &model, start, options)?;
        let Some(refusal) = &mut found.refusal else { return Ok(found) };
        // A given start that fails may only be the wrong start.
        if *start != Start::Auto {
            let searched = AlignOptions { effort: Effort::Refine, ..*options };
            let elsewhere = self.place(mesh, &model, &Start::Auto, &searched)?;
            if elsewhere.accepted() {
                refusal.cause = refuse::wrong_start(&model, &found.world_from_mesh, &elsewhere);
            }
        }
        Ok(found)
    }

    fn place(&self, mesh: &Mesh, model: &Model, start: &Start, options: &AlignOptions) -> Result<Alignment> {
        let (field, trim) = (&self.field, options.trim);
        let starts = match start {
            Start::Auto => search::search(model, field, STARTS.0),
            Start::Identity => vec![Rigid::IDENTITY],
            Start::Known(motion) => vec![*motion],
        };
        let verify = options.effort == Effort::Verify;
        let best = if verify {
            fit::Choice { motion: starts.first().copied().unwrap_or(Rigid::IDENTITY), second_mm: None, score_mm: 0.0 }
        } else {
            fit::choose(model, &field.bone, &starts, trim)
        };
        let mirrored = model.mirrored();
        let mirror = fit::choose(&mirrored, &field.bone, &search::search(&mirrored, field, STARTS.1), trim);

        let bone = self.fine(self.level_hu(model, &best.motion))?;
        let mut motion = best.motion;
        let mut refined = None;
        if !verify {
            motion = fit::settle(model, &bone, &motion, trim);
        }
        let settled = motion;
        if !verify {
            refined = refine::refine(mesh, model, self.ct, &bone, &motion);
            motion = refined.map_or(motion, |refined| refined.motion);
        }
        // Both images as settled: only one of them has been refined, which would speak for it.
        let other = fit::settle(&mirrored, &bone, &mirror.motion, trim);
        let seen = quality::Seen {
            ambiguity: best.second_mm.map(|second_mm| best.score_mm / second_mm.max(1e-9)),
            handed: handed::compare(model, &settled, &mirrored, &other, &bone),
            refined,
            starts: starts.len(),
        };
        let mut found = quality::measure(model, &bone, motion, &seen, options);
        let spacing_mm = self.ct.grid.spacing_mm.max_element();
        if refuse::far(found.p95_residual_mm, refuse::p95_limit_mm(&options.accept, spacing_mm)) {
            found.p95_thick_residual_mm = quality::p95_of_thick(mesh, model, &bone, &motion);
        }
        found.notes = refuse::notes(&found, start);
        found.refusal = refuse::refusal(&found, start, spacing_mm, &options.accept);
        Ok(found)
    }

    /// Returns the level for the last fit: the one given, or the one under the mesh at its place, for the model was drawn
    /// at some level, and only that one puts both surfaces at the same place.
    fn level_hu(&self, model: &Model, motion: &Rigid) -> f64 {
        let bone = &self.field.bone;
        if self.fixed {
            return bone.level_hu;
        }
        // The scan under the mesh, not under its blocks: those have other values at the same places.
        let found = level::under(self.ct, model, bone, motion).unwrap_or(bone.level_hu);
        let rounded = (found / LEVEL_STEP_HU).round() * LEVEL_STEP_HU;
        if (rounded - bone.level_hu).abs() > level::WORTH_HU { rounded } else { bone.level_hu }
    }

    /// Returns the surface of the scan itself at a level, from the store or new.
    fn fine(&self, level_hu: f64) -> Result<Arc<Bone>> {
        // Thousandths of HU: levels that differ by less draw the same surface.
        let key = (level_hu * 1e3) as i64;
        if self.whole && level_hu == self.field.bone.level_hu {
            return Ok(Arc::clone(&self.field.bone));
        }
        let kept = self.fine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bone)) = kept.iter().find(|(level, _)| *level == key) {
            return Ok(Arc::clone(bone));
        }
        drop(kept);
        let bone = Arc::new(Bone::new(self.ct, level_hu)?);
        let mut kept = self.fine.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&bone)));
        Ok(bone)
    }
}
