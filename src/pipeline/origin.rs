//! Where an input artifact came from: its item, kind and reading options, and its name in the lock file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    digest::Digest,
    plan::{Plan, Source},
};

/// An input whose content is known.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'p> {
    /// Where it comes from.
    pub source: &'p Source,
    /// Digest of its content.
    pub digest: Digest,
}

/// What the plan says of the origin of an artifact.
#[derive(Clone, Debug)]
pub struct Origin<'p> {
    /// Case, if it has one.
    pub case: Option<&'p str>,
    /// Axes of the node that made it; none for a field.
    pub axes: Option<&'p BTreeMap<String, String>>,
    /// Kind of artifact.
    pub kind: &'p str,
    /// How the manifest says to read it; none for outputs.
    pub options: Option<&'p Map<String, Value>>,
}

impl<'p> Bound<'p> {
    /// Returns what the plan says of this input's origin.
    #[must_use]
    pub fn origin(&self, plan: &'p Plan) -> Origin<'p> {
        origin_of(self.source, plan)
    }

    /// Returns the name for people and for the lock: `phantom@p01.ct`, or `case p16.ct`.
    #[must_use]
    pub fn label(&self, plan: &Plan) -> String {
        label_of(self.source, plan)
    }
}

/// Returns what the plan says of the origin of a source, whether its content is known or not.
#[must_use]
pub fn origin_of<'p>(source: &'p Source, plan: &'p Plan) -> Origin<'p> {
    match source {
        Source::Field { case, field, .. } => {
            let case = Some(case.as_str()).filter(|case| !case.is_empty());
            Origin { case, axes: None, kind: &field.kind, options: Some(&field.options) }
        }
        Source::Output { node, port } => {
            let node = &plan.nodes[*node];
            let kind = node.op.outputs().iter().find(|output| output.name == *port).map_or("", |output| output.kind);
            Origin { case: node.case.as_deref(), axes: Some(&node.axes), kind, options: None }
        }
    }
}

/// Returns the name of a source for people and for the lock: `phantom@p01.ct`, `case p16.ct`, or `file scripts/fit.py`.
#[must_use]
pub fn label_of(source: &Source, plan: &Plan) -> String {
    match source {
        Source::Field { case, name, .. } if case.is_empty() => format!("file {name}"),
        Source::Field { case, name, .. } => format!("case {case}.{name}"),
        Source::Output { node, port } => format!("{}.{port}", plan.nodes[*node].id),
    }
}

impl Origin<'_> {
    /// Returns the item id: `p16,method=msdnet,seed=2`; empty without case and axes.
    #[must_use]
    pub fn item(&self) -> String {
        let axes = self.axes.into_iter().flatten().map(|(axis, value)| format!("{axis}={value}"));
        self.case.map(str::to_owned).into_iter().chain(axes).collect::<Vec<_>>().join(",")
    }
}
