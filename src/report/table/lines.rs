//! From a table to lines of text cells, with fixed rounding: what Markdown, LaTeX and the terminal all print.

use super::model::{Block, COLUMNS, Cell, Column, ColumnSummary, PLACES, Patient, Table};
use crate::report::{paper::Published, statistics::PairedTest};

/// Text of a value that does not exist.
const NONE: &str = "-";

/// A table as text, section by section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub sections: Vec<Section>,
    pub notes: Vec<String>,
}

/// One grid of cells under a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub title: String,
    pub header: Vec<String>,
    /// What is measured or published.
    pub rows: Vec<Vec<String>>,
    /// What summarises those rows.
    pub summary: Vec<Vec<String>>,
}

/// Returns the lines of a table.
pub(super) fn document(table: &Table) -> Document {
    let columns: Vec<Column> = COLUMNS.into_iter().filter(|column| has_values(table, column)).collect();
    let mut sections = vec![overview(table, &columns)];
    sections.extend(of_places(table));
    sections.extend(table.blocks.iter().map(|block| of_block(block, &columns, table.baseline.as_deref())));
    sections.extend(table.paper.as_ref().map(of_paper));
    Document { sections, notes: table.notes.clone() }
}

/// The first three columns always stand; the alignment residual only where a row has one.
fn has_values(table: &Table, column: &Column) -> bool {
    column.tested || table.blocks.iter().any(|block| block.columns.get(column.key).is_some_and(|c| c.summary.n > 0))
}

fn header(first: &str, columns: &[Column]) -> Vec<String> {
    std::iter::once(first).chain(columns.iter().map(|column| column.title)).map(str::to_owned).collect()
}

/// Returns a number with fixed digits (exact decimal expansion, ties to even), and no negative zero.
fn fixed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let is_zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| NONE.to_owned())
}

fn mean_sd(column: &ColumnSummary, digits: usize) -> Option<String> {
    let mean = fixed(column.summary.mean?, digits);
    Some(column.summary.sd.map_or_else(|| mean.clone(), |sd| format!("{mean} +- {}", fixed(sd, digits))))
}

/// Returns mean and SD, and over how many patients where some have no value.
fn mean_sd_n(column: &ColumnSummary, digits: usize) -> String {
    let text = or_none(mean_sd(column, digits));
    let n = column.summary.n;
    if n < column.of { format!("{text} ({n} of {})", column.of) } else { text }
}

fn overview(table: &Table, columns: &[Column]) -> Section {
    let line = |block: &Block| {
        let cell = |column: &Column| mean_sd_n(&block.columns[column.key], column.digits);
        std::iter::once(block.name.clone()).chain(columns.iter().map(cell)).collect()
    };
    let published = |paper: &Published| {
        let mut cells = vec!["published (n = 5)".to_owned()];
        cells.extend(paper.mean_sd.iter().cloned());
        cells.resize(columns.len() + 1, NONE.to_owned());
        cells
    };
    Section {
        title: format!("Mean +- SD over {} patients", table.cases.len()),
        header: header(&table.by, columns),
        rows: table.blocks.iter().map(line).collect(),
        summary: table.paper.iter().map(published).collect(),
    }
}

/// Where the deviations are, if any row says so.
fn of_places(table: &Table) -> Option<Section> {
    let places: Vec<Column> = PLACES.into_iter().filter(|column| has_values(table, column)).collect();
    let line = |block: &Block| {
        let cell = |column: &Column| {
            let column = block.columns.get(column.key).map(|found| mean_sd_n(found, column.digits));
            or_none(column)
        };
        std::iter::once(block.name.clone()).chain(places.iter().map(cell)).collect()
    };
    (!places.is_empty()).then(|| Section {
        title: "MAD by place (mm), mean +- SD over patients".to_owned(),
        header: header(&table.by, &places),
        rows: table.blocks.iter().map(line).collect(),
        summary: Vec::new(),
    })
}

fn of_block(block: &Block, columns: &[Column], baseline: Option<&str>) -> Section {
    let title = match block.seeds.len() {
        0 | 1 => block.name.clone(),
        n => format!("{} (mean of {n} seeds per patient)", block.name),
    };
    Section {
        title,
        header: header("patient", columns),
        rows: block.patients.iter().map(|patient| of_patient(patient, columns)).collect(),
        summary: summary_lines(block, columns, baseline),
    }
}

fn of_patient(patient: &Patient, columns: &[Column]) -> Vec<String> {
    let cell = |column: &Column| {
        let Cell { value, .. } = patient.values[column.key];
        or_none(value.map(|value| fixed(value, column.digits)))
    };
    std::iter::once(patient.case.clone()).chain(columns.iter().map(cell)).collect()
}

