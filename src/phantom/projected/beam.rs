//! The beam: its spectrum, what is left of it behind water, bone and metal, and the water correction.
//!
//! An energy-integrating detector adds up the energy of the photons that arrive. Soft photons are lost first, so the
//! signal falls more slowly than exponentially with depth (beam hardening); a polynomial, fitted to depths of water, makes
//! its logarithm proportional to depth again. Where there is bone or metal the polynomial is wrong: that error stays in
//! the images, as in real ones.

use super::material::{aluminium_per_mm, attenuation_cm2_g};

/// Width of an energy bin, keV: projections differ by less than a thousandth from those of the finest bins.
const BIN_KEV: f64 = 8.0;
/// The least energy that passes the filters in a number that matters, keV.
const LOWEST_KEV: f64 = 20.0;
/// Depths of water that the correction is fitted to reach up to this, g/cm².
const DEEPEST: f64 = 40.0;
/// Depths that the correction is fitted to.
const DEPTHS: usize = 81;
/// Terms of the correction, from the first power on.
const TERMS: usize = 5;
/// Depth of water at which an uncorrected image shows water as 0 HU, g/cm².
const UNCORRECTED_DEPTH: f64 = 20.0;

/// Bins of a view that are looked at together.
const LANES: usize = 8;

/// One energy bin.
#[derive(Clone, Copy, Debug)]
struct Bin {
    kev: f64,
    /// Share of the photons that leave the tube's filter.
    share: f64,
    /// Water, bone, iron; cm²/g.
    attenuation: [f64; 3],
}

/// What arrives behind an object, per photon that left the filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrived {
    /// Mean of the detected energy, keV.
    pub(super) energy: f64,
    /// Mean of the squared energy, keV²: the variance of the sum of a Poisson number of photons.
    pub(super) energy_squared: f64,
}

/// The beam of a tube voltage and filter.
#[derive(Clone, Debug)]
pub(super) struct Beam {
    bins: Vec<Bin>,
    /// Signal without an object.
    open: Arrived,
    /// Coefficients of the first to the last power, or the one factor of an uncorrected image.
    correction: Vec<f64>,
    /// Linear attenuation of water in the corrected projections, 1/cm.
    water_per_cm: f64,
}

impl Beam {
    /// Returns the beam of a tube voltage behind a filter, with or without the water correction.
    ///
    /// Spectrum: Kramers' law for the photons of a thick target (number per energy proportional to `kvp / E - 1`), without
    /// the characteristic lines, weakened by aluminium.
    pub(super) fn new(kvp: f64, filter_mm: f64, water_correction: bool) -> Self {
        Self::binned(kvp, filter_mm, water_correction, BIN_KEV)
    }

    fn binned(kvp: f64, filter_mm: f64, water_correction: bool, bin_kev: f64) -> Self {
        let count = ((kvp - LOWEST_KEV) / bin_kev).ceil().max(1.0) as usize;
        let mut bins: Vec<Bin> = (0..count)
            .map(|i| {
                let kev = LOWEST_KEV + (kvp - LOWEST_KEV) * (i as f64 + 0.5) / count as f64;
                let share = (kvp / kev - 1.0) * libm::exp(-aluminium_per_mm(kev) * filter_mm);
                Bin { kev, share, attenuation: attenuation_cm2_g(kev) }
            })
            .collect();
        let total: f64 = bins.iter().map(|bin| bin.share).sum();
        for bin in &mut bins {
            bin.share /= total;
        }
        Self::from_bins(bins, water_correction)
    }

    /// Returns a beam of one energy: the case with closed answers.
    #[cfg(test)]
    pub(super) fn single(kev: f64) -> Self {
        Self::from_bins(vec![Bin { kev, share: 1.0, attenuation: attenuation_cm2_g(kev) }], true)
    }

    fn from_bins(bins: Vec<Bin>, water_correction: bool) -> Self {
        let mut beam = Self {
            bins,
            open: Arrived { energy: 0.0, energy_squared: 0.0 },
            correction: Vec::new(),
            water_per_cm: 0.0,
        };
        beam.open = beam.behind([0.0; 3]);
        // Water's attenuation in the image is that of the unhardened beam's mean where it matters: behind the first 20 cm.
        beam.water_per_cm = beam.raw([UNCORRECTED_DEPTH, 0.0, 0.0]) / UNCORRECTED_DEPTH;
        beam.correction = if water_correction { beam.fit() } else { vec![1.0] };
        beam
    }

    /// Returns what arrives behind areal densities of water, bone and iron, g/cm².
    pub(super) fn behind(&self, areal: [f64; 3]) -> Arrived {
        let (mut energy, mut energy_squared) = (0.0, 0.0);
        for bin in &self.bins {
            let [water, bone, iron] = bin.attenuation;
            let left = bin.share * libm::exp(-(water * areal[0] + bone * areal[1] + iron * areal[2]));
            energy += bin.kev * left;
            energy_squared += bin.kev * bin.kev * left;
        }
        Arrived { energy, energy_squared }
    }

