//! From the tree to a [`Spec`]: known keys, types and names; nothing is looked up yet.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Axis, AxisValue, Edge, FOLD_AXIS, Resources, SEED_AXIS, Spec, StageSpec, VERSION, Var, Word, folds,
    reference::{Group, Reference, read_binding, read_reference},
    tree::{self, Entry, Node, Value},
    typed::{NAME_RULE, flag, is_name, mapping, mismatch, name, number, only_keys, scalar, text, whole},
};
use crate::{
    fault::Result,
    pipeline::diagnose::{Mark, Source},
};

const TOP: &[&str] = &["calvaria", "name", "seed", "manifest", "vars", "folds", "stages"];
const STAGE: &[&str] =
    &["uses", "foreach", "matrix", "zip", "with", "params", "publish", "frozen", "allow_missing", "resources"];
/// Words that cannot name a stage, because `case.x` and `--set vars.x` mean something else.
const RESERVED: &[&str] = &["case", "vars"];

pub(super) fn parse(source: &Arc<Source>, manifest_override: Option<&Path>) -> Result<Spec> {
    let root = tree::read(source)?;
    let entries = top_level(&root, source)?;
    only_keys(entries, TOP, "a pipeline", source)?;
    let missing = |key: &str, example: &str| {
        source
            .fault(root.mark, format!("`{key}` is missing from the pipeline"))
            .hint(format!("write `{key}: {example}`"))
    };
    let value = |key: &str| root.get(key).map(|entry| &entry.value);

    let stages_node = value("stages").ok_or_else(|| missing("stages", "{ … }"))?;
    let mut stages = Vec::new();
    for entry in mapping(stages_node, "the stages by name", source)? {
        stages.push(stage(entry, source)?);
    }
    if stages.is_empty() {
        return Err(source.fault(stages_node.mark, "the pipeline has no stage"));
    }
    unique_publications(&stages, source)?;
    let (manifest, manifest_mark) = match (manifest_override, value("manifest")) {
        (Some(file), _) => (file.to_owned(), None),
        (None, Some(node)) => (beside(&source.file, text(node, source)?), Some(node.mark)),
        (None, None) => return Err(missing("manifest", "../data-manifests/mine.yaml")),
    };
    Ok(Spec {
        source: Arc::clone(source),
        name: name(value("name").ok_or_else(|| missing("name", "my-study"))?, source)?.to_owned(),
        seed: whole(value("seed").ok_or_else(|| missing("seed", "1"))?, source)?,
        manifest,
        manifest_mark,
        vars: value("vars").map_or_else(|| Ok(BTreeMap::new()), |node| vars(node, source))?,
        folds: root.get("folds").map(|entry| folds::read(entry, source)).transpose()?,
        stages,
        overrides: BTreeMap::new(),
    })
}

/// Checks that the file is a pipeline of this version before anything else is said about it.
fn top_level<'a>(root: &'a Node, source: &Source) -> Result<&'a [Entry]> {
    if matches!(root.value, Value::Null) {
        return Err(source
            .fault(Mark { line: 1, column: 1, length: 1 }, "the pipeline is empty")
            .hint("it begins with `calvaria: 1`"));
    }
    let entries = mapping(root, "a pipeline", source)?;
    match root.get("calvaria") {
        Some(entry) => match whole(&entry.value, source)? {
            VERSION => Ok(entries),
            other => Err(source
                .fault(entry.value.mark, format!("the pipeline is written for file format {other}"))
                .hint(format!("this program reads format {VERSION}; newer formats need a newer calvaria"))),
        },
        None if root.get("cases").is_some() => Err(source
            .fault(root.mark, "this file is a manifest, not a pipeline")
            .hint("a pipeline names it with `manifest:`")),
        None => Err(source
            .fault(root.mark, "`calvaria` is missing from the pipeline")
            .hint("a pipeline begins with `calvaria: 1`")),
    }
}

/// Returns a path that is written relative to the file that names it.
fn beside(file: &Path, written: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(written)
}

