//! JSON Schema of the pipeline file, for editors: the grammar, and for each op the schema of its parameters.

use serde_json::{Map, Value, json};

use super::{
    spec::VERSION,
    stage::{Arity, Op},
};

/// Pattern of names of stages, axes and variables.
const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]*$";

/// Returns the schema of a pipeline file whose stages use the given ops.
#[must_use]
pub fn schema(ops: &[&'static dyn Op]) -> Value {
    let mut definitions = Map::new();
    for op in ops {
        definitions.insert(format!("params.{}", op.name()), params(*op));
        definitions.insert(format!("with.{}", op.name()), with(*op));
    }
    definitions.insert("reference".to_owned(), reference());
    definitions.insert("group".to_owned(), group());
    definitions.insert("stage".to_owned(), stage(ops));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Calvaria pipeline",
        "type": "object",
        "additionalProperties": false,
        "required": ["calvaria", "name", "seed", "manifest", "stages"],
        "properties": {
            "calvaria": { "const": VERSION, "description": "version of this file format" },
            "name": { "type": "string", "pattern": NAME, "description": "results/<name>/ and pipelines/<name>.lock" },
            "seed": { "type": "integer", "minimum": 0, "description": "all random streams: (seed, op, case, replicate)" },
            "manifest": { "type": "string", "description": "path of the manifest, relative to this file" },
            "vars": {
                "type": "object",
                "description": "named values, used as $name under params",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": { "type": ["string", "number", "boolean"] }
            },
            "folds": folds(),
            "stages": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": { "pattern": NAME },
                "additionalProperties": { "$ref": "#/$defs/stage" }
            }
        },
        "$defs": definitions
    })
}

fn reference() -> Value {
    json!({
        "type": "string",
        "pattern": "^(\\$[A-Za-z][A-Za-z0-9_-]*|[A-Za-z][A-Za-z0-9_-]*\\.[A-Za-z][A-Za-z0-9_-]*)$",
        "description": "stage.port, case.field, or $axis"
    })
}

fn folds() -> Value {
    let rule = |key: &str| json!({ "required": [key] });
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "cross-validation: the axis `fold`, by k, leave_out or field",
        "oneOf": [rule("k"), rule("leave_out"), rule("field")],
        "properties": {
            "k": { "type": "integer", "minimum": 2, "description": "so many folds; cases are dealt out in turn" },
            "leave_out": { "type": "integer", "minimum": 1, "description": "a fold for each choice of so many cases" },
            "field": { "type": "string", "pattern": NAME, "description": "field of the manifest that names the fold" },
            "of": { "$ref": "#/$defs/group", "description": "the cases that are parted; all when absent" },
            "together": { "type": "string", "pattern": NAME, "description": "cases with an equal field stay in one fold" },
            "shuffle": { "type": "integer", "minimum": 0, "description": "number of a random order of the cases" }
        }
    })
}

fn group() -> Value {
    json!({
        "type": "string",
        "pattern": "^(cases|train|validation|test|fold\\.train|fold\\.test|[A-Za-z][A-Za-z0-9_-]*=.+)$",
        "description": "cases, train, validation, test, fold.train, fold.test, or <field>=<value>"
    })
}

/// Returns the schema of a stage: the common keys, and for each op its inputs and parameters.
fn stage(ops: &[&'static dyn Op]) -> Value {
    let names: Vec<&str> = ops.iter().map(|op| op.name()).collect();
    let by_op: Vec<Value> = ops
        .iter()
        .map(|op| {
            json!({
                "if": { "properties": { "uses": { "const": op.name() } }, "required": ["uses"] },
                "then": { "properties": {
                    "params": { "$ref": format!("#/$defs/params.{}", op.name()) },
                    "with": { "$ref": format!("#/$defs/with.{}", op.name()) }
                } }
            })
        })
        .collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["uses"],
        "properties": {
            "uses": { "enum": names, "description": "the op" },
            "foreach": { "$ref": "#/$defs/group", "description": "one item per case" },
            "matrix": axes("named axes, each with each: a list of values, or name -> reference; `seed` is the replicate number"),
            "zip": axes("named axes of one length that go together: the first value of each, then the second"),
            "with": { "type": "object", "description": "inputs: port -> reference" },
            "params": { "type": ["object", "null"], "description": "parameters: values only" },
            "publish": { "type": "string", "pattern": NAME, "description": "name under results/<pipeline>/" },
            "frozen": { "type": "boolean", "description": "keep the result, do not run" },
            "allow_missing": { "type": "integer", "minimum": 0, "description": "how many members a collected input may lack" },
            "resources": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "memory_gb": { "type": "number", "exclusiveMinimum": 0 },
                    "timeout_s": { "type": "number", "exclusiveMinimum": 0, "description": "seconds an item may take" },
                    "gpu": { "oneOf": [{ "type": "boolean" }, { "type": "integer", "minimum": 0 }] }
                }
            }
        },
        "allOf": by_op
    })
}

