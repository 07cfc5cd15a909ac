//! `resample`: a scan at another spacing, so that training and test scans look alike to a network.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load;
use crate::{
    fault::Result,
    geometry::resample,
    io::image,
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
    space::DVec3,
};

/// Parameters of `resample`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResampleParams {
    /// Spacing along every axis, mm.
    pub spacing_mm: f64,
}

impl Default for ResampleParams {
    fn default() -> Self {
        Self { spacing_mm: 1.0 }
    }
}

impl Params for ResampleParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.spacing_mm.is_finite() && self.spacing_mm >= 0.05 {
            return Ok(());
        }
        Err(("spacing_mm", format!("must be at least 0.05 mm, not {}", self.spacing_mm)))
    }
}

/// Resamples a scan.
#[derive(Debug)]
pub struct Resample;

impl Stage for Resample {
    const NAME: &'static str = "resample";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Resample a scan to one spacing along every axis.";
    const INPUTS: &'static [Input] = &[Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "the scan" }];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "ct", kind: "ct", file: "ct.nrrd", optional: false, doc: "the scan at the new spacing, HU" }];
    type Params = ResampleParams;

    fn run(params: &ResampleParams, job: &Job<'_>) -> Result<()> {
        let ct = load::ct(job.one("ct")?)?;
        image::write_f32(job.output("ct")?, &resample::to_spacing(&ct, DVec3::splat(params.spacing_mm))?)
    }

    fn forecast(_: &ResampleParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let ct = given.get("ct").and_then(|list| list.first()).copied().unwrap_or_default();
        let voxels = ct.size.iter().product::<usize>() as f64;
        Forecast { core_seconds: 1e-7 * voxels, outputs: [("ct", Extent { bytes: 4 * voxels as u64, ..ct })].into() }
    }
}
