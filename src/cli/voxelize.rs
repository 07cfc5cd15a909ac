//! `calvaria voxelize`: label a scan's voxels from a mesh.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Context, alone::Alone, out, scan::ScanOptions, set};
use crate::{
    fault::Result,
    stages::{Voxelize, load},
};

/// Arguments of `voxelize`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A mesh in the scan's world; holes are spanned, and what that changes is reported
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
    /// Also write the share of each voxel that is inside, from 4 x 4 x 4 sub-voxels
    #[arg(long, value_name = "VOLUME")]
    fraction: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let settings = [format!("rule={}", args.rule), format!("fraction={}", args.fraction.is_some())];
    let params = set::params::<Voxelize>(&settings)?;
    let outputs = Alone::new()
        .file("mesh", "mesh", &args.mesh, Map::new())?
        .file("like", "ct", &args.like, args.scan.to_map())?
        .run::<Voxelize>(&params, &args.output, context)?;
    let report: Value = load::json(outputs.path("report")?)?;
    outputs.image("label", &args.output)?;
    if let Some(wanted) = &args.fraction {
        outputs.image("fraction", wanted)?;
    }
    if context.global.json {
        return out::json(&report);
    }
    if !context.global.quiet && report["closed"] != Value::Bool(true) {
        out::talk(format!(
            "note: the mesh is not closed: {} holes spanned ({:.1} mm²), {} triangles turned; {} of {} voxels depend on how",
            report["boundary_loops"],
            report["hole_area_mm2"].as_f64().unwrap_or_default(),
            report["turned_triangles"],
            report["doubtful_voxels"],
            report["voxels"]
        ));
    }
    Ok(())
}
