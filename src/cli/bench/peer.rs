//! Peers: the same rows by others, in Python, speaking the worker's language.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Args, work::Task};
use crate::{
    cli::Context,
    fault::{Fault, Result},
};

/// The scripts travel with the program, so that one command needs no source tree.
const TORCH: &str = include_str!("../../../benches/peers/msdnet_torch.py");
const VTK: &str = include_str!("../../../benches/peers/geometry_vtk.py");
const READERS: &str = include_str!("../../../benches/peers/readers_speed.py");
const DVC: &str = include_str!("../../../benches/peers/dvc_study.py");
const SNAKEMAKE: &str = include_str!("../../../benches/peers/snakemake_study.py");

/// Stages above which a peer takes minutes to build its study.
const MOST_DVC: usize = 102;
const MOST_SNAKEMAKE: usize = 502;

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
        Task::Ct { .. } => return Ok(Vec::new()),
        Task::Runner { action, stages, .. } => {
            let row = action.name().trim_start_matches("runner.");
            let peers = [("dvc", DVC, MOST_DVC), ("snakemake", SNAKEMAKE, MOST_SNAKEMAKE)];
            let mut commands = Vec::new();
            for (package, text, most) in peers {
                // `check` needs no data, and nobody else has that.
                if *stages <= most && ["start", "noop", "status", "restore"].contains(&row) && installed(args, package)
                {
                    let mut command = python(written(scratch, &format!("{package}_study.py"), text)?);
                    command.args(["--row", row, "--stages", &stages.to_string()]);
                    commands.push(command);
                }
            }
            return Ok(commands);
        }
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
        Task::Readers { .. } if !installed(args, "SimpleITK") => return Ok(Vec::new()),
        Task::Readers { path } => {
            let mut command = python(written(scratch, "readers_speed.py", READERS)?);
            command.arg("--files").arg(path);
            return Ok(vec![command]);
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

/// Whether the named Python has a package; a peer that is not installed is left out.
fn installed(args: &Args, package: &str) -> bool {
    let Some(python) = &args.peer else { return false };
    let mut command = Command::new(python);
    command.args(["-c", &format!("import {package}")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|error| Fault::file("write", &path, &error))?;
    Ok(path)
}
