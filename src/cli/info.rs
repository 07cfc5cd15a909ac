//! `calvaria info`: describe an image or a mesh.

use std::path::PathBuf;

use serde_json::Value;

use super::{Context, out, scan::ScanOptions};
use crate::{
    fault::{Fault, Result},
    io::{
        self,
        image::{BurnedIn, ImageOptions, Modality, Repair},
    },
};

/// Arguments of `info`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An image file, a DICOM folder, or a mesh file
    path: PathBuf,
    #[command(flatten)]
    scan: ScanOptions,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if !args.path.exists() {
        return Err(Fault::usage("no such file or folder").at(args.path.display()));
    }
    let facts = if io::mesh::is_mesh_name(&args.path) { io::info::mesh_info(&args.path)? } else { image(args)? };
    if context.global.json { out::json(&facts) } else { out::line(lines(&facts)) }
}

/// Describes a scan as it is; one that is refused (no regular grid, no CT), as it would be read with the option for it.
fn image(args: &Args) -> Result<Value> {
    let options = args.scan.to_options()?;
    let repaired = ImageOptions {
        tilt: Repair::Resample,
        gaps: Repair::Resample,
        modality: Modality::Any,
        burned_in: BurnedIn::Accept,
        ..options
    };
    io::info::image_info_with(&args.path, &options).or_else(|refused| {
        let mut facts = io::info::image_info_with(&args.path, &repaired).map_err(|_| refused.clone())?;
        if let Some(notes) = facts["notes"].as_array_mut() {
            notes.insert(
                0,
                Value::from(format!("{}; the numbers are those as it would be read all the same", refused.what)),
            );
        }
        Ok(facts)
    })
}

/// Returns one `key  value` line a fact.
pub(super) fn lines(facts: &Value) -> String {
    let facts = facts.as_object().into_iter().flatten();
    facts.map(|(key, value)| format!("{key:<14} {}", plain(value))).collect::<Vec<_>>().join("\n")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("  "),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
