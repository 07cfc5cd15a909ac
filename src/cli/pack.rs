//! `calvaria pack`: a study in one file that a stranger can replay offline.

use std::{
    fs::File,
    io::BufWriter,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Context, alone, explain, forecast, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        check::check,
        lockfile::Lock,
        pack::{
            Writer,
            contents::{self, Files, Objects},
        },
        plan::{Field, Source},
        session::LockRule,
    },
};

/// Version of [`Label`].
pub(super) const PACK: u32 = 1;
/// Where data lies in a pack.
pub(super) const DATA: &str = "data";

/// `pack.json`: what a pack is, and how its study was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) pack: u32,
    pub(super) program: String,
    pub(super) name: String,
    pub(super) pipeline: String,
    pub(super) manifest: String,
    pub(super) lock: String,
    pub(super) overrides: Map<String, Value>,
    /// What backend-exact stages were computed on; null for the processor.
    pub(super) backend: Value,
    /// Whether every output of the lock file is there.
    pub(super) all_objects: bool,
    /// Whether the files of the manifest are there.
    pub(super) data: bool,
}

/// Arguments of `pack`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// Also every output of the lock file, not only what the tables are made from
    #[arg(long)]
    all: bool,
    /// Also the scans and meshes of the manifest: they may name patients
    #[arg(long)]
    data: bool,
    /// Leave this program out
    #[arg(long)]
    no_binary: bool,
    /// The pack
    #[arg(short, long, value_name = "FILE.calvaria.tar")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let places = study.places(LockRule::Check);
    let Some(lock) = Lock::read(&places.lock)? else { return Err(explain::no_lock(&study)) };
    if !check(&study.plan, &study.context(), &lock).is_empty() {
        return Err(Fault::new(Kind::Differs, "the pipeline and its lock file do not agree")
            .hint("`calvaria run` brings them together, `calvaria check` says how they differ"));
    }
    names_no_machine(&study.plan.file)?;
    study.store.prepare()?;
    let _in_use = study.store.use_shared()?;
    let mut files = contents::records(&lock, &study.store)?;
    let which = if args.all { Objects::All } else { Objects::Published };
    files.extend(contents::objects(&study.plan, &lock, &study.store, which)?);
    files.extend(results(&study, &places.results)?);
    if args.data {
        files.extend(data(&study)?);
        if !context.global.quiet {
            out::talk("note: scans and meshes are packed as they are, with all that their headers say");
        }
    }
    let label = label(&study, &lock, &places.lock, args)?;
    files.insert(label.pipeline.clone(), study.plan.file.clone());
    files.insert(label.manifest.clone(), study.spec.manifest.clone());
    files.insert(label.lock.clone(), places.lock.clone());
    let digest = write(&args.output, &label, &files, args)?;
    let bytes = std::fs::metadata(&args.output).map_or(0, |meta| meta.len());
    if context.global.json {
        return out::json(&json!({
            "pipeline": label.name,
            "files": files.len() + 1,
            "bytes": bytes,
            "digest": digest,
            "all_objects": label.all_objects,
            "data": label.data,
            "binary": !args.no_binary,
        }));
    }
    out::line(format!("{} files, {}, {digest}", files.len() + 1, forecast::human_bytes(bytes)))
}

/// Refuses a pipeline that says where its manifest lies on this machine: the file is shared as it is. A manifest can
/// say no such thing of its data.
fn names_no_machine(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).map_err(|error| Fault::file("read", file, &error))?;
    let document: Value = serde_yaml::from_str(&text).unwrap_or_default();
    let value = document["manifest"].as_str().unwrap_or_default();
    if Path::new(value).is_absolute() || value.starts_with('~') {
        return Err(Fault::usage("`manifest:` is a path of this machine, which a pack would tell")
            .at(file.display())
            .hint("write it relative to the pipeline file"));
    }
    Ok(())
}

fn label(study: &Study, lock: &Lock, lock_file: &Path, args: &Args) -> Result<Label> {
    let file_name = |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or("file").to_owned();
    let overrides = lock.overrides.iter().map(|(name, value)| {
        serde_json::from_str(value)
            .map(|value| (name.clone(), value))
            .map_err(|error| Fault::unfit(format!("the override `{name}` of the lock file: {error}")))
    });
    let folder = study.plan.file.parent().unwrap_or(Path::new(""));
    Ok(Label {
        pack: PACK,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        name: study.plan.name.clone(),
        pipeline: format!("pipelines/{}", file_name(&study.plan.file)),
        manifest: beside(folder, &study.spec.manifest)
            .unwrap_or_else(|| format!("data-manifests/{}", file_name(&study.spec.manifest))),
        lock: format!("pipelines/{}", file_name(lock_file)),
        overrides: overrides.collect::<Result<_>>()?,
        backend: contents::backend(lock, &study.store),
        all_objects: args.all,
        data: args.data,
    })
}

