//! The plan: every stage expanded over cases and axes into nodes, in the order in which they should run.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::{Map, Value};

use super::stage::Op;
use crate::numeric::Seed;

/// A position in a file that a person wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// A file, folder or value of a case, as the manifest states it.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Kind of artifact: `"ct"`, `"mesh"`, `"solid"`, `"label"`.
    pub kind: String,
    /// Absolute path, or none for a value that lives in the manifest alone.
    pub path: Option<PathBuf>,
    /// How to read it; part of the key.
    pub options: Map<String, Value>,
    /// The digest that the manifest declares: blake3 in hex, possibly shortened.
    pub declared: Option<String>,
    /// Where the manifest says so.
    pub place: Place,
}

/// A case of the manifest as the engine sees it.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Chosen id: `p07`.
    pub id: String,
    /// What `foreach` can name: `split` -> `train`, and any other scalar of the case.
    pub attributes: BTreeMap<String, String>,
    /// What `case.<field>` can name.
    pub fields: BTreeMap<String, Field>,
    /// Where the manifest states the case.
    pub place: Place,
}

/// Where an input of a node comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// An output port of an earlier node.
    Output {
        /// Index into [`Plan::nodes`].
        node: usize,
        /// Output port.
        port: &'static str,
    },
    /// A field of a case.
    Field {
        /// Case id; empty for a file beside the pipeline, which belongs to none.
        case: String,
        /// Name of the field: `ct`.
        name: String,
        /// The field itself.
        field: Field,
    },
}

/// One execution of an op: a stage at one case and one point of its axes.
pub struct Node {
    /// `infer@p16,seed=2`; for people, logs and the lock, never for keys.
    pub id: String,
    /// The stage's name in the pipeline.
    pub stage: String,
    /// The built-in that it uses.
    pub op: &'static dyn Op,
    /// Case id, under `foreach`.
    pub case: Option<String>,
    /// Axis -> value as text (`seed` -> `2`), own and inherited.
    pub axes: BTreeMap<String, String>,
    /// Effective parameters, defaults filled in.
    pub params: Value,
    /// Derived from (study seed, op, case, replicate).
    pub seed: Seed,
    /// Sources by input port, each list sorted by item id.
    pub inputs: BTreeMap<&'static str, Vec<Source>>,
    /// Name under `results/<pipeline>/`.
    pub publish: Option<String>,
    /// `frozen: true`.
    pub frozen: bool,
    /// How many members a collected input may lack.
    pub allow_missing: usize,
    /// How long an execution may take; no part of the key.
    pub timeout: Option<Duration>,
    /// Where the pipeline states the stage.
    pub place: Place,
}

/// A fold of a cross-validation: case ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// Value of the axis `fold`.
    pub name: String,
    /// Cases that it learns from.
    pub train: Vec<String>,
    /// Cases that it is measured on.
    pub test: Vec<String>,
}

/// A pipeline, checked and expanded.
pub struct Plan {
    /// Name of the pipeline.
    pub name: String,
    /// Study seed.
    pub seed: u64,
    /// The pipeline file as the user named it.
    pub file: PathBuf,
    /// Overrides given on the command line, `stage.param` -> value as written; recorded in the lock.
    pub overrides: BTreeMap<String, Value>,
    /// Folds of the cross-validation, if there is one.
    pub folds: Vec<Fold>,
    /// Nodes: every source stands before what needs it, and the stages of one case stand together as far as that allows,
    /// so that the first row of a table appears early.
    pub nodes: Vec<Node>,
}
