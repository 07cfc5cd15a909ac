//! `folds:`, how cross-validation parts the cases: as written, nothing looked up yet.

use super::{
    reference::Group,
    tree::{Entry, Node},
    typed::{mapping, mismatch, name, only_keys, whole},
};
use crate::{
    fault::Result,
    pipeline::diagnose::{Mark, Source},
};

const KEYS: &[&str] = &["k", "leave_out", "field", "of", "together", "shuffle"];
const FORMS: &str = "{ k: 5 }, { leave_out: 1 } or { field: <field of the manifest> }";

/// How the cases are parted into folds.
#[derive(Clone, Debug)]
pub struct FoldSpec {
    /// By which rule.
    pub rule: FoldRule,
    /// `of:`, the cases that are parted; all when absent.
    pub of: (Group, Mark),
    /// `together:`, the field of the manifest whose equal values stay in one fold.
    pub together: Option<(String, Mark)>,
    /// `shuffle:`, the number of a random order; the order of the manifest when absent.
    pub shuffle: Option<u64>,
    /// Where it stands.
    pub mark: Mark,
}

/// The rule by which cases are parted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldRule {
    /// `k:`, so many folds; cases are dealt out in turn, so that one more case at the end moves no other.
    Count(u64),
    /// `leave_out:`, a fold for each choice of so many.
    LeaveOut(u64),
    /// `field:`, a field of the manifest that names the fold of each case.
    Field(String),
}

/// Reads `folds:`.
pub(super) fn read(entry: &Entry, source: &Source) -> Result<FoldSpec> {
    let node = &entry.value;
    only_keys(mapping(node, FORMS, source)?, KEYS, "`folds`", source)?;
    let at = |key: &str| node.get(key).map(|entry| &entry.value);
    let rule = match (at("k"), at("leave_out"), at("field")) {
        (Some(k), None, None) => FoldRule::Count(at_least(k, 2, source)?),
        (None, Some(k), None) => FoldRule::LeaveOut(at_least(k, 1, source)?),
        (None, None, Some(field)) => FoldRule::Field(name(field, source)?.to_owned()),
        _ => return Err(source.fault(entry.mark, "`folds` needs one rule").hint(FORMS)),
    };
    let together = at("together").map(|node| Ok((name(node, source)?.to_owned(), node.mark))).transpose()?;
    Ok(FoldSpec {
        rule,
        of: at("of").map_or(Ok((Group::Cases, entry.mark)), |node| group_of(node, source))?,
        together,
        shuffle: at("shuffle").map(|node| whole(node, source)).transpose()?,
        mark: entry.mark,
    })
}

fn group_of(node: &Node, source: &Source) -> Result<(Group, Mark)> {
    match Group::read(node, source)? {
        (Group::Fold(_), mark) => Err(source.fault(mark, "`of` names the cases that are to be parted into folds")),
        group => Ok(group),
    }
}

fn at_least(node: &Node, least: u64, source: &Source) -> Result<u64> {
    match whole(node, source)? {
        number if number >= least => Ok(number),
        _ => Err(mismatch(node, &format!("a whole number from {least}"), source)),
    }
}

/// Returns whether text can be the value of an axis: it becomes part of item ids.
#[must_use]
pub fn in_ids(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    !text.is_empty() && text.len() <= 64 && text.chars().all(plain)
}
