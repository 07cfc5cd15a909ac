//! Peers: the same rows by others, in Python, speaking the worker's language.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Args, work::Task};
use crate::{
    cli::Context,
    fault::{Fault, Result},
};

/// The scripts travel with the program, so that one command needs no source tree.
const TORCH: &str = include_str!("../../../benches/peers/msdnet_torch.py");
const VTK: &str = include_str!("../../../benches/peers/geometry_vtk.py");

/// Returns the commands of a task's peers; none when no Python was named, or nobody else does the task.
pub(super) fn commands(task: &Task, args: &Args, context: &Context, scratch: &Path) -> Result<Vec<Command>> {
    let Some(python) = &args.peer else { return Ok(Vec::new()) };
    let python = |script: PathBuf| {
        let mut command = Command::new(python);
        command.arg(script).arg("--serve").args(["--threads", &context.jobs.to_string()]);
        command
    };
    let (row, side, depth) = match task {
        Task::Forward { side, depth } => ("forward", side, depth),
        Task::Step { side, depth } => ("step", side, depth),
        Task::Ct { .. } | Task::Noop { .. } => return Ok(Vec::new()),
        Task::Geometry { name, files } if ["surface", "voxelize", "compare"].contains(&name.as_str()) => {
            let script = written(scratch, "geometry_vtk.py", VTK)?;
            let variants: &[&str] = if name == "surface" { &["flying-edges", "marching-cubes"] } else { &["plain"] };
            let command = |variant: &&str| {
                let mut command = python(script.clone());
                command.args(["--row", name, "--variant", variant]).arg("--files").arg(files);
                command
            };
            return Ok(variants.iter().map(command).collect());
        }
        Task::Geometry { .. } => return Ok(Vec::new()),
    };
    let script = written(scratch, "msdnet_torch.py", TORCH)?;
    let command = |variant: &str| {
        let mut command = python(script.clone());
        command.args(["--row", row, "--variant", variant, "--size", &side.to_string(), "--depth", &depth.to_string()]);
        command
    };
    Ok(["concatenating", "in-place"].map(command).into())
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|error| Fault::file("write", &path, &error))?;
    Ok(path)
}
