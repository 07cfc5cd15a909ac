//! Pipelines that are right, with the plan that they should give, made by hand.

use super::fakes::{OPS, QUICK, items, plan, plan_with};
use crate::{
    numeric::Seed,
    pipeline::{
        diagnose::Source as File,
        plan::{Node, Plan, Source},
        spec::Spec,
    },
};

fn ids(plan: &Plan) -> Vec<&str> {
    plan.nodes.iter().map(|node| node.id.as_str()).collect()
}

fn node<'a>(plan: &'a Plan, id: &str) -> &'a Node {
    plan.nodes.iter().find(|node| node.id == id).unwrap_or_else(|| panic!("no {id} in {:?}", ids(plan)))
}

/// Inputs of a node as `port=source+source`.
fn inputs(plan: &Plan, id: &str) -> Vec<String> {
    let shown = |source: &Source| match source {
        Source::Output { node, port } => format!("{}:{port}", plan.nodes[*node].id),
        Source::Field { case, name, .. } => format!("case.{name}@{case}"),
    };
    let list = |sources: &[Source]| sources.iter().map(shown).collect::<Vec<_>>().join("+");
    node(plan, id).inputs.iter().map(|(port, sources)| format!("{port}={}", list(sources))).collect()
}

/// What a test case adds to the plan; `{}` is its id.
const PER_CASE: [&str; 13] = [
    "infer@{},seed=1",
    "surface@{},method=msdnet,seed=1",
    "compare@{},method=msdnet,seed=1",
    "infer@{},seed=2",
    "surface@{},method=msdnet,seed=2",
    "compare@{},method=msdnet,seed=2",
    "infer@{},seed=3",
    "surface@{},method=msdnet,seed=3",
    "compare@{},method=msdnet,seed=3",
    "threshold@{}",
    "surface@{},method=threshold",
    "compare@{},method=threshold",
    "surface@{},method=floor",
];

#[test]
fn the_study_in_small_is_laid_out_depth_first_per_case() {
    let plan = plan(QUICK).unwrap();
    let mut expected: Vec<String> = ["phantom@p03", "align@p03", "voxelize@p03"].map(str::to_owned).into();
    for case in ["p01", "p02"] {
        expected.extend(["phantom", "align", "voxelize"].map(|stage| format!("{stage}@{case}")));
    }
    expected.push("train@seed=1".to_owned());
    expected.extend(PER_CASE[..3].iter().map(|id| id.replace("{}", "p03")));
    expected.push("train@seed=2".to_owned());
    expected.extend(PER_CASE[3..6].iter().map(|id| id.replace("{}", "p03")));
    expected.push("train@seed=3".to_owned());
    expected.extend(PER_CASE[6..].iter().map(|id| id.replace("{}", "p03")));
    expected.push("compare@p03,method=floor".to_owned());
    expected.extend(["phantom@p04", "align@p04", "voxelize@p04"].map(str::to_owned));
    expected.extend(PER_CASE.iter().map(|id| id.replace("{}", "p04")));
    expected.extend(["compare@p04,method=floor".to_owned(), "table1".to_owned()]);
    assert_eq!(ids(&plan), expected);
    for (index, node) in plan.nodes.iter().enumerate() {
        for source in node.inputs.values().flatten() {
            assert!(matches!(source, Source::Output { node, .. } if *node < index), "{} needs a later node", node.id);
        }
    }
}

#[test]
fn axes_travel_along_edges_and_bind_the_same_items() {
    let plan = plan(QUICK).unwrap();
    assert_eq!(
        inputs(&plan, "compare@p04,method=msdnet,seed=2"),
        [
            "defect=align@p04:defect",
            "gold_label=voxelize@p04:label",
            "gold_mesh=align@p04:mesh",
            "pred_label=infer@p04,seed=2:label",
            "pred_mesh=surface@p04,method=msdnet,seed=2:mesh"
        ]
    );
    assert_eq!(inputs(&plan, "compare@p04,method=threshold")[3], "pred_label=threshold@p04:label");
    assert_eq!(inputs(&plan, "infer@p03,seed=3"), ["ct=phantom@p03:ct", "model=train@seed=3:model"]);
    let rows = &inputs(&plan, "table1")[0];
    assert_eq!(rows.split('+').count(), 10, "2 cases x (3 seeds + threshold + floor): {rows}");
    assert!(rows.starts_with("rows=compare@p03,method=floor:row+compare@p03,method=msdnet,seed=1:row+"), "{rows}");
    assert_eq!(
        inputs(&plan, "train@seed=2"),
        ["ct=phantom@p01:ct+phantom@p02:ct", "label=voxelize@p01:label+voxelize@p02:label"]
    );
}

