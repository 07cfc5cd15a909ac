//! What a node was made of when the lock file was written, against what it would be made of now.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    canonical,
    digest::Digest,
    key::StageKey,
    lockfile::{Entry, Lock, LockedInput},
    origin::label_of,
    plan::{Plan, Source},
};

/// One difference between a node as it was locked and as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Change {
    /// The lock file has no block of it.
    New,
    /// Another op, or another version of it: `voxelize 1`.
    Op {
        /// As locked.
        before: String,
        /// As it is.
        now: String,
    },
    /// A parameter; none where it was not there.
    Param {
        /// `accept.median_mm`.
        name: String,
        /// As locked.
        before: Option<Value>,
        /// As it is.
        now: Option<Value>,
    },
    /// The study's seed, for an op that draws random numbers.
    Seed {
        /// As locked.
        before: u64,
        /// As it is.
        now: u64,
    },
    /// The content of an input; none where the input was not there, or where its content is not known before another
    /// node has run.
    Input {
        /// Input port.
        port: String,
        /// `phantom@p01.ct` or `case p16.ct`.
        source: String,
        /// As locked.
        before: Option<Digest>,
        /// As it is.
        now: Option<Digest>,
        /// The node that makes it, by index into the plan.
        #[serde(skip)]
        from: Option<usize>,
    },
    /// Nothing that the lock file shows: how the manifest says to read an input, or the backend.
    Hidden,
    /// Nothing at all: its result is no longer in the store.
    Lost,
}

impl Change {
    /// Returns whether the difference came from another node and not from here.
    #[must_use]
    pub fn inherited(&self) -> Option<usize> {
        match self {
            Self::Input { from, .. } => *from,
            _ => None,
        }
    }
}

/// Returns the differences of a node, causes before effects. `digest_of` gives the content of its inputs as far as it is
/// known, `key` the node's key if it is known.
#[must_use]
pub fn changes<'p>(
    plan: &'p Plan,
    index: usize,
    lock: &Lock,
    digest_of: &dyn Fn(&'p Source) -> Option<Digest>,
    key: Option<&StageKey>,
) -> Vec<Change> {
    let node = &plan.nodes[index];
    let Some(entry) = lock.entries.get(&node.id) else { return vec![Change::New] };
    let mut found = Vec::new();
    if (entry.op.as_str(), entry.version) != (node.op.name(), node.op.version()) {
        let now = format!("{} {}", node.op.name(), node.op.version());
        found.push(Change::Op { before: format!("{} {}", entry.op, entry.version), now });
    }
    param_changes(entry, &node.params, &mut found);
    if node.op.random() && lock.seed != plan.seed {
        found.push(Change::Seed { before: lock.seed, now: plan.seed });
    }
    input_changes(plan, index, entry, digest_of, &mut found);
    if found.is_empty() && key.is_some_and(|key| *key != entry.key) {
        found.push(Change::Hidden);
    }
    found
}

fn param_changes(entry: &Entry, now: &Value, found: &mut Vec<Change>) {
    if canonical::encode(now).is_ok_and(|text| text == entry.params) {
        return;
    }
    let before = serde_json::from_str(&entry.params).unwrap_or(Value::Null);
    compare("", Some(&before), Some(now), found);
}

/// Walks two values, and tells the leaves that differ.
fn compare(name: &str, before: Option<&Value>, now: Option<&Value>, found: &mut Vec<Change>) {
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (before, now) {
        return compare_maps(name, a, b, found);
    }
    let text = |value: Option<&Value>| value.and_then(|value| canonical::encode(value).ok());
    if text(before) != text(now) {
        found.push(Change::Param { name: name.to_owned(), before: before.cloned(), now: now.cloned() });
    }
}

fn compare_maps(name: &str, before: &Map<String, Value>, now: &Map<String, Value>, found: &mut Vec<Change>) {
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    for key in now.keys().chain(gone) {
        let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        compare(&inner, before.get(key), now.get(key), found);
    }
}

fn input_changes<'p>(
    plan: &'p Plan,
    index: usize,
    entry: &Entry,
    digest_of: &dyn Fn(&'p Source) -> Option<Digest>,
    found: &mut Vec<Change>,
) {
    let mut left: Vec<&LockedInput> = entry.inputs.iter().collect();
    for (port, sources) in &plan.nodes[index].inputs {
        for source in sources {
            let label = label_of(source, plan);
            let at = left.iter().position(|locked| locked.port == *port && locked.source == label);
            let before = at.map(|at| left.remove(at).digest);
            let now = digest_of(source);
            let from = match source {
                Source::Output { node, .. } => Some(*node),
                Source::Field { .. } => None,
            };
            // An optional output that was not written then and is not written now is no difference.
            if before != now {
                found.push(Change::Input { port: (*port).to_owned(), source: label, before, now, from });
            }
        }
    }
    for gone in left {
        found.push(Change::Input {
            port: gone.port.clone(),
            source: gone.source.clone(),
            before: Some(gone.digest),
            now: None,
            from: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_told_leaf_by_leaf() {
        let before = json!({"accept": {"median_mm": 0.7, "p95_mm": 2.0}, "old": 1, "same": [1, 2.0]});
        let now = json!({"accept": {"median_mm": 0.5, "p95_mm": 2.0}, "new": true, "same": [1, 2.0]});
        let mut found = Vec::new();
        compare("", Some(&before), Some(&now), &mut found);
        let param =
            |name: &str, before: Option<Value>, now: Option<Value>| Change::Param { name: name.into(), before, now };
        let expected = [
            param("accept.median_mm", Some(json!(0.7)), Some(json!(0.5))),
            param("new", None, Some(json!(true))),
            param("old", Some(json!(1)), None),
        ];
        assert_eq!(found.len(), 3);
        assert!(expected.iter().all(|change| found.contains(change)), "{found:?}");
    }
}
