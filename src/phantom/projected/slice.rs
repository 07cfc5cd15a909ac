//! One slice through the scanner: maps of materials, views of them, photons counted, an image.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    beam::{Arrived, Beam},
    kernel::Filter,
    lines::{Line, Places, Sample, add, samples},
    poisson::poisson,
    protocol::Protocol,
};
use crate::numeric::Seed;

/// The least number of photons that the electronics report.
const LEAST_PHOTONS: f64 = 1.0;
/// Views that are added to a row of the image in one pass.
const TOGETHER: usize = 4;
/// Rows of the image that are made together, so that a view is read once for all of them.
const ROWS: usize = 8;

/// Densities of base materials over a square about the isocentre, ready for rays: see [`Map`].
struct Rays<const N: usize> {
    side: usize,
    /// Rows along x, one after the other along y; and the same with x and y exchanged.
    planes: [Vec<Sample<N>>; 2],
    /// The first sample of each row that is not zero, and the one behind the last.
    spans: [Vec<Range<usize>>; 2],
}

/// Densities of one base material over a square about the isocentre, g/cm³.
#[derive(Clone, Debug)]
pub(super) struct Map {
    side: usize,
    rows: Vec<f32>,
}

impl Map {
    /// Returns the map of `side * side` densities, rows of x.
    pub(super) fn new(side: usize, rows: Vec<f32>) -> Self {
        Self { side, rows }
    }

    /// Returns the density of a pixel.
    #[cfg(test)]
    pub(super) fn at(&self, x: usize, y: usize) -> f32 {
        self.rows[y * self.side + x]
    }

    /// Returns the sum of two maps.
    #[cfg(test)]
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self::new(self.side, self.rows.iter().zip(&other.rows).map(|(a, b)| a + b).collect())
    }

    /// Returns the densities with x and y exchanged.
    fn turned(&self) -> Vec<f32> {
        let side = self.side;
        let mut columns = vec![0.0; side * side];
        for (y, row) in self.rows.chunks_exact(side).enumerate() {
            for (x, &value) in row.iter().enumerate() {
                columns[x * side + y] = value;
            }
        }
        columns
    }
}

impl<const N: usize> Rays<N> {
    /// Returns maps of one size together.
    fn of(maps: [&Map; N]) -> Self {
        let side = maps.first().map_or(0, |map| map.side);
        let turned = maps.map(Map::turned);
        let lines = |planes: [&[f32]; N]| -> Vec<Sample<N>> {
            (0..side).flat_map(|j| samples(planes.map(|plane| &plane[j * side..(j + 1) * side]))).collect()
        };
        let planes = [lines(maps.map(|map| map.rows.as_slice())), lines(turned.each_ref().map(Vec::as_slice))];
        let holds = |sample: &Sample<N>| sample[0].iter().any(|&density| density != 0.0);
        let span = |row: &[Sample<N>]| {
            row.iter().position(holds).unwrap_or(side)..row.iter().rposition(holds).map_or(side, |last| last + 1)
        };
        let spans = planes.each_ref().map(|plane| plane.chunks_exact(side).map(span).collect());
        Self { side, planes, spans }
    }

