//! The surface figure: gold model and prediction side by side from three sides, after figure 2 of the paper; the prediction
//! is coloured by its signed distance from the gold model.

use rayon::prelude::*;

use super::{
    canvas::{Picture, Text},
    colour::{BONE, GREY, INK, WHITE, diverging},
    eye::{Eye, eyes, frame},
    shade::{looks, shade},
    solid::Solid,
};
use crate::{mesh::Mesh, space::DVec3};

/// Pixels along a side of one view.
const VIEW_PX: usize = 320;
const GAP: usize = 10;
/// Rows above a view: the name of the row of views, then its own.
const CAPTION_ROWS: usize = 46;
/// Columns right of the views for the colour bar.
const BAR_COLUMNS: usize = 130;

/// What stands over a surface figure, and what colours the prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfaceOptions<'a> {
    /// Over the figure: case, method, its numbers.
    pub title: String,
    /// What the upper row is.
    pub gold: String,
    /// What the lower row is.
    pub prediction: String,
    /// Signed distance of each vertex of the prediction from the gold model, mm, positive outside; computed when absent.
    pub deviation_mm: Option<&'a [f64]>,
    /// Distance at the ends of the colour bar, mm. One limit for all cases makes figures comparable.
    pub limit_mm: f64,
    /// Centre of the defect, LPS mm: the last view looks at it, the others are chosen by its side.
    pub focus_mm: Option<DVec3>,
}

impl Default for SurfaceOptions<'_> {
    fn default() -> Self {
        Self {
            title: String::new(),
            gold: "gold standard".to_owned(),
            prediction: "prediction".to_owned(),
            deviation_mm: None,
            limit_mm: 2.0,
            focus_mm: None,
        }
    }
}

/// Returns the surface figure. Both meshes are drawn to one scale, without perspective; an empty mesh leaves its row empty.
#[must_use]
pub fn surfaces(gold: &Mesh, prediction: &Mesh, options: &SurfaceOptions<'_>) -> Picture {
    let (gold, prediction) = (Solid::new(gold), Solid::new(prediction));
    let limit_mm = if options.limit_mm > 0.0 { options.limit_mm } else { 2.0 };
    let given = options.deviation_mm.filter(|values| values.len() == prediction.from_given.len());
    let deviation_mm =
        given.map_or_else(|| prediction.deviation_mm(&gold), |values| joined_values(&prediction, values));
    let plain = vec![BONE; gold.mesh.vertices.len()];
    let coloured = deviation_mm.iter().map(|mm| diverging(mm / limit_mm)).collect::<Vec<_>>();
    let looks = [looks(&gold, &plain), looks(&prediction, &coloured)];
    let solids = [gold, prediction];
    let eyes = eyes(&solids, options.focus_mm);
    let frames = eyes.map(|eye| frame(&solids, &eye));
    let largest = frames.iter().map(|frame| frame.extent_mm).fold(1e-6, f64::max);
    let mm_per_px = largest / (VIEW_PX - 16) as f64;
    let tiles: Vec<Picture> = (0..6)
        .into_par_iter()
        .map(|i| {
            let (row, column) = (i / 3, i % 3);
            shade(&solids[row], &looks[row], &eyes[column], &frames[column], mm_per_px, VIEW_PX)
        })
        .collect();
    compose(&tiles, &eyes, options, limit_mm)
}

fn joined_values(solid: &Solid, given: &[f64]) -> Vec<f64> {
    let mut values = vec![f64::NAN; solid.mesh.vertices.len()];
    for (&to, &value) in solid.from_given.iter().zip(given) {
        if let Some(slot) = values.get_mut(to as usize) {
            *slot = value;
        }
    }
    values
}

