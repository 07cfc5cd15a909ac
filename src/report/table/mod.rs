//! Result tables: the rows of `compare`, summarised in the paper's layout and written in four formats.
//!
//! ```text
//! LabelledRow* ── layout ──▶ Table (data) ── lines ──▶ Document (text cells) ──▶ md, tex, terminal
//!                              ├── json                      (the whole table, every number in full)
//!                              └── csv                       (one line a row of `compare`, all metrics)
//! ```
//! The same rows give the same bytes: fixed order, fixed rounding, LF.

mod csv;
mod json;
mod latex;
mod layout;
mod lines;
mod markdown;
mod model;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::model::{Block, COLUMNS, Cell, Column, ColumnSummary, PLACES, Patient, Table};
use crate::{fault::Result, pipeline::stage::Params};

/// One row of `compare`, with the labels of the item that it came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelledRow {
    /// Case id: `p16`.
    pub case: String,
    /// Value of the axis `method`, or empty when the pipeline has no such axis.
    pub method: String,
    /// Value of the axis `seed`, if there is one.
    pub seed: Option<String>,
    /// Any other axes.
    pub axes: BTreeMap<String, String>,
    /// What `compare` wrote: `status`, `dsc`, `mad_pred_to_gold_mm`, … For an item that an incomplete collection allows to be
    /// missing, a map with nothing but a `status` that says so: it is then counted and shown.
    pub row: Map<String, Value>,
}

impl LabelledRow {
    /// Returns the row with its labels taken from the item's axes.
    #[must_use]
    pub fn from_axes(case: &str, axes: &BTreeMap<String, String>, row: Map<String, Value>) -> Self {
        let mut axes = axes.clone();
        let method = axes.remove("method").unwrap_or_default();
        let seed = axes.remove("seed");
        Self { case: case.to_owned(), method, seed, axes, row }
    }
}

/// The arrangement of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Layout {
    /// Patient, DSC, MAD full skull, MAD near the defect; mean +- SD: one block a method.
    #[default]
    #[serde(rename = "minnema-2019")]
    Minnema2019,
}

/// What stands beside our numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Beside {
    /// The published rows and the printed summary, verbatim.
    Paper,
}

/// Parameters of a result table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableParams {
    /// Arrangement of the table.
    pub layout: Layout,
    /// Axis that makes the blocks.
    pub by: String,
    /// Block against which each other one is tested, patient by patient.
    pub baseline: Option<String>,
    /// Numbers to print beside ours.
    pub beside: Option<Beside>,
    /// Blocks to put first, in this order. The others follow as they come, then the baseline, then `floor`.
    pub order: Vec<String>,
}

impl Default for TableParams {
    fn default() -> Self {
        Self { layout: Layout::default(), by: "method".to_owned(), baseline: None, beside: None, order: Vec::new() }
    }
}

impl Params for TableParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        match self.by.as_str() {
            "" => Err(("by", "is the name of an axis, not empty text".to_owned())),
            "seed" => Err(("by", "cannot be `seed`: a table averages over seeds".to_owned())),
            _ => Ok(()),
        }
    }
}

/// A table in every format, each ending in a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line a row of `compare`, all metrics, shortest full precision.
    pub csv: String,
    /// The layout in Markdown; DSC with three digits, mm with two.
    pub md: String,
    /// The layout as a LaTeX `tabular`, no package needed.
    pub tex: String,
    /// The whole table: patients, summaries, tests, published numbers and all rows.
    pub json: String,
    /// The layout as aligned text for a terminal.
    pub text: String,
}

/// Returns the table of the rows in every format.
///
/// # Errors
/// Usage when there are no rows, two rows have the same labels, or `baseline` or `order` names no block; and when the
/// program was built without data frames.
pub fn render(rows: &[LabelledRow], params: &TableParams) -> Result<Rendered> {
    let table = layout::lay_out(rows, params)?;
    let document = lines::document(&table);
    Ok(Rendered {
        csv: csv::write(&table)?,
        md: markdown::write(&document),
        tex: latex::write(&document),
        json: json::write(&table)?,
        text: text::write(&document),
    })
}

/// Returns the terminal text of a table that was written as JSON before.
///
/// # Errors
/// Unfit when the text is not such a table.
pub fn text_from_json(json: &str) -> Result<String> {
    Ok(text::write(&lines::document(&json::read(json)?)))
}

/// Returns the table as data, for figures and other readers.
///
/// # Errors
/// As [`render`].
pub fn summarise(rows: &[LabelledRow], params: &TableParams) -> Result<Table> {
    layout::lay_out(rows, params)
}

#[cfg(test)]
mod tests;
