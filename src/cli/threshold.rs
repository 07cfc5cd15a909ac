//! `calvaria threshold`: segment bone by intensity.

use std::path::PathBuf;

use clap::ArgGroup;

use super::{Context, alone::Alone, manifest, out, scan::ScanOptions, set};
use crate::{
    fault::Result,
    stages::{FitThreshold, FittedThreshold, Threshold, load},
};

/// Arguments of `threshold`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("level").required(true).args(["hu", "fit"])))]
pub(super) struct Args {
    /// The scan
    #[arg(long, value_name = "CT")]
    ct: PathBuf,
    /// Bone is at least this intensity, HU
    #[arg(long, allow_negative_numbers = true)]
    hu: Option<f64>,
    /// Fit the intensity on the training cases of a manifest (ct + label)
    #[arg(long, value_name = "MANIFEST")]
    fit: Option<PathBuf>,
    /// Keep all pieces or the largest: all, largest
    #[arg(long, default_value = "largest")]
    keep: String,
    #[command(flatten)]
    scan: ScanOptions,
    /// The label
    #[arg(short, long, value_name = "LABEL")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let mut overrides = vec![format!("keep={}", args.keep)];
    overrides.extend(args.hu.map(|hu| format!("hu={hu:?}")));
    let params = set::params::<Threshold>(&overrides)?;
    let scan = Alone::new().file("ct", "ct", &args.ct, args.scan.to_map())?;
    let Some(cohort) = &args.fit else {
        scan.run::<Threshold>(&params, &args.output, context)?.image("label", &args.output)?;
        return out::written(context, &[&args.output]);
    };
    let mut training = Alone::new();
    for (ct, label) in manifest::training_pairs(cohort, None)? {
        training = training.artifact("ct", ct).artifact("label", label);
    }
    let fitted = training.run::<FitThreshold>(&crate::pipeline::stage::NoParams {}, &args.output, context)?;
    let value: FittedThreshold = load::json(fitted.path("fit")?)?;
    out::talk(format!("fitted threshold {} HU (mean DSC {:.3} on the training cases)", value.hu, value.mean_dsc));
    scan.maybe("fit", "fit", Some(fitted.path("fit")?))?
        .run::<Threshold>(&params, &args.output, context)?
        .image("label", &args.output)?;
    out::written(context, &[&args.output])
}
