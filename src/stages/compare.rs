//! `compare`: a prediction against the gold standard, one row of numbers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TransformFile, load, save};
use crate::{
    fault::{Fault, Result},
    io,
    metrics::{
        defect::Solid,
        deviation,
        row::{Inputs, row_and_deviation},
        vault,
    },
    pipeline::stage::{Arity, Artifact, Extent, Forecast, Input, Job, Output, Params, Stage},
};

/// Parameters of `compare`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompareParams {
    /// How near is near the defect, mm; 10 is the table's column when it is listed, else the first.
    pub near_mm: Vec<f64>,
    /// Find the defect in the gold label: closing of the vault minus bone, largest piece. A `defect` input wins.
    pub auto_defect: bool,
    /// Also write the predicted mesh with its signed distance to the gold mesh, and a colour, at each vertex.
    pub deviation: bool,
}

impl Default for CompareParams {
    fn default() -> Self {
        Self { near_mm: vec![10.0, 5.0, 20.0], auto_defect: false, deviation: false }
    }
}

impl Params for CompareParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        match self.near_mm.iter().find(|&&mm| !(mm.is_finite() && mm > 0.0)) {
            Some(mm) => Err(("near_mm", format!("must be positive lengths, not {mm}"))),
            None if self.near_mm.is_empty() => Err(("near_mm", "needs at least one length".to_owned())),
            None => Ok(()),
        }
    }
}

/// Measures a prediction.
#[derive(Debug)]
pub struct Compare;

impl Stage for Compare {
    const NAME: &'static str = "compare";
    const VERSION: u32 = 2;
    const DOC: &'static str =
        "Measure a prediction: Dice on labels, distances on meshes, all over and near the defect.";
    const INPUTS: &'static [Input] = &[
        Input { name: "pred_label", kinds: &["label"], arity: Arity::Optional, doc: "predicted label" },
        Input { name: "pred_mesh", kinds: &["mesh"], arity: Arity::Optional, doc: "predicted surface" },
        Input { name: "gold_label", kinds: &["label"], arity: Arity::Optional, doc: "gold label, on the same grid" },
        Input { name: "gold_mesh", kinds: &["mesh"], arity: Arity::Optional, doc: "gold surface, in the same world" },
        Input {
            name: "defect",
            kinds: &["solid"],
            arity: Arity::Optional,
            doc: "the missing bone: a closed mesh or a ball",
        },
        Input {
            name: "align",
            kinds: &["transform"],
            arity: Arity::Optional,
            doc: "quality of the gold mesh's alignment",
        },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output {
            name: "row",
            kind: "row",
            file: "row.json",
            optional: false,
            doc: "all numbers, null where there is none",
        },
        Output {
            name: "deviation",
            kind: "mesh",
            file: "deviation.ply",
            optional: true,
            doc: "the predicted mesh, each vertex with its signed distance and a colour",
        },
    ];
    type Params = CompareParams;

    fn run(params: &CompareParams, job: &Job<'_>) -> Result<()> {
        let pred_label = job.optional("pred_label").map(load::label).transpose()?;
        let gold_label = job.optional("gold_label").map(load::label).transpose()?;
        let pred_mesh = job.optional("pred_mesh").map(load::predicted_mesh).transpose()?;
        let gold_mesh = job.optional("gold_mesh").map(load::mesh).transpose()?;
        let solid = job.optional("defect").map(defect).transpose()?;
        let defect_is_auto = solid.is_none() && params.auto_defect;
        let solid = match (solid, params.auto_defect, &gold_label) {
            (None, true, Some(label)) => Some(vault::missing_bone(label)?),
            (None, true, None) => {
                return Err(Fault::usage("`auto` finds the defect in the gold label, and there is none"));
            }
            (solid, _, _) => solid,
        };
        let quality = job.optional("align").map(quality).transpose()?;
        let grid = gold_label.as_ref().or(pred_label.as_ref()).map(|label| label.grid);
        let (found, deviation_mm) = row_and_deviation(&Inputs {
            pred_label: pred_label.as_ref(),
            gold_label: gold_label.as_ref(),
            pred_mesh: pred_mesh.as_ref(),
            gold_mesh: gold_mesh.as_ref(),
            scan: grid.as_ref(),
            defect: solid.as_ref(),
            defect_is_auto,
            near_mm: &params.near_mm,
            align_mm: quality.map(|file| (file.median_residual_mm, file.p95_residual_mm)),
        })?;
        if let (true, Some(mesh), Some(deviation_mm)) = (params.deviation, &pred_mesh, deviation_mm) {
            let coloured: Vec<(f32, [u8; 3])> = deviation_mm.iter().map(|&mm| (mm, deviation::colour(mm))).collect();
            io::mesh::write_coloured(job.output("deviation")?, mesh, &coloured, &meaning())?;
        }
        save::json(job.output("row")?, &found)
    }

    fn forecast(_: &CompareParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let triangles: u64 = given.values().flatten().map(|extent| extent.triangles).sum();
        let row = Extent { bytes: 4096, ..Extent::default() };
        Forecast { core_seconds: 3e-6 * triangles as f64, outputs: [("row", row)].into() }
    }
}

/// Returns the defect, once it is certain to have an inside.
fn defect(artifact: &Artifact) -> Result<Solid> {
    let solid = load::solid(artifact)?.0.checked();
    match &artifact.path {
        Some(path) => solid.map_err(|fault| fault.at(path.display())),
        None => solid,
    }
}

/// Returns the line of the coloured mesh's header that says what the numbers are.
fn meaning() -> String {
    let range_mm = deviation::RANGE_MM;
    format!(
        "quality: signed distance to the gold surface, mm, positive outside; colours from -{range_mm} (blue) over 0 (pale) \
         to {range_mm} (red)"
    )
}

fn quality(artifact: &Artifact) -> Result<TransformFile> {
    load::json(load::path(artifact)?)
}
