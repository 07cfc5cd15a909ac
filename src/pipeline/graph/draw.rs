//! A graph as text, Mermaid, Graphviz or JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{Graph, Vertex};

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

/// Fill colours by state, of which dark text can be read.
const COLOURS: [(&str, &str); 4] =
    [("cached", "#d4edda"), ("run", "#fff3cd"), ("maybe", "#fdf8e4"), ("unready", "#f8d7da")];

/// Returns the colour of a state.
fn colour(state: Option<&str>) -> Option<&'static str> {
    COLOURS.iter().find(|(name, _)| Some(*name) == state).map(|(_, colour)| *colour)
}

impl Vertex {
    /// Returns the state that stands for all of them: the one that asks for attention first.
    fn worst(&self) -> Option<&'static str> {
        self.states.last().map(|(name, _)| *name)
    }

    /// Returns the label, then `separator` and the states if there are any.
    fn label_with_states(&self, separator: &str) -> String {
        let states = self.state_text();
        if states.is_empty() { self.label() } else { format!("{}{separator}{states}", self.label()) }
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
            let states = self.vertices[index].state_text();
            if !states.is_empty() {
                let _ = write!(out, "  [{states}]");
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
            let _ = writeln!(out, "  n{index}{open}\"{}\"{close}", vertex.label_with_states("<br/>"));
            if let Some(colour) = colour(vertex.worst()) {
                let _ = writeln!(out, "  style n{index} fill:{colour}");
            }
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
            let fill = colour(vertex.worst()).map(|colour| format!(", style=filled, fillcolor=\"{colour}\""));
            let (label, fill) = (vertex.label_with_states("\\n"), fill.unwrap_or_default());
            let _ = writeln!(out, "  n{index} [label=\"{label}\"{shape}{fill}];");
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
        let vertices = self.vertices.iter().map(|vertex| {
            let states: BTreeMap<_, _> = vertex.states.iter().copied().collect();
            json!({
                "id": vertex.id,
                "op": vertex.op,
                "count": vertex.count,
                "publish": vertex.publish,
                "states": states
            })
        });
        let edges =
            self.edges.iter().map(|&(from, to)| json!({ "from": self.vertices[from].id, "to": self.vertices[to].id }));
        json!({
            "pipeline": self.pipeline,
            "vertices": vertices.collect::<Vec<_>>(),
            "edges": edges.collect::<Vec<_>>()
        })
    }
}
