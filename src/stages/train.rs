//! `train`: one MSDnet from all training cases at once.

use std::collections::BTreeMap;

use super::{load, save};
pub use crate::model::TrainParams;
use crate::{
    fault::{Fault, Result},
    io::image,
    model::{Training, TrainingCase, kernels::IGNORED, speed::speed, training::CHECKPOINT_INTERVAL},
    pipeline::stage::{Arity, Artifact, Extent, Forecast, Input, Job, Output, Stage},
    volume::Volume,
};

/// Trains a network.
#[derive(Debug)]
pub struct Train;

const fn list(name: &'static str, kinds: &'static [&'static str], arity: Arity, doc: &'static str) -> Input {
    Input { name, kinds, arity, doc }
}

impl Stage for Train {
    const NAME: &'static str = "train";
    const VERSION: u32 = 2;
    const DOC: &'static str = "Train an MSDnet on scans and labels; a killed training goes on where it was.";
    const INPUTS: &'static [Input] = &[
        list("ct", &["ct"], Arity::Many, "training scans"),
        list("label", &["label"], Arity::Many, "their labels, in the same order"),
        list("mask", &["label"], Arity::OptionalMany, "masks of cases: voxels outside count for nothing"),
        list("validation_ct", &["ct"], Arity::OptionalMany, "scans to judge by, never learnt from"),
        list("validation_label", &["label"], Arity::OptionalMany, "their labels, in the same order"),
    ];
    const OUTPUTS: &'static [Output] = &[
        Output {
            name: "model",
            kind: "model",
            file: "model.safetensors",
            optional: false,
            doc: "weights and constants",
        },
        Output {
            name: "history",
            kind: "history",
            file: "history.json",
            optional: false,
            doc: "loss, validation and digest of the weights by epoch, and why the training ended",
        },
        Output { name: "curve", kind: "curve", file: "history.csv", optional: false, doc: "the epochs as a table" },
    ];
    const RANDOM: bool = true;
    const ON_DEVICE: bool = true;
    type Params = TrainParams;

    fn run(params: &TrainParams, job: &Job<'_>) -> Result<()> {
        let training = read(params, job, ["ct", "label"])?;
        if training.is_empty() {
            return Err(Fault::unfit("there is no case to train on"));
        }
        let validation = read(params, job, ["validation_ct", "validation_label"])?;
        let [cases, validation] = [&training, &validation]
            .map(|list| list.iter().map(|(ct, label)| TrainingCase { ct, label }).collect::<Vec<_>>());
        let trained = Training {
            cases: &cases,
            validation: &validation,
            params,
            seed: job.seed,
            device: job.device.parse()?,
            scratch: &job.scratch,
            progress: job.progress,
            checkpoint_interval: CHECKPOINT_INTERVAL,
        }
        .run()?;
        trained.model.save(job.output("model")?)?;
        save::bytes(job.output("curve")?, trained.history.to_csv().as_bytes())?;
        save::json(job.output("history")?, &trained.history)
    }

    fn forecast(params: &TrainParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let voxels = |port: &str| -> f64 {
            given.get(port).into_iter().flatten().map(|scan| scan.size.iter().product::<usize>() as f64).sum()
        };
        let (network, speed) = (params.architecture(), speed());
        let slices = given.get("ct").into_iter().flatten().map(|scan| scan.size[2] as f64).sum::<f64>();
        // A trial of so many steps sees a part of all slices.
        let epochs = match params.max_steps {
            0 => params.epochs as f64,
            steps => (steps as f64 * params.batch as f64 / slices.max(1.0)).min(params.epochs as f64),
        };
        let forward = 2.0 * network.multiply_adds_per_pixel() as f64 * epochs;
        // Backward is twice the work of forward; what is held out of `ct` is counted as learnt from.
        let steps = 3.0 * forward * voxels("ct") / speed.step;
        let validation = forward * voxels("validation_ct") / speed.forward;
        let model = Extent { bytes: 4 * network.parameter_count() as u64, ..Extent::default() };
        Forecast { core_seconds: steps + validation, outputs: [("model", model)].into() }
    }
}

/// Returns the scans and labels of a pair of ports; ignored voxels of the labels have the class that counts for nothing.
fn read(
    params: &TrainParams,
    job: &Job<'_>,
    [ct_port, label_port]: [&str; 2],
) -> Result<Vec<(Volume<f32>, Volume<u8>)>> {
    let (scans, labels) = (job.many(ct_port), job.many(label_port));
    if scans.len() != labels.len() {
        return Err(Fault::unfit(format!("{} of `{ct_port}`, and {} of `{label_port}`", scans.len(), labels.len())));
    }
    let mut cases = Vec::with_capacity(scans.len());
    for (position, (scan, label)) in scans.iter().zip(labels).enumerate() {
        let name = scan.case.as_deref().unwrap_or(&scan.item);
        let one = || -> Result<_> {
            if let (Some(scan), Some(label)) = (&scan.case, &label.case)
                && scan != label
            {
                let what = format!("the scan is of case `{scan}`, its label of case `{label}`");
                return Err(Fault::unfit(what).hint("collect scans and labels over the same cases"));
            }
            let ct = load::ct(scan)?;
            let mut label = classes(label, params)?;
            if let Some(mask) = mask_of(scan, position, scans.len(), job.many("mask"))? {
                ignore_outside(&mut label, &load::label(mask)?)?;
            }
            TrainingCase { ct: &ct, label: &label }.check(params)?;
            Ok((ct, label))
        };
        cases.push(one().map_err(|fault| fault.within(name))?);
    }
    Ok(cases)
}

/// Reads a label: a mask where two classes are learnt and nothing is ignored, else the classes as they are.
fn classes(artifact: &Artifact, params: &TrainParams) -> Result<Volume<u8>> {
    if params.classes == 2 && params.ignore_label.is_none() {
        return load::label(artifact);
    }
    let label = image::read_label(load::path(artifact)?)?;
    if params.ignore_label != Some(IGNORED) && label.data.contains(&IGNORED) {
        return Err(Fault::unfit(format!("the label has the value {IGNORED}, which is no class"))
            .hint(format!("write `ignore_label: {IGNORED}` if it stands for what is not known")));
    }
    Ok(label)
}

/// Returns the mask of a scan: that of its case, or the one at its place where nothing has a case.
fn mask_of<'a>(scan: &Artifact, position: usize, scans: usize, masks: &'a [Artifact]) -> Result<Option<&'a Artifact>> {
    if masks.is_empty() {
        return Ok(None);
    }
    if scan.case.is_some() && masks.iter().all(|mask| mask.case.is_some()) {
        return Ok(masks.iter().find(|mask| mask.case == scan.case));
    }
    if masks.len() != scans {
        return Err(Fault::unfit(format!("{} masks for {scans} scans, and no case says whose they are", masks.len())));
    }
    Ok(masks.get(position))
}

fn ignore_outside(label: &mut Volume<u8>, mask: &Volume<u8>) -> Result<()> {
    if !label.grid.same_place(&mask.grid) {
        return Err(Fault::unfit("the mask does not lie on the label's grid").hint("make it on this very scan"));
    }
    for (label, &inside) in label.data.iter_mut().zip(&mask.data) {
        if inside == 0 {
            *label = IGNORED;
        }
    }
    Ok(())
}
