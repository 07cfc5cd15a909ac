//! One slice through the scanner: maps of materials, views of them, photons counted, an image.

use rayon::prelude::*;

use super::{
    beam::{Arrived, Beam},
    kernel::Filter,
    lines::{Places, Sample, samples},
    poisson::poisson,
    protocol::Protocol,
};
use crate::numeric::Seed;

/// The least number of photons that the electronics report.
const LEAST_PHOTONS: f64 = 1.0;
/// Rows of the image that are made together, so that a view is read once for all of them.
const ROWS: usize = 8;

/// Densities of one base material over a square about the isocentre, g/cm³.
#[derive(Clone, Debug)]
pub(super) struct Map {
    side: usize,
    /// Rows along x, one after the other along y; and the same with x and y exchanged.
    planes: [Vec<Sample>; 2],
    /// The first sample of each row that is not zero, and the one behind the last.
    spans: [Vec<(usize, usize)>; 2],
}

impl Map {
    /// Returns the map of `side * side` densities, rows of x.
    pub(super) fn new(side: usize, rows: Vec<f32>) -> Self {
        let mut columns = vec![0.0; side * side];
        for (y, row) in rows.chunks_exact(side).enumerate() {
            for (x, &value) in row.iter().enumerate() {
                columns[x * side + y] = value;
            }
        }
        let planes = [rows, columns].map(|plane| plane.chunks_exact(side).flat_map(samples).collect::<Vec<Sample>>());
        let span = |row: &[Sample]| {
            let first = row.iter().position(|v| v[0] != 0.0).unwrap_or(side);
            (first, row.iter().rposition(|v| v[0] != 0.0).map_or(side, |last| last + 1))
        };
        let spans = [0, 1].map(|which: usize| planes[which].chunks_exact(side).map(span).collect());
        Self { side, planes, spans }
    }

    /// Returns the sum of two maps.
    #[cfg(test)]
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self::new(self.side, self.planes[0].iter().zip(&other.planes[0]).map(|(a, b)| a[0] + b[0]).collect())
    }

    /// Returns the line integrals of one view, mm g/cm³: Joseph's method across the axis that the rays cross steeply.
    fn project(&self, detector: &Detector, [cosine, sine]: [f64; 2]) -> Vec<f32> {
        let transposed = usize::from(cosine.abs() < sine.abs());
        let (along, across) = if transposed == 0 { (cosine, sine) } else { (sine, cosine) };
        let (pitch_mm, middle) = (detector.bin_mm, 0.5 * (self.side as f64 - 1.0));
        let length_mm = (pitch_mm / along.abs()) as f32;
        let mut sums = vec![0.0; detector.bins];
        let rows = self.planes[transposed].chunks_exact(self.side).zip(&self.spans[transposed]);
        for (j, (row, &(first, end))) in rows.enumerate() {
            if first >= end {
                continue;
            }
            let height = j as f64 - middle;
            let places = Places::new((detector.first_bin() - height * across) / along + middle, 1.0 / along);
            // One sample beside the span is zero and still counts for half of the way.
            let range = places.within(first.saturating_sub(1), end.min(self.side - 1), detector.bins);
            places.add(row, range, length_mm, &mut sums);
        }
        sums
    }
}

/// The detector, seen at the isocentre, and the views that it takes; its bins are as fine as the maps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detector {
    /// Bins of a view.
    pub(super) bins: usize,
    /// Width of a bin and of a map's pixel, mm.
    pub(super) bin_mm: f64,
    /// Views over half a turn.
    pub(super) views: usize,
}

impl Detector {
    /// Returns the place of the first bin against the isocentre, in bins.
    fn first_bin(&self) -> f64 {
        -0.5 * (self.bins as f64 - 1.0)
    }

    /// Returns cosine and sine of a view.
    fn direction(&self, view: usize) -> [f64; 2] {
        let angle = std::f64::consts::PI * view as f64 / self.views as f64;
        [libm::cos(angle), libm::sin(angle)]
    }
}

/// Where the pixels of the image are, against the isocentre.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixels {
    pub(super) size: [usize; 2],
    /// Place of the first pixel, mm.
    pub(super) first_mm: [f64; 2],
    pub(super) spacing_mm: [f64; 2],
}

/// Everything that the slices of a scan share.
#[derive(Clone, Debug)]
pub(super) struct Slices<'a> {
    pub(super) protocol: &'a Protocol,
    pub(super) beam: Beam,
    pub(super) detector: Detector,
    pub(super) filter: Filter,
    pub(super) pixels: Pixels,
    /// Photons per bin, view and slice; infinite for a scan without noise.
    pub(super) photons: f64,
    /// Half of the detector's blur, the middle first; all of it sums to 1.
    pub(super) blur: Vec<f64>,
}

