//! The numbers of both sides, paired case by case.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::side::Side;
use crate::{
    fault::Result,
    pipeline::lockfile::Entry,
    report::statistics::{PairedTest, paired_permutation},
    stages,
};

/// Kind of the artifact that holds a case's numbers.
const ROW: &str = "row";

/// One number of both sides.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) cases: Vec<Pair>,
    /// Of the pairs with both values, when any differ.
    pub(super) test: Option<PairedTest>,
}

/// A number of one case.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Pair {
    pub(super) item: String,
    pub(super) before: Option<f64>,
    pub(super) after: Option<f64>,
    pub(super) difference: Option<f64>,
}

/// Returns every number that differs in some case, with all its cases; nothing where the stores no longer have the rows.
///
/// # Errors
/// When a store cannot be read.
pub(super) fn paired(before: &Side, after: &Side) -> Result<Vec<Metric>> {
    let mut order: Vec<String> = Vec::new();
    let mut found: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    for (item, entry) in &before.lock.entries {
        let Some(other) = after.lock.entries.get(item) else { continue };
        let (Some(a), Some(b)) = (row(before, entry)?, row(after, other)?) else { continue };
        for (name, value) in &a {
            let (first, second) = (value.as_f64(), b.get(name).and_then(Value::as_f64));
            if first.is_none() && second.is_none() {
                continue;
            }
            if !order.contains(name) {
                order.push(name.clone());
            }
            let difference = first.zip(second).map(|(first, second)| second - first);
            let pair = Pair { item: item.clone(), before: first, after: second, difference };
            found.entry(name.clone()).or_default().push(pair);
        }
    }
    let metric = |name: String| {
        let cases = found.remove(&name).filter(|cases| cases.iter().any(|case| case.before != case.after))?;
        let differences: Vec<f64> = cases.iter().filter_map(|case| case.difference).collect();
        Some(Metric { name, cases, test: paired_permutation(&differences) })
    };
    Ok(order.into_iter().filter_map(metric).collect())
}

/// Returns the numbers of a comparison; none for other stages.
fn row(side: &Side, entry: &Entry) -> Result<Option<serde_json::Map<String, Value>>> {
    let outputs = stages::find(&entry.op).map_or(&[][..], |op| op.outputs());
    let Some(port) = outputs.iter().find(|output| output.kind == ROW) else { return Ok(None) };
    let Some(digest) = entry.outputs.get(port.name) else { return Ok(None) };
    let Some(bytes) = side.read(digest)? else { return Ok(None) };
    Ok(serde_json::from_slice::<Value>(&bytes).ok().and_then(|value| value.as_object().cloned()))
}
