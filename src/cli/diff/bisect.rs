//! Down to the step: two trainings that end with other weights are followed along their chains of digests.
//!
//! A chain holds a digest of the weights every so many steps, each over the one before it, so that equal links mean equal
//! weights up to there. The first link that differs is found by halving.

use serde::Serialize;
use serde_json::Value;

use super::side::Side;
use crate::{
    fault::Result,
    pipeline::{diff::LockDiff, lockfile::Entry},
};

/// Where two trainings part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Bisection {
    pub(super) item: String,
    /// The last step at which the weights are known to be equal; none when they never are.
    pub(super) equal_at: Option<u64>,
    /// The first step at which they are known to differ; none where no link does.
    pub(super) differs_at: Option<u64>,
    /// `step` where the training noted digests by step, else `epoch`; none where a history is not in its store.
    pub(super) by: Option<&'static str>,
}

impl Bisection {
    pub(super) fn sentence(&self) -> String {
        match (self.by, self.equal_at, self.differs_at) {
            (None, _, _) => "its history is not in the store of both sides".to_owned(),
            (Some(_), _, None) => "the weights are equal at every digest that both noted".to_owned(),
            (Some(_), None, Some(step)) => format!("the weights differ from the first digest on, at step {step}"),
            (Some(_), Some(equal), Some(step)) if step == equal + 1 => {
                format!("the weights differ first at step {step}")
            }
            (Some(by), Some(equal), Some(step)) => {
                let finer = if by == "epoch" {
                    "; `digest_every: 1` finds the step"
                } else {
                    "; a smaller `digest_every` says more"
                };
                format!("the weights are equal at step {equal} and differ at step {step}{finer}")
            }
        }
    }
}

/// A link: step and digest.
type Link = (u64, String);

/// Follows each training whose outputs differ.
///
/// # Errors
/// When a store cannot be read.
pub(super) fn trainings(before: &Side, after: &Side, found: &LockDiff) -> Result<Vec<Bisection>> {
    let mut bisections = Vec::new();
    for item in found.items.iter().filter(|item| !item.outputs.is_empty()) {
        let (Some(a), Some(b)) = (before.lock.entries.get(&item.item), after.lock.entries.get(&item.item)) else {
            continue;
        };
        if a.op == "train" && b.op == "train" {
            bisections.push(training(&item.item, before, a, after, b)?);
        }
    }
    Ok(bisections)
}

fn training(item: &str, before: &Side, a: &Entry, after: &Side, b: &Entry) -> Result<Bisection> {
    let unknown = Bisection { item: item.to_owned(), equal_at: None, differs_at: None, by: None };
    let (Some(a), Some(b)) = (history(before, a)?, history(after, b)?) else { return Ok(unknown) };
    let (steps_a, steps_b) = (steps(&a), steps(&b));
    let by_step = same_spacing(&steps_a, &steps_b);
    let (equal_at, differs_at) = if by_step { part(&steps_a, &steps_b) } else { part(&epochs(&a), &epochs(&b)) };
    Ok(Bisection { equal_at, differs_at, by: Some(if by_step { "step" } else { "epoch" }), ..unknown })
}

fn history(side: &Side, entry: &Entry) -> Result<Option<Value>> {
    let Some(digest) = entry.outputs.get("history") else { return Ok(None) };
    Ok(side.read(digest)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn link(step: &Value, digest: &Value) -> Option<Link> {
    Some((step.as_u64()?, digest.as_str()?.to_owned()))
}

fn steps(history: &Value) -> Vec<Link> {
    let links = history["digests"].as_array().into_iter().flatten();
    links.filter_map(|entry| link(&entry["step"], &entry["weights_chain"])).collect()
}

/// The chain of the epochs, at the steps at which they ended.
fn epochs(history: &Value) -> Vec<Link> {
    let links = history["epochs"].as_array().into_iter().flatten();
    links.filter_map(|epoch| link(&epoch["steps"], &epoch["weights_chain"])).collect()
}

/// Each link is over the one before it, so only chains with links at the same steps can be compared.
fn same_spacing(a: &[Link], b: &[Link]) -> bool {
    !a.is_empty() && !b.is_empty() && a.iter().zip(b).all(|((a, _), (b, _))| a == b)
}

/// Returns the last common step with equal digests and the first with different ones, by halving.
fn part(a: &[Link], b: &[Link]) -> (Option<u64>, Option<u64>) {
    let common: Vec<(u64, bool)> = a
        .iter()
        .filter_map(|(step, digest)| {
            let at = b.binary_search_by_key(step, |(step, _)| *step).ok()?;
            Some((*step, b.get(at).is_some_and(|(_, other)| other == digest)))
        })
        .collect();
    let equal = common.partition_point(|(_, equal)| *equal);
    let step = |at: usize| common.get(at).map(|(step, _)| *step);
    (equal.checked_sub(1).and_then(step), step(equal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(digests: &[(u64, &str)]) -> Vec<Link> {
        digests.iter().map(|(step, digest)| (*step, (*digest).to_owned())).collect()
    }

    #[test]
    fn chains_part_where_they_first_differ() {
        let a = chain(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
        assert_eq!(part(&a, &a), (Some(4), None));
        assert_eq!(part(&a, &chain(&[(1, "a"), (2, "b"), (3, "x"), (4, "y")])), (Some(2), Some(3)));
        assert_eq!(part(&a, &chain(&[(1, "x"), (2, "y")])), (None, Some(1)));
        assert_eq!(part(&a, &chain(&[(1, "a"), (2, "b")])), (Some(2), None));
        assert!(same_spacing(&a, &chain(&[(1, "x")])) && !same_spacing(&a, &chain(&[(2, "b"), (4, "d")])));
    }

    #[test]
    fn epochs_end_at_their_steps() {
        let history = serde_json::json!({"epochs": [
            {"steps": 10, "weights_chain": "a"}, {"steps": 22, "weights_chain": "b"}
        ]});
        assert_eq!(epochs(&history), chain(&[(10, "a"), (22, "b")]));
    }
}
