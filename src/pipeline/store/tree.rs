//! Measures what a stage wrote: a file, or a folder of files; nothing else can be stored.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    fault::{Fault, Result},
    pipeline::{digest::Digest, record::Blob},
};

/// A file or folder with the digest of each of its files.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What the store calls it.
    pub blob: Blob,
    /// Digests by relative name, with `/`; a file alone has the name `""`.
    pub files: BTreeMap<String, Digest>,
}

/// Reads a file or folder whole.
///
/// # Errors
/// Unfit when it holds a link, a device, or a name that is not Unicode, or cannot be read.
pub fn measure(path: &Path) -> Result<Tree> {
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    let folder = fs::symlink_metadata(path).map_err(|error| Fault::file("read", path, &error))?.is_dir();
    walk(path, "", &mut files, &mut bytes)?;
    // A file alone is its own digest, so that `b3sum` of a result and of the store agree.
    let digest = match files.get("") {
        Some(digest) => *digest,
        None => Digest::of_folder(&files),
    };
    Ok(Tree { blob: Blob { digest, bytes, folder }, files })
}

fn walk(path: &Path, name: &str, files: &mut BTreeMap<String, Digest>, bytes: &mut u64) -> Result<()> {
    let meta = fs::symlink_metadata(path).map_err(|error| Fault::file("read", path, &error))?;
    if meta.is_file() {
        let (digest, length) = Digest::of_file(path).map_err(|error| Fault::file("read", path, &error))?;
        files.insert(name.to_owned(), digest);
        *bytes += length;
        return Ok(());
    }
    if !meta.is_dir() {
        return Err(
            Fault::unfit("a stored folder holds something that is neither a file nor a folder").at(path.display())
        );
    }
    for entry in fs::read_dir(path).map_err(|error| Fault::file("read", path, &error))? {
        let entry = entry.map_err(|error| Fault::file("read", path, &error))?;
        let Ok(own) = entry.file_name().into_string() else {
            return Err(Fault::unfit("a stored folder holds a name that is not Unicode").at(path.display()));
        };
        let below = if name.is_empty() { own } else { format!("{name}/{own}") };
        walk(&entry.path(), &below, files, bytes)?;
    }
    Ok(())
}
