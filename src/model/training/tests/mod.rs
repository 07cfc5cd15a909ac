//! A tiny training: it learns, repeats to the bit, and goes on after being stopped.

mod options;
mod resume;

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{
    fault::Kind,
    model::{inference::infer, kernels},
    pipeline::stage::Silent,
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

/// A bright ball in noise, with its label.
fn ball(grid: Grid, centre: DVec3, index: u64) -> (Volume<f32>, Volume<u8>) {
    let mut noise = Seed([2; 32]).stream("ball", index);
    let mut ct = Volume::filled(grid, 0.0_f32);
    let mut label = Volume::filled(grid, 0_u8);
    let [nx, ny, nz] = grid.size;
    for (i, (x, y, z)) in (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (x, y, z)))).enumerate() {
        let inside = grid.world(x, y, z).distance(centre) < 6.0;
        label.data[i] = u8::from(inside);
        ct.data[i] = (if inside { 900.0 } else { 40.0 } + 120.0 * noise.normal()) as f32;
    }
    (ct, label)
}

fn cases() -> Vec<(Volume<f32>, Volume<u8>)> {
    let grid = Grid::aligned([24, 20, 6], DVec3::ONE);
    vec![ball(grid, DVec3::new(10.0, 9.0, 3.0), 0), ball(grid, DVec3::new(13.0, 11.0, 2.0), 1)]
}

fn params() -> TrainParams {
    TrainParams { depth: 6, epochs: 3, lr: 0.01, ..TrainParams::default() }
}

fn run(params: &TrainParams, scratch: &Path, progress: &dyn Progress) -> Result<Trained> {
    let cases = cases();
    let cases: Vec<TrainingCase<'_>> = cases.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
    train(&cases, params, Seed([1; 32]), scratch, progress)
}

fn fresh(params: &TrainParams) -> Trained {
    run(params, tempfile::tempdir().unwrap().path(), &Silent).unwrap()
}

#[test]
fn it_learns_and_the_first_loss_is_ln_2() {
    let trained = fresh(&TrainParams { epochs: 4, ..params() });
    let losses: Vec<f64> = trained.history.epochs.iter().map(|epoch| epoch.loss).collect();
    assert!(losses[3] < 0.1 && losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    let (ct, label) = ball(Grid::aligned([24, 20, 1], DVec3::ONE), DVec3::new(10.0, 9.0, 0.0), 0);
    let scratch = tempfile::tempdir().unwrap();
    let one_step = TrainParams { epochs: 1, ..params() };
    let first = train(&[TrainingCase { ct: &ct, label: &label }], &one_step, Seed([1; 32]), scratch.path(), &Silent);
    assert_eq!(first.unwrap().history.epochs[0].loss, f64::from(std::f32::consts::LN_2));
    let (ct, label) = &cases()[0];
    let inferred = infer(&trained.model, ct, &Silent).unwrap();
    let wrong = inferred.label.data.iter().zip(&label.data).filter(|(a, b)| a != b).count();
    assert!(wrong < label.data.len() / 50, "{wrong} of {} voxels are wrong", label.data.len());
    let probability = inferred.probability.unwrap().data;
    assert!(probability.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(inferred.label.data.iter().zip(&probability).all(|(&l, &p)| (l == 1) == (p > 0.5)));
}

#[test]
fn weights_repeat_to_the_bit_for_any_threads_and_instruction_set() {
    let params = TrainParams { batch: 2, slab: 1, width: 2, preset: crate::model::dilations::Preset::V05, ..params() };
    let bytes = || fresh(&params).model.to_bytes().unwrap();
    let first = bytes();
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(bytes) == first, "{threads} threads");
    }
    for simd in kernels::Simd::ALL.into_iter().filter(|simd| simd.available()) {
        kernels::force(simd).unwrap();
        assert!(bytes() == first, "{simd:?}");
    }
    kernels::force(kernels::Simd::best()).unwrap();
}

#[test]
fn a_flipped_scan_gets_the_same_label_in_the_world() {
    let trained = fresh(&TrainParams { epochs: 2, ..params() });
    let centre = DVec3::new(10.0, 9.0, 3.0);
    let (ct, _) = ball(Grid::aligned([24, 20, 6], DVec3::ONE), centre, 0);
    let plain = infer(&trained.model, &ct, &Silent).unwrap();
    // The same voxels stored with z fastest, and x and z backwards.
    let direction = DMat3::from_cols(DVec3::NEG_Z, DVec3::NEG_X, DVec3::Y);
    let grid = Grid::new([6, 24, 20], DVec3::new(23.0, 0.0, 5.0), DVec3::ONE, direction).unwrap();
    let from_plain = |i: usize| ct.grid.index(23 - i / 6 % 24, i / (6 * 24), 5 - i % 6);
    let turned = Volume::new(grid, (0..grid.len()).map(|i| ct.data[from_plain(i)]).collect()).unwrap();
    let inferred = infer(&trained.model, &turned, &Silent).unwrap();
    let (plain_p, turned_p) = (plain.probability.unwrap().data, inferred.probability.unwrap().data);
    for i in 0..grid.len() {
        assert_eq!(inferred.label.data[i], plain.label.data[from_plain(i)]);
        assert_eq!(turned_p[i].to_bits(), plain_p[from_plain(i)].to_bits());
    }
}

#[test]
fn unusable_cases_are_refused() {
    let check = |params: &TrainParams| run(params, tempfile::tempdir().unwrap().path(), &Silent).unwrap_err();
    assert_eq!(check(&TrainParams { depth: 0, ..params() }).kind, Kind::Usage);
    let grid = Grid::aligned([24, 5, 2], DVec3::ONE);
    let (ct, label) = ball(grid, DVec3::new(10.0, 2.0, 1.0), 0);
    let small =
        train(&[TrainingCase { ct: &ct, label: &label }], &params(), Seed([1; 32]), Path::new("/nowhere"), &Silent);
    assert!(small.unwrap_err().what.contains("too small"));
}
