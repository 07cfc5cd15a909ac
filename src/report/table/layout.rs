//! From rows to a table: blocks, patients (mean over seeds), summaries, tests, notes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Beside, LabelledRow, TableParams, model::*};
use crate::{
    fault::{Fault, Result, near_miss},
    report::{
        paper,
        statistics::{Summary, mean, paired_permutation, sd},
    },
};

/// Rows of one block by (case, seed).
type Rows<'a> = BTreeMap<(&'a str, SeedKey), &'a LabelledRow>;

/// Seeds in the order of their numbers: 2 before 10.
type SeedKey = (u64, String);

/// Name of the method that only measures voxels: it stands last.
const FLOOR: &str = "floor";

/// Returns the table of the rows.
pub(super) fn lay_out(rows: &[LabelledRow], params: &TableParams) -> Result<Table> {
    if rows.is_empty() {
        return Err(Fault::usage("a table needs rows, there are none").hint("collect the `row` of a `compare` stage"));
    }
    let groups = group(rows, params)?;
    let cases: BTreeSet<&str> = rows.iter().map(|row| row.case.as_str()).collect();
    let mut blocks: Vec<Block> = groups.iter().map(|(name, rows)| block(name, rows, &cases)).collect();
    test_against_baseline(&mut blocks, params.baseline.as_deref());
    let paper = (params.beside == Some(Beside::Paper)).then(paper::published);
    let notes = super::lines::notes(&groups_statuses(&groups), &blocks, params.baseline.as_deref(), paper.is_some());
    Ok(Table {
        calvaria_table: 1,
        layout: params.layout,
        by: params.by.clone(),
        baseline: params.baseline.clone(),
        cases: cases.into_iter().map(str::to_owned).collect(),
        blocks,
        paper,
        notes,
        rows: groups.iter().flat_map(|(_, rows)| rows.values().map(|row| flat(row))).collect(),
    })
}

/// Puts the rows into blocks, ordered as [`TableParams::order`] says.
fn group<'a>(rows: &'a [LabelledRow], params: &TableParams) -> Result<Vec<(String, Rows<'a>)>> {
    let mut groups: Vec<(String, Rows<'_>)> = Vec::new();
    for row in rows {
        let name = block_name(row, &params.by)?;
        let at = groups.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            groups.push((name.clone(), Rows::new()));
            groups.len() - 1
        });
        let seed = row.seed.as_deref().map(seed_key).unwrap_or_default();
        if groups[at].1.insert((&row.case, seed), row).is_some() {
            return Err(Fault::usage(format!("two rows of the table are `{}` of `{name}`", row.case))
                .hint("the rows of a table must differ in case, method, seed or another axis"));
        }
    }
    let names: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
    for asked in params.order.iter().chain(&params.baseline) {
        known_block(asked, &names, &params.by)?;
    }
    groups.sort_by_key(|(name, _)| rank(name, params));
    Ok(groups)
}

fn rank(name: &str, params: &TableParams) -> usize {
    let first = params.order.len();
    if let Some(place) = params.order.iter().position(|asked| asked == name) {
        return place;
    }
    match name {
        FLOOR => first + 2,
        _ if params.baseline.as_deref() == Some(name) => first + 1,
        _ => first,
    }
}

fn known_block(asked: &str, names: &[&str], by: &str) -> Result<()> {
    if names.contains(&asked) {
        return Ok(());
    }
    let hint = near_miss(asked, names.iter().copied())
        .map_or_else(|| format!("there are: {}", names.join(", ")), |name| format!("did you mean `{name}`?"));
    Err(Fault::usage(format!("no row of the table has `{asked}` as its {by}")).hint(hint))
}

/// Returns the value of the axis `by`, with any other axes beside it.
fn block_name(row: &LabelledRow, by: &str) -> Result<String> {
    let mut others: Vec<String> = Vec::new();
    let first = if by == "method" { Some(row.method.as_str()) } else { row.axes.get(by).map(String::as_str) };
    let Some(first) = first else {
        return Err(Fault::usage(format!("a row of the table has no axis `{by}`"))
            .hint("`by` names an axis that the collected stage has, as `method`"));
    };
    if by != "method" && !row.method.is_empty() {
        others.push(row.method.clone());
    }
    others.extend(row.axes.iter().filter(|(axis, _)| *axis != by).map(|(axis, value)| format!("{axis} {value}")));
    let first = if first.is_empty() { "result" } else { first };
    Ok(std::iter::once(first.to_owned()).chain(others).collect::<Vec<_>>().join(", "))
}

fn seed_key(seed: &str) -> SeedKey {
    (seed.parse().unwrap_or(u64::MAX), seed.to_owned())
}

fn number(row: &LabelledRow, key: &str) -> Option<f64> {
    row.row.get(key).and_then(Value::as_f64).filter(|value| value.is_finite())
}

