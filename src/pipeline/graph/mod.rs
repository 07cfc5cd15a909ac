//! The plan as a graph, for people and tools: stages with their number of items by default, every item on demand.
//!
//! ```text
//! phantom ×20
//! align ×20       <- phantom ×20
//! ```
//! With the state of its items a vertex reads `infer ×20: 12 cached, 8 run`.

mod draw;

use std::collections::{BTreeMap, BTreeSet};

pub use draw::Format;

use super::{
    plan::{Plan, Source},
    status::{State, Survey},
};

/// How much a graph shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One vertex a stage: `infer ×20`.
    Stages,
    /// One vertex an item: `infer@p16,seed=2`.
    Items,
}

/// A vertex: a stage, an item, or a field of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// `infer`, `infer@p16,seed=2`, `case.ct`, `case.ct@p16`.
    pub id: String,
    /// The op; none for a field of the manifest.
    pub op: Option<&'static str>,
    /// How many items it stands for.
    pub count: usize,
    /// Name of what it publishes.
    pub publish: Option<String>,
    /// How many of its items are in which state, in the order of [`State::NAMES`]; empty where nobody looked.
    pub states: Vec<(&'static str, usize)>,
}

/// A graph, sources before what needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Vertices in an order in which sources come first.
    pub vertices: Vec<Vertex>,
    /// Edges from source to user, by index into the vertices.
    pub edges: BTreeSet<(usize, usize)>,
}

/// Returns the graph of a plan, with the states of its items where they have been looked up.
#[must_use]
pub fn graph(plan: &Plan, detail: Detail, survey: Option<&Survey>) -> Graph {
    let mut graph = Graph { pipeline: plan.name.clone(), vertices: Vec::new(), edges: BTreeSet::new() };
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut counted: BTreeSet<(usize, &str)> = BTreeSet::new();
    let mut of_node = Vec::with_capacity(plan.nodes.len());
    for (at, node) in plan.nodes.iter().enumerate() {
        let sources: Vec<usize> = node
            .inputs
            .values()
            .flatten()
            .map(|source| match source {
                Source::Output { node, .. } => of_node[*node],
                Source::Field { case, name, .. } => {
                    let id = match (detail, case.as_str()) {
                        (_, "") => format!("file {name}"),
                        (Detail::Stages, _) => format!("case.{name}"),
                        (Detail::Items, case) => format!("case.{name}@{case}"),
                    };
                    let vertex = vertex(&mut graph, &mut index, id, None);
                    if counted.insert((vertex, case)) {
                        graph.vertices[vertex].count += 1;
                    }
                    vertex
                }
            })
            .collect();
        let id = if detail == Detail::Stages { node.stage.clone() } else { node.id.clone() };
        let user = vertex(&mut graph, &mut index, id, Some(node.op.name()));
        graph.vertices[user].count += 1;
        graph.vertices[user].publish.clone_from(&node.publish);
        if let Some(status) = survey.and_then(|survey| survey.nodes.get(at)) {
            graph.vertices[user].count_state(&status.state);
        }
        graph.edges.extend(sources.into_iter().map(|source| (source, user)));
        of_node.push(user);
    }
    sorted(graph)
}

fn vertex(graph: &mut Graph, index: &mut BTreeMap<String, usize>, id: String, op: Option<&'static str>) -> usize {
    *index.entry(id).or_insert_with_key(|id| {
        graph.vertices.push(Vertex { id: id.clone(), op, count: 0, publish: None, states: Vec::new() });
        graph.vertices.len() - 1
    })
}

