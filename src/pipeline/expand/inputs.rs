//! The inputs of an item: one artifact by the same case and axes, or a list sorted by item id; and the node made of them.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    axes::{Point, agree},
    link::{LinkedEdge, Target, find_target, list, members, wrong_kind},
    params::Params,
    rows::{Draft, Layout},
};
use crate::{
    fault::Result,
    numeric::Seed,
    pipeline::{
        plan::{Field, Item, Node, Place, Source},
        spec::{
            FOLD_AXIS, SEED_AXIS,
            reference::{Binding, Group, Reference},
        },
        stage::{Arity, OwnFile},
    },
};

/// A file beside the pipeline is like a field of no case.
fn own_file(file: OwnFile, place: Place) -> Source {
    // Relative paths hold where the stage runs too, which is elsewhere.
    let path = std::path::absolute(&file.path).unwrap_or(file.path);
    let field = Field { kind: "file".to_owned(), path: Some(path), place, ..Field::default() };
    Source::Field { case: String::new(), name: file.name, field }
}

impl Layout<'_> {
    /// Returns the node of an item.
    pub(super) fn node(
        &self,
        stage: usize,
        case: Option<usize>,
        draft: &Draft,
        params: &mut Params<'_>,
    ) -> Result<Node> {
        let linked = &self.stages[stage];
        let mut inputs = BTreeMap::new();
        for edge in &linked.edges {
            let sources = self.sources(stage, case, draft, edge)?;
            if !sources.is_empty() {
                inputs.insert(edge.input.name, sources);
            }
        }
        let id = self.name(stage, case, &draft.point);
        let params = params.at(&draft.point, &id)?;
        let folder = self.spec.source.file.parent().unwrap_or(Path::new(""));
        for file in linked.op.files(&params, folder) {
            inputs.insert(file.port, vec![own_file(file, self.spec.source.place(linked.stage.name.mark))]);
        }
        let case = case.map(|case| self.items[case].id.clone());
        Ok(Node {
            stage: linked.stage.name.text.clone(),
            op: linked.op,
            params,
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
            timeout: linked.stage.resources.timeout_s.map(Duration::from_secs_f64),
            place: self.spec.source.place(linked.stage.name.mark),
        })
    }

    /// Returns the replicate number: the value of `seed` where the stage itself declares that axis, else 0. A seed that
    /// came along an edge says which input it was, and leaves this stage's own stream alone.
    fn replicate(&self, stage: usize, point: &Point) -> u64 {
        let own = self.stages[stage].stage.own_axes().any(|axis| axis.name.text == SEED_AXIS);
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
        if !edge.input.takes(&field.kind) {
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
            Some(Group::Fold(side)) => {
                let fold = draft.point.get(FOLD_AXIS).map_or("", String::as_str);
                (0..self.items.len()).filter(|&case| self.folds.has(*side, fold, case)).collect()
            }
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
        self.one_where_one_is_taken(stage, edge, found.len())?;
        found.sort_by(|a, b| a.0.cmp(b.0));
        Ok(found.into_iter().map(|(_, source)| source).collect())
    }

    /// An input that takes one artifact takes a collection of exactly one: how an item reaches one of another case.
    fn one_where_one_is_taken(&self, stage: usize, edge: &LinkedEdge<'_>, found: usize) -> Result<()> {
        if found == 1 || list(edge.input) {
            return Ok(());
        }
        let (port, op) = (edge.input.name, self.stages[stage].op.name());
        let what = format!("the input `{port}` of `{op}` takes one artifact, not a list of {found}");
        let reference = edge.edge.binding.reference();
        Err(self
            .spec
            .source
            .fault(edge.edge.mark, what)
            .hint(format!("write `{port}: {reference}`, or collect over a group of one case")))
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