/// Returns the place in the pack at which the pipeline finds its manifest under the name that it gives it.
fn beside(folder: &Path, manifest: &Path) -> Option<String> {
    let mut parts = vec!["pipelines".to_owned()];
    for part in manifest.strip_prefix(folder).ok()?.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (parts.first().is_some_and(|first| first != "store")).then(|| parts.join("/"))
}

/// The published files as they stand, which must be those of the lock file: a replay is to give them again.
fn results(study: &Study, folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let survey = crate::pipeline::status::survey(&study.plan, &study.context(), None);
    let report = crate::pipeline::execute::Report {
        outcomes: vec![crate::pipeline::execute::Outcome::Cached; study.plan.nodes.len()],
        results: survey.nodes.into_iter().map(|status| status.result).collect(),
        ids: Vec::new(),
        signal: 0,
        seconds: 0.0,
    };
    for item in crate::pipeline::publish::items(&study.plan, &study.context(), &report)? {
        if crate::pipeline::publish::is_due(&item, folder, &study.context())? {
            return Err(Fault::new(
                Kind::Differs,
                format!("the published `{}` is not that of the lock file", item.name),
            )
            .hint("`calvaria run` publishes it again"));
        }
        files.insert(format!("results/{}/{}", study.plan.name, item.name), folder.join(&item.name));
    }
    Ok(files)
}

/// The files of the manifest that the study reads. Slices of a series are numbered: their names are no part of a study.
fn data(study: &Study) -> Result<Files> {
    let mut files = Files::new();
    for (field, path) in fields(study) {
        let inside = name_in_pack(study, field, path)?;
        if !path.is_dir() {
            files.insert(inside, path.to_owned());
            continue;
        }
        let slices = walkdir::WalkDir::new(path).max_depth(1).sort_by_file_name();
        let slices = slices.into_iter().filter_map(std::result::Result::ok).filter(|entry| entry.file_type().is_file());
        for (number, slice) in slices.enumerate() {
            files.insert(format!("{inside}/{:06}", number + 1), slice.into_path());
        }
    }
    Ok(files)
}

/// The fields that the study reads, with their paths; programs and scripts belong to no case.
pub(super) fn fields(study: &Study) -> impl Iterator<Item = (&Field, &Path)> {
    study.plan.nodes.iter().flat_map(|node| node.inputs.values().flatten()).filter_map(|source| match source {
        Source::Field { case, field, .. } if !case.is_empty() => Some((field, field.path.as_deref()?)),
        Source::Field { .. } | Source::Output { .. } => None,
    })
}

fn name_in_pack(study: &Study, field: &Field, path: &Path) -> Result<String> {
    let root = std::path::absolute(&study.manifest().root).unwrap_or_else(|_| study.manifest().root.clone());
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let inside = full.strip_prefix(&root).ok().and_then(|inside| inside.to_str());
    inside
        .map(|inside| format!("{DATA}/{inside}"))
        .ok_or_else(|| Fault::unfit("a file of the manifest does not lie below its root").at(&field.place))
}

fn write(output: &Path, label: &Label, files: &Files, args: &Args) -> Result<String> {
    let mut digest = String::new();
    alone::whole(output, |part| {
        let file = File::create(part).map_err(|error| Fault::file("write", output, &error))?;
        let mut writer = Writer::new(BufWriter::new(file));
        let text = serde_json::to_string_pretty(label)
            .map_err(|error| Fault::unfit(format!("the label cannot be written: {error}")))?;
        writer.bytes("pack.json", format!("{text}\n").as_bytes())?;
        for (name, path) in files {
            writer.file(name, path, false)?;
        }
        if !args.no_binary {
            let program = std::env::current_exe()
                .map_err(|error| Fault::unfit(format!("this program does not find itself: {error}")))?;
            writer.file("bin/calvaria", &program, true)?;
        }
        digest = writer.finish()?.to_string();
        Ok(())
    })?;
    Ok(digest)
}
