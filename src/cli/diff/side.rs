//! One side of a comparison: a lock file, and the store that may still hold what it names.

use std::path::{Path, PathBuf};

use crate::{
    cli::Context,
    fault::{Fault, Result, near_miss},
    pipeline::{
        diagnose::Source,
        digest::Digest,
        lockfile::Lock,
        runs,
        spec::Spec,
        store::{Store, Verdict},
    },
};

/// A lock file and its store.
pub(super) struct Side {
    /// As the user named it.
    pub(super) name: String,
    pub(super) lock: Lock,
    store: Store,
}

impl Side {
    /// Finds what a word means.
    ///
    /// # Errors
    /// Usage when it is no lock file, pipeline file or run; missing (5) when a run kept no lock file.
    pub(super) fn open(word: &str, context: &Context) -> Result<Self> {
        let path = Path::new(word);
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension {
            "lock" => Self::of_lock(word, path, context),
            "yaml" | "yml" => {
                let spec = Spec::parse(Source::read(path, "pipeline")?, &[], Some(Path::new("unread")))?;
                Self::of_lock(word, &path.with_file_name(format!("{}.lock", spec.name)), context)
            }
            _ => Self::of_run(word, context),
        }
    }

    fn of_lock(word: &str, path: &Path, context: &Context) -> Result<Self> {
        let lock = Lock::read(path)?.ok_or_else(|| {
            Fault::usage("there is no such lock file")
                .at(path.display())
                .hint("`calvaria run` writes it after a success")
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let inside = folder.file_name().is_some_and(|name| name == "pipelines");
        let root = if inside { folder.parent().unwrap_or(Path::new("")) } else { folder };
        Ok(Self { name: word.to_owned(), lock, store: store(root, context)? })
    }

    fn of_run(word: &str, context: &Context) -> Result<Self> {
        let store = store(Path::new(""), context)?;
        let runs = runs::list(&store);
        let found: Vec<_> = runs.iter().filter(|run| run.run == word || run.run.starts_with(word)).collect();
        let exact = runs.iter().find(|run| run.run == word);
        let run = match (exact, found.as_slice()) {
            (Some(run), _) => run,
            (None, [run]) => *run,
            (None, []) => {
                let fault = Fault::usage(format!("`{word}` is no lock file, pipeline file or run"));
                return Err(match near_miss(word, runs.iter().map(|run| run.run.as_str())) {
                    Some(near) => fault.hint(format!("did you mean `{near}`?")),
                    None => fault.hint("`calvaria log` lists the runs"),
                });
            }
            (None, several) => {
                return Err(Fault::usage(format!("`{word}` may be any of {} runs", several.len()))
                    .hint("give more of its name"));
            }
        };
        Ok(Self { name: run.run.clone(), lock: runs::lock_of(&store, run)?, store })
    }

    /// Returns the bytes of an output that is a file, if they are in the store and whole.
    pub(super) fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        if !self.store.root().join("format").exists() {
            return Ok(None);
        }
        let path = self.store.blob_path(digest);
        if !path.is_file() || self.store.verify(digest)? != Verdict::Good {
            return Ok(None);
        }
        std::fs::read(&path).map(Some).map_err(|error| Fault::file("read from the store", &path, &error))
    }
}

fn store(root: &Path, context: &Context) -> Result<Store> {
    let own = || if root.as_os_str().is_empty() { PathBuf::from(".calvaria") } else { root.join(".calvaria") };
    Store::open(&context.global.store.clone().unwrap_or_else(own))
}
