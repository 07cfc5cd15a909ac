//! The items of every stage. Axes travel along edges: an item of `infer` has the `seed` of the model that it takes.
//!
//! For a stage at a case, the points of its own axes are joined with the items of each stage that it refers to, agreeing
//! on every axis that both have; products may be ragged (the threshold has no `seed`). `$axis` references come last, when
//! all axes of the item are known.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    axes::{Axes, Point, agree, item_id, join, product},
    link::{Linked, LinkedEdge, Target, find_target, members, wrong_kind},
    order::carries_axes,
    params::Params,
};
use crate::{
    fault::Result,
    numeric::Seed,
    pipeline::{
        plan::{Item, Node, Source},
        spec::{
            SEED_AXIS, Spec,
            reference::{Binding, Group, Reference},
        },
        stage::Arity,
    },
};

/// More nodes than this are a mistake in a matrix.
const MAX_NODES: usize = 1_000_000;

/// Lays out all stages, given in an order in which sources come first.
pub(super) fn lay_out(
    spec: &Spec,
    items: &[Item],
    axes: &Axes<'_>,
    stages: &[Linked<'_>],
    sequence: &[usize],
) -> Result<Vec<Node>> {
    let mut layout = Layout {
        spec,
        items,
        axes,
        stages,
        rows: vec![BTreeMap::new(); stages.len()],
        nodes: Vec::new(),
        ids: Vec::new(),
    };
    for &stage in sequence {
        let mut params = Params::new(spec, axes, stages[stage].stage, stages[stage].op);
        let cases: Vec<Option<usize>> = match &stages[stage].cases {
            Some(cases) => cases.iter().copied().map(Some).collect(),
            None => vec![None],
        };
        for case in cases {
            layout.items_at(stage, case, &mut params)?;
        }
    }
    Ok(layout.nodes)
}

struct Layout<'a> {
    spec: &'a Spec,
    items: &'a [Item],
    axes: &'a Axes<'a>,
    stages: &'a [Linked<'a>],
    /// By stage: case -> nodes.
    rows: Vec<BTreeMap<Option<usize>, Vec<usize>>>,
    nodes: Vec<Node>,
    /// By node: its item id.
    ids: Vec<String>,
}

/// An item in the making: its axes, and the node that it is bound to in each stage it refers to.
#[derive(Clone)]
struct Draft {
    point: Point,
    bound: BTreeMap<usize, usize>,
}

