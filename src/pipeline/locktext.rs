//! Reads the text of a lock file back.

use std::{path::Path, str::FromStr};

use super::{
    digest::Digest,
    key::StageKey,
    lockfile::{Entry, Lock, LockedInput},
    record::Share,
};
use crate::fault::{Fault, Result};

/// Parses a lock file.
pub(super) fn parse(text: &str, path: &Path) -> Result<Lock> {
    let mut lock = Lock::default();
    let mut block: Option<(String, Draft)> = None;
    let mut head = true;
    let mut known_format = false;
    for (number, line) in text.lines().enumerate() {
        let fault = |why: &str| {
            Fault::usage(format!("the lock file is damaged: {why}"))
                .at(format!("{}:{}", path.display(), number + 1))
                .hint("restore it from git, or delete it and run again")
        };
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            head = false;
            finish(&mut lock, block.take()).map_err(|why| fault(&why))?;
        } else if head {
            known_format |= line == "calvaria-lock 1";
            read_head(&mut lock, line).map_err(|why| fault(&why))?;
        } else if let Some(field) = line.strip_prefix("  ") {
            let (_, draft) = block.as_mut().ok_or_else(|| fault("a field outside of a block"))?;
            draft.read(field).map_err(|why| fault(&why))?;
        } else if block.is_none() {
            block = Some((line.to_owned(), Draft::default()));
        } else {
            return Err(fault("a block begins inside another"));
        }
    }
    let fault = |why: &str| Fault::usage(format!("the lock file is damaged: {why}")).at(path.display());
    finish(&mut lock, block).map_err(|why| fault(&why))?;
    if !known_format {
        return Err(fault("it is not of the form `calvaria-lock 1`").hint("delete it and run again"));
    }
    Ok(lock)
}

/// A block while it is read.
#[derive(Default)]
struct Draft {
    op: Option<(String, u32)>,
    key: Option<StageKey>,
    params: Option<String>,
    inputs: Vec<LockedInput>,
    outputs: Vec<(String, Digest)>,
    incomplete: Vec<(String, Share)>,
    frozen: bool,
}

fn read_head(lock: &mut Lock, line: &str) -> std::result::Result<(), String> {
    let (word, rest) = two(line)?;
    match word {
        "calvaria-lock" if rest == "1" => {}
        "pipeline" => rest.clone_into(&mut lock.pipeline),
        "seed" => lock.seed = number(rest)?,
        "override" => {
            let (name, value) = two(rest)?;
            lock.overrides.insert(name.to_owned(), value.to_owned());
        }
        _ => return Err(format!("`{line}` is not known here")),
    }
    Ok(())
}

fn finish(lock: &mut Lock, block: Option<(String, Draft)>) -> std::result::Result<(), String> {
    let Some((id, draft)) = block else { return Ok(()) };
    let missing = |field: &str| format!("the block of {id} has no `{field}`");
    let (op, version) = draft.op.ok_or_else(|| missing("op"))?;
    let entry = Entry {
        op,
        version,
        key: draft.key.ok_or_else(|| missing("key"))?,
        params: draft.params.ok_or_else(|| missing("params"))?,
        inputs: draft.inputs,
        outputs: draft.outputs.into_iter().collect(),
        incomplete: draft.incomplete.into_iter().collect(),
        frozen: draft.frozen,
    };
    match lock.entries.insert(id.clone(), entry) {
        Some(_) => Err(format!("the block of {id} is there twice")),
        None => Ok(()),
    }
}

impl Draft {
    fn read(&mut self, field: &str) -> std::result::Result<(), String> {
        if field == "frozen" {
            self.frozen = true;
            return Ok(());
        }
        let (word, rest) = two(field)?;
        match word {
            "op" => {
                let (op, version) = two(rest)?;
                self.op = Some((op.to_owned(), number(version)?));
            }
            "key" => self.key = Some(StageKey(rest.parse()?)),
            "params" => self.params = Some(rest.to_owned()),
            "in" => {
                let (port, rest) = two(rest)?;
                let (digest, source) = two(rest)?;
                self.inputs.push(LockedInput { port: port.into(), digest: digest.parse()?, source: source.into() });
            }
            "out" => {
                let (port, digest) = two(rest)?;
                self.outputs.push((port.to_owned(), digest.parse()?));
            }
            "incomplete" => {
                let (port, share) = two(rest)?;
                let (have, of) = share.split_once(" of ").ok_or("a share is written `4 of 5`")?;
                self.incomplete.push((port.to_owned(), Share { have: number(have)?, of: number(of)? }));
            }
            _ => return Err(format!("`{word}` is not known here")),
        }
        Ok(())
    }
}

fn two(text: &str) -> std::result::Result<(&str, &str), String> {
    text.split_once(' ').ok_or_else(|| format!("`{text}` is too short"))
}

fn number<T: FromStr>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits"))
}
