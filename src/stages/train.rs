//! `train`: one MSDnet from all training cases at once.

use std::collections::BTreeMap;

use super::{load, save};
pub use crate::model::TrainParams;
use crate::{
    fault::{Fault, Result},
    model::{self, TrainingCase},
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Stage},
};

/// Measured rate of a training step, operations a second and core, with AVX2 at 2.5 GHz.
const TRAINING_FLOPS: f64 = 10e9;

/// Trains a network.
#[derive(Debug)]
pub struct Train;

impl Stage for Train {
    const NAME: &'static str = "train";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Train an MSDnet on scans and labels; a killed training goes on where it was.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::Many, doc: "training scans" },
        Input { name: "label", kinds: &["label"], arity: Arity::Many, doc: "their labels, in the same order" },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output {
            name: "model",
            kind: "model",
            file: "model.safetensors",
            optional: false,
            doc: "weights and constants",
        },
        Output { name: "history", kind: "history", file: "history.json", optional: false, doc: "loss by epoch" },
    ];
    const RANDOM: bool = true;
    type Params = TrainParams;

    fn run(params: &TrainParams, job: &Job<'_>) -> Result<()> {
        let (scans, labels) = (job.many("ct"), job.many("label"));
        if scans.len() != labels.len() || scans.is_empty() {
            return Err(Fault::unfit(format!("{} scans and {} labels to train on", scans.len(), labels.len())));
        }
        let mut loaded = Vec::with_capacity(scans.len());
        for (scan, label) in scans.iter().zip(labels) {
            let name = scan.case.as_deref().unwrap_or(&scan.item);
            let (ct, label) = (load::ct(scan), load::label(label));
            loaded.push((ct.map_err(|f| f.within(name))?, label.map_err(|f| f.within(name))?));
        }
        let cases: Vec<TrainingCase<'_>> = loaded.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
        let trained = model::train_on(job.device.parse()?, &cases, params, job.seed, &job.scratch, job.progress)?;
        trained.model.save(job.output("model")?)?;
        save::json(job.output("history")?, &trained.history)
    }

    fn forecast(params: &TrainParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let voxels: usize = given.get("ct").into_iter().flatten().map(|scan| scan.size.iter().product::<usize>()).sum();
        let network = params.architecture();
        // Forward, and twice as much backward; two operations a multiply-add.
        let operations = 6.0 * network.multiply_adds_per_pixel() as f64 * voxels as f64 * params.epochs as f64;
        let model = Extent { bytes: 4 * network.parameter_count() as u64, ..Extent::default() };
        Forecast { core_seconds: operations / TRAINING_FLOPS, outputs: [("model", model)].into() }
    }
}
