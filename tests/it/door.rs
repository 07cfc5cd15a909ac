//! The one door to the program: run it in a folder, look at what it said and left behind.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What a call of the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder to work in, removed at the end.
pub(crate) struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub(crate) fn write(&self, inside: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calvaria"));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env_remove("CALVARIA_STORE")
            .env_remove("CALVARIA_JOBS");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs and expects success; returns stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "calvaria {}\n{}{}", arguments.join(" "), said.out, said.err);
        said.out
    }

    /// Runs and expects success; returns stdout as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let out = self.ok(arguments);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}"))
    }

    /// Runs and expects the exit code and words on stderr, and that nothing in the folder changed.
    pub(crate) fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let before = self.contents();
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "calvaria {}\n{}{}", arguments.join(" "), said.out, said.err);
        for word in words {
            assert!(said.err.contains(word), "`{word}` is missing in\n{}", said.err);
        }
        assert_eq!(said.err.matches("error:").count(), 1, "one message, not several:\n{}", said.err);
        assert!(!said.err.contains("panicked"), "{}", said.err);
        assert_eq!(said.out, "", "a refused command has no result");
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            self.contents().keys().collect::<Vec<_>>(),
            "files were left behind"
        );
        assert!(before == self.contents(), "a refused command changed a file");
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Every file below the folder with its contents.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(self.folder.path())
    }
}

/// Copies a folder with all in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).unwrap();
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Every file below a folder with its contents.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect()
}
