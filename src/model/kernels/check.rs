//! The kernels against a straightforward f64 computation, the documented chains in plain code, and each other.

use super::{Gradients, InputGradient, Simd, Size, backward, forward, nll, plain};
use crate::{
    model::{border::Border, dilations::Preset, msdnet::Architecture},
    numeric::{Seed, Stream},
};

pub(super) fn network(depth: usize, width: usize, input_channels: usize, border: Border) -> Architecture {
    Architecture { preset: Preset::Public, depth, width, input_channels, classes: 3, border }
}

/// Random parameters, image and target.
pub(super) fn example(net: &Architecture, size: Size, seed: u8) -> (Vec<f32>, Vec<f32>, Vec<u8>) {
    let mut stream = Seed([seed; 32]).stream("check", 0);
    let deviation = (2.0 / (9 * net.channels()) as f64).sqrt();
    let parameters = (0..net.parameter_count()).map(|_| (deviation * stream.normal()) as f32).collect();
    let image = (0..net.input_channels * size.pixels()).map(|_| stream.normal() as f32).collect();
    let target = (0..size.pixels()).map(|_| stream.below(net.classes as u64) as u8).collect();
    (parameters, image, target)
}

/// The network in f64 as its definition reads, pixel by pixel; a map's derivative is decided by the f32 maps, so that a
/// value that rounds to the other side of zero is not taken for an error.
struct Plain<'a> {
    net: &'a Architecture,
    size: Size,
    parameters: Vec<f64>,
    positive: &'a dyn Fn(usize, usize) -> bool,
}

impl Plain<'_> {
    /// Calls `f(earlier map, weight index, source pixel, output pixel)` for every product of a map.
    fn products(&self, map: usize, mut f: impl FnMut(usize, usize, usize, usize)) {
        let (layer, d) = (map / self.net.width, self.net.dilation(map / self.net.width) as isize);
        let Size { rows, columns } = self.size;
        for earlier in 0..self.net.inputs(layer) {
            for tap in 0..9 {
                let weight = self.net.weight_range(map).start + 9 * earlier + tap;
                for pixel in 0..self.size.pixels() {
                    let y = (pixel / columns) as isize + (tap as isize / 3 - 1) * d;
                    let x = (pixel % columns) as isize + (tap as isize % 3 - 1) * d;
                    let source = self.net.border.source(y, rows) * columns + self.net.border.source(x, columns);
                    f(earlier, weight, source, pixel);
                }
            }
        }
    }

    fn maps(&self, image: &[f32]) -> Vec<Vec<f64>> {
        let mut maps: Vec<Vec<f64>> =
            image.chunks(self.size.pixels()).map(|plane| plane.iter().map(|&v| f64::from(v)).collect()).collect();
        for map in 0..self.net.maps() {
            let mut plane = vec![self.parameters[self.net.bias_range()][map]; self.size.pixels()];
            self.products(map, |earlier, weight, source, pixel| {
                plane[pixel] += self.parameters[weight] * maps[earlier][source];
            });
            let channel = self.net.input_channels + map;
            let rectified = plane.iter().enumerate().map(|(i, &z)| if (self.positive)(channel, i) { z } else { 0.0 });
            maps.push(rectified.collect());
        }
        maps
    }

    /// Returns logits, and the gradients of parameters and input for the given gradients of the logits.
    fn run(&self, image: &[f32], logit_gradients: &[f32]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let (net, pixels) = (self.net, self.size.pixels());
        let maps = self.maps(image);
        let (weights, biases) = (net.head_weight_range(), net.head_bias_range());
        let mut logits = Vec::new();
        let mut own = vec![0.0; net.parameter_count()];
        let mut gradients = vec![vec![0.0; pixels]; net.channels()];
        for class in 0..net.classes {
            let weight = |channel: usize| weights.start + class * net.channels() + channel;
            for pixel in 0..pixels {
                let terms = maps.iter().enumerate().map(|(c, map)| self.parameters[weight(c)] * map[pixel]);
                logits.push(self.parameters[biases.start + class] + terms.sum::<f64>());
                let upstream = f64::from(logit_gradients[class * pixels + pixel]);
                own[biases.start + class] += upstream;
                for (c, map) in maps.iter().enumerate() {
                    own[weight(c)] += upstream * map[pixel];
                    gradients[c][pixel] += upstream * self.parameters[weight(c)];
                }
            }
        }
        for map in (0..net.maps()).rev() {
            let channel = net.input_channels + map;
            let delta: Vec<f64> =
                (0..pixels).map(|i| if (self.positive)(channel, i) { gradients[channel][i] } else { 0.0 }).collect();
            own[net.bias_range().start + map] = delta.iter().sum();
            self.products(map, |earlier, weight, source, pixel| {
                own[weight] += delta[pixel] * maps[earlier][source];
                gradients[earlier][source] += delta[pixel] * self.parameters[weight];
            });
        }
        (logits, own, gradients[..net.input_channels].concat())
    }
}