    /// Returns what arrives in each bin of a view: [`Beam::behind`] in single precision, eight bins at a time.
    ///
    /// Off by a few millionths, a hundredth of what a million photons are unsure of.
    pub(super) fn behind_each(&self, areal: &[[f32; 3]]) -> Vec<Arrived> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just found.
            #[expect(unsafe_code, reason = "the same steps in the lanes that the machine has")]
            return unsafe { self.behind_each_wide(areal) };
        }
        self.behind_each_plain(areal)
    }

    /// The same steps, and the same bits: nothing is fused.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn behind_each_wide(&self, areal: &[[f32; 3]]) -> Vec<Arrived> {
        self.behind_each_plain(areal)
    }

    #[inline(always)]
    fn behind_each_plain(&self, areal: &[[f32; 3]]) -> Vec<Arrived> {
        let bins: Vec<([f32; 3], f32, f32)> = self
            .bins
            .iter()
            .map(|bin| {
                let energy = bin.kev * bin.share;
                (bin.attenuation.map(|value| -value as f32), energy as f32, (bin.kev * energy) as f32)
            })
            .collect();
        let mut all = Vec::with_capacity(areal.len());
        for chunk in areal.chunks(LANES) {
            if chunk.iter().all(|densities| *densities == [0.0; 3]) {
                all.extend(chunk.iter().map(|_| self.open));
                continue;
            }
            let mut lanes = [[0.0_f32; LANES]; 3];
            for (lane, densities) in chunk.iter().enumerate() {
                (0..3).for_each(|material| lanes[material][lane] = densities[material]);
            }
            let (mut energy, mut squared) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            // Few rays meet metal; for the others adding its zero would change no bit.
            let metal = lanes[2] != [0.0; LANES];
            for ([water, bone, iron], weight, weight_squared) in &bins {
                let mut depth: [f32; LANES] =
                    std::array::from_fn(|lane| water * lanes[0][lane] + bone * lanes[1][lane]);
                if metal {
                    (0..LANES).for_each(|lane| depth[lane] += iron * lanes[2][lane]);
                }
                let left = depth.map(exp);
                (0..LANES).for_each(|lane| energy[lane] += weight * left[lane]);
                (0..LANES).for_each(|lane| squared[lane] += weight_squared * left[lane]);
            }
            all.extend(chunk.iter().enumerate().map(|(lane, densities)| match densities {
                [0.0, 0.0, 0.0] => self.open,
                _ => Arrived { energy: f64::from(energy[lane]), energy_squared: f64::from(squared[lane]) },
            }));
        }
        all
    }

    /// Returns the signal without an object, keV per photon.
    pub(super) const fn open(&self) -> Arrived {
        self.open
    }

    /// Returns minus the logarithm of the signal's share behind areal densities: a projection before correction.
    pub(super) fn raw(&self, areal: [f64; 3]) -> f64 {
        -libm::log(self.behind(areal).energy / self.open.energy)
    }

    /// Returns the projection that a measured one stands for after the water correction.
    pub(super) fn corrected(&self, raw: f64) -> f64 {
        self.correction.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * raw)
    }

    /// Returns the slope of the correction: by how much it enlarges a small error.
    #[cfg(test)]
    pub(super) fn correction_slope(&self, raw: f64) -> f64 {
        let powers = self.correction.iter().enumerate().rev();
        powers.fold(0.0, |sum, (i, coefficient)| sum * raw + (i as f64 + 1.0) * coefficient)
    }

    /// Returns the attenuation of water that the images are scaled by, 1/mm.
    pub(super) const fn water_per_mm(&self) -> f64 {
        self.water_per_cm / 10.0
    }

    /// Returns the polynomial without a constant that maps projections of water to depth times its attenuation, by least
    /// squares over the depths, each weighted by one over its square: the relative error counts.
    fn fit(&self) -> Vec<f64> {
        let mut normal = [[0.0; TERMS + 1]; TERMS];
        let deepest = self.raw([DEEPEST, 0.0, 0.0]);
        for step in 1..=DEPTHS {
            let depth = DEEPEST * step as f64 / DEPTHS as f64;
            // In units of the deepest projection the equations are well scaled.
            let x = self.raw([depth, 0.0, 0.0]) / deepest;
            let wanted = self.water_per_cm * depth / deepest;
            for (i, row) in normal.iter_mut().enumerate() {
                for (j, sum) in row[..TERMS].iter_mut().enumerate() {
                    *sum += power(x, i + 1) * power(x, j + 1) / (wanted * wanted);
                }
                row[TERMS] += power(x, i + 1) / wanted;
            }
        }
        let scaled = solve(normal);
        (0..TERMS).map(|i| scaled[i] / power(deepest, i)).collect()
    }
}

