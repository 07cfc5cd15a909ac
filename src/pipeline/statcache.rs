//! Remembers digests of files by their stat, so that a run that has nothing to do opens no data file.
//!
//! An entry is kept only if the file was older than two seconds when it was hashed: a younger one can change once more
//! without a change of its times. The memory file holds digests only, no path.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    digest::Digest,
    filestat::FileStat,
    store::{replace_file_lightly, store_fault},
};
use crate::fault::{Fault, Result};

const HEADER: &[u8] = b"calvaria stat 1\n";
/// Key, digest, and the first bytes of their digest.
const ENTRY: usize = 32 + 32 + 8;
/// The youngest age at which a file's times can be trusted.
const SETTLED_NS: i128 = 2_000_000_000;

/// A memory of digests by (device, inode, size, mtime, ctime).
#[derive(Debug, Default)]
pub struct StatCache {
    file: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Valid in every later run.
    settled: BTreeMap<[u8; 32], Digest>,
    /// Of files too young to be remembered: valid in this run, which sees one state of its inputs.
    young: BTreeMap<[u8; 32], Digest>,
    /// Keys in `settled` that are not in the file.
    unsaved: Vec<[u8; 32]>,
}

impl StatCache {
    /// Returns a memory that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Returns the memory of a store; a file that is missing or damaged is as good as empty.
    #[must_use]
    pub fn open(store_root: &Path) -> Self {
        let file = store_root.join("index/files");
        let known = Known { settled: load(&file), ..Known::default() };
        Self { file: Some(file), known: Mutex::new(known) }
    }

    /// Returns a memory that knows nothing at first, and replaces that of the store when saved.
    #[must_use]
    pub fn rehash(store_root: &Path) -> Self {
        Self { file: Some(store_root.join("index/files")), known: Mutex::default() }
    }

    /// Returns the digest of a file's content.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn digest(&self, path: &Path) -> Result<Digest> {
        self.memo(&[path], "file", || {
            Digest::of_file(path).map(|(digest, _)| digest).map_err(|error| Fault::file("read", path, &error))
        })
    }

    /// Returns what `compute` gives for these files, without calling it if none has changed since it last did.
    ///
    /// `tag` names all else that the result depends on: what is computed, and with which options. Order counts.
    ///
    /// # Errors
    /// Those of `compute`; when a file is not there; when one changes meanwhile.
    pub fn memo<P: AsRef<Path>>(
        &self,
        paths: &[P],
        tag: &str,
        compute: impl FnOnce() -> Result<Digest>,
    ) -> Result<Digest> {
        let before = stats(paths)?;
        let key = key_of(&before, tag);
        if let Some(digest) = self.recall(&key) {
            return Ok(digest);
        }
        let now_ns = now_ns();
        let digest = compute()?;
        if stats(paths)? != before {
            return Err(Fault::unfit("a file changed while it was read").hint("run again when it is complete"));
        }
        let settled = before.iter().all(|stat| now_ns - stat.mtime_ns.max(stat.ctime_ns) > SETTLED_NS);
        let mut known = self.known();
        if settled {
            known.settled.insert(key, digest);
            known.unsaved.push(key);
        } else {
            known.young.insert(key, digest);
        }
        Ok(digest)
    }

    /// Writes what is new to the store's memory.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn save(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut known = self.known();
        if known.unsaved.is_empty() {
            return Ok(());
        }
        // Others may have saved meanwhile. Of two that save at once one is lost: those files are hashed once more.
        let mut all = load(file);
        for key in std::mem::take(&mut known.unsaved) {
            if let Some(digest) = known.settled.get(&key) {
                all.insert(key, *digest);
            }
        }
        drop(known);
        let mut bytes = HEADER.to_vec();
        for (key, digest) in &all {
            let entry = [*key, digest.0].concat();
            bytes.extend_from_slice(&entry);
            bytes.extend_from_slice(&check_of(&entry));
        }
        replace_file_lightly(file, &bytes).map_err(|error| store_fault("write a file", file, &error))
    }

    fn recall(&self, key: &[u8; 32]) -> Option<Digest> {
        let known = self.known();
        known.settled.get(key).or_else(|| known.young.get(key)).copied()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Insertions leave the maps whole, also when a thread panics between them.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stats<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<FileStat>> {
    let stat = |path: &P| FileStat::of(path.as_ref()).map_err(|error| Fault::file("read", path.as_ref(), &error));
    paths.iter().map(stat).collect()
}

fn now_ns() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(now.as_nanos()).unwrap_or(i128::MAX)
}

fn key_of(stats: &[FileStat], tag: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 stat");
    hasher.update(&(tag.len() as u64).to_le_bytes());
    hasher.update(tag.as_bytes());
    for stat in stats {
        for number in [stat.device, stat.inode, stat.size] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&stat.mtime_ns.to_le_bytes());
        hasher.update(&stat.ctime_ns.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn check_of(entry: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.copy_from_slice(&blake3::hash(entry).as_bytes()[..8]);
    check
}

fn load(file: &Path) -> BTreeMap<[u8; 32], Digest> {
    let bytes = fs::read(file).unwrap_or_default();
    let Some(entries) = bytes.strip_prefix(HEADER) else { return BTreeMap::new() };
    let parse = |entry: &[u8]| {
        let (body, check) = entry.split_at(64);
        let (key, digest) = body.split_at(32);
        (check_of(body) == *check).then_some(())?;
        Some((key.try_into().ok()?, Digest(digest.try_into().ok()?)))
    };
    entries.chunks_exact(ENTRY).filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, fs::File, time::Duration};

    /// Sets the file's modification time into the past; its ctime stays young, as after an extraction.
    fn age(path: &Path) {
        let past = SystemTime::now() - Duration::from_secs(100);
        File::options().write(true).open(path).unwrap().set_modified(past).unwrap();
    }

    #[test]
    fn a_young_file_is_remembered_in_this_run_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("index")).unwrap();
        let path = dir.path().join("scan");
        fs::write(&path, "one").unwrap();
        age(&path);
        let cache = StatCache::open(dir.path());
        assert_eq!(cache.digest(&path).unwrap(), Digest::of_bytes(b"one"));
        cache.save().unwrap();
        let count = Cell::new(0);
        let later = StatCache::open(dir.path());
        for _ in 0..2 {
            let counted = || {
                count.set(count.get() + 1);
                Ok(Digest::of_bytes(b"one"))
            };
            later.memo(&[&path], "file", counted).unwrap();
        }
        assert_eq!(count.get(), 1, "computed again by the next run, once");
    }

    #[test]
    fn a_settled_file_is_remembered_and_a_changed_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("index")).unwrap();
        let path = dir.path().join("scan");
        fs::write(&path, "one").unwrap();
        let cache = StatCache::open(dir.path());
        std::thread::sleep(Duration::from_millis(2_050));
        cache.digest(&path).unwrap();
        cache.save().unwrap();
        let later = StatCache::open(dir.path());
        let unused = || Err(Fault::unfit("it was to be remembered"));
        assert_eq!(later.memo(&[&path], "file", unused).unwrap(), Digest::of_bytes(b"one"));
        assert!(later.memo(&[&path], "other", unused).is_err(), "another tag is another result");
        fs::write(&path, "two").unwrap();
        assert_eq!(later.digest(&path).unwrap(), Digest::of_bytes(b"two"));
        assert!(later.digest(&dir.path().join("none")).is_err());
        let file = dir.path().join("index/files");
        let mut bytes = fs::read(&file).unwrap();
        bytes[60] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(load(&file).is_empty(), "a damaged entry is not believed");
    }
}