/// Returns the largest difference over the largest value.
pub(super) fn difference(ours: &[f32], truth: &[f64]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let largest = truth.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = ours.iter().zip(truth).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
    if worst == 0.0 { 0.0 } else { worst / largest }
}

/// Runs forward, loss and backward.
fn run(net: &Architecture, size: Size, seed: u8, simd: Simd) -> (Vec<f32>, f64, Gradients) {
    let (parameters, image, target) = example(net, size, seed);
    let (maps, logits) = forward(&image, size, &parameters, net, simd);
    let (loss, upstream) = nll(&logits, &target, simd);
    let gradients = backward(&maps, &parameters, &upstream, net, (InputGradient::Wanted, simd));
    (logits, loss, gradients)
}

#[test]
fn outputs_and_gradients_equal_an_f64_computation() {
    let cases = [
        (network(1, 1, 1, Border::Symmetric), Size { rows: 1, columns: 1 }),
        (network(30, 1, 1, Border::Symmetric), Size { rows: 37, columns: 45 }),
        (network(12, 1, 3, Border::Reflect), Size { rows: 41, columns: 11 }),
        (network(11, 2, 2, Border::Symmetric), Size { rows: 10, columns: 70 }),
        (network(3, 3, 1, Border::Reflect), Size { rows: 65, columns: 4 }),
    ];
    let mut worst = 0.0_f64;
    for (seed, (net, size)) in (1..).zip(cases) {
        let simd = Simd::best();
        let (parameters, image, target) = example(&net, size, seed);
        let (maps, logits) = forward(&image, size, &parameters, &net, simd);
        let (_, upstream) = nll(&logits, &target, simd);
        let ours = backward(&maps, &parameters, &upstream, &net, (InputGradient::Wanted, simd));
        let planes: Vec<Vec<f32>> = (0..net.channels()).map(|channel| maps.plane(channel)).collect();
        let positive = |channel: usize, pixel: usize| planes[channel][pixel] > 0.0;
        let parameters = parameters.iter().map(|&p| f64::from(p)).collect();
        let plain = Plain { net: &net, size, parameters, positive: &positive };
        let (true_logits, own, input) = plain.run(&image, &upstream);
        let mut check = |name: &str, ours: &[f32], truth: &[f64]| {
            let error = difference(ours, truth);
            assert!(error <= 1e-5, "{name} of {net:?} at {size:?}: {error:e}");
            worst = worst.max(error);
        };
        check("logits", &logits, &true_logits);
        check("input gradient", &ours.input.unwrap(), &input);
        let tensors = (0..net.maps()).map(|map| net.weight_range(map));
        for range in tensors.chain([net.bias_range(), net.head_weight_range(), net.head_bias_range()]) {
            check("parameter gradient", &ours.parameters[range.clone()], &own[range]);
        }
    }
    println!("largest difference over largest value: {worst:.2e}");
}

#[test]
fn the_loss_equals_an_f64_computation() {
    let logits = [2.5_f32, -40.0, 0.1, -1.0, 30.0, 0.2];
    let (loss, gradient) = nll(&logits, &[0, 1, 1], Simd::best());
    let probability = |pixel: usize, class: usize| {
        let at = |class: usize| f64::from(logits[class * 3 + pixel]);
        1.0 / (1.0 + (at(1 - class) - at(class)).exp())
    };
    let truth = -(probability(0, 0).ln() + probability(1, 1).ln() + probability(2, 1).ln()) / 3.0;
    assert!((loss - truth).abs() < 1e-7, "{loss} {truth}");
    assert!((f64::from(gradient[0]) - (probability(0, 0) - 1.0) / 3.0).abs() < 1e-7);
    assert!((f64::from(gradient[3]) - probability(0, 1) / 3.0).abs() < 1e-7);
}

