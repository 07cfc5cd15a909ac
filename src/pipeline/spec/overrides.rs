//! `--set vars.x=…` and `--set stage.param=…`: values from the command line in place of those of the file.

use serde_json::Value as Json;

use super::{
    Spec,
    tree::{self, Node, Value},
    typed::is_name,
};
use crate::{
    fault::{Fault, Result},
    pipeline::diagnose::{Source, suggest},
};

/// Applies overrides in order; the last one of a name wins.
pub(super) fn apply(spec: &mut Spec, overrides: &[(String, String)]) -> Result<()> {
    for (key, written) in overrides {
        let at = |fault: Fault| fault.at(format!("--set {key}={written}"));
        let value = value(written).map_err(at)?;
        let path: Vec<&str> = key.split('.').collect();
        match path.as_slice() {
            ["vars", name] => variable(spec, name, value.clone()).map_err(at)?,
            [stage, param @ ..] if !param.is_empty() && path.iter().all(|word| is_name(word)) => {
                parameter(spec, stage, param, value.clone()).map_err(at)?;
            }
            _ => {
                return Err(at(
                    Fault::usage(format!("`{key}` names nothing in a pipeline")).hint("vars.<name> or <stage>.<param>")
                ));
            }
        }
        spec.overrides.insert(key.clone(), value);
    }
    Ok(())
}

fn variable(spec: &mut Spec, name: &str, value: Json) -> Result<()> {
    let known: Vec<&str> = spec.vars.keys().map(String::as_str).collect();
    if !known.contains(&name) {
        return Err(Fault::usage(format!("the pipeline has no variable `{name}`")).hint(suggest(name, known)));
    }
    if value.is_object() || value.is_array() || value.is_null() {
        return Err(Fault::usage(format!("the variable `{name}` is one word or number")));
    }
    if let Some(var) = spec.vars.get_mut(name) {
        var.value = value;
        var.overridden = true;
    }
    Ok(())
}

fn parameter(spec: &mut Spec, stage: &str, param: &[&str], value: Json) -> Result<()> {
    let known: Vec<String> = spec.stages.iter().map(|stage| stage.name.text.clone()).collect();
    let Some(stage) = spec.stages.iter_mut().find(|candidate| candidate.name.text == stage) else {
        let hint = suggest(stage, known.iter().map(String::as_str).chain(["vars"]));
        return Err(Fault::usage(format!("the pipeline has no stage `{stage}`")).hint(hint));
    };
    let param: Vec<String> = param.iter().map(|&word| word.to_owned()).collect();
    stage.set.retain(|(path, _)| *path != param);
    stage.set.push((param, value));
    Ok(())
}

/// Reads the value as YAML, so that `3`, `0.5`, `even-odd` and `[1, 2]` mean what they mean in the file.
fn value(written: &str) -> Result<Json> {
    let wrong = |what: String| Fault::usage(format!("the value `{}` {what}", written.escape_debug()));
    let source = Source::new("", written);
    let node = tree::read(&source).map_err(|fault| wrong(format!("is not YAML: {}", fault.what)))?;
    if names_variable(&node) {
        return Err(wrong("holds a `$name`: write the value itself".to_owned()));
    }
    node.to_json().map_err(|_| wrong("is not finite".to_owned()))
}

fn names_variable(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.starts_with('$'),
        Value::List(items) => items.iter().any(names_variable),
        Value::Map(entries) => entries.iter().any(|entry| names_variable(&entry.value)),
        Value::Null | Value::Bool(_) | Value::Number(..) => false,
    }
}
