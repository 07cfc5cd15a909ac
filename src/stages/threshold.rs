//! `threshold`: what a clinic does without a network.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FittedThreshold, load};
use crate::{
    baselines::threshold::{self, Keep},
    fault::Result,
    io::image,
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
};

/// Parameters of `threshold`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdParams {
    /// Bone is at least this intensity, HU; a `fit` input wins over it.
    pub hu: f64,
    /// Keep every piece, or the largest connected one.
    pub keep: Keep,
}

impl Default for ThresholdParams {
    fn default() -> Self {
        Self { hu: 300.0, keep: Keep::default() }
    }
}

impl Params for ThresholdParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.hu.is_finite() { Ok(()) } else { Err(("hu", "must be a finite number".to_owned())) }
    }
}

/// Segments by intensity alone.
#[derive(Debug)]
pub struct Threshold;

impl Stage for Threshold {
    const NAME: &'static str = "threshold";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Segment bone by one intensity, fixed or fitted on the training cases.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "the scan" },
        Input { name: "fit", kinds: &["fit"], arity: Arity::Optional, doc: "a fitted threshold" },
    ];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "label", kind: "label", file: "label.nrrd", optional: false, doc: "1 = bone" }];
    type Params = ThresholdParams;

    fn run(params: &ThresholdParams, job: &Job<'_>) -> Result<()> {
        let ct = load::ct(job.one("ct")?)?;
        let hu = match job.optional("fit") {
            Some(fit) => load::json::<FittedThreshold>(load::path(fit)?)?.hu,
            None => params.hu,
        };
        image::write_label(job.output("label")?, &threshold::threshold(&ct, hu, params.keep))
    }

    fn forecast(_: &ThresholdParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let size = given.get("ct").and_then(|list| list.first()).copied().unwrap_or_default().size;
        let voxels = size.iter().product::<usize>() as u64;
        let label = Extent { size, triangles: 0, bytes: voxels };
        Forecast { core_seconds: 4e-8 * voxels as f64, outputs: [("label", label)].into() }
    }
}
