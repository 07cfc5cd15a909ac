//! A stage on plain files: the same code as in a pipeline, so the same bytes.
//!
//! Outputs are written into a temporary folder beside the wanted file and moved into place when all is well: a failure
//! leaves nothing half-written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Map, Value};

use super::{Context, progress};
use crate::{
    fault::{Fault, Result},
    io::{self, image::ImageOptions, mesh::MeshOptions},
    numeric::Seed,
    pipeline::stage::{Artifact, Job, Progress, Stage},
};

/// A stage about to run on plain files.
pub(super) struct Alone {
    inputs: BTreeMap<String, Vec<Artifact>>,
    case: Option<String>,
    seed: Seed,
    scratch: Option<PathBuf>,
    device: String,
}

impl Alone {
    /// Returns a stage with no inputs yet.
    pub(super) fn new() -> Self {
        Self { inputs: BTreeMap::new(), case: None, seed: Seed([0; 32]), scratch: None, device: "cpu".to_owned() }
    }

    /// Adds a file as input.
    pub(super) fn file(self, port: &str, kind: &str, path: &Path, options: Map<String, Value>) -> Result<Self> {
        if !path.exists() {
            return Err(Fault::usage("no such file or folder").at(path.display()));
        }
        let artifact = Artifact { kind: kind.to_owned(), path: Some(path.to_owned()), options, ..Artifact::default() };
        Ok(self.artifact(port, artifact))
    }

    /// Adds a file as input where one was given.
    pub(super) fn maybe(self, port: &str, kind: &str, path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) => self.file(port, kind, path, Map::new()),
            None => Ok(self),
        }
    }

    /// Adds an artifact as input; several calls make a list.
    pub(super) fn artifact(mut self, port: &str, artifact: Artifact) -> Self {
        self.inputs.entry(port.to_owned()).or_default().push(artifact);
        self
    }

    /// Sets the case and the seed of a stage that draws random numbers.
    pub(super) fn random(mut self, op: &str, case: &str, study_seed: u64, replicate: u64) -> Self {
        self.seed = Seed::derive(study_seed, op, case, replicate);
        self.case = Some(case.to_owned());
        self
    }

    /// Sets a folder that survives a killed run, so that the next one goes on.
    pub(super) fn resumable(mut self, scratch: PathBuf) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// Sets where heavy arithmetic runs.
    pub(super) fn on(mut self, device: &str) -> Self {
        device.clone_into(&mut self.device);
        self
    }

    /// Runs the stage; outputs stand in a temporary folder beside `beside`.
    pub(super) fn run<S: Stage>(self, params: &S::Params, beside: &Path, context: &Context) -> Result<Outputs> {
        crate::pipeline::stage::Params::check(params)
            .map_err(|(name, why)| Fault::usage(format!("parameter `{name}`: {why}")))?;
        let folder = temporary_beside(beside)?;
        let outputs: BTreeMap<String, PathBuf> = S::OUTPUTS
            .iter()
            .map(|port| (port.name.to_owned(), folder.path().join(port.file.trim_end_matches('/'))))
            .collect();
        let scratch = self.scratch.unwrap_or_else(|| folder.path().join("scratch"));
        std::fs::create_dir_all(&scratch).map_err(|error| Fault::file("create the folder", &scratch, &error))?;
        let watch = Watch { line: progress::Single::new(S::NAME, &context.global), cancelled: &context.cancelled };
        let job = Job {
            inputs: self.inputs,
            outputs,
            case: self.case,
            seed: self.seed,
            scratch,
            device: self.device,
            progress: &watch,
        };
        let done = S::run(params, &job);
        watch.line.close();
        done?;
        Ok(Outputs { paths: job.outputs, folder })
    }
}

/// What a stage wrote, before it is moved to where the user wants it.
pub(super) struct Outputs {
    paths: BTreeMap<String, PathBuf>,
    #[expect(dead_code, reason = "keeps the temporary folder alive until the outputs are moved")]
    folder: tempfile::TempDir,
}

impl Outputs {
    /// Returns where an output stands for now; stages write every output that is not optional.
    pub(super) fn path(&self, port: &str) -> Result<&Path> {
        self.paths.get(port).map(PathBuf::as_path).ok_or_else(|| Fault::unfit(format!("no output `{port}`")))
    }

    /// Moves an image output to its wanted name, converting to the format that the name tells.
    pub(super) fn image(&self, port: &str, wanted: &Path) -> Result<()> {
        let produced = self.path(port)?;
        deliver(produced, wanted, |part| {
            let image = io::image::read(produced, &ImageOptions::default())?;
            io::image::write_any(part, &image)
        })
    }

    /// Moves a mesh output to its wanted name, converting to the format that the name tells.
    pub(super) fn mesh(&self, port: &str, wanted: &Path) -> Result<()> {
        let produced = self.path(port)?;
        deliver(produced, wanted, |part| {
            let read = io::mesh::read(produced, &MeshOptions::default())?;
            io::mesh::write(part, &read.mesh)
        })
    }

    /// Moves an output to its wanted name as it is; a folder that stands there is replaced by nothing but itself.
    pub(super) fn as_is(&self, port: &str, wanted: &Path) -> Result<()> {
        let produced = self.path(port)?;
        std::fs::rename(produced, wanted).map_err(|error| Fault::file("write", wanted, &error))
    }
}

/// Writes a file in whole or not at all: through a sibling with the same extensions, renamed when complete.
pub(super) fn whole(wanted: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = temporary_beside(wanted)?;
    let name = wanted.file_name().ok_or_else(|| Fault::usage("the output needs a file name").at(wanted.display()))?;
    let part = folder.path().join(name);
    write(&part)?;
    std::fs::rename(&part, wanted).map_err(|error| Fault::file("write", wanted, &error))
}

fn deliver(produced: &Path, wanted: &Path, convert: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if produced.extension() == wanted.extension() {
        return std::fs::rename(produced, wanted).map_err(|error| Fault::file("write", wanted, &error));
    }
    whole(wanted, convert)
}

fn temporary_beside(wanted: &Path) -> Result<tempfile::TempDir> {
    let parent = wanted.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(Fault::usage("the folder of the output does not exist").at(parent.display()));
    }
    tempfile::Builder::new()
        .prefix(".calvaria-")
        .tempdir_in(parent)
        .map_err(|error| Fault::file("write in the folder", parent, &error))
}

struct Watch<'a> {
    line: progress::Single,
    cancelled: &'a AtomicUsize,
}

impl Progress for Watch<'_> {
    fn step(&self, done: u64, total: u64, note: &str) {
        self.line.advance(done, total, note);
    }
    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) != 0
    }
}
