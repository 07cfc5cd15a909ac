//! Every command prints what its published schema says.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::study;

/// Every way in which a value is not as a schema says; panics at a word of the schema that it does not know.
fn violations(value: &Value, schema: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "$id" | "title" => {}
            "type" => {
                let is = match rule.as_str().unwrap() {
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                if !is {
                    found.push(format!("{at}: {value} is no {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                found.push(format!("{at}: {value} is not of {rule}"));
            }
            "enum" => {}
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(violations(item, rule, &format!("{at}[{i}]")));
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        found.push(format!("{at}: {name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(name) {
                        found.extend(violations(inner, rule, &format!("{at}.{name}")));
                    }
                }
            }
            "additionalProperties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    let known = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
                    match rule {
                        _ if known => {}
                        Value::Bool(true) => {}
                        Value::Bool(false) => found.push(format!("{at}: {name} is not in the schema")),
                        rule => found.extend(violations(inner, rule, &format!("{at}.{name}"))),
                    }
                }
            }
            "anyOf" => {
                let all: Vec<Vec<String>> =
                    rule.as_array().unwrap().iter().map(|rule| violations(value, rule, at)).collect();
                if !all.iter().any(Vec::is_empty) {
                    found.extend(all.into_iter().next().unwrap_or_default());
                }
            }
            other => panic!("the schema says `{other}`"),
        }
    }
    found
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let schema = serde_json::json!({ "type": "object", "properties": { "a": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } },
        "required": ["a"], "additionalProperties": false });
    assert!(violations(&serde_json::json!({ "a": 1 }), &schema, "").is_empty());
    assert!(violations(&serde_json::json!({ "a": null }), &schema, "").is_empty());
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({ "a": "1" }),
        serde_json::json!({ "a": 1, "b": 2 }),
        serde_json::json!([]),
    ] {
        assert!(!violations(&wrong, &schema, "").is_empty(), "{wrong}");
    }
}

