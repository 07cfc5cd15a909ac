//! The noise of a scan, measured in its soft tissue and made again.

use crate::{numeric::Stream, volume::Volume};

/// Middle of the soft tissues, HU.
const SOFT_HU: f64 = 35.0;
/// Half of the window about it that is looked at first, HU.
const WINDOW_HU: f64 = 90.0;
/// Fewest pairs of voxels that say something.
const ENOUGH: u64 = 200;

/// Noise of a standard deviation whose neighbours in a slice are alike: white noise under `[a, 1, a]` along both axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Noise {
    /// Standard deviation, HU.
    pub(super) sd_hu: f64,
    /// The part `a` of a neighbour.
    part: f64,
}

impl Noise {
    /// Measures the noise by differences of soft voxels one and two steps apart along the rows: `1 - ρ₁` and `1 - ρ₂` times
    /// twice the variance, and both correlations follow from `a`. Without soft tissue there is no noise.
    pub(super) fn measure(ct: &Volume<f32>) -> Self {
        let mut noise = Self { sd_hu: 0.0, part: 0.0 };
        let mut window = WINDOW_HU;
        for _ in 0..3 {
            let Some([near, far]) = differences(ct, window) else {
                return noise;
            };
            let part = solve(near / far.max(1e-9));
            let [_, second] = correlations(part);
            noise = Self { sd_hu: (0.5 * far / (1.0 - second)).sqrt(), part };
            // Strong noise reaches out of the window: widen it, up to where bone and fat begin to count.
            window = (3.0 * noise.sd_hu).clamp(60.0, 350.0);
        }
        noise
    }

    /// Returns the correlation between neighbours.
    pub(super) fn neighbour(&self) -> f64 {
        correlations(self.part)[0]
    }

    /// Returns the noise of a slice, HU, rows of `width`.
    pub(super) fn slice(&self, len: usize, width: usize, stream: &mut Stream) -> Vec<f64> {
        let (wide, high) = (width + 2, len / width + 2);
        let white: Vec<f64> = (0..wide * high).map(|_| stream.normal()).collect();
        let a = self.part;
        let scale = self.sd_hu / (1.0 + 2.0 * a * a);
        let along = |i: usize| white[i] + a * (white[i - 1] + white[i + 1]);
        (0..len)
            .map(|i| {
                let middle = i % width + 1 + wide * (i / width + 1);
                scale * (along(middle) + a * (along(middle - wide) + along(middle + wide)))
            })
            .collect()
    }
}

/// Returns the mean squared difference of soft voxels one and two steps apart; none when there are few.
fn differences(ct: &Volume<f32>, window_hu: f64) -> Option<[f64; 2]> {
    let nx = ct.grid.size[0];
    let soft = |hu: f64| (hu - SOFT_HU).abs() < window_hu;
    let (mut sums, mut count) = ([0.0; 2], 0_u64);
    for row in ct.data.chunks_exact(nx) {
        for trio in row.windows(3) {
            let [a, b, c] = [trio[0], trio[1], trio[2]].map(f64::from);
            if soft(a) && soft(b) && soft(c) {
                let near = 0.5 * ((a - b) * (a - b) + (b - c) * (b - c));
                sums = [sums[0] + near, sums[1] + (a - c) * (a - c)];
                count += 1;
            }
        }
    }
    (count >= ENOUGH).then(|| sums.map(|sum| sum / count as f64))
}

/// Returns the correlations one and two steps apart under `[a, 1, a]`.
fn correlations(a: f64) -> [f64; 2] {
    let all = 1.0 + 2.0 * a * a;
    [2.0 * a / all, a * a / all]
}

/// Returns `a` from the ratio of the mean squared differences, by halving; it falls as `a` grows to 0.7.
fn solve(ratio: f64) -> f64 {
    let (mut low, mut high) = (0.0, 0.7);
    for _ in 0..40 {
        let a = 0.5 * (low + high);
        let [first, second] = correlations(a);
        if (1.0 - first) / (1.0 - second) > ratio { low = a } else { high = a }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        numeric::Seed,
        space::{DVec3, Grid},
    };

    #[test]
    fn noise_is_measured_as_it_was_made() {
        for made in [Noise { sd_hu: 12.0, part: 0.3 }, Noise { sd_hu: 45.0, part: 0.05 }] {
            let slice = made.slice(128 * 128, 128, &mut Seed([6; 32]).stream("noise", 0));
            let data = slice.iter().map(|n| (35.0 + n) as f32).collect();
            let ct = Volume { grid: Grid::aligned([128, 128, 1], DVec3::ONE), data };
            let found = Noise::measure(&ct);
            assert!((found.sd_hu / made.sd_hu - 1.0).abs() < 0.06, "{found:?} against {made:?}");
            assert!((found.neighbour() - made.neighbour()).abs() < 0.06, "{found:?} against {made:?}");
        }
    }

    #[test]
    fn a_scan_without_soft_tissue_has_none() {
        let ct = Volume::filled(Grid::aligned([64, 64, 1], DVec3::ONE), -1000.0);
        assert_eq!(Noise::measure(&ct).sd_hu, 0.0);
    }
}
