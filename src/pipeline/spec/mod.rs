//! The pipeline file as written: every word with its place, nothing resolved. Turning it into nodes is `expand`'s work.

pub mod folds;
mod overrides;
mod parse;
pub mod reference;
pub mod tree;
pub mod typed;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value as Json;

use self::{
    folds::FoldSpec,
    reference::{Binding, Group, Reference},
    tree::{Entry, Node},
};
use super::{
    diagnose::{Mark, Source},
    plan::Place,
};
use crate::fault::{Fault, Result};

/// Version of the file format that this program reads.
pub const VERSION: u64 = 1;
/// The axis whose value is the replicate number.
pub const SEED_AXIS: &str = "seed";
/// The axis whose value is the fold of a cross-validation.
pub const FOLD_AXIS: &str = "fold";

/// A pipeline as written, with the overrides of the command line.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The file.
    pub source: Arc<Source>,
    /// `name:`, the folder under `results/` and the stem of the lock.
    pub name: String,
    /// `seed:`, the study seed.
    pub seed: u64,
    /// The manifest: `manifest:` relative to the pipeline's folder, or the override as given.
    pub manifest: PathBuf,
    /// Where the file names the manifest; none when the command line does.
    pub manifest_mark: Option<Mark>,
    /// `vars:`.
    pub vars: BTreeMap<String, Var>,
    /// `folds:`, how cross-validation parts the cases.
    pub folds: Option<FoldSpec>,
    /// `stages:`, in the order of the file.
    pub stages: Vec<StageSpec>,
    /// Overrides, `vars.x` or `stage.param` -> value; shown by `plan` and recorded in the lock.
    pub overrides: BTreeMap<String, Json>,
}

/// A named value under `vars:`.
#[derive(Clone, Debug)]
pub struct Var {
    /// The scalar.
    pub value: Json,
    /// Where it stands in the file.
    pub mark: Mark,
    /// Whether the command line replaced it.
    pub overridden: bool,
}

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub mark: Mark,
}

/// A stage as written.
#[derive(Clone, Debug)]
pub struct StageSpec {
    /// Its name, and where that stands.
    pub name: Word,
    /// `uses:`, the op.
    pub uses: Word,
    /// `foreach:`, the cases that it runs over.
    pub foreach: Option<(Group, Mark)>,
    /// `matrix:`, its own axes.
    pub matrix: Vec<Axis>,
    /// `zip:`, its own axes that go together: all of one length.
    pub zip: Vec<Axis>,
    /// `with:`, its edges.
    pub with: Vec<Edge>,
    /// `params:`, a mapping, if there is one.
    pub params: Option<Node>,
    /// Parameters from the command line: path and value.
    pub set: Vec<(Vec<String>, Json)>,
    /// `publish:`.
    pub publish: Option<Word>,
    /// `frozen:`.
    pub frozen: bool,
    /// `allow_missing:`.
    pub allow_missing: usize,
    /// `resources:`, never in a key.
    pub resources: Resources,
}

/// What a stage needs of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resources {
    /// Memory, in GB.
    pub memory_gb: Option<f64>,
    /// Number of GPUs.
    pub gpu: u64,
    /// How long an execution may take, in seconds.
    pub timeout_s: Option<f64>,
}

/// A named axis under `matrix:`.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name.
    pub name: Word,
    /// Its values.
    pub values: Vec<AxisValue>,
}

/// One value of an axis.
#[derive(Clone, Debug)]
pub struct AxisValue {
    /// How ids write it.
    pub text: String,
    /// What `$axis` is under `params`.
    pub value: Json,
    /// What `$axis` is under `with`, for an axis of name -> reference.
    pub reference: Option<Reference>,
    /// Where it stands.
    pub mark: Mark,
}

/// An entry of `with:`.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The port.
    pub port: Word,
    /// What it is bound to.
    pub binding: Binding,
    /// Where the reference stands.
    pub mark: Mark,
}

