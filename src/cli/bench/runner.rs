//! The engine's rows: `calvaria` from start to exit on a synthetic study in which the stages have next to nothing to do.
//!
//! ```text
//! each case:  bone = threshold(ct) ─ mesh = surface(bone) ─ pred = threshold(ct, fit) ─ seen = surface(pred) ─ compare
//! once:       fit = fit-threshold(all ct, all bone)                            table(all compare)
//! ```
//! Five stages a case and two for all: 102 for 20 cases, 502 for 100, 5002 for 1000. The peers have the same shape.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::work::Work;
use crate::{
    cli::Context,
    fault::{Fault, Result},
    io::image::write_i16,
    space::{DVec3, Grid},
    volume::Volume,
};

/// What is measured of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    /// `run` with nothing to do.
    Noop,
    /// `status`.
    Status,
    /// `check`.
    Check,
    /// `--help`.
    Start,
    /// `run` after a parameter was changed back: two stages of each case, and the table, come out of the store.
    Restore,
    /// The first `run`, less the time inside of the stages: what the engine costs a stage.
    Overhead,
}

impl Action {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Noop => "runner.noop",
            Self::Status => "runner.status",
            Self::Check => "runner.check",
            Self::Start => "runner.start",
            Self::Restore => "runner.restore",
            Self::Overhead => "runner.overhead",
        }
    }
}

/// Slices, rows and columns of a scan.
const SIDE: usize = 12;
/// Values of the parameter that [`Action::Restore`] changes to and fro.
const KEEP: [&str; 2] = ["largest", "all"];

/// A study on disk, and what is done with it.
pub(super) struct Study {
    action: Action,
    stages: usize,
    folder: PathBuf,
    jobs: usize,
    turn: usize,
    seconds: Option<f64>,
}

impl Study {
    /// Writes the study and brings it up to date, as far as the action needs that.
    pub(super) fn new(action: Action, stages: usize, folder: &Path, context: &Context) -> Result<Self> {
        let study = Self { action, stages, folder: folder.to_owned(), jobs: context.jobs, turn: 0, seconds: None };
        make(folder)?;
        if action == Action::Start || folder.join("pipelines/study.lock").exists() {
            return Ok(study);
        }
        let cases = (stages.saturating_sub(2) / 5).max(1);
        make(&folder.join("pipelines"))?;
        make(&folder.join("scans"))?;
        let mut manifest = "manifest: 1\nroot: scans\ncases:\n".to_owned();
        for case in 0..cases {
            scan(case, &folder.join(format!("scans/c{case:04}.nrrd")))?;
            let line = format!("  c{case:04}: {{ split: test, ct: {{ path: c{case:04}.nrrd }} }}\n");
            manifest.push_str(&line);
        }
        write(&folder.join("manifest.yaml"), &manifest)?;
        study.pipeline(KEEP[0])?;
        match action {
            Action::Overhead | Action::Start => {}
            Action::Restore => {
                study.go(&["run", "pipelines/study.yaml"])?;
                study.pipeline(KEEP[1])?;
                study.go(&["run", "pipelines/study.yaml"])?;
            }
            Action::Noop | Action::Status | Action::Check => study.go(&["run", "pipelines/study.yaml"])?,
        }
        Ok(study)
    }

    fn pipeline(&self, keep: &str) -> Result<()> {
        write(&self.folder.join("pipelines/study.yaml"), &PIPELINE.replace("KEEP", keep))
    }

    fn go(&self, arguments: &[&str]) -> Result<()> {
        self.go_on(self.jobs, arguments)
    }

    fn go_on(&self, jobs: usize, arguments: &[&str]) -> Result<()> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| Fault::unfit(format!("this program does not find itself: {error}")))?;
        let mut command = Command::new(program);
        command.args(["--jobs", &jobs.to_string(), "--quiet"]).args(arguments);
        command.current_dir(&self.folder).env_remove("CALVARIA_JOBS").env_remove("CALVARIA_STORE");
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        let status = status.map_err(|error| Fault::unfit(format!("cannot start the run: {error}")))?;
        status.success().then_some(()).ok_or_else(|| Fault::unfit("a command on the synthetic study failed"))
    }

    /// Runs everything anew, on one thread, and counts what did not pass inside of the stages.
    fn overhead(&mut self) -> Result<()> {
        let store = self.folder.join(format!("store-{}", self.turn));
        let path = store.to_string_lossy().into_owned();
        let begun = Instant::now();
        self.go_on(1, &["--store", &path, "run", "pipelines/study.yaml"])?;
        let wall = begun.elapsed().as_secs_f64();
        self.seconds = Some((wall - inside(&store)?) / self.stages as f64);
        std::fs::remove_file(self.folder.join("pipelines/study.lock"))
            .map_err(|error| Fault::file("remove", &store, &error))
    }
}

