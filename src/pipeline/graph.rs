//! The plan as a graph, for people and tools: stages with their number of items by default, every item on demand.
//!
//! ```text
//! phantom ×20
//! align ×20       <- phantom ×20
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};

use super::plan::{Plan, Source};

/// How much a graph shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One vertex a stage: `infer ×20`.
    Stages,
    /// One vertex an item: `infer@p16,seed=2`.
    Items,
}

/// How a graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines, sources first.
    Text,
    /// Mermaid `flowchart`.
    Mermaid,
    /// Graphviz.
    Dot,
    /// `{ "pipeline", "vertices", "edges" }`.
    Json,
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

/// Returns the graph of a plan.
#[must_use]
pub fn graph(plan: &Plan, detail: Detail) -> Graph {
    let mut graph = Graph { pipeline: plan.name.clone(), vertices: Vec::new(), edges: BTreeSet::new() };
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut counted: BTreeSet<(usize, &str)> = BTreeSet::new();
    let mut of_node = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
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
        graph.edges.extend(sources.into_iter().map(|source| (source, user)));
        of_node.push(user);
    }
    sorted(graph)
}

fn vertex(graph: &mut Graph, index: &mut BTreeMap<String, usize>, id: String, op: Option<&'static str>) -> usize {
    *index.entry(id).or_insert_with_key(|id| {
        graph.vertices.push(Vertex { id: id.clone(), op, count: 0, publish: None });
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
}

impl Graph {
    /// Returns the graph as text of a format, ending with a newline.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Mermaid => self.mermaid(),
            Format::Dot => self.dot(),
            Format::Json => format!("{:#}\n", self.json()),
        }
    }

    fn text(&self) -> String {
        let labels: Vec<String> = self.vertices.iter().map(Vertex::label).collect();
        let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let mut out = String::new();
        for (index, label) in labels.iter().enumerate() {
            let sources: Vec<&str> =
                self.edges.iter().filter(|&&(_, user)| user == index).map(|&(from, _)| labels[from].as_str()).collect();
            let line =
                if sources.is_empty() { label.clone() } else { format!("{label:width$}  <- {}", sources.join(", ")) };
            out.push_str(&line);
            if let Some(publish) = &self.vertices[index].publish {
                let _ = write!(out, "  -> results/{}/{publish}", self.pipeline);
            }
            out.push('\n');
        }
        out
    }

    fn mermaid(&self) -> String {
        let mut out = "flowchart TD\n".to_owned();
        for (index, vertex) in self.vertices.iter().enumerate() {
            // Fields of the manifest are drawn as stores, ops as boxes. Ids hold no quote: the parsers refuse it.
            let (open, close) = if vertex.op.is_some() { ("[", "]") } else { ("[(", ")]") };
            let _ = writeln!(out, "  n{index}{open}\"{}\"{close}", vertex.label());
        }
        for (from, to) in &self.edges {
            let _ = writeln!(out, "  n{from} --> n{to}");
        }
        out
    }

    fn dot(&self) -> String {
        let mut out = format!("digraph \"{}\" {{\n  rankdir=TB;\n  node [shape=box];\n", self.pipeline);
        for (index, vertex) in self.vertices.iter().enumerate() {
            let shape = if vertex.op.is_some() { "" } else { ", shape=cylinder" };
            let _ = writeln!(out, "  n{index} [label=\"{}\"{shape}];", vertex.label());
        }
        for (from, to) in &self.edges {
            let _ = writeln!(out, "  n{from} -> n{to};");
        }
        out.push_str("}\n");
        out
    }

    /// Returns the graph as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let vertices = self.vertices.iter().map(
            |vertex| json!({ "id": vertex.id, "op": vertex.op, "count": vertex.count, "publish": vertex.publish }),
        );
        let edges =
            self.edges.iter().map(|&(from, to)| json!({ "from": self.vertices[from].id, "to": self.vertices[to].id }));
        json!({
            "pipeline": self.pipeline,
            "vertices": vertices.collect::<Vec<_>>(),
            "edges": edges.collect::<Vec<_>>()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::expand::fakes::{QUICK, plan};

    const FIELDS: &str = "stages:\n  t: { uses: threshold, foreach: test, with: { ct: case.ct } }\n  \
                          s: { uses: surface, foreach: test, with: { volume: t.label }, publish: out }\n";

    #[test]
    fn stages_are_groups_in_the_order_of_their_sources() {
        let text = graph(&plan(QUICK).unwrap(), Detail::Stages).render(Format::Text);
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
        let whole = graph(&plan, Detail::Items);
        let ids: Vec<&str> = whole.vertices.iter().map(|vertex| vertex.id.as_str()).collect();
        assert_eq!(ids, ["case.ct@p03", "t@p03", "s@p03", "case.ct@p04", "t@p04", "s@p04"]);
        assert_eq!(whole.edges, [(0, 1), (1, 2), (3, 4), (4, 5)].into());
        assert_eq!(
            graph(&plan, Detail::Stages).render(Format::Mermaid),
            "flowchart TD\n  n0[(\"case.ct ×2\")]\n  n1[\"t ×2\"]\n  n2[\"s ×2\"]\n  n0 --> n1\n  n1 --> n2\n"
        );
        assert!(
            graph(&plan, Detail::Stages).render(Format::Dot).contains("n0 [label=\"case.ct ×2\", shape=cylinder];")
        );
        let json = graph(&plan, Detail::Stages).json();
        assert_eq!(json["vertices"][1], json!({ "id": "t", "op": "threshold", "count": 2, "publish": null }));
        assert_eq!(json["edges"][1], json!({ "from": "t", "to": "s" }));
    }
}
