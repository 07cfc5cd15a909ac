//! `pipelines/<name>.lock`: what each node was made of and what came out, as text to be committed.
//!
//! One block per node, sorted by id; no time, host, path or duration, so the same study gives the same bytes anywhere.
//!
//! ```text
//! # Written by `calvaria run`. Commit it; do not edit it.
//! calvaria-lock 1
//! pipeline quick
//! seed 2019
//! override vars.depth 30
//!
//! voxelize@p01
//!   op voxelize 1
//!   key 5f0c…
//!   params {"rule":"even-odd"}
//!   in like 91aa… phantom@p01.ct
//!   in mesh 07fa… align@p01.mesh
//!   out label 77e1…
//! ```
//! It is written once per run, and only after a run in which everything that was asked for succeeded, so that it never
//! holds results that did not exist together. Nodes that were neither asked for nor needed keep their blocks; nodes that
//! the plan no longer has lose theirs.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use super::{
    canonical,
    digest::Digest,
    execute::{NodeResult, Report},
    key::StageKey,
    plan::{Node, Plan},
    record::Share,
};
use crate::fault::{Fault, Kind, Result};

const COMMENT: &str = "# Written by `calvaria run`. Commit it; do not edit it.";
const FORMAT: &str = "calvaria-lock 1";

/// A lock file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Study seed.
    pub seed: u64,
    /// Overrides of the command line, as canonical JSON.
    pub overrides: BTreeMap<String, String>,
    /// Blocks by node id.
    pub entries: BTreeMap<String, Entry>,
}

/// The block of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Op.
    pub op: String,
    /// Version of the op.
    pub version: u32,
    /// Stage key.
    pub key: StageKey,
    /// Effective parameters as canonical JSON.
    pub params: String,
    /// Inputs in the order of ports and items.
    pub inputs: Vec<LockedInput>,
    /// Outputs by port.
    pub outputs: BTreeMap<String, Digest>,
    /// Collected ports that lacked members.
    pub incomplete: BTreeMap<String, Share>,
    /// Whether the result was kept although the key has changed.
    pub frozen: bool,
}

/// An input of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedInput {
    /// Input port.
    pub port: String,
    /// Digest of the content.
    pub digest: Digest,
    /// `phantom@p01.ct` or `case p16.ct`.
    pub source: String,
}

impl Lock {
    /// Returns the lock of a plan after a run. Nodes without a result keep the block that they had.
    ///
    /// # Errors
    /// When parameters have no canonical form.
    pub fn of(plan: &Plan, report: &Report, previous: Option<&Self>) -> Result<Self> {
        let mut lock = Self { pipeline: plan.name.clone(), seed: plan.seed, ..Self::default() };
        for (name, value) in &plan.overrides {
            lock.overrides.insert(name.clone(), canonical::encode(value)?);
        }
        for (node, result) in plan.nodes.iter().zip(&report.results) {
            let before = previous.and_then(|lock| lock.entries.get(&node.id));
            let entry = match (result, before) {
                (Some(result), Some(before)) if result.frozen => Some(Entry { frozen: true, ..before.clone() }),
                (Some(result), _) => Some(Entry::of(node, result)?),
                (None, before) => before.cloned(),
            };
            if let Some(entry) = entry {
                lock.entries.insert(node.id.clone(), entry);
            }
        }
        Ok(lock)
    }

