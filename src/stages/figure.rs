//! `figure`: pictures of one case, slices as in the paper's figure 1 and surfaces as in its figure 2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    fault::Result,
    geometry::surface::{self, Border},
    metrics::defect::Solid,
    pipeline::stage::{Arity, Input, Job, Output, Params, Stage},
    report::figure::{self, SliceTitles, SurfaceOptions},
    space::DVec3,
};

/// Parameters of `figure`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FigureParams {
    /// Distance at the ends of the colour bar, mm; one limit for all cases makes figures comparable.
    pub limit_mm: f64,
}

impl Default for FigureParams {
    fn default() -> Self {
        Self { limit_mm: 2.0 }
    }
}

impl Params for FigureParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.limit_mm.is_finite() && self.limit_mm > 0.0 {
            return Ok(());
        }
        Err(("limit_mm", format!("must be a positive length, not {}", self.limit_mm)))
    }
}

/// Draws a case.
#[derive(Debug)]
pub struct Figure;

impl Stage for Figure {
    const NAME: &'static str = "figure";
    const VERSION: u32 = 1;
    const DOC: &'static str =
        "Draw a case: slices with gold and predicted contours, and shaded surfaces with deviations.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "the scan" },
        Input { name: "gold_label", kinds: &["label"], arity: Arity::One, doc: "gold label" },
        Input { name: "pred_label", kinds: &["label"], arity: Arity::One, doc: "predicted label" },
        Input { name: "gold_mesh", kinds: &["mesh"], arity: Arity::One, doc: "gold surface" },
        Input {
            name: "pred_mesh",
            kinds: &["mesh"],
            arity: Arity::Optional,
            doc: "predicted surface; made from the label when absent",
        },
        Input { name: "defect", kinds: &["solid"], arity: Arity::Optional, doc: "the defect: where to look" },
    ];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "figure", kind: "figure", file: "figure/", optional: false, doc: "slices.png, surfaces.png" }];
    type Params = FigureParams;

    fn run(params: &FigureParams, job: &Job<'_>) -> Result<()> {
        let ct = load::ct(job.one("ct")?)?;
        let gold_label = load::label(job.one("gold_label")?)?;
        let pred_label = load::label(job.one("pred_label")?)?;
        let gold_mesh = load::mesh(job.one("gold_mesh")?)?;
        let pred_mesh = match job.optional("pred_mesh") {
            Some(mesh) => load::predicted_mesh(mesh)?,
            None => surface::label_surface(&pred_label, Border::Cap),
        };
        let solid = job.optional("defect").map(|artifact| load::solid(artifact).map(|(solid, _)| solid)).transpose()?;
        let focus_mm = solid.as_ref().and_then(centre);
        let slices = figure::slices(&ct, &gold_label, &pred_label, focus_mm, &SliceTitles::default());
        let options = SurfaceOptions { limit_mm: params.limit_mm, focus_mm, ..SurfaceOptions::default() };
        let surfaces = figure::surfaces(&gold_mesh, &pred_mesh, &options);
        let folder = job.output("figure")?;
        save::folder(folder)?;
        save::bytes(&folder.join("slices.png"), &slices.to_png())?;
        save::bytes(&folder.join("surfaces.png"), &surfaces.to_png())
    }
}

fn centre(solid: &Solid) -> Option<DVec3> {
    match solid {
        Solid::Ball { centre_mm, .. } => Some(*centre_mm),
        Solid::Mesh(mesh) => mesh.bounds_mm().map(|(low, high)| (low + high) / 2.0),
    }
}
