//! What of the store goes into a pack, and what stands in for the rest when it is unpacked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        digest::Digest,
        lockfile::Lock,
        plan::{Plan, Source},
        record::{Outputs, Record},
        store::{Store, Verdict, measure},
    },
};

/// Which outputs a pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// The inputs of stages that publish: the tables can be made again from them.
    Published,
    /// Every output of the lock file.
    All,
}

/// Files by their names in the pack.
pub type Files = BTreeMap<String, PathBuf>;

/// Returns the nodes that publish.
#[must_use]
pub fn publishers(plan: &Plan) -> BTreeSet<usize> {
    plan.nodes.iter().enumerate().filter(|(_, node)| node.publish.is_some()).map(|(index, _)| index).collect()
}

/// Returns the execution records of a lock file.
///
/// # Errors
/// Missing (5) when a node has none.
pub fn records(lock: &Lock, store: &Store) -> Result<Files> {
    let mut files = Files::new();
    for (id, entry) in &lock.entries {
        let records = store.records(&entry.key);
        if records.is_empty() {
            return Err(missing(format!("the store has no record of {id}")));
        }
        for n in records.keys() {
            let name = format!("ac/{}/{n}.json", entry.key);
            files.insert(format!("store/{name}"), store.root().join(name));
        }
    }
    Ok(files)
}

/// Returns stored outputs, each read whole and found good.
///
/// # Errors
/// Missing (5) when one is not in the store, or damaged.
pub fn objects(plan: &Plan, lock: &Lock, store: &Store, which: Objects) -> Result<Files> {
    let wanted: BTreeSet<Digest> = match which {
        Objects::All => lock.entries.values().flat_map(|entry| entry.outputs.values().copied()).collect(),
        Objects::Published => {
            let nodes = publishers(plan).into_iter().filter_map(|index| plan.nodes.get(index));
            nodes
                .flat_map(|node| node.inputs.values().flatten())
                .filter_map(|source| digest(source, plan, lock))
                .collect()
        }
    };
    let mut files = Files::new();
    for digest in &wanted {
        if store.verify(digest)? != Verdict::Good {
            return Err(missing(format!("the output {} is not in the store, or damaged", digest.short())));
        }
        let path = store.blob_path(digest);
        let name = format!("store/cas/{}/{digest}", &digest.to_string()[..2]);
        for inside in measure(&path)?.files.keys() {
            match inside.as_str() {
                "" => files.insert(name.clone(), path.clone()),
                inside => files.insert(format!("{name}/{inside}"), path.join(inside)),
            };
        }
    }
    Ok(files)
}

fn digest(source: &Source, plan: &Plan, lock: &Lock) -> Option<Digest> {
    let Source::Output { node, port } = source else { return None };
    lock.entries.get(&plan.nodes.get(*node)?.id)?.outputs.get(*port).copied()
}

fn missing(what: String) -> Fault {
    Fault::new(Kind::Missing, what)
        .hint("`calvaria run` brings the store up to date; `calvaria verify` reads all of it")
}

/// Puts an empty file or folder of the right size where a pack left out an output, so that the store's records count.
///
/// Their bytes are never used: a blob is hashed before it is read, and these are found damaged then.
///
/// # Errors
/// When the store cannot be written.
pub fn stand_ins(store: &Store, lock: &Lock) -> Result<()> {
    for entry in lock.entries.values() {
        for record in store.records(&entry.key).values() {
            stand_in_for(store, &record.outputs)?;
        }
    }
    Ok(())
}

pub(in crate::pipeline) fn stand_in_for(store: &Store, outputs: &Outputs) -> Result<()> {
    for blob in outputs.values() {
        let path = store.blob_path(&blob.digest);
        if path.exists() {
            continue;
        }
        let cannot = |error| Fault::file("write", &path, &error);
        fs::create_dir_all(path.parent().unwrap_or(store.root())).map_err(cannot)?;
        if blob.folder {
            fs::create_dir(&path).map_err(cannot)?;
        } else {
            // A hole: it takes no room.
            File::create(&path).and_then(|file| file.set_len(blob.bytes)).map_err(cannot)?;
        }
    }
    Ok(())
}

/// Forgets that nodes were ever executed, so that a run executes them.
///
/// # Errors
/// When the store cannot be written.
pub fn forget(store: &Path, nodes: &BTreeSet<usize>, plan: &Plan, lock: &Lock) -> Result<()> {
    for node in nodes.iter().filter_map(|index| plan.nodes.get(*index)) {
        let Some(entry) = lock.entries.get(&node.id) else { continue };
        let folder = store.join("ac").join(entry.key.to_string());
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::file("clear the folder", &folder, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns what backend-exact stages of a lock file were computed on: null for the processor.
#[must_use]
pub fn backend(lock: &Lock, store: &Store) -> serde_json::Value {
    let of = |record: &Record| record.pre_image.get("backend").filter(|backend| !backend.is_null()).cloned();
    let mut keys = lock.entries.values().map(|entry| entry.key);
    keys.find_map(|key| store.records(&key).values().find_map(of)).unwrap_or_default()
}
