//! The network as an ONNX graph (opset 13): Hounsfield units in, logits out, slices of any number and size.
//!
//! ONNX's `Pad` has no mode that repeats the edge pixel, so the border is made by `Gather` with indices that the graph
//! computes from the size of its input. All maps stand in one tensor with `m` reflected pixels on every side, m being the
//! largest dilation; a layer's convolution needs only the inner ones of them, and what it computes is cropped and padded
//! again in one go:
//!
//! ```text
//! hu ─ Clip ─ Sub ─ Div ─ Gather y, x ─▶ maps_0 [n, c, y + 2m, x + 2m]
//! maps_i ─ Conv (dilation d) ─ Relu [n, w, y + 2m - 2d, …] ─ Gather y, x ─┐
//!      └───────────────────────────────────────────────────────────── Concat ─▶ maps_i+1
//! maps_D ─ Conv 1 x 1 ─ Gather y, x ─▶ logits [n, classes, y, x]
//! ```

mod graph;
mod protobuf;

use graph::{Dim, Graph};

use crate::{fault::Result, model::Model};

/// Axes of an image tensor, by name and number.
const AXES: [(&str, i64); 2] = [("y", 2), ("x", 3)];

/// Returns the bytes of an ONNX model.
///
/// Input `hu` [n, channels, y, x], f32 Hounsfield units (channels are neighbouring slices, inferior first); output `logits`
/// [n, classes, y, x]. Sides must be at least the largest dilation (one more where the edge is not repeated).
///
/// # Errors
/// Unfit when the model's parameters do not fit its architecture.
pub fn to_onnx(model: &Model) -> Result<Vec<u8>> {
    super::check(model)?;
    let net = &model.architecture;
    let mut graph = Graph::default();
    let margin = net.largest_dilation() as i64;
    indices(&mut graph, model, margin);
    let seen = normalised(&mut graph, model);
    let mut maps = gathered(&mut graph, &seen, "maps_0", &format!("by_{margin}"));
    for layer in 0..net.depth {
        let dilation = net.dilation(layer) as i64;
        let first = layer * net.width;
        let weights = net.weight_range(first).start..net.weight_range(first + net.width - 1).end;
        let shape = [net.width, net.inputs(layer), 3, 3];
        let weights = graph.floats(&format!("layer_{layer}_weight"), &shape, &model.parameters[weights]);
        let biases = net.bias_range().start + first;
        let biases = &model.parameters[biases..biases + net.width];
        let biases = graph.floats(&format!("layer_{layer}_bias"), &[net.width], biases);
        let convolved =
            graph.node("Conv", &[&maps, &weights, &biases], &format!("sum_{layer}"), &[("dilations", &[dilation; 2])]);
        let rectified = graph.node("Relu", &[&convolved], &format!("relu_{layer}"), &[]);
        let new = gathered(&mut graph, &rectified, &format!("layer_{layer}"), &format!("by_{dilation}"));
        maps = graph.node("Concat", &[&maps, &new], &format!("maps_{}", layer + 1), &[("axis", &[1])]);
    }
    let shape = [net.classes, net.channels(), 1, 1];
    let weights = graph.floats("output_weight", &shape, &model.parameters[net.head_weight_range()]);
    let biases = graph.floats("output_bias", &[net.classes], &model.parameters[net.head_bias_range()]);
    let summed = graph.node("Conv", &[&maps, &weights, &biases], "output_sum", &[]);
    gathered(&mut graph, &summed, "logits", "inside");
    let sides = [Dim::Any("y"), Dim::Any("x")];
    let surface = |channels: usize| [Dim::Any("n"), Dim::Size(channels), sides[0], sides[1]];
    Ok(graph.finish(("hu", surface(net.input_channels)), ("logits", surface(net.classes)), &facts(model)?))
}

/// Clamps and scales the input as [`crate::model::normalise::Normalisation`] does.
fn normalised(graph: &mut Graph, model: &Model) -> String {
    let [low, high] = model.normalisation.clamp_hu;
    let low = graph.floats("clamp_low_hu", &[], &[low]);
    let high = graph.floats("clamp_high_hu", &[], &[high]);
    let mean = graph.floats("mean_hu", &[], &[model.normalisation.mean_hu]);
    let std = graph.floats("std_hu", &[], &[model.normalisation.std_hu]);
    let clamped = graph.node("Clip", &["hu", &low, &high], "clamped", &[]);
    let centred = graph.node("Sub", &[&clamped, &mean], "centred", &[]);
    graph.node("Div", &[&centred, &std], "seen", &[])
}

