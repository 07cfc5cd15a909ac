//! One CT view with marks, letters and a scale bar; and several of them on a page with a title and a legend.

use rayon::prelude::*;

use super::{
    canvas::{Picture, Point, Rgb, Text},
    colour::{BLACK, INK, WHITE},
    view::{View, letter},
};
use crate::volume::Volume;

/// Bone window: centre and width, HU.
pub(super) const WINDOW_HU: [f64; 2] = [500.0, 2500.0];

/// Pixels along the longer side of a panel.
pub(super) const PANEL_PX: usize = 340;

/// Where the scan does not reach; air is black.
const NO_SCAN: Rgb = [36, 40, 50];

const GAP: usize = 10;
const CAPTION: Text = Text::new(2, INK);
const ON_IMAGE: Text = Text { scale: 2, colour: WHITE, halo: Some(BLACK) };
/// Rows above a panel for its caption.
const CAPTION_ROWS: usize = 24;

/// Lines over a CT view.
pub(super) struct Marks {
    pub segments: Vec<[Point; 2]>,
    pub width: f64,
    pub colour: Rgb,
}

/// A CT view with its marks.
pub(super) struct Panel {
    pub caption: String,
    pub view: View,
    pub marks: Vec<Marks>,
}

/// A page of panels.
pub(super) struct Page<'a> {
    pub title: &'a str,
    pub columns: usize,
    pub panels: &'a [Panel],
    /// Colour and meaning of the lines.
    pub legend: &'a [(Rgb, String)],
    /// Lines of small text under the legend.
    pub remarks: &'a [String],
}

/// Returns the page over a CT. Cells have one size, that of the largest panel; the legend stands below.
pub(super) fn page(ct: &Volume<f32>, page: &Page<'_>) -> Picture {
    let drawn: Vec<Picture> = page.panels.par_iter().map(|panel| draw(ct, panel)).collect();
    let cell_width = drawn.iter().map(|picture| picture.width).max().unwrap_or(1);
    let row_heights: Vec<usize> =
        drawn.chunks(page.columns).map(|row| row.iter().map(|picture| picture.height).max().unwrap_or(0)).collect();
    let title_rows = if page.title.is_empty() { 0 } else { 36 };
    let rows: usize = row_heights.iter().map(|height| height + CAPTION_ROWS + GAP).sum();
    let legend_rows = 28 * usize::from(!page.legend.is_empty()) + 22 * page.remarks.len();
    let width = GAP + page.columns * (cell_width + GAP);
    let mut out = Picture::new(width, GAP + title_rows + rows + legend_rows, WHITE);
    out.text(GAP as i64, GAP as i64, title_style(page.title, width), page.title);

    let mut y = GAP + title_rows;
    for (row, height) in row_heights.iter().enumerate() {
        let from = row * page.columns;
        for (column, picture) in drawn.iter().skip(from).take(page.columns).enumerate() {
            let x = GAP + column * (cell_width + GAP);
            let caption = fitting(&page.panels[from + column].caption, cell_width);
            out.text(x as i64, y as i64 + 4, caption.0, caption.1);
            out.fill(x, y + CAPTION_ROWS, cell_width, *height, BLACK);
            let (dx, dy) = ((cell_width - picture.width) / 2, (height - picture.height) / 2);
            out.paste(picture, x + dx, y + CAPTION_ROWS + dy);
        }
        y += height + CAPTION_ROWS + GAP;
    }
    legend(&mut out, page, y);
    out
}

/// Titles are larger, unless they would be cut.
fn title_style(title: &str, width: usize) -> Text {
    let large = Text::new(3, INK);
    if large.width(title) + 2 * GAP <= width { large } else { CAPTION }
}

/// Small text where the caption's usual size would run into the next panel.
fn fitting(caption: &str, width: usize) -> (Text, &str) {
    if CAPTION.width(caption) <= width { (CAPTION, caption) } else { (Text::new(1, INK), caption) }
}

fn legend(out: &mut Picture, page: &Page<'_>, mut y: usize) {
    let mut x = GAP;
    for (colour, name) in page.legend {
        out.fill(x, y + 5, 34, 5, *colour);
        out.text(x as i64 + 42, y as i64, CAPTION, name);
        x += 42 + CAPTION.width(name) + 40;
    }
    y += 28 * usize::from(!page.legend.is_empty());
    for remark in page.remarks {
        out.text(GAP as i64, y as i64, Text::new(2, super::colour::GREY), remark);
        y += 22;
    }
}

/// Returns the CT in its window with the marks, letters at the four sides and a scale bar.
fn draw(ct: &Volume<f32>, panel: &Panel) -> Picture {
    let view = &panel.view;
    let [centre, width] = WINDOW_HU;
    let grey = |hu: f64| (((hu - centre) / width + 0.5).clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    let colour = |hu: f64| if hu.is_nan() { NO_SCAN } else { [grey(hu); 3] };
    let rgb = view.sample(ct, f64::NAN).into_iter().flat_map(colour).collect();
    let mut out = Picture { width: view.width, height: view.height, rgb };
    for marks in &panel.marks {
        out.strokes(&marks.segments, marks.width, marks.colour);
    }
    letters(&mut out, view);
    scale_bar(&mut out, view);
    out
}

fn letters(out: &mut Picture, view: &View) {
    let [right, down] = view.plane.axes();
    let (width, height) = (out.width as i64, out.height as i64);
    let (glyph, rows, rim) = (ON_IMAGE.width("A") as i64, ON_IMAGE.height() as i64, 6);
    let (middle_x, middle_y) = ((width - glyph) / 2, (height - rows) / 2);
    out.text(rim, middle_y, ON_IMAGE, letter(-right));
    out.text(width - glyph - rim, middle_y, ON_IMAGE, letter(right));
    out.text(middle_x, rim, ON_IMAGE, letter(-down));
    out.text(middle_x, height - rows - rim, ON_IMAGE, letter(down));
}

/// Draws a bar of the largest round length that is at most a third of the panel.
fn scale_bar(out: &mut Picture, view: &View) {
    let width_mm = view.width as f64 * view.mm_per_px;
    let Some(length_mm) = [100, 50, 20, 10, 5, 2, 1].into_iter().find(|&mm| f64::from(mm) <= width_mm / 3.0) else {
        return;
    };
    let length_px = (f64::from(length_mm) / view.mm_per_px + 0.5) as usize;
    let Some(y) = out.height.checked_sub(16) else { return };
    out.fill(8, y - 1, length_px + 4, 7, BLACK);
    out.fill(10, y + 1, length_px, 3, WHITE);
    out.text(10, y as i64 - 20, ON_IMAGE, &format!("{length_mm} mm"));
}
