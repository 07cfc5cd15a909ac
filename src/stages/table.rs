//! `table`: from the rows of all comparisons to the paper's table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{load, save};
pub use crate::report::table::TableParams;
use crate::{
    fault::Result,
    pipeline::stage::{Arity, Artifact, Input, Job, Output, Stage},
    report::table::{self, LabelledRow},
};

/// Makes the result table.
#[derive(Debug)]
pub struct Table;

impl Stage for Table {
    const NAME: &'static str = "table";
    const VERSION: u32 = 2;
    const DOC: &'static str =
        "Lay out the results as the paper does: patients, mean +- SD, tests, beside the published numbers.";
    const INPUTS: &'static [Input] =
        &[Input { name: "rows", kinds: &["row"], arity: Arity::Labelled, doc: "rows of `compare`" }];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "table", kind: "table", file: "table/", optional: false, doc: "table.csv, .md, .tex, .json" }];
    type Params = TableParams;

    fn run(params: &TableParams, job: &Job<'_>) -> Result<()> {
        let mut rows = job.many("rows").iter().map(labelled).collect::<Result<Vec<_>>>()?;
        if params.by != FOLD {
            without_folds(&mut rows);
        }
        let rendered = table::render(&rows, params)?;
        let folder = job.output("table")?;
        save::folder(folder)?;
        for (extension, text) in
            [("csv", &rendered.csv), ("md", &rendered.md), ("tex", &rendered.tex), ("json", &rendered.json)]
        {
            save::bytes(&folder.join("table").with_extension(extension), text.as_bytes())?;
        }
        Ok(())
    }
}

/// The axis of a cross-validation.
const FOLD: &str = "fold";

/// Takes the fold out of the labels: a case that is measured in one fold has one row, and one that is measured in several
/// has so many replicates, over which a table averages as over seeds.
fn without_folds(rows: &mut [LabelledRow]) {
    let mut folds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows.iter() {
        if let Some(fold) = row.axes.get(FOLD) {
            folds.entry(row.case.clone()).or_default().insert(fold.clone());
        }
    }
    let several = folds.values().any(|of_case| of_case.len() > 1);
    for row in rows {
        let Some(fold) = row.axes.remove(FOLD).filter(|_| several) else { continue };
        row.seed = Some(match row.seed.take() {
            Some(seed) => format!("{seed}/{fold}"),
            None => fold,
        });
    }
}

/// A row with its labels; a member that an incomplete collection lacks has no file, and is counted as missing.
fn labelled(artifact: &Artifact) -> Result<LabelledRow> {
    let row: Map<String, Value> = match &artifact.path {
        Some(path) => load::json(path)?,
        None => Map::from_iter([("status".to_owned(), Value::from("missing"))]),
    };
    Ok(LabelledRow::from_axes(artifact.case.as_deref().unwrap_or(&artifact.item), &artifact.axes, row))
}