/// Picks rows, then columns, by the index lists of that name.
fn gathered(graph: &mut Graph, from: &str, to: &str, list: &str) -> String {
    let [(y, rows), (x, columns)] = AXES;
    let picked = graph.node("Gather", &[from, &format!("{y}_{list}")], &format!("{to}_rows"), &[("axis", &[rows])]);
    graph.node("Gather", &[&picked, &format!("{x}_{list}")], to, &[("axis", &[columns])])
}

/// Computes the index lists of both axes from the size n of the input: `inside` is m .. m + n, and `by_d` holds, for each
/// pixel p from -m to n + m, where the pixel that p reflects to stands in the output of a convolution with dilation d.
///
/// ```text
/// k = 1 where the edge pixel is repeated, else 0
/// q = min(max(p, -k - p), 2n - 2 + k - max(p, -k - p))         by_d = q + m - d
/// ```
fn indices(graph: &mut Graph, model: &Model, margin: i64) {
    let net = &model.architecture;
    // What is reflected to pixel 0 from the left is pixel -1, or none but itself.
    let repeated = i64::from(net.border.source(-1, 2) == 0);
    let shape = graph.node("Shape", &["hu"], "shape", &[]);
    let from = graph.int("minus_margin", -margin);
    let margin_name = graph.int("margin", margin);
    let (one, two) = (graph.int("one", 1), graph.int("two", 2));
    let left = graph.int("left_edge", -repeated);
    let right = graph.int("right_edge", 2 - repeated);
    let mut dilations: Vec<i64> = (0..net.depth).map(|layer| net.dilation(layer) as i64).collect();
    dilations.sort_unstable();
    dilations.dedup();
    let shifts: Vec<(i64, String)> =
        dilations.iter().map(|&d| (d, graph.int(&format!("shift_{d}"), margin - d))).collect();
    for (axis, number) in AXES {
        let name = |what: &str| format!("{axis}_{what}");
        let number = graph.int(&name("axis"), number);
        let size = graph.node("Gather", &[&shape, &number], &name("size"), &[("axis", &[0])]);
        let until = graph.node("Add", &[&size, &margin_name], &name("until"), &[]);
        graph.node("Range", &[&margin_name, &until, &one], &name("inside"), &[]);
        let pixels = graph.node("Range", &[&from, &until, &one], &name("pixels"), &[]);
        let mirrored = graph.node("Sub", &[&left, &pixels], &name("mirrored"), &[]);
        let folded = graph.node("Max", &[&pixels, &mirrored], &name("folded"), &[]);
        let twice = graph.node("Mul", &[&size, &two], &name("twice"), &[]);
        let last = graph.node("Sub", &[&twice, &right], &name("last"), &[]);
        let beyond = graph.node("Sub", &[&last, &folded], &name("beyond"), &[]);
        let source = graph.node("Min", &[&folded, &beyond], &name("source"), &[]);
        for (dilation, shift) in &shifts {
            graph.node("Add", &[&source, shift], &name(&format!("by_{dilation}")), &[]);
        }
    }
}

/// Returns what a reader should know, for the model's metadata.
fn facts(model: &Model) -> Result<Vec<(&'static str, String)>> {
    let net = &model.architecture;
    let [low, high] = model.normalisation.clamp_hu;
    Ok(vec![
        (super::state::HEADER, super::state::header_of(model)?),
        ("input", "hu: Hounsfield units; rows to posterior, columns to left; channels are neighbouring slices, inferior first; clamped and scaled within the graph".to_owned()),
        ("output", "logits; class 0 is background".to_owned()),
        ("clamp_hu", format!("{low} {high}")),
        ("mean_hu", model.normalisation.mean_hu.to_string()),
        ("std_hu", model.normalisation.std_hu.to_string()),
        ("smallest_side", (net.largest_dilation() + usize::from(net.border.source(-1, 2) != 0)).to_string()),
        ("use", "research only".to_owned()),
    ])
}
