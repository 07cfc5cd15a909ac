//! Kernel locks on names: freed by the kernel when a process dies, so there is never anything to unlock by hand.
//!
//! A lease is an exclusive lock on `locks/<name>`. The file is removed while the lock is held; whoever gets a lock on a
//! removed file notices that the name means another file by now, and tries again.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Write as _},
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use super::{Store, disk, store_fault};
use crate::fault::{Fault, Kind, Result};

/// An exclusive lock on a name, held until dropped.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    _file: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Removed before the file closes and frees the lock. A file that stays behind does no harm.
        drop(disk::remove_file(&self.path));
    }
}

/// How to wait for a lease.
pub struct Wait<'a> {
    /// Give up after this time (exit 6); none waits for ever.
    pub timeout: Option<Duration>,
    /// Number of the signal that stops everything; zero while there is none.
    pub cancelled: &'a AtomicUsize,
    /// Called once when there is something to wait for, with the process id of the holder if it is known.
    pub told: &'a dyn Fn(Option<u32>),
}

impl Store {
    /// Returns the lease if nobody holds it.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn try_lease(&self, name: &str) -> Result<Option<Lease>> {
        let path = self.root().join("locks").join(name);
        let fault = |error: &std::io::Error| store_fault("lock a file", &path, error);
        loop {
            let mut file = disk::open_lock(&path).map_err(|error| fault(&error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(fault(&error)),
            }
            if is_still(&file, &path) {
                // Who holds it is told to those who wait, and means nothing else.
                drop(file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())));
                return Ok(Some(Lease { path, _file: file }));
            }
        }
    }

    /// Waits for the lease.
    ///
    /// # Errors
    /// `LockTimeout` when it was not free in time, `Interrupted` when the run was stopped.
    pub fn lease(&self, name: &str, wait: &Wait<'_>) -> Result<Lease> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            if let Some(lease) = self.try_lease(name)? {
                return Ok(lease);
            }
            if wait.timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
                return Err(Fault::new(Kind::LockTimeout, "another process works on this stage")
                    .hint("wait for it, or allow more time with --lock-timeout SECONDS"));
            }
            let signal = wait.cancelled.load(Ordering::Relaxed);
            if signal != 0 {
                return Err(interrupted(signal));
            }
            if !std::mem::replace(&mut told, true) {
                (wait.told)(self.holder(name));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Marks the store as in use until the file is dropped; any number of runs may use it at a time.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn use_shared(&self) -> Result<File> {
        let file = self.use_file()?;
        file.lock_shared().map_err(|error| store_fault("lock the store", self.root(), &error))?;
        Ok(file)
    }

    /// Returns the store for one process alone, until the file is dropped.
    ///
    /// # Errors
    /// `LockTimeout` while a run uses it.
    pub fn use_alone(&self) -> Result<File> {
        let file = self.use_file()?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(Fault::new(Kind::LockTimeout, "a run uses the store").hint("try again when it has finished"))
            }
            Err(TryLockError::Error(error)) => Err(store_fault("lock the store", self.root(), &error)),
        }
    }

    fn use_file(&self) -> Result<File> {
        let path = self.root().join("in-use");
        disk::open_lock(&path).map_err(|error| store_fault("lock the store", &path, &error))
    }

    fn holder(&self, name: &str) -> Option<u32> {
        let mut text = String::new();
        File::open(self.root().join("locks").join(name)).ok()?.take(20).read_to_string(&mut text).ok()?;
        text.parse().ok()
    }
}

/// Returns the fault of a run that a signal stopped.
pub(crate) fn interrupted(signal: usize) -> Fault {
    Fault::new(Kind::Interrupted(i32::try_from(signal).unwrap_or(0)), "stopped; run again to go on from here")
}

#[cfg(unix)]
fn is_still(file: &File, path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let (Ok(held), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    identity(held) == identity(named)
}

/// Elsewhere an open file cannot be removed, so the name cannot have changed its meaning.
#[cfg(not(unix))]
fn is_still(_: &File, _: &std::path::Path) -> bool {
    true
}
