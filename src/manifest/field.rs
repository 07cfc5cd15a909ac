//! The fields with files: `ct`, `gold`, `defect`, `label`. Each has its keys; what says how to read the file becomes an
//! option of the artifact, and so part of the key of every stage that reads it.
//!
//! Options are brought to one form: what would state the default (`tilt: refuse`, `add_hu: 0`) is left out, and
//! measures are floats, so that the same meaning is the same key.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{CaseField, parse::below_root};
use crate::{
    fault::Result,
    pipeline::{
        diagnose::{Source, suggest},
        spec::{
            tree::{Entry, Node, Value},
            typed::{mapping, mismatch, number, only_keys, spelling, text, whole},
        },
    },
};

/// Names of the fields with files.
pub(super) const FILES: &[&str] = &["ct", "gold", "defect", "label"];
/// Keys that belong to one case, and so have no default.
const OF_A_CASE: &[&str] = &["path", "blake3", "files", "centre_mm", "radius_mm"];
/// Digits of a shortened digest, at least.
const MIN_DIGITS: usize = 6;

/// Returns whether a name is that of a field with a file.
pub(super) fn is_file(name: &str) -> bool {
    FILES.contains(&name)
}

/// Returns the kind of artifact and the keys of a field with a file.
fn keys(name: &str) -> (&'static str, &'static [&'static str]) {
    match name {
        "ct" => (
            "ct",
            &["path", "blake3", "files", "series", "tilt", "gaps", "modality", "burned_in", "add_hu", "resample_mm"],
        ),
        "gold" => ("mesh", &["path", "blake3", "frame", "unit"]),
        "defect" => ("solid", &["path", "blake3", "frame", "unit", "centre_mm", "radius_mm"]),
        _ => ("label", &["path", "blake3"]),
    }
}

/// Checks the keys of defaults, used or not.
pub(super) fn check_defaults(defaults: &[Entry], source: &Source) -> Result<()> {
    for default in defaults.iter().filter(|default| is_file(&default.key)) {
        let entries = mapping(&default.value, "defaults of a field", source)?;
        only_keys(entries, keys(&default.key).1, &format!("the defaults of `{}`", default.key), source)?;
        if let Some(entry) = entries.iter().find(|entry| OF_A_CASE.contains(&entry.key.as_str())) {
            return Err(source.fault(entry.mark, format!("`{}` belongs to one case and has no default", entry.key)));
        }
    }
    Ok(())
}

/// Reads a field with a file, with the defaults of that field.
pub(super) fn read(entry: &Entry, default: Option<&Entry>, source: &Source) -> Result<CaseField> {
    let (kind, known) = keys(&entry.key);
    if let Value::Text(path) = &entry.value.value {
        return Err(
            mismatch(&entry.value, "a mapping", source).hint(format!("write `{}: {{ path: {path} }}`", entry.key))
        );
    }
    only_keys(mapping(&entry.value, "a field", source)?, known, &format!("`{}`", entry.key), source)?;
    let get = |key: &str| {
        let default = default.and_then(|default| default.value.get(key));
        entry.value.get(key).or(default).map(|entry| &entry.value)
    };
    let ball = ["centre_mm", "radius_mm"].into_iter().find_map(|key| entry.value.get(key));
    let mut field = CaseField { kind: kind.to_owned(), mark: entry.mark, ..CaseField::default() };
    match (get("path"), ball) {
        (Some(node), None) => field.path = Some((below_root(node, source)?, node.mark)),
        (None, Some(_)) => read_ball(entry, &mut field.options, source)?,
        (Some(_), Some(extra)) => {
            return Err(source.fault(extra.mark, "a defect is a file or a ball, not both"));
        }
        (None, None) => {
            let fault = source.fault(entry.mark, format!("`{}` has no `path`", entry.key));
            return Err(if kind == "solid" { fault.hint("or `centre_mm` and `radius_mm`, for a ball") } else { fault });
        }
    }
    field.declared = get("blake3").map(|node| digest(node, source)).transpose()?;
    field.files = get("files").map(|node| whole(node, source)).transpose()?;
    for key in ["series", "tilt", "gaps", "modality", "burned_in", "add_hu", "resample_mm", "frame", "unit"] {
        let Some(node) = get(key).filter(|_| ball.is_none() || key == "frame") else { continue };
        if let Some(value) = option(key, kind, node, source)? {
            field.options.insert(key.to_owned(), value);
        }
    }
    Ok(field)
}

/// Reads an option; none when it states the default.
fn option(key: &str, kind: &str, node: &Node, source: &Source) -> Result<Option<Json>> {
    Ok(match key {
        "series" => Some(whole(node, source)?.into()),
        "tilt" | "gaps" => (word(node, &["refuse", "resample"], source)? == "resample").then(|| "resample".into()),
        "modality" => (word(node, &["ct", "any"], source)? == "any").then(|| "any".into()),
        "burned_in" => (word(node, &["refuse", "accept"], source)? == "accept").then(|| "accept".into()),
        "add_hu" => Some(number(node, source)?).filter(|&hu| hu != 0.0).map(Json::from),
        "resample_mm" => Some(above_zero(node, source)?.into()),
        "frame" if kind == "solid" => Some(word(node, &["LPS", "RAS", "ct"], source)?.into()),
        "frame" => Some(word(node, &["LPS", "RAS"], source)?.into()),
        _ => Some(word(node, &["mm", "m"], source)?.into()),
    })
}

fn word<'a>(node: &'a Node, known: &[&str], source: &Source) -> Result<&'a str> {
    let word = text(node, source)?;
    if known.contains(&word) {
        return Ok(word);
    }
    let hint = suggest(word, known.iter().copied());
    Err(source.fault(node.mark, format!("`{}` is not one of {}", word.escape_debug(), known.join(", "))).hint(hint))
}