#[test]
fn acceptance_20_every_command_prints_what_its_schema_says() {
    let room = study();
    let names: BTreeSet<String> = room.json(&["schema", "--list", "--json"])["schemas"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|schema| schema["name"].as_str().unwrap().strip_prefix("output/").map(str::to_owned))
        .collect();
    let mut held = BTreeSet::new();
    let schema = |name: &str| room.json(&["schema", &format!("output/{name}")]);
    let mut check = |name: &str, arguments: &[&str], codes: &[i32]| {
        let said = room.run(&[arguments, &["--json"]].concat());
        assert!(codes.contains(&said.code.unwrap()), "{arguments:?}: {:?}\n{}{}", said.code, said.out, said.err);
        let value: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", said.out));
        let wrong = violations(&value, &schema(name), name);
        assert!(wrong.is_empty(), "{arguments:?}:\n{}\n{}", wrong.join("\n"), said.out);
        held.insert(name.to_owned());
    };
    check("schema-list", &["schema", "--list"], &[0]);
    check("plan", &["plan"], &[0]);
    check("status", &["status"], &[0]);
    check("explain", &["explain"], &[0]);
    check("explain", &["explain", "--set", "threshold.hu=300"], &[0]);
    check("explain", &["explain", "surface@b", "threshold@b", "--set", "threshold.hu=300"], &[0]);
    check("check", &["check"], &[0]);
    check("check", &["check", "--set", "threshold.hu=300"], &[1]);
    check("verify", &["verify"], &[0]);
    check("verify", &["verify", "--rerun=1"], &[0]);
    check("audit", &["audit", "threshold", "--rounds", "1"], &[0]);
    check("table", &["table"], &[0]);
    check("dag", &["dag"], &[0]);
    check("show", &["show", "threshold@b"], &[0]);
    check("show-op", &["show", "train"], &[0]);
    check("log", &["log"], &[0]);
    check("log-item", &["log", "--item", "train"], &[0]);
    check("gc", &["gc"], &[0]);
    check("doctor", &["doctor", "--no-measure"], &[0]);
    check("man", &["man", "pages"], &[0]);
    check("pack", &["pack", "--no-binary", "-o", "tiny.tar"], &[0]);
    check("replay", &["replay", "tiny.tar"], &[0]);
    check("run", &["run"], &[0]);
    room.write("before.lock", fs::read(room.path("pipelines/tiny.lock")).unwrap());
    check("run", &["run", "--set", "threshold.hu=300"], &[0]);
    check("run", &["run", "--set", "train.validate_last=1"], &[2]);
    check("diff", &["diff", "before.lock", "pipelines/tiny.lock", "--store", ".calvaria", "--bisect"], &[1]);

    check(
        "phantom",
        &[
            "phantom",
            "--case",
            "1",
            "--set",
            "size=[24,24,10]",
            "--set",
            "spacing_mm=[8,8,16]",
            "--set",
            "gold_mm=5",
            "-o",
            "heads",
        ],
        &[0],
    );
    check("manifest-scan", &["manifest", "scan", "heads"], &[0]);
    check("manifest-check", &["manifest", "check", "heads/manifest.yaml"], &[0]);
    let loose = ["--set", "accept.median_mm=9", "--set", "accept.inlier_share=0.01"];
    check(
        "align",
        &[&["align", "--ct", "heads/p01/ct", "--mesh", "heads/p01/gold.stl", "-o", "on.ply"][..], &loose].concat(),
        &[0],
    );
    check("voxelize", &["voxelize", "--mesh", "on.ply", "--like", "heads/p01/ct", "-o", "label.nrrd"], &[0]);
    check("threshold", &["threshold", "--ct", "heads/p01/ct", "--hu", "300", "-o", "bone.nrrd"], &[0]);
    check(
        "train",
        &[
            "train",
            "--manifest",
            "heads/manifest.yaml",
            "--set",
            "depth=2",
            "--set",
            "epochs=1",
            "-o",
            "net.safetensors",
        ],
        &[0],
    );
    check("model-info", &["model", "info", "net.safetensors"], &[0]);
    check("model-export", &["model", "export", "net.safetensors", "-o", "net.pt"], &[0]);
    check("infer", &["infer", "--model", "net.safetensors", "--ct", "heads/p01/ct", "-o", "seen.nrrd"], &[0]);
    check("segment", &["segment", "heads/p01/ct", "--model", "net.safetensors", "-o", "skull.nrrd"], &[0]);
    check("surface", &["surface", "--volume", "bone.nrrd", "-o", "bone.ply"], &[0]);
    check("compare", &["compare", "--pred-mesh", "bone.ply", "--gold-mesh", "on.ply"], &[0]);
    check("convert", &["convert", "bone.ply", "bone.stl"], &[0]);
    check("info", &["info", "bone.stl"], &[0]);
    check("info", &["info", "bone.nrrd"], &[0]);
    check("mesh-check", &["mesh", "check", "bone.stl"], &[0, 3]);
    check("bench", &["bench", "runner", "--quick", "--rounds", "1", "--only", "runner.start"], &[0]);

    let events = fs::read_to_string(room.path("events.jsonl")).unwrap();
    let rule = schema("events");
    let mut before = 0.0;
    let mut kinds = BTreeSet::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let wrong = violations(&event, &rule, "event");
        assert!(wrong.is_empty(), "{}\n{line}", wrong.join("\n"));
        assert!(event["at_s"].as_f64().unwrap() >= before, "times run backwards: {line}");
        before = event["at_s"].as_f64().unwrap();
        kinds.insert(event["event"].as_str().unwrap().to_owned());
    }
    for kind in ["run_started", "started", "finished", "published", "run_finished"] {
        assert!(kinds.contains(kind), "no `{kind}` in\n{events}");
    }
    held.insert("events".to_owned());
    assert_eq!(held, names, "every published schema is held to, and every output has one");
}
