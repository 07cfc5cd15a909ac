//! The one error that reaches a person: what happened, where, why, and what to do next.
//!
//! `place` may name a file that the user typed; it is printed, and never written to a record or a log, because folder
//! names of patients are often names.

use std::fmt;

/// What went wrong, in the classes that decide the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Two things that should agree differ (`check`, `status --exit-code`, `run --locked`).
    Differs,
    /// The command, pipeline or manifest is wrong, or a path does not exist.
    Usage,
    /// An input was read and is unfit, or a stage failed.
    Unfit,
    /// Verification or determinism mismatch.
    Mismatch,
    /// Needed data is missing (`--frozen`).
    Missing,
    /// A lock was not free in time.
    LockTimeout,
    /// Stopped by a signal: the number decides the code.
    Interrupted(i32),
}

impl Kind {
    /// Returns the process exit code of this class.
    #[must_use]
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::Differs => 1,
            Self::Usage => 2,
            Self::Unfit => 3,
            Self::Mismatch => 4,
            Self::Missing => 5,
            Self::LockTimeout => 6,
            Self::Interrupted(signal) => 128 + signal,
        }
    }
}

/// An error with a place, a reason and a remedy, each apart from the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Class, and with it the exit code.
    pub kind: Kind,
    /// What happened, in one sentence without a path.
    pub what: String,
    /// Where: file, and line, column, byte offset or tag. Shown, never stored.
    pub place: Option<String>,
    /// The lines of the file with a caret, ready to print. Shown, never stored.
    pub snippet: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// The result of anything that can fail towards the user.
pub type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// Returns a fault of the given class.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), place: None, snippet: None, hint: None }
    }

    /// Returns a fault of the command, pipeline or manifest (exit 2).
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    /// Returns a fault of an input or a stage (exit 3).
    pub fn unfit(what: impl Into<String>) -> Self {
        Self::new(Kind::Unfit, what)
    }

    /// Returns the fault for a failed file operation: a missing file is the command's fault, anything else the input's.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::Usage } else { Kind::Unfit };
        let reason = if kind == Kind::Usage { "no such file or folder".to_owned() } else { error.to_string() };
        Self::new(kind, format!("cannot {doing}: {reason}")).at(path.display())
    }

    /// Adds where it happened, unless a deeper layer already said it more exactly.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place.get_or_insert_with(|| place.to_string());
        self
    }

    /// Adds what to do next, unless a deeper layer already said it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds the rendered lines of the file at fault.
    #[must_use]
    pub fn snippet(mut self, snippet: impl Into<String>) -> Self {
        self.snippet = Some(snippet.into());
        self
    }

    /// Puts the larger task in front of the message: `case p03: …`.
    #[must_use]
    pub fn within(mut self, task: impl fmt::Display) -> Self {
        self.what = format!("{task}: {}", self.what);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  --> {place}")?;
        }
        if let Some(snippet) = &self.snippet {
            write!(f, "\n{}", snippet.trim_end())?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// Returns the candidate nearest to a mistyped word, if one is near enough to be meant.
///
/// Distance is Levenshtein's; near means at most a third of the word's length, and at least one edit.
#[must_use]
pub fn near_miss<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_miss_finds_the_meant_word_and_no_other() {
        let known = ["epochs", "depth", "width"];
        assert_eq!(near_miss("epoch", known), Some("epochs"));
        assert_eq!(near_miss("detph", known), None, "a transposition is two edits in a five-letter word");
        assert_eq!(near_miss("dept", known), Some("depth"));
        assert_eq!(near_miss("learning_rate", known), None);
    }

    #[test]
    fn the_innermost_place_and_hint_win() {
        let fault = Fault::unfit("slice is truncated").at("slice 7").at("folder").hint("copy it again").hint("other");
        assert_eq!(fault.to_string(), "slice is truncated\n  --> slice 7\n  help: copy it again");
        assert_eq!(fault.kind.exit_code(), 3);
    }
}
