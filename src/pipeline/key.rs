//! Stage keys: what an execution depends on, as one document (the pre-image) and its digest.
//!
//! A key holds the op and its version, the effective parameters, the content of the inputs, the seed where the op draws
//! random numbers, and what else the bytes depend on. It never holds the name of a stage, a path, a host, a thread count.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    canonical,
    digest::Digest,
    origin::{Bound, Origin, origin_of},
    plan::{Node, Plan, Source},
    stage::{Arity, Input, NumericClass},
};
use crate::fault::Result;

/// Version of the form of the pre-image.
const KEY_SCHEMA: u32 = 1;

/// The digest of a pre-image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StageKey(pub Digest);

impl fmt::Display for StageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StageKey {
    /// Returns the key of a pre-image.
    ///
    /// # Errors
    /// When the pre-image has no canonical form.
    pub fn of(pre_image: &Value) -> Result<Self> {
        Ok(Self(Digest::derive("calvaria v1 stage", canonical::encode(pre_image)?.as_bytes())))
    }
}

/// Returns everything that the bytes of one execution depend on.
///
/// `absent` holds the members that a collected port lacks: a port that reads their labels is told which; `backend` enters for backend-exact ops only; it is null on the
/// processor, where every op that may run on a card is what its class says.
#[must_use]
pub fn pre_image(
    plan: &Plan,
    node: &Node,
    inputs: &BTreeMap<&'static str, Vec<Bound<'_>>>,
    absent: &BTreeMap<&'static str, Vec<&Source>>,
    backend: &Value,
) -> Value {
    let mut ports = Map::new();
    for port in node.op.inputs() {
        let Some(members) = inputs.get(port.name) else { continue };
        let mut list: Vec<Value> = members.iter().map(|member| member_document(plan, port, member)).collect();
        let value = match port.arity {
            Arity::One | Arity::Optional => list.pop().unwrap_or(Value::Null),
            Arity::OneOrMany if list.len() == 1 => list.pop().unwrap_or(Value::Null),
            Arity::Many | Arity::OptionalMany | Arity::OneOrMany | Arity::Labelled => Value::Array(list),
        };
        ports.insert(port.name.to_owned(), value);
    }
    let class = match node.op.class() {
        NumericClass::BitExact if node.op.on_device() && !backend.is_null() => NumericClass::BackendExact,
        class => class,
    };
    let mut document = json!({
        "key_schema": KEY_SCHEMA,
        "op": node.op.name(),
        "op_version": node.op.version(),
        "params": node.params,
        "inputs": ports,
        "numeric_class": class_name(class),
    });
    if node.op.random() {
        document["seed"] = Value::String(Digest(node.seed.0).to_string());
    }
    if class == NumericClass::BackendExact {
        let mut backend = backend.clone();
        // Which of several cards computes is no part of the result.
        drop(backend.as_object_mut().and_then(|backend| backend.remove("device")));
        document["backend"] = backend;
    }
    if !absent.is_empty() {
        let lacking = |(port, sources): (&&'static str, &Vec<&Source>)| ((*port).to_owned(), json!(sources.len()));
        document["missing"] = absent.iter().map(lacking).collect::<Map<_, _>>().into();
        let labels = |port: &&Input| Some((port.name.to_owned(), labels_of(plan, absent.get(port.name)?)));
        let labelled = node.op.inputs().iter().filter(|port| port.arity == Arity::Labelled);
        let known: Map<String, Value> = labelled.filter_map(|port| labels(&port)).collect();
        if !known.is_empty() {
            document["absent"] = known.into();
        }
    }
    document
}

fn labels_of(plan: &Plan, sources: &[&Source]) -> Value {
    let label = |source: &&Source| {
        let mut document = Map::new();
        add_labels(&mut document, &origin_of(source, plan));
        Value::Object(document)
    };
    sources.iter().map(label).collect()
}

fn add_labels(document: &mut Map<String, Value>, origin: &Origin<'_>) {
    document.insert("item".to_owned(), origin.item().into());
    document.insert("case".to_owned(), json!(origin.case));
    document.insert("axes".to_owned(), json!(origin.axes));
}

/// Returns a digest alone where that says everything, else an object that also says how the artifact is to be read.
fn member_document(plan: &Plan, port: &Input, member: &Bound<'_>) -> Value {
    let origin = member.origin(plan);
    let mut document = Map::new();
    if let Some(options) = origin.options.filter(|options| !options.is_empty()) {
        document.insert("options".to_owned(), Value::Object(options.clone()));
    }
    // A port of one kind says nothing new; a port of several (a label or a mesh) is read by kind.
    if port.kinds.len() > 1 {
        document.insert("kind".to_owned(), origin.kind.into());
    }
    if port.arity == Arity::Labelled {
        add_labels(&mut document, &origin);
    }
    let digest = Value::String(member.digest.to_string());
    if document.is_empty() {
        return digest;
    }
    document.insert("digest".to_owned(), digest);
    Value::Object(document)
}

fn class_name(class: NumericClass) -> &'static str {
    match class {
        NumericClass::BitExact => "bit-exact",
        NumericClass::BackendExact => "backend-exact",
    }
}
