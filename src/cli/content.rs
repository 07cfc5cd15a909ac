//! What the content of a user's file is: the engine asks, the formats answer.

use std::path::Path;

use serde_json::Value;

use crate::{
    fault::{Fault, Result},
    io::series,
    pipeline::{digest::Digest, execute::Fingerprint, plan::Field, statcache::StatCache},
};

/// Digests of the fields of cases: a DICOM folder by the files of its one series, any other file by its bytes.
pub(super) struct Content;

impl Fingerprint for Content {
    fn digest(&self, field: &Field, cache: &StatCache) -> Result<Digest> {
        let path = path(field)?;
        if !path.is_dir() {
            // A header names its data, a pair has two files, a DICOM file stands for its series: all of them count.
            let parts = series::parts(path).unwrap_or_default();
            if parts.len() > 1 {
                return cache.memo(&parts, "parts", || Ok(Digest(series::digest(path, series_number(field))?)));
            }
            return cache.digest(path);
        }
        let tag = format!("series {:?}", series_number(field));
        cache.memo(&files_below(path)?, &tag, || Ok(Digest(series::digest(path, series_number(field))?)))
    }
}

impl Content {
    /// Returns what a scan in two splits would share: the digest of its bytes, and that of its decoded volume.
    pub(super) fn leak_digests(&self, field: &Field, cache: &StatCache) -> Result<Vec<String>> {
        let path = path(field)?;
        let bytes = self.digest(field, cache)?;
        let files = if path.is_dir() { files_below(path)? } else { series::parts(path)? };
        let tag = format!("decoded {:?}", series_number(field));
        let decoded = cache.memo(&files, &tag, || Ok(Digest(series::decoded_digest(path, series_number(field))?)))?;
        Ok(vec![bytes.to_string(), decoded.to_string()])
    }
}

fn path(field: &Field) -> Result<&Path> {
    field.path.as_deref().ok_or_else(|| Fault::unfit(format!("a {} without a file has no content", field.kind)))
}

fn series_number(field: &Field) -> Option<usize> {
    field.options.get("series").and_then(Value::as_u64).map(|number| number as usize)
}

fn files_below(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry =
            entry.map_err(|error| Fault::unfit(format!("cannot list the folder: {error}")).at(folder.display()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}
