//! YAML as a tree in which every key and value knows its place.
//!
//! A strict subset: no anchors, aliases, merge keys, foreign tags or duplicate keys; booleans are `true` and `false`
//! alone; numbers with leading zeros or underscores are text. Numbers keep their spelling, because a digest such as
//! `12e456` looks like one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use serde_yaml::{
    DuplicateKeyPolicy, Error, NonFiniteFloatPolicy, Spanned, budget::BudgetBreach, options::MergeKeyPolicy,
};

use crate::{
    fault::Result,
    pipeline::diagnose::{Mark, Source},
};

/// Deeper nesting than any sensible file has; bounds the recursion below.
const MAX_DEPTH: usize = 24;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub mark: Mark,
    /// What it is.
    pub value: Value,
}

/// What a node can be.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number: its value, which is none when it is not finite, and its spelling.
    Number(Option<Number>, String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub mark: Mark,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Returns how messages call this kind of value.
    #[must_use]
    pub fn noun(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => format!("`{flag}`"),
            Value::Number(_, spelling) => format!("the number `{spelling}`"),
            Value::Text(text) => format!("the text `{}`", text.chars().take(40).collect::<String>().escape_debug()),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Returns the entry of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Returns the value as JSON.
    ///
    /// # Errors
    /// The mark of a number that is not finite.
    pub fn to_json(&self) -> std::result::Result<Json, Mark> {
        Ok(match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number, _) => Json::Number(number.clone().ok_or(self.mark)?),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect::<std::result::Result<_, _>>()?),
            Value::Map(entries) => {
                let pairs = entries.iter().map(|entry| Ok((entry.key.clone(), entry.value.to_json()?)));
                Json::Object(pairs.collect::<std::result::Result<Map<_, _>, Mark>>()?)
            }
        })
    }
}

/// Reads YAML text.
///
/// # Errors
/// When it is not YAML of the subset above; the fault points at the place.
pub fn read(source: &Source) -> Result<Node> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_anchors: 0,
            max_aliases: 0,
            max_documents: 1,
            max_depth: MAX_DEPTH,
            max_nodes: 4_000_000,
            max_events: 16_000_000,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
    };
    let raw: Spanned<Raw> = serde_yaml::from_str_with_options(&source.text, options).map_err(|error| {
        let mark = error.location().map_or(Mark { line: 1, column: 1, length: 1 }, |location| mark_of(&location));
        let (what, hint) = explain(&error, source, mark);
        let fault = source.fault(mark, what);
        if let Some(hint) = hint { fault.hint(hint) } else { fault }
    })?;
    settle(raw, source)
}

fn mark_of(location: &serde_yaml::Location) -> Mark {
    Mark {
        line: location.line() as usize,
        column: location.column() as usize,
        length: usize::try_from(location.span().len()).unwrap_or(0),
    }
}

/// Says what a parser's complaint means to the person who wrote the file.
fn explain(error: &Error, source: &Source, mark: Mark) -> (String, Option<&'static str>) {
    let line = mark.line.checked_sub(1).and_then(|line| source.text.lines().nth(line)).unwrap_or_default();
    if line[..line.len() - line.trim_start().len()].contains('\t') {
        return ("a tab indents this line".to_owned(), Some("YAML is indented with spaces"));
    }
    match error.without_snippet() {
        Error::Budget { breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. }, .. }
        | Error::UnknownAnchor { .. } => (
            "anchors (`&`) and aliases (`*`) are not allowed here".to_owned(),
            Some("write the value out, or put a number under `vars:`; quote text that begins with `&` or `*`"),
        ),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            ("a second YAML document begins here; the file holds one".to_owned(), None)
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("the nesting is deeper than {MAX_DEPTH} levels"), None)
        }
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (`<<`) are not allowed here".to_owned(), Some("write the keys out"))
        }
        other => {
            let text = other.to_string();
            let text = text.split(" at line ").next().unwrap_or_default().to_owned();
            let hint = if line.contains("${") {
                Some("`$name` stands for a whole value, without braces")
            } else if text.contains("mapping values are not allowed") {
                Some("check the indentation of this line and the one above; text that holds `: ` needs quotes")
            } else {
                None
            };
            (text, hint)
        }
    }
}

/// The tree as serde gives it: spans from the parser, numbers without their spelling.
enum Raw {
    Null,
    Bool(bool),
    Number(Option<Number>),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

fn settle(raw: Spanned<Raw>, source: &Source) -> Result<Node> {
    let mark = mark_of(&raw.referenced);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(flag) => Value::Bool(flag),
        Raw::Text(text) => Value::Text(text),
        Raw::Number(number) => {
            let span = raw.referenced.span();
            let spelling = span
                .byte_offset()
                .zip(span.byte_len())
                .and_then(|(at, length)| source.text.get(at as usize..(at + length) as usize))
                .map(|text| text.trim().to_owned())
                .or_else(|| number.as_ref().map(Number::to_string))
                .unwrap_or_default();
            Value::Number(number, spelling)
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| settle(item, source)).collect::<Result<_>>()?),
        Raw::Map(pairs) => {
            let mut entries = Vec::with_capacity(pairs.len());
            let mut seen = std::collections::BTreeMap::new();
            for (key, value) in pairs {
                let mark = mark_of(&key.referenced);
                if let Some(first) = seen.insert(key.value.clone(), mark) {
                    let what = format!("duplicate key `{}`", key.value);
                    let hint = format!("it stands already in line {}; a key is written once", first.line);
                    return Err(source.fault_between(first, mark, what).hint(hint));
                }
                entries.push(Entry { key: key.value, mark, value: settle(value, source)? });
            }
            Value::Map(entries)
        }
    };
    Ok(Node { mark, value })
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> std::result::Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_bool<E>(self, flag: bool) -> std::result::Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }
    fn visit_i64<E>(self, number: i64) -> std::result::Result<Raw, E> {
        Ok(Raw::Number(Some(number.into())))
    }
    fn visit_u64<E>(self, number: u64) -> std::result::Result<Raw, E> {
        Ok(Raw::Number(Some(number.into())))
    }
    fn visit_f64<E>(self, number: f64) -> std::result::Result<Raw, E> {
        Ok(Raw::Number(Number::from_f64(number)))
    }
    fn visit_str<E>(self, text: &str) -> std::result::Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> std::result::Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
