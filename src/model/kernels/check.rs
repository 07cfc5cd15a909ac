//! The kernels against a straightforward f64 computation, burn's own operations, and each other.

use std::sync::Arc;

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, TensorData},
};

use super::{Gradients, InputGradient, Simd, Size, backward, forward, nll};
use crate::{
    model::{
        border::Border,
        dilations::Preset,
        msdnet::Architecture,
        op::{mean_nll, msd_block},
        reference,
    },
    numeric::Seed,
};

fn network(depth: usize, width: usize, input_channels: usize, border: Border) -> Architecture {
    Architecture { preset: Preset::Public, depth, width, input_channels, classes: 3, border }
}

/// Random parameters, image and target.
fn example(net: &Architecture, size: Size, seed: u8) -> (Vec<f32>, Vec<f32>, Vec<u8>) {
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
fn difference(ours: &[f32], truth: &[f64]) -> f64 {
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

#[test]
fn every_instruction_set_and_thread_count_gives_the_same_bits() {
    let bits = |(logits, loss, gradients): (Vec<f32>, f64, Gradients)| {
        let all = logits.into_iter().chain(gradients.parameters).chain(gradients.input.into_iter().flatten());
        (loss.to_bits(), all.map(f32::to_bits).collect::<Vec<_>>())
    };
    for (net, size) in [
        (network(13, 1, 1, Border::Symmetric), Size { rows: 50, columns: 33 }),
        (network(11, 2, 3, Border::Reflect), Size { rows: 12, columns: 131 }),
    ] {
        let scalar = bits(run(&net, size, 7, Simd::Scalar));
        for simd in Simd::ALL.into_iter().filter(|simd| simd.available()) {
            assert!(bits(run(&net, size, 7, simd)) == scalar, "{simd:?} at {size:?}");
        }
    }
    // Large enough for the loops to be split.
    let (net, size) = (network(11, 1, 1, Border::Symmetric), Size { rows: 301, columns: 283 });
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(run(&net, size, 8, Simd::best())))
    };
    let one = with_threads(1);
    assert!(with_threads(2) == one && with_threads(3) == one);
}

#[test]
fn the_fused_operation_equals_its_composition_of_burn_operations() {
    type B = Autodiff<Flex>;
    for (net, size, batch) in [
        (network(11, 1, 1, Border::Symmetric), Size { rows: 23, columns: 31 }, 2),
        (network(4, 2, 3, Border::Reflect), Size { rows: 9, columns: 17 }, 1),
    ] {
        let net = Arc::new(net);
        let (parameters, _, _) = example(&net, size, 3);
        let examples: Vec<_> = (0..batch).map(|i| example(&net, size, 20 + i)).collect();
        let images: Vec<f32> = examples.iter().flat_map(|(_, image, _)| image.clone()).collect();
        let target: Arc<[u8]> = examples.iter().flat_map(|(_, _, target)| target.clone()).collect();
        let shape = [examples.len(), net.input_channels, size.rows, size.columns];
        let device = Default::default();
        let run = |fused: bool| {
            let images = Tensor::<B, 4>::from_data(TensorData::new(images.clone(), shape), &device).require_grad();
            let weights = TensorData::new(parameters.clone(), [parameters.len()]);
            let weights = Tensor::<B, 1>::from_data(weights, &device).require_grad();
            let loss = if fused {
                mean_nll(msd_block(images.clone(), weights.clone(), &net), &target)
            } else {
                reference::mean_nll(reference::msd_block(images.clone(), weights.clone(), &net), &target)
            };
            let gradients = loss.backward();
            let values = |data: TensorData| data.to_vec::<f32>().unwrap();
            [
                values(loss.into_data()),
                values(weights.grad(&gradients).unwrap().into_data()),
                values(images.grad(&gradients).unwrap().into_data()),
            ]
        };
        for (name, (fused, composed)) in ["loss", "weights", "input"].iter().zip(run(true).iter().zip(run(false))) {
            let composed: Vec<f64> = composed.iter().map(|&v| f64::from(v)).collect();
            let error = difference(fused, &composed);
            assert!(error <= 1e-5, "{name} of {net:?}: {error:e}");
        }
    }
}