#[test]
fn params_are_substituted_typed_and_filled_in() {
    let plan = plan(QUICK).unwrap();
    assert_eq!(node(&plan, "train@seed=1").params["depth"], 20);
    assert_eq!(node(&plan, "compare@p03,method=floor").params["near_mm"], serde_json::json!([5.0, 10.0, 20.0]));
    assert_eq!(
        node(&plan, "surface@p03,method=threshold").params["by"],
        "threshold",
        "an axis of references is its name"
    );
    assert_eq!(node(&plan, "threshold@p03").params["rule"], "even-odd", "defaults are filled in");
    assert_eq!(node(&plan, "table1").publish.as_deref(), Some("table1"));
    assert_eq!(node(&plan, "align@p03").place.to_string(), "p.yaml:8:3");
}

#[test]
fn the_replicate_enters_the_seed_of_its_own_stage_only() {
    let plan = plan(QUICK).unwrap();
    let seed = |id: &str| node(&plan, id).seed;
    assert_eq!(seed("train@seed=2"), Seed::derive(2019, "train", "", 2));
    assert_eq!(seed("infer@p03,seed=2"), Seed::derive(2019, "infer", "p03", 0));
    assert_eq!(seed("phantom@p01"), Seed::derive(2019, "phantom", "p01", 0));
}

#[test]
fn overrides_replace_variables_and_parameters_and_are_kept() {
    let plan = plan_with(QUICK, &[("vars.depth", "30"), ("align.accept.median_mm", "2.5"), ("infer2.x", "1")]);
    assert!(plan.is_err());
    let plan =
        plan_with(QUICK, &[("vars.depth", "30"), ("align.accept.median_mm", "2.5"), ("voxelize.rule", "nonzero")])
            .unwrap();
    assert_eq!(node(&plan, "train@seed=1").params["depth"], 30);
    assert_eq!(node(&plan, "align@p01").params["accept"]["median_mm"], 2.5);
    assert_eq!(node(&plan, "voxelize@p01").params["rule"], "nonzero");
    let kept: Vec<String> = plan.overrides.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(kept, ["align.accept.median_mm=2.5", "vars.depth=30", "voxelize.rule=\"nonzero\""]);
}

