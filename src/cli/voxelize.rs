//! `calvaria voxelize`: label a scan's voxels from a mesh.

use std::path::PathBuf;

use serde_json::Map;

use super::{Context, alone::Alone, scan::ScanOptions, set};
use crate::{fault::Result, stages::Voxelize};

/// Arguments of `voxelize`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A closed mesh in the scan's world
    #[arg(long, value_name = "MESH")]
    mesh: PathBuf,
    /// The image whose grid to use
    #[arg(long, value_name = "VOLUME")]
    like: PathBuf,
    /// How overlapping shells count: even-odd or nonzero
    #[arg(long, default_value = "even-odd")]
    rule: String,
    #[command(flatten)]
    scan: ScanOptions,
    /// The label
    #[arg(short, long, value_name = "LABEL")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let params = set::params::<Voxelize>(&[format!("rule={}", args.rule)])?;
    Alone::new()
        .file("mesh", "mesh", &args.mesh, Map::new())?
        .file("like", "ct", &args.like, args.scan.to_map())?
        .run::<Voxelize>(&params, &args.output, context)?
        .image("label", &args.output)
}
