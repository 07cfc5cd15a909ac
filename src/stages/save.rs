//! Writing the small outputs: JSON with a fixed layout.

use std::path::Path;

use serde::Serialize;

use crate::fault::{Fault, Result};

/// Writes a value as indented JSON with a final newline; struct order and map order are the value's own.
pub(super) fn json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Fault::unfit(format!("the result cannot be written as JSON: {error}")))?;
    text.push('\n');
    std::fs::write(path, text).map_err(|error| Fault::file("write the output", path, &error))
}

/// Writes bytes.
pub(super) fn bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| Fault::file("write the output", path, &error))
}

/// Creates a folder output.
pub(super) fn folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Fault::file("create the output folder", path, &error))
}
