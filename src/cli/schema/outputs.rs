//! What each command prints with `--json`. A test holds every command to its schema.

use serde_json::{Value, json};

use super::notation;
use crate::fault::Result;

/// The output of a command.
pub(super) struct Output {
    /// The command's words, joined by `-`.
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    notation: &'static str,
}

const fn output(name: &'static str, doc: &'static str, notation: &'static str) -> Output {
    Output { name, doc, notation }
}

/// A file that was written, where there is no more to say.
const WRITTEN: &str = "{ written: [text] }";
/// A change of an item since the lock file.
const CHANGE: &str = r#"{ what: "new" | "op" | "param" | "seed" | "input" | "hidden" | "lost", name?: text, port?: text,
    source?: text, before?: any, now?: any }"#;

/// All outputs. `CHANGE` stands for a change, `ROOT` for a cause.
pub(super) static OUTPUTS: &[Output] = &[
    output(
        "run",
        "calvaria run",
        "{ pipeline: text, run_id: text, run: whole, cached: whole, failed: whole, skipped: whole, conflicts: whole,
           seconds: number, published: [text], stale?: [text], lock_changed: flag, failures: [{ node: text, what: text, exit: whole }] }",
    ),
    output(
        "events",
        "a line of calvaria run --events",
        r#"{ event: "run_started" | "started" | "progress" | "waiting" | "healing" | "conflict" | "finished" | "published"
             | "run_finished", at_s: number, run?: text, pipeline?: text, nodes?: whole, node?: text,
             expected_seconds?: number?, done?: whole, total?: whole, note?: text, pid?: whole?, port?: text,
             outcome?: "cached" | "ran" | "failed" | "skipped" | "not_selected", seconds?: number, what?: text, exit?: whole,
             name?: text, summary?: { ran: whole, cached: whole, failed: whole, skipped: whole, not_selected: whole,
             conflicts: whole, seconds: number } }"#,
    ),
    output(
        "plan",
        "calvaria plan",
        "{ pipeline: text, overrides: <any>, cached: whole, run: whole, maybe: whole, unready: whole,
           expected_seconds: number, estimate: { core_seconds: number, seconds: number, bytes: whole },
           stages: [{ stage: text, cached: whole, run: whole, maybe: whole }] }",
    ),
    output(
        "status",
        "calvaria status",
        r#"{ pipeline: text, items: [{ item: text, state: "cached" | "run" | "maybe" | "unready", key: text?,
             seconds: number? }], totals: { cached: whole, run: whole, maybe: whole, unready: whole,
             expected_seconds: number, unknown: whole } }"#,
    ),
    output(
        "explain",
        "calvaria explain: of a whole study, or of items",
        r#"{ pipeline: text, stale?: whole, roots?: [ROOT], items?: [{ item: text,
             state: "cached" | "run" | "maybe" | "unready" | "-", changes: [CHANGE], roots: [ROOT] }] }"#,
    ),
    output(
        "check",
        "calvaria check",
        "{ pipeline: text, items: whole, agrees: flag, differences: [{ item: text, changes: [text] }] }",
    ),
    output(
        "verify",
        "calvaria verify",
        "{ pipeline: text, inputs: whole, outputs: whole, published: whole,
           findings: [{ differs: flag, what: text }], rerun: [text]? }",
    ),
    output(
        "audit",
        "calvaria audit",
        r#"{ pipeline: text, rounds: [text], outputs: [{ item: text, output: text,
             verdict: "equal" | "differs" | "absent", rounds: whole, conditions: text?, cause: text?, file: text?,
             first: { offset: whole, element: text, before: text, after: text, ulps: whole?, bytes: whole? }? }] }"#,
    ),
    output(
        "diff",
        "calvaria diff",
        r#"{ before: text, after: text, equal: flag, locks: { head: [text], only_before: [text], only_after: [text],
             items: [{ item: text, op: text?, params: [{ name: text, before: any, after: any }], inputs: [text],
             outputs: [text], begins: flag, why: text? }], first: text? },
             metrics: [{ name: text, cases: [{ item: text, before: number?, after: number?, difference: number? }],
             test: { n: whole, mean_difference: number, p: number, smallest_p: number, exact: flag }? }],
             bisect: [{ item: text, equal_at: whole?, differs_at: whole?, by: text? }] }"#,
    ),
    output(
        "gc",
        "calvaria gc",
        "{ removed: flag, records: whole, outputs: whole, output_bytes: whole, leftovers: whole, leftover_bytes: whole }",
    ),
    output(
        "dag",
        "calvaria dag",
        "{ pipeline: text, vertices: [{ id: text, op: text?, count: whole, publish: text?, states: <whole> }],
           edges: [{ from: text, to: text }] }",
    ),
    output(
        "table",
        "calvaria table",
        "{ calvaria_table: whole, layout: text, by: text, baseline: text?, cases: [text],
           blocks: [{ name: text, seeds: [text], patients: [{ case: text, values: <{ value: number?, seed_sd: number?,
           seeds: whole }> }], columns: <any>, * }], paper: any, notes: [text], rows: [<any>], * }",
    ),
    output(
        "log",
        "calvaria log",
        "{ runs: [{ run_schema: whole, run: text, pipeline: text, program: text, started_unix_s: whole, exit: whole?,
           summary: { ran: whole, cached: whole, failed: whole, skipped: whole, not_selected: whole, conflicts: whole,
           seconds: number }, failed: [{ node: text, what: text, exit: whole }], lock?: text }] }",
    ),
    output("log-item", "calvaria log --item", "{ run: text, item: text, lines: [text] }"),
    output(
        "show",
        "calvaria show, of items of a pipeline",
        "{ pipeline: text, items: [{ item: text, uses: text, at: text, params: <any>, state: text, key: text?,
           seconds: number?, outputs: [{ name: text, kind: text, digest: text?, bytes: whole? }] }] }",
    ),
    output(
        "show-op",
        "calvaria show, of a built-in",
        "{ name: text, version: whole, doc: text, params: <any>,
           inputs: [{ name: text, kinds: [text], list: flag, optional: flag, doc: text }],
           outputs: [{ name: text, kind: text, optional: flag, doc: text }] }",
    ),
    output("schema-list", "calvaria schema --list", "{ schemas: [{ name: text, doc: text }] }"),
    output(
        "doctor",
        "calvaria doctor",
        r#"{ findings: [{ name: text, state: "ok" | "note" | "wrong", value: any, text: text, remedy: text? }] }"#,
    ),
    output("man", "calvaria man", "{ pages: [text] }"),
    output(
        "pack",
        "calvaria pack",
        "{ pipeline: text, files: whole, bytes: whole, digest: text, all_objects: flag, data: flag, binary: flag }",
    ),
    output(
        "replay",
        "calvaria replay",
        r#"{ pipeline: text, digest: text, executed: whole, results: [{ name: text,
             verdict: "equal" | "differs" | "missing" }], lock_equal: flag, verdict: "equal" | "differs" | "partial" }"#,
    ),
    output("manifest-scan", "calvaria manifest scan", "{ manifest: text }"),
    output("manifest-check", "calvaria manifest check", "{ cases: whole, splits: <whole> }"),
    output("phantom", "calvaria phantom", WRITTEN),
    output(
        "align",
        "calvaria align",
        "{ matrix: [[number]], inlier_share: number, median_residual_mm: number, p95_residual_mm: number, accepted: flag,
           notes: [text], * }",
    ),
    output("voxelize", "calvaria voxelize", "{ closed: flag, voxels: whole, * }"),
    output("threshold", "calvaria threshold", WRITTEN),
    output("train", "calvaria train", WRITTEN),
    output("infer", "calvaria infer", WRITTEN),
    output(
        "surface",
        "calvaria surface",
        "{ vertices: whole, triangles: whole, components: whole, closed: flag, oriented: flag, manifold: flag, euler: whole,
           area_mm2: number, volume_mm3: number, volume_before_mm3: number, changes: [any], * }",
    ),
    output("compare", "calvaria compare", "{ status: text, * }"),
    output("segment", "calvaria segment", WRITTEN),
    output("convert", "calvaria convert", WRITTEN),
    output("info", "calvaria info", r#"{ kind: "volume" | "mesh", notes: [text], * }"#),
    output(
        "mesh-check",
        "calvaria mesh check",
        "{ vertices: whole, triangles: whole, components: whole, closed: flag, oriented: flag, manifold: flag,
           area_mm2: number, volume_mm3: number, self_intersections: whole, fit: flag, verdict: text, remedies: [text], * }",
    ),
    output(
        "model-info",
        "calvaria model info and model import",
        r#"{ kind: "model", format: text, depth: whole, width: whole, input_channels: whole, classes: whole,
             parameters: whole, bytes: whole, digest: text, weights_digest: text, notes: [text], * }"#,
    ),
    output("model-export", "calvaria model export", WRITTEN),
    output(
        "bench",
        "calvaria bench, a row a measurement",
        "[{ name: text, shape: text, threads: whole, seconds: number, gflops: number?, peak_share: number?,
            peak_rss_mb: number?, over_forward: number?, peer: text?, peer_seconds: number?, ratio: number?,
            peer_rss_mb: number?, * }]",
    ),
];

/// Returns the schema of an output; none when there is no such output.
pub(super) fn schema(name: &str) -> Option<Result<Value>> {
    let output = OUTPUTS.iter().find(|output| output.name == name)?;
    // A cause holds a change, so the longer word is put in first.
    let root = "{ items: [text], change: CHANGE, place: text?, stale: whole }";
    let text = output.notation.replace("ROOT", root).replace("CHANGE", CHANGE);
    Some(notation::schema(&text).map(|schema| with_head(schema, output)))
}

fn with_head(schema: Value, output: &Output) -> Value {
    let mut head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("calvaria/output/{}/1", output.name),
        "title": output.doc,
    });
    if let (Some(head), Value::Object(body)) = (head.as_object_mut(), schema) {
        head.extend(body);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_can_be_read_and_no_name_is_there_twice() {
        let mut names: Vec<&str> = OUTPUTS.iter().map(|output| output.name).collect();
        for name in &names {
            schema(name).unwrap().unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(schema("nothing").is_none());
    }
}
