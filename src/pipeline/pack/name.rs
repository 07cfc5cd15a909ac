//! Names that a pack may hold: relative, plain, the same on every file system.

use std::collections::{BTreeMap, BTreeSet};

/// Longest name, bytes: what two fields of a tar header hold.
const LONGEST: usize = 240;

/// Returns why a name may not be in a pack, if so.
///
/// # Errors
/// The reason, as a fragment of a sentence.
pub fn check(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > LONGEST {
        return Err(format!("a name must have 1 to {LONGEST} bytes"));
    }
    if let Some(wrong) = name.chars().find(|letter| letter.is_control() || "\\:*?\"<>|".contains(*letter)) {
        return Err(format!("a name may not hold {wrong:?}"));
    }
    for part in name.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return Err("a name must be relative, without `.`, `..` or empty parts".to_owned());
        }
        if part.ends_with(['.', ' ']) {
            return Err("no part of a name may end with a point or a space".to_owned());
        }
    }
    Ok(())
}

/// The names of a pack so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// As spelled, by what they are where capitals do not count.
    files: BTreeMap<String, String>,
    folders: BTreeSet<String>,
}

impl Names {
    /// Adds a name.
    ///
    /// # Errors
    /// When it is not allowed, there already (capitals do not count), or a folder of another.
    pub(super) fn add(&mut self, name: &str) -> Result<(), String> {
        check(name)?;
        let folded = name.to_lowercase();
        if self.folders.contains(&folded) || self.files.contains_key(&folded) {
            return Err("the name is there twice".to_owned());
        }
        for (at, _) in folded.match_indices('/') {
            let folder = &folded[..at];
            if self.files.contains_key(folder) {
                return Err("a file stands where the name needs a folder".to_owned());
            }
            self.folders.insert(folder.to_owned());
        }
        self.files.insert(folded, name.to_owned());
        Ok(())
    }
}
