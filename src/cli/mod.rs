//! The command line: one file a command, exit codes, hints, progress. The only module that prints.

mod align;
mod alone;
mod audit;
mod bench;
mod check;
mod compare;
mod completions;
mod content;
mod convert;
mod dag;
mod diff;
mod doctor;
mod explain;
mod forecast;
mod gc;
mod infer;
mod info;
mod log;
mod man;
mod manifest;
mod mesh;
mod model;
mod out;
mod pack;
mod phantom;
mod plan;
mod progress;
mod replay;
mod run;
mod scan;
mod schema;
mod segment;
mod set;
mod show;
mod status;
mod study;
mod surface;
mod table;
mod threshold;
mod train;
mod verify;
mod voxelize;

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    fault::{Fault, Kind, Result},
    model::kernels,
};

/// Exit codes, as every command's help tells them.
const EXIT_CODES: &str = "Exit codes: 0 success; 1 a difference was found; 2 the command, pipeline or manifest is wrong; \
3 an input is unfit or a stage failed; 4 verification mismatch; 5 needed data missing; 6 lock timeout; 130 interrupted.";

#[derive(Debug, Parser)]
#[command(name = "calvaria", version, about = "Reruns a CT skull-segmentation study to the same bytes. Research use only.", after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Threads to use [default: all cores]
    #[arg(short, long, global = true, env = "CALVARIA_JOBS", value_name = "N")]
    jobs: Option<usize>,
    /// Where results are kept [default: .calvaria beside the pipelines folder]
    #[arg(long, global = true, env = "CALVARIA_STORE", value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// No progress bars, also on a terminal
    #[arg(long, global = true)]
    no_progress: bool,
    /// Work as if started in this folder
    #[arg(short = 'C', global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline: what is missing or changed, and nothing else
    #[command(alias = "repro")]
    Run(run::Args),
    /// Show what `run` would do, with an estimate of time and disk
    Plan(plan::Args),
    /// Show the state of every stage
    Status(status::Args),
    /// Tell why items would run, down to the edited line
    #[command(alias = "why")]
    Explain(explain::Args),
    /// Check that pipeline, manifest and lock file agree; needs no data
    Check(check::Args),
    /// Read all bytes and compare them with the lock file; execute again with --rerun
    Verify(verify::Args),
    /// Execute again under other threads, vector widths, folders and locales, and compare the bits
    Audit(audit::Args),
    /// Compare two runs: parameters, results case by case, where the difference begins
    Diff(diff::Args),
    /// Put a study into one file
    Pack(pack::Args),
    /// Make the tables of a packed study again, offline, and say whether they are the same
    Replay(replay::Args),
    /// Remove from the store what no lock file needs
    Gc(gc::Args),
    /// Draw the graph of stages
    Dag(dag::Args),
    /// Print a published table
    Table(table::Args),
    /// Show past runs and what failed in them
    Log(log::Args),
    /// Show a stage of the pipeline, or a built-in with its parameters
    Show(show::Args),
    /// Look at this machine and this store, and say what to do about what is not well
    Doctor(doctor::Args),
    /// Print what a shell needs to complete commands and options
    Completions(completions::Args),
    /// Write the manual pages
    Man(man::Args),
    /// Print the JSON Schema of a file format, or of what a command prints with --json
    Schema(schema::Args),
    /// Write or check a data manifest
    #[command(subcommand)]
    Manifest(manifest::Command),
    /// Simulate one case
    Phantom(phantom::Args),
    /// Bring a mesh onto a scan
    Align(align::Args),
    /// Label a scan's voxels from a mesh
    Voxelize(voxelize::Args),
    /// Segment bone by intensity
    Threshold(threshold::Args),
    /// Train a network
    Train(train::Args),
    /// Segment a scan with a trained network
    Infer(infer::Args),
    /// Extract the surface of a volume
    Surface(surface::Args),
    /// Measure a prediction against the gold standard
    Compare(compare::Args),
    /// From a scan to a skull mesh or label in one step (research use only)
    Segment(segment::Args),
    /// Convert between image formats, or between mesh formats
    Convert(convert::Args),
    /// Describe an image or a mesh
    Info(info::Args),
    /// Look into a mesh
    #[command(subcommand)]
    Mesh(mesh::Command),
    /// Networks from and for other programs: PyTorch, ONNX
    #[command(subcommand)]
    Model(model::Command),
    /// Measure speed and memory on this machine
    Bench(Box<bench::Args>),
}

