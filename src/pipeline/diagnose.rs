//! Faults that show the line: file, line, column, the text with a caret, and the word that was probably meant.
//!
//! A [`Source`] is a file as it was read, a [`Mark`] a stretch of it. Everything that parses a file of a person keeps the
//! marks, so that a mistake found much later (a port of the wrong kind, say) still points at the letters at fault.

use std::path::{Path, PathBuf};

use super::plan::Place;
use crate::fault::{Fault, Result, near_miss};

/// Files written by hand are small; anything larger is a mistaken path.
const MAX_BYTES: u64 = 16 << 20;
/// Width of a shown line, in characters.
const SHOWN: usize = 110;

/// A stretch of one line. Line 0 stands for a value that is in no file (`--set`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Length in characters; 0 where only the start is known.
    pub length: usize,
}

/// The text of a file, and the name that the user gave it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Its text, without a byte-order mark.
    pub text: String,
}

impl Source {
    /// Returns a source from text in memory.
    pub fn new(file: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Self { file: file.into(), text }
    }

    /// Reads a file; `what` names it in messages (`pipeline`).
    ///
    /// # Errors
    /// When there is no such file, it is larger than 16 MiB, or it is not UTF-8.
    pub fn read(file: &Path, what: &str) -> Result<Self> {
        let doing = format!("read the {what}");
        let size = std::fs::metadata(file).map_err(|error| Fault::file(&doing, file, &error))?;
        if size.is_dir() {
            return Err(Fault::usage(format!("the {what} is a folder, not a file")).at(file.display()));
        }
        if size.len() > MAX_BYTES {
            let shown = size.len() >> 20;
            return Err(Fault::usage(format!("the {what} has {shown} MiB; such a file is text written by hand"))
                .at(file.display()));
        }
        let bytes = std::fs::read(file).map_err(|error| Fault::file(&doing, file, &error))?;
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(Fault::usage(format!("the {what} is UTF-16 text")).at(file.display()).hint("save it as UTF-8"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(file, text)),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count() + 1;
                Err(Fault::usage(format!("the {what} is not UTF-8 text"))
                    .at(format!("{}:{line}", file.display()))
                    .hint("save it as UTF-8"))
            }
        }
    }

    /// Returns where a mark is.
    #[must_use]
    pub fn place(&self, mark: Mark) -> Place {
        Place { file: self.file.clone(), line: mark.line, column: mark.column }
    }

    /// Returns a usage fault that shows the marked text.
    #[must_use]
    pub fn fault(&self, mark: Mark, what: impl Into<String>) -> Fault {
        Fault::usage(what).at(self.place(mark)).snippet(self.snippet(&[mark]))
    }

    /// Returns a usage fault about the second of two marked texts; both are shown, the first one first.
    #[must_use]
    pub fn fault_between(&self, first: Mark, second: Mark, what: impl Into<String>) -> Fault {
        Fault::usage(what).at(self.place(second)).snippet(self.snippet(&[first, second]))
    }

    /// Returns the marked lines with carets below.
    ///
    /// ```text
    ///    |
    /// 12 |     uses: phantm
    ///    |           ^^^^^^
    /// ```
    #[must_use]
    pub fn snippet(&self, marks: &[Mark]) -> String {
        let gutter = marks.iter().map(|mark| mark.line.to_string().len()).max().unwrap_or(1);
        let mut out = format!("{:gutter$} |\n", "");
        for mark in marks {
            let Some(line) = mark.line.checked_sub(1).and_then(|index| self.text.lines().nth(index)) else { continue };
            let (shown, carets) = underline(line, mark.column, mark.length);
            out.push_str(&format!("{:gutter$} | {shown}\n{:gutter$} | {carets}\n", mark.line, ""));
        }
        out.trim_end().to_owned()
    }
}

/// Returns the line as it can be printed, cropped around the column, and the carets under it.
fn underline(line: &str, column: usize, length: usize) -> (String, String) {
    let letters: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let at = column.saturating_sub(1).min(letters.len());
    let first = if letters.len() > SHOWN { at.saturating_sub(SHOWN / 3) } else { 0 };
    let last = letters.len().min(first + SHOWN);
    let (before, after) = (if first > 0 { "…" } else { "" }, if last < letters.len() { "…" } else { "" });
    let shown: String = letters[first..last].iter().collect();
    let carets = length.clamp(1, last.saturating_sub(at).max(1));
    let indent = at - first + before.chars().count();
    (format!("{before}{}{after}", shown.trim_end()), format!("{}{}", " ".repeat(indent), "^".repeat(carets)))
}

/// Returns the hint for an unknown word: the nearest known one, or all of them.
#[must_use]
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(meant) = near_miss(word, known.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    let more = known.len().saturating_sub(24);
    known.truncate(24);
    match (known.is_empty(), more) {
        (true, _) => "none is known here".to_owned(),
        (false, 0) => format!("known: {}", known.join(", ")),
        (false, _) => format!("known: {}, and {more} more", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_underlined_and_long_lines_are_cropped_around_it() {
        let source = Source::new("p.yaml", "a: 1\n\tuses: phantm  # é\r\n");
        let fault = source.fault(Mark { line: 2, column: 8, length: 6 }, "no such op");
        assert_eq!(fault.to_string(), "no such op\n  --> p.yaml:2:8\n  |\n2 |  uses: phantm  # é\n  |        ^^^^^^");

        let (shown, carets) = underline(&format!("{}here{}", "x".repeat(300), "y".repeat(300)), 301, 4);
        assert_eq!(shown.chars().count(), SHOWN + 2);
        let start = carets.find('^').unwrap();
        assert_eq!(shown.chars().skip(start).take(carets.len() - start).collect::<String>(), "here");
    }

    #[test]
    fn marks_outside_the_text_do_no_harm() {
        let source = Source::new("p.yaml", "a: 1\n");
        for (line, column, length) in [(0, 0, 0), (1, 99, 5), (7, 1, 1), (1, 1, 9999)] {
            assert!(source.snippet(&[Mark { line, column, length }]).len() < 60);
        }
        assert_eq!(Source::new("p", "\u{feff}a").text, "a");
    }

    #[test]
    fn unknown_words_get_the_nearest_or_the_list() {
        assert_eq!(suggest("epoch", ["epochs", "depth"]), "did you mean `epochs`?");
        assert_eq!(suggest("zzz", ["epochs", "depth"]), "known: depth, epochs");
        assert_eq!(suggest("zzz", []), "none is known here");
    }
}
