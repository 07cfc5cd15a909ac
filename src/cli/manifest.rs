//! `calvaria manifest`: write a manifest from folders of scans, or check one.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Context, content::Content, out};
use crate::{
    fault::{Fault, Result},
    io,
    manifest::{
        Manifest,
        scan::{self, FoundMesh, FoundScan},
    },
    pipeline::{digest::Digest, stage::Artifact, statcache::StatCache},
};

/// Hex digits of a digest in a manifest: enough to notice any accident, short enough to read.
const SHORT: usize = 16;

/// What to do with a manifest.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Pair the scans and meshes below a folder and print a manifest
    Scan(Scan),
    /// Check a manifest and its data: paths, digests, the same scan in two splits
    Check(Check),
}

/// Arguments of `manifest scan`.
#[derive(Debug, clap::Args)]
pub(super) struct Scan {
    /// The folder with scans and meshes
    folder: PathBuf,
    /// What case ids begin with
    #[arg(long, default_value = "c", value_name = "PREFIX")]
    id_prefix: String,
}

/// Arguments of `manifest check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The manifest
    file: PathBuf,
    /// Where its paths start
    #[arg(long, value_name = "DIR")]
    data_root: Option<PathBuf>,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<()> {
    match command {
        Command::Scan(args) => scan_folder(args, context),
        Command::Check(args) => check(args, context),
    }
}

fn check(args: &Check, context: &Context) -> Result<()> {
    let manifest = Manifest::load(&args.file, args.data_root.as_deref())?;
    manifest.check_paths()?;
    let cache = StatCache::in_memory();
    manifest.check_digests(&|field| crate::pipeline::execute::Fingerprint::digest(&Content, field, &cache))?;
    manifest.leaks(&|field| Content.leak_digests(field, &cache))?;
    let counts = manifest.split_counts();
    if context.global.json {
        return out::json(&json!({ "cases": manifest.cases.len(), "splits": counts }));
    }
    let words: Vec<String> = counts.iter().map(|(split, count)| format!("{count} {split}")).collect();
    out::line(format!("{} cases: {}; no scan is in two splits", manifest.cases.len(), words.join(", ")))
}

/// Returns scan and label of every training case.
pub(super) fn training_pairs(file: &Path, data_root: Option<&Path>) -> Result<Vec<(Artifact, Artifact)>> {
    let pairs = labelled_pairs(file, data_root, "train")?;
    if pairs.is_empty() {
        return Err(Fault::usage("the manifest has no case with `split: train`").at(file.display()));
    }
    Ok(pairs)
}

/// Returns scan and label of every case of a split.
pub(super) fn labelled_pairs(file: &Path, data_root: Option<&Path>, split: &str) -> Result<Vec<(Artifact, Artifact)>> {
    let manifest = Manifest::load(file, data_root)?;
    let mut items = manifest.items();
    items.retain(|item| item.attributes.get("split").is_some_and(|of_item| of_item == split));
    items.sort_by(|a, b| a.id.cmp(&b.id));
    let mut pairs = Vec::with_capacity(items.len());
    for item in &items {
        let artifact = |name: &str| {
            let field = item.fields.get(name).filter(|field| field.path.is_some());
            let field = field.ok_or_else(|| {
                Fault::usage(format!("case `{}` has no `{name}`", item.id)).at(&item.place).hint(
                    "training needs a scan and a label: `calvaria align` and `calvaria voxelize` make the label from a gold mesh",
                )
            })?;
            if let Some(path) = field.path.as_deref().filter(|path| !path.exists()) {
                return Err(Fault::usage(format!("the {name} of case `{}` does not exist", item.id)).at(path.display()));
            }
            Ok(Artifact {
                item: item.id.clone(),
                case: Some(item.id.clone()),
                kind: field.kind.clone(),
                path: field.path.clone(),
                options: field.options.clone(),
                ..Artifact::default()
            })
        };
        pairs.push((artifact("ct")?, artifact("label")?));
    }
    Ok(pairs)
}

fn scan_folder(args: &Scan, context: &Context) -> Result<()> {
    if !args.folder.is_dir() {
        return Err(Fault::usage("no such folder").at(args.folder.display()));
    }
    let mut scans = Vec::new();
    let mut meshes = Vec::new();
    let walk = walkdir::WalkDir::new(&args.folder).sort_by_file_name();
    for entry in walk {
        let entry = entry.map_err(|error| Fault::unfit(format!("cannot list the folder: {error}")))?;
        let path = entry.path();
        if entry.file_type().is_dir() {
            scans.extend(series_in(path, &args.folder)?);
        } else if io::mesh::is_mesh_name(path) {
            meshes.push(FoundMesh { path: relative(path, &args.folder)?, digest: short(&file_digest(path)?) });
        } else if io::image::is_image_name(path) {
            let digest = short(&file_digest(path)?);
            scans.push(FoundScan { path: relative(path, &args.folder)?, series: None, files: None, digest });
        }
    }
    if scans.is_empty() {
        return Err(Fault::usage("there is no scan below this folder").at(args.folder.display()));
    }
    let root = args.folder.to_str().ok_or_else(|| Fault::usage("the folder's name is not valid text"))?;
    let text = scan::render(&scan::pair(scans, meshes), &args.id_prefix, root)?;
    if context.global.json { out::json(&json!({ "manifest": text })) } else { out::line(text) }
}

fn series_in(folder: &Path, root: &Path) -> Result<Vec<FoundScan>> {
    // A folder without a readable DICOM file is no scan, and no fault.
    let Ok(found) = io::series::list(folder) else { return Ok(Vec::new()) };
    let several = found.len() > 1;
    found
        .iter()
        .map(|series| {
            Ok(FoundScan {
                path: relative(folder, root)?,
                series: several.then_some(series.number as u64),
                files: Some(series.files as u64),
                digest: short(&Digest(io::series::digest(folder, Some(series.number))?)),
            })
        })
        .collect()
}

fn relative(path: &Path, root: &Path) -> Result<String> {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let text = inside.to_str().ok_or_else(|| Fault::usage("a file name is not valid text").at(path.display()))?;
    Ok(if text.is_empty() { ".".to_owned() } else { text.to_owned() })
}

fn file_digest(path: &Path) -> Result<Digest> {
    Digest::of_file(path).map(|(digest, _)| digest).map_err(|error| Fault::file("read", path, &error))
}

fn short(digest: &Digest) -> String {
    digest.to_string()[..SHORT].to_owned()
}
