//! Tables small enough to check by hand.

use serde_json::json;

use super::*;

fn row(case: &str, method: &str, seed: Option<&str>, dsc: f64, full: f64, near: Option<f64>) -> LabelledRow {
    let Value::Object(map) = json!({
        "status": "ok", "dsc": dsc, "mad_pred_to_gold_mm": full, "defect_mad_pred_to_gold_mm": near, "hd95_mm": 2.5,
    }) else {
        unreachable!()
    };
    LabelledRow { case: case.into(), method: method.into(), seed: seed.map(Into::into), row: map, ..Default::default() }
}

/// Two methods, two seeds of the first, five patients of which the last has no defect.
fn study() -> Vec<LabelledRow> {
    let mut rows = Vec::new();
    for (i, case) in ["p16", "p17", "p18", "p19", "p20"].into_iter().enumerate() {
        let i = i as f64;
        let near = (case != "p20").then_some(0.25 + 0.125 * i);
        rows.push(row(case, "floor", None, 1.0, 0.125, near.map(|_| 0.125)));
        rows.push(row(case, "msdnet", Some("1"), 0.90 + 0.01 * i, 0.5, near));
        rows.push(row(case, "msdnet", Some("10"), 0.92 + 0.01 * i, 0.25, near));
        rows.push(row(case, "threshold", None, 0.80, 1.0 + i, near));
    }
    rows
}

fn params() -> TableParams {
    TableParams { baseline: Some("threshold".into()), beside: Some(Beside::Paper), ..TableParams::default() }
}

#[test]
fn blocks_patients_and_summaries_by_hand() {
    let table = summarise(&study(), &params()).unwrap();
    let names: Vec<&str> = table.blocks.iter().map(|block| block.name.as_str()).collect();
    assert_eq!(names, ["msdnet", "threshold", "floor"], "methods, then the baseline, then the floor");
    let msdnet = &table.blocks[0];
    assert_eq!(msdnet.seeds, ["1", "10"]);
    let dsc = &msdnet.columns["dsc"];
    assert!((dsc.summary.mean.unwrap() - 0.93).abs() < 1e-12);
    assert!((dsc.summary.sd.unwrap() - 0.00025_f64.sqrt()).abs() < 1e-12, "0.91 .. 0.95 in steps of 0.01");
    assert!((dsc.seed_sd.unwrap() - 0.0002_f64.sqrt()).abs() < 1e-12, "means 0.92 and 0.94");
    assert_eq!(dsc.test.as_ref().unwrap().p, 0.0625);
    let near = &msdnet.columns["defect_mad_pred_to_gold_mm"];
    assert_eq!((near.summary.n, near.of), (4, 5));
    assert_eq!(near.test.as_ref().unwrap().n, 4);
    assert_eq!(msdnet.patients[0].values["mad_pred_to_gold_mm"].value, Some(0.375));
}

#[cfg(feature = "report")]
#[test]
fn markdown_shows_gaps_tests_and_the_paper() {
    let md = render(&study(), &params()).unwrap().md;
    for line in [
        "| msdnet | 0.930 +- 0.016 | 0.38 +- 0.00 | 0.44 +- 0.16 (4 of 5) |",
        "| *published (n = 5)* | 0.96 +- 0.02 | 0.33 +- 0.16 | 0.19 +- 0.14 |",
        "| p20 | 0.950 | 0.38 | - |",
        "| *n* | 5 of 5 | 5 of 5 | 4 of 5 |",
        "| *SD of the mean over 2 seeds* | 0.0141 | 0.177 | 0.000 |",
        "| 3 | 0.96 | 0.47 | 0.33 |",
        "- msdnet: no MAD near the defect (mm) for p20.",
    ] {
        assert!(md.contains(line), "{line}\nis missing in\n{md}");
    }
    assert!(md.contains("with n = 5 it cannot be below 0.0625"), "{md}");
}

#[cfg(feature = "report")]
#[test]
fn a_row_with_a_status_is_counted_and_named() {
    let mut rows = study();
    rows[1].row = Map::new();
    rows[1].row.insert("status".into(), "prediction is empty".into());
    rows[1].row.insert("dsc".into(), json!(0.0));
    let md = render(&rows, &params()).unwrap().md;
    assert!(md.contains("- msdnet, p16, seed 1: prediction is empty."), "{md}");
    assert!(md.contains("msdnet: MAD full skull (mm) of p16 lacks some of its seeds."), "{md}");
    assert!(md.contains("| p16 | 0.460 | 0.25 | 0.25 |"), "{md}");
}

