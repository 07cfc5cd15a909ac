//! `fit-threshold`: the one HU value that segments the training cases best.

use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    baselines::threshold,
    fault::{Fault, Result},
    pipeline::stage::{Arity, Input, Job, NoParams, Output, Stage},
};

/// The fitted value, as kept in the store.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FittedThreshold {
    /// Bone is at least this intensity, HU.
    pub hu: f64,
    /// Mean Dice over the training cases at that value.
    pub mean_dsc: f64,
}

/// Fits a threshold.
#[derive(Debug)]
pub struct FitThreshold;

impl Stage for FitThreshold {
    const NAME: &'static str = "fit-threshold";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Choose the HU threshold with the best mean Dice on the training cases.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::Many, doc: "training scans" },
        Input { name: "label", kinds: &["label"], arity: Arity::Many, doc: "their labels, in the same order" },
    ];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "fit", kind: "fit", file: "fit.json", optional: false, doc: "the threshold, HU" }];
    type Params = NoParams;

    fn run(_: &NoParams, job: &Job<'_>) -> Result<()> {
        let (scans, labels) = (job.many("ct"), job.many("label"));
        if scans.len() != labels.len() {
            return Err(Fault::unfit(format!("{} scans and {} labels to fit on", scans.len(), labels.len())));
        }
        let scans = scans.iter().map(load::ct).collect::<Result<Vec<_>>>()?;
        let labels = labels.iter().map(load::label).collect::<Result<Vec<_>>>()?;
        let cases: Vec<_> = scans.iter().zip(&labels).collect();
        let fit = threshold::fit(&cases)?;
        save::json(job.output("fit")?, &FittedThreshold { hu: fit.hu, mean_dsc: fit.mean_dsc })
    }
}
