//! `compare`: a prediction against the gold standard, one row of numbers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TransformFile, load, save};
use crate::{
    fault::{Fault, Result},
    io,
    mesh::Mesh,
    metrics::{
        defect::Solid,
        deviation,
        place::Place,
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
    /// Places whose surroundings have columns of their own; what is near none of them is `elsewhere`.
    pub places: Vec<PlaceKind>,
    /// From which density on the scan shows metal, HU; enamel has less than 3000.
    pub metal_hu: f64,
    /// How near is near metal, mm.
    pub metal_mm: f64,
    /// Bone thinner than this is thin, and what is as near to it is near it, mm.
    pub thin_mm: f64,
    /// Also write the predicted mesh with its signed distance to the gold mesh, and a colour, at each vertex.
    pub deviation: bool,
}

/// A place where segmentation is hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// Metal in the scan, which must be given.
    Metal,
    /// Thin bone of the gold model.
    ThinBone,
}

impl Default for CompareParams {
    fn default() -> Self {
        Self {
            near_mm: vec![10.0, 5.0, 20.0],
            auto_defect: false,
            places: Vec::new(),
            metal_hu: 3000.0,
            metal_mm: 10.0,
            thin_mm: 2.0,
            deviation: false,
        }
    }
}

impl Params for CompareParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let positive = |mm: f64| mm.is_finite() && mm > 0.0;
        for (name, value) in [("metal_hu", self.metal_hu), ("metal_mm", self.metal_mm), ("thin_mm", self.thin_mm)] {
            if !positive(value) {
                return Err((name, format!("must be a positive number, not {value}")));
            }
        }
        if (1..self.places.len()).any(|i| self.places[..i].contains(&self.places[i])) {
            return Err(("places", "names a place twice".to_owned()));
        }
        match self.near_mm.iter().find(|&&mm| !positive(mm)) {
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
    const VERSION: u32 = 3;
    const DOC: &'static str =
        "Measure a prediction: Dice on labels, distances on meshes, all over, near the defect, metal and thin bone.";
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
        Input { name: "ct", kinds: &["ct"], arity: Arity::Optional, doc: "the scan: where metal is" },
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
        let places = places(params, job.optional("ct"), gold_mesh.as_ref())?;
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
            places: &places,
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

/// Finds the places that are asked for.
fn places(params: &CompareParams, ct: Option<&Artifact>, gold: Option<&Mesh>) -> Result<Vec<Place>> {
    let find = |kind: &PlaceKind| match (kind, ct, gold) {
        (PlaceKind::Metal, Some(ct), _) => Ok(Place::metal(&load::ct(ct)?, params.metal_hu, params.metal_mm)),
        (PlaceKind::Metal, None, _) => {
            Err(Fault::usage("`metal` is found in the scan, and there is none").hint("connect the input `ct`"))
        }
        (PlaceKind::ThinBone, _, Some(gold)) => Ok(Place::thin_bone(gold, params.thin_mm)),
        (PlaceKind::ThinBone, _, None) => Err(Fault::usage("`thin-bone` is found in the gold mesh, and there is none")
            .hint("connect the input `gold_mesh`")),
    };
    params.places.iter().map(find).collect()
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
