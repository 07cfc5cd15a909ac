//! A surface as pixels: smooth normals, three lights, and soft shade where little sky is seen.

use super::{
    canvas::{Picture, Rgb},
    eye::{Eye, Frame},
    occlusion::open_sky,
    raster::{self, NONE},
    solid::Solid,
};
use crate::space::DVec3;

/// Samples a pixel along each side.
const FINE: usize = 2;

/// What is interpolated over a triangle: normal, open sky, red, green, blue.
pub(super) type Look = [f64; 7];

pub(super) fn looks(solid: &Solid, colours: &[Rgb]) -> Vec<Look> {
    let look = |((normal, sky), colour): ((&DVec3, f32), &Rgb)| {
        let [red, green, blue] = colour.map(f64::from);
        [normal.x, normal.y, normal.z, f64::from(sky), red, green, blue]
    };
    solid.normals.iter().zip(open_sky(solid)).zip(colours).map(look).collect()
}

/// Returns one mesh from one side, a square of `side_px` pixels.
pub(super) fn shade(
    solid: &Solid,
    looks: &[Look],
    eye: &Eye,
    frame: &Frame,
    mm_per_px: f64,
    side_px: usize,
) -> Picture {
    let side = side_px * FINE;
    let mm_per_sample = mm_per_px / FINE as f64;
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
        let (x, y) = (i % side_px * FINE, i / side_px * FINE);
        let fine = [0, 1, side, side + 1].map(|offset| sample(x + side * y + offset));
        [0, 1, 2].map(|channel| (fine.iter().map(|rgb| rgb[channel]).sum::<f64>() * 0.25 + 0.5) as u8)
    };
    Picture { width: side_px, height: side_px, rgb: (0..side_px * side_px).flat_map(pixel).collect() }
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
