//! All records in one file, in the short form that a run needs to see that nothing is to do.
//!
//! A cache and no more: each line has a check, a line that fails it is as if it were not there, and what is not there is
//! looked up in `ac/`. So a torn append or a lost file costs time, never a result.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{disk, files::replace_file_lightly};
use crate::pipeline::{
    digest::Digest,
    key::StageKey,
    record::{Outputs, Record},
};

/// What a run needs of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slim {
    pub(super) key: StageKey,
    /// Number in `ac/<key>/`.
    pub(super) n: u32,
    pub(super) node: String,
    pub(super) op: String,
    pub(super) outputs: Outputs,
    pub(super) seconds: f64,
}

impl Slim {
    pub(super) fn of(n: u32, record: &Record) -> Self {
        Self {
            key: record.key,
            n,
            node: record.node.clone(),
            op: record.op.clone(),
            outputs: record.outputs.clone(),
            seconds: record.seconds,
        }
    }
}

/// The index in memory.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    by_key: BTreeMap<StageKey, Vec<Slim>>,
    /// Seconds of the latest execution by node id, and (sum, count) by op.
    by_node: BTreeMap<String, f64>,
    by_op: BTreeMap<String, (f64, f64)>,
}

impl Index {
    pub(super) fn load(path: &Path) -> Self {
        let mut index = Self {
            path: path.to_path_buf(),
            by_key: BTreeMap::new(),
            by_node: BTreeMap::new(),
            by_op: BTreeMap::new(),
        };
        let bytes = fs::read(path).unwrap_or_default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Some(slim) = parse_line(line) {
                index.insert(slim);
            }
        }
        index
    }

    /// Adds an entry in memory; returns whether it was new.
    fn insert(&mut self, slim: Slim) -> bool {
        let entries = self.by_key.entry(slim.key).or_default();
        let Err(at) = entries.binary_search_by_key(&slim.n, |entry| entry.n) else { return false };
        self.by_node.insert(slim.node.clone(), slim.seconds);
        let sum = self.by_op.entry(slim.op.clone()).or_default();
        *sum = (sum.0 + slim.seconds, sum.1 + 1.0);
        entries.insert(at, slim);
        true
    }

    /// Adds an entry in memory and at the end of the file. A file that cannot be written only costs the next run time.
    pub(super) fn add(&mut self, slim: Slim) {
        let Ok(json) = serde_json::to_string(&slim) else { return };
        if self.insert(slim) {
            // The first newline ends a line that a killed process may have left half written.
            let line = format!("\n{} {json}\n", check_of(json.as_bytes()));
            drop(disk::append(&self.path, line.as_bytes()));
        }
    }

    /// Forgets keys, in memory and in the file; what a file that cannot be written still holds is looked for in vain.
    pub(super) fn forget(&mut self, keys: &[StageKey]) {
        for key in keys {
            self.by_key.remove(key);
        }
        let lines = self.by_key.values().flatten().filter_map(|slim| serde_json::to_string(slim).ok());
        let text: String = lines.map(|json| format!("{} {json}\n", check_of(json.as_bytes()))).collect();
        drop(replace_file_lightly(&self.path, text.as_bytes()));
    }

    pub(super) fn entries(&self, key: &StageKey) -> &[Slim] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Returns how long the node last took, or else its op on average.
    pub(super) fn expected_seconds(&self, node: &str, op: &str) -> Option<f64> {
        self.by_node.get(node).copied().or_else(|| self.by_op.get(op).map(|(sum, count)| sum / count))
    }
}

fn check_of(json: &[u8]) -> String {
    Digest::derive("calvaria v1 index", json).to_string()[..16].to_owned()
}

fn parse_line(line: &[u8]) -> Option<Slim> {
    let (check, json) = line.split_at_checked(17)?;
    (check[..16] == *check_of(json).as_bytes()).then(|| serde_json::from_slice(json).ok())?
}
