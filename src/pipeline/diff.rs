//! How two lock files differ: parameters, inputs, outputs, and where the difference begins.
//!
//! Lock files alone are read, so two studies of a thousand stages are compared in a moment, on any machine.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::lockfile::{Entry, Lock};

/// A parameter that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParamDiff {
    /// `accept.median_mm`.
    pub name: String,
    /// In the first; null where it is not there.
    pub before: Value,
    /// In the second.
    pub after: Value,
}

/// A node that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeDiff {
    /// Node id.
    pub item: String,
    /// `train 3 -> train 4`, where the op or its version differs.
    pub op: Option<String>,
    /// Parameters that differ.
    pub params: Vec<ParamDiff>,
    /// Sources of inputs that differ.
    pub inputs: Vec<String>,
    /// Outputs that differ, by port.
    pub outputs: Vec<String>,
    /// Whether the difference begins here: no input that another node made differs.
    pub begins: bool,
    /// Why it differs, in words; nothing where only what came before it differs.
    pub why: Option<String>,
}

/// How two lock files differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LockDiff {
    /// What differs in the heads: `seed 1 -> 2`.
    pub head: Vec<String>,
    /// Nodes of the first alone.
    pub only_before: Vec<String>,
    /// Nodes of the second alone.
    pub only_after: Vec<String>,
    /// Nodes of both that differ, sources before what needs them.
    pub items: Vec<NodeDiff>,
    /// The first node whose outputs differ.
    pub first: Option<String>,
}

impl LockDiff {
    /// Returns whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.only_before.is_empty() && self.only_after.is_empty() && self.items.is_empty()
    }
}

/// Compares two lock files.
#[must_use]
pub fn diff(before: &Lock, after: &Lock) -> LockDiff {
    let only = |one: &Lock, other: &Lock| -> Vec<String> {
        one.entries.keys().filter(|id| !other.entries.contains_key(*id)).cloned().collect()
    };
    let both = |id: &String| Some((before.entries.get(id)?, after.entries.get(id)?));
    let items: Vec<NodeDiff> =
        in_order(before).iter().filter_map(|id| both(id).and_then(|(a, b)| node(id, a, b, before, after))).collect();
    LockDiff {
        head: head(before, after),
        only_before: only(before, after),
        only_after: only(after, before),
        first: items.iter().find(|item| !item.outputs.is_empty()).map(|item| item.item.clone()),
        items,
    }
}

fn head(before: &Lock, after: &Lock) -> Vec<String> {
    let mut lines = Vec::new();
    if before.pipeline != after.pipeline {
        lines.push(format!("pipeline {} -> {}", before.pipeline, after.pipeline));
    }
    if before.seed != after.seed {
        lines.push(format!("seed {} -> {}", before.seed, after.seed));
    }
    let names: BTreeSet<&String> = before.overrides.keys().chain(after.overrides.keys()).collect();
    for name in names {
        let (a, b) = (before.overrides.get(name), after.overrides.get(name));
        if a != b {
            let text = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
            lines.push(format!("override {name} {} -> {}", text(a), text(b)));
        }
    }
    lines
}

fn node(id: &str, a: &Entry, b: &Entry, before: &Lock, after: &Lock) -> Option<NodeDiff> {
    if a == b {
        return None;
    }
    let op =
        ((&a.op, a.version) != (&b.op, b.version)).then(|| format!("{} {} -> {} {}", a.op, a.version, b.op, b.version));
    let params = param_diffs(&a.params, &b.params);
    let inputs = input_diffs(a, b);
    let ports: BTreeSet<&String> = a.outputs.keys().chain(b.outputs.keys()).collect();
    let outputs: Vec<String> =
        ports.into_iter().filter(|port| a.outputs.get(*port) != b.outputs.get(*port)).cloned().collect();
    let made = |source: &String| {
        maker(source).is_some_and(|id| before.entries.contains_key(id) || after.entries.contains_key(id))
    };
    let begins = !inputs.iter().any(made);
    let why = if let Some(op) = &op {
        Some(format!("op {op}"))
    } else if let Some(param) = params.first() {
        Some(format!("params.{} {} -> {}", param.name, param.before, param.after))
    } else if let Some(source) = inputs.iter().find(|source| !made(source)) {
        Some(format!("the content of {source}"))
    } else if !begins {
        None
    } else if a.key != b.key {
        Some("seed, backend, or how an input is to be read".to_owned())
    } else if !outputs.is_empty() {
        Some("the same key gave other bytes: the stage is not deterministic, or the store was changed".to_owned())
    } else {
        Some("frozen or incomplete".to_owned())
    };
    Some(NodeDiff { item: id.to_owned(), op, params, inputs, outputs, begins, why })
}

fn input_diffs(a: &Entry, b: &Entry) -> Vec<String> {
    let sources: BTreeSet<&String> = a.inputs.iter().chain(&b.inputs).map(|input| &input.source).collect();
    sources.into_iter().filter(|source| a.digest_of(source) != b.digest_of(source)).cloned().collect()
}

