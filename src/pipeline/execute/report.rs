//! What a run did, node by node, in numbers, and as an exit code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    fault::{Fault, Kind},
    pipeline::{
        digest::Digest,
        key::StageKey,
        record::{Outputs, Share},
        store::interrupted,
    },
};

/// How a node ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its result was in the store.
    Cached,
    /// It was executed.
    Ran {
        /// Duration of the stage alone.
        seconds: f64,
    },
    /// It, or its input, was at fault.
    Failed(Fault),
    /// It was not begun.
    Skipped {
        /// Why, for people: `phantom@p03 failed`.
        why: String,
    },
    /// It was not asked for.
    NotSelected,
}

impl Outcome {
    /// Adds to a document what may be stored of an outcome: never a place, a snippet or a hint.
    pub(in crate::pipeline) fn describe(&self, document: &mut Value) {
        match self {
            Self::Cached => document["outcome"] = "cached".into(),
            Self::Ran { seconds } => {
                document["outcome"] = "ran".into();
                document["seconds"] = (*seconds).into();
            }
            Self::Failed(fault) => {
                document["outcome"] = "failed".into();
                document["what"] = fault.what.clone().into();
                document["exit"] = fault.kind.exit_code().into();
            }
            Self::Skipped { why } => {
                document["outcome"] = "skipped".into();
                document["what"] = why.clone().into();
            }
            Self::NotSelected => document["outcome"] = "not_selected".into(),
        }
    }
}

/// One input as the lock file states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedInput {
    /// Input port.
    pub port: &'static str,
    /// Digest of the content.
    pub digest: Digest,
    /// `phantom@p01.ct` or `case p16.ct`.
    pub source: String,
}

/// The result of a node: what it is called and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeResult {
    /// Key.
    pub key: StageKey,
    /// Inputs in the order of ports and items.
    pub inputs: Vec<UsedInput>,
    /// Outputs by port.
    pub outputs: Outputs,
    /// Collected ports that lacked members.
    pub incomplete: BTreeMap<String, Share>,
    /// Whether executions of the key gave different bytes.
    pub conflict: bool,
    /// Whether it was taken from the lock file because the stage is frozen.
    pub frozen: bool,
    /// How long its execution took, if that is known.
    pub seconds: Option<f64>,
}

/// What a run did, node by node in the order of the plan.
#[derive(Debug)]
pub struct Report {
    /// How each node ended.
    pub outcomes: Vec<Outcome>,
    /// The result of each node that has one.
    pub results: Vec<Option<NodeResult>>,
    /// Node ids by index, for messages.
    pub ids: Vec<String>,
    /// The signal that stopped the run, or zero.
    pub signal: usize,
    /// Wall time.
    pub seconds: f64,
}

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Nodes executed.
    pub ran: usize,
    /// Nodes taken from the store.
    pub cached: usize,
    /// Nodes that failed.
    pub failed: usize,
    /// Nodes that were not begun.
    pub skipped: usize,
    /// Nodes that were not asked for.
    pub not_selected: usize,
    /// Nodes whose executions disagree.
    pub conflicts: usize,
    /// Wall time.
    pub seconds: f64,
}

impl Report {
    /// Returns the counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { seconds: self.seconds, ..Summary::default() };
        for outcome in &self.outcomes {
            *match outcome {
                Outcome::Cached => &mut summary.cached,
                Outcome::Ran { .. } => &mut summary.ran,
                Outcome::Failed(_) => &mut summary.failed,
                Outcome::Skipped { .. } => &mut summary.skipped,
                Outcome::NotSelected => &mut summary.not_selected,
            } += 1;
        }
        summary.conflicts = self.results.iter().flatten().filter(|result| result.conflict).count();
        summary
    }

    /// Returns the failed nodes and their faults.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Fault)> {
        self.outcomes.iter().zip(&self.ids).filter_map(|(outcome, id)| match outcome {
            Outcome::Failed(fault) => Some((id.as_str(), fault)),
            _ => None,
        })
    }

    /// Returns whether every node that was asked for has its result.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.signal == 0
            && !self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Skipped { .. }))
    }

    /// Returns the fault that decides the exit code of the run, if it has one.
    ///
    /// A signal comes first; failures of one class keep it, of several are unfit (3); a forced execution that
    /// disagrees with the stored result is a mismatch (4).
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        if self.signal != 0 {
            return Some(interrupted(self.signal));
        }
        let mut kinds: Vec<Kind> = self.failures().map(|(_, fault)| fault.kind).collect();
        kinds.dedup();
        let failed: Vec<&str> = self.failures().map(|(id, _)| id).collect();
        match kinds.as_slice() {
            [] => self.disagreement(),
            [kind] => Some(Fault::new(*kind, format!("{} failed", failed.join(", ")))),
            _ => Some(Fault::unfit(format!("{} failed", failed.join(", ")))),
        }
    }

    fn disagreement(&self) -> Option<Fault> {
        let ran = |i: usize| matches!(self.outcomes[i], Outcome::Ran { .. });
        let at = (0..self.results.len())
            .find(|&i| ran(i) && self.results[i].as_ref().is_some_and(|result| result.conflict))?;
        let what = format!("{} gave other bytes than when it was first executed", self.ids[at]);
        Some(Fault::new(Kind::Mismatch, what).hint("the first result is kept; the stage is not deterministic"))
    }
}
