//! `calvaria surface`: extract the surface of a volume.

use std::path::PathBuf;

use super::{Context, alone::Alone, scan::ScanOptions, set};
use crate::{fault::Result, stages::Surface};

/// Arguments of `surface`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A label, a probability, or a scan
    #[arg(long, value_name = "VOLUME")]
    volume: PathBuf,
    /// The value on the surface [default: 0.5]
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "label")]
    iso: Option<f64>,
    /// Of an image with several labels, the surface of this one
    #[arg(long, value_name = "N")]
    label: Option<u32>,
    /// Keep all pieces or the largest: all, largest
    #[arg(long, default_value = "all")]
    keep: String,
    /// A parameter of the stage, `border=open`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    scan: ScanOptions,
    /// The mesh
    #[arg(short, long, value_name = "MESH")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let mut overrides = args.overrides.clone();
    overrides.push(format!("keep={}", args.keep));
    overrides.extend(args.iso.map(|iso| format!("iso={iso:?}")));
    overrides.extend(args.label.map(|label| format!("label={label}")));
    let params = set::params::<Surface>(&overrides)?;
    Alone::new()
        .file("volume", "label", &args.volume, args.scan.to_map())?
        .run::<Surface>(&params, &args.output, context)?
        .mesh("mesh", &args.output)
}
