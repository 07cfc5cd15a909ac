//! From the tree to a [`Manifest`]: known keys, ids, splits, and the fields of each case with their defaults.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Case, CaseField, Manifest, Split, VERSION, field};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        diagnose::{Mark, Source, suggest},
        spec::{
            tree::{self, Entry, Node, Value},
            typed::{NAME_RULE, is_name, mapping, mismatch, only_keys, spelling, text, whole},
        },
    },
};

const TOP: &[&str] = &["manifest", "root", "defaults", "cases"];
/// Words that cannot name an attribute: they belong to the file, or to `foreach`.
const RESERVED: &[&str] = &["id", "case", "cases"];

pub(super) fn parse(source: &Arc<Source>, data_root: Option<&Path>) -> Result<Manifest> {
    let root_node = tree::read(source)?;
    let entries = top_level(&root_node, source)?;
    only_keys(entries, TOP, "a manifest", source)?;
    let defaults = match root_node.get("defaults") {
        Some(entry) => mapping(&entry.value, "defaults by field", source)?,
        None => &[],
    };
    field::check_defaults(defaults, source)?;
    let Some(cases_entry) = root_node.get("cases") else {
        return Err(source
            .fault(root_node.mark, "`cases` is missing from the manifest")
            .hint("write `cases:` and below it `c01: { split: train, … }`"));
    };
    let cases: Vec<Case> = mapping(&cases_entry.value, "the cases by id", source)?
        .iter()
        .map(|entry| case(entry, defaults, source).map_err(|fault| within_case(entry, fault)))
        .collect::<Result<_>>()?;
    if cases.is_empty() {
        return Err(source.fault(cases_entry.value.mark, "the manifest has no case"));
    }
    let beside = source.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = match (data_root, root_node.get("root")) {
        (Some(given), _) => given.to_owned(),
        (None, Some(entry)) => beside.join(root(&entry.value, source)?),
        (None, None) => beside.to_owned(),
    };
    Ok(Manifest { source: Arc::clone(source), root, cases })
}

fn within_case(entry: &Entry, fault: Fault) -> Fault {
    if is_id(&entry.key) { fault.within(format!("case {}", entry.key)) } else { fault }
}

/// Checks that the file is a manifest of this version before anything else is said about it.
fn top_level<'a>(root: &'a Node, source: &Source) -> Result<&'a [Entry]> {
    if matches!(root.value, Value::Null) {
        let start = Mark { line: 1, column: 1, length: 1 };
        return Err(source.fault(start, "the manifest is empty").hint("it begins with `manifest: 1`"));
    }
    let entries = mapping(root, "a manifest", source)?;
    match root.get("manifest") {
        Some(_) if root.get("stages").is_some() => Err(source
            .fault(root.mark, "this file is a pipeline, not a manifest")
            .hint("a pipeline names its manifest with `manifest:`")),
        Some(entry) => match whole(&entry.value, source)? {
            VERSION => Ok(entries),
            other => Err(source
                .fault(entry.value.mark, format!("the manifest is written for file format {other}"))
                .hint(format!("this program reads format {VERSION}; newer formats need a newer calvaria"))),
        },
        None => Err(source
            .fault(root.mark, "`manifest` is missing from the manifest")
            .hint("a manifest begins with `manifest: 1`")),
    }
}

/// Returns the root as written: relative, so that the committed file names no machine. It may lead out of the folder of
/// the manifest; the paths below it may not lead out of it.
fn root<'a>(node: &'a Node, source: &Source) -> Result<&'a str> {
    let written = text(node, source)?;
    if is_absolute(written) {
        return Err(source
            .fault(node.mark, "`root` is an absolute path")
            .hint("keep it relative to the manifest; `--data-root DIR` says where the data lies on this machine"));
    }
    Ok(written)
}

/// Returns whether a path is absolute on any system, so that a file means the same everywhere.
pub(super) fn is_absolute(path: &str) -> bool {
    let drive = match path.as_bytes() {
        [letter, b':'] | [letter, b':', b'/' | b'\\', ..] => letter.is_ascii_alphabetic(),
        _ => false,
    };
    path.starts_with(['/', '\\', '~']) || drive
}

/// Returns whether a word can be an id: lower-case letters, digits and `-`, not a `-` first.
pub(super) fn is_id(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    word.starts_with(plain) && word.len() <= 64 && word.chars().all(|c| plain(c) || c == '-')
}

