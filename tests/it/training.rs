//! The bits of a training: the same for any number of threads, any instruction set, and however often it is killed; and the
//! options of training and inference through the one door.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use calvaria::{
    model::{
        Architecture, Device, TrainParams, Trained, Training, TrainingCase,
        border::Border,
        dilations::Preset,
        kernels::{self, Simd},
        training::Keep,
    },
    numeric::{Seed, Stream},
    pipeline::stage::{Progress, Silent},
    space::{DVec3, Grid},
    volume::Volume,
};
use serde_json::Value;

use crate::door::Room;

/// A bright blob in noise on a grid, with classes 0 to `classes - 1`, and a few voxels that count for nothing.
fn case(size: [usize; 3], classes: u8, index: u64) -> (Volume<f32>, Volume<u8>) {
    let grid = Grid::aligned(size, DVec3::ONE);
    let mut noise = Seed([6; 32]).stream("case", index);
    let (mut ct, mut label) = (Volume::filled(grid, 0.0_f32), Volume::filled(grid, 0_u8));
    let centre = grid.world(size[0] / 2, size[1] / 2, size[2] / 2);
    for z in 0..size[2] {
        for y in 0..size[1] {
            for x in 0..size[0] {
                let (i, away) = (grid.index(x, y, z), grid.world(x, y, z).distance(centre));
                let class = if away < 7.0 { 1 + (x as u8 / 3) % (classes - 1) } else { 0 };
                ct.data[i] = (f64::from(class) * 700.0 + 150.0 * noise.normal()) as f32;
                label.data[i] = if noise.unit() < 0.02 { kernels::IGNORED } else { class };
            }
        }
    }
    (ct, label)
}

fn train(
    cases: &[(Volume<f32>, Volume<u8>)],
    params: &TrainParams,
    scratch: &Path,
    progress: &dyn Progress,
) -> calvaria::fault::Result<Trained> {
    let cases: Vec<TrainingCase<'_>> = cases.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
    Training {
        cases: &cases,
        validation: &[],
        params,
        seed: Seed([3; 32]),
        device: Device::Cpu,
        scratch,
        progress,
        checkpoint_interval: Duration::ZERO,
    }
    .run()
}

fn fresh(cases: &[(Volume<f32>, Volume<u8>)], params: &TrainParams) -> Trained {
    train(cases, params, tempfile::tempdir().unwrap().path(), &Silent).unwrap()
}

fn digest(trained: &Trained) -> String {
    blake3::hash(&trained.model.to_bytes().unwrap()).to_hex().to_string()
}

/// Scans with their labels.
type Cases = Vec<(Volume<f32>, Volume<u8>)>;

/// 200 steps on 20 slices.
fn two_hundred_steps() -> (Cases, TrainParams) {
    let cases = vec![case([32, 26, 10], 2, 0), case([32, 26, 10], 2, 1)];
    (cases, TrainParams { depth: 6, slab: 1, epochs: 10, lr: 0.005, augment: true, ..TrainParams::default() })
}

#[test]
fn two_hundred_steps_give_one_digest_for_all_threads_and_instruction_sets() {
    let (cases, params) = two_hundred_steps();
    let once = fresh(&cases, &params);
    assert_eq!(once.history.epochs.last().unwrap().steps, 200);
    // Wide enough that every layer is worth several threads.
    let wide = TrainParams { depth: 3, width: 4, slab: 20, epochs: 1, batch: 2, ..TrainParams::default() };
    let large = [case([96, 90, 24], 2, 2)];
    let few = [Volume { grid: large[0].1.grid, data: large[0].1.data.clone() }];
    let sparse = ignore_all_but(&large[0].0, &few[0], 4);
    let wide_once = fresh(&sparse, &wide);
    let sets: Vec<Simd> = Simd::ALL.into_iter().filter(|set| set.available()).collect();
    for threads in [1, 2, 3, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for &set in &sets {
            kernels::force(set).unwrap();
            assert_eq!(digest(&pool.install(|| fresh(&cases, &params))), digest(&once), "{threads} threads, {set:?}");
            if set != Simd::Scalar || threads == 2 {
                let found = pool.install(|| fresh(&sparse, &wide));
                assert_eq!(digest(&found), digest(&wide_once), "wide: {threads} threads, {set:?}");
            }
        }
    }
    kernels::force(Simd::best()).unwrap();
    println!("{} sets x 4 numbers of threads: {}", sets.len(), digest(&once));
}

/// Leaves only the first slices to be learnt from: the others are neighbours, and cost no step.
fn ignore_all_but(ct: &Volume<f32>, label: &Volume<u8>, slices: usize) -> Vec<(Volume<f32>, Volume<u8>)> {
    let mut label = label.clone();
    let area = label.grid.size[0] * label.grid.size[1];
    label.data[slices * area..].fill(kernels::IGNORED);
    vec![(ct.clone(), label)]
}

/// Set for the child of the next test: the folder that it trains in.
const CHILD: &str = "CALVARIA_TEST_TRAINING_CHILD";

struct Told;
impl Progress for Told {
    fn step(&self, _: u64, _: u64, _: &str) {
        println!("step");
    }
    fn cancelled(&self) -> bool {
        false
    }
}