/// What a command may use beside its arguments.
pub(crate) struct Context {
    global: Global,
    jobs: usize,
    /// Number of the first signal, zero before: running stages drain.
    cancelled: Arc<AtomicUsize>,
}

/// Runs the program and returns its exit code.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return error.exit_code();
        }
    };
    let outcome = std::panic::catch_unwind(|| start(cli)).unwrap_or_else(|_| {
        Err(Fault::unfit("the program met a state it did not expect").hint("please report this, with the lines above"))
    });
    match outcome {
        Ok(()) => 0,
        Err(fault) => {
            if !matches!(fault.kind, Kind::Interrupted(13)) {
                out::talk(format!("error: {fault}"));
            }
            fault.kind.exit_code()
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    set_up_log(&cli.global);
    if let Some(folder) = &cli.global.directory {
        std::env::set_current_dir(folder).map_err(|error| Fault::file("enter the folder", folder, &error))?;
    }
    let jobs = match cli.global.jobs {
        Some(0) => return Err(Fault::usage("`--jobs` needs at least one thread")),
        Some(jobs) => jobs,
        None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build_global()
        .map_err(|error| Fault::unfit(format!("cannot start {jobs} threads: {error}")))?;
    force_vectors()?;
    let context = Context { global: cli.global, jobs, cancelled: watch_signals()? };
    dispatch(cli.command, &context)
}

fn dispatch(command: Command, context: &Context) -> Result<()> {
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Audit(args) => audit::run(&args, context),
        Command::Diff(args) => diff::run(&args, context),
        Command::Pack(args) => pack::run(&args, context),
        Command::Replay(args) => replay::run(&args, context),
        Command::Gc(args) => gc::run(&args, context),
        Command::Dag(args) => dag::run(&args, context),
        Command::Table(args) => table::run(&args, context),
        Command::Log(args) => log::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args, context),
        Command::Schema(args) => schema::run(&args, context),
        Command::Manifest(command) => manifest::run(&command, context),
        Command::Phantom(args) => phantom::run(&args, context),
        Command::Align(args) => align::run(&args, context),
        Command::Voxelize(args) => voxelize::run(&args, context),
        Command::Threshold(args) => threshold::run(&args, context),
        Command::Train(args) => train::run(&args, context),
        Command::Infer(args) => infer::run(&args, context),
        Command::Surface(args) => surface::run(&args, context),
        Command::Compare(args) => compare::run(&args, context),
        Command::Segment(args) => segment::run(&args, context),
        Command::Convert(args) => convert::run(&args, context),
        Command::Info(args) => info::run(&args, context),
        Command::Mesh(command) => mesh::run(&command, context),
        Command::Model(command) => model::run(&command, context),
        Command::Bench(args) => bench::run(&args, context),
    }
}

/// The first signal asks running stages to stop; the second ends the program at once.
fn watch_signals() -> Result<Arc<AtomicUsize>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let cancelled = Arc::new(AtomicUsize::new(0));
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&again)))
            .and_then(|_| signal_hook::flag::register_usize(signal, Arc::clone(&cancelled), signal as usize))
            .map_err(|error| Fault::unfit(format!("cannot watch for signals: {error}")))?;
    }
    Ok(cancelled)
}

/// `CALVARIA_SIMD=scalar|neon|avx2|avx512` makes all work use one vector width; the bits are the same.
fn force_vectors() -> Result<()> {
    match std::env::var("CALVARIA_SIMD") {
        Ok(name) if !name.is_empty() => {
            name.parse().and_then(kernels::force).map_err(|fault| fault.at("CALVARIA_SIMD"))
        }
        _ => Ok(()),
    }
}

fn set_up_log(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => tracing::Level::ERROR,
        (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, _) => tracing::Level::DEBUG,
    };
    // Libraries quote what they read, and a header holds names: only our own lines are shown.
    let ours = Targets::new().with_target("calvaria", level);
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false).compact();
    // A second subscriber can only be a test's, and then that one is wanted.
    drop(tracing_subscriber::registry().with(lines).with(ours).try_init());
}
