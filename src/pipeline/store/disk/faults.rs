//! Operations that fail on order, below one folder, in whichever thread.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// How operations fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Mode {
    /// This one operation, with this error.
    Once(io::ErrorKind),
    /// This one and all after it: the process is as good as dead, or the disk is full for good.
    FromThereOn(io::ErrorKind),
}

struct Armed {
    folder: PathBuf,
    at: usize,
    mode: Mode,
    seen: usize,
}

static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

/// Operations below a folder fail while it lives.
pub(in crate::pipeline) struct Arm(PathBuf);

impl Arm {
    /// Lets the operation of number `at`, from 0, fail.
    pub(in crate::pipeline) fn new(folder: &Path, at: usize, mode: Mode) -> Self {
        with(|armed| armed.push(Armed { folder: folder.to_owned(), at, mode, seen: 0 }));
        Self(folder.to_owned())
    }

    /// Returns how many operations there were.
    pub(in crate::pipeline) fn seen(&self) -> usize {
        with(|armed| armed.iter().find(|one| one.folder == self.0).map_or(0, |one| one.seen))
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        with(|armed| armed.retain(|one| one.folder != self.0));
    }
}

fn with<T>(act: impl FnOnce(&mut Vec<Armed>) -> T) -> T {
    act(&mut ARMED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Fails if it was ordered.
pub(in crate::pipeline::store) fn may(path: &Path) -> io::Result<()> {
    with(|armed| {
        let Some(one) = armed.iter_mut().find(|one| path.starts_with(&one.folder)) else { return Ok(()) };
        let number = one.seen;
        one.seen += 1;
        match one.mode {
            Mode::Once(kind) if number == one.at => Err(kind.into()),
            Mode::FromThereOn(kind) if number >= one.at => Err(kind.into()),
            _ => Ok(()),
        }
    })
}