fn summary_lines(block: &Block, columns: &[Column], baseline: Option<&str>) -> Vec<Vec<String>> {
    let line = |name: &str, cell: &dyn Fn(&ColumnSummary, usize) -> Option<String>| -> Vec<String> {
        let cells = columns.iter().map(|column| or_none(cell(&block.columns[column.key], column.digits)));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    let range = |c: &ColumnSummary, digits| {
        let s = &c.summary;
        let (median, min, max) = (fixed(s.median?, digits), fixed(s.min?, digits), fixed(s.max?, digits));
        Some(format!("{median} [{min}, {max}]"))
    };
    let interval = |c: &ColumnSummary, digits| {
        c.summary.ci95.map(|[low, high]| format!("[{}, {}]", fixed(low, digits), fixed(high, digits)))
    };
    let mut lines =
        vec![line("mean +- SD", &mean_sd), line("median [range]", &range), line("95 % CI of the mean", &interval)];
    if block.seeds.len() > 1 {
        let name = format!("SD of the mean over {} seeds", block.seeds.len());
        lines.push(line(&name, &|c, digits| c.seed_sd.map(|sd| fixed(sd, digits + 1))));
    }
    if let Some(baseline) = baseline.filter(|name| *name != block.name) {
        lines.push(line(&format!("p against {baseline}"), &|c, _| c.test.as_ref().map(p_text)));
    }
    lines.push(line("n", &|c, _| Some(format!("{} of {}", c.summary.n, c.of))));
    lines
}

fn p_text(test: &PairedTest) -> String {
    if test.p < 5e-5 { "< 0.0001".to_owned() } else { fixed(test.p, 4) }
}

fn of_paper(paper: &Published) -> Section {
    let mut mean_sd = vec!["mean +- SD, as printed".to_owned()];
    mean_sd.extend(paper.mean_sd.iter().cloned());
    Section {
        title: "Published (Minnema et al. 2019)".to_owned(),
        header: ["patient", "DSC", "MAD full skull (mm)", "MAD defect area (mm)"].map(str::to_owned).to_vec(),
        rows: paper.rows.iter().map(|row| row.to_vec()).collect(),
        summary: vec![mean_sd],
    }
}

/// Returns what a reader must know about the numbers: every gap by name, then how the numbers were made.
pub(super) fn notes(
    statuses: &[(String, String)],
    blocks: &[Block],
    baseline: Option<&str>,
    with_paper: bool,
) -> Vec<String> {
    let mut notes: Vec<String> = statuses.iter().map(|(row, status)| format!("{row}: {status}.")).collect();
    notes.extend(blocks.iter().flat_map(gaps));
    notes.push(
        "SD with n - 1; 95 % percentile bootstrap of the mean over patients, 10,000 resamples, fixed stream."
            .to_owned(),
    );
    if blocks.iter().any(|block| block.seeds.len() > 1) {
        notes.push("Patients are averaged over seeds first, then summarised; n counts patients.".to_owned());
    }
    notes.extend(baseline.and_then(|baseline| test_note(blocks, baseline)));
    if with_paper {
        notes.push(
            "Published rows and their summary are quoted as printed, not recomputed: other patients, other data."
                .to_owned(),
        );
    }
    notes
}

/// Patients without a value, and patients whose mean lacks a seed.
fn gaps(block: &Block) -> Vec<String> {
    let mut gaps = Vec::new();
    for column in COLUMNS.iter().filter(|column| column.tested) {
        let seeds = block.seeds.len().max(1);
        let without = |lacks: &dyn Fn(&Cell) -> bool| -> Vec<&str> {
            let patients = block.patients.iter().filter(|patient| lacks(&patient.values[column.key]));
            patients.map(|patient| patient.case.as_str()).collect()
        };
        let (none, some) = (without(&|cell| cell.seeds == 0), without(&|cell| cell.seeds > 0 && cell.seeds < seeds));
        if !none.is_empty() {
            gaps.push(format!("{}: no {} for {}.", block.name, column.title, none.join(", ")));
        }
        if !some.is_empty() {
            gaps.push(format!("{}: {} of {} lacks some of its seeds.", block.name, column.title, some.join(", ")));
        }
    }
    gaps
}

fn test_note(blocks: &[Block], baseline: &str) -> Option<String> {
    let tests = blocks.iter().flat_map(|block| block.columns.values()).filter_map(|column| column.test.as_ref());
    let test = tests.max_by_key(|test| test.n)?;
    let how = if test.exact { "exact" } else { "drawn (100,000 sign flips)" };
    let bound = fixed(test.smallest_p, 4);
    Some(format!(
        "p: {how} two-sided paired permutation test of the mean difference against {baseline}; with n = {} it cannot be below {bound}.",
        test.n
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_fixed_and_zero_has_no_sign() {
        assert_eq!(fixed(0.9615, 3), "0.962", "0.9615 lies just above its decimal: 0.96150000000000002");
        assert_eq!(fixed(0.125, 2), "0.12", "a true tie goes to even");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(-0.01, 2), "-0.01");
    }
}
