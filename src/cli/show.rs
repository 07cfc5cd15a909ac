//! `calvaria show`: a built-in with its ports and parameters, or a stage of a pipeline with its effective ones.

use serde_json::{Value, json};

use super::{
    Context, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Result, near_miss},
    pipeline::stage::{Arity, Op},
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
        Some(word) => match stages::find(word) {
            Some(op) => show_op(op, args.params, context),
            None => Err(unknown(word)),
        },
        None => show_nodes(&Study::open(&args.study, context)?, context),
    }
}

fn show_op(op: &dyn Op, params_only: bool, context: &Context) -> Result<()> {
    let schema = op.schema();
    if context.global.json {
        return out::json(&json!({ "name": op.name(), "version": op.version(), "doc": op.doc(), "params": schema }));
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
    let only = study.selection()?;
    let nodes =
        study.plan.nodes.iter().enumerate().filter(|(index, _)| only.as_ref().is_none_or(|only| only.contains(index)));
    let shown: Vec<Value> = nodes
        .map(|(_, node)| {
            let outputs: Vec<&str> = node.op.outputs().iter().map(|port| port.name).collect();
            json!({ "item": node.id, "uses": node.op.name(), "at": node.place.to_string(), "params": node.params, "outputs": outputs })
        })
        .collect();
    if context.global.json {
        return out::json(&shown);
    }
    for node in &shown {
        let (item, uses, at) = (&node["item"], &node["uses"], &node["at"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        out::line(format!("{:<40} {:<14} {}  {}", text(item), text(uses), node["params"], text(at)))?;
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
