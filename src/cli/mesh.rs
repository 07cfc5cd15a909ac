//! `calvaria mesh check`: is this mesh fit to be measured or printed?

use std::path::PathBuf;

use super::{Context, info, out};
use crate::{
    fault::{Fault, Result},
    io::mesh::{self, MeshOptions},
    mesh::check,
};

/// What to do with a mesh.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that a mesh is closed, oriented and manifold
    Check(Check),
}

/// Arguments of `mesh check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The mesh file
    file: PathBuf,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<()> {
    let Command::Check(args) = command;
    let read = mesh::read(&args.file, &MeshOptions::default())?;
    let report = serde_json::to_value(check::check(&read.mesh))
        .map_err(|error| Fault::unfit(format!("the report cannot be written: {error}")))?;
    if context.global.json { out::json(&report) } else { out::line(info::lines(&report)) }
}
