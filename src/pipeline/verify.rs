//! Whether the bytes are those of the lock file: inputs, stored outputs, published results. Every byte is read.

use std::{collections::BTreeMap, path::Path};

use super::{
    digest::Digest,
    execute::{Context, Fields, NodeResult, Outcome, Report},
    lockfile::Lock,
    origin::label_of,
    plan::{Plan, Source},
    publish,
    record::Blob,
    store::{Store, Verdict},
};
use crate::fault::Result;

/// Something that is not as the lock file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An input of the manifest holds other bytes, or cannot be read: why.
    Input {
        /// `case p16.ct`.
        source: String,
        /// What is wrong.
        why: String,
    },
    /// The stored bytes of an output were others; they are in the trash now, and a run makes them again.
    Damaged {
        /// `infer@p16.label`.
        output: String,
    },
    /// An output is not in the store.
    Absent {
        /// `infer@p16.label`.
        output: String,
    },
    /// A published file is not there, or holds other bytes.
    Published {
        /// Name under `results/<pipeline>/`.
        name: String,
        /// Whether it is there at all.
        there: bool,
    },
}

impl Finding {
    /// Returns whether bytes differ, rather than lack.
    #[must_use]
    pub const fn differs(&self) -> bool {
        !matches!(self, Self::Absent { .. } | Self::Published { there: false, .. })
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Inputs of the manifest.
    pub inputs: usize,
    /// Stored outputs.
    pub outputs: usize,
    /// Published files.
    pub published: usize,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Reads everything that the lock file names and that is there. `context.cache` must remember nothing.
///
/// # Errors
/// When the store cannot be read, or its trash not written.
pub fn verify(plan: &Plan, context: &Context<'_>, lock: &Lock, results: &Path) -> Result<Verified> {
    let mut done = Verified::default();
    inputs(plan, context, lock, &mut done);
    outputs(context.store, lock, &mut done)?;
    published(plan, context, lock, results, &mut done)?;
    Ok(done)
}

fn inputs(plan: &Plan, context: &Context<'_>, lock: &Lock, done: &mut Verified) {
    let fields = Fields::new(context);
    let mut seen = BTreeMap::new();
    for node in &plan.nodes {
        let Some(entry) = lock.entries.get(&node.id) else { continue };
        for source in node.inputs.values().flatten() {
            let Source::Field { case, name, field } = source else { continue };
            let label = label_of(source, plan);
            let Some(locked) = entry.digest_of(&label) else { continue };
            if seen.insert((case, name), ()).is_some() {
                continue;
            }
            done.inputs += 1;
            let why = match fields.digest(case, name, field) {
                Ok(found) if found == locked => continue,
                Ok(found) => format!("{}, not {}", found.short(), locked.short()),
                Err(fault) => fault.what,
            };
            done.findings.push(Finding::Input { source: label, why });
        }
    }
}

fn outputs(store: &Store, lock: &Lock, done: &mut Verified) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (id, entry) in &lock.entries {
        for (port, digest) in &entry.outputs {
            done.outputs += 1;
            let output = format!("{id}.{port}");
            // Two outputs of the same bytes are one blob, which is damaged once and then gone.
            let verdict = match seen.get(digest) {
                Some(verdict) => *verdict,
                None => store.verify(digest)?,
            };
            seen.insert(*digest, verdict);
            match verdict {
                Verdict::Good => {}
                Verdict::Absent => done.findings.push(Finding::Absent { output }),
                Verdict::Corrupt => done.findings.push(Finding::Damaged { output }),
            }
        }
    }
    Ok(())
}

fn published(plan: &Plan, context: &Context<'_>, lock: &Lock, results: &Path, done: &mut Verified) -> Result<()> {
    let result = |id: &String| locked_result(id, lock, context.store);
    let report = Report {
        outcomes: vec![Outcome::Cached; plan.nodes.len()],
        results: plan.nodes.iter().map(|node| result(&node.id)).collect(),
        ids: Vec::new(),
        signal: 0,
        seconds: 0.0,
    };
    for item in publish::items(plan, context, &report)? {
        done.published += 1;
        let there = results.join(&item.name).is_file();
        if publish::is_due(&item, results, context)? {
            done.findings.push(Finding::Published { name: item.name, there });
        }
    }
    Ok(())
}

/// Returns the result that the lock file gives a node, as far as the store has it.
fn locked_result(id: &str, lock: &Lock, store: &Store) -> Option<NodeResult> {
    let entry = lock.entries.get(id)?;
    let blob = |digest: &Digest| {
        let meta = std::fs::metadata(store.blob_path(digest)).ok()?;
        Some(Blob { digest: *digest, bytes: meta.len(), folder: meta.is_dir() })
    };
    let outputs = entry.outputs.iter().filter_map(|(port, digest)| Some((port.clone(), blob(digest)?))).collect();
    Some(NodeResult {
        key: entry.key,
        inputs: Vec::new(),
        outputs,
        incomplete: BTreeMap::new(),
        conflict: false,
        frozen: entry.frozen,
        seconds: None,
    })
}
