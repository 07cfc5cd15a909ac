//! Parameters of an item: `$name` replaced, `--set` applied, the op's own check; what is wrong is traced back to its line.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::axes::{Axes, Point};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        diagnose::{Mark, suggest},
        spec::{
            Spec, StageSpec,
            tree::{Node, Value},
            typed::is_name,
        },
        stage::{Op, ParamFault},
    },
};

/// The parameters of one stage, at any of its items.
pub(super) struct Params<'a> {
    spec: &'a Spec,
    axes: &'a Axes<'a>,
    stage: &'a StageSpec,
    op: &'static dyn Op,
    /// Written parameters as text -> effective ones: most items of a stage have the same.
    resolved: BTreeMap<String, Json>,
}

impl<'a> Params<'a> {
    pub(super) fn new(spec: &'a Spec, axes: &'a Axes<'a>, stage: &'a StageSpec, op: &'static dyn Op) -> Self {
        Self { spec, axes, stage, op, resolved: BTreeMap::new() }
    }

    /// Returns the effective parameters of the item at a point.
    pub(super) fn at(&mut self, point: &Point, item: &str) -> Result<Json> {
        let mut written = match &self.stage.params {
            Some(node) => self.substitute(node, point, item)?,
            None => Json::Object(Map::new()),
        };
        for (path, value) in &self.stage.set {
            set(&mut written, path, value).map_err(|fault| fault.at(shown_override(self.stage, path, value)))?;
        }
        let text = written.to_string();
        if let Some(known) = self.resolved.get(&text) {
            return Ok(known.clone());
        }
        let resolved = self.op.resolve(&written).map_err(|fault| self.fault(&written, &fault))?;
        self.resolved.insert(text, resolved.clone());
        Ok(resolved)
    }

    /// Returns a node as JSON, each `$name` replaced by the item's axis, else by the variable, of that name.
    fn substitute(&self, node: &Node, point: &Point, item: &str) -> Result<Json> {
        match &node.value {
            Value::Text(text) => self.look_up(text, node.mark, point, item),
            Value::List(items) => items.iter().map(|inner| self.substitute(inner, point, item)).collect(),
            Value::Map(entries) => {
                let pairs =
                    entries.iter().map(|entry| Ok((entry.key.clone(), self.substitute(&entry.value, point, item)?)));
                Ok(Json::Object(pairs.collect::<Result<_>>()?))
            }
            _ => node.to_json().map_err(|mark| self.spec.source.fault(mark, "the number is not finite")),
        }
    }

