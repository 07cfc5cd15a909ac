//! The file operations that change anything: the only door of the store to the disk, so that tests can let each fail.
//!
//! Every operation here is one that a power cut, a full disk or a kill can fall upon. Tests count them below a folder and
//! let the n-th one fail, or all from the n-th on, as if the process had died there.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    path::Path,
};

#[cfg(test)]
pub(in crate::pipeline) mod faults;

/// Does nothing, but for tests.
#[cfg(not(test))]
#[inline]
const fn may(_: &Path) -> io::Result<()> {
    Ok(())
}
#[cfg(test)]
use faults::may;

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    may(to)?;
    fs::rename(from, to)
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    may(path)?;
    fs::create_dir(path)
}

pub(super) fn create_dir_all(path: &Path) -> io::Result<()> {
    may(path)?;
    fs::create_dir_all(path)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    may(path)?;
    fs::remove_file(path)
}

pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    may(path)?;
    fs::remove_dir(path)
}

pub(super) fn set_permissions(path: &Path, permissions: Permissions) -> io::Result<()> {
    may(path)?;
    fs::set_permissions(path, permissions)
}

/// Creates a file and writes it; a failing test leaves half of the bytes.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    may(path)?;
    let mut file = File::create(path)?;
    torn(path, &mut file, bytes)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Adds bytes at the end of a file.
pub(super) fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    may(path)?;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    torn(path, &mut file, bytes)?;
    file.write_all(bytes)
}

/// Opens a file for a lock, making it if need be.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    may(path)?;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Waits until the disk has a file or folder.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    may(path)?;
    File::open(path)?.sync_all()
}

/// Waits until the disk has an open file.
pub(super) fn sync_open(path: &Path, file: &File) -> io::Result<()> {
    may(path)?;
    file.sync_all()
}

#[cfg(not(test))]
#[inline]
const fn torn(_: &Path, _: &mut File, _: &[u8]) -> io::Result<()> {
    Ok(())
}

/// The second chance to fail: with half of the bytes written.
#[cfg(test)]
fn torn(path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let failed = may(path);
    if failed.is_err() {
        file.write_all(&bytes[..bytes.len() / 2])?;
    }
    failed
}
