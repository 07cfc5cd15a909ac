//! Each stage with its op, its cases and its edges, every edge checked: the port exists, the reference exists, one
//! artifact meets a port for one, a list meets a port for a list, and the kinds agree.

use super::{
    axes::Axes,
    folds::{Folds, no_folds},
};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        diagnose::{Mark, suggest},
        plan::Item,
        spec::{
            Edge, Spec, StageSpec,
            reference::{Binding, Group, Reference},
        },
        stage::{Arity, Declaration, Input, Op, Output, ParamFault},
    },
};

/// A stage whose words are looked up.
pub(super) struct Linked<'a> {
    pub(super) stage: &'a StageSpec,
    pub(super) op: &'static dyn Op,
    /// Indices of the items that it runs over; none without `foreach`.
    pub(super) cases: Option<Vec<usize>>,
    pub(super) edges: Vec<LinkedEdge<'a>>,
}

/// An entry of `with:` and the port it goes to.
pub(super) struct LinkedEdge<'a> {
    pub(super) edge: &'a Edge,
    pub(super) input: &'static Input,
}

/// What a reference leads to.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// An output of a stage, by index.
    Output { stage: usize, output: &'static Output },
    /// A field of cases.
    Field(&'a str),
}

/// Looks up and checks all stages.
pub(super) fn link<'a>(
    spec: &'a Spec,
    items: &[Item],
    ops: &[&'static dyn Op],
    axes: &Axes<'a>,
    folds: &Folds,
) -> Result<Vec<Linked<'a>>> {
    let mut stages = Vec::with_capacity(spec.stages.len());
    for stage in &spec.stages {
        let op = find_op(spec, stage, ops)?;
        if let Some((group, mark)) = groups(stage).find(|(group, _)| matches!(group, Group::Fold(_)))
            && folds.axis.is_none()
        {
            return Err(no_folds(spec, group, *mark));
        }
        let cases = stage.foreach.as_ref().map(|(group, mark)| match group {
            Group::Fold(side) => Ok(folds.members(*side)),
            group => members(spec, items, group, *mark),
        });
        let cases = cases.transpose()?;
        let edges = stage.with.iter().map(|edge| Ok(LinkedEdge { edge, input: find_input(spec, op, edge)? }));
        stages.push(Linked { stage, op, cases, edges: edges.collect::<Result<_>>()? });
    }
    for linked in &stages {
        nothing_missing(spec, linked)?;
        for edge in &linked.edges {
            check_edge(spec, items, axes, &stages, linked, edge)?;
        }
    }
    Ok(stages)
}

/// Returns the groups that a stage names, with their places.
fn groups(stage: &StageSpec) -> impl Iterator<Item = &(Group, Mark)> {
    let over = stage.with.iter().filter_map(|edge| match &edge.binding {
        Binding::Collect { over, .. } => over.as_ref(),
        Binding::One(_) => None,
    });
    stage.foreach.iter().chain(over)
}

