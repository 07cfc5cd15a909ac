//! `calvaria replay`: unpack a study, make its tables again offline, and say whether they are the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Parser;
use serde::Serialize;
use serde_json::json;

use super::{
    Context, Global, out, pack,
    progress::Watch,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        self,
        digest::Digest,
        execute::{self, Fingerprint, Options},
        lockfile::Lock,
        origin::label_of,
        pack::contents,
        plan::{Field, Source},
        session::{self, LockRule, Places},
        statcache::StatCache,
    },
};

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pack
    file: PathBuf,
    /// Keep what is unpacked, and what is made again, in this new folder
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Execute every stage, not only those that make the tables
    #[arg(long)]
    execute: bool,
}

/// What became of one packed result.
#[derive(Clone, Debug, Serialize)]
struct Row {
    name: String,
    /// `equal`, `differs` or `missing`.
    verdict: &'static str,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let file = File::open(&args.file).map_err(|error| Fault::file("read the pack", &args.file, &error))?;
    let scratch = tempfile::tempdir().map_err(|error| Fault::unfit(format!("no temporary folder: {error}")))?;
    let folder = args.to.clone().unwrap_or_else(|| scratch.path().join("study"));
    let digest = pipeline::pack::unpack(BufReader::new(file), &folder)?;
    let label = read_label(&folder)?;
    let again = folder.join("replayed");
    fs::create_dir(&again).map_err(|error| Fault::file("create the folder", &again, &error))?;
    let (executed, lock_equal) = make(args, &folder, &again, &label, context)?;
    let rows = compare(&folder.join("results").join(&label.name), &again.join("results").join(&label.name))?;
    let verdict = verdict(&rows, lock_equal);
    if context.global.json {
        out::json(&json!({
            "pipeline": label.name,
            "digest": digest,
            "executed": executed,
            "results": rows,
            "lock_equal": lock_equal,
            "verdict": verdict,
        }))?;
    } else {
        for row in &rows {
            out::line(format!("{:<8} results/{}/{}", row.verdict, label.name, row.name))?;
        }
        out::line(format!("{:<8} {}", if lock_equal { "equal" } else { "differs" }, label.lock))?;
        let stages = if executed == 1 { "item" } else { "items" };
        out::line(format!("verdict: {verdict} ({executed} {stages} executed)"))?;
    }
    match verdict {
        "equal" => Ok(()),
        "partial" => Err(Fault::new(Kind::Missing, "some results need data that is not in the pack")
            .hint("pack again with --data, or with --all")),
        _ => Err(Fault::new(Kind::Mismatch, "the results made again are not those of the pack")),
    }
}

fn read_label(folder: &Path) -> Result<pack::Label> {
    let path = folder.join("pack.json");
    let text = fs::read(&path).map_err(|error| Fault::file("read", &path, &error))?;
    let label: pack::Label = serde_json::from_slice(&text)
        .map_err(|error| Fault::unfit(format!("`pack.json` is of no form that this program knows: {error}")))?;
    if label.pack != pack::PACK {
        return Err(Fault::unfit(format!("the pack is of form {}, this program knows {}", label.pack, pack::PACK)));
    }
    for name in [&label.pipeline, &label.manifest, &label.lock, &label.name] {
        pipeline::pack::name::check(name).map_err(|why| Fault::unfit(format!("`pack.json`: {why}")))?;
    }
    Ok(label)
}

/// Makes the results; returns how many nodes were executed, and whether the lock file came out the same.
fn make(args: &Args, folder: &Path, again: &Path, label: &pack::Label, context: &Context) -> Result<(usize, bool)> {
    let packed = folder.join(&label.lock);
    let lock = Lock::read(&packed)?.ok_or_else(|| Fault::unfit("the pack has no lock file"))?;
    let store = if args.execute { again.join("store") } else { folder.join("store") };
    let inner = Context {
        global: Global { store: Some(store), ..context.global.clone() },
        jobs: context.jobs,
        cancelled: Arc::clone(&context.cancelled),
    };
    let study = open(folder, label, &inner)?;
    study.store.prepare()?;
    if args.execute && pack::fields(&study).any(|(_, path)| !path.exists()) {
        return Err(Fault::new(Kind::Missing, "the scans of the study are not in the pack")
            .hint("replay without --execute, or pack again with --data"));
    }
    let known = Known::of(&study, &lock);
    let engine = execute::Context { fingerprint: &known, backend: label.backend.clone(), ..study.context() };
    let only = if args.execute {
        None
    } else {
        let nodes = possible(&study);
        contents::stand_ins(&study.store, &lock)?;
        contents::forget(study.store.root(), &nodes, &study.plan, &lock)?;
        Some(nodes)
    };
    let locked = again.join(format!("{}.lock", label.name));
    if only.is_some() {
        fs::copy(&packed, &locked).map_err(|error| Fault::file("copy the lock file", &locked, &error))?;
    }
    let places = Places { lock: locked, results: again.join("results").join(&label.name), rule: LockRule::Write };
    let options = Options { jobs: context.jobs, only, cancelled: Arc::clone(&context.cancelled), ..Options::default() };
    let watch = Watch::new(&context.global);
    let finished = session::run(&study.plan, &engine, &options, &places, &watch)?;
    watch.close();
    for (id, fault) in finished.report.failures() {
        out::talk(format!("{id} failed: {fault}"));
    }
    if let Some(fault) = finished.fault.filter(|fault| fault.kind != Kind::Mismatch) {
        return Err(fault);
    }
    let equal = fs::read(&places.lock).ok() == fs::read(&packed).ok();
    Ok((finished.report.summary().ran, equal))
}

