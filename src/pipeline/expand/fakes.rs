//! Ops that do nothing, and four cases to run them over: what the tests of this folder, the graph and the schema share.

use serde::{Deserialize, Serialize};

use crate::{
    fault::Result,
    pipeline::{
        diagnose::Source as File,
        plan::{Field, Item, Place, Plan},
        spec::Spec,
        stage::{
            Arity::{self, Labelled, Many, One, Optional},
            Input, Job, NoParams, Op, Output, Params, Stage, Typed,
        },
    },
};

#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    #[default]
    EvenOdd,
    Nonzero,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Accept {
    median_mm: f64,
}

/// One set of parameters for all fakes, so that the tests below can speak of any type.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct FakeParams {
    depth: u32,
    lr: f64,
    rule: Rule,
    near_mm: Vec<f64>,
    by: String,
    accept: Accept,
}
impl Params for FakeParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.accept.median_mm < 0.0 {
            return Err(("accept.median_mm", "is below 0".to_owned()));
        }
        if self.depth > 1000 { Err(("depth", "is above 1000".to_owned())) } else { Ok(()) }
    }
}

const fn input(name: &'static str, kinds: &'static [&'static str], arity: Arity) -> Input {
    Input { name, kinds, arity, doc: "what it is" }
}
const fn output(name: &'static str, kind: &'static str) -> Output {
    Output { name, kind, file: "x", optional: false, doc: "" }
}

macro_rules! fake {
    ($type:ident, $name:literal, $params:ty, [$($input:expr),*], [$($output:expr),*]) => {
        struct $type;
        impl Stage for $type {
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const DOC: &'static str = "does nothing";
            const INPUTS: &'static [Input] = &[$($input),*];
            const OUTPUTS: &'static [Output] = &[$($output),*];
            type Params = $params;
            fn run(_: &Self::Params, _: &Job<'_>) -> Result<()> {
                Ok(())
            }
        }
    };
}

fake!(Phantom, "phantom", FakeParams, [], [output("ct", "ct"), output("gold", "mesh"), output("defect", "solid")]);
fake!(
    Align,
    "align",
    FakeParams,
    [input("ct", &["ct"], One), input("mesh", &["mesh"], One), input("defect", &["solid"], Optional)],
    [output("mesh", "mesh"), output("defect", "solid")]
);
fake!(
    Voxelize,
    "voxelize",
    FakeParams,
    [input("mesh", &["mesh"], One), input("like", &["ct", "label"], One)],
    [output("label", "label")]
);
fake!(
    Train,
    "train",
    FakeParams,
    [input("ct", &["ct"], Many), input("label", &["label"], Many)],
    [output("model", "model")]
);
fake!(
    Infer,
    "infer",
    NoParams,
    [input("model", &["model"], One), input("ct", &["ct"], One)],
    [output("label", "label")]
);
fake!(Threshold, "threshold", FakeParams, [input("ct", &["ct"], One)], [output("label", "label")]);
fake!(Surface, "surface", FakeParams, [input("volume", &["label"], One)], [output("mesh", "mesh")]);
fake!(
    Compare,
    "compare",
    FakeParams,
    [
        input("pred_label", &["label"], Optional),
        input("pred_mesh", &["mesh"], Optional),
        input("gold_label", &["label"], Optional),
        input("gold_mesh", &["mesh"], Optional),
        input("defect", &["solid"], Optional)
    ],
    [output("row", "row")]
);
fake!(Table, "table", FakeParams, [input("rows", &["row"], Labelled)], [output("table", "table")]);

pub(in crate::pipeline) static OPS: &[&dyn Op] = &[
    &Typed::<Phantom>::new(),
    &Typed::<Align>::new(),
    &Typed::<Voxelize>::new(),
    &Typed::<Train>::new(),
    &Typed::<Infer>::new(),
    &Typed::<Threshold>::new(),
    &Typed::<Surface>::new(),
    &Typed::<Compare>::new(),
    &Typed::<Table>::new(),
];

/// p01, p02 (train), p03, p04 (test); p04 has no defect, and all are of site A but p04.
pub(in crate::pipeline) fn items() -> Vec<Item> {
    let case = |id: &str, split: &str, line: usize| {
        let place = Place { file: "m.yaml".into(), line, column: 3 };
        let field = |kind: &str| Field { kind: kind.to_owned(), place: place.clone(), ..Field::default() };
        let site = if id == "p04" { "B" } else { "A" };
        let mut fields: std::collections::BTreeMap<_, _> = [("ct", "ct"), ("gold", "mesh"), ("defect", "solid")]
            .map(|(name, kind)| (name.to_owned(), field(kind)))
            .into();
        if id == "p04" {
            fields.remove("defect");
        }
        Item {
            id: id.to_owned(),
            attributes: [("split".to_owned(), split.to_owned()), ("site".to_owned(), site.to_owned())].into(),
            fields,
            place,
        }
    };
    vec![case("p01", "train", 4), case("p02", "train", 5), case("p03", "test", 6), case("p04", "test", 7)]
}

/// Lines 1 to 4 of every pipeline here.
pub(in crate::pipeline) const HEAD: &str = "calvaria: 1\nname: quick\nseed: 2019\nmanifest: m.yaml\n";

/// The study in small, from line 5 on.
pub(in crate::pipeline) const QUICK: &str = "\
vars: { depth: 20, near_mm: 10 }
stages:
  phantom: { uses: phantom, foreach: cases }
  align:
    uses: align
    foreach: cases
    with: { ct: phantom.ct, mesh: phantom.gold, defect: phantom.defect }
    params: { accept: { median_mm: 1.0 } }
  voxelize: { uses: voxelize, foreach: cases, with: { mesh: align.mesh, like: phantom.ct }, params: { rule: even-odd } }
  train:
    uses: train
    matrix: { seed: [1, 2, 3] }
    with:
      ct: { collect: phantom.ct, over: train }
      label: { collect: voxelize.label, over: train }
    params: { depth: $depth, lr: 1.0e-3 }
  infer: { uses: infer, foreach: test, with: { model: train.model, ct: phantom.ct } }
  threshold: { uses: threshold, foreach: test, with: { ct: phantom.ct } }
  surface:
    uses: surface
    foreach: test
    matrix:
      method: { msdnet: infer.label, threshold: threshold.label, floor: voxelize.label }
    with: { volume: $method }
    params: { by: $method }
  compare:
    uses: compare
    foreach: test
    with:
      pred_label: $method
      pred_mesh: surface.mesh
      gold_label: voxelize.label
      gold_mesh: align.mesh
      defect: align.defect
    params: { near_mm: [5, $near_mm, 20] }
  table1:
    uses: table
    with: { rows: { collect: compare.row } }
    params: { by: method }
    publish: table1
";

/// Expands lines 5 and on of a pipeline with overrides.
pub(in crate::pipeline) fn plan_with(body: &str, overrides: &[(&str, &str)]) -> Result<Plan> {
    let overrides: Vec<(String, String)> = overrides.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    let spec = Spec::parse(File::new("p.yaml", format!("{HEAD}{body}")), &overrides, None)?;
    super::expand(&spec, &items(), OPS)
}

/// Expands lines 5 and on of a pipeline.
pub(in crate::pipeline) fn plan(body: &str) -> Result<Plan> {
    plan_with(body, &[])
}
