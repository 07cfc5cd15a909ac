//! A picture of RGB pixels, and what can be drawn on it: rectangles, smooth strokes, dots, text.

use super::font;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// A position on a picture: pixels from the left and from the top; pixel centres are whole numbers.
pub(super) type Point = [f64; 2];

/// A raster image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `3 * width * height` bytes, rows from the top.
    pub rgb: Vec<u8>,
}

/// How text is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// Pixels a dot of the font.
    pub scale: usize,
    pub colour: Rgb,
    /// A rim of one font dot's half in this colour, to be legible on anything.
    pub halo: Option<Rgb>,
}

impl Text {
    pub(super) const fn new(scale: usize, colour: Rgb) -> Self {
        Self { scale, colour, halo: None }
    }

    pub(super) fn width(&self, text: &str) -> usize {
        (text.chars().count() * font::ADVANCE * self.scale).saturating_sub(self.scale)
    }

    pub(super) const fn height(&self) -> usize {
        font::HEIGHT * self.scale
    }
}

impl Picture {
    pub(super) fn new(width: usize, height: usize, colour: Rgb) -> Self {
        Self { width, height, rgb: colour.repeat(width * height) }
    }

    /// Mixes a colour into a pixel; outside the picture nothing happens.
    pub(super) fn blend(&mut self, x: i64, y: i64, colour: Rgb, share: f64) {
        let inside = x >= 0 && y >= 0 && (x as usize) < self.width && (y as usize) < self.height;
        if !inside || share <= 0.0 {
            return;
        }
        let at = 3 * (x as usize + self.width * y as usize);
        for (byte, to) in self.rgb[at..at + 3].iter_mut().zip(colour) {
            let mixed = f64::from(*byte) + (f64::from(to) - f64::from(*byte)) * share.min(1.0);
            *byte = (mixed + 0.5) as u8;
        }
    }

    pub(super) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Rgb) {
        for row in y..(y + height).min(self.height) {
            for column in x..(x + width).min(self.width) {
                self.rgb[3 * (column + self.width * row)..][..3].copy_from_slice(&colour);
            }
        }
    }

    /// Draws strokes of one colour and width. Where strokes meet or cross, a pixel is mixed once, by its largest coverage.
    pub(super) fn strokes(&mut self, segments: &[[Point; 2]], width: f64, colour: Rgb) {
        let mut coverage = vec![0.0_f32; self.width * self.height];
        for segment in segments {
            cover(segment, 0.5 * width, &mut coverage, [self.width, self.height]);
        }
        for (at, &share) in coverage.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            self.blend((at % self.width) as i64, (at / self.width) as i64, colour, f64::from(share));
        }
    }

    /// Draws one straight stroke, touching no pixel beyond it.
    pub(super) fn line(&mut self, from: Point, to: Point, width: f64, colour: Rgb) {
        let reach = 0.5 * width + 1.0;
        let span = |a: f64, b: f64, size: usize| {
            ((a.min(b) - reach).floor() as i64).max(0)..=((a.max(b) + reach).ceil() as i64).min(size as i64 - 1)
        };
        for y in span(from[1], to[1], self.height) {
            for x in span(from[0], to[0], self.width) {
                let distance = distance_to([x as f64, y as f64], &[from, to]);
                self.blend(x, y, colour, 0.5 * width + 0.5 - distance);
            }
        }
    }

    pub(super) fn dot(&mut self, centre: Point, radius: f64, colour: Rgb) {
        self.line(centre, centre, 2.0 * radius, colour);
    }

    /// Draws text with its upper left corner at (x, y).
    pub(super) fn text(&mut self, x: i64, y: i64, style: Text, text: &str) {
        if let Some(halo) = style.halo {
            let rim = style.scale.div_ceil(2) as i64;
            for (dx, dy) in [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)] {
                self.glyphs(x + dx * rim, y + dy * rim, style.scale as i64, halo, text);
            }
        }
        self.glyphs(x, y, style.scale as i64, style.colour, text);
    }

    fn glyphs(&mut self, x: i64, y: i64, scale: i64, colour: Rgb, text: &str) {
        for (place, c) in text.chars().enumerate() {
            let left = x + scale * (place * font::ADVANCE) as i64;
            for (row, bits) in font::glyph(c).into_iter().enumerate() {
                for column in (0..font::WIDTH).filter(|column| bits >> (font::WIDTH - 1 - column) & 1 == 1) {
                    for dot in 0..scale * scale {
                        let (dx, dy) = (dot % scale, dot / scale);
                        self.blend(left + scale * column as i64 + dx, y + scale * row as i64 + dy, colour, 1.0);
                    }
                }
            }
        }
    }

    /// Copies a picture onto this one, cut at the edges.
    pub(super) fn paste(&mut self, other: &Self, x: usize, y: usize) {
        let width = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let from = &other.rgb[3 * other.width * row..][..3 * width];
            self.rgb[3 * (x + self.width * (y + row))..][..3 * width].copy_from_slice(from);
        }
    }
}

