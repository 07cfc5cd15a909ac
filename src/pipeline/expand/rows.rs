//! The items of every stage. Axes travel along edges: an item of `infer` has the `seed` of the model that it takes.
//!
//! For a stage at a case, the points of its own axes are joined with the items of each stage that it refers to, agreeing
//! on every axis that both have; products may be ragged (the threshold has no `seed`). `$axis` references come last, when
//! all axes of the item are known.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    axes::{Axes, Point, item_id, join, product},
    folds::Folds,
    link::{Linked, LinkedEdge, Target, find_target},
    order::carries_axes,
    params::Params,
};
use crate::{
    fault::Result,
    pipeline::{
        plan::{Item, Node},
        spec::{FOLD_AXIS, Spec, reference::Reference},
    },
};

/// More nodes than this are a mistake in a matrix.
const MAX_NODES: usize = 1_000_000;

/// Lays out all stages, given in an order in which sources come first.
pub(super) fn lay_out(
    spec: &Spec,
    items: &[Item],
    axes: &Axes<'_>,
    folds: &Folds,
    stages: &[Linked<'_>],
    sequence: &[usize],
) -> Result<Vec<Node>> {
    let mut layout = Layout {
        spec,
        items,
        axes,
        folds,
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

/// The items laid out so far.
pub(super) struct Layout<'a> {
    pub(super) spec: &'a Spec,
    pub(super) items: &'a [Item],
    axes: &'a Axes<'a>,
    pub(super) folds: &'a Folds,
    pub(super) stages: &'a [Linked<'a>],
    /// By stage: case -> nodes.
    pub(super) rows: Vec<BTreeMap<Option<usize>, Vec<usize>>>,
    pub(super) nodes: Vec<Node>,
    /// By node: its item id.
    pub(super) ids: Vec<String>,
}

/// An item in the making: its axes, and the node that it is bound to in each stage it refers to.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) point: Point,
    pub(super) bound: BTreeMap<usize, usize>,
}

impl Layout<'_> {
    fn items_at(&mut self, stage: usize, case: Option<usize>, params: &mut Params<'_>) -> Result<()> {
        let mut ids = BTreeSet::new();
        for draft in self.drafts(stage, case)? {
            let node = self.node(stage, case, &draft, params)?;
            let duplicate = !ids.insert(node.id.clone());
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
        let mut drafts: Vec<Draft> = self.own_points(stage, case);
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

    /// Returns the points of the stage's own axes, and of its folds.
    fn own_points(&self, stage: usize, case: Option<usize>) -> Vec<Draft> {
        let linked = &self.stages[stage];
        let mut points = product(linked.stage);
        if let Some(folds) = self.folds.of_item(linked.stage, case) {
            let with = |point: &Point, fold: &str| {
                let mut point = point.clone();
                point.insert(FOLD_AXIS.to_owned(), fold.to_owned());
                point
            };
            points = points.iter().flat_map(|point| folds.iter().map(move |fold| with(point, fold))).collect();
        }
        points.into_iter().map(|point| Draft { point, bound: BTreeMap::new() }).collect()
    }

    /// Returns the reference that an axis stands for at a point.
    pub(super) fn at_point(
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

    pub(super) fn name(&self, stage: usize, case: Option<usize>, point: &Point) -> String {
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
    pub(super) fn candidates(&self, source: usize, case: Option<usize>) -> &[usize] {
        let key = if self.stages[source].cases.is_some() { case } else { None };
        self.rows[source].get(&key).map_or(&[], Vec::as_slice)
    }

    /// Refuses a join that silently drops an item of a stage that is referred to.
    fn no_row_lost(&self, drafts: &[Draft], stage: usize, case: Option<usize>) -> Result<()> {
        let sources: BTreeSet<usize> = drafts.iter().flat_map(|draft| draft.bound.keys().copied()).collect();
        for source in sources {
            let used: BTreeSet<usize> = drafts.iter().filter_map(|draft| draft.bound.get(&source).copied()).collect();
            // A case takes what was made in its own folds; the other folds are for the other cases.
            let folds = self.folds.of_item(self.stages[stage].stage, case);
            let of_case = |row: &usize| match (&folds, self.nodes[*row].axes.get(FOLD_AXIS)) {
                (Some(folds), Some(fold)) => folds.contains(&fold.as_str()),
                _ => true,
            };
            let mut candidates = self.candidates(source, case).iter().filter(|row| of_case(row));
            if let Some(&lost) = candidates.find(|row| !used.contains(row)) {
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
}
