//! The content store at `.calvaria/`: what stages made, under the digest of its content.
//!
//! ```text
//! format              version of this layout
//! cas/ab/<blake3>     a read-only file, or a read-only folder
//! ac/<key>/<n>.json   execution records, by stage key: writing one is the commit
//! index/              caches that can be thrown away: records in one file, digests of files by their stat
//! tmp/<key>.*/        the work of running stages; what a killed run left is removed by the next
//! partial/<key>/      checkpoints of stages that have not finished
//! in-use              locked by each run, and by the collector of garbage alone
//! locks/  trash/  runs/<id>/
//! ```
//! Nothing here needs repair by hand: without a record a result does not exist, and a blob is hashed before it is read.

mod blob;
pub(super) mod disk;
mod entry;
mod files;
mod gc;
mod index;
mod lease;
mod tree;
mod workspace;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

pub use blob::Verdict;
pub use entry::Found;
pub(crate) use files::{make_folder, remove_tree, replace_file, replace_file_lightly, store_fault};
pub use gc::{Garbage, Keep};
pub(crate) use lease::interrupted;
pub use lease::{Lease, Wait};
pub use tree::{Tree, measure};
pub use workspace::Workspace;

use super::{digest::Digest, key::StageKey};
use crate::fault::{Fault, Result};

/// First line of `format`.
const FORMAT: &str = "calvaria store 1\n";
/// Folders of the layout.
const FOLDERS: [&str; 8] = ["cas", "ac", "index", "tmp", "partial", "locks", "trash", "runs"];

/// A content store on one file system.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    index: Mutex<index::Index>,
    verified: Mutex<BTreeSet<Digest>>,
    nonce: AtomicU64,
}

impl Store {
    /// Opens a store for looking; nothing is created. A folder that does not exist is an empty store.
    ///
    /// # Errors
    /// Usage when the folder is a store of a form that this program does not know.
    pub fn open(root: &Path) -> Result<Self> {
        // Links to blobs hold this path and are read from other folders.
        let root = std::path::absolute(root).map_err(|error| store_fault("find", root, &error))?;
        match std::fs::read_to_string(root.join("format")) {
            Ok(format) if format == FORMAT => {}
            Ok(_) => {
                return Err(Fault::usage("the store was written by another version of this program")
                    .at(root.join("format").display())
                    .hint("use that version, or put the store elsewhere with --store DIR"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(store_fault("read", &root.join("format"), &error)),
        }
        let index = Mutex::new(index::Index::load(&root.join("index/records")));
        Ok(Self { root, index, verified: Mutex::default(), nonce: AtomicU64::new(0) })
    }

    /// Creates what is missing of the layout, and removes what killed runs left behind.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn prepare(&self) -> Result<()> {
        make_folder(&self.root)?;
        for folder in FOLDERS {
            make_folder(&self.root.join(folder))?;
        }
        for (name, text) in [(".gitignore", "*\n"), ("format", FORMAT)] {
            let path = self.root.join(name);
            if !path.exists() {
                replace_file(&path, text.as_bytes()).map_err(|error| store_fault("write a file", &path, &error))?;
            }
        }
        self.sweep()
    }

    /// Returns the folder of the store.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where the content with this digest is, or would be.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join("cas").join(&name[..2]).join(name)
    }

    /// Returns the folder whose content survives until the stage with this key has finished.
    #[must_use]
    pub fn partial_path(&self, key: &StageKey) -> PathBuf {
        self.root.join("partial").join(key.to_string())
    }

    fn record_folder(&self, key: &StageKey) -> PathBuf {
        self.root.join("ac").join(key.to_string())
    }

    /// Returns a name that no other process and no other call uses.
    fn unique(&self, stem: &str) -> String {
        format!("{stem}.{}.{}", std::process::id(), self.nonce.fetch_add(1, Ordering::Relaxed))
    }

    fn index(&self) -> MutexGuard<'_, index::Index> {
        // A panic while the index was held leaves it whole: each change is one insertion.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verified(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
