//! The table in Markdown: pipes inside cells are escaped, numbers are right-aligned.

use super::lines::{Document, Section};

/// Returns the document as Markdown.
pub(super) fn write(document: &Document) -> String {
    let mut out = String::new();
    for section in &document.sections {
        write_section(section, &mut out);
    }
    for note in &document.notes {
        out.push_str(&format!("- {}\n", escape(note)));
    }
    out
}

fn write_section(section: &Section, out: &mut String) {
    out.push_str(&format!("**{}**\n\n", escape(&section.title)));
    out.push_str(&row(&section.header, ""));
    out.push_str(&format!("|:--{}|\n", "|--:".repeat(section.header.len().saturating_sub(1))));
    section.rows.iter().for_each(|cells| out.push_str(&row(cells, "")));
    section.summary.iter().for_each(|cells| out.push_str(&row(cells, "*")));
    out.push('\n');
}

/// Summary lines have their name in italics, so that it is never taken for a patient.
fn row(cells: &[String], mark: &str) -> String {
    let cell = |(i, cell): (usize, &String)| {
        let mark = if i == 0 { mark } else { "" };
        format!("| {mark}{}{mark} ", escape(cell))
    };
    cells.iter().enumerate().map(cell).collect::<String>() + "|\n"
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '|' | '*' | '_' | '`' | '<' | '\\') {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
        out
    })
}
