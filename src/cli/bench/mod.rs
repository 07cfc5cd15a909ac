//! `calvaria bench`: how fast this machine runs the hot parts, and how that compares with others in the same call.
//!
//! ```text
//! this process ─┬─ worker: this program again, one row     run, peak, run, peak …
//!               └─ peer:   a Python script, the same row   run, run …          (interleaved A B A B)
//! ```
//! Each row has a process of its own, so its peak memory is its own. Seconds are medians after a warm-up.

mod geometry;
mod measure;
mod msdnet;
mod peer;
mod process;
mod readers;
mod row;
mod runner;
mod sample;
mod starts;
mod work;

use std::path::PathBuf;

use clap::ValueEnum;

use self::{row::Row, work::Task};
use super::{Context, out};
use crate::fault::{Fault, Result};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// The network: forward, training step, whole scan
    Msdnet,
    /// Surface, voxelize, compare, align, check
    Geometry,
    /// The engine on studies whose stages have next to nothing to do
    Runner,
    /// Images from disk: NIfTI, NRRD, MetaImage, a DICOM series
    Readers,
}

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to measure [default: everything]
    #[arg(value_enum)]
    suite: Option<Suite>,
    /// Sides of the slices, pixels
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "128,256,512", value_parser = clap::value_parser!(u32).range(16..=4096))]
    size: Vec<u32>,
    /// Layers of the network
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    depth: u32,
    /// Slices of the scan of `msdnet.ct` [default: 40, quick: 8]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2000))]
    slices: Option<u32>,
    /// Fewer rounds, smaller scans
    #[arg(long)]
    quick: bool,
    /// Rounds a row, after one to warm up [default: 5, quick: 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Only rows whose name has this in it
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// A Python with the packages of benches/peers/requirements.txt: its rows are measured in turn with ours
    #[arg(long, value_name = "PYTHON")]
    peer: Option<PathBuf>,
    /// A scan for the geometry rows instead of a simulated one
    #[arg(long, value_name = "CT", requires = "mesh")]
    ct: Option<PathBuf>,
    /// A mesh of that scan's bone, lying on it
    #[arg(long, value_name = "MESH", requires = "ct")]
    mesh: Option<PathBuf>,
    /// Images for the readers' rows instead of a simulated scan: image files, and folders of DICOM
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Align the mesh from so many random starts instead, and tell how often it is found
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    starts: Option<u32>,
    /// Pass so many of the starts over: they can be tried in portions
    #[arg(long, value_name = "N", requires = "starts", default_value_t = 0)]
    first: u32,
    /// The mesh is of another scan of the same head: starts should end where it ends without being displaced
    #[arg(long, requires = "starts")]
    apart: bool,
    /// Measure this one row and obey standard input
    #[arg(long, hide = true)]
    worker: Option<String>,
}

impl Args {
    fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 3 } else { 5 }, |rounds| rounds as usize)
    }

    fn wants(&self, task: &Task) -> bool {
        self.only.as_deref().is_none_or(|part| task.name().contains(part))
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if let Some(task) = &args.worker {
        return process::serve(&Task::from_text(task)?, context);
    }
    let scratch = tempfile::tempdir().map_err(|error| Fault::unfit(format!("no temporary folder: {error}")))?;
    if let Some(starts) = args.starts {
        prepare_geometry(args, context, scratch.path())?;
        let asked = starts::Asked { starts, first: args.first, apart: args.apart };
        return starts::run(asked, &scratch.path().join("geometry"), context);
    }
    let mut rows = Vec::new();
    let wanted = |suite| args.suite.is_none_or(|only| only == suite);
    if wanted(Suite::Msdnet) {
        msdnet_rows(args, context, scratch.path(), &mut rows)?;
    }
    if wanted(Suite::Geometry) {
        geometry_rows(args, context, scratch.path(), &mut rows)?;
    }
    if wanted(Suite::Runner) {
        runner_rows(args, context, scratch.path(), &mut rows)?;
    }
    if wanted(Suite::Readers) {
        readers_rows(args, context, scratch.path(), &mut rows)?;
    }
    if rows.is_empty() {
        return Err(Fault::usage("no row has such a name"));
    }
    if context.global.json { out::json(&rows) } else { out::line(row::table(&rows)) }
}