fn find_op(spec: &Spec, stage: &StageSpec, ops: &[&'static dyn Op]) -> Result<&'static dyn Op> {
    let uses = &stage.uses;
    let found = ops.iter().copied().find(|op| op.name() == uses.text).ok_or_else(|| {
        let hint = suggest(&uses.text, ops.iter().map(|op| op.name()));
        spec.source.fault(uses.mark, format!("there is no op `{}`", uses.text.escape_debug())).hint(hint)
    })?;
    let mark_of = |fault: &ParamFault| {
        let path: Vec<&str> = fault.name.iter().flat_map(|name| name.split('.')).collect();
        stage.param_mark(&path)
    };
    let declared = found.declared(&declaration(stage)).map_err(|fault| {
        let name = fault.name.as_ref().map_or_else(String::new, |name| format!("parameter `{name}` of "));
        let what = format!("{name}`{}`: {}", stage.name.text, fault.why);
        spec.source.fault(mark_of(&fault), what).hint(format!("`calvaria show {} --params`", found.name()))
    })?;
    Ok(declared.unwrap_or(found))
}

/// Returns what a stage says of itself to an op that has no ports of its own.
fn declaration(stage: &StageSpec) -> Declaration<'_> {
    let collected = |edge: &Edge| matches!(edge.binding, Binding::Collect { .. });
    Declaration {
        inputs: stage.with.iter().map(|edge| (edge.port.text.as_str(), collected(edge))).collect(),
        params: stage.params.as_ref().and_then(|node| node.to_json().ok()).unwrap_or_default(),
    }
}

fn find_input(spec: &Spec, op: &'static dyn Op, edge: &Edge) -> Result<&'static Input> {
    op.inputs().iter().find(|input| input.name == edge.port.text).ok_or_else(|| {
        let what = format!("`{}` has no input `{}`", op.name(), edge.port.text.escape_debug());
        spec.source
            .fault(edge.port.mark, what)
            .hint(suggest(&edge.port.text, op.inputs().iter().map(|input| input.name)))
    })
}

/// Returns the indices of a group's cases; a group without any is a mistake.
pub(super) fn members(spec: &Spec, items: &[Item], group: &Group, mark: Mark) -> Result<Vec<usize>> {
    let members: Vec<usize> = (0..items.len()).filter(|&index| group.has(&items[index])).collect();
    if !members.is_empty() {
        return Ok(members);
    }
    let fault = spec.source.fault(mark, format!("no case of the manifest is in `{group}`"));
    let Group::Where { name, .. } = group else {
        return Err(fault.hint("the manifest has no case that is not excluded"));
    };
    if !attributes(items).any(|known| known == name) {
        return Err(fault.hint(format!("no case has `{name}`; {}", suggest(name, attributes(items)))));
    }
    let mut values: Vec<&str> = items.iter().filter_map(|item| item.attributes.get(name)).map(String::as_str).collect();
    values.sort_unstable();
    values.dedup();
    values.truncate(12);
    Err(fault.hint(format!("the cases have `{name}`: {}", values.join(", "))))
}

fn attributes(items: &[Item]) -> impl Iterator<Item = &str> {
    items.iter().flat_map(|item| item.attributes.keys()).map(String::as_str)
}

/// Returns the fault of a case that lacks a field which the folds go by.
pub(super) fn attribute_missing(spec: &Spec, items: &[Item], field: &str, case: &str, mark: Mark) -> Fault {
    let fault = spec.source.fault(mark, format!("the case `{case}` has no `{field}`"));
    if attributes(items).any(|known| known == field) {
        return fault.hint("every case that is parted needs it in the manifest");
    }
    fault.hint(suggest(field, attributes(items)))
}

/// Refuses a stage that lacks an input which its op needs.
fn nothing_missing(spec: &Spec, linked: &Linked<'_>) -> Result<()> {
    let given = |input: &Input| linked.edges.iter().any(|edge| edge.input.name == input.name);
    let optional = |input: &Input| matches!(input.arity, Arity::Optional | Arity::OptionalMany);
    let needed = |input: &&Input| !optional(input) && !given(input);
    match linked.op.inputs().iter().find(needed) {
        None => Ok(()),
        Some(input) => {
            let stage = &linked.stage.name;
            let what = format!("the stage `{}` lacks the input `{}`: {}", stage.text, input.name, input.doc);
            let form = if only_list(input) { "{ collect: stage.port }" } else { "stage.port" };
            let hint = format!("under `with`, write `{}: {form}`, of kind {}", input.name, input.kinds.join(" or "));
            Err(spec.source.fault(stage.mark, what).hint(hint))
        }
    }
}

/// Whether an input takes a list.
pub(super) const fn list(input: &Input) -> bool {
    only_list(input) || matches!(input.arity, Arity::OneOrMany)
}

/// Whether an input takes nothing but a list.
const fn only_list(input: &Input) -> bool {
    matches!(input.arity, Arity::Many | Arity::OptionalMany | Arity::Labelled)
}

fn check_edge(
    spec: &Spec,
    items: &[Item],
    axes: &Axes<'_>,
    stages: &[Linked<'_>],
    linked: &Linked<'_>,
    edge: &LinkedEdge<'_>,
) -> Result<()> {
    let (port, reference) = (edge.input, edge.edge.binding.reference());
    let fault = |what: String| spec.source.fault(edge.edge.mark, what);
    if matches!(edge.edge.binding, Binding::One(_)) && only_list(port) {
        return Err(fault(format!("the input `{}` of `{}` takes a list", port.name, linked.op.name()))
            .hint(format!("write {{ collect: {reference} }}")));
    }
    if let Binding::Collect { over: Some((group, mark)), .. } = &edge.edge.binding {
        members(spec, items, group, *mark)?;
    }
    for (reference, mark) in stands_for(spec, axes, reference, edge.edge.mark)? {
        let target = find_target(spec, items, stages, reference, mark)?;
        check_reach(spec, stages, linked, edge.edge, reference, target)?;
        check_kind(spec, linked, edge, reference, target)?;
    }
    Ok(())
}

/// Returns what a reference stands for: itself, or every reference of its axis; each with its place.
pub(super) fn stands_for<'a>(
    spec: &Spec,
    axes: &Axes<'a>,
    reference: &'a Reference,
    mark: Mark,
) -> Result<Vec<(&'a Reference, Mark)>> {
    let Reference::Axis(name) = reference else { return Ok(vec![(reference, mark)]) };
    let axis = axes.get(name, mark, spec)?;
    let references: Option<Vec<_>> =
        axis.values.iter().map(|value| value.reference.as_ref().map(|reference| (reference, value.mark))).collect();
    references.ok_or_else(|| {
        let what = format!("the axis `{name}` holds values, not references");
        spec.source.fault_between(axis.name.mark, mark, what).hint("values belong under `params`")
    })
}

/// Looks a reference up; a `$axis` is not one here.
pub(super) fn find_target<'a>(
    spec: &Spec,
    items: &[Item],
    stages: &[Linked<'_>],
    reference: &'a Reference,
    mark: Mark,
) -> Result<Target<'a>> {
    let fault = |what: String, hint: String| Err(spec.source.fault(mark, what).hint(hint));
    match reference {
        Reference::Output { stage: name, port } => {
            let Some(stage) = stages.iter().position(|linked| linked.stage.name.text == *name) else {
                let names = stages.iter().map(|linked| linked.stage.name.text.as_str()).chain(["case"]);
                return fault(format!("there is no stage `{name}`"), suggest(name, names));
            };
            let op = stages[stage].op;
            match op.outputs().iter().find(|output| output.name == port) {
                Some(output) => Ok(Target::Output { stage, output }),
                None => {
                    let what = format!("the stage `{name}` ({}) has no output `{port}`", op.name());
                    fault(what, suggest(port, op.outputs().iter().map(|output| output.name)))
                }
            }
        }
        Reference::Field(field) => {
            let known = || items.iter().flat_map(|item| item.fields.keys()).map(String::as_str);
            if known().any(|name| name == field) {
                return Ok(Target::Field(field));
            }
            fault(format!("no case of the manifest has a field `{field}`"), suggest(field, known()))
        }
        Reference::Axis(axis) => fault(format!("an axis cannot stand for another one (`${axis}`)"), String::new()),
    }
}

/// Checks that cases meet: one case reaches one case, many cases reach one item only by `collect`.
fn check_reach(
    spec: &Spec,
    stages: &[Linked<'_>],
    linked: &Linked<'_>,
    edge: &Edge,
    reference: &Reference,
    target: Target<'_>,
) -> Result<()> {
    let per_case = match target {
        Target::Output { stage, .. } => stages[stage].cases.is_some(),
        Target::Field(_) => true,
    };
    let fault = |what: String| -> Fault { spec.source.fault(edge.mark, what) };
    match &edge.binding {
        Binding::One(_) if per_case && linked.cases.is_none() => {
            let what =
                format!("`{reference}` exists once per case, and the stage `{}` runs once", linked.stage.name.text);
            Err(fault(what).hint(format!("write {{ collect: {reference} }}, or give the stage a `foreach`")))
        }
        Binding::Collect { over: Some((group, mark)), .. } if !per_case => {
            let what = format!("`{reference}` exists once, not per case, so it cannot be collected over `{group}`");
            Err(spec.source.fault(*mark, what).hint("leave `over` out"))
        }
        _ => Ok(()),
    }
}

fn check_kind(
    spec: &Spec,
    linked: &Linked<'_>,
    edge: &LinkedEdge<'_>,
    reference: &Reference,
    target: Target<'_>,
) -> Result<()> {
    match target {
        Target::Output { output, .. } if !edge.input.takes(output.kind) => {
            Err(wrong_kind(spec, linked.op, edge, &reference.to_string(), output.kind))
        }
        _ => Ok(()),
    }
}

/// Returns the fault of an artifact that a port does not take.
pub(super) fn wrong_kind(spec: &Spec, op: &dyn Op, edge: &LinkedEdge<'_>, reference: &str, kind: &str) -> Fault {
    let taken = edge.input.kinds.join(" or ");
    let what =
        format!("`{reference}` is of kind {kind}; the input `{}` of `{}` takes {taken}", edge.input.name, op.name());
    spec.source.fault(edge.edge.mark, what)
}
