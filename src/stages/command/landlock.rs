//! Between fork and exec: a program ends when we do, and under Landlock it gets no more of the machine than it declares.
//!
//! Landlock is in Linux from 5.13 on. Elsewhere, and where the kernel was built without it, a program runs with the rights
//! of its user, and that is said once. Source: the Linux documentation, `userspace-api/landlock`; numbers of calls and
//! bits from `linux/landlock.h`.

use std::path::{Path, PathBuf};

/// What a program may read (folders with all below), and where it may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
}

/// Folders that hold programs and their libraries, on any machine.
const SYSTEM: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/proc"];
/// Devices without a memory, or without an end.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// More folders that a person allows on this machine, as `PATH` is written. No part of a study.
const MORE: &str = "CALVARIA_COMMAND_READ";

impl Rights {
    /// Returns the rights that any program needs, and those of this one to itself.
    pub(super) fn system(program: &Path) -> Self {
        let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        read.extend(std::env::var_os(MORE).iter().flat_map(std::env::split_paths));
        read.push(program.to_owned());
        // What a link leads to counts, and the link itself is not read.
        read.extend(program.canonicalize().ok());
        // A Python environment lies around its program.
        if let Some(around) = program.parent().and_then(Path::parent)
            && ["pyvenv.cfg", "conda-meta"].iter().any(|mark| around.join(mark).exists())
        {
            read.push(around.to_owned());
        }
        Self { read, write: DEVICES.iter().map(PathBuf::from).collect() }
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::confine;

/// Says that programs are not confined here.
#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: &mut std::process::Command, _: &Rights) {
    unconfined();
}

fn unconfined() {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| tracing::warn!("this kernel has no Landlock: commands can read what they do not declare"));
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::{c_int, c_long, c_void},
        fs::{File, OpenOptions},
        io,
        os::{
            fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
            unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
        },
        path::Path,
        process::Command,
    };

    use super::{Rights, unconfined};

    const CREATE_RULESET: c_long = 444;
    const ADD_RULE: c_long = 445;
    const RESTRICT_SELF: c_long = 446;
    const VERSION_FLAG: c_int = 1;
    const RULE_PATH_BENEATH: c_int = 1;
    const SET_PDEATHSIG: c_int = 1;
    const SIGKILL: c_long = 9;
    const SET_NO_NEW_PRIVS: c_int = 38;
    const O_PATH: c_int = 0o10_000_000;

    const EXECUTE: u64 = 1;
    const WRITE_FILE: u64 = 1 << 1;
    const READ_FILE: u64 = 1 << 2;
    const READ_DIR: u64 = 1 << 3;
    const TRUNCATE: u64 = 1 << 14;
    /// What there is to be done to a file; all else is done to folders.
    const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;
    const READING: u64 = EXECUTE | READ_FILE | READ_DIR;
    /// Bind and connect of TCP.
    const NETWORK: u64 = 3;

    #[repr(C)]
    struct RulesetAttr {
        handled_access_fs: u64,
        handled_access_net: u64,
    }

    #[repr(C, packed)]
    struct PathBeneathAttr {
        allowed_access: u64,
        parent_fd: i32,
    }

    #[expect(unsafe_code, reason = "the standard library has no Landlock")]
    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
        fn prctl(option: c_int, ...) -> c_int;
    }

    /// Lets a command have these rights alone, as far as the kernel can, and no longer life than the thread that starts it.
    #[expect(unsafe_code, reason = "rights are given up between fork and exec")]
    pub(in super::super) fn confine(command: &mut Command, rights: &Rights) {
        let ruleset = ruleset(rights);
        if ruleset.is_none() {
            unconfined();
        }
        let give_up = move || {
            let zero: c_long = 0;
            // SAFETY: a plain system call on numbers.
            let tied = unsafe { prctl(SET_PDEATHSIG, SIGKILL, zero, zero, zero) == 0 };
            let Some(ruleset) = &ruleset else {
                return if tied { Ok(()) } else { Err(io::Error::last_os_error()) };
            };
            // SAFETY: both are plain system calls on numbers and an open descriptor that the closure owns; they allocate
            // nothing and take no lock, as the time between fork and exec demands.
            let done = unsafe {
                prctl(SET_NO_NEW_PRIVS, 1 as c_long, zero, zero, zero) == 0
                    && syscall(RESTRICT_SELF, ruleset.as_raw_fd(), 0 as c_int) == 0
            };
            if tied && done { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        // SAFETY: the closure does nothing but three system calls, see there.
        unsafe { command.pre_exec(give_up) };
    }

    /// Returns a set of rules; none where the kernel has no Landlock.
    fn ruleset(rights: &Rights) -> Option<OwnedFd> {
        let version = version()?;
        let handled = handled(version);
        let attr =
            RulesetAttr { handled_access_fs: handled, handled_access_net: if version >= 4 { NETWORK } else { 0 } };
        // Kernels before the network rules know the first field alone.
        let size = if attr.handled_access_net == 0 { 8_usize } else { 16 };
        let created = create(&attr, size)?;
        for path in &rights.read {
            add(&created, path, READING & handled);
        }
        for path in &rights.write {
            add(&created, path, handled);
        }
        Some(created)
    }

    /// Returns the file rights that a version of Landlock rules over: each later one knew more.
    fn handled(version: c_long) -> u64 {
        match version {
            1 => (1 << 13) - 1,
            2 => (1 << 14) - 1,
            // Controlling devices (bit 15) stays free: a program has no device to control.
            _ => (1 << 15) - 1,
        }
    }

    #[expect(unsafe_code, reason = "a system call that the standard library lacks")]
    fn version() -> Option<c_long> {
        // SAFETY: with no attributes, size 0 and this flag the call reads nothing and returns a number.
        let version = unsafe { syscall(CREATE_RULESET, std::ptr::null::<c_void>(), 0_usize, VERSION_FLAG) };
        (version > 0).then_some(version)
    }

    #[expect(unsafe_code, reason = "a system call that the standard library lacks")]
    fn create(attr: &RulesetAttr, size: usize) -> Option<OwnedFd> {
        // SAFETY: the attributes outlive the call, and `size` is at most their size.
        let fd = unsafe { syscall(CREATE_RULESET, std::ptr::from_ref(attr), size, 0 as c_int) };
        let fd = c_int::try_from(fd).ok().filter(|&fd| fd >= 0)?;
        // SAFETY: the kernel has just opened it for us, and nobody else knows it.
        Some(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Allows something below a path; a path that is not there needs no rule.
    #[expect(unsafe_code, reason = "a system call that the standard library lacks")]
    fn add(ruleset: &OwnedFd, path: &Path, access: u64) {
        let Ok(opened) = open(path) else { return };
        let folder = opened.metadata().is_ok_and(|meta| meta.is_dir());
        let attr = PathBeneathAttr {
            allowed_access: if folder { access } else { access & OF_FILES },
            parent_fd: opened.as_raw_fd(),
        };
        // SAFETY: the attributes and both descriptors outlive the call. A rule that is refused only allows less.
        let _ =
            unsafe { syscall(ADD_RULE, ruleset.as_raw_fd(), RULE_PATH_BENEATH, std::ptr::from_ref(&attr), 0 as c_int) };
    }

    fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(O_PATH).open(path)
    }
}
