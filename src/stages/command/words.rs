//! Placeholders in the words of a command line: `{in.port}`, `{out.port}`, `{file.name}`; `{{` and `}}` are braces.

use std::path::Path;

use super::{CommandParams, PROGRAM, Word, ports::Ports};
use crate::{
    fault::{Fault, Result, near_miss},
    pipeline::stage::Job,
};

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(String),
    /// `{side.name}`
    Place {
        side: &'a str,
        name: &'a str,
    },
}

/// Checks that each placeholder names something that is declared.
pub(super) fn check(params: &CommandParams, ports: &Ports) -> std::result::Result<(), (&'static str, String)> {
    let argv = params.argv.iter().map(|word| ("argv", word.text()));
    let env = params.env.values().map(|value| ("env", value.clone()));
    if let Some(port) = &params.stdout {
        match params.outputs.get(port) {
            Some(output) if !output.file.ends_with('/') => {}
            Some(_) => return Err(("stdout", format!("`{port}` is a folder"))),
            None => return Err(("stdout", format!("there is no output `{port}`"))),
        }
    }
    for (param, word) in argv.chain(env) {
        for piece in pieces(&word).map_err(|why| (param, why))? {
            let Piece::Place { side, name } = piece else { continue };
            let known: Vec<&str> = match side {
                "in" => inputs(ports).collect(),
                "out" => ports.outputs.iter().map(|output| output.name).collect(),
                "file" => params.files.keys().map(String::as_str).collect(),
                _ => return Err((param, format!("`{{{side}.{name}}}`: a place is `in.…`, `out.…` or `file.…`"))),
            };
            if !known.contains(&name) {
                let near = near_miss(name, known.iter().copied()).map(|near| format!(": did you mean `{near}`?"));
                let why = format!("`{{{side}.{name}}}` is not declared{}", near.unwrap_or_default());
                return Err((param, why));
            }
        }
    }
    Ok(())
}

fn inputs(ports: &Ports) -> impl Iterator<Item = &'static str> {
    ports.inputs.iter().map(|input| input.name).filter(|name| !name.starts_with("file."))
}

/// Returns the words of `argv` with paths in place of placeholders.
pub(super) fn argv(params: &CommandParams, job: &Job<'_>) -> Result<Vec<String>> {
    let mut words = Vec::with_capacity(params.argv.len());
    for word in params.argv.iter().map(Word::text) {
        let parts = pieces(&word).map_err(Fault::usage)?;
        if let [Piece::Place { side: "in", name }] = parts.as_slice() {
            words.extend(paths(job, name)?);
        } else {
            words.push(joined(&parts, job)?);
        }
    }
    Ok(words)
}

/// Returns one word with paths in place of placeholders.
pub(super) fn filled(word: &str, job: &Job<'_>) -> Result<String> {
    joined(&pieces(word).map_err(Fault::usage)?, job)
}

fn joined(parts: &[Piece<'_>], job: &Job<'_>) -> Result<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Place { side: "out", name } => text.push_str(&shown(job.output(name)?)?),
            Piece::Place { side: "file", name } => text.push_str(&one(job, &format!("file.{name}"))?),
            Piece::Place { name, .. } => text.push_str(&one(job, name)?),
        }
    }
    Ok(text)
}

fn one(job: &Job<'_>, port: &str) -> Result<String> {
    match paths(job, port)?.as_slice() {
        [path] => Ok(path.clone()),
        list => Err(Fault::usage(format!("`{{in.{port}}}` stands for {} paths, inside of a word", list.len()))
            .hint("as a word of its own it becomes as many words")),
    }
}

fn paths(job: &Job<'_>, port: &str) -> Result<Vec<String>> {
    let path = |artifact: &crate::pipeline::stage::Artifact| match &artifact.path {
        Some(path) => shown(path),
        None => Err(Fault::unfit(format!("the input `{port}` is no file"))),
    };
    job.many(port).iter().map(path).collect()
}

/// Returns the file of the program, if it is an input.
pub(super) fn program<'j>(job: &'j Job<'_>) -> Option<&'j Path> {
    job.optional(PROGRAM)?.path.as_deref()
}

fn shown(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| Fault::unfit("a path is not Unicode").at(path.display()))
}

/// Takes a word apart.
fn pieces(word: &str) -> std::result::Result<Vec<Piece<'_>>, String> {
    let mut parts: Vec<Piece<'_>> = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let inside = rest.split_once('}').filter(|_| brace == "{").and_then(|(inside, after)| {
            let (side, name) = inside.split_once('.')?;
            Some((side, name, after))
        });
        let Some((side, name, after)) = inside else {
            return Err(format!(
                "`{word}`: a brace begins `{{in.port}}`, `{{out.port}}` or `{{file.name}}`; write `{{{{` for itself"
            ));
        };
        if !text.is_empty() {
            parts.push(Piece::Text(std::mem::take(&mut text)));
        }
        parts.push(Piece::Place { side, name });
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() || parts.is_empty() {
        parts.push(Piece::Text(text));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_apart_at_placeholders() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(pieces("plain").unwrap(), [text("plain")]);
        assert_eq!(pieces("").unwrap(), [text("")]);
        assert_eq!(
            pieces("-o={out.mesh}.x").unwrap(),
            [text("-o="), Piece::Place { side: "out", name: "mesh" }, text(".x")]
        );
        assert_eq!(pieces("{{a}}").unwrap(), [text("{a}")]);
        for wrong in ["{", "}", "{in}", "a{b", "{in.a"] {
            assert!(pieces(wrong).is_err(), "{wrong}");
        }
    }
}