fn case(entry: &Entry, defaults: &[Entry], source: &Source) -> Result<Case> {
    if !is_id(&entry.key) {
        return Err(source
            .fault(entry.mark, format!("`{}` cannot be the id of a case", entry.key.escape_debug()))
            .hint("an id is chosen, never a name from the hospital: lower-case letters, digits and `-`, 64 at most"));
    }
    let written = mapping(&entry.value, "a case", source)?;
    let mut case = Case {
        id: entry.key.clone(),
        mark: entry.mark,
        split: split(entry, written, defaults, source)?,
        attributes: BTreeMap::new(),
        fields: BTreeMap::new(),
    };
    for item in with_defaults(written, defaults) {
        let own = written.iter().find(|own| own.key == item.key);
        let default = defaults.iter().find(|default| default.key == item.key);
        member(&mut case, item, own.and(default), source)?;
    }
    field::defect_follows_gold(&mut case.fields);
    Ok(case)
}

/// Returns the entries of a case, then those defaults that it lacks and that stand for themselves: attributes and free
/// mappings. A default for `gold` gives no case a gold.
fn with_defaults<'a>(written: &'a [Entry], defaults: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
    let lacking =
        move |default: &&Entry| !written.iter().any(|own| own.key == default.key) && !field::is_file(&default.key);
    written.iter().chain(defaults.iter().filter(lacking)).filter(|entry| entry.key != "split")
}

fn split(entry: &Entry, written: &[Entry], defaults: &[Entry], source: &Source) -> Result<Split> {
    let words = || Split::ALL.iter().map(|split| split.word());
    let Some(stated) = written.iter().chain(defaults).find(|candidate| candidate.key == "split") else {
        let near = written.iter().find(|other| crate::fault::near_miss(&other.key, ["split"]).is_some());
        let mark = near.map_or(entry.mark, |near| near.mark);
        return Err(source.fault(mark, "`split` is missing").hint("train, validation, test, or exclude"));
    };
    let word = text(&stated.value, source)?;
    Split::ALL.into_iter().find(|split| split.word() == word).ok_or_else(|| {
        source
            .fault(stated.value.mark, format!("`{}` is not a split", word.escape_debug()))
            .hint(suggest(word, words()))
    })
}

/// Reads one entry of a case: a field with a file, an attribute, or a free mapping.
fn member(case: &mut Case, entry: &Entry, default: Option<&Entry>, source: &Source) -> Result<()> {
    if !is_name(&entry.key) || RESERVED.contains(&entry.key.as_str()) {
        let what = format!("`{}` cannot name a field", entry.key.escape_debug());
        return Err(source.fault(entry.mark, what).hint(NAME_RULE));
    }
    match &entry.value.value {
        _ if field::is_file(&entry.key) => {
            let read = field::read(entry, default, source)?;
            case.fields.insert(entry.key.clone(), read);
        }
        Value::Map(_) => {
            let read = free(entry, default, source)?;
            case.fields.insert(entry.key.clone(), read);
        }
        Value::Null | Value::List(_) => {
            return Err(mismatch(&entry.value, "one word or number, or a mapping,", source));
        }
        _ => {
            case.attributes.insert(entry.key.clone(), spelling(&entry.value, source)?);
        }
    }
    Ok(())
}

/// Reads a free mapping (`anatomy`, `scanner`): values for stages that know them, without a file.
fn free(entry: &Entry, default: Option<&Entry>, source: &Source) -> Result<CaseField> {
    if let Some(path) = entry.value.get("path") {
        let what = format!("`{}` is not a field with a file", entry.key);
        return Err(source.fault(path.mark, what).hint(suggest(&entry.key, field::FILES.iter().copied())));
    }
    let not_finite = |mark| source.fault(mark, "the number is not finite");
    let mut options = serde_json::Map::new();
    for value in [default.map(|entry| &entry.value), Some(&entry.value)].into_iter().flatten() {
        if let serde_json::Value::Object(map) = value.to_json().map_err(not_finite)? {
            options.extend(map);
        }
    }
    Ok(CaseField { kind: entry.key.clone(), options, mark: entry.mark, ..CaseField::default() })
}

/// Returns a path below the root.
pub(super) fn below_root(node: &Node, source: &Source) -> Result<PathBuf> {
    let written = text(node, source)?;
    let wrong = |what: &str| {
        Err(source.fault(node.mark, what).hint("paths are written with `/`, relative to `root`, and stay below it"))
    };
    if is_absolute(written) {
        return wrong("the path is absolute");
    }
    if written.contains('\\') || written.chars().any(char::is_control) {
        return wrong("the path holds a `\\` or a control character");
    }
    if written.split('/').any(|part| part == "..") {
        return wrong("the path leads upwards (`..`)");
    }
    let path: PathBuf = written.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.as_os_str().is_empty() { wrong("the path names nothing") } else { Ok(path) }
}
