//! `calvaria info`: describe an image or a mesh.

use std::path::PathBuf;

use serde_json::Value;

use super::{Context, out};
use crate::{
    fault::{Fault, Result},
    io,
};

/// Arguments of `info`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An image file, a DICOM folder, or a mesh file
    path: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if !args.path.exists() {
        return Err(Fault::usage("no such file or folder").at(args.path.display()));
    }
    let facts = if io::mesh::is_mesh_name(&args.path) {
        io::info::mesh_info(&args.path)?
    } else {
        io::info::image_info(&args.path)?
    };
    if context.global.json { out::json(&facts) } else { out::line(lines(&facts)) }
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
