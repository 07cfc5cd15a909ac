//! `calvaria schema`: JSON Schemas for editors.

use clap::ValueEnum;

use super::out;
use crate::{fault::Result, manifest, pipeline, stages};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Pipeline files
    Pipeline,
    /// Data manifests
    Manifest,
}

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which file format
    #[arg(value_enum, default_value = "pipeline")]
    of: Of,
}

pub(super) fn run(args: &Args) -> Result<()> {
    match args.of {
        Of::Pipeline => out::json(&pipeline::schema(stages::OPS)),
        Of::Manifest => out::json(&manifest::schema()),
    }
}