fn compose(tiles: &[Picture], eyes: &[Eye; 3], options: &SurfaceOptions<'_>, limit_mm: f64) -> Picture {
    let style = Text::new(2, INK);
    let width = GAP + 3 * (VIEW_PX + GAP) + BAR_COLUMNS;
    let row_height = CAPTION_ROWS + VIEW_PX + GAP;
    let title_rows = if options.title.is_empty() { GAP } else { 40 };
    let mut out = Picture::new(width, title_rows + 2 * row_height, WHITE);
    let large = Text::new(3, INK);
    let title = if large.width(&options.title) + 2 * GAP <= width { large } else { style };
    out.text(GAP as i64, GAP as i64, title, &options.title);
    for (row, name) in [&options.gold, &options.prediction].into_iter().enumerate() {
        let y = title_rows + row * row_height;
        out.text(GAP as i64, y as i64, style, name);
        for (column, (tile, eye)) in tiles.iter().skip(3 * row).zip(eyes).enumerate() {
            let x = GAP + column * (VIEW_PX + GAP);
            out.paste(tile, x, y + CAPTION_ROWS);
            out.text(x as i64, y as i64 + 22, Text::new(2, GREY), eye.name);
            if tile.rgb.iter().all(|&byte| byte == 255) {
                out.text(x as i64 + 80, (y + VIEW_PX / 2) as i64, Text::new(2, GREY), "no surface");
            }
        }
    }
    colour_bar(&mut out, limit_mm, title_rows + row_height + CAPTION_ROWS);
    out
}

/// Draws the bar beside the lower row, positive (outside the gold model) above.
fn colour_bar(out: &mut Picture, limit_mm: f64, top: usize) {
    let style = Text::new(2, INK);
    let x = out.width - BAR_COLUMNS;
    let (from, rows) = (top + 50, VIEW_PX - 100);
    for row in 0..rows {
        let value = 1.0 - 2.0 * row as f64 / (rows - 1) as f64;
        out.fill(x, from + row, 24, 1, diverging(value));
    }
    for (i, share) in [1.0, 0.5, 0.0, -0.5, -1.0].into_iter().enumerate() {
        let y = from + i * (rows - 1) / 4;
        out.fill(x + 24, y.saturating_sub(1), 6, 2, INK);
        let value = share * limit_mm;
        let sign = if value > 0.0 { "+" } else { "" };
        out.text((x + 36) as i64, y as i64 - 7, style, &format!("{sign}{value}"));
    }
    out.text(x as i64, from as i64 - 44, style, "mm from");
    out.text(x as i64, from as i64 - 26, style, "gold");
    out.text(x as i64, (from + rows) as i64 + 12, Text::new(1, INK), "+ outside");
    out.text(x as i64, (from + rows) as i64 + 24, Text::new(1, INK), "- inside");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tetrahedron(size: f64) -> Mesh {
        let vertices = vec![DVec3::ZERO, DVec3::X * size, DVec3::Y * size, DVec3::Z * size];
        Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] }
    }

    #[test]
    fn given_deviations_colour_the_prediction() {
        let mesh = tetrahedron(10.0);
        let reds = |deviation_mm: Option<&[f64]>| {
            let options = SurfaceOptions { deviation_mm, ..SurfaceOptions::default() };
            let picture = surfaces(&mesh, &mesh, &options);
            picture.rgb.chunks_exact(3).filter(|rgb| rgb[0] > 60 && rgb[1] < rgb[0] / 3).count()
        };
        let (own, outside) = (reds(None), reds(Some(&[5.0; 4])));
        assert!(outside > own + 10_000, "{own} {outside}");
        assert_eq!(reds(Some(&[5.0; 3])), own, "a list of another length is not for this mesh");
    }

    #[test]
    fn any_meshes_give_a_picture() {
        let broken =
            Mesh { vertices: vec![DVec3::NAN, DVec3::ONE, DVec3::ZERO], triangles: vec![[0, 1, 2], [1, 1, 9]] };
        for (gold, prediction) in [(&Mesh::default(), &Mesh::default()), (&tetrahedron(1.0), &broken)] {
            let options =
                SurfaceOptions { limit_mm: f64::NAN, focus_mm: Some(DVec3::splat(9.0)), ..Default::default() };
            let picture = surfaces(gold, prediction, &options);
            assert_eq!(picture.rgb.len(), 3 * picture.width * picture.height);
        }
    }
}
