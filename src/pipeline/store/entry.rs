//! Records under their keys: looked up in the index, then in `ac/`; several for one key are kept.

use std::{collections::BTreeMap, fs};

use super::{
    Store, disk,
    files::{make_folder, store_fault, sync_folder, write_synced},
    index::Slim,
};
use crate::{
    fault::Result,
    pipeline::{
        key::StageKey,
        record::{Outputs, Record},
    },
};

/// A stored result of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Outputs of the first record whose content is all there.
    pub outputs: Outputs,
    /// How long that execution took.
    pub seconds: f64,
    /// How often the key was executed.
    pub executions: usize,
    /// Whether executions of this key gave different bytes.
    pub conflict: bool,
}

impl Store {
    /// Returns the stored result of a key, if its record and its content are there.
    ///
    /// Several results are never resolved by age: the first record counts, and the conflict is told.
    #[must_use]
    pub fn lookup(&self, key: &StageKey) -> Option<Found> {
        let known = self.index().entries(key).to_vec();
        self.usable(key, &known).or_else(|| self.usable(key, &self.rescan(key)))
    }

    fn usable(&self, key: &StageKey, entries: &[Slim]) -> Option<Found> {
        let folder = self.record_folder(key);
        let first = entries.iter().find(|entry| {
            folder.join(format!("{}.json", entry.n)).exists() && entry.outputs.values().all(|blob| self.has(blob))
        })?;
        Some(Found {
            outputs: first.outputs.clone(),
            seconds: first.seconds,
            executions: entries.len(),
            conflict: entries.iter().any(|entry| entry.outputs != first.outputs),
        })
    }

    /// Reads the records of a key from their folder, for what another process wrote or the index lost.
    fn rescan(&self, key: &StageKey) -> Vec<Slim> {
        for (n, record) in self.records(key) {
            self.index().add(Slim::of(n, &record));
        }
        self.index().entries(key).to_vec()
    }

    /// Returns all whole records of a key by number.
    #[must_use]
    pub fn records(&self, key: &StageKey) -> BTreeMap<u32, Record> {
        let Ok(entries) = fs::read_dir(self.record_folder(key)) else { return BTreeMap::new() };
        entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let n: u32 = path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()?;
                let record = Record::decode(&fs::read(&path).ok()?)?;
                (record.key == *key).then_some((n, record))
            })
            .collect()
    }

    /// Writes a record: the commit of an execution. The caller holds the lease of the key and has admitted all outputs.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn commit(&self, record: &Record) -> Result<()> {
        let folder = self.record_folder(&record.key);
        make_folder(&folder)?;
        let n = self.next_number(&record.key);
        let beside = self.root().join("tmp").join(self.unique(&record.key.to_string()));
        let path = folder.join(format!("{n}.json"));
        let text = record.encode()?;
        write_synced(&beside, text.as_bytes())
            .and_then(|()| disk::rename(&beside, &path))
            .and_then(|()| sync_folder(&folder))
            .map_err(|error| store_fault("write a record", &path, &error))?;
        self.index().add(Slim::of(n, record));
        Ok(())
    }

    /// Numbers count on from the highest name, whether that record is whole or not.
    fn next_number(&self, key: &StageKey) -> u32 {
        let Ok(entries) = fs::read_dir(self.record_folder(key)) else { return 1 };
        let numbers =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse::<u32>().ok());
        numbers.max().map_or(1, |n| n.saturating_add(1))
    }

    /// Returns how long a node may take: its last execution, or else the average of its op.
    #[must_use]
    pub fn expected_seconds(&self, node: &str, op: &str) -> Option<f64> {
        self.index().expected_seconds(node, op)
    }
}
