//! `calvaria align`: bring a mesh onto a scan.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::{Context, alone::Alone, out, scan::ScanOptions, set};
use crate::{
    fault::{Fault, Result},
    stages::{self, Align, TransformFile},
};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FrameName {
    #[value(name = "LPS", alias = "lps")]
    Lps,
    #[value(name = "RAS", alias = "ras")]
    Ras,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnitName {
    Mm,
    M,
}

/// Arguments of `align`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scan: a DICOM folder or file, .nii, .nii.gz, .nrrd
    #[arg(long, value_name = "CT")]
    ct: PathBuf,
    /// The mesh to move
    #[arg(long, value_name = "MESH")]
    mesh: PathBuf,
    /// Frame of the mesh file [default: what its header says, else LPS]
    #[arg(long)]
    frame: Option<FrameName>,
    /// Unit of the mesh file [default: mm]
    #[arg(long)]
    unit: Option<UnitName>,
    /// Where to start: `auto`, `identity`, or a JSON file with a `matrix`
    #[arg(long, default_value = "auto", value_name = "auto|identity|FILE")]
    init: String,
    /// A parameter of the stage, `accept.median_mm=2`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    scan: ScanOptions,
    /// The aligned mesh
    #[arg(short, long, value_name = "MESH")]
    output: PathBuf,
    /// The transform and its quality, JSON
    #[arg(long, value_name = "FILE")]
    transform: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let mut overrides = args.overrides.clone();
    let known_start = match args.init.as_str() {
        word @ ("auto" | "identity") => {
            overrides.push(format!("init={word}"));
            None
        }
        file => Some(PathBuf::from(file)),
    };
    let params = set::params::<Align>(&overrides)?;
    let mut mesh_options = Map::new();
    if let Some(frame) = args.frame {
        mesh_options.insert("frame".into(), Value::from(if matches!(frame, FrameName::Lps) { "LPS" } else { "RAS" }));
    }
    if let Some(unit) = args.unit {
        mesh_options.insert("unit".into(), Value::from(if matches!(unit, UnitName::Mm) { "mm" } else { "m" }));
    }
    let outputs = Alone::new()
        .file("ct", "ct", &args.ct, args.scan.to_map())?
        .file("mesh", "mesh", &args.mesh, mesh_options)?
        .maybe("start", "transform", known_start.as_deref())
        .map_err(|fault| fault.hint("`--init` is `auto`, `identity`, or a JSON file"))?
        .run::<Align>(&params, &args.output, context)?;
    let found: TransformFile = stages::load::json(outputs.path("transform")?)?;
    outputs.mesh("mesh", &args.output)?;
    if let Some(wanted) = &args.transform {
        let text = std::fs::read(outputs.path("transform")?).map_err(|error| Fault::file("read", wanted, &error))?;
        super::alone::whole(wanted, |part| {
            std::fs::write(part, &text).map_err(|error| Fault::file("write", wanted, &error))
        })?;
    }
    if context.global.json {
        return out::json(&found);
    }
    out::line(format!(
        "aligned: median {:.3} mm, p95 {:.3} mm, {:.1} % of the surface on bone",
        found.median_residual_mm,
        found.p95_residual_mm,
        100.0 * found.inlier_share
    ))
}
