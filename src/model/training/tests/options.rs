//! Each option does what it says, and nothing where it is off.

use super::*;
use crate::{
    model::{
        adam::Adam,
        border::Border,
        data::{Sample, SliceId},
        inference::{Inference, Inferred},
        init::initial_parameters,
        kernels::{IGNORED, Size},
        symmetry::Symmetry,
    },
    numeric::tree_sum,
};

fn with_validation(params: &TrainParams, validation: &[(Volume<f32>, Volume<u8>)]) -> Result<Trained> {
    let (cases, scratch) = (cases(), tempfile::tempdir().unwrap());
    let [cases, validation] = [&cases[..], validation]
        .map(|list| list.iter().map(|(ct, label)| TrainingCase { ct, label }).collect::<Vec<_>>());
    Training {
        cases: &cases,
        validation: &validation,
        params,
        seed: Seed([1; 32]),
        device: Device::Cpu,
        scratch: scratch.path(),
        progress: &Silent,
        checkpoint_interval: CHECKPOINT_INTERVAL,
    }
    .run()
}

fn judge() -> (Volume<f32>, Volume<u8>) {
    ball(Grid::aligned([24, 20, 6], DVec3::ONE), DVec3::new(12.0, 8.0, 2.5), 7)
}

#[test]
fn validation_is_noted_and_leaves_the_training_alone() {
    let (plain, judged) = (fresh(&params()), with_validation(&params(), &[judge()]).unwrap());
    assert_eq!(plain.model, judged.model);
    assert!(plain.history.epochs.iter().all(|epoch| epoch.validation == Validation::default()));
    let last = judged.history.epochs.last().unwrap().validation;
    // The same numbers by another road: the label and the probability of the whole scan.
    let (ct, label) = judge();
    let inferred = infer(&judged.model, &ct, &Silent).unwrap();
    let pairs = || inferred.label.data.iter().zip(&label.data);
    let (both, sum) = pairs().fold((0, 0), |(both, sum), (&a, &b)| (both + u32::from(a & b), sum + u32::from(a + b)));
    assert_eq!(last.dice, Some(2.0 * f64::from(both) / f64::from(sum)));
    let probability = inferred.probability.unwrap().data;
    let of_truth = probability.iter().zip(&label.data).map(|(&p, &l)| f64::from(if l == 1 { p } else { 1.0 - p }));
    let loss = tree_sum(&of_truth.map(|p| -libm::log(p)).collect::<Vec<_>>()) / label.data.len() as f64;
    assert!((last.loss.unwrap() - loss).abs() < 1e-4 * loss, "{last:?} {loss}");
}

#[test]
fn the_last_cases_can_be_held_out() {
    let held = TrainParams { validate_last: 1, ..params() };
    let (cases, scratch) = (cases(), tempfile::tempdir().unwrap());
    let [(ct, label), last] = &cases[..] else { panic!("two cases") };
    let alone = train(&[TrainingCase { ct, label }], &params(), Seed([1; 32]), scratch.path(), &Silent).unwrap();
    let trained = fresh(&held);
    assert_eq!(trained.model, alone.model);
    let scratch = tempfile::tempdir().unwrap();
    let given = Training {
        cases: &[TrainingCase { ct, label }],
        validation: &[TrainingCase { ct: &last.0, label: &last.1 }],
        params: &params(),
        seed: Seed([1; 32]),
        device: Device::Cpu,
        scratch: scratch.path(),
        progress: &Silent,
        checkpoint_interval: Duration::ZERO,
    };
    assert_eq!(given.run().unwrap().history, trained.history);
}

