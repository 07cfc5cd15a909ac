//! `calvaria segment`: from a scan to a skull in one step.

use std::path::PathBuf;

use serde_json::Map;

use super::{Context, alone::Alone, infer::with_models, out, scan::ScanOptions};
use crate::{
    fault::Result,
    io,
    model::Device,
    stages::{Infer, InferParams, Surface, SurfaceParams},
};

/// Arguments of `segment`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scan
    ct: PathBuf,
    /// A trained network; given several times, the mean of their probabilities decides
    #[arg(short, long, value_name = "MODEL", required = true)]
    model: Vec<PathBuf>,
    /// See each slice in all eight orientations and average: eight times the work
    #[arg(long)]
    tta: bool,
    /// Where to compute: auto, cpu, cuda, cuda:1
    #[arg(long, default_value = "auto")]
    device: String,
    #[command(flatten)]
    scan: ScanOptions,
    /// A mesh (.stl, .ply, .obj, .glb) or a label (.nii.gz, .nrrd, …)
    #[arg(short, long, value_name = "MESH|LABEL")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if !context.global.quiet {
        out::talk("research use only: not for diagnosis, treatment, or an implant without an engineer's check");
    }
    args.device.parse::<Device>()?.resolve()?;
    let params = InferParams { tta: args.tta, ..InferParams::default() };
    let segmented = with_models(Alone::new(), &args.model)?
        .file("ct", "ct", &args.ct, args.scan.to_map())?
        .on(&args.device)
        .run::<Infer>(&params, &args.output, context)?;
    if !io::mesh::is_mesh_output(&args.output) {
        segmented.image("label", &args.output)?;
        return out::written(context, &[&args.output]);
    }
    Alone::new()
        .file("volume", "label", segmented.path("label")?, Map::new())?
        .run::<Surface>(&SurfaceParams::default(), &args.output, context)?
        .mesh("mesh", &args.output)?;
    out::written(context, &[&args.output])
}
