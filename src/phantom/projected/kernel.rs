//! The reconstruction kernel: the ramp of filtered back-projection times a window that decides sharpness and noise.

use super::{
    fourier::{Complex, Fourier},
    protocol::Kernel,
};

impl Kernel {
    /// Returns the frequency at which the window ends, per mm, for pixels of a size: larger pixels take less detail.
    pub(super) fn cut_per_mm(self, pixel_mm: f64) -> f64 {
        let own: f64 = match self {
            Self::Soft => 0.9,
            Self::Bone => 2.6,
        };
        own.min(1.0 / pixel_mm)
    }
}

/// Returns the Hann window at a frequency: 1 at 0, one half at half of `cut_per_mm`, 0 from there on.
pub(super) fn window(per_mm: f64, cut_per_mm: f64) -> f64 {
    if per_mm >= cut_per_mm { 0.0 } else { 0.5 + 0.5 * libm::cos(std::f64::consts::PI * per_mm / cut_per_mm) }
}

/// The filter of one detector and kernel.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    fourier: Fourier,
    /// What each frequency is multiplied by, 1/mm; the transform's own factor included.
    response: Vec<f64>,
}

impl Filter {
    /// Returns the filter for views of `bins` bins.
    ///
    /// The ramp is sampled in space and then transformed (Kak and Slaney, "Principles of Computerized Tomographic
    /// Imaging", 1988, equation 61 of chapter 3): sampled in frequency it would shift the mean.
    pub(super) fn new(bins: usize, bin_mm: f64, cut_per_mm: f64) -> Self {
        // Twice the length: no view wraps around into itself.
        let fourier = Fourier::at_least(2 * bins);
        let n = fourier.len();
        let mut ramp: Vec<Complex> = (0..n)
            .map(|i| {
                let away = i.min(n - i) as f64;
                let height = match i {
                    0 => 0.25,
                    _ if i % 2 == 1 => -1.0 / (std::f64::consts::PI * std::f64::consts::PI * away * away),
                    _ => 0.0,
                };
                [height / bin_mm, 0.0]
            })
            .collect();
        fourier.forward(&mut ramp);
        let frequency = |i: usize| i.min(n - i) as f64 / (n as f64 * bin_mm);
        let response = (0..n).map(|i| ramp[i][0] * window(frequency(i), cut_per_mm) / n as f64).collect();
        Self { fourier, response }
    }

    /// Filters two views at once, per mm: the filter is real, so one is the real part and the other the imaginary part.
    pub(super) fn apply(&self, first: &[f64], second: &[f64]) -> [Vec<f32>; 2] {
        let mut values = vec![[0.0; 2]; self.fourier.len()];
        for ((value, &a), &b) in values.iter_mut().zip(first).zip(second) {
            *value = [a, b];
        }
        self.fourier.forward(&mut values);
        for (value, response) in values.iter_mut().zip(&self.response) {
            *value = [value[0] * response, value[1] * response];
        }
        self.fourier.backward(&mut values);
        let part = |which: usize| values[..first.len()].iter().map(|value| value[which] as f32).collect();
        [part(0), part(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_halves_where_it_says() {
        assert_eq!(window(0.0, 0.9), 1.0);
        assert!((window(0.45, 0.9) - 0.5).abs() < 1e-12);
        assert_eq!(window(0.9, 0.9), 0.0);
        assert!(Kernel::Bone.cut_per_mm(0.45) > 2.0 * Kernel::Soft.cut_per_mm(0.45));
        assert_eq!(Kernel::Bone.cut_per_mm(2.0), 0.5);
    }

    #[test]
    fn a_wave_is_multiplied_by_its_frequency() {
        // A long cosine of 0.1 per mm under the ramp alone (a far cut): 0.1 times itself, away from the ends.
        let wave: Vec<f64> = (0..800).map(|i| (std::f64::consts::TAU * 0.1 * f64::from(i) * 0.5).cos()).collect();
        let [filtered, other] = Filter::new(800, 0.5, 1e9).apply(&wave, &[0.0; 800]);
        for i in 350..450 {
            assert!((f64::from(filtered[i]) - 0.1 * wave[i]).abs() < 1e-3, "{} at {i}", filtered[i]);
            assert!(other[i].abs() < 1e-6);
        }
    }
}