#[test]
fn the_best_epoch_is_kept_and_patience_ends_the_rest() {
    // A validation case with the labels exchanged: the better the network learns, the worse it is judged.
    let (ct, label) = judge();
    let contrary = [(ct, label.map(|class| 1 - class))];
    let patient = TrainParams { patience: 2, epochs: 9, ..params() };
    let last = with_validation(&patient, &contrary).unwrap();
    let losses: Vec<f64> = last.history.epochs.iter().map(|epoch| epoch.validation.loss.unwrap()).collect();
    assert_eq!((last.history.stopped, losses.len()), (Stop::Patience, 3), "{losses:?}");
    assert_eq!(last.history.kept_epoch, 3);
    let best = with_validation(&TrainParams { keep: Keep::Best, ..patient }, &contrary).unwrap();
    assert_eq!((best.history.kept_epoch, &best.history.epochs), (1, &last.history.epochs));
    assert_eq!(best.model, fresh(&TrainParams { epochs: 1, ..params() }).model);
    let all = with_validation(&TrainParams { patience: 9, ..params() }, &contrary).unwrap();
    assert_eq!((all.history.stopped, all.history.kept_epoch), (Stop::Completed, 3));
}

#[test]
fn options_that_need_validation_say_so() {
    for params in [TrainParams { patience: 1, ..params() }, TrainParams { keep: Keep::Best, ..params() }] {
        let fault = with_validation(&params, &[]).unwrap_err();
        assert!(fault.kind == Kind::Usage && fault.what.contains("needs validation cases"), "{fault}");
    }
    let both = with_validation(&TrainParams { validate_last: 1, ..params() }, &[judge()]).unwrap_err();
    assert!(both.what.contains("validate_last"), "{both}");
    let none = with_validation(&TrainParams { validate_last: 2, ..params() }, &[]).unwrap_err();
    assert!(none.what.contains("leaves none of 2 cases"), "{none}");
    let (ct, label) = judge();
    let fault = with_validation(&params(), &[(ct, label.map(|_| IGNORED))]).unwrap_err().to_string();
    assert!(fault.contains("validation case 1") && fault.contains("every voxel"), "{fault}");
}

#[test]
fn ignored_voxels_have_no_gradient_and_no_influence() {
    // The labels of ignored voxels are all that differs: 7 is ignored in one, 255 in the other.
    let masked = |value: u8| {
        let mut cases = cases();
        for (_, label) in &mut cases {
            label.data.iter_mut().enumerate().filter(|(i, _)| i % 3 == 0).for_each(|(_, label)| *label = value);
        }
        cases
    };
    let trained = |value: u8| {
        let (masked, params) = (masked(value), TrainParams { ignore_label: Some(7), augment: true, ..params() });
        let cases: Vec<TrainingCase<'_>> = masked.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
        train(&cases, &params, Seed([1; 32]), tempfile::tempdir().unwrap().path(), &Silent).unwrap()
    };
    assert_eq!(trained(7), trained(IGNORED));
    assert_ne!(trained(7).model, fresh(&TrainParams { augment: true, ..params() }).model);
    // And the gradient of each ignored pixel's logits is exactly zero.
    let (masked, params) = (masked(7), TrainParams { ignore_label: Some(7), ..params() });
    let cases: Vec<TrainingCase<'_>> = masked.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
    let data = Dataset::new(&cases, &params).unwrap();
    let (net, mut image, mut target) = (params.architecture(), Vec::new(), Vec::new());
    let sample = Sample { id: SliceId { case: 0, slice: 2 }, symmetry: Symmetry::IDENTITY };
    data.image(sample, &mut image);
    data.target(sample, &mut target);
    let parameters = initial_parameters(&net, Seed([4; 32]));
    let (_, logits) = kernels::forward(&image, data.size(sample.id), &parameters, &net, kernels::active());
    let (_, gradient) = kernels::nll(&logits, &target, kernels::active());
    let ignored = |i: usize| target[i % target.len()] == IGNORED;
    assert!(target.contains(&IGNORED));
    assert!((0..gradient.len()).all(|i| (gradient[i] == 0.0) == ignored(i)));
}

