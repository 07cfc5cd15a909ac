//! Data goes to stdout, talk goes to stderr; a closed pipe ends the program quietly.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde::Serialize;

use super::Context;
use crate::fault::{Fault, Kind, Result};

/// SIGPIPE's number: exit code 141.
const BROKEN_PIPE: i32 = 13;

/// Writes a line of data to stdout.
///
/// # Errors
/// `Interrupted` when the reader has gone.
pub(super) fn line(text: impl AsRef<str>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.as_ref().trim_end_matches('\n')).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fault::new(Kind::Interrupted(BROKEN_PIPE), "the reader of the output has gone"),
        _ => Fault::unfit(format!("cannot write to standard output: {error}")),
    })
}

/// Writes a value as indented JSON to stdout.
///
/// # Errors
/// As [`line`].
pub(super) fn json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Fault::unfit(format!("the result cannot be written as JSON: {error}")))?;
    line(text)
}

/// Tells with `--json` which files a command wrote; without it such a command says nothing.
///
/// # Errors
/// As [`line`].
pub(super) fn written(context: &Context, paths: &[&Path]) -> Result<()> {
    if !context.global.json {
        return Ok(());
    }
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    json(&serde_json::json!({ "written": paths }))
}

/// Writes a line of talk to stderr. Nothing can be done when that fails, and nothing depends on it.
pub(super) fn talk(text: impl AsRef<str>) {
    drop(writeln!(io::stderr().lock(), "{}", text.as_ref()));
}
