//! Garbage: what no kept key needs. Records go together with the content that only they name, and never during a run.
//!
//! Content rests in the trash for a week, so that a mistake can be taken back by hand; records, checkpoints and old trash
//! are removed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    Store,
    files::{remove_tree, store_fault},
    measure,
};
use crate::{
    fault::Result,
    pipeline::{digest::Digest, key::StageKey},
};

/// How long content stays in the trash.
const REST: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is to stay.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Keys whose records and content stay.
    pub keys: BTreeSet<StageKey>,
    /// Content that stays, whatever names it.
    pub blobs: BTreeSet<Digest>,
    /// Records that were committed less than this ago stay too.
    pub younger_than: Option<Duration>,
}

/// What may go.
#[derive(Clone, Debug, Default)]
pub struct Garbage {
    /// Keys whose records go.
    pub keys: Vec<StageKey>,
    /// Content that goes to the trash, with its size in bytes.
    pub blobs: Vec<(Digest, u64)>,
    /// Folders of checkpoints of stages that nobody runs, and what has rested in the trash for a week.
    pub paths: Vec<PathBuf>,
    /// Bytes of the content.
    pub blob_bytes: u64,
    /// Bytes of those paths.
    pub path_bytes: u64,
}

impl Store {
    /// Returns what may go; nothing is changed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn garbage(&self, keep: &Keep) -> Result<Garbage> {
        let mut garbage = Garbage::default();
        let mut needed = keep.blobs.clone();
        for name in names(&self.root().join("ac"))? {
            let Ok(key) = name.parse().map(StageKey) else { continue };
            let records = self.records(&key);
            let young = |unix_s: u64| keep.younger_than.is_some_and(|limit| age(unix_s) < limit);
            if keep.keys.contains(&key) || records.values().any(|record| young(record.finished_unix_s)) {
                needed.extend(records.values().flat_map(|record| record.outputs.values()).map(|blob| blob.digest));
            } else {
                garbage.keys.push(key);
            }
        }
        for shelf in names(&self.root().join("cas"))? {
            for name in names(&self.root().join("cas").join(&shelf))? {
                let Ok(digest) = name.parse::<Digest>() else { continue };
                if !needed.contains(&digest) {
                    let bytes = length(&self.blob_path(&digest));
                    garbage.blob_bytes += bytes;
                    garbage.blobs.push((digest, bytes));
                }
            }
        }
        for name in names(&self.root().join("partial"))? {
            let kept = name.parse().is_ok_and(|digest| keep.keys.contains(&StageKey(digest)));
            let path = self.root().join("partial").join(&name);
            if !kept && keep.younger_than.is_none_or(|limit| rested(&path) >= limit) {
                garbage.paths.push(path);
            }
        }
        let trash = self.root().join("trash");
        garbage.paths.extend(names(&trash)?.iter().map(|name| trash.join(name)).filter(|path| rested(path) >= REST));
        garbage.path_bytes = garbage.paths.iter().map(|path| length(path)).sum();
        Ok(garbage)
    }

    /// Removes garbage. The caller uses the store alone ([`Store::use_alone`]).
    ///
    /// # Errors
    /// When something cannot be removed; what was removed before stays removed, and the store whole.
    pub fn collect(&self, garbage: &Garbage) -> Result<()> {
        // Records first: content without a record is only garbage, a record without content would be a loss.
        for key in &garbage.keys {
            let folder = self.root().join("ac").join(key.to_string());
            remove_tree(&folder).map_err(|error| store_fault("remove a record", &folder, &error))?;
        }
        self.index().forget(&garbage.keys);
        for (digest, _) in &garbage.blobs {
            self.discard(digest)?;
        }
        for path in &garbage.paths {
            remove_tree(path).map_err(|error| store_fault("remove", path, &error))?;
        }
        Ok(())
    }
}

/// Returns the names in a folder in order; a folder that is not there has none.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(store_fault("list a folder", folder, &error)),
    };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn length(path: &Path) -> u64 {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => meta.len(),
        _ => measure(path).map_or(0, |tree| tree.blob.bytes),
    }
}

fn age(unix_s: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_secs(unix_s))
}

/// Returns for how long nothing was put into a path: a rename sets no time, so that of the last change of its entry counts.
fn rested(path: &Path) -> Duration {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::symlink_metadata(path).map_or(Duration::ZERO, |meta| age(u64::try_from(meta.ctime()).unwrap_or(0)))
    }
    #[cfg(not(unix))]
    {
        let modified = fs::symlink_metadata(path).and_then(|meta| meta.modified());
        modified.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default()
    }
}
