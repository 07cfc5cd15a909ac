//! `table`: from the rows of all comparisons to the paper's table.

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
    const VERSION: u32 = 1;
    const DOC: &'static str =
        "Lay out the results as the paper does: patients, mean +- SD, tests, beside the published numbers.";
    const INPUTS: &'static [Input] =
        &[Input { name: "rows", kinds: &["row"], arity: Arity::Labelled, doc: "rows of `compare`" }];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "table", kind: "table", file: "table/", optional: false, doc: "table.csv, .md, .tex, .json" }];
    type Params = TableParams;

    fn run(params: &TableParams, job: &Job<'_>) -> Result<()> {
        let rows = job.many("rows").iter().map(labelled).collect::<Result<Vec<_>>>()?;
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

/// A row with its labels; a member that an incomplete collection lacks has no file, and is counted as missing.
fn labelled(artifact: &Artifact) -> Result<LabelledRow> {
    let row: Map<String, Value> = match &artifact.path {
        Some(path) => load::json(path)?,
        None => Map::from_iter([("status".to_owned(), Value::from("missing"))]),
    };
    Ok(LabelledRow::from_axes(artifact.case.as_deref().unwrap_or(&artifact.item), &artifact.axes, row))
}