/// The training that is killed; nothing where it is not asked for.
#[test]
fn the_training_of_the_child() {
    let Some(folder) = std::env::var_os(CHILD).map(std::path::PathBuf::from) else { return };
    let (cases, params) = two_hundred_steps();
    let trained = train(&cases, &params, &folder.join("scratch"), &Told).unwrap();
    fs::write(folder.join("digest"), digest(&trained)).unwrap();
}

#[test]
fn twenty_kills_at_random_moments_change_no_byte() {
    let (cases, params) = two_hundred_steps();
    let whole = digest(&fresh(&cases, &params));
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "training::the_training_of_the_child", "--nocapture"])
            .env(CHILD, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut random = Seed([8; 32]).stream("kills", 0);
    let mut kills = 0;
    while kills < 20 {
        let mut child = start();
        let said = BufReader::new(child.stdout.take().unwrap());
        let steps = 1 + random.below(8) as usize;
        let seen = said.lines().map_while(Result::ok).filter(|line| line == "step").take(steps).count();
        // Somewhere in the next steps: in the arithmetic, or in writing the checkpoint.
        thread::sleep(Duration::from_micros(random.below(3000)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen == steps, "the training ended before it was killed twenty times");
        assert!(!folder.path().join("digest").exists(), "the training ended before it was killed twenty times");
        kills += 1;
    }
    assert!(start().wait().unwrap().success());
    assert_eq!(fs::read_to_string(folder.path().join("digest")).unwrap(), whole);
}

/// Stops after a number of looks.
struct StopAfter(std::sync::atomic::AtomicU64);
impl Progress for StopAfter {
    fn step(&self, _: u64, _: u64, _: &str) {}
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 0
    }
}

fn random_training(random: &mut Stream) -> (Cases, TrainParams) {
    let mut from = |low: u64, high: u64| low + random.below(high - low + 1);
    let size = [from(11, 40) as usize, from(11, 40) as usize, from(3, 5) as usize];
    let params = TrainParams {
        preset: if from(0, 1) == 0 { Preset::Public } else { Preset::V05 },
        depth: from(1, 9) as usize,
        width: from(1, 2) as usize,
        classes: from(2, 3) as usize,
        slab: from(0, 2) as usize,
        border: if from(0, 1) == 0 { Border::Symmetric } else { Border::Reflect },
        epochs: from(1, 3),
        max_steps: from(0, 12),
        batch: from(1, 3) as usize,
        lr: 0.005,
        augment: from(0, 1) == 0,
        validate_last: from(0, 1) as usize,
        digest_every: from(0, 2),
        ..TrainParams::default()
    };
    let keep = if params.validate_last > 0 && from(0, 1) == 0 { Keep::Best } else { Keep::Last };
    let cases = (0..2).map(|index| case(size, params.classes as u8, index)).collect();
    (cases, TrainParams { keep, ..params })
}

#[test]
fn random_trainings_do_not_depend_on_threads_sets_or_stops() {
    let mut random = Seed([9; 32]).stream("trainings", 0);
    let sets: Vec<Simd> = Simd::ALL.into_iter().filter(|set| set.available()).collect();
    for round in 0..24 {
        let (cases, params) = random_training(&mut random);
        let whole = fresh(&cases, &params);
        let scratch = tempfile::tempdir().unwrap();
        let mut runs = 0;
        let stopped = loop {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1 + random.below(4) as usize).build().unwrap();
            kernels::force(sets[random.below(sets.len() as u64) as usize]).unwrap();
            // Enough looks for the slices of a validation and one step more.
            let stop = StopAfter((6 + random.below(12)).into());
            match pool.install(|| train(&cases, &params, scratch.path(), &stop)) {
                Ok(trained) => break trained,
                Err(fault) => assert!(fault.kind.exit_code() == 130, "{fault}"),
            }
            runs += 1;
            assert!(runs < 50, "{params:?} does not go on");
        };
        assert_eq!(stopped.history, whole.history, "round {round}: {params:?}");
        assert!(stopped == whole, "round {round}: {params:?}");
    }
    kernels::force(Simd::best()).unwrap();
}

const PIPELINE: &str = "calvaria: 1
name: options
seed: 7
manifest: ../data-manifests/m.yaml
stages:
  phantom:
    uses: phantom
    foreach: cases
    params: { size: [32, 32, 12], spacing_mm: [6.0, 6.0, 13.0] }
  train:
    uses: train
    matrix: { seed: [1, 2] }
    with:
      ct: { collect: phantom.ct, over: train }
      label: { collect: phantom.label, over: train }
      mask: { collect: phantom.label, over: train }
      validation_ct: { collect: phantom.ct, over: validation }
      validation_label: { collect: phantom.label, over: validation }
    params: { depth: 3, epochs: 3, augment: true, keep: best, monitor: dice, patience: 2, lr: 0.01 }
  single:
    uses: infer
    foreach: test
    with: { model: train.model, ct: phantom.ct }
  ensemble:
    uses: infer
    foreach: test
    with: { model: { collect: train.model }, ct: phantom.ct }
    params: { tta: true, probability: true }
