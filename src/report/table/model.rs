//! A table as data, before it is text: blocks of patients with their summaries, and all rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Layout;
use crate::report::{
    paper::Published,
    statistics::{PairedTest, Summary},
};

/// A column of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Key in the rows of `compare`.
    pub key: &'static str,
    /// Heading.
    pub title: &'static str,
    /// Digits after the point in Markdown, LaTeX and the terminal.
    pub digits: usize,
    /// Whether the column measures the method, and so is tested against the baseline.
    pub tested: bool,
}

/// The columns of the layout `minnema-2019`. The alignment residual stands beside the distances, because it enters them one
/// to one (STUDY 4).
pub const COLUMNS: [Column; 4] = [
    Column { key: "dsc", title: "DSC", digits: 3, tested: true },
    Column { key: "mad_pred_to_gold_mm", title: "MAD full skull (mm)", digits: 2, tested: true },
    Column { key: "defect_mad_pred_to_gold_mm", title: "MAD near the defect (mm)", digits: 2, tested: true },
    Column { key: "align_median_mm", title: "alignment residual (mm)", digits: 2, tested: false },
];

/// Further columns, of rows that measured near metal, near thin bone and elsewhere: both directions, for bone that is missed
/// shows from the gold model alone.
pub const PLACES: [Column; 6] = [
    place("metal_mad_pred_to_gold_mm", "near metal, pred to gold"),
    place("metal_mad_gold_to_pred_mm", "gold to pred"),
    place("thin_bone_mad_pred_to_gold_mm", "near thin bone, pred to gold"),
    place("thin_bone_mad_gold_to_pred_mm", "gold to pred"),
    place("elsewhere_mad_pred_to_gold_mm", "elsewhere, pred to gold"),
    place("elsewhere_mad_gold_to_pred_mm", "gold to pred"),
];

const fn place(key: &'static str, title: &'static str) -> Column {
    Column { key, title, digits: 2, tested: false }
}

/// A whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Version of this format: 1.
    pub calvaria_table: u32,
    /// Arrangement.
    pub layout: Layout,
    /// Axis that makes the blocks.
    pub by: String,
    /// Block that the others are tested against.
    pub baseline: Option<String>,
    /// All cases of all blocks, sorted.
    pub cases: Vec<String>,
    /// One block a method.
    pub blocks: Vec<Block>,
    /// The published numbers, when asked for.
    pub paper: Option<Published>,
    /// What a reader must know: gaps, what the tests can say, how the numbers were made.
    pub notes: Vec<String>,
    /// Every row of `compare`, flat, with its labels; sorted by block, case, seed.
    pub rows: Vec<BTreeMap<String, Value>>,
}

/// The patients of one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Value of the axis, and of other axes beside it: `msdnet`, `msdnet, depth 30`.
    pub name: String,
    /// Seeds (replicates) met, sorted; empty for a method without.
    pub seeds: Vec<String>,
    /// One a case of the table, sorted; also those without a row.
    pub patients: Vec<Patient>,
    /// Summary by column key.
    pub columns: BTreeMap<String, ColumnSummary>,
}

/// One patient under one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patient {
    /// Case id.
    pub case: String,
    /// Value by column key.
    pub values: BTreeMap<String, Cell>,
}

/// A value of a patient: the mean over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Mean over the seeds that have a value.
    pub value: Option<f64>,
    /// Standard deviation over seeds (n - 1); none below two.
    pub seed_sd: Option<f64>,
    /// How many seeds have a value.
    pub seeds: usize,
}

/// What a column amounts to under one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// Patients that there are; `summary.n` of them have a value.
    pub of: usize,
    /// Mean, spread and interval over patients.
    pub summary: Summary,
    /// Mean over patients by seed; empty without seeds.
    pub mean_by_seed: BTreeMap<String, Option<f64>>,
    /// Standard deviation of those means (n - 1).
    pub seed_sd: Option<f64>,
    /// Test against the baseline.
    pub test: Option<PairedTest>,
}
