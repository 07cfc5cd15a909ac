//! Results that no stage publishes any more: told, never deleted.
//!
//! The store remembers what it ever published for a pipeline, so a file that a person put beside the results is not told.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    digest::Digest,
    store::{Store, replace_file_lightly},
};

/// Returns the files that an earlier run published into `results`, that are still there, and that this one would not;
/// `current` are the names that it would. Remembers both.
pub fn stale(store: &Store, pipeline: &str, results: &Path, current: &BTreeSet<String>) -> Vec<String> {
    let name = format!("published-{}", Digest::of_bytes(pipeline.as_bytes()).short());
    let memory = store.root().join("index").join(name);
    let known = fs::read_to_string(&memory).unwrap_or_default();
    let left = |name: &&str| !name.is_empty() && !current.contains(*name) && results.join(name).is_file();
    let stale: Vec<String> = known.lines().filter(left).map(str::to_owned).collect();
    let all: BTreeSet<&str> = stale.iter().chain(current).map(String::as_str).collect();
    let text: String = all.iter().map(|name| format!("{name}\n")).collect();
    if text != known {
        // What cannot be remembered is not told the next time.
        drop(replace_file_lightly(&memory, text.as_bytes()));
    }
    stale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_published_once_and_is_still_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        store.prepare().unwrap();
        let results = dir.path().join("results");
        fs::create_dir(&results).unwrap();
        for name in ["old.csv", "new.csv", "mine.txt"] {
            fs::write(results.join(name), name).unwrap();
        }
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        assert!(stale(&store, "p", &results, &names(&["old.csv"])).is_empty());
        assert_eq!(stale(&store, "p", &results, &names(&["new.csv"])), ["old.csv"]);
        assert_eq!(stale(&store, "p", &results, &names(&["new.csv"])), ["old.csv"], "told until it is gone");
        assert!(stale(&store, "q", &results, &names(&[])).is_empty(), "another pipeline knows nothing of it");
        fs::remove_file(results.join("old.csv")).unwrap();
        assert!(stale(&store, "p", &results, &names(&["new.csv"])).is_empty());
    }
}
