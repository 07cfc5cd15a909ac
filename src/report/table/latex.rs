//! The table as a LaTeX `tabular` that needs no package.

use super::lines::{Document, Section};

/// Returns the document as LaTeX; notes are comments at its end.
pub(super) fn write(document: &Document) -> String {
    let columns = document.sections.iter().map(|section| section.header.len()).max().unwrap_or(1);
    let mut out = format!("\\begin{{tabular}}{{l{}}}\n", "r".repeat(columns - 1));
    for section in &document.sections {
        write_section(section, columns, &mut out);
    }
    out.push_str("\\hline\n\\end{tabular}\n");
    for note in &document.notes {
        out.push_str(&format!("% {}\n", note.replace(|c: char| c.is_control(), " ")));
    }
    out
}

fn write_section(section: &Section, columns: usize, out: &mut String) {
    out.push_str(&format!("\\hline\n\\multicolumn{{{columns}}}{{l}}{{\\textbf{{{}}}}} \\\\\n", escape(&section.title)));
    out.push_str(&row(&section.header, columns));
    out.push_str("\\hline\n");
    section.rows.iter().for_each(|cells| out.push_str(&row(cells, columns)));
    if !section.summary.is_empty() {
        out.push_str("\\hline\n");
    }
    section.summary.iter().for_each(|cells| out.push_str(&row(cells, columns)));
}

fn row(cells: &[String], columns: usize) -> String {
    let mut cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
    cells.resize(columns, String::new());
    // A line that begins with `[` would be read as the optional argument of the `\\` before it.
    format!("{} \\\\\n", cells.join(" & ").replace("& [", "& {[}"))
}

/// Returns text with every special character of LaTeX escaped, and `+-` as the sign.
fn escape(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => format!("\\{c}"),
            '\\' => "\\textbackslash{}".to_owned(),
            '~' => "\\textasciitilde{}".to_owned(),
            '^' => "\\textasciicircum{}".to_owned(),
            '<' | '>' => format!("${c}$"),
            c if c.is_control() => " ".to_owned(),
            c => c.to_string(),
        })
        .collect();
    escaped.replace("+-", "$\\pm$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(
            escape("a_b & 50 % #1 {x} ~ ^ \\"),
            r"a\_b \& 50 \% \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
        );
        assert_eq!(escape("0.96 +- 0.02"), r"0.96 $\pm$ 0.02");
    }
}
