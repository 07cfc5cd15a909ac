//! `calvaria infer`: segment a scan with a trained network.

use std::path::{Path, PathBuf};

use serde_json::Map;

use super::{Context, alone::Alone, out, scan::ScanOptions};
use crate::{
    fault::Result,
    model::Device,
    stages::{Infer, InferParams},
};

/// Arguments of `infer`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A trained network; given several times, the mean of their probabilities decides
    #[arg(short, long, value_name = "MODEL", required = true)]
    model: Vec<PathBuf>,
    /// The scan
    #[arg(long, value_name = "CT")]
    ct: PathBuf,
    #[command(flatten)]
    scan: ScanOptions,
    /// Where to compute: auto, cpu, cuda, cuda:1
    #[arg(long, default_value = "auto")]
    device: String,
    /// The label
    #[arg(short, long, value_name = "LABEL")]
    output: PathBuf,
    /// See each slice in all eight orientations and average: eight times the work
    #[arg(long)]
    tta: bool,
    /// Also write the probability of bone
    #[arg(long, value_name = "VOLUME")]
    probability: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    args.device.parse::<Device>()?.resolve()?;
    let params = InferParams { probability: args.probability.is_some(), tta: args.tta };
    let outputs = with_models(Alone::new(), &args.model)?
        .file("ct", "ct", &args.ct, args.scan.to_map())?
        .on(&args.device)
        .run::<Infer>(&params, &args.output, context)?;
    outputs.image("label", &args.output)?;
    args.probability.as_deref().map_or(Ok(()), |wanted| outputs.image("probability", wanted))?;
    let written: Vec<&Path> = std::iter::once(&args.output).chain(&args.probability).map(PathBuf::as_path).collect();
    out::written(context, &written)
}

/// Adds the networks in the order in which they were named.
pub(super) fn with_models(stage: Alone, models: &[PathBuf]) -> Result<Alone> {
    models.iter().try_fold(stage, |stage, model| stage.file("model", "model", model, Map::new()))
}
