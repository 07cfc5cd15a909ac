//! The scanner against a real one: noise and sharpness of a plastic skull, 1 mm slices, sharp kernel, 120 kV.
//!
//! The real figures were measured on slice 70, through the vault, of a public scan of a plastic skull (neurolabusc/
//! `dcm_qa_ct`, series S21570/S2030): the standard deviation in the air of a corner, that of differences three pixels apart
//! in the middle of the wall over √2, and how far the mean profile across the outer surface takes from 10 to 90 %. Through
//! the thicker base (slices 40 and 100) it is noisier: 21.7 and 27 HU in the plastic; edges there take 0.91 and 0.80 mm.

use super::{tests::ring_map, *};
use slice::Map;

/// The real scan's pixel, mm.
const PIXEL_MM: f64 = 0.451;
/// Noise in air and in plastic, HU; edge, mm.
const REAL: [f64; 3] = [12.6, 19.0, 0.85];
/// What the plastic shows, HU, and about how thick the skull is, mm.
const PLASTIC: (f64, f64) = (749.0, 6.0);
/// Outer radius of the ring that stands for the skull, mm.
const RADIUS_MM: f64 = 75.0;

#[test]
fn noise_and_edges_are_those_of_a_real_scan() {
    let size = [448, 448, 1];
    let grid = Grid::aligned(size, DVec3::new(PIXEL_MM, PIXEL_MM, 1.0));
    let protocol = Protocol { views: Some(600), ..Protocol::philips_like() };
    let slices = slices(&protocol, &grid);
    let side = (2.0 * OBJECT_MM / slices.detector.bin_mm).ceil() as usize;
    let ring = ring_map(side, slices.detector.bin_mm, [RADIUS_MM - PLASTIC.1, RADIUS_MM], 1.0 + PLASTIC.0 / 1000.0);
    let nothing = || Map::new(side, vec![0.0; side * side]);
    let image = slices.image(&[ring, nothing(), nothing()], Seed([9; 32]), 0);
    let at = |x: usize, y: usize| f64::from(image[x + size[0] * y]);
    let from_edge = |x: usize, y: usize| {
        let away = |i: usize| (i as f64 - 0.5 * (size[0] as f64 - 1.0)) * PIXEL_MM;
        (away(x) * away(x) + away(y) * away(y)).sqrt() - RADIUS_MM
    };
    let pixels = || (0..size[0] * size[1]).map(|i| (i % size[0], i / size[0]));
    let deviation = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64).sqrt()
    };
    let air: Vec<f64> =
        pixels().filter(|&(x, y)| (12.0..20.0).contains(&from_edge(x, y))).map(|(x, y)| at(x, y)).collect();
    let wall = |x: usize, y: usize| (-5.0..-2.0).contains(&from_edge(x, y));
    let middle = pixels().filter(|&(x, y)| x + 3 < size[0] && wall(x, y) && wall(x + 3, y));
    let pairs: Vec<f64> = middle.map(|(x, y)| (at(x + 3, y) - at(x, y)) / std::f64::consts::SQRT_2).collect();
    let mut near: Vec<(f64, f64)> =
        pixels().map(|(x, y)| (from_edge(x, y), at(x, y))).filter(|(away, _)| away.abs() < 3.0).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |low: f64, high: f64| {
        let values: Vec<f64> = near.iter().filter(|(away, _)| (low..high).contains(away)).map(|p| p.1).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let (inside, outside) = (mean(-3.0, -1.8), mean(2.2, 3.0));
    let crossing = |level: f64| {
        let wanted = outside + level * (inside - outside);
        let mean = |window: &[(f64, f64)]| {
            let sum = window.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
            (sum.0 / window.len() as f64, sum.1 / window.len() as f64)
        };
        near.windows(60).map(mean).find(|&(_, value)| value < wanted).map_or(f64::NAN, |p| p.0)
    };
    let found = [deviation(&air), deviation(&pairs), crossing(0.1) - crossing(0.9)];
    println!("air {:.1} HU, plastic {:.1} HU, edge {:.2} mm; a real scan {REAL:?}", found[0], found[1], found[2]);
    for (found, real) in found.iter().zip(REAL) {
        assert!((found / real - 1.0).abs() < 0.25, "{found} against {real}");
    }
}