/// Reads a pipeline file.
///
/// `overrides` are `--set` pairs, `manifest_override` is `--manifest FILE`, relative to the current folder.
///
/// # Errors
/// When the file is not a pipeline of this version, an override names nothing, or there is no such manifest.
pub fn load(file: &Path, overrides: &[(String, String)], manifest_override: Option<&Path>) -> Result<Spec> {
    let spec = Spec::parse(Source::read(file, "pipeline")?, overrides, manifest_override)?;
    if spec.manifest.is_file() {
        return Ok(spec);
    }
    let what = format!("there is no manifest `{}`", spec.manifest.display());
    Err(match spec.manifest_mark {
        Some(mark) => spec
            .source
            .fault(mark, what)
            .hint("the path is relative to the pipeline file; `calvaria manifest scan DIR` writes a manifest"),
        None => Fault::usage(what).at("--manifest").hint("the path is relative to the current folder"),
    })
}

impl Spec {
    /// Parses a pipeline; touches no file.
    ///
    /// # Errors
    /// As [`load`], but for the manifest.
    pub fn parse(source: Source, overrides: &[(String, String)], manifest_override: Option<&Path>) -> Result<Self> {
        let source = Arc::new(source);
        let mut spec = parse::parse(&source, manifest_override)?;
        overrides::apply(&mut spec, overrides)?;
        Ok(spec)
    }

    /// Returns the stage of a name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.name.text == name)
    }

    /// Returns where a parameter of a stage (`accept.median_mm`) is written, or the nearest thing that encloses it; none
    /// where the command line sets it or the stage is unknown.
    #[must_use]
    pub fn param_place(&self, stage: &str, path: &str) -> Option<Place> {
        let stage = self.stage(stage)?;
        let path: Vec<&str> = path.split('.').collect();
        if stage.set_by_command_line(&path).is_some() {
            return None;
        }
        Some(self.source.place(stage.param_mark(&path)))
    }

    /// Returns where a person edits a parameter: as [`Self::param_place`], or where the variable is written that stands
    /// for it.
    #[must_use]
    pub fn edit_place(&self, stage: &str, path: &str) -> Option<Place> {
        let place = self.param_place(stage, path)?;
        let path: Vec<&str> = path.split('.').collect();
        let variable = self.stage(stage).and_then(|stage| self.variable_mark(stage, &path));
        Some(variable.map_or(place, |mark| self.source.place(mark)))
    }

    /// Returns where the variable is written that stands for a parameter, or for something around it.
    fn variable_mark(&self, stage: &StageSpec, path: &[&str]) -> Option<Mark> {
        let mut node = stage.params.as_ref()?;
        for name in path {
            let Some(entry) = node.get(name) else { break };
            node = &entry.value;
        }
        let tree::Value::Text(text) = &node.value else { return None };
        self.vars.get(text.strip_prefix('$')?).filter(|var| !var.overridden).map(|var| var.mark)
    }
}

impl StageSpec {
    /// Returns the axes that the stage itself declares.
    pub fn own_axes(&self) -> impl Iterator<Item = &Axis> {
        self.matrix.iter().chain(&self.zip)
    }

    /// Returns the mark of the deepest written key along a path of parameter names, or of the stage's name.
    #[must_use]
    pub fn param_mark(&self, path: &[&str]) -> Mark {
        let mut mark = self.name.mark;
        let mut node = self.params.as_ref();
        for name in path {
            let Some(entry): Option<&Entry> = node.and_then(|node| node.get(name)) else { break };
            mark = entry.mark;
            node = Some(&entry.value);
        }
        mark
    }

    /// Returns the override that sets this parameter, something inside it, or something around it.
    #[must_use]
    pub fn set_by_command_line(&self, path: &[&str]) -> Option<&(Vec<String>, Json)> {
        self.set.iter().find(|(set, _)| set.iter().zip(path).all(|(a, b)| a == b))
    }
}