fn msdnet_rows(args: &Args, context: &Context, scratch: &std::path::Path, rows: &mut Vec<Row>) -> Result<()> {
    let slices = args.slices.map_or(if args.quick { 8 } else { 40 }, |slices| slices as usize);
    for &side in &args.size {
        let (side, depth) = (side as usize, args.depth as usize);
        let tasks = [
            Task::Forward { side, depth },
            Task::Step { side, depth },
            Task::Ct { side, depth, slices, folder: scratch.join(format!("ct-{side}")) },
        ];
        for task in tasks.iter().filter(|task| args.wants(task)) {
            rows.extend(measure::rows(task, args, context, scratch)?);
        }
    }
    Ok(())
}

fn geometry_rows(args: &Args, context: &Context, scratch: &std::path::Path, rows: &mut Vec<Row>) -> Result<()> {
    let names = ["surface", "voxelize", "compare", "align", "check"];
    let task = |name: &str| Task::Geometry { name: name.to_owned(), files: scratch.join("geometry") };
    let tasks: Vec<Task> = names.into_iter().map(task).filter(|task| args.wants(task)).collect();
    if tasks.is_empty() {
        return Ok(());
    }
    prepare_geometry(args, context, scratch)?;
    for task in &tasks {
        rows.extend(measure::rows(task, args, context, scratch)?);
    }
    Ok(())
}

fn prepare_geometry(args: &Args, context: &Context, scratch: &std::path::Path) -> Result<()> {
    talk(context, "preparing the scan and its meshes");
    match (&args.ct, &args.mesh) {
        (Some(ct), Some(mesh)) => sample::from_files(ct, mesh, &scratch.join("geometry")),
        _ => sample::simulated(args.quick, &scratch.join("geometry")),
    }
}

/// Stages of the synthetic studies.
const STAGES: [usize; 3] = [102, 502, 5002];

fn runner_rows(args: &Args, context: &Context, scratch: &std::path::Path, rows: &mut Vec<Row>) -> Result<()> {
    use runner::Action::{Check, Noop, Overhead, Restore, Start, Status};
    let large: &[usize] = if args.quick { &STAGES[..2] } else { &STAGES };
    let each = |action, sizes: &[usize]| sizes.iter().map(|stages| (action, *stages)).collect::<Vec<_>>();
    let wanted = [
        each(Start, &[0]),
        each(Noop, large),
        each(Status, large),
        each(Check, large),
        each(Restore, &STAGES[..2]),
        each(Overhead, &STAGES[..1]),
    ];
    for (action, stages) in wanted.concat() {
        // What changes nothing can look at one study.
        let looks = matches!(action, Noop | Status | Check);
        let name = if looks { format!("study-{stages}") } else { format!("{}-{stages}", action.name()) };
        let task = Task::Runner { action, stages, folder: scratch.join(name) };
        if args.wants(&task) {
            rows.extend(measure::rows(&task, args, context, scratch)?);
        }
    }
    Ok(())
}

fn readers_rows(args: &Args, context: &Context, scratch: &std::path::Path, rows: &mut Vec<Row>) -> Result<()> {
    let task = |path| Task::Readers { path };
    let tasks: Vec<Task> = match &args.folder {
        Some(folder) => readers::images(folder)?.into_iter().map(task).collect(),
        None => readers::NAMES.map(|name| task(scratch.join("readers").join(name))).into(),
    };
    let tasks: Vec<&Task> = tasks.iter().filter(|task| args.wants(task)).collect();
    if args.folder.is_none() && !tasks.is_empty() {
        talk(context, "preparing the scan in every format");
        readers::write(args.quick, &scratch.join("readers"))?;
    }
    for task in tasks {
        rows.extend(measure::rows(task, args, context, scratch)?);
    }
    Ok(())
}

fn talk(context: &Context, text: &str) {
    if !context.global.quiet {
        out::talk(text);
    }
}
