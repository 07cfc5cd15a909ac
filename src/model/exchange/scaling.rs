//! The affine layer in front of a `msd_pytorch` network, and our clamp, mean and standard deviation in its place.
//!
//! ```text
//! theirs   z = A u + b,  u = scale HU + offset            ours   z = (clamp(HU) - mean) / std
//! ```
//! With A = a I and equal b this is mean = -(b / a + offset) / scale and std = 1 / (a scale), computed in f64 and rounded to
//! f32 once. Anything else that A does is multiplied into the weights that read the image: a reflected border commutes with
//! it, because it acts on each pixel alone.

use super::state::ImportOptions;
use crate::{
    fault::{Fault, Result},
    model::{Architecture, normalise::Normalisation},
};

/// A [channels][channels] matrix and a vector.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    matrix: Vec<f64>,
    shift: Vec<f64>,
}

impl Scaling {
    /// Returns the scaling.
    ///
    /// # Errors
    /// Unfit when it is not finite, or its first channel is multiplied by zero.
    pub(super) fn new(matrix: Vec<f64>, shift: Vec<f64>) -> Result<Self> {
        let finite = matrix.iter().chain(&shift).all(|value| value.is_finite());
        if !finite || matrix.first().is_none_or(|&first| first == 0.0) || shift.is_empty() {
            return Err(Fault::unfit("the checkpoint's input scaling (`0.weight`, `0.bias`) cannot be used"));
        }
        Ok(Self { matrix, shift })
    }

    /// Returns whether a model with these constants would be written with this scaling: no one changed it since.
    pub(super) fn agrees_with(&self, constants: &Normalisation) -> bool {
        let scale = 1.0 / f64::from(constants.std_hu);
        let shift = (-f64::from(constants.mean_hu) * scale) as f32;
        let fits = |value: f64, wanted: f32| value == f64::from(wanted);
        self.is_uniform() && fits(self.matrix[0], scale as f32) && fits(self.shift[0], shift)
    }

    /// Whether all channels are scaled alike and none reads another.
    fn is_uniform(&self) -> bool {
        let channels = self.shift.len();
        let wanted = |i: usize| if i.is_multiple_of(channels + 1) { self.matrix[0] } else { 0.0 };
        self.matrix.iter().enumerate().all(|(i, &value)| value == wanted(i))
            && self.shift.iter().all(|&value| value == self.shift[0])
    }

    /// Returns our constants for the first channel's scaling.
    ///
    /// # Errors
    /// Usage when the scale from HU is zero or the range empty.
    pub(super) fn constants(&self, [scale, offset]: [f64; 2], clamp_hu: [f32; 2]) -> Result<Normalisation> {
        let mean_hu = (-(self.shift[0] / self.matrix[0] + offset) / scale) as f32;
        let std_hu = (1.0 / (self.matrix[0] * scale)).abs() as f32;
        let constants = Normalisation { clamp_hu, mean_hu, std_hu };
        constants.check().map_err(|_| {
            Fault::usage(format!(
                "clamping to {clamp_hu:?}, mean {mean_hu} and standard deviation {std_hu} are no usable constants"
            ))
        })?;
        Ok(constants)
    }

    /// Returns what a person should know of the constants.
    pub(super) fn notes(&self, constants: &Normalisation, options: &ImportOptions) -> Vec<String> {
        let Normalisation { clamp_hu: [low, high], mean_hu, std_hu } = *constants;
        let mut notes = vec![format!(
            "mean {mean_hu} and standard deviation {std_hu} HU follow from the input's scaling, rounded to single precision"
        )];
        if options.clamp_hu.is_none() {
            notes.push(format!("the file does not clamp intensities: {low} to {high} HU is assumed (`--clamp-hu`)"));
        }
        if !(low..=high).contains(&mean_hu) || !(10.0..=5000.0).contains(&std_hu) {
            notes.push(
                "these do not look like Hounsfield units: was the network trained on other numbers? (`--from-hu SCALE,OFFSET`)"
                    .to_owned(),
            );
        }
        notes
    }

    /// Multiplies into the weights what the constants do not say, and returns whether there was anything.
    ///
    /// Our network sees `v = sign z_1` where `z_1 = a u + b_1` is the first channel's scaling; theirs needs
    /// `z_i = Σ_j (A_ij / a) sign v_j + (b_i - b_1 Σ_j A_ij / a)`.
    pub(super) fn fold(&self, net: &Architecture, parameters: &mut [f64], scale: f64) -> bool {
        let (channels, first) = (self.shift.len(), self.matrix[0]);
        let sign = if first * scale < 0.0 { -1.0 } else { 1.0 };
        if self.is_uniform() && sign > 0.0 {
            return false;
        }
        let gain = |i: usize, j: usize| sign * self.matrix[i * channels + j] / first;
        let rest = |i: usize| {
            let row = &self.matrix[i * channels..][..channels];
            self.shift[i] - self.shift[0] * row.iter().sum::<f64>() / first
        };
        // Each reader of the image: where its weights for channel i begin, how many a channel, and where its bias lies.
        let layers = (0..net.maps()).map(|map| (net.weight_range(map).start, 9, net.bias_range().start + map));
        let outputs = (0..net.classes).map(|class| {
            (net.head_weight_range().start + class * net.channels(), 1, net.head_bias_range().start + class)
        });
        for (start, taps, bias) in layers.chain(outputs) {
            let old = parameters[start..start + channels * taps].to_vec();
            for (i, weights) in old.chunks_exact(taps).enumerate() {
                parameters[bias] += rest(i) * weights.iter().sum::<f64>();
            }
            for (at, new) in parameters[start..start + channels * taps].iter_mut().enumerate() {
                let (j, tap) = (at / taps, at % taps);
                *new = (0..channels).map(|i| gain(i, j) * old[i * taps + tap]).sum();
            }
        }
        true
    }
}
