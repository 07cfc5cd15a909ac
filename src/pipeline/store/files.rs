//! File operations that a power cut cannot tear: write beside, sync the file, rename, sync the folder.

use std::{
    fs, io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::disk;
use crate::fault::{Fault, Kind, Result};

/// Returns the fault of a failed operation on the store, with the remedy that its cause suggests.
pub(crate) fn store_fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    let fault = Fault::new(Kind::Unfit, format!("cannot {doing}: {error}")).at(path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            fault.hint("make room on the disk, or put the store elsewhere with --store DIR")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            fault.hint("the store cannot be written: make it writable, or name another with --store DIR")
        }
        _ => fault,
    }
}

/// Creates a folder and its parents, unless it is there.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    disk::create_dir_all(path).map_err(|error| store_fault("create a folder", path, &error))?;
    let Some(parent) = path.parent() else { return Ok(()) };
    sync_folder(parent).map_err(|error| store_fault("sync a folder", parent, &error))
}

/// Makes the entries of a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened.
    if cfg!(unix) { disk::sync(path) } else { Ok(()) }
}

/// Writes a file whole or not at all, also if the power fails.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    by_renaming(path, |beside| write_synced(beside, bytes))?;
    sync_folder(parent)
}

/// Writes a file whole or not at all, if the power stays: for what can be made again.
pub(crate) fn replace_file_lightly(path: &Path, bytes: &[u8]) -> io::Result<()> {
    by_renaming(path, |beside| disk::write(beside, bytes).map(drop))
}

/// The temporary file beside is `.<name>.<pid>.<n>.tmp`.
fn by_renaming(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_file_name(format!(".{name}.{}.{n}.tmp", std::process::id()));
    let written = write(&beside).and_then(|()| disk::rename(&beside, path));
    if written.is_err() {
        // Nothing more can be done for a file that could not be written.
        drop(disk::remove_file(&beside));
    }
    written
}

/// Writes a new file and waits until the disk has it.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk::write(path, bytes)?;
    disk::sync_open(path, &file)
}

/// Makes a file or folder read-only, as all content of the store is.
pub(super) fn set_read_only(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    disk::set_permissions(path, permissions)
}

/// Lets a folder be renamed or emptied again.
pub(super) fn set_writable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        disk::set_permissions(path, fs::Permissions::from_mode(0o755))
    }
    #[cfg(not(unix))]
    {
        let mut permissions = fs::metadata(path)?.permissions();
        permissions.set_readonly(false);
        disk::set_permissions(path, permissions)
    }
}

/// Removes a file, or a folder with read-only folders in it; what is not there needs no removal.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !meta.is_dir() {
        return disk::remove_file(path);
    }
    set_writable(path)?;
    for entry in fs::read_dir(path)? {
        remove_tree(&entry?.path())?;
    }
    disk::remove_dir(path)
}
