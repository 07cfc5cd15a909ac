//! `calvaria convert`: any image to any image, any mesh to any mesh.

use std::path::PathBuf;

use super::{Context, alone, out, scan::ScanOptions};
use crate::{
    fault::{Fault, Result},
    io::{self, mesh::MeshOptions},
    mesh::repair::Repairs,
    space::{Frame, Unit},
};

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to read
    input: PathBuf,
    /// What to write; its name tells the format
    output: PathBuf,
    #[command(flatten)]
    scan: ScanOptions,
    /// Frame of a mesh file, LPS or RAS [default: what its header says, else LPS]
    #[arg(long, value_name = "FRAME", value_parser = frame, help_heading = "Meshes")]
    frame: Option<Frame>,
    /// Unit of a mesh file, mm or m [default: mm]
    #[arg(long, value_name = "UNIT", value_parser = unit, help_heading = "Meshes")]
    unit: Option<Unit>,
    /// Weld vertices of a mesh nearer than this, mm
    #[arg(long, value_name = "MM", help_heading = "Meshes")]
    weld: Option<f64>,
    /// Take triangles without area out of a mesh
    #[arg(long, help_heading = "Meshes")]
    drop_degenerate: bool,
    /// Turn the triangles of a mesh to agree, and to face out
    #[arg(long, help_heading = "Meshes")]
    orient: bool,
}

fn frame(text: &str) -> std::result::Result<Frame, String> {
    match text.to_ascii_uppercase().as_str() {
        "LPS" => Ok(Frame::Lps),
        "RAS" => Ok(Frame::Ras),
        _ => Err("LPS or RAS".to_owned()),
    }
}

fn unit(text: &str) -> std::result::Result<Unit, String> {
    match text {
        "mm" => Ok(Unit::Mm),
        "m" => Ok(Unit::M),
        _ => Err("mm or m".to_owned()),
    }
}

impl Args {
    fn repairs(&self) -> Result<Repairs> {
        if let Some(mm) = self.weld.filter(|mm| !(mm.is_finite() && *mm >= 0.0)) {
            return Err(
                Fault::usage(format!("the distance to weld at must be a number from 0, it is {mm}")).at("--weld")
            );
        }
        Ok(Repairs { weld_mm: self.weld, drop_degenerate: self.drop_degenerate, orient: self.orient })
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if !args.input.exists() {
        return Err(Fault::usage("no such file or folder").at(args.input.display()));
    }
    let say = |notes: &[String]| {
        if !context.global.quiet {
            notes.iter().for_each(|note| out::talk(format!("note: {note}")));
        }
    };
    let repairs = args.repairs()?;
    if io::mesh::is_mesh_name(&args.input) {
        let options = MeshOptions { frame: args.frame, unit: args.unit, ..MeshOptions::default() };
        let read = io::mesh::read(&args.input, &options)?;
        let (mesh, done) = repairs.apply(&read.mesh);
        alone::whole(&args.output, |part| io::mesh::write(part, &mesh))?;
        say(&[read.notes, done.notes()].concat());
        return out::written(context, &[&args.output]);
    }
    if !repairs.is_none() || args.frame.is_some() || args.unit.is_some() {
        return Err(Fault::usage("an image has no vertices to weld or turn, and its file states frame and unit")
            .at(args.input.display())
            .hint("`--frame`, `--unit`, `--weld`, `--drop-degenerate` and `--orient` are for meshes"));
    }
    let image = io::image::read(&args.input, &args.scan.to_options()?)?;
    alone::whole(&args.output, |part| io::image::write_any(part, &image))?;
    say(&image.notes);
    out::written(context, &[&args.output])
}
