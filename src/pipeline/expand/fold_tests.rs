//! Cross-validation and axes that go together, expanded as drawn by hand.

use super::fakes::{OPS, items, plan};
use crate::pipeline::{
    diagnose::Source as File,
    plan::{Fold, Plan, Source},
    spec::Spec,
};

/// A network for each fold, and each case measured by the network that has not seen it.
const CROSS: &str = "\
folds: { k: 2 }
stages:
  v: { uses: voxelize, foreach: cases, with: { mesh: case.gold, like: case.ct } }
  train:
    uses: train
    with: { ct: { collect: case.ct, over: fold.train }, label: { collect: v.label, over: fold.train } }
  infer: { uses: infer, foreach: fold.test, with: { model: train.model, ct: case.ct } }
  compare: { uses: compare, foreach: cases, with: { pred_label: infer.label, gold_label: v.label } }
  table: { uses: table, with: { rows: { collect: compare.row } } }
";

fn ids<'a>(plan: &'a Plan, stage: &str) -> Vec<&'a str> {
    plan.nodes.iter().filter(|node| node.stage == stage).map(|node| node.id.as_str()).collect()
}

/// The inputs of a node, sources by id, fields by case.
fn inputs(plan: &Plan, id: &str, port: &str) -> Vec<String> {
    let node = plan.nodes.iter().find(|node| node.id == id).unwrap_or_else(|| panic!("no {id}"));
    let shown = |source: &Source| match source {
        Source::Output { node, .. } => plan.nodes[*node].id.clone(),
        Source::Field { case, .. } => case.clone(),
    };
    node.inputs[port].iter().map(shown).collect()
}

fn fold(name: &str, train: &[&str], test: &[&str]) -> Fold {
    let ids = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect();
    Fold { name: name.to_owned(), train: ids(train), test: ids(test) }
}

#[test]
fn each_case_is_measured_by_the_network_that_has_not_seen_it() {
    let plan = plan(CROSS).unwrap();
    assert_eq!(plan.folds, [fold("1", &["p02", "p04"], &["p01", "p03"]), fold("2", &["p01", "p03"], &["p02", "p04"])]);
    assert_eq!(ids(&plan, "train"), ["train@fold=1", "train@fold=2"]);
    assert_eq!(inputs(&plan, "train@fold=1", "ct"), ["p02", "p04"]);
    assert_eq!(inputs(&plan, "train@fold=2", "label"), ["v@p01", "v@p03"]);
    let infer = ["infer@p01,fold=1", "infer@p02,fold=2", "infer@p03,fold=1", "infer@p04,fold=2"];
    let mut found = ids(&plan, "infer");
    found.sort_unstable();
    assert_eq!(found, infer);
    assert_eq!(inputs(&plan, "infer@p02,fold=2", "model"), ["train@fold=2"]);
    assert_eq!(inputs(&plan, "compare@p03,fold=1", "pred_label"), ["infer@p03,fold=1"]);
    assert_eq!(inputs(&plan, "table", "rows").len(), 4, "one row a case");
    assert_eq!(plan.nodes.len(), 4 + 2 + 4 + 4 + 1);
}

#[test]
fn the_first_row_of_the_table_needs_one_fold_only() {
    let plan = plan(CROSS).unwrap();
    let first = plan.nodes.iter().position(|node| node.stage == "compare").unwrap();
    let before: Vec<&str> = plan.nodes[..first].iter().map(|node| node.id.as_str()).collect();
    assert_eq!(plan.nodes[first].id, "compare@p01,fold=1");
    assert!(before.contains(&"train@fold=1") && !before.contains(&"train@fold=2"), "{before:?}");
}

#[test]
fn one_more_case_at_the_end_moves_no_other() {
    let spec = Spec::parse(File::new("p.yaml", format!("{}{CROSS}", super::fakes::HEAD)), &[], None).unwrap();
    let mut more = items();
    let mut fifth = more[3].clone();
    fifth.id = "p05".to_owned();
    more.push(fifth);
    let folds = super::expand(&spec, &more, OPS).unwrap().folds;
    assert_eq!(folds[0].test, ["p01", "p03", "p05"]);
    assert_eq!(folds[1].test, ["p02", "p04"]);
}

#[test]
fn cases_are_left_out_in_every_choice() {
    let one = plan(
        &CROSS
            .replace("{ k: 2 }", "{ leave_out: 1, of: site=A }")
            .replace("foreach: cases, with: { pred", "foreach: site=A, with: { pred"),
    );
    let one = one.unwrap();
    let names: Vec<&str> = one.folds.iter().map(|fold| fold.name.as_str()).collect();
    assert_eq!(names, ["p01", "p02", "p03"]);
    assert_eq!(inputs(&one, "train@fold=p02", "ct"), ["p01", "p03"]);
    assert!(ids(&one, "infer").iter().all(|id| id.starts_with("infer@") && !id.contains("p04")));
    let two = plan(&CROSS.replace("{ k: 2 }", "{ leave_out: 2 }")).unwrap();
    let names: Vec<&str> = two.folds.iter().map(|fold| fold.name.as_str()).collect();
    assert_eq!(names, ["p01+p02", "p01+p03", "p01+p04", "p02+p03", "p02+p04", "p03+p04"]);
    assert_eq!(ids(&two, "infer").len(), 12, "each case in three folds");
}