/// Sorts vertices so that sources come first. Items are in order already; of stages a later one may have been met before
/// an earlier one (`compare` of the first case precedes `train`).
fn sorted(graph: Graph) -> Graph {
    let mut waits: Vec<usize> = vec![0; graph.vertices.len()];
    for &(_, user) in &graph.edges {
        waits[user] += 1;
    }
    let mut ready: BTreeSet<usize> = (0..waits.len()).filter(|&vertex| waits[vertex] == 0).collect();
    let mut sequence = Vec::with_capacity(waits.len());
    while let Some(vertex) = ready.pop_first() {
        sequence.push(vertex);
        for &(_, user) in graph.edges.range((vertex, 0)..=(vertex, usize::MAX)) {
            waits[user] -= 1;
            if waits[user] == 0 {
                ready.insert(user);
            }
        }
    }
    let mut position = vec![0; waits.len()];
    for (new, &old) in sequence.iter().enumerate() {
        position[old] = new;
    }
    Graph {
        pipeline: graph.pipeline,
        vertices: sequence.iter().map(|&old| graph.vertices[old].clone()).collect(),
        edges: graph.edges.iter().map(|&(from, to)| (position[from], position[to])).collect(),
    }
}

impl Vertex {
    /// Returns `infer ×20`, or the id alone for a single item.
    #[must_use]
    pub fn label(&self) -> String {
        if self.count > 1 { format!("{} ×{}", self.id, self.count) } else { self.id.clone() }
    }

    /// Returns `12 cached, 8 run`, `cached` for a single item, nothing where nobody looked.
    #[must_use]
    pub fn state_text(&self) -> String {
        match self.states.as_slice() {
            [(name, 1)] if self.count == 1 => (*name).to_owned(),
            states => states.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", "),
        }
    }

    fn count_state(&mut self, state: &State) {
        let order = |name: &str| State::NAMES.iter().position(|other| *other == name);
        match self.states.iter_mut().find(|(name, _)| *name == state.name()) {
            Some((_, count)) => *count += 1,
            None => self.states.push((state.name(), 1)),
        }
        self.states.sort_by_key(|(name, _)| order(name));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pipeline::expand::fakes::{QUICK, plan};

    const FIELDS: &str = "stages:\n  t: { uses: threshold, foreach: test, with: { ct: case.ct } }\n  \
                          s: { uses: surface, foreach: test, with: { volume: t.label }, publish: out }\n";

    #[test]
    fn stages_are_groups_in_the_order_of_their_sources() {
        let text = graph(&plan(QUICK).unwrap(), Detail::Stages, None).render(Format::Text);
        assert_eq!(
            text,
            "phantom ×4\n\
             align ×4      <- phantom ×4\n\
             voxelize ×4   <- phantom ×4, align ×4\n\
             train ×3      <- phantom ×4, voxelize ×4\n\
             infer ×6      <- phantom ×4, train ×3\n\
             threshold ×2  <- phantom ×4\n\
             surface ×10   <- voxelize ×4, infer ×6, threshold ×2\n\
             compare ×10   <- align ×4, voxelize ×4, infer ×6, threshold ×2, surface ×10\n\
             table1        <- compare ×10  -> results/quick/table1\n"
        );
    }

    #[test]
    fn items_and_fields_of_the_manifest_are_vertices_too() {
        let plan = plan(FIELDS).unwrap();
        let whole = graph(&plan, Detail::Items, None);
        let ids: Vec<&str> = whole.vertices.iter().map(|vertex| vertex.id.as_str()).collect();
        assert_eq!(ids, ["case.ct@p03", "t@p03", "s@p03", "case.ct@p04", "t@p04", "s@p04"]);
        assert_eq!(whole.edges, [(0, 1), (1, 2), (3, 4), (4, 5)].into());
        assert_eq!(
            graph(&plan, Detail::Stages, None).render(Format::Mermaid),
            "flowchart TD\n  n0[(\"case.ct ×2\")]\n  n1[\"t ×2\"]\n  n2[\"s ×2\"]\n  n0 --> n1\n  n1 --> n2\n"
        );
        assert!(
            graph(&plan, Detail::Stages, None)
                .render(Format::Dot)
                .contains("n0 [label=\"case.ct ×2\", shape=cylinder];")
        );
        let json = graph(&plan, Detail::Stages, None).json();
        assert_eq!(
            json["vertices"][1],
            json!({ "id": "t", "op": "threshold", "count": 2, "publish": null, "states": {} })
        );
        assert_eq!(json["edges"][1], json!({ "from": "t", "to": "s" }));
    }
}
