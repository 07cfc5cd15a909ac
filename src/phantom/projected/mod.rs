//! The scanner that measures: polychromatic views of the materials, photons counted, filtered back-projection.
//!
//! ```text
//! scene ─▶ maps of water, bone, iron ─▶ views ─▶ photons, noise ─▶ log, water correction ─▶ kernel ─▶ back-projection
//! ```
//! Parallel rays (as after the rebinning of a fan), half a turn. Beam hardening, streaks, photon starvation and the
//! colour of the noise are not drawn: they come out. A slice depends on the scene, the protocol and its own streams of
//! random numbers, so threads do not matter.

mod beam;
mod fourier;
mod kernel;
mod lines;
mod maps;
mod material;
#[cfg(test)]
mod mode_tests;
mod poisson;
mod protocol;
#[cfg(test)]
mod real_tests;
mod slice;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

pub(super) use protocol::Wish;
pub use protocol::{Kernel, Machine, Protocol};

use super::body::Body;
use crate::{
    fault::Result,
    numeric::Seed,
    space::{DVec3, Grid},
    volume::Volume,
};
use beam::Beam;
use kernel::Filter;
use slice::{Detector, Pixels, Slices};

/// Radius about the isocentre within which head and head-rest lie, mm.
const OBJECT_MM: f64 = 125.0;
/// Widths of a detector bin that are simulated, mm.
const BIN_MM: (f64, f64) = (0.4, 1.25);
/// Views for each bin across the object: π/2 would do at its rim.
const VIEWS_PER_BIN: f64 = 1.62;
/// Fewest and most views by that rule.
const VIEWS: (f64, f64) = (180.0, 900.0);
/// What twelve bits hold, HU.
const STORED_HU: (f64, f64) = (-1024.0, 3071.0);

/// Returns the scan of a scene on a grid, HU.
///
/// # Errors
/// Usage when the grid of the maps has no room in memory's index.
pub(super) fn acquire(body: &dyn Body, protocol: &Protocol, grid: Grid, seed: Seed) -> Result<Volume<i16>> {
    let slices = slices(protocol, &grid);
    let thickness_mm = protocol.thickness_mm.unwrap_or(grid.spacing_mm.z);
    let fine = fine_grid(&grid, slices.detector.bin_mm)?;
    let images: Vec<Vec<i16>> = (0..grid.size[2])
        .into_par_iter()
        .map(|z| {
            let image = slices.image(&maps::maps(body, &fine, thickness_mm, z), seed, z);
            image.into_iter().map(|hu| stored(protocol, f64::from(hu))).collect()
        })
        .collect();
    Ok(Volume { grid, data: images.concat() })
}

/// Returns what a scanner stores for a true HU.
fn stored(protocol: &Protocol, hu: f64) -> i16 {
    (hu * protocol.gain + protocol.offset_hu).clamp(STORED_HU.0, STORED_HU.1).round() as i16
}

/// Returns the grid of the maps: square voxels as fine as the detector about the middle of the slices.
fn fine_grid(grid: &Grid, bin_mm: f64) -> Result<Grid> {
    let side = (2.0 * OBJECT_MM / bin_mm).ceil() as usize;
    let [nx, ny, nz] = grid.size;
    let middle = 0.5 * (grid.world(0, 0, 0) + grid.world(nx - 1, ny - 1, 0));
    let half = 0.5 * (side as f64 - 1.0) * bin_mm;
    let spacing_mm = DVec3::new(bin_mm, bin_mm, grid.spacing_mm.z);
    let corner = grid.direction * DVec3::new(half, half, 0.0);
    Grid::new([side, side, nz], middle - corner, spacing_mm, grid.direction)
}

/// Returns what all slices of a scan share.
fn slices<'a>(protocol: &'a Protocol, grid: &Grid) -> Slices<'a> {
    let pixel_mm = grid.spacing_mm.x.min(grid.spacing_mm.y);
    let thickness_mm = protocol.thickness_mm.unwrap_or(grid.spacing_mm.z);
    let bin_mm = pixel_mm.clamp(BIN_MM.0, BIN_MM.1);
    let half_mm = 0.5 * grid.spacing_mm * DVec3::from_array(grid.size.map(|n| n as f64 - 1.0));
    let pixels = Pixels {
        size: [grid.size[0], grid.size[1]],
        first_mm: [-half_mm.x, -half_mm.y],
        spacing_mm: [grid.spacing_mm.x, grid.spacing_mm.y],
    };
    let radius_mm = pixels.radius_mm().max(OBJECT_MM);
    let by_bins = (VIEWS_PER_BIN * 2.0 * OBJECT_MM / bin_mm).round().clamp(VIEWS.0, VIEWS.1);
    let detector = Detector {
        bins: (2.0 * radius_mm / bin_mm).ceil() as usize + 4,
        bin_mm,
        views: protocol.views.unwrap_or(by_bins as usize),
    };
    Slices {
        protocol,
        beam: Beam::new(protocol.kvp, protocol.filter_mm, protocol.water_correction),
        filter: Filter::new(detector.bins, bin_mm, protocol.kernel.cut_per_mm(pixel_mm)),
        detector,
        pixels,
        // The dose does not depend on how finely the half turn is divided.
        photons: protocol.photons_mm2 * bin_mm * thickness_mm * VIEWS.1 / detector.views as f64,
        blur: super::blur::kernel(protocol.blur_mm / bin_mm),
    }
}
