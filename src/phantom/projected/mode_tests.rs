//! The histogram of a simulated head against that of a real one.
//!
//! The real one is the public scan of a whole head with 256 x 256 x 26 voxels of 1.25 x 1.25 x 4 mm: its soft tissue has
//! its mode at 36 HU and its bone, above 300 HU, at 1320 HU, with nothing as frequent below 800 HU.

use super::*;
use crate::{
    numeric::Seed,
    phantom::{AnatomyKind, DefectKind, PhantomParams, ScannerKind, draw_scene, field},
};

/// Modes of the real head, HU.
const SOFT_HU: f64 = 36.0;
const BONE_HU: f64 = 1320.0;

/// Returns the slices of a head without the machine's error of the HU scale: pixels of 0.625 mm, averaged in fours to the
/// real head's. The head-rest is left out.
fn head(case: u64) -> Vec<f64> {
    let params = PhantomParams {
        anatomy: AnatomyKind::Detailed,
        defect: DefectKind::Surgical,
        scanner: ScannerKind::Projected,
        ..Default::default()
    };
    let seed = Seed::derive(2019, "phantom", &format!("p{case:02}"), 0);
    let scene = draw_scene(seed, -1000.0, &params);
    let drawn = params.protocol(&mut seed.stream("protocol", 0)).unwrap();
    let protocol = Protocol { gain: 1.0, offset_hu: 0.0, thickness_mm: Some(4.0), ..drawn };
    let size = [304, 352, 5];
    let grid = field(&scene, size, DVec3::new(0.625, 0.625, 20.0), 0.0, &mut seed.stream("field", 0)).unwrap();
    let ct = acquire(&scene, &protocol, grid, seed).unwrap();
    let four = |x: usize, y: usize, z: usize| {
        let at = |i: usize| f64::from(ct.at(2 * x + (i & 1), 2 * y + (i >> 1), z));
        0.25 * (0..4).map(at).sum::<f64>()
    };
    let (nx, ny) = (size[0] / 2, size[1] / 2);
    (0..nx * ny * size[2]).map(|i| four(i % nx, i / nx % ny, i / (nx * ny))).collect()
}

/// Returns the most frequent value from `low` to `high` and its share of a histogram smoothed over three of its bins.
fn mode(values: &[f64], low: f64, high: f64, bin: f64) -> (f64, f64) {
    let bins = ((high - low) / bin).round() as usize;
    let mut counts = vec![0.0_f64; bins];
    for value in values {
        let at = (value - low) / bin;
        if at >= 0.0 && at < bins as f64 {
            counts[at as usize] += 1.0;
        }
    }
    let smooth: Vec<f64> = counts.windows(3).map(|three| three.iter().sum::<f64>() / 3.0).collect();
    let top = (0..smooth.len()).max_by(|&i, &j| smooth[i].total_cmp(&smooth[j])).unwrap();
    (low + bin * (top as f64 + 1.5), smooth[top])
}

#[test]
fn the_modes_of_a_head_are_those_of_a_real_one() {
    let head = head(3);
    let (soft, _) = mode(&head, -20.0, 92.0, 4.0);
    let (bone, often) = mode(&head, 300.0, 2400.0, 100.0);
    let (dull, less_often) = mode(&head, 300.0, 800.0, 100.0);
    println!("modes: soft tissue {soft} HU, bone {bone} HU ({often} voxels), below 800 HU {dull} ({less_often})");
    assert!((soft - SOFT_HU).abs() < 10.0, "soft tissue at {soft} HU");
    assert!((bone / BONE_HU - 1.0).abs() < 0.15, "bone at {bone} HU");
    assert!(less_often < often, "a higher peak at {dull} HU");
}