fn block(name: &str, rows: &Rows<'_>, cases: &BTreeSet<&str>) -> Block {
    let seeds: BTreeSet<SeedKey> = rows.values().filter_map(|row| row.seed.as_deref().map(seed_key)).collect();
    let seeds: Vec<String> = seeds.into_iter().map(|(_, seed)| seed).collect();
    let measured = |column: &&Column| rows.values().any(|row| row.row.contains_key(column.key));
    let keys: Vec<&str> = COLUMNS.iter().chain(PLACES.iter().filter(measured)).map(|column| column.key).collect();
    let patients: Vec<Patient> = cases.iter().map(|case| patient(case, rows, &keys)).collect();
    let columns = keys.iter().map(|&key| (key.to_owned(), summarise(key, &patients, rows, &seeds)));
    Block { name: name.to_owned(), columns: columns.collect(), seeds, patients }
}

fn patient(case: &str, rows: &Rows<'_>, keys: &[&str]) -> Patient {
    let cell = |key: &str| {
        let of_case = rows.iter().filter(|((of, _), _)| *of == case);
        let values: Vec<f64> = of_case.filter_map(|(_, row)| number(row, key)).collect();
        Cell { value: mean(&values), seed_sd: sd(&values), seeds: values.len() }
    };
    let values = keys.iter().map(|&key| (key.to_owned(), cell(key))).collect();
    Patient { case: case.to_owned(), values }
}

fn summarise(key: &str, patients: &[Patient], rows: &Rows<'_>, seeds: &[String]) -> ColumnSummary {
    let values: Vec<f64> = patients.iter().filter_map(|patient| patient.values[key].value).collect();
    let mean_of_seed = |seed: &String| {
        let of_seed = rows.values().filter(|row| row.seed.as_ref() == Some(seed));
        mean(&of_seed.filter_map(|row| number(row, key)).collect::<Vec<_>>())
    };
    let by_seed: Vec<Option<f64>> = seeds.iter().map(mean_of_seed).collect();
    ColumnSummary {
        of: patients.len(),
        summary: Summary::of(&values),
        seed_sd: sd(&by_seed.iter().flatten().copied().collect::<Vec<_>>()),
        mean_by_seed: seeds.iter().cloned().zip(by_seed).collect(),
        test: None,
    }
}

/// Tests each block against the baseline on the patients that have a value in both.
fn test_against_baseline(blocks: &mut [Block], baseline: Option<&str>) {
    let Some(base) = blocks.iter().find(|block| Some(block.name.as_str()) == baseline).cloned() else {
        return;
    };
    for block in blocks.iter_mut().filter(|block| block.name != base.name) {
        for column in COLUMNS.iter().filter(|column| column.tested) {
            let pairs = block.patients.iter().zip(&base.patients);
            let difference = |(ours, theirs): (&Patient, &Patient)| {
                Some(ours.values[column.key].value? - theirs.values[column.key].value?)
            };
            let differences: Vec<f64> = pairs.filter_map(difference).collect();
            if let Some(summary) = block.columns.get_mut(column.key) {
                summary.test = paired_permutation(&differences);
            }
        }
    }
}

/// Returns "block, case, seed" and the status of every row that is not `ok`.
fn groups_statuses(groups: &[(String, Rows<'_>)]) -> Vec<(String, String)> {
    let label = |name: &str, row: &LabelledRow| match &row.seed {
        Some(seed) => format!("{name}, {}, seed {seed}", row.case),
        None => format!("{name}, {}", row.case),
    };
    let rows = groups.iter().flat_map(|(name, rows)| rows.values().map(move |row| (name, row)));
    let status = |row: &LabelledRow| row.row.get("status").and_then(Value::as_str).unwrap_or("ok").to_owned();
    rows.map(|(name, row)| (label(name, row), status(row))).filter(|(_, status)| status != "ok").collect()
}

/// Returns a row with its labels, nested maps joined by points (`a.b`), lists as JSON text. Labels win over equal keys.
fn flat(row: &LabelledRow) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (key, value) in &row.row {
        flatten(key, value, &mut flat);
    }
    for (axis, value) in &row.axes {
        flat.insert(axis.clone(), Value::from(value.as_str()));
    }
    flat.insert("case".to_owned(), Value::from(row.case.as_str()));
    flat.insert("method".to_owned(), Value::from(row.method.as_str()));
    flat.insert("seed".to_owned(), row.seed.as_deref().map_or(Value::Null, Value::from));
    flat
}

fn flatten(key: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(inner, value)| flatten(&format!("{key}.{inner}"), value, flat)),
        Value::Array(list) => drop(flat.insert(key.to_owned(), Value::from(Value::from(list.clone()).to_string()))),
        other => drop(flat.insert(key.to_owned(), other.clone())),
    }
}