";

const MANIFEST: &str = "manifest: 1\ncases:\n  a: { split: train }\n  b: { split: validation }\n  c: { split: test }\n";

#[test]
fn validation_masks_and_ensembles_are_edges_of_a_pipeline() {
    let room = Room::new();
    room.write("pipelines/options.yaml", PIPELINE);
    room.write("data-manifests/m.yaml", MANIFEST);
    // One network for each seed, two single inferences, one ensemble without the axis.
    let summary = room.json(&["run", "--json"]);
    assert_eq!((&summary["run"], &summary["failed"]), (&Value::from(3 + 2 + 2 + 1), &Value::from(0)), "{summary}");
    assert_eq!(room.json(&["run", "--json"])["run"], 0);
    let lone =
        PIPELINE.replace("seed: [1, 2]", "seed: [1]").replace("    params: { tta: true, probability: true }\n", "");
    room.write("pipelines/options.yaml", lone);
    assert_eq!(room.json(&["run", "--json"])["run"], 0, "an ensemble of one is the one, to the key");
    room.write("pipelines/options.yaml", PIPELINE);
    let status = room.run(&["plan", "--device", "gpu"]);
    assert!(status.code == Some(2) && status.err.contains("no device `gpu`"), "{}", status.err);
    room.write("pipelines/options.yaml", PIPELINE.replace("over: validation", "over: test"));
    assert!(room.json(&["plan", "--json"])["run"].as_u64().unwrap() >= 2, "other judges, another training");
    let manifest = MANIFEST.replace("split: validation", "split: train");
    room.write("data-manifests/m.yaml", manifest);
    room.write("pipelines/options.yaml", PIPELINE);
    let said = room.run(&["plan"]);
    assert!(said.code == Some(2) && said.err.contains("no case of the manifest is in `validation`"), "{}", said.err);
}

#[test]
fn plain_commands_train_with_validation_and_segment_with_several_networks() {
    let room = Room::new();
    let size = ["--set", "size=[32,32,12]", "--set", "spacing_mm=[6,6,13]"];
    room.ok(&[&["phantom", "--case", "1,2", "-o", "heads"], &size[..]].concat());
    let manifest = fs::read_to_string(room.path("heads/manifest.yaml")).unwrap();
    let ct = room.path("heads/p01/ct");
    let ct = ct.to_str().unwrap();
    let train = |seed: &str, model: &str| {
        let options = ["--set", "depth=3", "--set", "epochs=2", "--set", "validate_last=1", "--set", "keep=best"];
        let fixed = ["train", "--manifest", "heads/manifest.yaml", "--seed", seed, "-o", model, "--history", "h.csv"];
        room.ok(&[&fixed, &options[..]].concat());
    };
    assert!(manifest.contains("train"), "{manifest}");
    train("1", "one.safetensors");
    train("2", "two.safetensors");
    let table = fs::read_to_string(room.path("h.csv")).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("epoch,steps,loss,validation_loss,validation_dice,weights_chain\n1,12,"), "{table}");
    let infer = |models: &[&str], more: &[&str], label: &str| {
        let models: Vec<&str> = models.iter().flat_map(|model| ["-m", *model]).collect();
        room.ok(&[&["infer", "--ct", ct, "-o", label], &models[..], more].concat());
        fs::read(room.path(label)).unwrap()
    };
    let one = infer(&["one.safetensors"], &["--probability", "p.nrrd"], "one.nrrd");
    assert_eq!(infer(&["one.safetensors", "one.safetensors"], &[], "same.nrrd"), one);
    infer(&["one.safetensors", "two.safetensors"], &["--tta", "--probability", "q.nrrd"], "both.nrrd");
    assert_ne!(fs::read(room.path("p.nrrd")).unwrap(), fs::read(room.path("q.nrrd")).unwrap());
    room.ok(&["segment", ct, "-m", "one.safetensors", "-m", "two.safetensors", "--tta", "-o", "skull.nrrd"]);
    assert_eq!(fs::read(room.path("skull.nrrd")).unwrap(), fs::read(room.path("both.nrrd")).unwrap());
    let three = Architecture {
        preset: Preset::Public,
        depth: 2,
        width: 1,
        input_channels: 1,
        classes: 3,
        border: Border::Symmetric,
    };
    let normalisation =
        calvaria::model::normalise::Normalisation { clamp_hu: [-1024.0, 3071.0], mean_hu: 0.0, std_hu: 1.0 };
    let parameters = vec![0.0; three.parameter_count()];
    calvaria::model::Model { architecture: three, normalisation, parameters }
        .save(&room.path("three.safetensors"))
        .unwrap();
    room.refuses(
        &["infer", "-m", "one.safetensors", "-m", "three.safetensors", "--ct", ct, "-o", "x.nrrd"],
        3,
        &["model 2", "3 classes", "the first has 2"],
    );
    room.refuses(
        &["train", "--manifest", "heads/manifest.yaml", "--set", "patience=3", "-o", "x.safetensors"],
        2,
        &["needs validation cases", "validate_last"],
    );
}