fn above_zero(node: &Node, source: &Source) -> Result<f64> {
    let value = number(node, source)?;
    if value > 0.0 { Ok(value) } else { Err(mismatch(node, "a number above 0", source)) }
}

/// Reads a ball: its centre in mm, in the frame that `frame` names, and its radius.
fn read_ball(entry: &Entry, options: &mut Map<String, Json>, source: &Source) -> Result<()> {
    let get = |key: &str| {
        let found = entry.value.get(key).map(|entry| &entry.value);
        found.ok_or_else(|| source.fault(entry.mark, format!("a ball-shaped defect needs `{key}` too")))
    };
    if let Some(unit) = entry.value.get("unit") {
        return Err(source.fault(unit.mark, "a ball is given in mm and has no `unit`"));
    }
    let node = get("centre_mm")?;
    let centre: Vec<f64> = match &node.value {
        Value::List(items) if items.len() == 3 => {
            items.iter().map(|item| number(item, source)).collect::<Result<_>>()?
        }
        _ => return Err(mismatch(node, "a list of three numbers", source)),
    };
    options.insert("centre_mm".to_owned(), json!(centre));
    options.insert("radius_mm".to_owned(), above_zero(get("radius_mm")?, source)?.into());
    Ok(())
}

/// Reads a digest by its spelling: `12e456` is one, and a number too.
fn digest(node: &Node, source: &Source) -> Result<String> {
    let digest = spelling(node, source)?;
    let hex = digest.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    if hex && (MIN_DIGITS..=64).contains(&digest.len()) {
        return Ok(digest);
    }
    Err(source
        .fault(node.mark, format!("`{}` is not a blake3 digest", digest.escape_debug()))
        .hint("6 to 64 hexadecimal digits in lower case; `calvaria manifest scan` writes them"))
}

/// A defect lies in the gold's frame unless it says otherwise: a defect file takes frame and unit that the gold states, a
/// ball the frame.
pub(super) fn defect_follows_gold(fields: &mut BTreeMap<String, CaseField>) {
    let Some(gold) = fields.get("gold").map(|gold| gold.options.clone()) else { return };
    let Some(defect) = fields.get_mut("defect") else { return };
    if defect.options.get("frame").is_some_and(|frame| frame == "ct") {
        return;
    }
    let inherited: &[&str] = if defect.path.is_some() { &["frame", "unit"] } else { &["frame"] };
    for &key in inherited {
        if let (Some(value), false) = (gold.get(key), defect.options.contains_key(key)) {
            defect.options.insert(key.to_owned(), value.clone());
        }
    }
}
