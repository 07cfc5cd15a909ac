//! Whether a pipeline and its lock file agree, without any data: every key is computed again from the digests in the lock
//! file, so one wrong parameter, version, seed, edge or digest is seen, and the chain from output to input is closed.

use std::collections::BTreeMap;

use super::{
    change::{Change, changes},
    digest::Digest,
    execute::{Binding, Context, Fields, NodeResult, bind},
    key::StageKey,
    lockfile::{Entry, Lock},
    origin::label_of,
    plan::{Plan, Source},
    record::Blob,
};

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq)]
pub enum Disagreement {
    /// The head of the file: `seed 1 -> 2`.
    Head(String),
    /// A node differs from its block.
    Node {
        /// Index into the plan.
        node: usize,
        /// How; never empty.
        changes: Vec<Change>,
    },
    /// A block whose node the pipeline no longer has.
    Stale(String),
    /// A node whose key cannot be told from the lock file: why.
    Open {
        /// Index into the plan.
        node: usize,
        /// Why, for people.
        why: String,
    },
}

/// Compares a plan with its lock file. No file is read; `context` lends its backend alone.
#[must_use]
pub fn check(plan: &Plan, context: &Context<'_>, lock: &Lock) -> Vec<Disagreement> {
    let mut found = head(plan, lock);
    let fields = Fields::locked(context, plan, lock);
    let results: Vec<Option<NodeResult>> =
        plan.nodes.iter().map(|node| lock.entries.get(&node.id).map(result_of)).collect();
    for (index, node) in plan.nodes.iter().enumerate() {
        let digest_of = |source: &Source| digest_in(source, plan, index, lock);
        let bound = bind(plan, index, &fields, &context.backend, &|node| results[node].as_ref());
        let key = match &bound {
            Binding::Ready(keyed) => Some(keyed.key),
            Binding::Faulty(_) | Binding::Blocked { .. } => None,
        };
        // A frozen stage keeps its result although its key has changed: that is what it is for.
        let kept = node.frozen && lock.entries.get(&node.id).is_some_and(|entry| entry.frozen);
        let changes = if kept { Vec::new() } else { changes(plan, index, lock, &digest_of, key.as_ref()) };
        if !changes.is_empty() {
            found.push(Disagreement::Node { node: index, changes });
        } else if let Binding::Faulty(fault) = bound {
            found.push(Disagreement::Open { node: index, why: fault.what });
        } else if let Binding::Blocked { by, .. } = bound {
            let why = format!("it needs {}, which the lock file does not have", plan.nodes[by].id);
            found.push(Disagreement::Open { node: index, why });
        }
    }
    let known = |id: &String| plan.nodes.iter().any(|node| node.id == *id);
    found.extend(lock.entries.keys().filter(|id| !known(id)).cloned().map(Disagreement::Stale));
    found
}

fn head(plan: &Plan, lock: &Lock) -> Vec<Disagreement> {
    let mut found = Vec::new();
    if lock.pipeline != plan.name {
        found.push(Disagreement::Head(format!("pipeline {} -> {}", lock.pipeline, plan.name)));
    }
    if lock.seed != plan.seed {
        found.push(Disagreement::Head(format!("seed {} -> {}", lock.seed, plan.seed)));
    }
    found
}

fn result_of(entry: &Entry) -> NodeResult {
    let blob = |digest: &Digest| Blob { digest: *digest, bytes: 0, folder: false };
    NodeResult {
        key: StageKey(entry.key.0),
        inputs: Vec::new(),
        outputs: entry.outputs.iter().map(|(port, digest)| (port.clone(), blob(digest))).collect(),
        incomplete: BTreeMap::new(),
        conflict: false,
        frozen: entry.frozen,
        seconds: None,
    }
}

/// Returns the digest of an input: an output's from the block of its maker, a file's from the block of its user.
fn digest_in(source: &Source, plan: &Plan, user: usize, lock: &Lock) -> Option<Digest> {
    match source {
        Source::Output { node, port } => lock.entries.get(&plan.nodes[*node].id)?.outputs.get(*port).copied(),
        Source::Field { .. } => lock.entries.get(&plan.nodes[user].id)?.digest_of(&label_of(source, plan)),
    }
}