/// Small pipelines: what they hold, and every node with its inputs.
#[test]
fn small_pipelines_expand_as_drawn() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "fields of the manifest are inputs; an optional one may lack",
            "stages:\n  align: { uses: align, foreach: test, with: { ct: case.ct, mesh: case.gold, defect: case.defect } }\n",
            &[
                "align@p03 ct=case.ct@p03 defect=case.defect@p03 mesh=case.gold@p03",
                "align@p04 ct=case.ct@p04 mesh=case.gold@p04",
            ],
        ),
        (
            "a field can be collected, and some may lack when the stage says so",
            "stages:\n  v: { uses: voxelize, foreach: site=A, with: { mesh: case.gold, like: case.ct } }\n  \
             t: { uses: train, allow_missing: 1, with: { ct: { collect: case.ct }, label: { collect: v.label, over: cases } } }\n",
            &[
                "v@p01 like=case.ct@p01 mesh=case.gold@p01",
                "v@p02 like=case.ct@p02 mesh=case.gold@p02",
                "v@p03 like=case.ct@p03 mesh=case.gold@p03",
                "t ct=case.ct@p01+case.ct@p02+case.ct@p03+case.ct@p04 label=v@p01:label+v@p02:label+v@p03:label",
            ],
        ),
        (
            "an axis of values makes items; a collecting stage with the same axis takes its own side",
            "stages:\n  v: { uses: voxelize, foreach: train, matrix: { rule: [even-odd, nonzero] }, \
             with: { mesh: case.gold, like: case.ct }, params: { rule: $rule } }\n  \
             t: { uses: train, matrix: { rule: [nonzero, even-odd] }, with: { ct: { collect: case.ct, over: train }, \
             label: { collect: v.label } } }\n",
            &[
                "v@p01,rule=nonzero like=case.ct@p01 mesh=case.gold@p01",
                "v@p02,rule=nonzero like=case.ct@p02 mesh=case.gold@p02",
                "t@rule=nonzero ct=case.ct@p01+case.ct@p02 label=v@p01,rule=nonzero:label+v@p02,rule=nonzero:label",
                "v@p01,rule=even-odd like=case.ct@p01 mesh=case.gold@p01",
                "v@p02,rule=even-odd like=case.ct@p02 mesh=case.gold@p02",
                "t@rule=even-odd ct=case.ct@p01+case.ct@p02 label=v@p01,rule=even-odd:label+v@p02,rule=even-odd:label",
            ],
        ),
        (
            "two axes make a product, numbers are written shortest, and a collected axis can stand for a reference",
            "stages:\n  a: { uses: threshold, foreach: site=B, matrix: { lr: [0.50, 1.0e-3] }, with: { ct: case.ct } }\n  \
             b: { uses: threshold, foreach: site=B, with: { ct: case.ct } }\n  \
             c: { uses: train, matrix: { m: { a: a.label, b: b.label } }, with: { ct: { collect: case.ct, over: test }, \
             label: { collect: $m } } }\n",
            &[
                "a@p04,lr=0.5 ct=case.ct@p04",
                "a@p04,lr=0.001 ct=case.ct@p04",
                "c@m=a ct=case.ct@p03+case.ct@p04 label=a@p04,lr=0.001:label+a@p04,lr=0.5:label",
                "b@p04 ct=case.ct@p04",
                "c@m=b ct=case.ct@p03+case.ct@p04 label=b@p04:label",
            ],
        ),
        (
            "stages may stand in any order in the file",
            "stages:\n  s: { uses: surface, foreach: site=B, with: { volume: t.label } }\n  \
             t: { uses: threshold, foreach: site=B, with: { ct: case.ct } }\n",
            &["t@p04 ct=case.ct@p04", "s@p04 volume=t@p04:label"],
        ),
    ];
    for (what, body, expected) in cases {
        let plan = plan(body).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        let found: Vec<String> =
            plan.nodes.iter().map(|node| format!("{} {}", node.id, inputs(&plan, &node.id).join(" "))).collect();
        assert_eq!(found, *expected, "{what}");
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let text = format!("\u{feff}{}{QUICK}", super::fakes::HEAD).replace('\n', "\r\n");
    let spec = Spec::parse(File::new("p.yaml", text), &[], None).unwrap();
    let windows = super::expand(&spec, &items(), OPS).unwrap();
    let unix = plan(QUICK).unwrap();
    assert_eq!(ids(&windows), ids(&unix));
    assert_eq!(windows.nodes[0].place, unix.nodes[0].place);
    assert_eq!(node(&windows, "train@seed=1").params, node(&unix, "train@seed=1").params);
}

#[test]
fn the_spec_remembers_where_parameters_stand() {
    let text = format!("{}{QUICK}", super::fakes::HEAD);
    let overrides = [("train.lr".to_owned(), "0.1".to_owned())];
    let spec = Spec::parse(File::new("p.yaml", text), &overrides, None).unwrap();
    let place = |stage: &str, param: &str| spec.param_place(stage, param).map(|place| place.to_string());
    assert_eq!(place("align", "accept.median_mm").as_deref(), Some("p.yaml:12:25"));
    assert_eq!(place("train", "depth").as_deref(), Some("p.yaml:20:15"));
    let edit = spec.edit_place("train", "depth").map(|place| place.to_string());
    assert_eq!(edit.as_deref(), Some("p.yaml:5:16"), "the variable that stands for it");
    assert_eq!(place("train", "width").as_deref(), Some("p.yaml:14:3"), "unwritten: the stage");
    assert_eq!(place("train", "lr"), None, "from the command line");
    assert_eq!(spec.manifest, std::path::Path::new("m.yaml"));
}

#[test]
fn five_thousand_items_expand_in_well_under_a_second() {
    let mut items = Vec::new();
    for index in 0..1000 {
        let mut item = super::fakes::items().remove(usize::from(index > 500) * 2);
        item.id = format!("p{index:04}");
        items.push(item);
    }
    let spec = Spec::parse(File::new("p.yaml", format!("{}{QUICK}", super::fakes::HEAD)), &[], None).unwrap();
    let start = std::time::Instant::now();
    let plan = super::expand(&spec, &items, OPS).unwrap();
    assert_eq!(plan.nodes.len(), 3 * 1000 + 3 + 499 * (3 + 1 + 5 + 5) + 1);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    println!("{} nodes in {:?}", plan.nodes.len(), start.elapsed());
}
