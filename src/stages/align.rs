//! `align`: bring the engineer's model, and the defect with it, to the scan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    fault::{Fault, Result},
    geometry::align::{self, AlignOptions, Alignment, Start},
    io::mesh,
    metrics::defect::Solid,
    pipeline::stage::{Arity, Artifact, Extent, Forecast, Input, Job, Output, Params, Stage},
    space::Rigid,
};

/// Where the alignment starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Search all rotations.
    #[default]
    Auto,
    /// Trust that the mesh already lies near its place.
    Identity,
}

/// What an alignment must reach to be used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accept {
    /// Largest median distance of mesh to bone surface, mm.
    pub median_mm: f64,
    /// Smallest share of the mesh that lies on bone.
    pub inlier_share: f64,
}

impl Default for Accept {
    fn default() -> Self {
        Self { median_mm: 1.0, inlier_share: 0.7 }
    }
}

/// Parameters of `align`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlignParams {
    /// `auto` searches all rotations; `identity` trusts the mesh to lie near its place. A `start` input wins over both.
    pub init: Init,
    /// Limits of acceptance; a case outside them is an error that says what was reached.
    pub accept: Accept,
    /// Intensity of the bone surface, HU; chosen from the histogram when absent.
    pub bone_hu: Option<f64>,
}

impl Params for AlignParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if !(self.accept.median_mm > 0.0 && self.accept.median_mm.is_finite()) {
            return Err(("accept.median_mm", format!("must be a positive length, not {}", self.accept.median_mm)));
        }
        if !(0.0..=1.0).contains(&self.accept.inlier_share) {
            return Err(("accept.inlier_share", format!("must lie in [0, 1], not {}", self.accept.inlier_share)));
        }
        Ok(())
    }
}

/// The transform file: a contract with scripts elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransformFile {
    /// 4 x 4, row-major: mesh as given in its frame -> scan, LPS mm.
    pub matrix: [[f64; 4]; 4],
    /// Share of the mesh surface that lies on bone.
    pub inlier_share: f64,
    /// Median distance of mesh to bone surface, mm.
    pub median_residual_mm: f64,
    /// 95th percentile of that distance, mm.
    pub p95_residual_mm: f64,
    /// Whether the limits of acceptance were met.
    pub accepted: bool,
}

/// Aligns a mesh with a scan.
#[derive(Debug)]
pub struct Align;

impl Stage for Align {
    const NAME: &'static str = "align";
    const VERSION: u32 = 1;
    const DOC: &'static str =
        "Find the rigid motion that brings a mesh onto the bone of a scan; refuse when it does not fit.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "the scan" },
        Input { name: "mesh", kinds: &["mesh"], arity: Arity::One, doc: "the model, in any rigid frame" },
        Input { name: "defect", kinds: &["solid"], arity: Arity::Optional, doc: "the defect, moves along" },
        Input {
            name: "start",
            kinds: &["transform"],
            arity: Arity::Optional,
            doc: "a known start (JSON with `matrix`)",
        },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output { name: "mesh", kind: "mesh", file: "mesh.ply", optional: false, doc: "the model in the scan's world" },
        Output {
            name: "transform",
            kind: "transform",
            file: "transform.json",
            optional: false,
            doc: "motion and quality",
        },
        Output {
            name: "defect",
            kind: "solid",
            file: "defect/",
            optional: true,
            doc: "the defect in the scan's world",
        },
    ];
    type Params = AlignParams;

    fn run(params: &AlignParams, job: &Job<'_>) -> Result<()> {
        let ct = load::ct(job.one("ct")?)?;
        let model = load::mesh(job.one("mesh")?)?;
        let start = match (job.optional("start"), params.init) {
            (Some(known), _) => Start::Known(load::rigid(load::path(known)?)?),
            (None, Init::Auto) => Start::Auto,
            (None, Init::Identity) => Start::Identity,
        };
        let options = AlignOptions {
            bone_hu: params.bone_hu,
            accept_median_mm: params.accept.median_mm,
            accept_inlier_share: params.accept.inlier_share,
            ..AlignOptions::default()
        };
        let found = align::align(&model, &ct, &start, &options)?;
        require(&found)?;
        mesh::write(job.output("mesh")?, &model.moved(&found.world_from_mesh))?;
        save::json(job.output("transform")?, &transform_file(&found, true))?;
        job.optional("defect").map_or(Ok(()), |defect| move_defect(defect, &found.world_from_mesh, job))
    }

    fn forecast(_: &AlignParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let first = |port: &str| given.get(port).and_then(|list| list.first()).copied().unwrap_or_default();
        let voxels = first("ct").size.iter().product::<usize>() as f64;
        let mesh = Extent { size: [0; 3], triangles: first("mesh").triangles, bytes: 25 * first("mesh").triangles };
        Forecast { core_seconds: 1.0 + 2e-7 * voxels, outputs: [("mesh", mesh), ("defect", first("defect"))].into() }
    }
}

pub(super) fn transform_file(found: &Alignment, accepted: bool) -> TransformFile {
    TransformFile {
        matrix: found.world_from_mesh.to_rows(),
        inlier_share: found.inlier_share,
        median_residual_mm: found.median_residual_mm,
        p95_residual_mm: found.p95_residual_mm,
        accepted,
    }
}

/// Refuses what the aligner would not use, with the numbers that it reached.
fn require(found: &Alignment) -> Result<()> {
    let Some(reason) = &found.refusal else { return Ok(()) };
    Err(Fault::unfit(format!(
        "the mesh does not fit the scan: {reason}; reached: median {:.2} mm, p95 {:.2} mm, {:.0} % of the surface on bone",
        found.median_residual_mm,
        found.p95_residual_mm,
        100.0 * found.inlier_share,
    ))
    .hint(
        "check that mesh and scan are the same patient, and the mesh's `frame` (LPS or RAS) and `unit`; a mirrored model never fits",
    ))
}

fn move_defect(defect: &Artifact, world_from_mesh: &Rigid, job: &Job<'_>) -> Result<()> {
    let (solid, in_scan) = load::solid(defect)?;
    let motion = if in_scan { Rigid::IDENTITY } else { *world_from_mesh };
    let folder = job.output("defect")?;
    save::folder(folder)?;
    match solid {
        Solid::Mesh(solid) => mesh::write(&folder.join(load::SOLID_MESH), &solid.moved(&motion)),
        Solid::Ball { centre_mm, radius_mm } => {
            let ball = load::Ball { centre_mm: motion.apply(centre_mm), radius_mm };
            save::json(&folder.join(load::SOLID_BALL), &ball)
        }
    }
}