impl Layout<'_> {
    fn items_at(&mut self, stage: usize, case: Option<usize>, params: &mut Params<'_>) -> Result<()> {
        for draft in self.drafts(stage, case)? {
            let node = self.node(stage, case, &draft, params)?;
            let duplicate =
                self.rows[stage].get(&case).is_some_and(|rows| rows.iter().any(|&row| self.nodes[row].id == node.id));
            if duplicate || self.nodes.len() >= MAX_NODES {
                let why = if duplicate { "has two items of one id" } else { "has too many items" };
                let name = &self.stages[stage].stage.name;
                return Err(self.spec.source.fault(name.mark, format!("the stage `{}` {why}: {}", name.text, node.id)));
            }
            self.rows[stage].entry(case).or_default().push(self.nodes.len());
            self.ids.push(item_id(node.case.as_deref(), &node.axes));
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Returns the items of a stage at a case, bound to their sources.
    fn drafts(&self, stage: usize, case: Option<usize>) -> Result<Vec<Draft>> {
        let linked = &self.stages[stage];
        let mut drafts: Vec<Draft> =
            product(&linked.stage.matrix).into_iter().map(|point| Draft { point, bound: BTreeMap::new() }).collect();
        for edge in linked.edges.iter().filter(|edge| carries_axes(&edge.edge.binding)) {
            if let reference @ Reference::Output { .. } = edge.edge.binding.reference() {
                drafts = self.bind_all(drafts, stage, case, edge, reference)?;
            }
        }
        self.no_row_lost(&drafts, stage, case)?;
        for edge in linked.edges.iter().filter(|edge| carries_axes(&edge.edge.binding)) {
            let Reference::Axis(axis) = edge.edge.binding.reference() else { continue };
            let mut bound = Vec::with_capacity(drafts.len());
            for draft in drafts {
                let reference = self.at_point(axis, &draft.point, edge, stage, case)?;
                bound.extend(self.bind_all(vec![draft], stage, case, edge, reference)?);
            }
            drafts = bound;
        }
        Ok(drafts)
    }

    /// Returns the reference that an axis stands for at a point.
    fn at_point(
        &self,
        axis: &str,
        point: &Point,
        edge: &LinkedEdge<'_>,
        stage: usize,
        case: Option<usize>,
    ) -> Result<&Reference> {
        self.axes.value(axis, point).and_then(|value| value.reference.as_ref()).ok_or_else(|| {
            let what = format!("the item {} has no axis `{axis}`", self.name(stage, case, point));
            self.spec
                .source
                .fault(edge.edge.mark, what)
                .hint("axes come from the stage's own `matrix` and, along edges, from the stages that it refers to")
        })
    }

    fn name(&self, stage: usize, case: Option<usize>, point: &Point) -> String {
        let id = item_id(case.map(|case| self.items[case].id.as_str()), point);
        let stage = &self.stages[stage].stage.name.text;
        if id.is_empty() { stage.clone() } else { format!("{stage}@{id}") }
    }

    /// Joins every draft with the items of the stage that a reference names.
    fn bind_all(
        &self,
        drafts: Vec<Draft>,
        stage: usize,
        case: Option<usize>,
        edge: &LinkedEdge<'_>,
        reference: &Reference,
    ) -> Result<Vec<Draft>> {
        let Target::Output { stage: source, .. } =
            find_target(self.spec, self.items, self.stages, reference, edge.edge.mark)?
        else {
            return Ok(drafts);
        };
        let rows = self.candidates(source, case);
        let mut joined = Vec::with_capacity(drafts.len());
        for draft in drafts {
            if draft.bound.contains_key(&source) {
                joined.push(draft);
                continue;
            }
            let before = joined.len();
            for &row in rows {
                if let Some(point) = join(&draft.point, &self.nodes[row].axes) {
                    let mut bound = draft.bound.clone();
                    bound.insert(source, row);
                    joined.push(Draft { point, bound });
                }
            }
            if joined.len() == before {
                let item = self.name(stage, case, &draft.point);
                let what = format!("the item {item} finds no item of `{}`", self.stages[source].stage.name.text);
                return Err(self.spec.source.fault(edge.edge.mark, what).hint(self.why_none(source, rows)));
            }
        }
        Ok(joined)
    }

    fn why_none(&self, source: usize, rows: &[usize]) -> String {
        let linked = self.stages[source].stage;
        match (&linked.foreach, rows.is_empty()) {
            (Some((group, _)), true) => format!("`{}` runs over `{group}` only", linked.name.text),
            _ => "their axes have no common point".to_owned(),
        }
    }

    /// Returns the items of a stage that an item of a case can take: those of the same case, or those of no case.
    fn candidates(&self, source: usize, case: Option<usize>) -> &[usize] {
        let key = if self.stages[source].cases.is_some() { case } else { None };
        self.rows[source].get(&key).map_or(&[], Vec::as_slice)
    }

    /// Refuses a join that silently drops an item of a stage that is referred to.
    fn no_row_lost(&self, drafts: &[Draft], stage: usize, case: Option<usize>) -> Result<()> {
        let sources: BTreeSet<usize> = drafts.iter().flat_map(|draft| draft.bound.keys().copied()).collect();
        for source in sources {
            let used: BTreeSet<usize> = drafts.iter().filter_map(|draft| draft.bound.get(&source).copied()).collect();
            if let Some(&lost) = self.candidates(source, case).iter().find(|row| !used.contains(row)) {
                let name = &self.stages[stage].stage.name;
                let what = format!("no item of the stage `{}` can take {}", name.text, self.nodes[lost].id);
                return Err(self
                    .spec
                    .source
                    .fault(name.mark, what)
                    .hint("its other inputs have no item with these axes"));
            }
        }
        Ok(())
    }

    fn node(&self, stage: usize, case: Option<usize>, draft: &Draft, params: &mut Params<'_>) -> Result<Node> {
        let linked = &self.stages[stage];
        let mut inputs = BTreeMap::new();
        for edge in &linked.edges {
            let sources = self.sources(stage, case, draft, edge)?;
            if !sources.is_empty() {
                inputs.insert(edge.input.name, sources);
            }
        }
        let id = self.name(stage, case, &draft.point);
        let case = case.map(|case| self.items[case].id.clone());
        Ok(Node {
            stage: linked.stage.name.text.clone(),
            op: linked.op,
            params: params.at(&draft.point, &id)?,
            seed: Seed::derive(
                self.spec.seed,
                linked.op.name(),
                case.as_deref().unwrap_or_default(),
                self.replicate(stage, &draft.point),
            ),
            id,
            case,
            axes: draft.point.clone(),
            inputs,
            publish: linked.stage.publish.as_ref().map(|publish| publish.text.clone()),
            frozen: linked.stage.frozen,
            allow_missing: linked.stage.allow_missing,
            place: self.spec.source.place(linked.stage.name.mark),
        })
    }

    /// Returns the replicate number: the value of `seed` where the stage itself declares that axis, else 0. A seed that
    /// came along an edge says which input it was, and leaves this stage's own stream alone.
    fn replicate(&self, stage: usize, point: &Point) -> u64 {
        let own = self.stages[stage].stage.matrix.iter().any(|axis| axis.name.text == SEED_AXIS);
        own.then(|| point.get(SEED_AXIS)?.parse().ok()).flatten().unwrap_or(0)
    }

    /// Returns the sources of one input; none for an optional input that the case lacks.
    fn sources(&self, stage: usize, case: Option<usize>, draft: &Draft, edge: &LinkedEdge<'_>) -> Result<Vec<Source>> {
        let reference = match edge.edge.binding.reference() {
            Reference::Axis(axis) => self.at_point(axis, &draft.point, edge, stage, case)?,
            reference => reference,
        };
        let target = find_target(self.spec, self.items, self.stages, reference, edge.edge.mark)?;
        match (&edge.edge.binding, target) {
            (Binding::One(_), Target::Output { stage: source, output }) => {
                let node = draft.bound.get(&source).copied();
                Ok(node.map(|node| Source::Output { node, port: output.name }).into_iter().collect())
            }
            (Binding::One(_), Target::Field(name)) => {
                let Some(item) = case.map(|case| &self.items[case]) else { return Ok(Vec::new()) };
                match self.field(stage, item, name, edge)? {
                    Some(source) => Ok(vec![source]),
                    None if edge.input.arity == Arity::Optional => Ok(Vec::new()),
                    None => {
                        let what = format!("the case `{}` has no `{name}`", item.id);
                        Err(self
                            .spec
                            .source
                            .fault(edge.edge.mark, what)
                            .hint(format!("the manifest states it at {}", item.place)))
                    }
                }
            }
            (Binding::Collect { over, .. }, target) => {
                self.collect(stage, draft, edge, over.as_ref().map(|(group, _)| group), target)
            }
        }
    }

    fn field(&self, stage: usize, item: &Item, name: &str, edge: &LinkedEdge<'_>) -> Result<Option<Source>> {
        let Some(field) = item.fields.get(name) else { return Ok(None) };
        if !edge.input.kinds.contains(&field.kind.as_str()) {
            let reference = format!("case.{name}");
            return Err(wrong_kind(self.spec, self.stages[stage].op, edge, &reference, &field.kind));
        }
        Ok(Some(Source::Field { case: item.id.clone(), name: name.to_owned(), field: field.clone() }))
    }

    /// Returns a list sorted by item id: the items that agree with this one on the axes that both have.
    fn collect(
        &self,
        stage: usize,
        draft: &Draft,
        edge: &LinkedEdge<'_>,
        over: Option<&Group>,
        target: Target<'_>,
    ) -> Result<Vec<Source>> {
        let cases = match over {
            Some(group) => members(self.spec, self.items, group, edge.edge.mark)?,
            None => (0..self.items.len()).collect(),
        };
        let mut found: Vec<(&str, Source)> = Vec::new();
        let mut lacking: Vec<&str> = Vec::new();
        match target {
            Target::Output { stage: source, output } => {
                let fits = |row: &&usize| agree(&draft.point, &self.nodes[**row].axes);
                let take = |&row: &usize| (self.ids[row].as_str(), Source::Output { node: row, port: output.name });
                if over.is_none() {
                    found.extend(self.rows[source].values().flatten().filter(fits).map(take));
                } else {
                    for &case in &cases {
                        let before = found.len();
                        found.extend(self.candidates(source, Some(case)).iter().filter(fits).map(take));
                        if found.len() == before {
                            lacking.push(&self.items[case].id);
                        }
                    }
                }
            }
            Target::Field(name) => {
                for item in cases.iter().map(|&case| &self.items[case]) {
                    match self.field(stage, item, name, edge)? {
                        Some(source) => found.push((&item.id, source)),
                        None => lacking.push(&item.id),
                    }
                }
            }
        }
        self.complete(stage, edge, found.len(), &lacking)?;
        found.sort_by(|a, b| a.0.cmp(b.0));
        Ok(found.into_iter().map(|(_, source)| source).collect())
    }

    /// Refuses a list that lacks more members than the stage allows, or has none.
    fn complete(&self, stage: usize, edge: &LinkedEdge<'_>, found: usize, lacking: &[&str]) -> Result<()> {
        let linked = self.stages[stage].stage;
        if found > 0 && lacking.len() <= linked.allow_missing {
            return Ok(());
        }
        let reference = edge.edge.binding.reference();
        let what = match lacking {
            [] => format!("there is nothing to collect from `{reference}`"),
            _ => {
                let shown = lacking[..lacking.len().min(6)].join(", ");
                let more = if lacking.len() > 6 { ", …" } else { "" };
                format!("`{reference}` does not exist for {} of the cases to collect: {shown}{more}", lacking.len())
            }
        };
        let fault = self.spec.source.fault(edge.edge.mark, what);
        if found == 0 {
            return Err(fault.hint("collect over a group that the stage runs over"));
        }
        Err(fault.hint(format!(
            "`allow_missing: {}` in `{}` lets it go on without them",
            lacking.len(),
            linked.name.text
        )))
    }
}