#[test]
fn folds_of_a_field_and_cases_that_stay_together() {
    let by_field = plan(&CROSS.replace("{ k: 2 }", "{ field: site }")).unwrap();
    assert_eq!(
        by_field.folds,
        [fold("A", &["p04"], &["p01", "p02", "p03"]), fold("B", &["p01", "p02", "p03"], &["p04"])]
    );
    let together = plan(&CROSS.replace("{ k: 2 }", "{ k: 2, together: site }")).unwrap();
    assert_eq!(together.folds[0].test, ["p01", "p02", "p03"]);
    let shuffled = |seed: u64| plan(&CROSS.replace("{ k: 2 }", &format!("{{ k: 2, shuffle: {seed} }}"))).unwrap().folds;
    assert_eq!(shuffled(1), shuffled(1));
    assert!((2..20).any(|seed| shuffled(seed) != shuffled(1)));
}

#[test]
fn folds_that_cannot_be_are_refused() {
    for (from, to, says, advises) in [
        ("{ k: 2 }", "{ k: 1 }", "a whole number from 2", ""),
        ("{ k: 2 }", "{ k: 5 }", "5 folds need at least as many cases, there are 4", ""),
        ("{ k: 2 }", "{ k: 2, leave_out: 1 }", "`folds` needs one rule", "{ k: 5 }"),
        ("{ k: 2 }", "{}", "`folds` needs one rule", ""),
        ("{ k: 2 }", "{ leave_out: 4 }", "leaves nothing to learn from", ""),
        ("{ k: 2 }", "{ field: stie }", "has no `stie`", "site"),
        ("{ k: 2 }", "{ k: 2, together: stie }", "has no `stie`", "site"),
        ("{ k: 2 }", "{ k: 2, of: fold.test }", "names the cases that are to be parted", ""),
        ("{ k: 2 }", "{ k: 2, off: test }", "unknown key `off`", "of"),
        ("folds: { k: 2 }\n", "", "speaks of folds, and the pipeline has none", "folds: { k: 5 }"),
        ("    uses: train\n", "    uses: train\n    matrix: { fold: [1, 2] }\n", "axis of the cross-validation", ""),
    ] {
        assert!(CROSS.contains(from), "{from}");
        let fault = plan(&CROSS.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        assert!(fault.what.contains(says), "{to}: {fault}");
        assert!(fault.hint.clone().unwrap_or_default().contains(advises), "{to}: {fault}");
    }
}

#[test]
fn one_person_is_on_one_side() {
    let spec =
        |body: &str| Spec::parse(File::new("p.yaml", format!("{}{body}", super::fakes::HEAD)), &[], None).unwrap();
    let mut people = items();
    for (case, person) in [(0, "s1"), (2, "s1")] {
        people[case].attributes.insert("subject".to_owned(), person.to_owned());
    }
    let fault = super::expand(&spec(CROSS), &people, OPS).map(|_| ()).unwrap_err();
    assert!(fault.what.contains("`p01` (train) and `p03` (test) are of one subject, `s1`"), "{fault}");
    for item in &mut people {
        item.attributes.insert("split".to_owned(), "train".to_owned());
    }
    assert!(super::expand(&spec(CROSS), &people, OPS).is_ok(), "p01 and p03 are in one fold");
    people[1].attributes.insert("subject".to_owned(), "s1".to_owned());
    let fault = super::expand(&spec(CROSS), &people, OPS).map(|_| ()).unwrap_err();
    assert!(fault.what.contains("`p01` and `p02` are of one subject"), "{fault}");
    assert_eq!(fault.hint.as_deref(), Some("write `together: subject`"));
}

#[test]
fn axes_under_zip_go_together() {
    let body = "stages:\n  t:\n    uses: threshold\n    foreach: test\n    matrix: { by: [a, b] }\n    \
                zip: { depth: [1, 2, 3], lr: [0.1, 0.2, 0.3] }\n    with: { ct: case.ct }\n    params: { by: $by, depth: $depth, lr: $lr }\n";
    let found = plan(body).unwrap();
    assert_eq!(found.nodes.len(), 2 * 2 * 3);
    for node in &found.nodes {
        let (depth, lr) = (node.params["depth"].as_f64().unwrap(), node.params["lr"].as_f64().unwrap());
        assert!((lr - depth / 10.0).abs() < 1e-12, "{}", node.id);
    }
    assert_eq!(found.nodes[0].id, "t@p03,by=a,depth=1,lr=0.1");
    let fault = plan(&body.replace("0.1, 0.2, 0.3", "0.1, 0.2")).map(|_| ()).unwrap_err();
    assert!(fault.what.contains("`depth` has 3 values and `lr` has 2"), "{fault}");
}
