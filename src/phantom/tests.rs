//! What a simulated case promises: thickness, closed meshes, repeatability, the same truth by two routes.

use std::collections::HashMap;

use super::*;
use crate::{
    geometry::voxelize::{Rule, voxelize},
    pipeline::stage::Params as _,
};

fn case(number: u64) -> Seed {
    Seed::derive(2019, "phantom", &format!("p{number:02}"), 0)
}

fn small() -> PhantomParams {
    PhantomParams {
        size: Some([48, 48, 32]),
        spacing_mm: Some([4.0, 4.0, 5.0]),
        gold_mm: Some(2.0),
        ..Default::default()
    }
}

/// Thickness of the wall along the outer normal at points of the vault, mm: from the outer table to the inner one.
fn wall_thickness_mm(skull: &Skull) -> Vec<f64> {
    let mut found = Vec::new();
    for i in 0..24 {
        for j in 0..24 {
            // A grid over the upper half: the direction's x and y run over a square.
            let (x, y) = (f64::from(i) / 11.5 - 1.0, f64::from(j) / 11.5 - 1.0);
            let direction = DVec3::new(x, y, (1.0 - 0.5 * (x * x + y * y)).max(0.15)).normalize();
            let outer = defect::outer_point(skull, direction);
            let normal = defect::outer_normal(skull, outer);
            let is_bone = |depth: f64| {
                let p = outer - normal * depth;
                skull.bone(p, skull.braincase(p)).distance_mm < 0.0
            };
            if outer.z > 12.0 {
                let depth = (1..2000).map(|step| 0.01 * f64::from(step)).find(|&depth| !is_bone(depth));
                found.push(depth.unwrap());
            }
        }
    }
    found
}

#[test]
fn the_vault_is_4_to_8_mm_thick() {
    let (mut low, mut high, mut sum, mut count) = (f64::INFINITY, 0.0_f64, 0.0, 0);
    for number in 1..=20 {
        let skull = Skull::new(Anatomy::draw(&mut case(number).stream("anatomy", 0)));
        for thickness in wall_thickness_mm(&skull) {
            (low, high, sum, count) = (low.min(thickness), high.max(thickness), sum + thickness, count + 1);
        }
    }
    println!("vault of 20 heads: {low:.2} to {high:.2} mm, mean {:.2}", sum / f64::from(count));
    assert!(low >= 4.0 && high <= 8.0, "{low} to {high} mm");
    assert!(high - low > 2.0, "thickness varies");
}

#[test]
fn the_wall_measured_on_the_gold_label_is_as_thick() {
    // An axial line of fine voxels through both tables, counted: independent of the distance functions' gradients.
    let scene = draw_scene(case(3), 300.0, &PhantomParams::default());
    let normal = defect::outer_normal(&scene.skull, defect::outer_point(&scene.skull, DVec3::Z));
    let top = scene.world_from_head.apply(defect::outer_point(&scene.skull, DVec3::Z));
    let down = scene.world_from_head.rotation * -normal;
    let inside = (0..2000).filter(|&i| scene.bone_mm(top + down * (0.01 * f64::from(i))) < 0.0).count();
    assert!((400..=800).contains(&inside), "{} mm at the vertex", 0.01 * inside as f64);
}

/// Counts, for every directed edge, how often it occurs; a closed oriented surface has each with its reverse.
fn closed_and_oriented(mesh: &Mesh) -> bool {
    let mut edges: HashMap<(u32, u32), i32> = HashMap::new();
    for &[a, b, c] in &mesh.triangles {
        for (from, to) in [(a, b), (b, c), (c, a)] {
            *edges.entry((from.min(to), from.max(to))).or_default() += if from < to { 1 } else { -1 };
        }
    }
    edges.values().all(|&balance| balance == 0)
}

