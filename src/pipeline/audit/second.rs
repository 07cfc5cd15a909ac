//! The second store: the records of the first, copies of the inputs that are needed, and holes for all else.

use std::{collections::BTreeSet, fs, io, path::Path};

use super::Subject;
use crate::{
    fault::{Fault, Result},
    pipeline::{
        digest::Digest,
        execute::{Context, with_sources},
        plan::{Plan, Source},
        status::{Survey, survey},
        store::{Store, Verdict},
    },
};

/// Makes a store in a folder that can execute the subjects again.
///
/// Inputs are copies, so that a stage that spoils its inputs spoils nothing of the first store. Outputs that nobody reads
/// are holes of the right length: a blob is hashed before it is read, so they can only count as being there.
///
/// # Errors
/// Missing (5) when an input is damaged; when the folder cannot be written.
pub fn second_store(plan: &Plan, context: &Context<'_>, subjects: &[Subject], root: &Path) -> Result<Store> {
    let second = Store::open(root)?;
    second.prepare()?;
    let found = survey(plan, context, None);
    let nodes: BTreeSet<usize> = subjects.iter().map(|subject| subject.node).collect();
    let mut read = BTreeSet::new();
    for source in
        nodes.iter().filter_map(|index| plan.nodes.get(*index)).flat_map(|node| node.inputs.values().flatten())
    {
        read.extend(output(source, &found));
    }
    for digest in &read {
        copy_blob(context.store, &second, digest)?;
    }
    for node in with_sources(plan, &nodes) {
        let Some(result) = found.nodes.get(node).and_then(|status| status.result.as_ref()) else { continue };
        let name = Path::new("ac").join(result.key.to_string());
        copy(&context.store.root().join(&name), &root.join(&name))
            .map_err(|error| Fault::file("copy", root, &error))?;
        crate::pipeline::pack::contents::stand_in_for(&second, &result.outputs)?;
    }
    Ok(second)
}

fn output(source: &Source, found: &Survey) -> Option<Digest> {
    let Source::Output { node, port } = source else { return None };
    let result = found.nodes.get(*node)?.result.as_ref()?;
    result.outputs.get(*port).map(|blob| blob.digest)
}

fn copy_blob(store: &Store, second: &Store, digest: &Digest) -> Result<()> {
    if store.verify(digest)? != Verdict::Good {
        return Err(Fault::new(crate::fault::Kind::Missing, format!("the stored {} is damaged", digest.short()))
            .hint("`calvaria run` makes it again"));
    }
    let (from, to) = (store.blob_path(digest), second.blob_path(digest));
    fs::create_dir_all(to.parent().unwrap_or(second.root()))
        .and_then(|()| copy(&from, &to))
        .map_err(|error| Fault::file("copy", &to, &error))
}

/// Copies a file, or a folder with all below it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
