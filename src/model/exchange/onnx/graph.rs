//! An ONNX graph in the making: nodes and constants by name.
//!
//! Source: `onnx.proto` of the Open Neural Network Exchange, IR version 7; field numbers as there.

use super::protobuf::Message;

const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// Nodes and constants, in the order of computation.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    body: Message,
}

impl Graph {
    /// Adds a node; returns the name of its output, which is `output`.
    pub(super) fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> String {
        let mut node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        node = node.text(2, output).text(3, output).text(4, op);
        for &(name, values) in attributes {
            // One number is an INT, several are INTS.
            let attribute = match values {
                [value] => Message::default().text(1, name).int(3, *value).int(20, 2),
                _ => Message::default().text(1, name).ints(8, values).int(20, 7),
            };
            node = node.message(5, &attribute);
        }
        self.body = std::mem::take(&mut self.body).message(1, &node);
        output.to_owned()
    }

    /// Adds f32 constants; no shape is a single number.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.constant(name, FLOAT, shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Adds a single integer.
    pub(super) fn int(&mut self, name: &str, value: i64) -> String {
        self.constant(name, INT64, &[], &value.to_le_bytes())
    }

    fn constant(&mut self, name: &str, kind: i64, shape: &[usize], raw: &[u8]) -> String {
        let dims: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        let tensor = Message::default().ints(1, &dims).int(2, kind).text(8, name).bytes(9, raw);
        self.body = std::mem::take(&mut self.body).message(5, &tensor);
        name.to_owned()
    }

    /// Returns the whole model's bytes.
    pub(super) fn finish(self, input: (&str, [Dim; 4]), output: (&str, [Dim; 4]), facts: &[(&str, String)]) -> Vec<u8> {
        let graph = self.body.text(2, "msdnet").message(11, &tensor(input)).message(12, &tensor(output));
        let model = Message::default().int(1, 7).text(2, "calvaria").text(3, env!("CARGO_PKG_VERSION"));
        let model = model.message(7, &graph).message(8, &Message::default().text(1, "").int(2, 13));
        let fact = |model: Message, (name, value): &(&str, String)| {
            model.message(14, &Message::default().text(1, name).text(2, value))
        };
        facts.iter().fold(model, fact).finish()
    }
}

/// The size of an axis: a number, or a name where any will do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dim {
    Size(usize),
    Any(&'static str),
}

/// Describes an f32 tensor of the graph's surface.
fn tensor((name, dims): (&str, [Dim; 4])) -> Message {
    let dim = |dim: &Dim| match dim {
        Dim::Size(size) => Message::default().int(1, *size as i64),
        Dim::Any(name) => Message::default().text(2, name),
    };
    let shape = dims.iter().fold(Message::default(), |shape, size| shape.message(1, &dim(size)));
    let kind = Message::default().int(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &kind))
}