/// The study of a pack, by the words that a person would type.
#[derive(Debug, Parser)]
struct Words {
    #[command(flatten)]
    study: study::Args,
}

fn open(folder: &Path, label: &pack::Label, context: &Context) -> Result<Study> {
    let mut words: Vec<std::ffi::OsString> = vec!["replay".into(), folder.join(&label.pipeline).into()];
    for (key, value) in &label.overrides {
        words.extend(["--set".into(), format!("{key}={}", pipeline::canonical::encode(value)?).into()]);
    }
    words.extend(["--manifest".into(), folder.join(&label.manifest).into()]);
    words.extend(["--data-root".into(), folder.join(pack::DATA).into()]);
    let words = Words::try_parse_from(words)
        .map_err(|error| Fault::unfit(format!("the pack's study cannot be asked for: {error}")))?;
    Study::open(&words.study, context)
}

/// Returns the nodes that publish and whose files, if they read any, are in the pack.
fn possible(study: &Study) -> BTreeSet<usize> {
    let there = |source: &Source| match source {
        Source::Field { field, .. } => field.path.as_ref().is_none_or(|path| path.exists()),
        Source::Output { .. } => true,
    };
    let mut nodes = contents::publishers(&study.plan);
    nodes.retain(|&index| study.plan.nodes.get(index).is_some_and(|node| node.inputs.values().flatten().all(there)));
    nodes
}

/// What the content of the manifest's files is: as it is where they were packed, else as the lock file says.
struct Known {
    locked: BTreeMap<PathBuf, Digest>,
}

impl Known {
    fn of(study: &Study, lock: &Lock) -> Self {
        let mut locked = BTreeMap::new();
        for node in &study.plan.nodes {
            let Some(entry) = lock.entries.get(&node.id) else { continue };
            for source in node.inputs.values().flatten() {
                if let Source::Field { field: Field { path: Some(path), .. }, .. } = source
                    && !path.exists()
                    && let Some(digest) = entry.digest_of(&label_of(source, &study.plan))
                {
                    locked.insert(path.clone(), digest);
                }
            }
        }
        Self { locked }
    }
}

impl Fingerprint for Known {
    fn digest(&self, field: &Field, cache: &StatCache) -> Result<Digest> {
        match field.path.as_ref().and_then(|path| self.locked.get(path)) {
            Some(digest) => Ok(*digest),
            None => super::content::Content.digest(field, cache),
        }
    }
}

/// Compares every packed result with the one that was made.
fn compare(packed: &Path, made: &Path) -> Result<Vec<Row>> {
    let mut names: Vec<String> = Vec::new();
    let entries = fs::read_dir(packed).map_err(|_| Fault::unfit("the pack has no results to compare with"))?;
    names.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()));
    names.sort();
    let verdict = |name: &String| match (fs::read(packed.join(name)), fs::read(made.join(name))) {
        (Ok(packed), Ok(made)) if packed == made => "equal",
        (_, Err(_)) => "missing",
        _ => "differs",
    };
    Ok(names.iter().map(|name| Row { name: name.clone(), verdict: verdict(name) }).collect())
}

fn verdict(rows: &[Row], lock_equal: bool) -> &'static str {
    let any = |verdict| rows.iter().any(|row| row.verdict == verdict);
    match (any("differs"), any("missing"), lock_equal) {
        (true, _, _) => "differs",
        (false, true, _) => "partial",
        (false, false, true) => "equal",
        (false, false, false) => "differs",
    }
}
