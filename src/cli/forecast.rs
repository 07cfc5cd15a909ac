//! What a plan is expected to cost before anything ran: time and disk, stage by stage along the graph.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::pipeline::{
    plan::{Field, Node, Plan, Source},
    stage::Extent,
};

/// Bytes of a voxel in the formats that scanners write.
const BYTES_A_VOXEL: u64 = 2;
/// Bytes of a triangle in a binary STL.
const BYTES_A_TRIANGLE: u64 = 50;

/// Expected cost of the nodes of a plan.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Estimate {
    /// Work of all nodes, core-seconds.
    pub(super) core_seconds: f64,
    /// Wall time on the given number of cores: no less than the longest chain of nodes.
    pub(super) seconds: f64,
    /// Disk that the outputs take.
    pub(super) bytes: u64,
}

/// Returns the expected cost of the nodes for which `counts` says yes, run on `jobs` cores.
pub(super) fn estimate(plan: &Plan, jobs: usize, counts: impl Fn(usize) -> bool) -> Estimate {
    let mut extents: Vec<BTreeMap<&str, Extent>> = Vec::with_capacity(plan.nodes.len());
    let mut finish = vec![0.0_f64; plan.nodes.len()];
    let mut total = Estimate::default();
    for (index, node) in plan.nodes.iter().enumerate() {
        let given = given(node, &extents);
        let forecast = node.op.forecast(&node.params, &given);
        let seconds = if counts(index) { forecast.core_seconds } else { 0.0 };
        finish[index] = seconds + start(node, &finish);
        if counts(index) {
            total.core_seconds += seconds;
            total.bytes += forecast.outputs.values().map(|extent| extent.bytes).sum::<u64>();
        }
        extents.push(forecast.outputs.into_iter().collect());
    }
    let longest = finish.iter().copied().fold(0.0, f64::max);
    total.seconds = (total.core_seconds / jobs as f64).max(longest / jobs as f64);
    total
}

fn start(node: &Node, finish: &[f64]) -> f64 {
    let sources = node.inputs.values().flatten();
    sources.fold(0.0, |latest, source| match source {
        Source::Output { node, .. } => latest.max(finish[*node]),
        Source::Field { .. } => latest,
    })
}

fn given<'a>(node: &'a Node, extents: &[BTreeMap<&str, Extent>]) -> BTreeMap<&'a str, Vec<Extent>> {
    let extent = |source: &Source| match source {
        Source::Output { node, port } => extents[*node].get(port).copied().unwrap_or_default(),
        Source::Field { field, .. } => on_disk(field),
    };
    node.inputs.iter().map(|(port, sources)| (*port, sources.iter().map(extent).collect())).collect()
}

/// Guesses the extent of a user's file from its length: a scan is taken as slices of 512 x 512.
fn on_disk(field: &Field) -> Extent {
    let bytes = field.path.as_deref().map_or(0, length);
    match field.kind.as_str() {
        "mesh" | "solid" => Extent { size: [0; 3], triangles: bytes / BYTES_A_TRIANGLE, bytes },
        _ => Extent { size: [512, 512, (bytes / BYTES_A_VOXEL / (512 * 512)) as usize], triangles: 0, bytes },
    }
}

fn length(path: &Path) -> u64 {
    let files = walkdir::WalkDir::new(path).into_iter().filter_map(std::result::Result::ok);
    files.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|m| m.len()).sum()
}

/// Returns a time as people say it.
pub(super) fn human_seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", 1000.0 * s),
        s if s < 90.0 => format!("{s:.1} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// Returns a size as people say it.
pub(super) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
