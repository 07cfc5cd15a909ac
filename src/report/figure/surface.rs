//! The surface figure: gold model and prediction side by side from three sides, after figure 2 of the paper; the prediction
//! is coloured by its signed distance from the gold model.

use rayon::prelude::*;

use super::{
    canvas::{Picture, Rgb, Text},
    colour::{BONE, GREY, INK, WHITE, diverging},
    occlusion::open_sky,
    raster::{self, NONE},
    solid::Solid,
};
use crate::{mesh::Mesh, space::DVec3};

/// Pixels along a side of one view.
const VIEW_PX: usize = 320;
/// Samples a pixel along each side.
const FINE: usize = 2;
const GAP: usize = 10;
const TITLE_ROWS: usize = 40;
const CAPTION_ROWS: usize = 24;
/// Columns left of the views for the names of the rows, and right of them for the colour bar.
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

/// Where the eye is: a direction from the scene towards it, and what is right and down in the picture.
#[derive(Clone, Copy)]
struct Eye {
    name: &'static str,
    toward: DVec3,
    right: DVec3,
    down: DVec3,
}

impl Eye {
    /// Superior is up, as far as the direction allows.
    fn new(name: &'static str, toward: DVec3) -> Self {
        let toward = toward / toward.length();
        let across = DVec3::Z.cross(toward);
        let right = if across.length() > 1e-6 { across / across.length() } else { DVec3::X };
        Self { name, toward, right, down: right.cross(toward) }
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
    let mm_per_sample = largest / ((VIEW_PX - 16) * FINE) as f64;
    let tiles: Vec<Picture> = (0..6)
        .into_par_iter()
        .map(|i| {
            let (row, column) = (i / 3, i % 3);
            shade(&solids[row], &looks[row], &eyes[column], &frames[column], mm_per_sample)
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

/// Returns the three sides to look from. LPS: anterior is -y, left is +x.
fn eyes(solids: &[Solid; 2], focus_mm: Option<DVec3>) -> [Eye; 3] {
    let middle =
        solids[0].mesh.bounds_mm().or_else(|| solids[1].mesh.bounds_mm()).map(|(low, high)| 0.5 * (low + high));
    let out =
        focus_mm.zip(middle).map(|(focus, middle)| focus - middle).filter(|out| out.is_finite() && out.length() > 1.0);
    let left = out.is_none_or(|out| out.x >= 0.0);
    let side = if left { 1.0 } else { -1.0 };
    let names = if left { ["left anterior", "right lateral"] } else { ["right anterior", "left lateral"] };
    let last = out.map_or_else(
        || Eye::new("superior posterior", DVec3::new(-0.5, 1.0, 1.1)),
        // Never quite from below or above: the skull should stay recognisable.
        |out| {
            Eye::new("defect side", DVec3::new(out.x, out.y, out.z.clamp(-0.3, 1.2) * 0.8).normalize_or(DVec3::NEG_Y))
        },
    );
    [Eye::new(names[0], DVec3::new(0.75 * side, -1.0, 0.35)), Eye::new(names[1], DVec3::new(-side, -0.12, 0.1)), last]
}

/// The middle and the larger side of what an eye sees.
struct Frame {
    middle: [f64; 2],
    extent_mm: f64,
}

fn frame(solids: &[Solid; 2], eye: &Eye) -> Frame {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in solids.iter().flat_map(|solid| &solid.mesh.vertices) {
        for (i, v) in [p.dot(eye.right), p.dot(eye.down)].into_iter().enumerate() {
            low[i] = low[i].min(v);
            high[i] = high[i].max(v);
        }
    }
    if low[0] > high[0] {
        return Frame { middle: [0.0; 2], extent_mm: 1.0 };
    }
    let middle = [0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1])];
    Frame { middle, extent_mm: (high[0] - low[0]).max(high[1] - low[1]) }
}

/// What is interpolated over a triangle: normal, open sky, red, green, blue.
type Look = [f64; 7];

fn looks(solid: &Solid, colours: &[Rgb]) -> Vec<Look> {
    let look = |((normal, sky), colour): ((&DVec3, f32), &Rgb)| {
        let [red, green, blue] = colour.map(f64::from);
        [normal.x, normal.y, normal.z, f64::from(sky), red, green, blue]
    };
    solid.normals.iter().zip(open_sky(solid)).zip(colours).map(look).collect()
}

/// Returns one mesh from one side.
fn shade(solid: &Solid, looks: &[Look], eye: &Eye, frame: &Frame, mm_per_sample: f64) -> Picture {
    let side = VIEW_PX * FINE;
    let middle = 0.5 * (side as f64 - 1.0);
    let project = |p: &DVec3| {
        let right = (p.dot(eye.right) - frame.middle[0]) / mm_per_sample + middle;
        let down = (p.dot(eye.down) - frame.middle[1]) / mm_per_sample + middle;
        [right, down, -p.dot(eye.toward)]
    };
    let projected: Vec<[f64; 3]> = solid.mesh.vertices.iter().map(project).collect();
    let depths = raster::fill(&projected, &solid.mesh.triangles, side, side);
    let lights = Lights::new(eye);
    let sample = |at: usize| {
        let triangle = depths.triangle[at];
        if triangle == NONE {
            return [255.0; 3];
        }
        let [a, b, c] = solid.mesh.triangles[triangle as usize].map(|v| &looks[v as usize]);
        let [to_b, to_c] = depths.weights[at].map(f64::from);
        let mut look = [0.0; 7];
        for (i, value) in look.iter_mut().enumerate() {
            *value = a[i] + to_b * (b[i] - a[i]) + to_c * (c[i] - a[i]);
        }
        let [x, y, z, sky, red, green, blue] = look;
        let (factor, shine) = lights.on(DVec3::new(x, y, z), sky);
        [red, green, blue].map(|value| (value * factor + shine).clamp(0.0, 255.0))
    };
    let pixel = |i: usize| {
        let (x, y) = (i % VIEW_PX * FINE, i / VIEW_PX * FINE);
        let fine = [0, 1, side, side + 1].map(|offset| sample(x + side * y + offset));
        [0, 1, 2].map(|channel| (fine.iter().map(|rgb| rgb[channel]).sum::<f64>() * 0.25 + 0.5) as u8)
    };
    Picture { width: VIEW_PX, height: VIEW_PX, rgb: (0..VIEW_PX * VIEW_PX).flat_map(pixel).collect() }
}

/// A key light over the eye's left shoulder, a headlight, and the sky.
struct Lights {
    toward: DVec3,
    key: DVec3,
    half: DVec3,
}

impl Lights {
    fn new(eye: &Eye) -> Self {
        let unit = |v: DVec3| v / v.length();
        let key = unit(eye.toward * 0.8 - eye.right * 0.5 - eye.down * 0.7);
        Self { toward: eye.toward, key, half: unit(key + eye.toward) }
    }

    /// Returns the factor on the surface's colour and the shine added to it.
    fn on(&self, normal: DVec3, sky: f64) -> (f64, f64) {
        let length = normal.length();
        let unit = if length > 0.0 { normal / length } else { self.toward };
        // The inside of an open surface is lit like its outside.
        let unit = if unit.dot(self.toward) < 0.0 { -unit } else { unit };
        let (key, head) = (unit.dot(self.key).max(0.0), unit.dot(self.toward).max(0.0));
        let shine = unit.dot(self.half).max(0.0);
        let shine = [(); 5].iter().fold(shine, |power, ()| power * power);
        let open = 0.42 + 0.58 * sky.clamp(0.0, 1.0);
        (open * (0.34 + 0.5 * key + 0.26 * head), 18.0 * shine * open)
    }
}

fn compose(tiles: &[Picture], eyes: &[Eye; 3], options: &SurfaceOptions<'_>, limit_mm: f64) -> Picture {
    let style = Text::new(2, INK);
    let width = GAP + 3 * (VIEW_PX + GAP) + BAR_COLUMNS;
    let row_height = CAPTION_ROWS + VIEW_PX + GAP;
    let mut out = Picture::new(width, TITLE_ROWS + 2 * row_height, WHITE);
    let large = Text::new(3, INK);
    let title = if large.width(&options.title) + 2 * GAP <= width { large } else { style };
    out.text(GAP as i64, GAP as i64, title, &options.title);
    for (i, tile) in tiles.iter().enumerate() {
        let (row, column) = (i / 3, i % 3);
        let (x, y) = (GAP + column * (VIEW_PX + GAP), TITLE_ROWS + row * row_height);
        let name = if row == 0 { &options.gold } else { &options.prediction };
        let caption = if column == 0 { format!("{name}: {}", eyes[column].name) } else { eyes[column].name.to_owned() };
        let style = if style.width(&caption) <= VIEW_PX { style } else { Text::new(1, INK) };
        out.paste(tile, x, y + CAPTION_ROWS);
        out.text(x as i64, y as i64 + 4, style, &caption);
        if tile.rgb.iter().all(|&byte| byte == 255) {
            out.text(x as i64 + 80, (y + VIEW_PX / 2) as i64, Text::new(2, GREY), "no surface");
        }
    }
    colour_bar(&mut out, limit_mm, TITLE_ROWS + row_height + CAPTION_ROWS);
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