/// Returns the seconds that passed inside of the stages of a store's executions.
fn inside(store: &Path) -> Result<f64> {
    let mut seconds = 0.0;
    for entry in walkdir::WalkDir::new(store.join("ac")).into_iter().filter_map(std::result::Result::ok) {
        if entry.file_type().is_file() {
            let text = std::fs::read(entry.path()).map_err(|error| Fault::file("read", entry.path(), &error))?;
            let record: Value = serde_json::from_slice(&text).unwrap_or_default();
            seconds += record["seconds"].as_f64().unwrap_or(0.0);
        }
    }
    Ok(seconds)
}

const PIPELINE: &str = "calvaria: 1
name: study
seed: 1
manifest: ../manifest.yaml
stages:
  bone: { uses: threshold, foreach: test, with: { ct: case.ct }, params: { hu: 300 } }
  mesh: { uses: surface, foreach: test, with: { volume: bone.label } }
  fit:
    uses: fit-threshold
    with: { ct: { collect: case.ct, over: test }, label: { collect: bone.label, over: test } }
  pred: { uses: threshold, foreach: test, with: { ct: case.ct, fit: fit.fit }, params: { keep: all } }
  seen: { uses: surface, foreach: test, with: { volume: pred.label }, params: { keep: KEEP } }
  compare:
    uses: compare
    foreach: test
    with: { pred_label: pred.label, pred_mesh: seen.mesh, gold_label: bone.label, gold_mesh: mesh.mesh }
  table:
    uses: table
    with: { rows: { collect: compare.row } }
    publish: table
";

/// A ball of bone in air, of another size for each case; one voxel of noise makes equal balls of different cases unlike.
fn scan(case: usize, path: &Path) -> Result<()> {
    let centre = (SIDE as f64 - 1.0) / 2.0;
    let radius = 3.0 + (case % 7) as f64 / 4.0;
    let voxel = |i: usize| {
        let (x, y, z) = (i % SIDE, i / SIDE % SIDE, i / (SIDE * SIDE));
        let square = |at: usize| (at as f64 - centre) * (at as f64 - centre);
        if square(x) + square(y) + square(z) <= radius * radius { 1000 } else { -1000 }
    };
    let mut voxels: Vec<i16> = (0..SIDE * SIDE * SIDE).map(voxel).collect();
    if let Some(first) = voxels.first_mut() {
        *first = (case % 30_000) as i16 - 31_000;
    }
    write_i16(path, &Volume::new(Grid::aligned([SIDE; 3], DVec3::ONE), voxels)?)
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Fault::file("create the folder", folder, &error))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Fault::file("write", path, &error))
}

impl Work for Study {
    fn shape(&self) -> String {
        match self.action {
            Action::Start => "--help".to_owned(),
            Action::Overhead => format!("a stage of {}", self.stages),
            Action::Restore => format!("{} of {} stages", 2 * (self.stages / 5) + 1, self.stages),
            Action::Noop | Action::Status | Action::Check => format!("{} stages", self.stages),
        }
    }

    fn run(&mut self) -> Result<()> {
        self.turn += 1;
        match self.action {
            Action::Noop => self.go(&["run", "pipelines/study.yaml"]),
            Action::Status => self.go(&["status", "pipelines/study.yaml"]),
            Action::Check => self.go(&["check", "pipelines/study.yaml"]),
            Action::Start => self.go(&["--help"]),
            Action::Overhead => self.overhead(),
            Action::Restore => {
                self.pipeline(KEEP[(self.turn + 1) % 2])?;
                self.go(&["run", "pipelines/study.yaml"])
            }
        }
    }

    /// The work is done by a process of its own, whose memory is not seen here.
    fn memory_is_ours(&self) -> bool {
        false
    }

    fn own_seconds(&self) -> Option<f64> {
        self.seconds
    }
}
