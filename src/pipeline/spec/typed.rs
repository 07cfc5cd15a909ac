//! Typed reading of a tree: each function takes a node and gives a value, or a fault that points at it.

use serde_json::Value as Json;

use super::tree::{Entry, Node, Value};
use crate::{
    fault::{Fault, Result},
    pipeline::diagnose::{Source, suggest},
};

/// Returns whether a word can name a stage, port, field, axis or variable: letters, digits, `-`, `_`, a letter first.
#[must_use]
pub fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.len() <= 64
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Refuses keys that are not known, with the nearest known one.
///
/// # Errors
/// At the first unknown key.
pub fn only_keys(entries: &[Entry], known: &[&str], of: &str, source: &Source) -> Result<()> {
    match entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
        None => Ok(()),
        Some(entry) => {
            let what = format!("unknown key `{}` in {of}", entry.key.escape_debug());
            Err(source.fault(entry.mark, what).hint(suggest(&entry.key, known.iter().copied())))
        }
    }
}

/// Returns the fault "expected this, found that" at a node.
#[must_use]
pub fn mismatch(node: &Node, expected: &str, source: &Source) -> Fault {
    source.fault(node.mark, format!("{expected} is expected, not {}", node.noun()))
}

/// Returns the entries of a mapping; `of` says what it holds (`the stages`).
///
/// # Errors
/// When it is no mapping.
pub fn mapping<'a>(node: &'a Node, of: &str, source: &Source) -> Result<&'a [Entry]> {
    match &node.value {
        Value::Map(entries) => Ok(entries),
        _ => Err(mismatch(node, &format!("a mapping ({of})"), source)),
    }
}

/// Returns text that is not empty.
///
/// # Errors
/// When it is something else.
pub fn text<'a>(node: &'a Node, source: &Source) -> Result<&'a str> {
    match &node.value {
        Value::Text(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(mismatch(node, "text", source)),
    }
}

/// Returns a name as [`is_name`] has it.
///
/// # Errors
/// When it is something else.
pub fn name<'a>(node: &'a Node, source: &Source) -> Result<&'a str> {
    let name = text(node, source)?;
    if is_name(name) {
        return Ok(name);
    }
    Err(source.fault(node.mark, format!("`{}` is not a name", name.escape_debug())).hint(NAME_RULE))
}

/// What a name is, in words.
pub const NAME_RULE: &str = "a name is a letter, then letters, digits, `-` and `_`, 64 at most";

/// Returns a whole number from 0.
///
/// # Errors
/// When it is something else.
pub fn whole(node: &Node, source: &Source) -> Result<u64> {
    match &node.value {
        Value::Number(Some(number), _) => number.as_u64(),
        _ => None,
    }
    .ok_or_else(|| mismatch(node, "a whole number from 0", source))
}

/// Returns a finite number.
///
/// # Errors
/// When it is something else.
pub fn number(node: &Node, source: &Source) -> Result<f64> {
    match &node.value {
        Value::Number(Some(number), _) => number.as_f64(),
        _ => None,
    }
    .ok_or_else(|| mismatch(node, "a finite number", source))
}

/// Returns `true` or `false`.
///
/// # Errors
/// When it is something else.
pub fn flag(node: &Node, source: &Source) -> Result<bool> {
    match node.value {
        Value::Bool(flag) => Ok(flag),
        _ => Err(mismatch(node, "`true` or `false`", source)),
    }
}

/// Returns a scalar as JSON: text, a finite number, `true` or `false`.
///
/// # Errors
/// When it is something else.
pub fn scalar(node: &Node, source: &Source) -> Result<Json> {
    match &node.value {
        Value::Bool(_) | Value::Number(Some(_), _) | Value::Text(_) => {}
        _ => return Err(mismatch(node, "text, a finite number, `true` or `false`", source)),
    }
    node.to_json().map_err(|mark| source.fault(mark, "the number is not finite"))
}

/// Returns the spelling of a scalar, so that `007` and `12e456` stay what was written.
///
/// # Errors
/// When it is a list, a mapping, or nothing.
pub fn spelling(node: &Node, source: &Source) -> Result<String> {
    match &node.value {
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(_, spelling) => Ok(spelling.clone()),
        Value::Text(text) if !text.trim().is_empty() => Ok(text.clone()),
        _ => Err(mismatch(node, "one word or number", source)),
    }
}
