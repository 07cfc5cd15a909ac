//! The kernels without a card: expanded to CUDA C++, compiled by this machine's C++ compiler and run on the processor, with
//! the launches that a card would get. What this cannot show is that the card's compiler keeps the order; that every
//! multiply-add is an explicit `fma` and no product feeds a sum is checked in the text. With `CALVARIA_CUDA_SOURCES` set to a
//! folder the CUDA C++ is left there, for NVRTC.

pub(super) mod example;
mod expand;
mod program;
mod record;
mod text;

use burn::backend::{Autodiff, Flex};

use self::{
    example::{Example, Results, cases, differing},
    record::Recorder,
};
use super::{
    backward::{Saved, backward},
    forward::forward,
    launch::{Kernel, Machine as _},
    loss::loss_and_gradient,
    network::Batch,
};
use crate::model::kernels::InputGradient;

/// Records forward, loss and backward, with the four results read in order.
fn record(recorder: &Recorder, example: &Example) {
    let batch = Batch { net: &example.net, size: example.size, slices: example.slices };
    let (input, parameters) = (recorder.given(&example.images), recorder.given(&example.parameters));
    let (maps, logits) = forward(recorder, &input, &parameters, &batch);
    let shape = (example.net.classes, batch.plane());
    let (loss, gradient) = loss_and_gradient(recorder, &logits, &example.target, shape);
    // The loss has weight one, as at the head of any graph.
    let (one, count) = (recorder.given(&[1.0]), example.target.len() * example.net.classes);
    let scaled = recorder.poisoned(count);
    recorder.flat(Kernel::Scale, (count, 1, 1), &[&gradient, &one, &scaled], &[count]);
    let saved = Saved { maps: &maps, parameters: &parameters, logit_gradients: &scaled };
    let (own, input) = backward(recorder, &saved, &batch, InputGradient::Wanted);
    // The same parameters' gradients must come when the input's are left out.
    let (alone, none) = backward(recorder, &saved, &batch, InputGradient::Skipped);
    assert!(none.is_none());
    for id in [logits, loss, own, input.expect("a wanted gradient"), alone] {
        recorder.read(id);
    }
}

/// Splits what the driver wrote.
fn results(output: &[u8], like: &Results) -> (Results, Vec<f32>) {
    let mut numbers = output.as_chunks::<4>().0.iter().map(|&bytes| f32::from_ne_bytes(bytes));
    let results = like.each_ref().map(|(name, values)| (*name, numbers.by_ref().take(values.len()).collect()));
    (results, numbers.collect())
}

/// Returns name and text of all kernels that the examples launch.
fn sources(recorder: &Recorder) -> Vec<(String, String)> {
    recorder.kernels().into_iter().map(|(kernel, threads)| expand::cuda_source(kernel, threads)).collect()
}

#[test]
fn no_kernel_has_an_atomic_or_a_contractible_sum() {
    let recorder = Recorder::default();
    cases().iter().for_each(|example| record(&recorder, example));
    let (kernels, sources) = (recorder.kernels(), sources(&recorder));
    for ((kernel, _), (name, source)) in kernels.iter().zip(&sources) {
        assert_eq!(text::faults(source), Vec::<String>::new(), "{kernel:?}");
        assert!(source.contains(&format!("{name} (")), "{kernel:?}");
        let multiplies = !matches!(kernel, Kernel::Fill | Kernel::CopyPlanes | Kernel::Scale | Kernel::Pack);
        let sums_only = matches!(
            kernel,
            Kernel::LeafSums | Kernel::PairSums | Kernel::Mean | Kernel::PlaneLanes | Kernel::AddLanes
        );
        assert_eq!(source.contains("= fma("), multiplies && !sums_only, "{kernel:?}");
    }
    if let Some(folder) = std::env::var_os("CALVARIA_CUDA_SOURCES") {
        for ((kernel, _), (_, source)) in kernels.iter().zip(&sources) {
            let name: String = format!("{kernel:?}").chars().filter(|c| c.is_alphanumeric()).collect();
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.cu")), source).unwrap();
        }
    }
}

#[test]
fn emulated_kernels_give_the_bits_of_the_processor() {
    let cases = cases();
    let recorder = Recorder::default();
    cases.iter().for_each(|example| record(&recorder, example));
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = program::compile(folder.path(), &program::program(&sources(&recorder))) else {
        println!("skipped: no C++ compiler");
        return;
    };
    let output = program::run(&program, recorder.script());
    let mut rest = output.as_slice();
    for example in &cases {
        let ours = example.run::<Autodiff<Flex>>(&Default::default());
        let length = 4 * (ours.iter().map(|(_, values)| values.len()).sum::<usize>() + example.parameters.len());
        let (theirs, alone) = results(&rest[..length], &ours);
        rest = &rest[length..];
        for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
            let (all, wrong) = (ours.len(), differing(ours, theirs));
            assert_eq!(wrong, 0, "{wrong} of {all} {name} of {:?} at {:?}", example.net, example.size);
        }
        assert_eq!(differing(&ours[2].1, &alone), 0, "gradients without the input's");
    }
    assert!(rest.is_empty());
}