#[test]
fn meshes_are_closed_and_agree_with_the_truth() {
    let phantom = simulate(&small(), case(1)).unwrap();
    assert!(closed_and_oriented(&phantom.gold) && closed_and_oriented(&phantom.defect));
    assert!(phantom.gold.volume_mm3() > 3e5, "{} mm³ of bone", phantom.gold.volume_mm3());
    assert!(phantom.defect.volume_mm3() > 1e3, "normals point outwards");
    let moved = phantom.gold.moved(&phantom.ct_from_gold);
    let voxelized = voxelize(&moved, &phantom.label.grid, Rule::EvenOdd).unwrap();
    let both = voxelized.data.iter().zip(&phantom.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    let total = voxelized.data.iter().chain(&phantom.label.data).filter(|&&v| v == 1).count();
    let dsc = 2.0 * both as f64 / total as f64;
    assert!(dsc > 0.97, "gold mesh and label agree to {dsc}");
}

#[test]
fn the_missing_piece_is_where_bone_is_missing() {
    let phantom = simulate(&small(), case(2)).unwrap();
    let piece = phantom.defect.moved(&phantom.ct_from_gold);
    let inside = voxelize(&piece, &phantom.label.grid, Rule::EvenOdd).unwrap();
    let filled = inside.data.iter().zip(&phantom.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    assert!(inside.data.contains(&1));
    assert_eq!(filled, 0, "no bone is left in the missing piece");
    let [long, short] = phantom.truth.defect.extent_mm;
    assert!((30.0..=100.0).contains(&long) && short <= long, "{long} x {short} mm");
}

#[test]
fn a_case_repeats_on_any_number_of_threads_and_differs_from_the_next() {
    let on = |threads: usize, number: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| simulate(&small(), case(number)).unwrap())
    };
    let (one, two, other) = (on(1, 4), on(3, 4), on(2, 5));
    assert_eq!(one.ct, two.ct);
    assert_eq!(one.gold, two.gold);
    assert_eq!(one.truth, two.truth);
    assert_ne!(one.truth.anatomy, other.truth.anatomy);
    assert_ne!(one.ct.data, other.ct.data);
}

