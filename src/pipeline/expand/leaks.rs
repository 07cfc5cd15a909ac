//! One person in two splits: what is learnt from one scan of a head is known of its other scan too.

use std::collections::BTreeMap;

use crate::{
    fault::{Fault, Result},
    pipeline::plan::Item,
};

/// Fields of a case in the manifest that say whose scan it is.
pub(super) const PERSON: &[&str] = &["subject", "patient"];

/// Refuses cases of one person in two splits.
pub(super) fn check(items: &[Item]) -> Result<()> {
    for field in PERSON {
        let mut seen: BTreeMap<&str, &Item> = BTreeMap::new();
        for item in items {
            let Some(person) = item.attributes.get(*field) else { continue };
            let first = *seen.entry(person).or_insert(item);
            let split = |item: &Item| item.attributes.get("split").cloned().unwrap_or_default();
            if split(first) != split(item) {
                let what = format!(
                    "the cases `{}` ({}) and `{}` ({}) are of one {field}, `{person}`",
                    first.id,
                    split(first),
                    item.id,
                    split(item)
                );
                return Err(Fault::usage(what)
                    .at(&item.place)
                    .hint("a person belongs to one split: move one of the two, or write `split: exclude`"));
            }
        }
    }
    Ok(())
}
