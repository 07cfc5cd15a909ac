//! `calvaria convert`: any image to any image, any mesh to any mesh.

use std::path::PathBuf;

use super::{Context, alone, out, scan::ScanOptions};
use crate::{
    fault::{Fault, Result},
    io::{self, mesh::MeshOptions},
};

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to read
    input: PathBuf,
    /// What to write; its name tells the format
    output: PathBuf,
    #[command(flatten)]
    scan: ScanOptions,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if !args.input.exists() {
        return Err(Fault::usage("no such file or folder").at(args.input.display()));
    }
    if io::mesh::is_mesh_name(&args.input) {
        let read = io::mesh::read(&args.input, &MeshOptions::default())?;
        alone::whole(&args.output, |part| io::mesh::write(part, &read.mesh))?;
        return out::written(context, &[&args.output]);
    }
    let image = io::image::read(&args.input, &args.scan.to_options()?)?;
    alone::whole(&args.output, |part| io::image::write_any(part, &image))?;
    out::written(context, &[&args.output])
}
