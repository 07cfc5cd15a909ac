//! `calvaria gc`: remove from the store what no lock file needs. Says what would go; removes it with `--yes`.

use std::{path::PathBuf, time::Duration};

use serde_json::json;

use super::{
    Context, forecast, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Result},
    pipeline::{lockfile::Lock, session::LockRule, store::Keep},
};

/// Arguments of `gc`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// Remove; without it, only tell
    #[arg(long)]
    yes: bool,
    /// Also keep what was made in the last days
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u64>,
    /// Also keep what this lock file needs (another project that shares the store); may be repeated
    #[arg(long, value_name = "FILE")]
    lock: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let own = study.places(LockRule::Check).lock;
    let keep = keep(args, &own)?;
    study.store.prepare()?;
    let alone = study.store.use_alone()?;
    let garbage = study.store.garbage(&keep)?;
    if args.yes {
        study.store.collect(&garbage)?;
    }
    drop(alone);
    if context.global.json {
        return out::json(&json!({
            "removed": args.yes,
            "records": garbage.keys.len(),
            "outputs": garbage.blobs.len(),
            "output_bytes": garbage.blob_bytes,
            "leftovers": garbage.paths.len(),
            "leftover_bytes": garbage.path_bytes,
        }));
    }
    out::line(format!(
        "{} records and {} outputs ({}) that no lock file needs; {} leftovers ({})",
        garbage.keys.len(),
        garbage.blobs.len(),
        forecast::human_bytes(garbage.blob_bytes),
        garbage.paths.len(),
        forecast::human_bytes(garbage.path_bytes)
    ))?;
    if args.yes {
        out::talk("removed; outputs rest in the store's trash for a week");
    } else {
        out::talk("nothing was removed: add --yes");
    }
    Ok(())
}

/// What the lock files beside the pipeline, and those named, need. With none at all everything would be garbage.
fn keep(args: &Args, own: &std::path::Path) -> Result<Keep> {
    let mut files = args.lock.clone();
    let folder = own.parent().unwrap_or(std::path::Path::new("."));
    let entries = std::fs::read_dir(folder).map_err(|error| Fault::file("list the pipelines", folder, &error))?;
    files.extend(
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "lock")),
    );
    let mut keep = Keep {
        younger_than: args.keep_days.map(|days| Duration::from_secs(days.saturating_mul(24 * 3600))),
        ..Keep::default()
    };
    for file in &files {
        let lock = Lock::read(file)?.ok_or_else(|| Fault::usage("there is no such lock file").at(file.display()))?;
        keep.keys.extend(lock.entries.values().map(|entry| entry.key));
        keep.blobs.extend(lock.entries.values().flat_map(|entry| entry.outputs.values().copied()));
    }
    if files.is_empty() && keep.younger_than.is_none() {
        return Err(Fault::usage("there is no lock file, so everything in the store would be garbage")
            .at(folder.display())
            .hint("run the pipeline first, name a lock file with --lock, or delete the store's folder yourself"));
    }
    Ok(keep)
}
