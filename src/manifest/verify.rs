//! Does the data agree with what the manifest says of it?

use std::collections::BTreeMap;

use super::Manifest;
use crate::{
    fault::{Fault, Result},
    pipeline::{digest::Digest, plan::Field},
};

impl Manifest {
    /// Compares the declared digest of every file with its content, as `digest` finds it.
    ///
    /// # Errors
    /// Unfit at the first file whose content is another one; what `digest` says of a file that cannot be read.
    pub fn check_digests(&self, digest: &dyn Fn(&Field) -> Result<Digest>) -> Result<()> {
        for item in self.items() {
            for (name, field) in &item.fields {
                let (Some(declared), Some(_)) = (&field.declared, &field.path) else { continue };
                let found = digest(field)?.to_string();
                if !found.starts_with(declared.as_str()) {
                    let shown = &found[..declared.len().min(found.len())];
                    return Err(Fault::unfit(format!(
                        "the {name} of case `{}` is not the declared one: blake3 {shown}, not {declared}",
                        item.id
                    ))
                    .at(&field.place)
                    .hint("restore the file, or write its new digest once you know why it changed"));
                }
            }
        }
        Ok(())
    }

    /// Returns the number of cases by split, in the order train, validation, test, exclude.
    #[must_use]
    pub fn split_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for case in &self.cases {
            *counts.entry(case.split.word()).or_default() += 1;
        }
        counts
    }
}