/// Returns e to the power of a number that is not positive, within a few millionths; below -80 the power at -80.
///
/// `x = n ln 2 + r`, n in the last bits of a rounded number, a polynomial for e^r, and only `+ *` without a fused form: what every machine has in its widest
/// lanes, with the same bits.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding and taking away this rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > -80.0 { x } else { -80.0 };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * 0.693_145_75) - n * 1.428_606_8e-6;
    let tail = 0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))));
    (1.0 + r * (1.0 + r * tail)) * f32::from_bits((127_u32 << 23).wrapping_add(rounded.to_bits() << 23))
}

fn power(x: f64, n: usize) -> f64 {
    (0..n).fold(1.0, |product, _| product * x)
}

/// Solves a positive definite system by elimination.
fn solve(mut rows: [[f64; TERMS + 1]; TERMS]) -> [f64; TERMS] {
    for pivot in 0..TERMS {
        for row in pivot + 1..TERMS {
            let factor = rows[row][pivot] / rows[pivot][pivot];
            let (above, below) = rows.split_at_mut(row);
            for (value, above) in below[0][pivot..].iter_mut().zip(&above[pivot][pivot..]) {
                *value -= factor * above;
            }
        }
    }
    let mut found = [0.0; TERMS];
    for row in (0..TERMS).rev() {
        let known: f64 = (row + 1..TERMS).map(|column| rows[row][column] * found[column]).sum();
        found[row] = (rows[row][TERMS] - known) / rows[row][row];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_energy_gives_the_exponential_law() {
        let beam = Beam::single(60.0);
        assert!((beam.raw([10.0, 2.0, 0.5]) - (2.059 + 0.6296 + 0.6025)).abs() < 1e-12);
        assert!((beam.corrected(1.7) - 1.7).abs() < 1e-9, "nothing to correct: {}", beam.corrected(1.7));
        assert!((beam.water_per_mm() - 0.02059).abs() < 1e-12);
    }

    #[test]
    fn the_beam_hardens_and_the_correction_undoes_it() {
        let beam = Beam::new(120.0, 7.0, true);
        let depth = |d: f64| beam.raw([d, 0.0, 0.0]);
        assert!(depth(1.0) > 1.06 * depth(20.0) / 20.0, "the first centimetre takes more");
        for d in [0.5, 2.0, 7.0, 13.0, 20.0, 28.0, 39.0] {
            let relative = beam.corrected(depth(d)) / (10.0 * beam.water_per_mm() * d) - 1.0;
            assert!(relative.abs() < 5e-4, "{d} cm of water: off by {relative:.2e}");
        }
        let step = 1e-5;
        let slope = (beam.corrected(3.0 + step) - beam.corrected(3.0 - step)) / (2.0 * step);
        assert!((slope - beam.correction_slope(3.0)).abs() < 1e-6);
        // The energy that water's attenuation stands for: between 60 and 75 keV for a head at 120 kVp.
        assert!((0.0190..0.0206).contains(&beam.water_per_mm()), "{} per mm", beam.water_per_mm());
    }

    #[test]
    fn the_energy_bins_are_fine_enough() {
        for (kvp, filter_mm) in [(100.0, 6.0), (120.0, 5.0), (140.0, 8.0)] {
            let [coarse, fine] = [BIN_KEV, 0.1].map(|bin_kev| Beam::binned(kvp, filter_mm, true, bin_kev));
            for areal in [[1.0, 0.0, 0.0], [35.0, 0.0, 0.0], [16.0, 2.0, 0.0], [16.0, 6.0, 0.0], [10.0, 10.0, 0.0]] {
                let shown = [&coarse, &fine].map(|beam| beam.corrected(beam.raw(areal)) / beam.water_per_cm);
                let relative = shown[0] / shown[1] - 1.0;
                assert!(relative.abs() < 1e-3, "{kvp} kV behind {areal:?}: off by {relative:.1e}");
            }
        }
    }

    #[test]
    fn all_bins_of_a_view_receive_what_one_would() {
        let beam = Beam::new(120.0, 7.0, true);
        let areal: Vec<[f32; 3]> =
            (0..301_u16).map(|i| [f32::from(i) * 0.1, f32::from(i % 13) * 0.4, f32::from(i % 7 / 6) * 2.0]).collect();
        for (each, densities) in beam.behind_each(&areal).iter().zip(&areal) {
            let one = beam.behind(densities.map(f64::from));
            assert!((each.energy / one.energy - 1.0).abs() < 1e-5, "{densities:?}");
            assert!((each.energy_squared / one.energy_squared - 1.0).abs() < 1e-5, "{densities:?}");
        }
        assert_eq!(beam.behind_each(&[[0.0; 3]]), [beam.open()]);
        assert_eq!(beam.behind_each(&areal), beam.behind_each_plain(&areal), "the same bits in lanes of any width");
    }

    #[test]
    fn more_voltage_is_harder() {
        let water = |kvp| Beam::new(kvp, 7.0, true).water_per_mm();
        assert!(water(80.0) > water(100.0) && water(100.0) > water(120.0) && water(120.0) > water(140.0));
    }
}
