//! The strip chart: every patient's value under every method, the mean with its interval, and the published values beside.
//!
//! ```text
//!   DSC            MAD full skull     MAD near the defect
//!   │ :·  .        │        :         │
//!   │ -   -  -     │  -  :  -         │     one dot a patient, a thin line joins a patient's dots,
//!   └──────────    └──────────        └──   a bar is the mean, a whisker its 95 % interval
//! ```

use super::{
    canvas::{Picture, Rgb, Text},
    colour::{FAINT, GREY, INK, METHODS, WHITE},
};
use crate::report::table::{COLUMNS, Column, Table};

/// Columns for one strip: room for a name of nine letters.
const STRIP: usize = 116;
/// Rows of a plot.
const ROWS: usize = 300;
const LEFT: usize = 76;
const TOP: usize = 74;
const BOTTOM: usize = 56;
const INKED: Text = Text::new(2, INK);

/// One method's values in one column of the table.
struct Strip {
    name: String,
    colour: Rgb,
    /// One a patient, in the order of the table's cases.
    values: Vec<Option<f64>>,
    mean: Option<f64>,
    ci95: Option<[f64; 2]>,
    /// Whether patients are those of the strip before, so that their dots can be joined.
    paired: bool,
}

/// Returns the chart of a table: one plot for each measured column.
#[must_use]
pub fn chart(table: &Table, title: &str) -> Picture {
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| column.tested).collect();
    let width = STRIP * (table.blocks.len() + usize::from(table.paper.is_some())).max(2);
    let pitch = LEFT + width + 20;
    let mut out = Picture::new(columns.len() * pitch + 10, TOP + ROWS + BOTTOM, WHITE);
    out.text(10, 10, Text::new(3, INK), title);
    for (place, column) in columns.into_iter().enumerate() {
        let strips = strips(table, column, place);
        plot(&mut out, [LEFT + place * pitch, width], column, &strips);
    }
    out
}

fn strips(table: &Table, column: &Column, place: usize) -> Vec<Strip> {
    let mut strips = Vec::new();
    for (i, block) in table.blocks.iter().enumerate() {
        let Some(summary) = block.columns.get(column.key).map(|column| &column.summary) else { continue };
        let value =
            |patient: &crate::report::table::Patient| patient.values.get(column.key).and_then(|cell| cell.value);
        strips.push(Strip {
            name: block.name.clone(),
            colour: METHODS[i % METHODS.len()],
            values: block.patients.iter().map(value).collect(),
            mean: summary.mean,
            ci95: summary.ci95,
            paired: i > 0,
        });
    }
    if let Some(paper) = &table.paper {
        let printed = |row: &[String; 4]| row.get(place + 1).and_then(|text| text.parse().ok());
        let mean = paper.mean_sd.get(place).and_then(|text| text.split(' ').next()).and_then(|text| text.parse().ok());
        let values = paper.rows.iter().map(printed).collect();
        strips.push(Strip { name: "published".to_owned(), colour: GREY, values, mean, ci95: None, paired: false });
    }
    strips
}