#[test]
fn digests_of_steps_are_noted() {
    let trained = fresh(&TrainParams { digest_every: 5, ..params() });
    let steps: Vec<u64> = trained.history.digests.iter().map(|digest| digest.step).collect();
    assert_eq!(steps, [5, 10, 15, 20, 25, 30, 35]);
    let other = fresh(&TrainParams { digest_every: 5, augment: true, ..params() });
    assert_ne!(trained.history.digests[0], other.history.digests[0]);
    assert_eq!(trained.model, fresh(&params()).model, "looking changes nothing");
}

#[test]
fn a_trial_ends_after_its_steps() {
    let trial = fresh(&TrainParams { max_steps: 17, validate_last: 1, ..params() });
    assert_eq!(trial.history.stopped, Stop::Steps);
    assert_eq!(trial.history.epochs.iter().map(|epoch| epoch.steps).collect::<Vec<_>>(), [6, 12, 17]);
    assert!(trial.history.epochs[2].validation.loss.is_some());
    let whole = fresh(&TrainParams { max_steps: 36, ..params() });
    assert_eq!((whole.history.stopped, whole.model), (Stop::Completed, fresh(&params()).model));
    assert_eq!(fresh(&TrainParams { max_steps: 12, ..params() }).history.stopped, Stop::Steps);
}

#[test]
fn the_learning_rate_falls_along_a_line_to_the_last_step() {
    let constant = fresh(&params()).model;
    assert_eq!(fresh(&TrainParams { lr_end: Some(params().lr), ..params() }).model, constant);
    // The last of two steps at rate 0 leaves the weights of the first.
    let after = |lr_end, max_steps| fresh(&TrainParams { lr_end, max_steps, ..params() }).model;
    assert_eq!(after(Some(0.0), 2), after(None, 1));
    assert_ne!(after(Some(0.5 * params().lr), 2), after(None, 2));
    // Of three steps the middle one has the mean rate.
    assert_eq!(after(Some(0.0), 3), after(Some(0.5 * params().lr), 2));
    // The plan counts: a stop before its end does not change the rates.
    let short = TrainParams { epochs: 1, lr_end: Some(0.0), ..params() };
    let first = fresh(&short).history.epochs[0].clone();
    assert_ne!(first, fresh(&TrainParams { epochs: 3, ..short }).history.epochs[0]);
}

#[test]
fn several_classes_slabs_widths_and_borders_learn() {
    let mut three = cases();
    for (ct, label) in &mut three {
        for (hu, class) in ct.data.iter_mut().zip(&mut label.data).skip(1).step_by(2).filter(|(_, class)| **class == 1)
        {
            (*hu, *class) = (-900.0, 2);
        }
    }
    let cases: Vec<TrainingCase<'_>> = three.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
    let params = TrainParams {
        classes: 3,
        slab: 2,
        width: 2,
        depth: 4,
        border: Border::Reflect,
        validate_last: 1,
        epochs: 6,
        ..params()
    };
    let trained = train(&cases, &params, Seed([1; 32]), tempfile::tempdir().unwrap().path(), &Silent).unwrap();
    let dice = trained.history.epochs.last().unwrap().validation.dice.unwrap();
    assert!(dice > 0.8, "{:?}", trained.history);
    let inferred = infer(&trained.model, &three[1].0, &Silent).unwrap();
    assert!([0, 1, 2].iter().all(|class| inferred.label.data.contains(class)));
}

#[test]
fn divergence_names_epoch_step_and_slice() {
    let cases = cases();
    let cases: Vec<TrainingCase<'_>> = cases.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
    let (seed, params) = (Seed([1; 32]), params());
    // Weights as a training leaves them whose next loss is no number.
    let count = params.architecture().parameter_count();
    let state = checkpoint::State {
        parameters: vec![1e30; count],
        adam: Adam { step: 15, ..Adam::new(params.lr, count) },
        epochs: Vec::new(),
        digests: Vec::new(),
        losses: vec![0.5; 3],
        best: None,
    };
    let scratch = tempfile::tempdir().unwrap();
    let identity = checkpoint::identity(&cases, &[], &params, seed, Device::Cpu);
    checkpoint::save(scratch.path(), &identity, &state).unwrap();
    let fault = train(&cases, &params, seed, scratch.path(), &Silent).map(drop).unwrap_err();
    assert!(fault.what.contains("diverged in epoch 1 at step 16 (case "), "{fault}");
}

