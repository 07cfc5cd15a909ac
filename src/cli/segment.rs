//! `calvaria segment`: from a scan to a skull in one step.

use std::path::PathBuf;

use serde_json::Map;

use super::{Context, alone::Alone, out, scan::ScanOptions};
use crate::{
    fault::Result,
    io,
    stages::{Infer, InferParams, Surface, SurfaceParams},
};

/// Arguments of `segment`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scan
    ct: PathBuf,
    /// A trained network
    #[arg(short, long, value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    scan: ScanOptions,
    /// A mesh (.stl, .ply, .obj) or a label (.nii.gz, .nrrd, …)
    #[arg(short, long, value_name = "MESH|LABEL")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if !context.global.quiet {
        out::talk("research use only: not for diagnosis, treatment, or an implant without an engineer's check");
    }
    let segmented = Alone::new()
        .file("model", "model", &args.model, Map::new())?
        .file("ct", "ct", &args.ct, args.scan.to_map())?
        .run::<Infer>(&InferParams::default(), &args.output, context)?;
    if !io::mesh::is_mesh_name(&args.output) {
        return segmented.image("label", &args.output);
    }
    Alone::new()
        .file("volume", "label", segmented.path("label")?, Map::new())?
        .run::<Surface>(&SurfaceParams::default(), &args.output, context)?
        .mesh("mesh", &args.output)
}
