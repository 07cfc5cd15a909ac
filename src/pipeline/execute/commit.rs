//! What a stage wrote becomes a result: all that it declares, nothing else, durable, and only then recorded.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    fault::{Fault, Result},
    pipeline::{
        plan::Node,
        record::{Blob, Outputs},
        stage::Output,
        store::{Store, Workspace, measure},
    },
};

/// Returns the path inside a workspace where an output is written.
pub(super) fn output_path(output: &Output) -> PathBuf {
    Path::new("out").join(output.name).join(output.file.trim_end_matches('/'))
}

/// Checks the outputs of a stage and takes them into the store.
pub(super) fn take_outputs(store: &Store, node: &Node, workspace: &Workspace) -> Result<Outputs> {
    let mut measured = Vec::new();
    for output in node.op.outputs() {
        let path = workspace.path().join(output_path(output));
        refuse_undeclared(&path)?;
        if !path.exists() {
            if output.optional {
                continue;
            }
            return Err(Fault::unfit(format!("the stage did not write its output `{}`", output.name)));
        }
        let tree = measure(&path)?;
        check(output, &tree.blob, tree.files.is_empty())?;
        measured.push((output.name, path, tree));
    }
    let mut outputs = Outputs::new();
    for (name, path, tree) in measured {
        store.admit(&path, &tree)?;
        outputs.insert(name.to_owned(), tree.blob);
    }
    Ok(outputs)
}

/// Each output has a folder to itself, in which only it may be.
fn refuse_undeclared(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    for entry in fs::read_dir(folder).map_err(|error| Fault::file("read", folder, &error))? {
        let entry = entry.map_err(|error| Fault::file("read", folder, &error))?;
        if Some(entry.file_name().as_os_str()) != path.file_name() {
            return Err(Fault::unfit("the stage wrote a file that it does not declare").at(entry.path().display()));
        }
    }
    Ok(())
}

fn check(output: &Output, blob: &Blob, no_files: bool) -> Result<()> {
    let name = output.name;
    if blob.folder != output.file.ends_with('/') {
        let (is, declared) = if blob.folder { ("folder", "file") } else { ("file", "folder") };
        return Err(Fault::unfit(format!("the output `{name}` is a {is}, declared as a {declared}")));
    }
    if no_files || (!blob.folder && blob.bytes == 0) {
        return Err(Fault::unfit(format!("the output `{name}` is empty")));
    }
    Ok(())
}
