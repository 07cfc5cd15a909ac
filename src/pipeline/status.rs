//! What a run would do, without doing it: the same keys and the same look-ups, no lock, nothing written.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    execute::{Binding, Context, Fields, NodeResult, bind},
    key::StageKey,
    plan::Plan,
    record::Blob,
};
use crate::fault::Fault;

/// What would become of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Its result is stored.
    Cached,
    /// It would be executed.
    Run,
    /// It needs one that would be executed; whether it would be too depends on what comes out.
    Maybe,
    /// An input is at fault.
    Unready(Fault),
    /// It was not asked for.
    NotSelected,
}

impl State {
    /// The words for what can become of a node that was asked for.
    pub const NAMES: [&'static str; 4] = ["cached", "run", "maybe", "unready"];

    /// Returns its word, `-` for a node that was not asked for.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cached => Self::NAMES[0],
            Self::Run => Self::NAMES[1],
            Self::Maybe => Self::NAMES[2],
            Self::Unready(_) => Self::NAMES[3],
            Self::NotSelected => "-",
        }
    }
}

/// A node and what would become of it.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// What would become of it.
    pub state: State,
    /// Its key, if the content of all its inputs is known.
    pub key: Option<StageKey>,
    /// Its stored result.
    pub result: Option<NodeResult>,
    /// How long its execution took, or may take.
    pub expected_seconds: Option<f64>,
}

/// The status of each node, in the order of the plan.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Nodes.
    pub nodes: Vec<NodeStatus>,
}

/// A survey in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Totals {
    /// Stored.
    pub cached: usize,
    /// Would be executed.
    pub run: usize,
    /// Might be executed.
    pub maybe: usize,
    /// Cannot be executed.
    pub unready: usize,
    /// Seconds of those that would or might be executed, one after the other, as far as they are known.
    pub expected_seconds: f64,
    /// How many of those have never been executed, so that nothing is known.
    pub unknown: usize,
}

/// Looks at every node of `only`, or at all.
#[must_use]
pub fn survey(plan: &Plan, context: &Context<'_>, only: Option<&BTreeSet<usize>>) -> Survey {
    let fields = Fields::new(context);
    let mut nodes: Vec<NodeStatus> = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        let (state, key, result) = {
            let result_of = |earlier: usize| nodes[earlier].result.as_ref();
            match bind(plan, index, &fields, &context.backend, &result_of) {
                Binding::Faulty(fault) => (State::Unready(fault), None, None),
                Binding::Blocked { .. } => (State::Maybe, None, None),
                Binding::Ready(keyed) => match keyed.stored(plan, index, context) {
                    Some(result) => (State::Cached, Some(keyed.key), Some(result)),
                    None => (State::Run, Some(keyed.key), None),
                },
            }
        };
        let state = if only.is_some_and(|only| !only.contains(&index)) { State::NotSelected } else { state };
        let known = result.as_ref().and_then(|result| result.seconds);
        let expected_seconds = known.or_else(|| context.store.expected_seconds(&node.id, node.op.name()));
        nodes.push(NodeStatus { state, key, result, expected_seconds });
    }
    Survey { nodes }
}

impl Survey {
    /// Returns the counts.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for node in &self.nodes {
            match node.state {
                State::Cached => totals.cached += 1,
                State::Run => totals.run += 1,
                State::Maybe => totals.maybe += 1,
                State::Unready(_) => totals.unready += 1,
                State::NotSelected => {}
            }
            if matches!(node.state, State::Run | State::Maybe) {
                match node.expected_seconds {
                    Some(seconds) => totals.expected_seconds += seconds,
                    None => totals.unknown += 1,
                }
            }
        }
        totals
    }

    /// Returns whether a run would execute nothing.
    #[must_use]
    pub fn up_to_date(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node.state, State::Cached | State::NotSelected))
    }
}

/// A stored output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where it is in the store: a read-only file or folder whose name is its digest.
    pub path: PathBuf,
    /// The name that its op gives it, whose extension tells the format.
    pub file: &'static str,
    /// Kind of artifact.
    pub kind: &'static str,
    /// Digest and size.
    pub blob: Blob,
}

/// Returns where an output of a node is, if it is stored and up to date. The bytes are not read.
#[must_use]
pub fn locate(plan: &Plan, context: &Context<'_>, node: &str, port: &str) -> Option<Located> {
    let index = plan.nodes.iter().position(|candidate| candidate.id == node)?;
    let output = plan.nodes[index].op.outputs().iter().find(|output| output.name == port)?;
    let survey = survey(plan, context, None);
    let blob = *survey.nodes[index].result.as_ref()?.outputs.get(port)?;
    let path = context.store.blob_path(&blob.digest);
    Some(Located { path, file: output.file, kind: output.kind, blob })
}