#[test]
fn ensembles_have_the_mean_of_their_members() {
    let (first, second) = (fresh(&params()).model, fresh(&TrainParams { slab: 1, augment: true, ..params() }).model);
    let ct = &cases()[0].0;
    let found = |models: &[Model], test_time_augmentation: bool| {
        let inference = Inference { models, test_time_augmentation, probability: true, device: Device::Cpu };
        inference.run(ct, &Silent).unwrap()
    };
    let plain = infer(&first, ct, &Silent).unwrap();
    assert_eq!(found(std::slice::from_ref(&first), false), plain, "an ensemble of one");
    assert_eq!(found(&[first.clone(), first.clone(), first.clone()], false), plain, "an ensemble of equals");
    let both = found(&[first.clone(), second.clone()], false);
    let other = infer(&second, ct, &Silent).unwrap();
    let p = |inferred: &Inferred| inferred.probability.clone().unwrap().data;
    for ((mean, a), b) in p(&both).into_iter().zip(p(&plain)).zip(p(&other)) {
        assert_eq!(mean, ((f64::from(a) + f64::from(b)) / 2.0) as f32);
    }
    assert_ne!(found(std::slice::from_ref(&first), true), plain);
    let mut three = second;
    three.architecture.classes = 3;
    three.parameters = vec![0.0; three.architecture.parameter_count()];
    let models = [first, three];
    let inference =
        Inference { models: &models, test_time_augmentation: false, probability: false, device: Device::Cpu };
    let fault = inference.run(ct, &Silent).unwrap_err().to_string();
    assert!(fault.contains("model 2") && fault.contains("3 classes"), "{fault}");
    assert_eq!(Inference { models: &[], ..inference }.run(ct, &Silent).unwrap_err().kind, Kind::Usage);
}

#[test]
fn a_symmetric_network_gains_nothing_from_eight_views() {
    // Only centre taps: every pass computes the same chains, so all eight agree to the bit.
    let mut model = fresh(&params()).model;
    let weights = model.architecture.bias_range().start;
    let centre = |i: usize| i % 9 == 4;
    model.parameters[..weights].iter_mut().enumerate().filter(|(i, _)| !centre(*i)).for_each(|(_, w)| *w = 0.0);
    let ct = &cases()[0].0;
    let models = [model];
    let inference = Inference { models: &models, test_time_augmentation: true, probability: true, device: Device::Cpu };
    assert_eq!(inference.run(ct, &Silent).unwrap(), infer(&models[0], ct, &Silent).unwrap());
}

#[test]
fn eight_views_of_a_turned_scan_agree_with_those_of_the_scan() {
    // The mean over all eight views turns with the scan: a property that no single view has.
    let model = [fresh(&params()).model];
    let (ct, _) = ball(Grid::aligned([20, 20, 2], DVec3::ONE), DVec3::new(7.0, 9.0, 1.0), 3);
    let size = Size { rows: 20, columns: 20 };
    let data = (0..2).flat_map(|z| Symmetry::ALL[5].apply(ct.slice(z), size)).collect();
    let turned = Volume { grid: ct.grid, data };
    let inference = Inference { models: &model, test_time_augmentation: true, probability: true, device: Device::Cpu };
    let [plain, turned] = [&ct, &turned].map(|ct| inference.run(ct, &Silent).unwrap().probability.unwrap());
    for z in 0..2 {
        let expected = Symmetry::ALL[5].apply(plain.slice(z), size);
        for (a, b) in expected.iter().zip(turned.slice(z)) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
