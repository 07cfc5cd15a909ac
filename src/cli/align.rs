//! `calvaria align`: bring a mesh onto a scan.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::{Context, alone::Alone, out, scan::ScanOptions, set};
use crate::{
    fault::{Fault, Result},
    geometry::align::landmarks::Landmark,
    io::{
        image,
        mesh::{self, MeshOptions},
    },
    stages::{
        self, Align, TransformFile,
        align::{self as stage, PICTURE, SEE},
    },
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
    /// Where to start: `auto`, `identity`, or a transform: JSON with a `matrix`, or ITK text (.tfm, .txt)
    #[arg(long, default_value = "auto", value_name = "auto|identity|FILE")]
    init: String,
    /// Start from marked pairs of points, LPS mm: six numbers a line, mesh then scan, at least three lines
    #[arg(long, value_name = "FILE", conflicts_with = "init")]
    landmarks: Option<PathBuf>,
    /// Only judge the given start, do not refine it
    #[arg(long)]
    verify: bool,
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
    /// The transform as ITK text, for 3D Slicer: .tfm or .txt
    #[arg(long, value_name = "FILE")]
    itk: Option<PathBuf>,
    /// A picture of the mesh on three slices of the scan, PNG; also when the mesh is refused
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
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
    if args.verify {
        overrides.push("refine=false".to_owned());
    }
    if let Some(file) = &args.landmarks {
        overrides.push(format!("landmarks={}", compact(&landmarks(file)?)));
    }
    let params = set::params::<Align>(&overrides)?;
    let mut mesh_options = Map::new();
    if let Some(frame) = args.frame {
        mesh_options.insert("frame".into(), Value::from(if matches!(frame, FrameName::Lps) { "LPS" } else { "RAS" }));
    }
    if let Some(unit) = args.unit {
        mesh_options.insert("unit".into(), Value::from(if matches!(unit, UnitName::Mm) { "mm" } else { "m" }));
    }
    let scratch = tempfile::tempdir().map_err(|error| Fault::file("write in", &std::env::temp_dir(), &error))?;
    let outputs = Alone::new()
        .file("ct", "ct", &args.ct, args.scan.to_map())?
        .file("mesh", "mesh", &args.mesh, mesh_options)?
        .maybe("start", "transform", known_start.as_deref())
        .map_err(|fault| fault.hint("`--init` is `auto`, `identity`, or a transform file"))?
        .resumable(scratch.path().to_owned())
        .run::<Align>(&params, &args.output, context)
        .map_err(|fault| refused(fault, scratch.path(), args.picture.as_deref()))?;
    let found: TransformFile = stages::load::json(outputs.path("transform")?)?;
    if let Some(wanted) = &args.picture {
        let ct = image::read(&args.ct, &args.scan.to_options()?)?.volume;
        let moved = mesh::read(outputs.path("mesh")?, &MeshOptions::default())?.mesh;
        write(wanted, &stage::overlay(&ct, &moved, "accepted"))?;
    }
    for (port, wanted) in [("transform", &args.transform), ("itk", &args.itk)] {
        if let Some(wanted) = wanted {
            let text = std::fs::read(outputs.path(port)?).map_err(|error| Fault::file("read", wanted, &error))?;
            write(wanted, &text)?;
        }
    }
    outputs.mesh("mesh", &args.output)?;
    if context.global.json {
        return out::json(&found);
    }
    for note in &found.notes {
        out::line(format!("note: {note}"))?;
    }
    out::line(format!(
        "aligned: median {:.3} mm, p95 {:.3} mm, {:.1} % of the surface on bone",
        found.median_residual_mm,
        found.p95_residual_mm,
        100.0 * found.inlier_share
    ))
}

/// Moves the picture of a refusal to where the user wants it, and says so; without a wish, says how to get one.
fn refused(mut fault: Fault, scratch: &Path, wanted: Option<&Path>) -> Fault {
    let Some((cause, _)) = fault.hint.as_deref().and_then(|hint| hint.split_once(SEE)) else { return fault };
    let cause = cause.to_owned();
    let drawn = wanted.map(|wanted| {
        std::fs::read(scratch.join(PICTURE))
            .map_err(|error| Fault::file("read", wanted, &error))
            .and_then(|png| write(wanted, &png))
            .map(|()| format!("{cause}{}{}", SEE, wanted.display()))
            .unwrap_or_else(|failed| format!("{cause}; the picture could not be written: {}", failed.what))
    });
    fault.hint = Some(drawn.unwrap_or_else(|| format!("{cause}; `--picture FILE` shows where it came to lie")));
    fault
}

fn write(wanted: &Path, bytes: &[u8]) -> Result<()> {
    super::alone::whole(wanted, |part| {
        std::fs::write(part, bytes).map_err(|error| Fault::file("write", wanted, &error))
    })
}

/// Returns the pairs as `--set` takes them.
fn compact(pairs: &[Landmark]) -> String {
    serde_json::to_value(pairs).map_or_else(|_| String::new(), |value| value.to_string())
}

/// Returns the pairs of a text file: six numbers a line, apart by commas or blanks; `#` begins a comment.
fn landmarks(path: &Path) -> Result<Vec<Landmark>> {
    let text = std::fs::read_to_string(path).map_err(|error| Fault::file("read the landmarks", path, &error))?;
    let lines = text.lines().enumerate().map(|(i, line)| (i, line.split('#').next().unwrap_or_default().trim()));
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(i, line)| {
            let words = line.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|word| !word.is_empty());
            let numbers: Option<Vec<f64>> = words.map(|word| word.parse().ok()).collect();
            match numbers.as_deref() {
                Some(&[a, b, c, x, y, z]) => Ok(Landmark { mesh: [a, b, c], ct: [x, y, z] }),
                _ => Err(Fault::usage(format!("line {} does not hold six numbers: mesh x y z, scan x y z", i + 1))
                    .at(path.display())),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_are_six_numbers_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pairs.txt");
        std::fs::write(&file, "# mesh, scan\n1,2,3, 4,5,6\n\n-1.5 2 3;4 5 6e1 # nasion\n").unwrap();
        let read = landmarks(&file).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1], Landmark { mesh: [-1.5, 2.0, 3.0], ct: [4.0, 5.0, 60.0] });
        std::fs::write(&file, "1 2 3 4 5 6\n1 2 3\n").unwrap();
        assert!(landmarks(&file).unwrap_err().what.contains("line 2"));
    }
}
