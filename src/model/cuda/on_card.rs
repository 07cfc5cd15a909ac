//! Tests that need a card; without one they say so and pass.

use std::sync::Arc;

use burn::{
    backend::{Autodiff, Cuda, Flex, cuda::CudaDevice},
    tensor::backend::AutodiffBackend,
};

use super::{
    bench,
    emulate::example::{Example, cases, differing},
};
use crate::model::{
    adam::Adam, border::Border, device::Device, dilations::Preset, kernels::Size, msdnet::Architecture, op::MsdBackend,
};

/// Returns the first card, if one answers.
fn card() -> Option<CudaDevice> {
    match Device::Cuda(0).resolve() {
        Ok(_) => Some(CudaDevice::new(0)),
        Err(fault) => {
            println!("skipped: no NVIDIA card ({fault})");
            None
        }
    }
}

#[test]
fn a_card_gives_the_bits_of_the_processor() {
    let Some(device) = card() else { return };
    for example in cases() {
        let ours = example.run::<Autodiff<Flex>>(&Default::default());
        let theirs = example.run::<Autodiff<Cuda>>(&device);
        for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
            assert_eq!(differing(ours, theirs), 0, "{name} of {:?} at {:?}", example.net, example.size);
        }
    }
}

/// Returns the blake3 of the weights after `steps` steps.
fn digest<B: AutodiffBackend + MsdBackend>(device: &B::Device, steps: usize) -> String {
    let net = Architecture {
        preset: Preset::Public,
        depth: 30,
        width: 1,
        input_channels: 1,
        classes: 2,
        border: Border::Symmetric,
    };
    let mut example = Example::new(net, Size { rows: 131, columns: 117 }, 1, 5);
    let mut adam = Adam::new(1e-3, example.parameters.len());
    for _ in 0..steps {
        let results = example.run::<B>(device);
        let mut parameters = example.parameters.to_vec();
        adam.update(&mut parameters, &results[2].1);
        example.parameters = parameters;
    }
    let bytes: Vec<u8> = example.parameters.iter().flat_map(|parameter| parameter.to_le_bytes()).collect();
    blake3::hash(&bytes).to_hex().to_string()
}

#[test]
fn fifty_steps_give_one_digest_on_card_and_processor() {
    let Some(device) = card() else { return };
    let (ours, theirs) = (digest::<Autodiff<Flex>>(&Default::default(), 50), digest::<Autodiff<Cuda>>(&device, 50));
    println!("weights after 50 steps: processor {ours}, card {theirs}");
    assert_eq!(ours, theirs);
}

#[test]
fn times_are_printed() {
    if card().is_none() {
        return;
    }
    let net = Arc::new(Architecture {
        preset: Preset::Public,
        depth: 100,
        width: 1,
        input_channels: 1,
        classes: 2,
        border: Border::Symmetric,
    });
    let size = Size { rows: 512, columns: 512 };
    let seconds = bench::seconds(0, &net, size, 200, 3).unwrap();
    let rate = 2e-12 * (net.multiply_adds_per_pixel() * size.pixels()) as f64;
    println!("forward {:.2} ms, {:.1} TFLOP/s", 1e3 * seconds.forward, rate / seconds.forward);
    println!("step {:.2} ms, {:.1} TFLOP/s", 1e3 * seconds.step, 3.0 * rate / seconds.step);
    println!("200 slices {:.3} s, {:.1} TFLOP/s", seconds.scan, 200.0 * rate / seconds.scan);
    assert!(seconds.scan > 0.0);
}
