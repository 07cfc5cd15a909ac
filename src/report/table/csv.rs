//! The long table as CSV: one line a row of `compare`, labels first, then all metrics in full precision.
//!
//! The only file that knows polars. Without the feature `report` it says so instead.

use super::model::Table;
use crate::fault::{Fault, Result};

/// Columns that stand first, in this order; axes and unknown metrics follow by name, near-defect ones last.
#[cfg(any(feature = "report", test))]
const FIRST: [&str; 25] = [
    "case",
    "method",
    "seed",
    "status",
    "dsc",
    "precision",
    "recall",
    "volume_similarity",
    "mad_pred_to_gold_mm",
    "defect_mad_pred_to_gold_mm",
    "mad_gold_to_pred_mm",
    "assd_mm",
    "masd_mm",
    "signed_pred_to_gold_mm",
    "median_pred_to_gold_mm",
    "p95_pred_to_gold_mm",
    "max_pred_to_gold_mm",
    "hd95_mm",
    "nsd_0.5mm",
    "nsd_1mm",
    "nsd_2mm",
    "align_median_mm",
    "align_p95_mm",
    "align_inlier_share",
    "near_mm",
];

/// Returns all keys of the rows in the order of the columns.
#[cfg(feature = "report")]
fn keys(table: &Table) -> Vec<&str> {
    let all: std::collections::BTreeSet<&str> =
        table.rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
    let mut keys: Vec<&str> = all.into_iter().collect();
    keys.sort_by_key(|key| place(key));
    keys
}

/// Returns where a column stands: what is known as a whole, then the near-defect ones, then sensitivities and the rest; within
/// each kind the order of [`FIRST`], and `defect_5mm_` before `defect_20mm_`.
#[cfg(any(feature = "report", test))]
fn place(key: &str) -> (usize, usize, &str, usize) {
    let base = FIRST.iter().position(|first| *first == key);
    if let Some(at) = base {
        return (0, 0, "", at);
    }
    let known = (1..key.len()).filter(|&cut| key.is_char_boundary(cut)).find_map(|cut| {
        let at = FIRST.iter().position(|first| *first == &key[cut..])?;
        key[..cut].ends_with('_').then_some((&key[..cut], at))
    });
    match known {
        Some(("defect_", at)) => (1, 0, "", at),
        Some((prefix, at)) => (2, prefix.len(), prefix, at),
        None => (if key.starts_with("defect_") { 3 } else { 0 }, 0, key, FIRST.len()),
    }
}

/// Returns the long table as CSV.
///
/// # Errors
/// Unfit when the data frame refuses a column, which no row of `compare` makes it do.
#[cfg(feature = "report")]
pub(super) fn write(table: &Table) -> Result<String> {
    frame::write(&keys(table), table)
        .map_err(|error| Fault::unfit(format!("the table cannot be written as CSV: {error}")))
}

/// Says that this program has no data frames.
///
/// # Errors
/// Always.
#[cfg(not(feature = "report"))]
pub(super) fn write(_: &Table) -> Result<String> {
    Err(Fault::usage("this program was built without result tables").hint("build it with `--features report`"))
}

#[cfg(feature = "report")]
mod frame {
    use polars::prelude::{Column, CsvWriter, DataFrame, NamedFrom as _, PolarsResult, SerWriter as _, Series};
    use serde_json::Value;

    use super::Table;

    pub(super) fn write(keys: &[&str], table: &Table) -> PolarsResult<String> {
        let columns = keys.iter().map(|key| column(key, table)).collect();
        let mut frame = DataFrame::new(table.rows.len(), columns)?;
        let mut bytes = Vec::new();
        CsvWriter::new(&mut bytes).n_threads(1).finish(&mut frame)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whole numbers, numbers, truths, or text: the narrowest that holds every value of the column.
    fn column(key: &str, table: &Table) -> Column {
        let values: Vec<Option<&Value>> =
            table.rows.iter().map(|row| row.get(key).filter(|value| !value.is_null())).collect();
        let all = |is: fn(&Value) -> bool| values.iter().flatten().all(|value| is(value));
        if values.iter().all(Option::is_none) {
            Series::new(key.into(), vec![None::<f64>; values.len()]).into()
        } else if all(Value::is_i64) {
            typed(key, &values, Value::as_i64)
        } else if all(Value::is_number) {
            typed(key, &values, Value::as_f64)
        } else if all(Value::is_boolean) {
            typed(key, &values, Value::as_bool)
        } else {
            typed(key, &values, |value| Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        }
    }

    fn typed<T>(key: &str, values: &[Option<&Value>], get: fn(&Value) -> Option<T>) -> Column
    where
        Series: polars::prelude::NamedFrom<Vec<Option<T>>, [Option<T>]>,
    {
        Series::new(key.into(), values.iter().map(|value| value.and_then(get)).collect::<Vec<_>>()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_a_reader_s_order() {
        let mut keys = [
            "defect_20mm_dsc",
            "with_caps_assd_mm",
            "defect_5mm_status",
            "defect_assd_mm",
            "zeta",
            "defect_near_mm",
            "dsc",
            "defect_mad_pred_to_gold_mm",
            "case",
            "defect_5mm_assd_mm",
        ];
        keys.sort_by_key(|key| place(key));
        let expected = [
            "case",
            "dsc",
            "defect_mad_pred_to_gold_mm",
            "zeta",
            "defect_assd_mm",
            "defect_near_mm",
            "with_caps_assd_mm",
            "defect_5mm_status",
            "defect_5mm_assd_mm",
            "defect_20mm_dsc",
        ];
        assert_eq!(keys, expected);
    }
}
