//! The few results that leave the store: `publish: table1` becomes `results/<pipeline>/table1.csv` and so on.
//!
//! ```text
//! file output                       <name>.<ext>
//! folder output, its file X.ext     <name>-X.ext, or <name>.ext where X is the port's name
//! node of a case, with axes         <name>-<case>-<axis values>…
//! ```
//! Copies, never links: who edits a result does not edit the store. A file whose bytes are right is not touched.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    digest::Digest,
    execute::{Context, Outcome, Report},
    plan::{Node, Plan},
    record::Blob,
    stage::Output,
    store::{Verdict, make_folder, replace_file},
};
use crate::fault::{Fault, Result};

/// A file to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Name under `results/<pipeline>/`.
    pub name: String,
    /// The file in the store.
    pub path: PathBuf,
    /// Digest of the output that it belongs to.
    pub blob: Digest,
}

/// Returns what a run publishes, by name.
///
/// # Errors
/// Usage when two stages would write the same file; unfit when the store cannot be read.
pub fn items(plan: &Plan, context: &Context<'_>, report: &Report) -> Result<Vec<Item>> {
    let mut found: BTreeMap<String, (Item, &Node)> = BTreeMap::new();
    for (i, node) in plan.nodes.iter().enumerate() {
        let asked = report.outcomes[i] != Outcome::NotSelected;
        let (Some(publish), Some(result), true) = (&node.publish, &report.results[i], asked) else { continue };
        let base = base_name(publish, node);
        let mut own: BTreeMap<String, Item> = BTreeMap::new();
        for output in node.op.outputs() {
            let Some(blob) = result.outputs.get(output.name) else { continue };
            for (name, path) in files_of(&base, output, blob, &context.store.blob_path(&blob.digest))? {
                let item = |name: String| (name.clone(), Item { name, path, blob: blob.digest });
                // The second mesh of a stage is named by its port.
                let free = if own.contains_key(&name) { with_port(&base, output.name, &name) } else { name };
                own.extend([item(free)]);
            }
        }
        for (name, item) in own {
            if let Some((_, other)) = found.insert(name.clone(), (item, node)) {
                return Err(Fault::usage(format!("{} and {} would both publish `{name}`", other.id, node.id))
                    .at(&node.place)
                    .hint("give one of them another name under `publish:`"));
            }
        }
    }
    Ok(found.into_values().map(|(item, _)| item).collect())
}

/// Returns whether a file must be written: it is missing, or its bytes are others.
///
/// # Errors
/// When the stored file cannot be read.
pub fn is_due(item: &Item, folder: &Path, context: &Context<'_>) -> Result<bool> {
    let target = folder.join(&item.name);
    Ok(!target.is_file() || context.cache.digest(&target)? != context.cache.digest(&item.path)?)
}

/// Writes a file; returns false, with nothing written, when the stored bytes are damaged.
///
/// # Errors
/// When it cannot be written.
pub fn write(item: &Item, folder: &Path, context: &Context<'_>) -> Result<bool> {
    if context.store.verify(&item.blob)? != Verdict::Good {
        return Ok(false);
    }
    make_folder(folder)?;
    let target = folder.join(&item.name);
    let bytes = fs::read(&item.path).map_err(|error| Fault::file("read from the store", &item.path, &error))?;
    replace_file(&target, &bytes)
        .map_err(|error| Fault::unfit(format!("cannot write the result: {error}")).at(target.display()))?;
    Ok(true)
}

/// Removes what a killed run left between writing and renaming. The caller is the only one who publishes here.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp")) {
            // It is found again the next time.
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Returns the stem of what a node publishes: `figure`, `figure-p16`, `figure-p16-msdnet-2`.
pub(super) fn base_name(publish: &str, node: &Node) -> String {
    let parts = std::iter::once(publish).chain(node.case.as_deref()).chain(node.axes.values().map(String::as_str));
    parts.map(safe).collect::<Vec<_>>().join("-")
}

fn safe(text: &str) -> String {
    let keep = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name: String = text.chars().map(|letter| if keep(letter) { letter } else { '_' }).collect();
    // A name that begins with a dot is hidden, or means the folder above.
    if name.starts_with('.') { format!("_{name}") } else { name }
}

fn with_port(base: &str, port: &str, name: &str) -> String {
    format!("{base}-{port}{}", name.strip_prefix(base).unwrap_or(name))
}

fn files_of(base: &str, output: &Output, blob: &Blob, path: &Path) -> Result<Vec<(String, PathBuf)>> {
    if !blob.folder {
        return Ok(vec![(with_extension(base, output.file), path.to_path_buf())]);
    }
    let mut names = Vec::new();
    list(path, "", &mut names).map_err(|error| Fault::file("read from the store", path, &error))?;
    names.sort();
    let target = |name: &String| {
        let flat = name.split('/').map(safe).collect::<Vec<_>>().join("-");
        let stem = flat.split('.').next().unwrap_or(&flat);
        if stem == output.name { with_extension(base, &flat) } else { format!("{base}-{flat}") }
    };
    Ok(names.iter().map(|name| (target(name), path.join(name))).collect())
}

/// An extension is all after the first dot: `label.nii.gz` is a `nii.gz`.
fn with_extension(base: &str, file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split_once('.').map_or_else(|| base.to_owned(), |(_, extension)| format!("{base}.{extension}"))
}

fn list(path: &Path, prefix: &str, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_the_folder() {
        assert_eq!(safe("../../etc"), "_.._.._etc");
        assert_eq!(safe("p16"), "p16");
        assert_eq!(with_extension("mask-p16", "label.nii.gz"), "mask-p16.nii.gz");
        assert_eq!(with_extension("model", "weights"), "model");
        assert_eq!(with_port("bone-p1", "defect", "bone-p1.stl"), "bone-p1-defect.stl");
    }

    #[test]
    fn a_folder_is_spread_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("table.csv"), "1").unwrap();
        fs::create_dir(dir.path().join("slices")).unwrap();
        fs::write(dir.path().join("slices/a.png"), "2").unwrap();
        let output = Output { name: "table", kind: "table", file: "table/", optional: false, doc: "" };
        let blob = Blob { digest: Digest::of_bytes(b""), bytes: 2, folder: true };
        let files = files_of("table1", &output, &blob, dir.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["table1-slices-a.png", "table1.csv"]);
    }
}