/// A network and a slice of any shape that the kernels may meet.
fn any_shape(stream: &mut Stream) -> (Architecture, Size) {
    let mut pick = |from: u64, to: u64| (from + stream.below(to + 1 - from)) as usize;
    let width = pick(1, 3);
    let net = Architecture {
        preset: [Preset::Public, Preset::V05][pick(0, 1)],
        depth: pick(1, 30 / width as u64),
        width,
        input_channels: pick(1, 5),
        classes: pick(2, 5),
        border: [Border::Symmetric, Border::Reflect][pick(0, 1)],
    };
    let least = (net.largest_dilation() + 1 - net.border.repeated()) as u64;
    let size = Size { rows: pick(least, least + 40), columns: pick(least, least + 60) };
    (net, size)
}

#[test]
fn every_instruction_set_and_thread_count_gives_the_bits_of_the_documented_chains() {
    let mut stream = Seed([5; 32]).stream("shapes", 0);
    let mut cases: Vec<_> = (0..24).map(|_| any_shape(&mut stream)).collect();
    cases.extend([
        // More rows than a band and than a tile, more columns than a tile; one group with its rows in several bands.
        (network(3, 1, 1, Border::Symmetric), Size { rows: 131, columns: 301 }),
        (network(12, 1, 1, Border::Reflect), Size { rows: 70, columns: 129 }),
        // Two groups; and bands with rows enough for several layers at once.
        (network(61, 1, 1, Border::Symmetric), Size { rows: 12, columns: 35 }),
        (network(23, 1, 2, Border::Symmetric), Size { rows: 231, columns: 20 }),
        (network(1, 1, 1, Border::Symmetric), Size { rows: 1, columns: 1 }),
    ]);
    let pools = [1, 2, 3, 7].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    for (i, (net, size)) in cases.into_iter().enumerate() {
        let (parameters, image, target) = example(&net, size, i as u8);
        let (true_logits, true_gradients) =
            plain::run(&net, size, (&parameters, &image), |logits| nll(logits, &target, Simd::Scalar).1);
        for simd in Simd::ALL.into_iter().filter(|simd| simd.available()) {
            for pool in &pools {
                let (logits, _, gradients) = pool.install(|| run(&net, size, i as u8, simd));
                let at = || format!("{simd:?}, {} threads, {net:?} at {size:?}", pool.current_num_threads());
                assert!(same_bits(&logits, &true_logits), "logits with {}", at());
                assert!(same_bits(&gradients.parameters, &true_gradients.parameters), "parameters with {}", at());
                let (ours, truth) = (gradients.input.unwrap(), true_gradients.input.as_deref().unwrap());
                assert!(same_bits(&ours, truth), "input with {}", at());
            }
        }
    }
}

#[test]
fn the_loss_has_the_same_bits_with_every_instruction_set() {
    let mut stream = Seed([6; 32]).stream("loss", 0);
    let logits: Vec<f32> = (0..3 * 9001).map(|_| 9.0 * stream.normal() as f32).collect();
    let target: Vec<u8> = (0..9001).map(|_| stream.below(3) as u8).collect();
    let (loss, gradient) = nll(&logits, &target, Simd::Scalar);
    for simd in Simd::ALL.into_iter().filter(|simd| simd.available()) {
        let (other, other_gradient) = nll(&logits, &target, simd);
        assert!(other.to_bits() == loss.to_bits() && same_bits(&other_gradient, &gradient), "{simd:?}");
    }
}

#[test]
fn leaving_out_the_inputs_gradient_changes_no_other() {
    let (net, size) = (network(12, 1, 2, Border::Symmetric), Size { rows: 40, columns: 50 });
    let (parameters, image, target) = example(&net, size, 9);
    let (maps, logits) = forward(&image, size, &parameters, &net, Simd::best());
    let upstream = nll(&logits, &target, Simd::best()).1;
    let of = |input| backward(&maps, &parameters, &upstream, &net, (input, Simd::best()));
    let (with, without) = (of(InputGradient::Wanted), of(InputGradient::Skipped));
    assert!(same_bits(&with.parameters, &without.parameters));
    assert!(with.input.is_some() && without.input.is_none());
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
