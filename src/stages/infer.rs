//! `infer`: segment a scan with a trained network.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load;
use crate::{
    fault::Result,
    io::image,
    model::{Inference, Model, speed::speed, symmetry::Symmetry},
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
};

/// Parameters of `infer`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InferParams {
    /// Also keep the probability of bone (four bytes a voxel).
    pub probability: bool,
    /// Test-time augmentation: see each slice in all eight orientations and average the probabilities; eight times the work.
    pub tta: bool,
}
impl Params for InferParams {}

/// Segments a scan.
#[derive(Debug)]
pub struct Infer;

impl Stage for Infer {
    const NAME: &'static str = "infer";
    const VERSION: u32 = 2;
    const DOC: &'static str = "Segment a scan with a trained MSDnet, on the scan's own grid.";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "model",
            kinds: &["model"],
            arity: Arity::OneOrMany,
            doc: "a trained network, or an ensemble: the mean of their probabilities, in the order of the list",
        },
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
    const ON_DEVICE: bool = true;
    type Params = InferParams;

    fn run(params: &InferParams, job: &Job<'_>) -> Result<()> {
        let models = job.many("model").iter().map(|artifact| Model::load(load::path(artifact)?));
        let models = models.collect::<Result<Vec<_>>>()?;
        let ct = load::ct(job.one("ct")?)?;
        let inference = Inference {
            models: &models,
            test_time_augmentation: params.tta,
            probability: params.probability,
            device: job.device.parse()?,
        };
        let found = inference.run(&ct, job.progress)?;
        drop(ct);
        if let Some(probability) = &found.probability {
            image::write_f32(job.output("probability")?, probability)?;
        }
        image::write_label(job.output("label")?, &found.label)
    }

    fn forecast(params: &InferParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let first = |port: &str| given.get(port).and_then(|list| list.first()).copied().unwrap_or_default();
        let size = first("ct").size;
        let voxels = size.iter().product::<usize>() as u64;
        let weights: u64 = given.get("model").into_iter().flatten().map(|model| model.bytes / 4).sum();
        let views = if params.tta { Symmetry::ALL.len() } else { 1 };
        let label = Extent { size, triangles: 0, bytes: voxels };
        let probability = Extent { bytes: if params.probability { 4 * voxels } else { 0 }, ..label };
        Forecast {
            core_seconds: 2.0 * weights as f64 * (views as u64 * voxels) as f64 / speed().forward,
            outputs: [("label", label), ("probability", probability)].into(),
        }
    }
}
