//! `calvaria doctor`: what this machine and this store are like, and what to do about what is not well.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use super::{Context, forecast, out};
use crate::{
    fault::{Fault, Kind, Result},
    model::{Device, kernels},
    pipeline::store::Store,
};

/// Free disk below which a study may not fit, bytes.
const LITTLE_DISK: u64 = 2_000_000_000;
/// Free memory below which a training of full size may not fit, bytes.
const LITTLE_MEMORY: u64 = 2_000_000_000;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Measure nothing: look only
    #[arg(long)]
    no_measure: bool,
}

/// How one thing is.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    name: &'static str,
    /// `ok`, `note` or `wrong`.
    state: &'static str,
    value: Value,
    /// In words.
    text: String,
    remedy: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, value: impl Into<Value>, text: impl Into<String>) -> Self {
        Self { name, state: "ok", value: value.into(), text: text.into(), remedy: None }
    }

    fn note(self, remedy: impl Into<String>) -> Self {
        Self { state: "note", remedy: Some(remedy.into()), ..self }
    }

    fn wrong(self, remedy: impl Into<String>) -> Self {
        Self { state: "wrong", remedy: Some(remedy.into()), ..self }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let root = context.global.store.clone().unwrap_or_else(|| PathBuf::from(".calvaria"));
    let mut findings = vec![version(), cores(context)];
    findings.extend(vectors());
    if !args.no_measure {
        findings.push(speed(context));
    }
    findings.push(device());
    findings.extend(memory());
    findings.extend(disk(&root));
    findings.extend(file_system(&root));
    findings.extend(store(&root)?);
    if context.global.json {
        out::json(&serde_json::json!({ "findings": findings }))?;
    } else {
        for finding in &findings {
            let mark = match finding.state {
                "ok" => " ",
                "note" => "·",
                _ => "!",
            };
            out::line(format!("{mark} {:<12} {}", finding.name, finding.text))?;
            if let Some(remedy) = &finding.remedy {
                out::line(format!("               {remedy}"))?;
            }
        }
    }
    let wrong: Vec<&str> = findings.iter().filter(|one| one.state == "wrong").map(|one| one.name).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Fault::new(Kind::Unfit, format!("not well: {}", wrong.join(", ")))) }
}

fn version() -> Finding {
    let text =
        format!("calvaria {} for {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    Finding::ok("version", env!("CARGO_PKG_VERSION"), text)
}

fn cores(context: &Context) -> Finding {
    let found = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let finding = Finding::ok("cores", found, format!("{found} to be used at most, {} in use", context.jobs));
    if context.jobs > found { finding.note("more threads than cores are slower: leave --jobs out") } else { finding }
}

fn vectors() -> Option<Finding> {
    let (active, best) = (kernels::active(), kernels::Simd::best());
    let finding = Finding::ok("vectors", active.name(), format!("{} instructions", active.name()));
    Some(if active == best {
        finding
    } else {
        finding.note(format!("this machine has {}: unset CALVARIA_SIMD for speed; the bits are the same", best.name()))
    })
}

fn speed(context: &Context) -> Finding {
    let gflops = 1e-9 * kernels::fma_peak(kernels::active(), context.jobs);
    let text = format!("{gflops:.0} GFLOP/s of multiply-adds on {} threads, measured now", context.jobs);
    Finding::ok("speed", (gflops * 10.0).round() / 10.0, text)
}

fn device() -> Finding {
    match Device::Auto.resolve() {
        Ok(Device::Cuda(card)) => {
            Finding::ok("device", format!("cuda:{card}"), format!("card {card} can be used: --device cuda:{card}"))
        }
        Ok(_) => {
            let built = if cfg!(feature = "cuda") { "no card that can be used" } else { "built without CUDA" };
            Finding::ok("device", "cpu", format!("the processor; {built}"))
        }
        Err(fault) => Finding::ok("device", Value::Null, fault.what).note("--device cpu works everywhere"),
    }
}

/// Free memory, where the system tells.
fn memory() -> Option<Finding> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| 1024 * kib)
    };
    let (free, total) = (kib("MemAvailable:")?, kib("MemTotal:")?);
    let finding = Finding::ok(
        "memory",
        free,
        format!("{} free of {}", forecast::human_bytes(free), forecast::human_bytes(total)),
    );
    Some(if free < LITTLE_MEMORY {
        finding.note("a network of depth 100 on slices of 512 x 512 needs about 1 GB")
    } else {
        finding
    })
}