    fn look_up(&self, text: &str, mark: Mark, point: &Point, item: &str) -> Result<Json> {
        let Some(name) = text.strip_prefix('$') else {
            let inside =
                text.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c == '{' || c.is_ascii_alphabetic()));
            let whole = "`$name` stands for a whole value; there is no interpolation inside text";
            return if inside { Err(self.spec.source.fault(mark, whole)) } else { Ok(Json::String(text.to_owned())) };
        };
        if !is_name(name) {
            let what = format!("`{}` names no variable", text.escape_debug());
            return Err(self.spec.source.fault(mark, what).hint("`$name` stands for a whole value, without braces"));
        }
        if let Some(value) = self.axes.value(name, point) {
            return Ok(value.value.clone());
        }
        if let Some(var) = self.spec.vars.get(name) {
            return Ok(var.value.clone());
        }
        if self.axes.names().any(|axis| axis == name) {
            return Err(self.spec.source.fault(mark, format!("the item {item} has no axis `{name}`")));
        }
        let known = self.spec.vars.keys().map(String::as_str).chain(point.keys().map(String::as_str));
        Err(self.spec.source.fault(mark, format!("there is no variable or axis `{name}`")).hint(suggest(name, known)))
    }

    /// Returns the op's complaint at the place that caused it.
    fn fault(&self, written: &Json, complaint: &ParamFault) -> Fault {
        let unknown = between(&complaint.why, "unknown field `", "`");
        let path = match (&complaint.name, unknown) {
            (Some(name), _) => name.split('.').map(str::to_owned).collect(),
            (None, Some(field)) => path_of_key(written, field).unwrap_or_default(),
            (None, None) => culprit(self.op, written, &complaint.why),
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let what = match (unknown, path.is_empty()) {
            (Some(field), _) => format!("the op `{}` has no parameter `{field}`", self.op.name()),
            (None, true) => format!("the parameters of `{}`: {}", self.stage.name.text, complaint.why),
            (None, false) => format!("parameter `{}` of `{}`: {}", path.join("."), self.stage.name.text, complaint.why),
        };
        let known = expected(&complaint.why);
        let hint = match unknown.or_else(|| between(&complaint.why, "unknown variant `", "`")) {
            Some(word) if !known.is_empty() => suggest(word, known),
            _ => format!("`calvaria show {} --params` lists the parameters", self.op.name()),
        };
        self.place(&path, unknown.is_some(), what).hint(hint)
    }

    /// Returns a fault at a parameter: at its key or its value, at the override that set it, or at the stage.
    fn place(&self, path: &[&str], at_key: bool, what: String) -> Fault {
        if let Some((set, value)) = self.stage.set_by_command_line(path).filter(|_| !path.is_empty()) {
            return Fault::usage(what).at(shown_override(self.stage, set, value));
        }
        let mut node = self.stage.params.as_ref();
        let mut mark = self.stage.param_mark(path);
        for name in path {
            node = node.and_then(|node| node.get(name)).map(|entry| &entry.value);
        }
        let mut what = what;
        if let Some(node) = node.filter(|_| !at_key && !path.is_empty()) {
            mark = node.mark;
            if let Value::Text(text) = &node.value
                && let Some(var) = text.strip_prefix('$').and_then(|name| self.spec.vars.get(name))
            {
                let from = if var.overridden { "--set".to_owned() } else { format!("line {}", var.mark.line) };
                what = format!("{what} (`{text}` is {} by {from})", var.value);
            }
        }
        self.spec.source.fault(mark, what)
    }
}

fn shown_override(stage: &StageSpec, path: &[String], value: &Json) -> String {
    format!("--set {}.{}={value}", stage.name.text, path.join("."))
}

/// Sets a value at a path of keys, making mappings on the way.
fn set(target: &mut Json, path: &[String], value: &Json) -> Result<()> {
    let Some((first, rest)) = path.split_first() else {
        *target = value.clone();
        return Ok(());
    };
    if target.is_null() {
        *target = Json::Object(Map::new());
    }
    match target {
        Json::Object(map) => set(map.entry(first.clone()).or_insert(Json::Null), rest, value),
        _ => Err(Fault::usage(format!("there is nothing called `{first}` in a value that is no mapping"))),
    }
}

/// Finds the parameter without which the complaint goes away, as deep as that leads.
fn culprit(op: &dyn Op, written: &Json, why: &str) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    loop {
        let Some(Json::Object(here)) = at(written, &path) else { return path };
        let without = |key: &String| {
            let mut less = written.clone();
            if let Some(Json::Object(map)) = at_mut(&mut less, &path) {
                map.remove(key);
            }
            op.resolve(&less).map_or_else(|fault| fault.why != why, |_| true)
        };
        match here.keys().find(|key| without(key)) {
            Some(key) => path.push(key.clone()),
            None => return path,
        }
    }
}

fn at<'a>(json: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(json, |json, key| json.get(key))
}

fn at_mut<'a>(json: &'a mut Json, path: &[String]) -> Option<&'a mut Json> {
    path.iter().try_fold(json, |json, key| json.get_mut(key))
}

/// Returns the path of the first mapping key of a name.
fn path_of_key(json: &Json, name: &str) -> Option<Vec<String>> {
    let map = json.as_object()?;
    if map.contains_key(name) {
        return Some(vec![name.to_owned()]);
    }
    map.iter().find_map(|(key, inner)| {
        let rest = path_of_key(inner, name)?;
        Some(std::iter::once(key.clone()).chain(rest).collect())
    })
}

/// Returns the text between two others.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// Returns the names in backticks after the word `expected`.
fn expected(why: &str) -> Vec<&str> {
    let Some((_, rest)) = why.split_once("expected ") else { return Vec::new() };
    rest.split('`').skip(1).step_by(2).collect()
}