    /// Returns the text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{COMMENT}\n{FORMAT}\npipeline {}\nseed {}\n", self.pipeline, self.seed);
        for (name, value) in &self.overrides {
            line(&mut text, format_args!("override {name} {value}"));
        }
        for (id, entry) in &self.entries {
            line(&mut text, format_args!("\n{id}"));
            entry.write(&mut text);
        }
        text
    }

    /// Returns the lock of a text; `path` is for messages.
    ///
    /// # Errors
    /// Usage, with the line, when the text is no lock file.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        super::locktext::parse(text, path)
    }

    /// Reads a lock file; none when there is none.
    ///
    /// # Errors
    /// Usage, with the line, when it is no lock file.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::file("read the lock file", path, &error)),
        }
    }

    /// Writes the file whole, and only if its bytes change; returns whether they did.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<bool> {
        let text = self.to_text();
        if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(false);
        }
        super::store::replace_file(path, text.as_bytes()).map_err(|error| {
            Fault::new(Kind::Unfit, format!("cannot write the lock file: {error}")).at(path.display())
        })?;
        Ok(true)
    }

    /// Returns the first difference, in the order of the plan: the cause of the others stands first.
    #[must_use]
    pub fn first_difference(&self, new: &Self, plan: &Plan) -> Option<Difference> {
        let found = |node: &str, what: String| Some(Difference { node: node.to_owned(), what });
        if self.seed != new.seed {
            return found("", format!("seed {} -> {}", self.seed, new.seed));
        }
        let gone = self.entries.keys().filter(|id| !new.entries.contains_key(*id)).map(String::as_str);
        for id in plan.nodes.iter().map(|node| node.id.as_str()).chain(gone) {
            let what = match (self.entries.get(id), new.entries.get(id)) {
                (Some(old), Some(new)) => old.difference(new),
                (None, Some(_)) => Some("is new".to_owned()),
                (Some(_), None) => Some("is gone".to_owned()),
                (None, None) => None,
            };
            if let Some(what) = what {
                return found(id, what);
            }
        }
        (self != new).then(|| Difference { node: String::new(), what: "the overrides differ".to_owned() })
    }
}

/// Where two locks begin to differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Node id; empty for the head of the file.
    pub node: String,
    /// What differs: `params {"hu":300} -> {"hu":350}`.
    pub what: String,
}

impl Difference {
    /// Returns the fault of `--locked` (exit 1).
    #[must_use]
    pub fn fault(&self) -> Fault {
        let node = if self.node.is_empty() { String::new() } else { format!("{}: ", self.node) };
        Fault::new(Kind::Differs, format!("the lock file would change: {node}{}", self.what))
            .hint("run without --locked to accept the change, and commit the lock file")
    }
}

impl Entry {
    /// Returns the digest of the input of that name (`case p16.ct`).
    #[must_use]
    pub fn digest_of(&self, source: &str) -> Option<Digest> {
        self.inputs.iter().find(|input| input.source == source).map(|input| input.digest)
    }

    fn of(node: &Node, result: &NodeResult) -> Result<Self> {
        let input = |used: &super::execute::UsedInput| LockedInput {
            port: used.port.to_owned(),
            digest: used.digest,
            source: used.source.clone(),
        };
        Ok(Self {
            op: node.op.name().to_owned(),
            version: node.op.version(),
            key: result.key,
            params: canonical::encode(&node.params)?,
            inputs: result.inputs.iter().map(input).collect(),
            outputs: result.outputs.iter().map(|(port, blob)| (port.clone(), blob.digest)).collect(),
            incomplete: result.incomplete.clone(),
            frozen: result.frozen,
        })
    }

    fn write(&self, text: &mut String) {
        line(text, format_args!("  op {} {}", self.op, self.version));
        line(text, format_args!("  key {}", self.key));
        line(text, format_args!("  params {}", self.params));
        for input in &self.inputs {
            line(text, format_args!("  in {} {} {}", input.port, input.digest, input.source));
        }
        for (port, share) in &self.incomplete {
            line(text, format_args!("  incomplete {port} {} of {}", share.have, share.of));
        }
        for (port, digest) in &self.outputs {
            line(text, format_args!("  out {port} {digest}"));
        }
        if self.frozen {
            line(text, format_args!("  frozen"));
        }
    }

    /// Says what differs, causes before effects.
    fn difference(&self, new: &Self) -> Option<String> {
        if (&self.op, self.version) != (&new.op, new.version) {
            return Some(format!("op {} {} -> {} {}", self.op, self.version, new.op, new.version));
        }
        if self.params != new.params {
            return Some(format!("params {} -> {}", self.params, new.params));
        }
        if self.inputs != new.inputs {
            let changed = new.inputs.iter().find(|input| !self.inputs.contains(input));
            let lost = self.inputs.iter().find(|input| !new.inputs.contains(input));
            return changed
                .or(lost)
                .map(|input| format!("input {} from {}", input.port, input.source))
                .or(Some("inputs".into()));
        }
        if self.key != new.key {
            return Some("the key, by seed, backend or reading options".into());
        }
        if self.outputs != new.outputs {
            let ports = self.outputs.keys().chain(new.outputs.keys());
            let changed = ports.into_iter().find(|port| self.outputs.get(*port) != new.outputs.get(*port));
            return changed.map(|port| format!("output {port}"));
        }
        (self != new).then(|| "frozen or incomplete".into())
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}