/// The nearest folder that exists: a store need not be there yet.
fn existing(root: &Path) -> PathBuf {
    let full = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    full.ancestors().find(|folder| folder.is_dir()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

/// Free disk, by `df`, the one portable question that needs no unsafe call.
fn disk(root: &Path) -> Option<Finding> {
    let output = std::process::Command::new("df").arg("-Pk").arg(existing(root)).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let free = text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()? * 1024;
    let finding = Finding::ok("disk", free, format!("{} free where the store is", forecast::human_bytes(free)));
    Some(if free < LITTLE_DISK {
        finding.note("`calvaria gc --yes` removes what no lock file needs; --store DIR puts the store elsewhere")
    } else {
        finding
    })
}

/// The type of the file system: on some, locks or syncs are not to be relied on.
fn file_system(root: &Path) -> Option<Finding> {
    let folder = existing(root);
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (Some(at), Some(kind)) = (words.next(), words.next()) else { continue };
        let at = at.replace("\\040", " ");
        if folder.starts_with(&at) && best.is_none_or(|(length, _)| at.len() >= length) {
            best = Some((at.len(), kind));
        }
    }
    let (_, kind) = best?;
    let finding = Finding::ok("file system", kind, kind);
    Some(match kind {
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "lustre" | "fuse.sshfs" => finding
            .note("locks of this file system may not hold between machines: let one machine run a study at a time"),
        "tmpfs" | "ramfs" => finding.note("what is stored here is gone when the machine stops"),
        "vfat" | "exfat" | "msdos" => {
            finding.wrong("this file system has no permissions and no links: put the store elsewhere with --store DIR")
        }
        _ => finding,
    })
}

fn store(root: &Path) -> Result<Vec<Finding>> {
    if !root.join("format").exists() {
        return Ok(vec![Finding::ok("store", Value::Null, "there is none here yet; `calvaria run` makes it")]);
    }
    let store = match Store::open(root) {
        Ok(store) => store,
        Err(fault) => {
            let hint = fault.hint.clone().unwrap_or_default();
            return Ok(vec![Finding::ok("store", Value::Null, fault.what).wrong(hint)]);
        }
    };
    let count = |name: &str| fs::read_dir(root.join(name)).map_or(0, Iterator::count);
    let mut findings = vec![Finding::ok("store", count("ac"), format!("{} keys with records", count("ac")))];
    findings.push(writable(root));
    let left = leftovers(&store)?;
    let finding = Finding::ok("leftovers", left, format!("{left} left by runs that were killed"));
    findings.push(if left > 0 { finding.note("the next `calvaria run` removes them") } else { finding });
    let held = held(&store);
    findings.push(Finding::ok("locks", held, format!("{held} held by running processes; a dead one holds none")));
    let trash = count("trash");
    let finding = Finding::ok("trash", trash, format!("{trash} outputs"));
    findings.push(if trash > 0 {
        finding.note("damaged or collected; `calvaria gc --yes` removes those older than a week")
    } else {
        finding
    });
    let loose = loose(root);
    let finding = Finding::ok("permissions", loose, format!("{loose} outputs that can be written"));
    findings.push(if loose > 0 {
        finding.note("`calvaria verify` reads them all; what was changed is made again")
    } else {
        finding
    });
    Ok(findings)
}

/// Whether a file can be made there.
fn writable(root: &Path) -> Finding {
    let probe = tempfile::Builder::new().prefix(".probe-").tempfile_in(root);
    match probe {
        Ok(_) => Finding::ok("writing", true, "the store can be written"),
        Err(error) => Finding::ok("writing", false, format!("the store cannot be written: {error}"))
            .wrong("make it writable, or name another with --store DIR"),
    }
}

/// Workspaces whose key nobody holds.
fn leftovers(store: &Store) -> Result<usize> {
    let Ok(entries) = fs::read_dir(store.root().join("tmp")) else { return Ok(0) };
    let mut left = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let key = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
        left += usize::from(!is_held(&store.root().join("locks").join(format!("{key}.lock"))));
    }
    Ok(left)
}

fn held(store: &Store) -> usize {
    let Ok(entries) = fs::read_dir(store.root().join("locks")) else { return 0 };
    entries.flatten().filter(|entry| is_held(&entry.path())).count()
}

/// Whether a process holds a lock; the file is opened for reading, so that looking changes nothing.
fn is_held(path: &Path) -> bool {
    fs::File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

/// Outputs that are files and are not read-only.
fn loose(root: &Path) -> usize {
    let files = walkdir::WalkDir::new(root.join("cas")).min_depth(2).max_depth(2);
    let loose =
        |entry: &walkdir::DirEntry| entry.metadata().is_ok_and(|meta| meta.is_file() && !meta.permissions().readonly());
    files.into_iter().filter_map(std::result::Result::ok).filter(loose).count()
}