/// Returns the round ends of an axis around the values, and the distance of its ticks: 1, 2 or 5 times a power of ten.
fn axis(values: impl Iterator<Item = f64>, column: &Column) -> ([f64; 2], f64) {
    let distance = column.key != "dsc";
    let (low, high) =
        values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = match (low <= high, distance) {
        (false, _) => (0.0, 1.0),
        (true, true) => (0.0, high.max(1e-3)),
        (true, false) => (low.min(0.99), 1.0),
    };
    let mut step = 1e-3;
    let mut next = [2.0, 2.5, 2.0].into_iter().cycle();
    while (high - low) / step > 6.0 && step < 1e9 {
        step *= next.next().unwrap_or(2.0);
    }
    ([(low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step], step)
}

fn plot(out: &mut Picture, [left, width]: [usize; 2], column: &Column, strips: &[Strip]) {
    let values =
        strips.iter().flat_map(|strip| strip.values.iter().flatten().copied().chain(strip.ci95.into_iter().flatten()));
    let ([low, high], step) = axis(values, column);
    let down = |value: f64| TOP as f64 + ROWS as f64 * (high - value) / (high - low);
    out.text(left as i64 - 60, TOP as i64 - 34, INKED, column.title);
    for tick in 0..=((high - low) / step + 0.5) as usize {
        let value = low + step * tick as f64;
        let y = down(value);
        out.line([left as f64, y], [(left + width) as f64, y], 1.0, FAINT);
        let digits = if step < 0.0099 {
            3
        } else if step < 0.099 {
            2
        } else if step < 0.99 {
            1
        } else {
            0
        };
        let text = format!("{value:.digits$}");
        out.text((left - 8) as i64 - INKED.width(&text) as i64, y as i64 - 7, INKED, &text);
    }
    let pitch = width as f64 / strips.len().max(1) as f64;
    let across = |strip: usize, patient: usize, of: usize| {
        let spread = (patient as f64 - 0.5 * (of as f64 - 1.0)) / of.max(1) as f64;
        left as f64 + pitch * (strip as f64 + 0.5 + 0.4 * spread)
    };
    for (i, strip) in strips.iter().enumerate().filter(|(_, strip)| strip.paired) {
        let n = strip.values.len();
        for (patient, pair) in strips[i - 1].values.iter().zip(&strip.values).enumerate() {
            if let (Some(from), Some(to)) = pair {
                out.line([across(i - 1, patient, n), down(*from)], [across(i, patient, n), down(*to)], 1.0, [200; 3]);
            }
        }
    }
    for (i, strip) in strips.iter().enumerate() {
        let middle = left as f64 + pitch * (i as f64 + 0.5);
        draw_strip(out, strip, middle, pitch, &down, &|patient| across(i, patient, strip.values.len()));
    }
}

fn draw_strip(
    out: &mut Picture,
    strip: &Strip,
    middle: f64,
    pitch: f64,
    down: &dyn Fn(f64) -> f64,
    across: &dyn Fn(usize) -> f64,
) {
    if let Some([low, high]) = strip.ci95 {
        out.line([middle, down(low)], [middle, down(high)], 2.0, strip.colour);
    }
    if let Some(mean) = strip.mean {
        let half = 0.32 * pitch;
        out.line([middle - half, down(mean)], [middle + half, down(mean)], 3.0, strip.colour);
    }
    for (patient, value) in strip.values.iter().enumerate().filter_map(|(i, value)| Some((i, (*value)?))) {
        let at = [across(patient), down(value)];
        out.dot(at, 5.0, WHITE);
        out.dot(at, 4.0, strip.colour);
    }
    let style = if INKED.width(&strip.name) as f64 <= pitch - 8.0 { INKED } else { Text::new(1, INK) };
    let fits = ((pitch - 4.0) / 6.0).max(1.0) as usize;
    let name: String = if style == INKED { strip.name.clone() } else { strip.name.chars().take(fits).collect() };
    let x = middle as i64 - style.width(&name) as i64 / 2;
    out.text(x, (TOP + ROWS + 10) as i64, style, &name);
    let count = format!("n = {}", strip.values.iter().flatten().count());
    let small = Text::new(1, GREY);
    out.text(middle as i64 - small.width(&count) as i64 / 2, (TOP + ROWS + 32) as i64, small, &count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ends() {
        let axis_of = |values: &[f64], column: usize| axis(values.iter().copied(), &COLUMNS[column]);
        let close = |([low, high], step): ([f64; 2], f64), expected: [f64; 3]| {
            [low, high, step].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9)
        };
        assert!(close(axis_of(&[0.93, 0.96], 0), [0.92, 1.0, 0.02]), "{:?}", axis_of(&[0.93, 0.96], 0));
        assert!(close(axis_of(&[0.09, 0.48], 1), [0.0, 0.5, 0.1]), "{:?}", axis_of(&[0.09, 0.48], 1));
        assert!(close(axis_of(&[], 1), [0.0, 1.0, 0.2]), "{:?}", axis_of(&[], 1));
        assert!(close(axis_of(&[31.0, f64::NAN], 2), [0.0, 40.0, 10.0]), "{:?}", axis_of(&[31.0], 2));
    }
}