#[cfg(feature = "report")]
#[test]
fn a_case_that_one_method_lacks_stays_in_the_count() {
    let rows: Vec<LabelledRow> =
        study().into_iter().filter(|row| !(row.method == "threshold" && row.case == "p18")).collect();
    let md = render(&rows, &params()).unwrap().md;
    assert!(md.contains("| threshold | 0.800 +- 0.000 (4 of 5) |"), "{md}");
    assert!(md.contains("- threshold: no DSC for p18."), "{md}");
}

#[cfg(feature = "report")]
#[test]
fn csv_is_long_and_exact() {
    let csv = render(&study(), &params()).unwrap().csv;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "case,method,seed,status,dsc,mad_pred_to_gold_mm,defect_mad_pred_to_gold_mm,hd95_mm");
    assert_eq!(lines[1], "p16,msdnet,1,ok,0.9,0.5,0.25,2.5");
    assert_eq!(lines[20], "p20,floor,,ok,1.0,0.125,,2.5");
    assert_eq!(lines.len(), 21);
    assert!(!csv.contains('\r') && csv.ends_with('\n'));
}

#[cfg(feature = "report")]
#[test]
fn order_of_rows_does_not_matter_within_a_method_and_bytes_repeat() {
    let first = render(&study(), &params()).unwrap();
    let mut turned = study();
    turned.reverse();
    let order = TableParams { order: vec!["msdnet".into()], ..params() };
    assert_eq!(first, render(&turned, &order).unwrap());
}

#[cfg(feature = "report")]
#[test]
fn json_reads_back_and_prints_the_same() {
    let rendered = render(&study(), &params()).unwrap();
    assert_eq!(text_from_json(&rendered.json).unwrap(), rendered.text);
    let value: Value = serde_json::from_str(&rendered.json).unwrap();
    assert_eq!(value["blocks"][0]["columns"]["dsc"]["summary"]["n"], 5);
    assert_eq!(value["paper"]["mean_sd"][0], "0.96 +- 0.02");
    assert_eq!(value["rows"][0]["seed"], "1");
    assert!(text_from_json("{}").is_err());
}

#[test]
fn wrong_requests_are_refused_with_a_hint() {
    assert!(render(&[], &params()).is_err());
    let typo = TableParams { baseline: Some("treshold".into()), ..TableParams::default() };
    let fault = render(&study(), &typo).unwrap_err();
    assert_eq!(fault.hint.as_deref(), Some("did you mean `threshold`?"));
    let mut twice = study();
    twice.push(twice[0].clone());
    assert!(render(&twice, &params()).unwrap_err().what.contains("two rows"));
    let by = TableParams { by: "depth".into(), ..TableParams::default() };
    assert!(render(&study(), &by).unwrap_err().what.contains("no axis `depth`"));
    assert!(serde_json::from_value::<TableParams>(json!({ "layot": "minnema-2019" })).is_err());
    let read: TableParams = serde_json::from_value(
        json!({ "layout": "minnema-2019", "by": "method", "baseline": "threshold", "beside": "paper" }),
    )
    .unwrap();
    assert_eq!(read, params());
}

#[test]
fn other_axes_make_their_own_blocks() {
    let mut rows = study();
    for row in &mut rows {
        row.axes.insert("depth".into(), "30".into());
    }
    let table = summarise(&rows, &TableParams::default()).unwrap();
    assert_eq!(table.blocks[0].name, "floor, depth 30");
    let by_depth = summarise(&rows, &TableParams { by: "depth".into(), ..TableParams::default() }).unwrap();
    assert_eq!(by_depth.blocks[0].name, "30, floor");
}

#[cfg(feature = "report")]
#[test]
fn places_have_a_section_where_rows_measured_them() {
    let mut rows = study();
    assert!(!render(&rows, &params()).unwrap().md.contains("MAD by place"));
    for (i, row) in rows.iter_mut().filter(|row| row.method == "threshold").enumerate() {
        let metal = (i != 2).then_some(1.0 + i as f64);
        row.row.insert("metal_mad_pred_to_gold_mm".to_owned(), json!(metal));
        row.row.insert("metal_mad_gold_to_pred_mm".to_owned(), json!(metal.map(|_| 0.5)));
        row.row.insert("elsewhere_mad_pred_to_gold_mm".to_owned(), json!(0.25));
    }
    let md = render(&rows, &params()).unwrap().md;
    let header = "| method | near metal, pred to gold | gold to pred | elsewhere, pred to gold |";
    assert!(md.contains("**MAD by place (mm), mean +- SD over patients**") && md.contains(header), "{md}");
    assert!(md.contains("| threshold | 3.00 +- 1.83 (4 of 5) | 0.50 +- 0.00 (4 of 5) | 0.25 +- 0.00 |"), "{md}");
    assert!(md.contains("| floor | - | - | - |"), "{md}");
}
