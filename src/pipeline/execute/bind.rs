//! From a node to its key: the content of each input, as far as it is known.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Fields, NodeResult};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        key::{StageKey, pre_image},
        origin::Bound,
        plan::{Plan, Source},
        record::Share,
        stage::Arity,
    },
};

/// A node whose inputs are known, and with them its key.
pub(in crate::pipeline) struct Keyed<'p> {
    pub(in crate::pipeline) key: StageKey,
    pub(super) pre_image: Value,
    pub(super) inputs: BTreeMap<&'static str, Vec<Bound<'p>>>,
    /// Members that a collected port lacks.
    pub(super) absent: BTreeMap<&'static str, Vec<&'p Source>>,
    pub(super) incomplete: BTreeMap<String, Share>,
}

/// What is known of the inputs of a node.
pub(in crate::pipeline) enum Binding<'p> {
    /// All: it can be looked up and executed.
    Ready(Box<Keyed<'p>>),
    /// A node that it needs has no result.
    Blocked {
        /// That node.
        by: usize,
        /// Members there and members asked for, where a collected input is incomplete.
        share: Option<Share>,
    },
    /// An input is at fault.
    Faulty(Fault),
}

/// Finds the inputs of a node and computes its key. `result_of` gives the results of earlier nodes, as far as there are any.
pub(in crate::pipeline) fn bind<'p, 'r>(
    plan: &'p Plan,
    index: usize,
    fields: &Fields<'p>,
    backend: &Value,
    result_of: &dyn Fn(usize) -> Option<&'r NodeResult>,
) -> Binding<'p> {
    let node = &plan.nodes[index];
    let mut inputs = BTreeMap::new();
    let mut absent_members = BTreeMap::new();
    let mut incomplete = BTreeMap::new();
    for (name, sources) in &node.inputs {
        let mut found = Vec::with_capacity(sources.len());
        let mut absent = None;
        let mut without = Vec::new();
        for source in sources {
            match find(source, fields, result_of) {
                Ok(Finding::Known(bound)) => found.push(bound),
                Ok(Finding::Unwritten) => without.push(source),
                Ok(Finding::Without(by)) => {
                    absent = absent.or(Some(by));
                    without.push(source);
                }
                Err(fault) => return Binding::Faulty(fault),
            }
        }
        let share = Share { have: found.len(), of: sources.len() };
        let lacking = share.of - share.have;
        match node.op.inputs().iter().find(|input| input.name == *name).map(|input| input.arity) {
            // One alone stands in a list of one, and a list of one is that one.
            Some(arity) if (arity != Arity::OneOrMany && arity.is_list()) || sources.len() > 1 => {
                if lacking > node.allow_missing || (lacking > 0 && share.have == 0) {
                    return absent.map_or_else(
                        || Binding::Faulty(unwritten(name)),
                        |by| Binding::Blocked { by, share: Some(share) },
                    );
                }
                if lacking > 0 {
                    absent_members.insert(*name, without);
                    incomplete.insert((*name).to_owned(), share);
                }
            }
            arity => {
                if let Some(by) = absent {
                    return Binding::Blocked { by, share: None };
                }
                if lacking > 0 && matches!(arity, Some(Arity::One | Arity::OneOrMany)) {
                    return Binding::Faulty(unwritten(name));
                }
            }
        }
        if !found.is_empty() {
            inputs.insert(*name, found);
        }
    }
    let pre_image = pre_image(plan, node, &inputs, &absent_members, backend);
    match StageKey::of(&pre_image) {
        Ok(key) => Binding::Ready(Box::new(Keyed { key, pre_image, inputs, absent: absent_members, incomplete })),
        Err(fault) => Binding::Faulty(fault),
    }
}

enum Finding<'p> {
    Known(Bound<'p>),
    /// The node before it left an optional output unwritten.
    Unwritten,
    /// The node before it has no result.
    Without(usize),
}

fn find<'p, 'r>(
    source: &'p Source,
    fields: &Fields<'p>,
    result_of: &dyn Fn(usize) -> Option<&'r NodeResult>,
) -> Result<Finding<'p>> {
    Ok(match source {
        Source::Field { case, name, field } => {
            Finding::Known(Bound { source, digest: fields.digest(case, name, field)? })
        }
        Source::Output { node, port } => match result_of(*node) {
            None => Finding::Without(*node),
            Some(result) => match result.outputs.get(*port) {
                None => Finding::Unwritten,
                Some(blob) => Finding::Known(Bound { source, digest: blob.digest }),
            },
        },
    })
}

fn unwritten(port: &str) -> Fault {
    Fault::unfit(format!("the input `{port}` was not written by the stage before, to which it is optional"))
}
