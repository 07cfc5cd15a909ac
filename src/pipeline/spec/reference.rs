//! References under `with:`: `stage.port`, `case.field`, `$axis`, and `{ collect: …, over: … }` around one of them.

use super::{
    tree::{Node, Value},
    typed::{is_name, only_keys},
};
use crate::{
    fault::Result,
    pipeline::{
        diagnose::{Mark, Source, suggest},
        plan::Item,
    },
};

/// What a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `stage.port`: an output of a stage.
    Output {
        /// The stage.
        stage: String,
        /// Its output.
        port: String,
    },
    /// `case.field`: a field of the item's case in the manifest.
    Field(String),
    /// `$axis`: whatever the axis stands for at the item.
    Axis(String),
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Output { stage, port } => write!(f, "{stage}.{port}"),
            Self::Field(name) => write!(f, "case.{name}"),
            Self::Axis(name) => write!(f, "${name}"),
        }
    }
}

/// What a port is bound to.
#[derive(Clone, Debug)]
pub enum Binding {
    /// One artifact.
    One(Reference),
    /// A list, sorted by item id.
    Collect {
        /// What is collected.
        reference: Reference,
        /// The cases it is collected over; all items when absent.
        over: Option<(Group, Mark)>,
    },
}

impl Binding {
    /// Returns the reference, collected or not.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        match self {
            Self::One(reference) | Self::Collect { reference, .. } => reference,
        }
    }
}

/// A set of cases: what `foreach:` and `over:` name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// All of them.
    Cases,
    /// Those whose attribute has a value; `train` is `split=train`.
    Where {
        /// The attribute.
        name: String,
        /// Its value.
        value: String,
    },
    /// Those of one side of the item's fold: `fold.train`, `fold.test`.
    Fold(Side),
}

/// A side of a fold of the cross-validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The cases that the fold learns from.
    Train,
    /// The cases that the fold is measured on.
    Test,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cases => write!(f, "cases"),
            Self::Fold(Side::Train) => write!(f, "fold.train"),
            Self::Fold(Side::Test) => write!(f, "fold.test"),
            Self::Where { name, value } if name == "split" => write!(f, "{value}"),
            Self::Where { name, value } => write!(f, "{name}={value}"),
        }
    }
}

impl Group {
    /// Returns whether a case belongs to the group; in which fold it belongs to a side of it, the case does not know.
    #[must_use]
    pub fn has(&self, item: &Item) -> bool {
        match self {
            Self::Cases | Self::Fold(_) => true,
            Self::Where { name, value } => item.attributes.get(name) == Some(value),
        }
    }

    /// Reads `cases|train|validation|test|fold.train|fold.test|<field>=<value>`.
    pub(super) fn read(node: &Node, source: &Source) -> Result<(Self, Mark)> {
        const WORDS: [&str; 6] = ["cases", "train", "validation", "test", "fold.train", "fold.test"];
        let Value::Text(text) = &node.value else {
            return Err(source
                .fault(node.mark, format!("a group of cases is expected, not {}", node.noun()))
                .hint("cases, train, validation, test, or <field>=<value>"));
        };
        let group = match text.split_once('=') {
            Some((name, value)) if is_name(name.trim()) && !value.trim().is_empty() => {
                Self::Where { name: name.trim().to_owned(), value: value.trim().to_owned() }
            }
            None if text == "cases" => Self::Cases,
            None if text == "fold.train" => Self::Fold(Side::Train),
            None if text == "fold.test" => Self::Fold(Side::Test),
            None if WORDS.contains(&text.as_str()) => Self::Where { name: "split".to_owned(), value: text.clone() },
            _ => {
                let hint = suggest(text, WORDS);
                return Err(source
                    .fault(node.mark, format!("`{text}` is not a group of cases"))
                    .hint(format!("{hint}; or <field>=<value> with a field of the manifest")));
            }
        };
        Ok((group, node.mark))
    }
}

/// Reads a plain reference.
pub(super) fn read_reference(node: &Node, source: &Source) -> Result<Reference> {
    let wrong = |what: String| {
        source
            .fault(node.mark, what)
            .hint("a reference is `stage.port`, `case.field`, `$axis`, or { collect: stage.port }")
    };
    let Value::Text(text) = &node.value else {
        return Err(wrong(format!("a reference is expected here, not {}", node.noun())));
    };
    if let Some(axis) = text.strip_prefix('$') {
        return if is_name(axis) {
            Ok(Reference::Axis(axis.to_owned()))
        } else {
            Err(wrong(format!("`{text}` is no `$axis`")))
        };
    }
    match text.split_once('.') {
        Some((stage, port)) if is_name(stage) && is_name(port) => Ok(match stage {
            "case" => Reference::Field(port.to_owned()),
            _ => Reference::Output { stage: stage.to_owned(), port: port.to_owned() },
        }),
        Some(_) => Err(wrong(format!("`{text}` is not a reference"))),
        None => Err(wrong(format!("`{text}` names no output: which one of the stage?"))),
    }
}

/// Reads what stands after a port.
pub(super) fn read_binding(node: &Node, source: &Source) -> Result<(Binding, Mark)> {
    let Value::Map(entries) = &node.value else {
        return Ok((Binding::One(read_reference(node, source)?), node.mark));
    };
    only_keys(entries, &["collect", "over"], "a collected input", source)?;
    let Some(collect) = node.get("collect") else {
        return Err(source.fault(node.mark, "`collect` is missing").hint("{ collect: stage.port, over: group }"));
    };
    let over = node.get("over").map(|entry| Group::read(&entry.value, source)).transpose()?;
    let reference = read_reference(&collect.value, source)?;
    Ok((Binding::Collect { reference, over }, collect.value.mark))
}
