//! `calvaria mesh check`: is this mesh fit to be measured or printed?

use std::{fs::File, io::Read as _, path::PathBuf};

use super::{Context, info, out};
use crate::{
    fault::{Fault, Result},
    io::mesh::{self, MeshOptions},
    mesh::examine::examine,
    space::Frame,
};

/// Bytes in which a header or a first comment states a frame.
const HEADER: u64 = 4096;

/// What to do with a mesh.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that a mesh is closed, oriented, manifold and free of self-intersections (exit 3 when its inside is uncertain)
    Check(Check),
}

/// Arguments of `mesh check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The mesh file
    file: PathBuf,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<()> {
    let Command::Check(args) = command;
    let read = mesh::read(&args.file, &MeshOptions::default())?;
    let found = examine(&read.mesh, stated_frame(&args.file));
    let report =
        serde_json::to_value(&found).map_err(|error| Fault::unfit(format!("the report cannot be written: {error}")))?;
    if context.global.json { out::json(&report) } else { out::line(info::lines(&report)) }?;
    if found.fit {
        return Ok(());
    }
    let fault = Fault::unfit(format!("the mesh is {}", found.verdict)).at(args.file.display());
    Err(match found.remedies.first() {
        Some(remedy) => fault.hint(remedy),
        None => fault,
    })
}

/// Returns the frame that the file's header states (3D Slicer's `SPACE=`), if it does.
fn stated_frame(path: &std::path::Path) -> Option<Frame> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEADER).read_to_end(&mut head).ok()?;
    let says = |word: &[u8]| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    match (says(b"SPACE=LPS"), says(b"SPACE=RAS")) {
        (true, false) => Some(Frame::Lps),
        (false, true) => Some(Frame::Ras),
        _ => None,
    }
}