#[test]
fn densities_are_those_of_a_head() {
    let phantom = simulate(&small(), case(6)).unwrap();
    let corner = i32::from(phantom.ct.at(0, 0, 0));
    let scanner = &phantom.truth.scanner;
    let air = -1000.0 * scanner.gain + scanner.offset_hu;
    assert!((f64::from(corner) - air.max(-1024.0)).abs() < 6.0 * scanner.noise_hu, "air is {corner} HU");
    let mean = |bone: u8| {
        let pairs = phantom.ct.data.iter().zip(&phantom.label.data);
        let values: Vec<f64> = pairs.filter(|&(_, &label)| label == bone).map(|(&hu, _)| f64::from(hu)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean(1) > 300.0 && mean(0) < 0.0, "{} and {} HU", mean(1), mean(0));
}

#[test]
fn a_field_without_bone_is_refused() {
    let tiny = PhantomParams { size: Some([8, 8, 8]), spacing_mm: Some([0.1, 0.1, 0.1]), ..Default::default() };
    assert!(tiny.check().is_ok());
    assert!(simulate(&tiny, case(1)).unwrap_err().what.contains("no bone"));
}

#[test]
fn the_preview_shows_bone() {
    let phantom = simulate(&small(), case(1)).unwrap();
    let picture = preview(&phantom.ct.map(f32::from), &phantom.label);
    assert_eq!(picture.rgb.len(), 3 * picture.width * picture.height);
    assert!(picture.rgb.chunks_exact(3).filter(|rgb| rgb[0] > 200 && rgb[1] < 100).count() > 500, "outlines");
}

#[test]
fn finer_anatomy_changes_the_bone_and_nothing_else_of_the_case() {
    let fine = PhantomParams { anatomy: AnatomyKind::Detailed, ..small() };
    let (plain, fine) = (simulate(&small(), case(8)).unwrap(), simulate(&fine, case(8)).unwrap());
    assert_eq!(plain.truth.anatomy, fine.truth.anatomy);
    assert_eq!(plain.truth.ct_from_gold, fine.truth.ct_from_gold);
    assert!(plain.truth.detail.is_none() && fine.truth.detail.is_some());
    assert!(closed_and_oriented(&fine.gold) && fine.gold != plain.gold);
    assert!((fine.gold.volume_mm3() / plain.gold.volume_mm3() - 1.0).abs() < 0.25, "still a skull");
}

#[test]
fn an_operated_case_has_a_closed_model_reduced_as_asked_and_bone_where_it_says() {
    let params = PhantomParams {
        anatomy: AnatomyKind::Detailed,
        defect: DefectKind::Surgical,
        gold_triangles: Some(40_000),
        gold_mm: Some(2.0),
        ..small()
    };
    let phantom = simulate(&params, case(2)).unwrap();
    assert!(closed_and_oriented(&phantom.gold) && closed_and_oriented(&phantom.defect));
    assert!(phantom.gold.triangles.len() <= 41_000, "{} triangles", phantom.gold.triangles.len());
    let moved = phantom.gold.moved(&phantom.ct_from_gold);
    let voxelized = voxelize(&moved, &phantom.label.grid, Rule::EvenOdd).unwrap();
    let both = voxelized.data.iter().zip(&phantom.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    let total = voxelized.data.iter().chain(&phantom.label.data).filter(|&&v| v == 1).count();
    let dsc = 2.0 * both as f64 / total as f64;
    assert!(dsc > 0.95, "gold mesh and label agree to {dsc}");
    let piece = phantom.defect.moved(&phantom.ct_from_gold);
    let inside = voxelize(&piece, &phantom.label.grid, Rule::EvenOdd).unwrap();
    let filled = inside.data.iter().zip(&phantom.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    let count = inside.data.iter().filter(|&&v| v == 1).count();
    // Where the outline is curved, the mesh passes a voxel centre on the wrong side now and then.
    assert!(count > 0 && 30 * filled <= count + 30, "{filled} of {count} voxels of the missing piece are bone");
}

#[test]
fn tilted_slices_say_so_and_see_the_same_head() {
    let params = PhantomParams {
        size: Some([48, 48, 8]),
        spacing_mm: Some([4.0, 4.0, 16.0]),
        gold_mm: Some(3.0),
        scanner: ScannerKind::Projected,
        machine: Some(Machine::Trauma),
        thickness_mm: Some(5.0),
        tilt_deg: Some(8.0),
        ..Default::default()
    };
    let phantom = simulate(&params, case(4)).unwrap();
    let turned = phantom.ct.grid.direction;
    assert!(turned != DMat3::IDENTITY && (turned.determinant() - 1.0).abs() < 1e-12);
    let moved = phantom.gold.moved(&phantom.ct_from_gold);
    let voxelized = voxelize(&moved, &phantom.label.grid, Rule::EvenOdd).unwrap();
    let both = voxelized.data.iter().zip(&phantom.label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
    let total = voxelized.data.iter().chain(&phantom.label.data).filter(|&&v| v == 1).count();
    assert!(2.0 * both as f64 / total as f64 > 0.9, "the model lies in the turned slices");
    let bright = |bone: u8| {
        let pairs = phantom.ct.data.iter().zip(&phantom.label.data).filter(|&(_, &label)| label == bone);
        let values: Vec<f64> = pairs.map(|(&hu, _)| f64::from(hu)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(bright(1) > 300.0 && bright(0) < 0.0, "{} and {} HU", bright(1), bright(0));
}

#[test]
fn a_projected_case_repeats_and_has_the_densities_of_a_head() {
    let params = PhantomParams {
        size: Some([48, 48, 6]),
        spacing_mm: Some([4.0, 4.0, 20.0]),
        gold_mm: Some(5.0),
        scanner: ScannerKind::Projected,
        machine: Some(Machine::Trauma),
        ..Default::default()
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| simulate(&params, case(4)).unwrap())
    };
    let (one, two) = (on(1), on(3));
    assert_eq!(one.ct, two.ct);
    assert!(one.truth.protocol.is_some());
    let near = |wanted: i32| one.ct.data.iter().filter(|&&hu| (i32::from(hu) - wanted).abs() < 40).count();
    assert!(near(-1000) > one.ct.data.len() / 5 && near(35) > one.ct.data.len() / 20, "{} {}", near(-1000), near(35));
}

#[test]
fn boxes_around_parts_change_no_density() {
    let params = PhantomParams { anatomy: AnatomyKind::Detailed, ..Default::default() };
    for number in 1..=6 {
        let scene = draw_scene(case(number), 300.0, &params);
        let mut stream = case(number).stream("test", 0);
        for _ in 0..30_000 {
            let from_head =
                DVec3::new(stream.between(-85.0, 85.0), stream.between(-105.0, 95.0), stream.between(-140.0, 16.0));
            let p = scene.world_from_head.apply(from_head);
            let [fast, plain] = [false, true].map(|wanted| {
                shape::plain::want(wanted);
                (scene.bone_mm(p), scene.sample(p).hu)
            });
            shape::plain::want(false);
            assert_eq!(fast.1, plain.1, "case {number} at {from_head}: {} and {} mm", fast.0, plain.0);
            // Only fillets reach as far as the boxes: a hair at the surface.
            let near = fast.0.abs().min(plain.0.abs()) < 1.0;
            assert!(!near || (fast.0 - plain.0).abs() < 0.05, "{from_head}: {} and {} mm", fast.0, plain.0);
        }
    }
}
