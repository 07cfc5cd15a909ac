//! How fast this machine runs the network: a short measurement by which the cost of a study is foretold.
//!
//! A constant would be wrong by ten times between a processor with AVX-512 and one without, and after each better kernel.
//! Nothing that is recorded depends on it.

use std::{
    hint::black_box,
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{
    border::Border,
    dilations::Preset,
    init::initial_parameters,
    kernels::{self, InputGradient, Size},
    msdnet::Architecture,
};
use crate::numeric::Seed;

/// Operations a second on one core; a multiply-add counts as two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Of a forward pass.
    pub forward: f64,
    /// Of a training step: forward, loss and backward, which is three times the work of forward.
    pub step: f64,
}

/// Rates with AVX2 at 2.5 GHz, where nothing could be measured.
const GUESS: Speed = Speed { forward: 40e9, step: 30e9 };
/// Deep enough to stream its maps like the study's network, on few enough pixels to be done in some milliseconds.
const DEPTH: usize = 60;
const SIZE: Size = Size { rows: 48, columns: 256 };
/// Rounds, of which the fastest counts: what else the machine does only ever slows it down.
const ROUNDS: usize = 3;
/// No new round begins after this.
const ENOUGH: Duration = Duration::from_millis(60);

/// Returns this machine's speed, measured on one core at the first call (20 to 100 ms, by instruction set).
#[must_use]
pub fn speed() -> Speed {
    static MEASURED: OnceLock<Speed> = OnceLock::new();
    *MEASURED.get_or_init(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        pool.map_or(GUESS, |pool| pool.install(measure))
    })
}

fn measure() -> Speed {
    let (preset, border) = (Preset::Public, Border::Symmetric);
    let net = Architecture { preset, depth: DEPTH, width: 1, input_channels: 1, classes: 2, border };
    let parameters = initial_parameters(&net, Seed([0; 32]));
    let mut noise = Seed([1; 32]).stream("speed", 0);
    let image: Vec<f32> = (0..SIZE.pixels()).map(|_| noise.unit() as f32).collect();
    let target: Vec<u8> = image.iter().map(|&value| u8::from(value > 0.5)).collect();
    let (begun, simd) = (Instant::now(), kernels::active());
    let (mut forward_s, mut step_s) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let (maps, logits) = kernels::forward(&image, SIZE, &parameters, &net, simd);
        forward_s = forward_s.min(start.elapsed().as_secs_f64());
        let (_, gradient) = kernels::nll(&logits, &target, simd);
        let gradients = kernels::backward(&maps, &parameters, &gradient, &net, (InputGradient::Skipped, simd));
        step_s = step_s.min(start.elapsed().as_secs_f64());
        // The work must not be seen to be for nothing.
        black_box((&maps, &gradients));
        if begun.elapsed() > ENOUGH {
            break;
        }
    }
    let operations = 2.0 * (net.multiply_adds_per_pixel() * SIZE.pixels()) as f64;
    let rate = |work: f64, seconds: f64| if seconds > 0.0 { work / seconds } else { f64::INFINITY };
    Speed { forward: rate(operations, forward_s), step: rate(3.0 * operations, step_s) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_short_and_plausible() {
        let begun = Instant::now();
        let first = speed();
        println!("{first:?} in {:?}", begun.elapsed());
        assert!([first.forward, first.step].iter().all(|rate| (1e7..1e13).contains(rate)), "{first:?}");
        assert_eq!(speed(), first, "measured once");
    }
}
