//! The whole table as JSON: fixed key order, two spaces, numbers in shortest full precision.

use super::model::Table;
use crate::fault::{Fault, Result};

/// Returns the table as JSON text.
///
/// # Errors
/// None in practice: every number of a table is finite or null.
pub(super) fn write(table: &Table) -> Result<String> {
    let text = serde_json::to_string_pretty(table);
    text.map(|text| text + "\n").map_err(|error| Fault::unfit(format!("the table cannot be written as JSON: {error}")))
}

/// Returns the table that [`write`] wrote.
///
/// # Errors
/// Unfit when the text is no such table.
pub(super) fn read(text: &str) -> Result<Table> {
    let table: Table =
        serde_json::from_str(text).map_err(|error| Fault::unfit(format!("this is no result table: {error}")))?;
    // The renderers look columns up by key: a table with a column less is not one of ours.
    let has_all = |keys: &dyn Fn(&str) -> bool| super::model::COLUMNS.iter().all(|column| keys(column.key));
    let whole = table.blocks.iter().all(|block| {
        has_all(&|key| block.columns.contains_key(key))
            && block.patients.iter().all(|patient| has_all(&|key| patient.values.contains_key(key)))
    });
    if table.calvaria_table == 1 && whole {
        Ok(table)
    } else {
        Err(Fault::unfit("this result table has another version"))
    }
}