    /// Returns the line integrals of one view, mm g/cm³: Joseph's method across the axis that the rays cross steeply.
    fn project(&self, detector: &Detector, [cosine, sine]: [f64; 2]) -> Vec<[f32; N]> {
        let transposed = usize::from(cosine.abs() < sine.abs());
        let (along, across) = if transposed == 0 { (cosine, sine) } else { (sine, cosine) };
        let (pitch_mm, middle) = (detector.bin_mm, 0.5 * (self.side as f64 - 1.0));
        let line = |j: usize| {
            let span = &self.spans[transposed][j];
            let height = j as f64 - middle;
            let places = Places::new((detector.first_bin() - height * across) / along + middle, 1.0 / along);
            // One sample beside the span is zero and still counts for half of the way.
            let range = places.within(span.start.saturating_sub(1), span.end.min(self.side - 1), detector.bins);
            (Line { row: &self.planes[transposed][j * self.side..(j + 1) * self.side], places }, range)
        };
        let mut sums = vec![[0.0; N]; detector.bins];
        let rows: Vec<usize> = (0..self.side).filter(|&j| !self.spans[transposed][j].is_empty()).collect();
        for pair in rows.chunks(2) {
            let (first, reach) = line(pair[0]);
            let Some((second, other)) = pair.get(1).map(|&j| line(j)) else {
                add([first], reach, &mut sums);
                continue;
            };
            let shared = reach.start.max(other.start)..reach.end.min(other.end);
            if shared.is_empty() {
                add([first], reach, &mut sums);
                add([second], other, &mut sums);
                continue;
            }
            add([first, second], shared.clone(), &mut sums);
            for (line, range) in [(first, reach), (second, other)] {
                add([line], range.start..shared.start, &mut sums);
                add([line], shared.end..range.end, &mut sums);
            }
        }
        let length_mm = (pitch_mm / along.abs()) as f32;
        sums.iter().map(|sum| sum.map(|value| value * length_mm)).collect()
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

impl Pixels {
    /// Returns the radius of the circle that the scanner shows, mm: half of the image's longer side.
    pub(super) fn radius_mm(&self) -> f64 {
        0.5 * (self.size[0] as f64 * self.spacing_mm[0]).max(self.size[1] as f64 * self.spacing_mm[1])
    }

    /// Returns the pixels of a row whose centres lie in the circle.
    pub(super) fn row_in_circle(&self, y: usize) -> Range<usize> {
        let away_mm = self.first_mm[1] + y as f64 * self.spacing_mm[1];
        let half_mm = (self.radius_mm() * self.radius_mm() - away_mm * away_mm).max(0.0).sqrt();
        let pixel = |mm: f64| ((mm - self.first_mm[0]) / self.spacing_mm[0]).clamp(0.0, self.size[0] as f64);
        pixel(-half_mm).ceil() as usize..(pixel(half_mm).floor() as usize + 1).min(self.size[0])
    }
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
        let [water, bone, iron] = maps;
        let rays = (Rays::of([water, bone]), Rays::of([iron]));
        let pairs: Vec<[Vec<f32>; 2]> = (0..self.detector.views.div_ceil(2))
            .into_par_iter()
            .map(|pair| {
                let view = |view: usize| {
                    if view < self.detector.views { self.view(&rays, seed, z, view) } else { Vec::new() }
                };
                let first = view(2 * pair);
                let mut second = view(2 * pair + 1);
                second.resize(first.len(), 0.0);
                self.filter.apply(&first, &second)
            })
            .collect();
        let views: Vec<Vec<Sample<1>>> =
            pairs.iter().flatten().take(self.detector.views).map(|view| samples([view])).collect();
        self.back_project(&views)
    }

    /// Returns one measured view after the water correction.
    fn view(&self, (tissue, metal): &(Rays<2>, Rays<1>), seed: Seed, z: usize, view: usize) -> Vec<f64> {
        let direction = self.detector.direction(view);
        let (tissue, metal) = (tissue.project(&self.detector, direction), metal.project(&self.detector, direction));
        let areal: Vec<[f32; 3]> =
            tissue.iter().zip(&metal).map(|(&[water, bone], &[iron])| [water, bone, iron].map(|mm| 0.1 * mm)).collect();
        let arrived = self.beam.behind_each(&areal);
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

    /// Returns the image of filtered views: each pixel adds up what lies on the rays through it, four views at a time.
    /// Outside the circle that the square of the image holds there is nothing: the scanner pads it.
    fn back_project(&self, views: &[Vec<Sample<1>>]) -> Vec<f32> {
        let Pixels { size: [nx, ny], .. } = self.pixels;
        let directions: Vec<[f64; 2]> = (0..views.len()).map(|view| self.detector.direction(view)).collect();
        let weight = std::f64::consts::PI / views.len() as f64;
        let bands: Vec<Vec<f32>> = (0..ny.div_ceil(ROWS))
            .into_par_iter()
            .map(|band| {
                let rows = band * ROWS..((band + 1) * ROWS).min(ny);
                let mut sums = vec![[0.0_f32]; rows.len() * nx];
                for (views, directions) in views.chunks(TOGETHER).zip(directions.chunks(TOGETHER)) {
                    for (row, y) in sums.chunks_exact_mut(nx).zip(rows.clone()) {
                        self.add_views(views, directions, y, row);
                    }
                }
                let hu =
                    |[sum]: &[f32; 1]| (1000.0 * (f64::from(*sum) * weight / self.beam.water_per_mm() - 1.0)) as f32;
                sums.iter().map(hu).collect()
            })
            .collect();
        bands.concat()
    }

    /// Adds up to [`TOGETHER`] views to row `y` of the image.
    fn add_views(&self, views: &[Vec<Sample<1>>], directions: &[[f64; 2]], y: usize, sums: &mut [[f32; 1]]) {
        let Pixels { first_mm, spacing_mm, .. } = self.pixels;
        let y_mm = first_mm[1] + y as f64 * spacing_mm[1];
        let line = |k: usize| {
            let [cosine, sine] = directions[k];
            let first = (first_mm[0] * cosine + y_mm * sine) / self.detector.bin_mm - self.detector.first_bin();
            Line { row: &views[k], places: Places::new(first, spacing_mm[0] * cosine / self.detector.bin_mm) }
        };
        let range = self.pixels.row_in_circle(y);
        if views.len() == TOGETHER {
            add([line(0), line(1), line(2), line(3)], range, sums);
        } else {
            (0..views.len()).for_each(|k| add([line(k)], range.clone(), sums));
        }
    }
}
