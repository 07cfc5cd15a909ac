//! `infer`: segment a scan with a trained network.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load;
use crate::{
    fault::Result,
    io::image,
    model::{self, Model},
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
};

/// Parameters of `infer`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InferParams {
    /// Also keep the probability of bone (four bytes a voxel).
    pub probability: bool,
}
impl Params for InferParams {}

/// Measured rate of a forward pass, operations a second and core, with AVX2 at 2.5 GHz.
const INFERENCE_FLOPS: f64 = 15e9;

/// Segments a scan.
#[derive(Debug)]
pub struct Infer;

impl Stage for Infer {
    const NAME: &'static str = "infer";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Segment a scan with a trained MSDnet, on the scan's own grid.";
    const INPUTS: &'static [Input] = &[
        Input { name: "model", kinds: &["model"], arity: Arity::One, doc: "a trained network" },
        Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "the scan" },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output { name: "label", kind: "label", file: "label.nrrd", optional: false, doc: "1 = bone" },
        Output {
            name: "probability",
            kind: "probability",
            file: "probability.nrrd",
            optional: true,
            doc: "of bone, 0 to 1",
        },
    ];
    type Params = InferParams;

    fn run(params: &InferParams, job: &Job<'_>) -> Result<()> {
        let model = Model::load(load::path(job.one("model")?)?)?;
        let ct = load::ct(job.one("ct")?)?;
        let found = model::infer_on(job.device.parse()?, &model, &ct, job.progress)?;
        if params.probability {
            image::write_f32(job.output("probability")?, &found.probability)?;
        }
        image::write_label(job.output("label")?, &found.label)
    }

    fn forecast(params: &InferParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let first = |port: &str| given.get(port).and_then(|list| list.first()).copied().unwrap_or_default();
        let size = first("ct").size;
        let voxels = size.iter().product::<usize>() as u64;
        let weights = first("model").bytes / 4;
        let label = Extent { size, triangles: 0, bytes: voxels };
        let probability = Extent { bytes: if params.probability { 4 * voxels } else { 0 }, ..label };
        Forecast {
            core_seconds: 2.0 * weights as f64 * voxels as f64 / INFERENCE_FLOPS,
            outputs: [("label", label), ("probability", probability)].into(),
        }
    }
}
