//! Whether stages give their bytes again: they are executed in a second store, on the inputs that they had, and compared.
//!
//! The second store knows the records of the first, so each stage is judged on its own: one that gives other bytes does not
//! spread to those after it, which get the stored ones. Nothing in the first store changes.

mod second;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

pub use second::second_store;

use super::{
    execute::{Context, Options, Report, execute},
    key::StageKey,
    plan::Plan,
    record::Blob,
    status::{State, survey},
    store::{Store, measure},
};
use crate::fault::{Fault, Kind, Result};

/// A node whose stored result can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Index into the plan.
    pub node: usize,
    /// Its key.
    pub key: StageKey,
    /// Its stored outputs by port.
    pub outputs: BTreeMap<String, Blob>,
}

/// Returns the nodes of `chosen`, or of the whole plan, with their stored results; frozen stages are left out.
///
/// # Errors
/// Missing (5) when one of them has no stored result.
pub fn subjects(plan: &Plan, context: &Context<'_>, chosen: Option<&BTreeSet<usize>>) -> Result<Vec<Subject>> {
    let found = survey(plan, context, None);
    let mut subjects = Vec::new();
    for (index, (node, status)) in plan.nodes.iter().zip(&found.nodes).enumerate() {
        if node.frozen || chosen.is_some_and(|chosen| !chosen.contains(&index)) {
            continue;
        }
        match (&status.state, &status.result) {
            (State::Unready(fault), _) => return Err(fault.clone().within(&node.id)),
            (_, Some(result)) => {
                let outputs = result.outputs.iter().map(|(port, blob)| (port.clone(), *blob)).collect();
                subjects.push(Subject { node: index, key: result.key, outputs });
            }
            (_, None) => {
                return Err(Fault::new(Kind::Missing, format!("{} has no stored result to compare with", node.id))
                    .hint("`calvaria run` makes it"));
            }
        }
    }
    Ok(subjects)
}

/// Executes nodes in a second store, whether their results are there or not.
///
/// # Errors
/// As [`execute`]; what happens to single nodes is in the report.
pub fn again(plan: &Plan, context: &Context<'_>, nodes: &BTreeSet<usize>, options: Options) -> Result<Report> {
    let options = Options { only: Some(nodes.clone()), force: nodes.clone(), ..options };
    execute(plan, context, &options, &())
}

/// What became of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Index into the plan.
    pub node: usize,
    /// Output port.
    pub port: String,
    /// How it came out.
    pub finding: Finding,
}

/// How an output came out of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The same bytes.
    Equal,
    /// Other bytes.
    Differs {
        /// The first file that differs, below the output; empty for an output that is one file.
        file: String,
        /// That file in the first store; none where only the second has it.
        stored: Option<PathBuf>,
        /// That file in the second store; none where only the first has it.
        made: Option<PathBuf>,
    },
    /// The stage failed, or wrote no such output.
    Absent,
}

/// Compares what the last execution in the second store gave with what is stored.
///
/// `seen` is how many records each key had before.
///
/// # Errors
/// When an output cannot be read.
pub fn verdicts(
    subjects: &[Subject],
    store: &Store,
    second: &Store,
    seen: &BTreeMap<StageKey, u32>,
) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for subject in subjects {
        let records = second.records(&subject.key);
        let before = seen.get(&subject.key).copied().unwrap_or(0);
        let made = records.last_key_value().filter(|(n, _)| **n > before).map(|(_, record)| &record.outputs);
        let ports: BTreeSet<&String> =
            subject.outputs.keys().chain(made.into_iter().flat_map(|made| made.keys())).collect();
        for port in ports {
            let finding = match (subject.outputs.get(port), made.and_then(|made| made.get(port))) {
                (Some(stored), Some(made)) if stored.digest == made.digest => Finding::Equal,
                (Some(stored), Some(made)) => {
                    differing(&store.blob_path(&stored.digest), &second.blob_path(&made.digest))?
                }
                (None, Some(made)) => {
                    Finding::Differs { file: String::new(), stored: None, made: Some(second.blob_path(&made.digest)) }
                }
                (_, None) => Finding::Absent,
            };
            verdicts.push(Verdict { node: subject.node, port: port.clone(), finding });
        }
    }
    Ok(verdicts)
}

/// Returns the first file, by name, in which two outputs differ.
fn differing(stored: &std::path::Path, made: &std::path::Path) -> Result<Finding> {
    let (before, after) = (measure(stored)?.files, measure(made)?.files);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let file = names.into_iter().find(|name| before.get(*name) != after.get(*name)).cloned().unwrap_or_default();
    let place = |root: &std::path::Path| if file.is_empty() { root.to_path_buf() } else { root.join(&file) };
    Ok(Finding::Differs {
        stored: before.contains_key(&file).then(|| place(stored)),
        made: after.contains_key(&file).then(|| place(made)),
        file,
    })
}

/// Returns the highest number of the records of each subject.
#[must_use]
pub fn records_of(subjects: &[Subject], second: &Store) -> BTreeMap<StageKey, u32> {
    let last = |key: &StageKey| second.records(key).last_key_value().map_or(0, |(n, _)| *n);
    subjects.iter().map(|subject| (subject.key, last(&subject.key))).collect()
}
