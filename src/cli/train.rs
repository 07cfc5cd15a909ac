//! `calvaria train`: train a network on the training cases of a manifest.

use std::path::{Path, PathBuf};

use super::{Context, alone::Alone, manifest, out, set};
use crate::{
    fault::{Fault, Result},
    model::Device,
    stages::Train,
};

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Data manifest whose `train` cases have a `ct` and a `label`; its `validation` cases judge each epoch
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Where the manifest's paths start
    #[arg(long, value_name = "DIR")]
    data_root: Option<PathBuf>,
    /// A parameter of the stage, `depth=30` (`calvaria show train --params` lists them)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Study seed: another seed gives other initial weights and another order of slices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Replicate number
    #[arg(long, default_value_t = 1)]
    replicate: u64,
    /// Where to compute: auto, cpu, cuda, cuda:1
    #[arg(long, default_value = "auto")]
    device: String,
    /// Also write the history of the epochs: a table for a name in .csv, else JSON
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The trained network
    #[arg(short, long, value_name = "MODEL.safetensors")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let params = set::params::<Train>(&args.overrides)?;
    args.device.parse::<Device>()?.resolve()?;
    let mut partial = args.output.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut training =
        Alone::new().random("train", "", args.seed, args.replicate).resumable(partial.clone()).on(&args.device);
    let (file, root) = (&args.manifest, args.data_root.as_deref());
    for (ct, label) in manifest::training_pairs(file, root)? {
        training = training.artifact("ct", ct).artifact("label", label);
    }
    // Cases held out of the training ones take their place.
    if params.validate_last == 0 {
        for (ct, label) in manifest::labelled_pairs(file, root, "validation")? {
            training = training.artifact("validation_ct", ct).artifact("validation_label", label);
        }
    }
    let trained = training.run::<Train>(&params, &args.output, context)?;
    if let Some(history) = &args.history {
        let produced = trained.path(if ends_in_csv(history) { "curve" } else { "history" })?;
        std::fs::copy(produced, history).map_err(|error| Fault::file("write the history", history, &error))?;
    }
    trained.as_is("model", &args.output)?;
    // Checkpoints served their purpose; a folder left behind costs disk, not correctness.
    if let Err(error) = std::fs::remove_dir_all(&partial) {
        out::talk(format!("note: the checkpoints could not be removed: {error}"));
    }
    let written: Vec<&Path> = std::iter::once(&args.output).chain(&args.history).map(PathBuf::as_path).collect();
    out::written(context, &written)
}

fn ends_in_csv(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}