impl Slices<'_> {
    /// Returns the image of the materials (water, bone, iron), HU, not yet miscalibrated.
    pub(super) fn image(&self, maps: &[Map; 3], seed: Seed, z: usize) -> Vec<f32> {
        let pairs: Vec<[Vec<f32>; 2]> = (0..self.detector.views.div_ceil(2))
            .into_par_iter()
            .map(|pair| {
                let view = |view: usize| {
                    if view < self.detector.views { self.view(maps, seed, z, view) } else { Vec::new() }
                };
                let first = view(2 * pair);
                let mut second = view(2 * pair + 1);
                second.resize(first.len(), 0.0);
                self.filter.apply(&first, &second)
            })
            .collect();
        let views: Vec<Vec<Sample>> =
            pairs.iter().flatten().take(self.detector.views).map(|view| samples(view)).collect();
        self.back_project(&views)
    }

    /// Returns one measured view after the water correction.
    fn view(&self, maps: &[Map; 3], seed: Seed, z: usize, view: usize) -> Vec<f64> {
        let direction = self.detector.direction(view);
        let [water, bone, iron] = maps.each_ref().map(|map| map.project(&self.detector, direction));
        let areal = |i: usize| [water[i], bone[i], iron[i]].map(|mm| 0.1 * f64::from(mm));
        let arrived: Vec<Arrived> = (0..self.detector.bins)
            .map(|i| if areal(i) == [0.0; 3] { self.beam.open() } else { self.beam.behind(areal(i)) })
            .collect();
        let open = self.beam.open().energy;
        let mut stream = seed.stream("photons", (z * self.detector.views + view) as u64);
        (0..self.detector.bins)
            .map(|i| {
                let seen = self.blurred(&arrived, i);
                let energy = if self.photons.is_finite() {
                    // The sum of a Poisson number of photons of mixed energies has the mean and the variance of this many
                    // photons of one energy (B. R. Whiting et al., Medical Physics 33, 2006).
                    let alike = self.photons * seen.energy * seen.energy / seen.energy_squared;
                    let counted = poisson(alike, &mut stream) + self.protocol.electronic_photons * stream.normal();
                    counted.max(LEAST_PHOTONS) / alike * seen.energy
                } else {
                    seen.energy
                };
                self.beam.corrected(-libm::log(energy / open))
            })
            .collect()
    }

    /// Returns what a detector cell with its neighbours' spill receives; beyond the ends nothing weakens the beam.
    fn blurred(&self, arrived: &[Arrived], at: usize) -> Arrived {
        let share = |i: Option<usize>| i.and_then(|i| arrived.get(i)).copied().unwrap_or(self.beam.open());
        let middle = arrived[at];
        let mut sum =
            Arrived { energy: self.blur[0] * middle.energy, energy_squared: self.blur[0] * middle.energy_squared };
        for (away, weight) in self.blur.iter().enumerate().skip(1) {
            for side in [share(at.checked_sub(away)), share(Some(at + away))] {
                sum.energy += weight * side.energy;
                sum.energy_squared += weight * side.energy_squared;
            }
        }
        sum
    }

    /// Returns the image of filtered views: each pixel adds up what lies on the rays through it.
    fn back_project(&self, views: &[Vec<Sample>]) -> Vec<f32> {
        let Pixels { size: [nx, ny], first_mm, spacing_mm } = self.pixels;
        let Detector { bins, bin_mm, views: count } = self.detector;
        let directions: Vec<[f64; 2]> = (0..count).map(|view| self.detector.direction(view)).collect();
        let weight = std::f64::consts::PI / count as f64;
        let bands: Vec<Vec<f32>> = (0..ny.div_ceil(ROWS))
            .into_par_iter()
            .map(|band| {
                let rows = band * ROWS..((band + 1) * ROWS).min(ny);
                let mut sums = vec![0.0_f32; rows.len() * nx];
                for (view, [cosine, sine]) in views.iter().zip(&directions) {
                    for (row, y) in sums.chunks_exact_mut(nx).zip(rows.clone()) {
                        let y_mm = first_mm[1] + y as f64 * spacing_mm[1];
                        let first = (first_mm[0] * cosine + y_mm * sine) / bin_mm - self.detector.first_bin();
                        let places = Places::new(first, spacing_mm[0] * cosine / bin_mm);
                        places.add(view, places.within(0, bins - 1, nx), 1.0, row);
                    }
                }
                let hu = |sum: &f32| (1000.0 * (f64::from(*sum) * weight / self.beam.water_per_mm() - 1.0)) as f32;
                sums.iter().map(hu).collect()
            })
            .collect();
        bands.concat()
    }
}
