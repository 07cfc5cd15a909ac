//! `displace`: move a mesh by a known rigid motion, so that an alignment can be tested against the truth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    fault::Result,
    io::mesh,
    pipeline::stage::{Arity, Input, Job, Output, Params, Stage},
    space::{DVec3, Rigid},
};

/// Parameters of `displace`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DisplaceParams {
    /// Rotation about the mesh's centre: axis times angle, degrees.
    pub rotation_deg: [f64; 3],
    /// Translation after the rotation, mm.
    pub translation_mm: [f64; 3],
}

impl Params for DisplaceParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let finite = |name, values: [f64; 3]| {
            if values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err((name, "must be finite numbers".to_owned())) }
        };
        finite("rotation_deg", self.rotation_deg)?;
        finite("translation_mm", self.translation_mm)
    }
}

#[derive(Serialize)]
struct Truth {
    /// 4 x 4, row-major: original mesh -> displaced mesh, LPS mm.
    matrix: [[f64; 4]; 4],
}

/// Displaces a mesh.
#[derive(Debug)]
pub struct Displace;

impl Stage for Displace {
    const NAME: &'static str = "displace";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Move a mesh by a known rigid motion (a test of `align` with a known answer).";
    const INPUTS: &'static [Input] = &[Input { name: "mesh", kinds: &["mesh"], arity: Arity::One, doc: "any mesh" }];
    const OUTPUTS: &'static [Output] = &[
        Output { name: "mesh", kind: "mesh", file: "mesh.ply", optional: false, doc: "the moved mesh" },
        Output {
            name: "truth",
            kind: "transform",
            file: "truth.json",
            optional: false,
            doc: "the motion, as a matrix",
        },
    ];
    type Params = DisplaceParams;

    fn run(params: &DisplaceParams, job: &Job<'_>) -> Result<()> {
        let original = load::mesh(job.one("mesh")?)?;
        let (low, high) = original.bounds_mm().unwrap_or_default();
        let rotation = DVec3::from_array(params.rotation_deg) * (std::f64::consts::PI / 180.0);
        let motion = Rigid::about((low + high) / 2.0, rotation, DVec3::from_array(params.translation_mm));
        mesh::write(job.output("mesh")?, &original.moved(&motion))?;
        save::json(job.output("truth")?, &Truth { matrix: motion.to_rows() })
    }
}