/// Raises the coverage of the pixels near a segment; a stroke's edge fades over one pixel.
fn cover(segment: &[Point; 2], half_width: f64, coverage: &mut [f32], [width, height]: [usize; 2]) {
    let [from, to] = *segment;
    if !from.iter().chain(&to).all(|v| v.is_finite()) {
        return;
    }
    let reach = half_width + 0.5;
    let range = |a: f64, b: f64, size: usize| {
        (a.min(b) - reach).ceil().max(0.0) as usize
            ..((a.max(b) + reach).floor().max(-1.0) + 1.0).min(size as f64) as usize
    };
    for y in range(from[1], to[1], height) {
        for x in range(from[0], to[0], width) {
            let share = (reach - distance_to([x as f64, y as f64], segment)).clamp(0.0, 1.0) as f32;
            let at = &mut coverage[x + width * y];
            *at = at.max(share);
        }
    }
}

fn distance_to(p: Point, [from, to]: &[Point; 2]) -> f64 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let square = along[0] * along[0] + along[1] * along[1];
    let dot = (p[0] - from[0]) * along[0] + (p[1] - from[1]) * along[1];
    let t = if square > 0.0 { (dot / square).clamp(0.0, 1.0) } else { 0.0 };
    let apart = [p[0] - from[0] - t * along[0], p[1] - from[1] - t * along[1]];
    (apart[0] * apart[0] + apart[1] * apart[1]).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_covers_its_width_and_fades_over_a_pixel() {
        let mut picture = Picture::new(5, 5, [0; 3]);
        picture.strokes(&[[[-9.0, 2.0], [9.0, 2.0]]], 2.0, [200; 3]);
        let column: Vec<u8> = (0..5).map(|y| picture.rgb[3 * (2 + 5 * y)]).collect();
        assert_eq!(column, [0, 100, 200, 100, 0], "half width 1: full at 0, half at 1, none at 2");
    }

    #[test]
    fn drawing_beyond_the_edge_is_cut() {
        let mut picture = Picture::new(4, 3, [9; 3]);
        picture.strokes(&[[[-50.0, -50.0], [-40.0, 90.0]], [[f64::NAN, 0.0], [1.0, 1.0]]], 3.0, [0; 3]);
        assert_eq!(picture, Picture::new(4, 3, [9; 3]));
        picture.text(-3, -3, Text::new(2, [0; 3]), "Mg");
        picture.fill(2, 1, 100, 100, [1; 3]);
        picture.paste(&Picture::new(9, 9, [2; 3]), 3, 2);
        assert_eq!(picture.rgb[3 * 11..], [2, 2, 2]);
        assert_eq!(picture.rgb.len(), 36);
    }

    #[test]
    fn text_has_the_width_it_says() {
        let style = Text::new(1, [0; 3]);
        assert_eq!((style.width("HH"), style.height()), (11, 7));
        let mut picture = Picture::new(13, 9, [255; 3]);
        picture.text(1, 1, style, "HH");
        let dark: Vec<usize> = (0..13).filter(|x| picture.rgb[3 * (x + 13)] == 0).collect();
        assert_eq!(dark, [1, 5, 7, 11]);
    }
}