/// Returns the node that made a source (`phantom@p01.ct`); none for a file of a case.
fn maker(source: &str) -> Option<&str> {
    if source.starts_with("case ") { None } else { source.rsplit_once('.').map(|(id, _)| id) }
}

fn param_diffs(a: &str, b: &str) -> Vec<ParamDiff> {
    let flat = |text: &str| {
        let mut leaves = BTreeMap::new();
        flatten(&serde_json::from_str(text).unwrap_or(Value::Null), "", &mut leaves);
        leaves
    };
    let (a, b) = (flat(a), flat(b));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value = |leaves: &BTreeMap<String, Value>, name: &String| leaves.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| ParamDiff { name: name.clone(), before: value(&a, name), after: value(&b, name) })
        .collect()
}

fn flatten(value: &Value, path: &str, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, inner) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(inner, &path, leaves);
            }
        }
        other => drop(leaves.insert(path.to_owned(), other.clone())),
    }
}

/// Returns the nodes of a lock file, sources before what needs them, else by id.
fn in_order(lock: &Lock) -> Vec<String> {
    let sources = |entry: &Entry| -> BTreeSet<String> {
        let makers = entry.inputs.iter().filter_map(|input| maker(&input.source));
        makers.filter(|id| lock.entries.contains_key(*id)).map(str::to_owned).collect()
    };
    let mut waits: BTreeMap<&String, usize> = BTreeMap::new();
    let mut users: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for (id, entry) in &lock.entries {
        let sources = sources(entry);
        waits.insert(id, sources.len());
        for source in sources {
            users.entry(source).or_default().push(id);
        }
    }
    let mut ready: BTreeSet<&String> = waits.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    let mut order = Vec::with_capacity(waits.len());
    while let Some(id) = ready.pop_first() {
        order.push(id.clone());
        for user in users.get(id).into_iter().flatten() {
            let Some(left) = waits.get_mut(*user) else { continue };
            *left -= 1;
            if *left == 0 {
                ready.insert(user);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{digest::Digest, key::StageKey, lockfile::LockedInput};

    fn entry(params: &str, inputs: &[(&str, &str)], output: &str) -> Entry {
        let digest = |text: &str| Digest::of_bytes(text.as_bytes());
        let input = |(source, content): &(&str, &str)| LockedInput {
            port: "in".into(),
            digest: digest(content),
            source: (*source).to_owned(),
        };
        Entry {
            op: "op".into(),
            version: 1,
            key: StageKey(digest(&format!("{params}{inputs:?}"))),
            params: params.into(),
            inputs: inputs.iter().map(input).collect(),
            outputs: [("out".to_owned(), digest(output))].into(),
            incomplete: BTreeMap::new(),
            frozen: false,
        }
    }

    /// `z` reads a file, `a` reads `z`, `m` reads both; ids are not in the order of the edges.
    fn lock(z: &str, params: &str) -> Lock {
        let entries = [
            ("z@1", entry(params, &[("case 1.ct", "ct")], z)),
            ("a@1", entry("{}", &[("z@1.out", z)], &format!("a{z}"))),
            ("m", entry("{}", &[("a@1.out", &format!("a{z}")), ("z@1.out", z)], &format!("m{z}"))),
        ];
        let entries = entries.into_iter().map(|(id, entry)| (id.to_owned(), entry)).collect();
        Lock { pipeline: "p".into(), seed: 1, overrides: BTreeMap::new(), entries }
    }

    #[test]
    fn a_lock_does_not_differ_from_itself() {
        assert!(diff(&lock("1", "{}"), &lock("1", "{}")).is_empty());
    }

    #[test]
    fn the_difference_begins_where_a_parameter_changed() {
        let found = diff(&lock("1", r#"{"hu":{"low":1}}"#), &lock("2", r#"{"hu":{"low":2}}"#));
        assert_eq!(found.first.as_deref(), Some("z@1"));
        let items: Vec<(&str, bool)> = found.items.iter().map(|item| (item.item.as_str(), item.begins)).collect();
        assert_eq!(items, [("z@1", true), ("a@1", false), ("m", false)], "sources first");
        assert_eq!(found.items[0].why.as_deref(), Some("params.hu.low 1 -> 2"));
        assert_eq!(found.items[2].inputs, ["a@1.out", "z@1.out"]);
        assert_eq!(found.items[1].why, None, "only what came before differs");
    }

    #[test]
    fn one_key_with_two_results_is_called_by_its_name() {
        let found = diff(&lock("1", "{}"), &lock("2", "{}"));
        assert!(found.items[0].why.as_deref().is_some_and(|why| why.contains("not deterministic")), "{found:?}");
    }

    #[test]
    fn heads_and_lonely_nodes_are_told() {
        let mut other = lock("1", "{}");
        other.seed = 2;
        other.entries.remove("m");
        other.overrides.insert("vars.x".into(), "3".into());
        let found = diff(&lock("1", "{}"), &other);
        assert_eq!(found.head, ["seed 1 -> 2", "override vars.x nothing -> 3"]);
        assert_eq!((found.only_before, found.only_after), (vec!["m".to_owned()], vec![]));
    }
}
