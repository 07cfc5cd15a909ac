//! Whether what a program wrote is what it declares: an image that can be read, a mesh, JSON. Kinds of one's own are taken
//! as they are.

use std::path::Path;

use super::{CommandParams, DeclaredOutput};
use crate::{
    fault::{Fault, Result},
    pipeline::stage::{Artifact, Job},
    stages::load,
};

/// Checks every output that is there; the engine checks that those are there which must be.
pub(super) fn outputs(params: &CommandParams, job: &Job<'_>) -> Result<()> {
    for (port, output) in &params.outputs {
        let path = job.output(port)?;
        let symlink = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if symlink {
            return Err(Fault::unfit(format!("the output `{port}` is a link: a result is a file or a folder")));
        }
        if path.exists() {
            readable(output, path)
                .map_err(|fault| Fault::unfit(format!("the output `{port}` is no {}: {}", output.kind, fault.what)))?;
        }
    }
    Ok(())
}

fn readable(output: &DeclaredOutput, path: &Path) -> Result<()> {
    let artifact = Artifact { kind: output.kind.clone(), path: Some(path.to_owned()), ..Artifact::default() };
    match output.kind.as_str() {
        "ct" | "probability" => load::values(&artifact).map(drop),
        "label" => load::label(&artifact).map(drop),
        "mesh" => load::predicted_mesh(&artifact).map(drop),
        "row" | "transform" | "fit" | "history" | "truth" => load::json::<serde_json::Value>(path).map(drop),
        _ => Ok(()),
    }
}
