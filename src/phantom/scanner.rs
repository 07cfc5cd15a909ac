//! The scanner: voxels that average the scene, blurred, shaded, streaked, miscalibrated and noisy.
//!
//! It works on densities, not on projections: what beam hardening and metal do to a slice is drawn on it in a simple,
//! fixed form. A simulation by projection can take its place behind [`acquire`] without a change elsewhere.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{blur::blur_slice, params::ScannerKind, sampling::average_voxel, scene::Scene, streak::Streaks};
use crate::{
    numeric::{Seed, Stream},
    space::{DVec3, Grid},
    volume::Volume,
};

/// One scanner as it was on one day, drawn per case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scanner {
    /// Standard deviation of the in-plane blur, mm.
    pub blur_mm: f64,
    /// Standard deviation of the noise in slices of 1 mm, HU; thicker slices have seen more photons.
    pub noise_hu: f64,
    /// Calibration error: HU shown per true HU.
    pub gain: f64,
    /// Calibration error: HU shown for water.
    pub offset_hu: f64,
    /// Share of the density that beam hardening takes in the middle of the head.
    pub cupping: f64,
    /// Height of the streaks of a large filling, HU.
    pub streak_hu: f64,
    /// Shell of the head-rest, HU.
    pub rest_hu: f64,
}

impl Scanner {
    /// Draws a scanner.
    pub(super) fn draw(stream: &mut Stream) -> Self {
        let mut draw = |low, high| stream.between(low, high);
        Self {
            blur_mm: draw(0.5, 0.9),
            noise_hu: draw(30.0, 65.0),
            gain: draw(0.85, 1.12),
            offset_hu: draw(-40.0, 40.0),
            cupping: draw(0.0, 0.04),
            streak_hu: draw(150.0, 500.0),
            rest_hu: draw(100.0, 500.0),
        }
    }

    /// Returns the scanner with the head-rest that it has: where views are taken through it, it is built to be seen through,
    /// fibre and foam of half the density.
    pub(super) fn with_rest(self, kind: ScannerKind) -> Self {
        let share = if kind == ScannerKind::Projected { 0.5 } else { 1.0 };
        Self { rest_hu: share * self.rest_hu, ..self }
    }

    /// Returns the standard deviation of the noise in slices of a thickness, HU: photons go with thickness.
    pub(super) fn noise_in(&self, thickness_mm: f64) -> f64 {
        self.noise_hu / thickness_mm.sqrt()
    }
}

/// Radius about the middle of the head within which cupping acts, mm.
const CUPPING_RADIUS_MM: f64 = 95.0;
/// What twelve bits hold, HU.
const STORED_HU: (f64, f64) = (-1024.0, 3071.0);

/// Returns the scan of a scene on a grid, HU. Slices are independent, so threads do not matter.
pub(super) fn acquire(scene: &Scene, scanner: &Scanner, grid: Grid, seed: Seed) -> Volume<i16> {
    let streaks = Streaks::of(scene, scanner);
    let slices: Vec<Vec<i16>> = (0..grid.size[2])
        .into_par_iter()
        .map(|z| acquire_slice(scene, scanner, &streaks, &grid, z, &mut seed.stream("noise", z as u64)))
        .collect();
    Volume { grid, data: slices.concat() }
}

fn acquire_slice(
    scene: &Scene,
    scanner: &Scanner,
    streaks: &Streaks,
    grid: &Grid,
    z: usize,
    stream: &mut Stream,
) -> Vec<i16> {
    let [nx, ny, _] = grid.size;
    let spacing_mm = [grid.spacing_mm.x, grid.spacing_mm.y];
    let mut hu: Vec<f64> = (0..nx * ny)
        .map(|i| average_voxel(scene, grid, DVec3::new((i % nx) as f64, (i / nx) as f64, z as f64)))
        .collect();
    blur_slice(&mut hu, nx, spacing_mm, scanner.blur_mm);
    let noise = noise_slice(nx * ny, nx, stream);
    let streaked = streaks.slice(grid, z);
    let middle_mm = scene.world_from_head.translation_mm;
    let noise_hu = scanner.noise_in(grid.spacing_mm.z);
    (0..nx * ny)
        .map(|i| {
            let from_middle = grid.world(i % nx, i / nx, z) - middle_mm;
            let r2 = (from_middle.x * from_middle.x + from_middle.y * from_middle.y)
                / (CUPPING_RADIUS_MM * CUPPING_RADIUS_MM);
            let hardened = (hu[i] + 1000.0) * (1.0 - scanner.cupping * (1.0 - r2).max(0.0)) - 1000.0;
            let seen = hardened * scanner.gain + scanner.offset_hu + streaked[i] + noise_hu * noise[i];
            seen.clamp(STORED_HU.0, STORED_HU.1).round() as i16
        })
        .collect()
}

/// Share of a neighbour's noise that a voxel's noise contains: reconstruction makes neighbours alike.
const NOISE_NEIGHBOUR: f64 = 0.35;

/// Returns unit-variance noise, correlated between neighbours in the slice.
fn noise_slice(len: usize, width: usize, stream: &mut Stream) -> Vec<f64> {
    let white: Vec<f64> = (0..len + width + 1).map(|_| stream.normal()).collect();
    let norm = 1.0 / (1.0 + 2.0 * NOISE_NEIGHBOUR * NOISE_NEIGHBOUR).sqrt();
    (0..len).map(|i| norm * (white[i] + NOISE_NEIGHBOUR * (white[i + 1] + white[i + width]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_unit_variance_and_a_little_correlation() {
        let noise = noise_slice(40_000, 200, &mut Seed([5; 32]).stream("noise", 0));
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / 40_000.0;
        let variance = mean(&mut noise.iter().map(|n| n * n));
        let neighbour = mean(&mut noise.windows(2).map(|pair| pair[0] * pair[1]));
        let expected = NOISE_NEIGHBOUR / (1.0 + 2.0 * NOISE_NEIGHBOUR * NOISE_NEIGHBOUR);
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
        assert!((neighbour - expected).abs() < 0.03, "{neighbour} against {expected}");
    }
}
