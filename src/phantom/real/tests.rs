//! A craniotomy in a made scan: what is cut, what stays, and that the model is the truth.

use super::*;
use crate::{
    geometry::voxelize::{Rule, voxelize},
    phantom::{Machine, PhantomParams, ScannerKind, simulate, simulate_skull},
};

/// A scan and its bone: a simulated head, which here counts as real.
fn head() -> (Volume<f32>, Volume<u8>) {
    let params = PhantomParams {
        size: Some([64, 64, 40]),
        spacing_mm: Some([3.0, 3.0, 4.0]),
        gold_mm: Some(4.0),
        ..Default::default()
    };
    let phantom = simulate(&params, Seed::derive(2019, "phantom", "p07", 0)).unwrap();
    (phantom.ct.map(f32::from), phantom.label)
}

fn params() -> CraniotomyParams {
    // Away from the hole that the simulated head has already.
    CraniotomyParams {
        site: Some(Site::Parietal),
        extent_mm: Some([60.0, 50.0]),
        kerf_mm: Some(0.0),
        ..Default::default()
    }
}

#[test]
fn bone_goes_where_the_piece_was_and_nowhere_else() {
    let (ct, bone) = head();
    let done = craniotomy(&ct, Some(&bone), &params(), Seed([3; 32])).unwrap();
    let ct_from_gold = Rigid::from_rows(done.truth.ct_from_gold).unwrap();
    let piece = voxelize(&done.defect.moved(&ct_from_gold), &ct.grid, Rule::EvenOdd).unwrap();
    let (mut gone, mut count, mut changed_far) = (0.0, 0.0, 0);
    let centre = DVec3::from_array(done.truth.defect.centre_mm);
    let [nx, ny, _] = ct.grid.size;
    for i in 0..ct.data.len() {
        let place = ct.grid.world(i % nx, i / nx % ny, i / nx / ny);
        if piece.data[i] == 1 {
            gone += f64::from(done.ct.data[i]);
            count += 1.0;
        }
        if place.distance(centre) > 60.0 && f32::from(done.ct.data[i]) != ct.data[i] {
            changed_far += 1;
        }
    }
    assert!(count > 20.0 && gone / count < 250.0, "{} HU in {count} voxels", gone / count);
    assert_eq!(changed_far, 0, "the rest of the scan keeps its values");
    assert!(done.truth.defect.volume_mm3 > 3e3, "{} mm³", done.truth.defect.volume_mm3);
}

#[test]
fn the_model_is_the_label_and_repeats_on_any_number_of_threads() {
    let (ct, _) = head();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| craniotomy(&ct, None, &params(), Seed([4; 32])).unwrap())
    };
    let (one, two) = (on(1), on(3));
    assert_eq!((&one.ct, &one.gold, &one.truth), (&two.ct, &two.gold, &two.truth));
    let moved = one.gold.moved(&Rigid::from_rows(one.truth.ct_from_gold).unwrap());
    let voxelized = voxelize(&moved, &ct.grid, Rule::EvenOdd).unwrap();
    let both = voxelized.data.iter().zip(&one.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    let total = voxelized.data.iter().chain(&one.label.data).filter(|&&v| v == 1).count();
    assert!(2.0 * both as f64 / total as f64 > 0.99);
    assert!(one.truth.noise_hu > 5.0, "{}", one.truth.noise_hu);
}

#[test]
fn a_scan_without_a_skull_is_refused() {
    let empty = Volume::filled(Grid::aligned([32, 32, 32], DVec3::splat(6.0)), -1000.0);
    let fault = craniotomy(&empty, None, &CraniotomyParams::default(), Seed([1; 32])).unwrap_err();
    assert!(fault.what.contains("no vault"));
}

#[test]
fn a_given_skull_is_scanned_with_soft_tissue_around_it_and_an_opening() {
    let (_, bone) = head();
    let params = PhantomParams {
        size: Some([48, 48, 6]),
        spacing_mm: Some([4.0, 4.0, 20.0]),
        gold_mm: Some(3.0),
        scanner: ScannerKind::Projected,
        machine: Some(Machine::Trauma),
        ..Default::default()
    };
    let made = simulate_skull(&params, &bone, Seed([8; 32])).unwrap();
    let mean = |wanted: u8| {
        let pairs = made.ct.data.iter().zip(&made.label.data).filter(|&(_, &label)| label == wanted);
        let values: Vec<f64> = pairs.map(|(&hu, _)| f64::from(hu)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean(1) > 250.0 && mean(0) < 0.0, "{} and {} HU", mean(1), mean(0));
    let soft = made.ct.data.iter().filter(|&&hu| (i32::from(hu) - 35).abs() < 45).count();
    assert!(soft > made.ct.data.len() / 20, "{soft} soft voxels");
    let piece = voxelize(&made.defect.moved(&made.ct_from_gold), &made.label.grid, Rule::EvenOdd).unwrap();
    assert!(made.truth.anatomy.is_none() && made.truth.defect.volume_mm3 > 500.0);
    let filled = piece.data.iter().zip(&made.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    let count = piece.data.iter().filter(|&&v| v == 1).count();
    assert!(30 * filled <= count + 30, "{filled} of {count} voxels of the missing piece are bone");
    let analytic = PhantomParams::default();
    assert!(simulate_skull(&analytic, &bone, Seed([8; 32])).unwrap_err().what.contains("projected"));
}