fn axes(description: &str) -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": NAME },
        "description": description,
        "additionalProperties": { "oneOf": [
            { "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": ["string", "number", "boolean"] } },
            { "type": "object", "minProperties": 1, "additionalProperties": { "$ref": "#/$defs/reference" } }
        ] }
    })
}

fn with(op: &dyn Op) -> Value {
    let ports = op.inputs().iter().map(|input| {
        let schema = match input.arity {
            Arity::One | Arity::Optional => json!({ "$ref": "#/$defs/reference", "description": input.doc }),
            Arity::Many | Arity::OptionalMany | Arity::Labelled => collection(input.doc),
            Arity::OneOrMany => json!({
                "oneOf": [{ "$ref": "#/$defs/reference" }, collection(input.doc)],
                "description": input.doc
            }),
        };
        (input.name.to_owned(), schema)
    });
    json!({ "type": "object", "additionalProperties": false, "properties": ports.collect::<Map<_, _>>() })
}

fn collection(doc: &str) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["collect"],
        "properties": { "collect": { "$ref": "#/$defs/reference" }, "over": { "$ref": "#/$defs/group" } },
        "description": doc
    })
}

/// Returns the op's own schema, in which any scalar may also be a `$name`.
fn params(op: &dyn Op) -> Value {
    let mut schema = op.schema();
    if let Value::Object(map) = &mut schema {
        map.remove("$schema");
    }
    embed(&mut schema, &format!("#/$defs/params.{}", op.name()));
    schema
}

/// Points references to where the schema is embedded, and lets `$name` stand for properties and items.
fn embed(schema: &mut Value, at: &str) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(rest) = reference.strip_prefix('#')
            {
                *reference = format!("{at}{rest}");
            }
            for (key, inner) in map.iter_mut() {
                match (key.as_str(), &mut *inner) {
                    ("properties", Value::Object(properties)) => {
                        for property in properties.values_mut() {
                            embed(property, at);
                            or_variable(property);
                        }
                    }
                    ("items", _) => {
                        embed(inner, at);
                        or_variable(inner);
                    }
                    ("default" | "const" | "enum" | "examples", _) => {}
                    _ => embed(inner, at),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| embed(inner, at)),
        _ => {}
    }
}

fn or_variable(schema: &mut Value) {
    let own = schema.take();
    let description = own.get("description").cloned();
    let mut either = json!({ "anyOf": [own, { "type": "string", "pattern": "^\\$[A-Za-z]" }] });
    if let (Some(text), Value::Object(map)) = (description, &mut either) {
        map.insert("description".to_owned(), text);
    }
    *schema = either;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::expand::fakes::OPS;

    /// Returns every `$ref` of a schema.
    fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
        match schema {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_the_schema_leads_somewhere() {
        let schema = schema(OPS);
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(found.len() > 2 * OPS.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(schema.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn parameters_take_their_type_or_a_variable() {
        let schema = schema(OPS);
        let depth = &schema["$defs"]["params.train"]["properties"]["depth"];
        assert_eq!(depth["anyOf"][0]["type"], "integer");
        assert_eq!(depth["anyOf"][1]["pattern"], "^\\$[A-Za-z]");
        let item = &schema["$defs"]["params.compare"]["properties"]["near_mm"]["anyOf"][0]["items"];
        assert_eq!(item["anyOf"][0]["type"], "number");
        let rows = &schema["$defs"]["with.table"]["properties"]["rows"];
        assert_eq!(rows["required"][0], "collect");
    }
}
