//! The published results, as printed: Minnema et al., AMMM abstract 2019, table 1.
//!
//! Kept as text, and the summary line with it: the printed means are the paper's own and are never recomputed (its full
//! skull column averages 0.336, the paper prints 0.33).

use serde::{Deserialize, Serialize};

/// Where the numbers stand.
pub const SOURCE: &str =
    "Minnema et al., CT image segmentation for additive manufactured skull implants using deep learning, AMMM 2019";

/// Patient, DSC, MAD full skull (mm), MAD defect area (mm).
const ROWS: [[&str; 4]; 5] = [
    ["1", "0.93", "0.48", "0.37"],
    ["2", "0.98", "0.30", "0.08"],
    ["3", "0.96", "0.47", "0.33"],
    ["4", "0.99", "0.09", "0.09"],
    ["5", "0.96", "0.34", "0.10"],
];

/// Mean and standard deviation of the three columns, as printed.
const SUMMARY: [&str; 3] = ["0.96 +- 0.02", "0.33 +- 0.16", "0.19 +- 0.14"];

/// The published table, to stand beside ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Where it was published.
    pub source: String,
    /// Patient, DSC, MAD full skull (mm), MAD defect area (mm), as printed.
    pub rows: Vec<[String; 4]>,
    /// Mean +- SD of the three columns, as printed.
    pub mean_sd: [String; 3],
}

/// Returns the table of the paper.
#[must_use]
pub fn published() -> Published {
    Published {
        source: SOURCE.to_owned(),
        rows: ROWS.map(|row| row.map(str::to_owned)).to_vec(),
        mean_sd: SUMMARY.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_summary_is_not_the_recomputed_one() {
        let table = published();
        let mean: f64 = table.rows.iter().map(|row| row[2].parse::<f64>().unwrap()).sum::<f64>() / 5.0;
        assert_eq!(format!("{mean:.3}"), "0.336");
        assert_eq!(table.mean_sd[1], "0.33 +- 0.16");
    }
}
