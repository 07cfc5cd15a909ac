//! The folder in which one execution works, and the removal of those that killed runs left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Store, disk, gc::names, remove_tree, store_fault};
use crate::{fault::Result, pipeline::key::StageKey};

/// `tmp/<key>.<pid>.<nonce>/`, removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        drop(remove_tree(&self.path));
    }
}

impl Workspace {
    /// Returns the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a folder inside, with its parents.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn folder(&self, name: &Path) -> Result<PathBuf> {
        let path = self.path.join(name);
        disk::create_dir_all(&path).map_err(|error| store_fault("create a folder", &path, &error))?;
        Ok(path)
    }
}

impl Store {
    /// Returns a fresh folder to work in. The caller holds the lease of the key.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn workspace(&self, key: &StageKey) -> Result<Workspace> {
        let path = self.root().join("tmp").join(self.unique(&key.to_string()));
        // A process with our number may have died here; its leftovers are not ours to build on.
        remove_tree(&path).map_err(|error| store_fault("clear a folder", &path, &error))?;
        disk::create_dir(&path).map_err(|error| store_fault("create a folder", &path, &error))?;
        Ok(Workspace { path })
    }

    /// Returns the folder that survives a killed run of this key, made if it is not there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn partial(&self, key: &StageKey) -> Result<PathBuf> {
        let path = self.partial_path(key);
        // Not synced: a checkpoint that a power cut takes is made again.
        disk::create_dir_all(&path).map_err(|error| store_fault("create a folder", &path, &error))?;
        Ok(path)
    }

    /// Removes the folder of checkpoints: the stage has committed.
    pub fn finish_partial(&self, key: &StageKey) {
        // Checkpoints that stay cost room only.
        drop(remove_tree(&self.partial_path(key)));
    }

    /// Removes workspaces whose keys nobody holds, and locks that nobody holds: their processes are dead.
    pub(super) fn sweep(&self) -> Result<()> {
        let tmp = self.root().join("tmp");
        let entries = fs::read_dir(&tmp).map_err(|error| store_fault("list a folder", &tmp, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let key = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
            if let Some(_lease) = self.try_lease(&format!("{key}.lock"))? {
                remove_tree(&entry.path()).map_err(|error| store_fault("clear a folder", &entry.path(), &error))?;
            }
        }
        self.sweep_checkpoints()?;
        // A lease that is dropped takes its file with it.
        let locks = self.root().join("locks");
        for entry in fs::read_dir(&locks).map_err(|error| store_fault("list a folder", &locks, &error))?.flatten() {
            if let Some(name) = entry.file_name().to_str() {
                drop(self.try_lease(name)?);
            }
        }
        Ok(())
    }

    /// Removes checkpoints of stages that have committed: their process was killed before it could.
    fn sweep_checkpoints(&self) -> Result<()> {
        for name in names(&self.root().join("partial"))? {
            let Ok(digest) = name.parse() else { continue };
            let key = StageKey(digest);
            if self.lookup(&key).is_some()
                && let Some(_lease) = self.try_lease(&format!("{key}.lock"))?
            {
                self.finish_partial(&key);
            }
        }
        Ok(())
    }
}
