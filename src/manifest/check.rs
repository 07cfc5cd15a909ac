//! What needs more than the text: files that are not there, and scans that are in two splits.

use std::collections::BTreeMap;

use super::{Case, Manifest};
use crate::{
    fault::{Fault, Result},
    pipeline::plan::Field,
};

impl Manifest {
    /// Checks that the root and every path of a used case exist.
    ///
    /// # Errors
    /// Usage, naming the line of the first that does not.
    pub fn check_paths(&self) -> Result<()> {
        let paths = || self.used().flat_map(|case| case.fields.iter().map(move |(name, field)| (case, name, field)));
        let remedy = "correct it in the manifest, or say where the data lies with `--data-root DIR`";
        if paths().any(|(_, _, field)| field.path.is_some()) && !self.root.is_dir() {
            return Err(Fault::usage("the folder with the data of the manifest is not there")
                .at(self.root.display())
                .hint("correct `root` in the manifest, or say where the data lies with `--data-root DIR`"));
        }
        for (case, name, field) in paths() {
            let Some((path, mark)) = &field.path else { continue };
            let full = self.below_root(path);
            if !full.exists() {
                let what = format!("the `{name}` of the case `{}` is not there", case.id);
                return Err(self.source.fault(*mark, what).hint(format!("looked for {}; {remedy}", full.display())));
            }
        }
        Ok(())
    }

    /// Checks that no scan is in two splits. `fingerprint` returns whatever identifies the content of a scan: the digest
    /// of its files, and that of its decoded voxels, which finds a renamed or recompressed copy too.
    ///
    /// Only scans are compared: one gold model may well serve two scans of the same object.
    ///
    /// # Errors
    /// Usage, with both cases and their lines; and whatever `fingerprint` returns.
    pub fn leaks(&self, fingerprint: &dyn Fn(&Field) -> Result<Vec<String>>) -> Result<()> {
        let mut seen: BTreeMap<String, &Case> = BTreeMap::new();
        for case in self.used() {
            let Some(field) = case.fields.get("ct") else { continue };
            let prints = fingerprint(&self.field(field)).map_err(|fault| fault.within(format!("case {}", case.id)))?;
            for print in prints {
                match seen.get(print.as_str()) {
                    Some(first) if first.split != case.split => return Err(self.leak(first, case)),
                    Some(_) => {}
                    None => drop(seen.insert(print, case)),
                }
            }
        }
        Ok(())
    }

    /// Checks what the manifest states itself: one path and series, or one declared digest, in two splits.
    pub(super) fn stated_leaks(&self) -> Result<()> {
        let mut by_path = BTreeMap::new();
        let mut by_digest: Vec<(&str, &Case)> = Vec::new();
        for case in self.used() {
            let Some(field) = case.fields.get("ct") else { continue };
            if let Some((path, _)) = &field.path {
                let series = field.options.get("series").map(ToString::to_string);
                let first: &Case = by_path.entry((path, series)).or_insert(case);
                if first.split != case.split {
                    return Err(self.leak(first, case));
                }
            }
            by_digest.extend(field.declared.as_deref().map(|digest| (digest, case)));
        }
        // Digests may be shortened; in sorted order those that begin alike stand together.
        by_digest.sort_by_key(|&(digest, _)| digest);
        for (index, &(digest, first)) in by_digest.iter().enumerate() {
            let alike = by_digest[index + 1..].iter().take_while(|(other, _)| other.starts_with(digest));
            if let Some((_, second)) = alike.clone().find(|(_, other)| other.split != first.split) {
                let (first, second) =
                    if first.mark.line <= second.mark.line { (first, *second) } else { (*second, first) };
                return Err(self.leak(first, second));
            }
        }
        Ok(())
    }

    fn leak(&self, first: &Case, second: &Case) -> Fault {
        let what = format!(
            "the cases `{}` ({}) and `{}` ({}) hold the same scan",
            first.id,
            first.split.word(),
            second.id,
            second.split.word()
        );
        self.source
            .fault_between(first.mark, second.mark, what)
            .hint("a scan belongs to one split: remove one of the two, or write `split: exclude`")
    }
}
