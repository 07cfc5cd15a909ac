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

/// Turns a binary STL that was written in LPS into RAS: x and y of normals and vertices change sign, and its header says so.
pub(super) fn into_ras(path: &Path) -> Result<()> {
    /// Header and count; then a normal and three vertices of twelve bytes each, and two bytes.
    const HEAD: usize = 84;
    /// Bytes of a triangle.
    const FACET: usize = 50;
    let mut data = std::fs::read(path).map_err(|error| Fault::file("read the file", path, &error))?;
    let stated = data.windows(9).take(80).position(|text| text == b"SPACE=LPS");
    let Some(at) = stated else {
        return Err(Fault::unfit("not an STL that states SPACE=LPS").at(path.display()));
    };
    data[at..at + 9].copy_from_slice(b"SPACE=RAS");
    for facet in data[HEAD..].chunks_exact_mut(FACET) {
        for vector in facet[..48].chunks_exact_mut(12) {
            // The sign is the highest bit of the last byte.
            vector[3] ^= 0x80;
            vector[7] ^= 0x80;
        }
    }
    bytes(path, &data)
}
