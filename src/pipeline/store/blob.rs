//! Content in the store: taken in once, read-only, and hashed again before it is read by a process that did not write it.

use std::{collections::BTreeSet, fs, io, path::Path};

use super::{
    Store, Tree, disk,
    files::{make_folder, set_read_only, set_writable, store_fault, sync_folder},
    measure,
};
use crate::{
    fault::Result,
    pipeline::{digest::Digest, record::Blob},
};

/// What a look at the bytes of a blob found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are those of the digest.
    Good,
    /// It is not there.
    Absent,
    /// Other bytes were there; they are in the trash now.
    Corrupt,
}

impl Store {
    /// Returns whether a blob is there with the right length; one stat, no reading.
    #[must_use]
    pub fn has(&self, blob: &Blob) -> bool {
        fs::metadata(self.blob_path(&blob.digest))
            .is_ok_and(|meta| if blob.folder { meta.is_dir() } else { meta.is_file() && meta.len() == blob.bytes })
    }

    /// Takes a measured file or folder into the store by renaming it; content that is there already, and whole, is kept.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn admit(&self, path: &Path, tree: &Tree) -> Result<()> {
        let target = self.blob_path(&tree.blob.digest);
        if self.verify(&tree.blob.digest)? == Verdict::Good {
            return Ok(());
        }
        protect(path, tree).map_err(|error| store_fault("sync a result", path, &error))?;
        let shelf = target.parent().unwrap_or(self.root());
        make_folder(shelf)?;
        match disk::rename(path, &target) {
            Ok(()) => {}
            // Another process took the same folder in between the look and the rename.
            Err(_) if tree.blob.folder && target.is_dir() => {}
            Err(error) => return Err(store_fault("rename a result", &target, &error)),
        }
        if tree.blob.folder {
            // Only now: a read-only folder cannot be moved.
            set_read_only(&target).map_err(|error| store_fault("protect a folder", &target, &error))?;
        }
        sync_folder(shelf).map_err(|error| store_fault("sync a folder", shelf, &error))?;
        self.verified().insert(tree.blob.digest);
        Ok(())
    }

    /// Reads a blob whole, once in a process, and moves it to the trash if its bytes are not those of its digest.
    ///
    /// # Errors
    /// When the store cannot be read, or the trash not written.
    pub fn verify(&self, digest: &Digest) -> Result<Verdict> {
        let path = self.blob_path(digest);
        if !path.exists() {
            self.verified().remove(digest);
            return Ok(Verdict::Absent);
        }
        if self.verified().contains(digest) {
            return Ok(Verdict::Good);
        }
        // A blob that cannot be measured (a link in it, a bad sector) is as bad as one with other bytes: both cost an
        // execution, never a result.
        if measure(&path).is_ok_and(|tree| tree.blob.digest == *digest) {
            self.verified().insert(*digest);
            return Ok(Verdict::Good);
        }
        // Another thread may have thrown away what was read here and put back good bytes: those must stay.
        let verified = self.verified();
        if verified.contains(digest) {
            return Ok(Verdict::Good);
        }
        self.discard(digest)?;
        drop(verified);
        Ok(Verdict::Corrupt)
    }

    /// Moves a blob to the trash.
    pub(super) fn discard(&self, digest: &Digest) -> Result<()> {
        let path = self.blob_path(digest);
        // What an earlier process of our number threw away may rest under the name that is next.
        let mut trash = self.root().join("trash").join(self.unique(&digest.to_string()));
        while fs::symlink_metadata(&trash).is_ok() {
            trash = self.root().join("trash").join(self.unique(&digest.to_string()));
        }
        if path.is_dir() {
            set_writable(&path).map_err(|error| store_fault("unlock a folder", &path, &error))?;
        }
        match disk::rename(&path, &trash) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(store_fault("move to the trash", &path, &error))
            }
            _ => Ok(()),
        }
    }
}

/// Makes all files of a result durable and read-only, and its inner folders too.
fn protect(path: &Path, tree: &Tree) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for name in tree.files.keys() {
        let file = if name.is_empty() { path.to_path_buf() } else { path.join(name) };
        disk::sync(&file)?;
        set_read_only(&file)?;
        folders.extend(file.ancestors().skip(1).take_while(|folder| folder.starts_with(path)).map(Path::to_path_buf));
    }
    for folder in folders {
        sync_folder(&folder)?;
        if folder != path {
            set_read_only(&folder)?;
        }
    }
    Ok(())
}
