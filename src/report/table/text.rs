//! The table as aligned plain text for a terminal.

use super::lines::{Document, Section};

/// Returns the document as aligned text.
pub(super) fn write(document: &Document) -> String {
    let widths = widths(&document.sections);
    let mut out = String::new();
    for section in &document.sections {
        out.push_str(&format!("{}\n", section.title));
        out.push_str(&row(&section.header, &widths));
        out.push_str(&format!("  {}\n", "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1))));
        for cells in section.rows.iter().chain(&section.summary) {
            out.push_str(&row(cells, &widths));
        }
        out.push('\n');
    }
    for note in &document.notes {
        out.push_str(&format!("  {note}\n"));
    }
    out
}

/// One width a column over all sections, so that methods stand under each other.
fn widths(sections: &[Section]) -> Vec<usize> {
    let mut widths = Vec::new();
    for section in sections {
        for cells in std::iter::once(&section.header).chain(&section.rows).chain(&section.summary) {
            widths.resize(widths.len().max(cells.len()), 0);
            cells.iter().zip(&mut widths).for_each(|(cell, width)| *width = (*width).max(cell.chars().count()));
        }
    }
    widths
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::from(" ");
    for (i, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        let padding = " ".repeat(width - cell.chars().count());
        line += &if i == 0 { format!(" {cell}{padding}") } else { format!("  {padding}{cell}") };
    }
    format!("{}\n", line.trim_end())
}