fn vars(node: &Node, source: &Source) -> Result<BTreeMap<String, Var>> {
    let mut vars = BTreeMap::new();
    for entry in mapping(node, "the variables by name", source)? {
        if !is_name(&entry.key) {
            return Err(source.fault(entry.mark, format!("`{}` cannot name a variable", entry.key)).hint(NAME_RULE));
        }
        let value = scalar(&entry.value, source)?;
        if value.as_str().is_some_and(|text| text.starts_with('$')) {
            return Err(source.fault(entry.value.mark, "a variable cannot stand for another one"));
        }
        vars.insert(entry.key.clone(), Var { value, mark: entry.value.mark, overridden: false });
    }
    Ok(vars)
}

fn stage(entry: &Entry, source: &Source) -> Result<StageSpec> {
    let stage_name = entry.key.as_str();
    if !is_name(stage_name) || RESERVED.contains(&stage_name) {
        let why = if RESERVED.contains(&stage_name) { "the word has a meaning of its own" } else { NAME_RULE };
        return Err(source.fault(entry.mark, format!("`{}` cannot name a stage", stage_name.escape_debug())).hint(why));
    }
    let fields = mapping(&entry.value, "a stage", source)?;
    only_keys(fields, STAGE, &format!("the stage `{stage_name}`"), source)?;
    let value = |key: &str| entry.value.get(key).map(|entry| &entry.value);

    let uses = value("uses").ok_or_else(|| {
        source
            .fault(entry.mark, format!("the stage `{stage_name}` does not say what it uses"))
            .hint("write `uses: <op>`")
    })?;
    let params = value("params").filter(|node| !matches!(node.value, Value::Null));
    if let Some(node) = params {
        mapping(node, "the parameters by name", source)?;
    }
    Ok(StageSpec {
        name: Word { text: entry.key.clone(), mark: entry.mark },
        uses: Word { text: text(uses, source)?.to_owned(), mark: uses.mark },
        foreach: value("foreach").map(|node| Group::read(node, source)).transpose()?,
        matrix: value("matrix").map_or_else(|| Ok(Vec::new()), |node| matrix(node, source))?,
        zip: value("zip").map_or_else(|| Ok(Vec::new()), |node| zip(node, source))?,
        with: value("with").map_or_else(|| Ok(Vec::new()), |node| edges(node, source))?,
        params: params.cloned(),
        set: Vec::new(),
        publish: value("publish")
            .map(|node| Ok(Word { text: name(node, source)?.to_owned(), mark: node.mark }))
            .transpose()?,
        frozen: value("frozen").map_or(Ok(false), |node| flag(node, source))?,
        allow_missing: value("allow_missing")
            .map_or(Ok(0), |node| whole(node, source))?
            .try_into()
            .unwrap_or(usize::MAX),
        resources: value("resources").map_or_else(|| Ok(Resources::default()), |node| resources(node, source))?,
    })
}

fn edges(node: &Node, source: &Source) -> Result<Vec<Edge>> {
    let mut edges = Vec::new();
    for entry in mapping(node, "the inputs by name", source)? {
        let (binding, mark) = read_binding(&entry.value, source)?;
        edges.push(Edge { port: Word { text: entry.key.clone(), mark: entry.mark }, binding, mark });
    }
    Ok(edges)
}

fn resources(node: &Node, source: &Source) -> Result<Resources> {
    let entries = mapping(node, "memory_gb, gpu and timeout_s", source)?;
    only_keys(entries, &["memory_gb", "gpu", "timeout_s"], "`resources`", source)?;
    let positive = |key: &str| -> Result<Option<f64>> {
        let Some(entry) = node.get(key) else { return Ok(None) };
        match number(&entry.value, source)? {
            // More seconds than a year hold are a mistake, and more than a duration can.
            value if value > 0.0 && value < 1e8 => Ok(Some(value)),
            _ => Err(mismatch(&entry.value, "a number above 0", source)),
        }
    };
    let (memory_gb, timeout_s) = (positive("memory_gb")?, positive("timeout_s")?);
    let gpu = match node.get("gpu") {
        Some(Entry { value: Node { value: Value::Bool(flag), .. }, .. }) => u64::from(*flag),
        Some(entry) => whole(&entry.value, source)?,
        None => 0,
    };
    Ok(Resources { memory_gb, gpu, timeout_s })
}

fn matrix(node: &Node, source: &Source) -> Result<Vec<Axis>> {
    mapping(node, "the axes by name", source)?.iter().map(|entry| axis(entry, source)).collect()
}

