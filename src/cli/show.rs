//! `calvaria show`: a built-in with its ports and parameters, or a stage of a pipeline with its effective ones.

use serde_json::{Value, json};

use super::{
    Context, forecast, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Result, near_miss},
    pipeline::{
        plan::Node,
        stage::{Arity, Op},
        status::{NodeStatus, survey},
    },
    stages,
};

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// Only the parameters, with defaults and docs
    #[arg(long)]
    params: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    match args.study.only_word() {
        Some(word) => match (stages::find(word), Study::open(&args.study, context)) {
            (Some(op), _) => show_op(op, args.params, context),
            (None, Ok(study)) if study.named().is_ok() => show_nodes(&study, context),
            (None, _) => Err(unknown(word)),
        },
        None => show_nodes(&Study::open(&args.study, context)?, context),
    }
}

fn show_op(op: &dyn Op, params_only: bool, context: &Context) -> Result<()> {
    let schema = op.schema();
    if context.global.json {
        return out::json(&op_document(op, &schema));
    }
    if !params_only {
        out::line(format!("{} (version {}): {}\n", op.name(), op.version(), op.doc()))?;
        for port in op.inputs() {
            let arity = match port.arity {
                Arity::One => "",
                Arity::Optional => ", optional",
                Arity::Many | Arity::Labelled => ", a collected list",
                Arity::OptionalMany => ", a collected list, optional",
                Arity::OneOrMany => ", or a collected list",
            };
            out::line(format!("  in  {:<16} {}  [{}{arity}]", port.name, port.doc, port.kinds.join(" or ")))?;
        }
        for port in op.outputs() {
            let optional = if port.optional { ", optional" } else { "" };
            out::line(format!("  out {:<16} {}  [{}{optional}]", port.name, port.doc, port.kind))?;
        }
        out::line("")?;
    }
    let defaults = op.resolve(&json!({})).unwrap_or(Value::Null);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let doc = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        let choices = choices(property, &schema);
        out::line(format!("  {name}: {}{choices}\n      {doc}", defaults[name]))?;
    }
    Ok(())
}

fn op_document(op: &dyn Op, schema: &Value) -> Value {
    let inputs = op.inputs().iter().map(|port| {
        let optional = matches!(port.arity, Arity::Optional | Arity::OptionalMany);
        let list = port.arity.is_list();
        json!({ "name": port.name, "kinds": port.kinds, "list": list, "optional": optional, "doc": port.doc })
    });
    let outputs = op
        .outputs()
        .iter()
        .map(|port| json!({ "name": port.name, "kind": port.kind, "optional": port.optional, "doc": port.doc }));
    json!({
        "name": op.name(),
        "version": op.version(),
        "doc": op.doc(),
        "params": schema,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

/// Returns the words that a parameter may be, where it is one of a few.
fn choices(property: &Value, schema: &Value) -> String {
    let target = property["$ref"].as_str().or_else(|| property["allOf"][0]["$ref"].as_str());
    let definition = target.and_then(|path| schema.pointer(path.trim_start_matches('#'))).unwrap_or(property);
    let listed = definition["enum"].as_array().cloned().unwrap_or_default();
    let described = definition["oneOf"].as_array().into_iter().flatten().map(|variant| variant["const"].clone());
    let words: Vec<String> =
        listed.into_iter().chain(described).filter_map(|v| v.as_str().map(str::to_owned)).collect();
    if words.is_empty() { String::new() } else { format!("   ({})", words.join(" | ")) }
}

fn show_nodes(study: &Study, context: &Context) -> Result<()> {
    let named = study.named()?;
    let survey = survey(&study.plan, &study.context(), None);
    let chosen = |index: usize| named.as_ref().is_none_or(|named| named.contains(&index));
    let nodes = study.plan.nodes.iter().zip(&survey.nodes).enumerate().filter(|(index, _)| chosen(*index));
    let items: Vec<Value> = nodes.map(|(_, (node, status))| document(node, status)).collect();
    if context.global.json {
        return out::json(&json!({ "pipeline": study.plan.name, "items": items }));
    }
    // One item is told in full, several a line each.
    let in_full = items.len() == 1;
    items.iter().try_for_each(|item| tell(item, in_full))
}

fn document(node: &Node, status: &NodeStatus) -> Value {
    let blob = |port: &str| status.result.as_ref().and_then(|result| result.outputs.get(port));
    let outputs = node.op.outputs().iter().map(|port| {
        let (digest, bytes) = (blob(port.name).map(|blob| blob.digest), blob(port.name).map(|blob| blob.bytes));
        json!({ "name": port.name, "kind": port.kind, "digest": digest, "bytes": bytes })
    });
    json!({
        "item": node.id,
        "uses": node.op.name(),
        "at": node.place.to_string(),
        "params": node.params,
        "state": status.state.name(),
        "key": status.key,
        "seconds": status.expected_seconds,
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn tell(item: &Value, in_full: bool) -> Result<()> {
    let text = |key: &str| item[key].as_str().unwrap_or("-").to_owned();
    if !in_full {
        return out::line(format!("{:<40} {:<14} {}  {}", text("item"), text("uses"), item["params"], text("at")));
    }
    out::line(format!("{}  uses {}  at {}", text("item"), text("uses"), text("at")))?;
    out::line(format!("  state   {}", text("state")))?;
    out::line(format!("  key     {}", text("key")))?;
    for (name, value) in item["params"].as_object().into_iter().flatten() {
        out::line(format!("  param   {name}: {value}"))?;
    }
    for output in item["outputs"].as_array().into_iter().flatten() {
        let word = |key: &str| output[key].as_str().unwrap_or("not stored").to_owned();
        let size = output["bytes"].as_u64().map(forecast::human_bytes).unwrap_or_default();
        out::line(format!("  out     {:<12} {} {size}", word("name"), word("digest")).trim_end())?;
    }
    Ok(())
}

fn unknown(word: &str) -> Fault {
    let fault = Fault::usage(format!("there is no built-in stage `{word}`"));
    match near_miss(word, stages::OPS.iter().map(|op| op.name())) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => {
            let names: Vec<&str> = stages::OPS.iter().map(|op| op.name()).collect();
            fault.hint(format!("there are {}", names.join(", ")))
        }
    }
}
