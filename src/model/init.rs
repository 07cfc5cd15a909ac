//! Initial weights, drawn on the host from our own streams.

use super::{dilations::Preset, msdnet::Architecture};
use crate::numeric::Seed;

/// Returns the standard deviation of the initial weights of a layer, counted from 0.
///
/// `sqrt(2 / (9 n + classes))` (He et al. 2015, with the output's fan): n is the number of maps that the last layer reads
/// under `public`, that this layer reads under `v0.5`.
#[must_use]
pub fn standard_deviation(net: &Architecture, layer: usize) -> f64 {
    let inputs = match net.preset {
        Preset::Public => net.inputs(net.depth - 1),
        Preset::V05 => net.inputs(layer),
    };
    (2.0 / (9 * inputs + net.classes) as f64).sqrt()
}

/// Returns the parameters before the first step: normal convolution weights; biases and output layer zero, so that every
/// class is equally probable and the first loss is ln(classes).
#[must_use]
pub fn initial_parameters(net: &Architecture, seed: Seed) -> Vec<f32> {
    let mut parameters = vec![0.0; net.parameter_count()];
    for map in 0..net.maps() {
        let mut stream = seed.stream("initial weights", map as u64);
        let deviation = standard_deviation(net, map / net.width);
        for weight in &mut parameters[net.weight_range(map)] {
            *weight = (deviation * stream.normal()) as f32;
        }
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::border::Border;

    fn network(preset: Preset) -> Architecture {
        Architecture { preset, depth: 100, width: 1, input_channels: 1, classes: 2, border: Border::Symmetric }
    }

    #[test]
    fn deviations_are_those_of_the_sources() {
        assert!((standard_deviation(&network(Preset::Public), 0) - 0.047_088_2).abs() < 1e-7);
        assert!((standard_deviation(&network(Preset::V05), 0) - 0.426_401).abs() < 1e-6);
    }

    #[test]
    fn weights_have_the_deviation_and_the_rest_is_zero() {
        let net = network(Preset::Public);
        let parameters = initial_parameters(&net, Seed([3; 32]));
        let weights = &parameters[..net.bias_range().start];
        let variance = weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>() / weights.len() as f64;
        assert!((variance.sqrt() / 0.047_088_2 - 1.0).abs() < 0.02, "{variance}");
        assert!(parameters[net.bias_range().start..].iter().all(|&p| p == 0.0));
    }
}