/// Reads axes that go together, the first value of one with the first of the others.
fn zip(node: &Node, source: &Source) -> Result<Vec<Axis>> {
    let axes = matrix(node, source)?;
    let longest = axes.iter().max_by_key(|axis| axis.values.len());
    let shortest = axes.iter().min_by_key(|axis| axis.values.len());
    if let (Some(long), Some(short)) = (longest, shortest)
        && long.values.len() != short.values.len()
    {
        let (a, b) = (&long.name, &short.name);
        let what = format!(
            "`{}` has {} values and `{}` has {}: axes under `zip` go together",
            a.text,
            long.values.len(),
            b.text,
            short.values.len()
        );
        return Err(source.fault_between(a.mark, b.mark, what).hint("`matrix` combines each value with each"));
    }
    Ok(axes)
}

fn axis(entry: &Entry, source: &Source) -> Result<Axis> {
    if entry.key == FOLD_AXIS {
        return Err(source
            .fault(entry.mark, "`fold` is the axis of the cross-validation")
            .hint("write `folds: { k: 5 }` beside `stages`, and `foreach: fold.test` or `over: fold.train`"));
    }
    if !is_name(&entry.key) || entry.key == "case" {
        return Err(source
            .fault(entry.mark, format!("`{}` cannot name an axis", entry.key.escape_debug()))
            .hint(NAME_RULE));
    }
    let values: Vec<AxisValue> = match &entry.value.value {
        Value::List(items) => items.iter().map(|item| listed(entry, item, source)).collect::<Result<_>>()?,
        Value::Map(_) if entry.key == SEED_AXIS => {
            return Err(
                source.fault(entry.value.mark, "`seed` is the replicate number: a list of whole numbers is expected")
            );
        }
        Value::Map(pairs) => pairs.iter().map(|pair| named(pair, source)).collect::<Result<_>>()?,
        _ => return Err(mismatch(&entry.value, "a list of values, or a mapping name -> reference,", source)),
    };
    if values.is_empty() {
        return Err(source.fault(entry.value.mark, format!("the axis `{}` has no value", entry.key)));
    }
    for (index, value) in values.iter().enumerate() {
        if let Some(first) = values[..index].iter().find(|earlier| earlier.text == value.text) {
            let what = format!("the axis `{}` has the value `{}` twice", entry.key, value.text);
            return Err(source.fault_between(first.mark, value.mark, what));
        }
    }
    Ok(Axis { name: Word { text: entry.key.clone(), mark: entry.mark }, values })
}

fn listed(axis: &Entry, item: &Node, source: &Source) -> Result<AxisValue> {
    if axis.key == SEED_AXIS {
        whole(item, source)?;
    }
    let value = scalar(item, source)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    in_ids(&text, item.mark, source)?;
    Ok(AxisValue { text, value, reference: None, mark: item.mark })
}

fn named(pair: &Entry, source: &Source) -> Result<AxisValue> {
    in_ids(&pair.key, pair.mark, source)?;
    let reference = read_reference(&pair.value, source)?;
    if let Reference::Axis(axis) = &reference {
        return Err(source.fault(pair.value.mark, format!("an axis cannot stand for another one (`${axis}`)")));
    }
    Ok(AxisValue {
        text: pair.key.clone(),
        value: pair.key.clone().into(),
        reference: Some(reference),
        mark: pair.value.mark,
    })
}

/// Refuses axis values that would make an item id ambiguous (`surface@p16,method=a,b`).
fn in_ids(text: &str, mark: Mark, source: &Source) -> Result<()> {
    if folds::in_ids(text) {
        return Ok(());
    }
    Err(source
        .fault(mark, format!("`{}` cannot be the value of an axis", text.escape_debug()))
        .hint("it becomes part of item ids: letters, digits, `.`, `_`, `+` and `-`, 64 at most"))
}

fn unique_publications(stages: &[StageSpec], source: &Source) -> Result<()> {
    let mut seen: BTreeMap<&str, Mark> = BTreeMap::new();
    for publish in stages.iter().filter_map(|stage| stage.publish.as_ref()) {
        if let Some(first) = seen.insert(&publish.text, publish.mark) {
            let what = format!("two stages publish under the name `{}`", publish.text);
            return Err(source.fault_between(first, publish.mark, what));
        }
    }
    Ok(())
}
