//! A skull-like shape, sampled to a scan, displaced anyhow, and brought back.

use super::*;
use crate::{
    geometry::surface::{Border, isosurface},
    numeric::{Seed, Stream},
    space::{DVec3, Grid},
};

/// Signed distance, roughly, to a closed shell with a jaw, a nose, a hole and one flat side; negative in bone, mm.
fn skull(p: DVec3) -> f64 {
    let ellipsoid = |p: DVec3, centre: DVec3, half: DVec3| {
        let q = (p - centre) / half;
        (q.length() - 1.0) * half.min_element()
    };
    let outer = ellipsoid(p, DVec3::ZERO, DVec3::new(70.0, 88.0, 66.0));
    let shell = outer.max(-ellipsoid(p, DVec3::ZERO, DVec3::new(64.0, 82.0, 60.0)));
    let flat = shell.max(p.x + 0.2 * p.y - 72.0);
    let nose = ellipsoid(p, DVec3::new(3.0, -88.0, -30.0), DVec3::new(9.0, 14.0, 18.0));
    let jaw = ellipsoid(p, DVec3::new(0.0, -55.0, -62.0), DVec3::new(38.0, 24.0, 12.0));
    let ear = ellipsoid(p, DVec3::new(66.0, 20.0, -36.0), DVec3::new(10.0, 12.0, 16.0));
    let hole = 24.0 - p.distance(DVec3::new(-50.0, -20.0, 48.0));
    flat.min(nose).min(jaw).min(ear).max(hole)
}

fn scan(size: [usize; 3], spacing_mm: DVec3, noise_hu: f64) -> Volume<f32> {
    let centre = DVec3::from_array(size.map(|n| 0.5 * (n as f64 - 1.0))) * spacing_mm;
    let grid = Grid { origin_mm: DVec3::new(20.0, -140.0, 900.0) - centre, ..Grid::aligned(size, spacing_mm) };
    let mut ct = Volume::filled(grid, 0.0_f32);
    let mut noise = Seed([6; 32]).stream("noise", 0);
    for z in 0..size[2] {
        for y in 0..size[1] {
            for x in 0..size[0] {
                let p = grid.world(x, y, z) - DVec3::new(20.0, -140.0, 900.0);
                // Partial volume: the mean over the slice, whose profile is a box.
                let parts = 5;
                let share: f64 = (0..parts)
                    .map(|i| {
                        let along = ((f64::from(i) + 0.5) / f64::from(parts) - 0.5) * spacing_mm.z;
                        (0.5 - skull(p + DVec3::Z * along) / spacing_mm.x).clamp(0.0, 1.0)
                    })
                    .sum::<f64>()
                    / f64::from(parts);
                let tissue = if p.length() < 95.0 { 40.0 } else { -1000.0 };
                let at = grid.index(x, y, z);
                ct.data[at] = (tissue + share * (1100.0 - tissue) + noise_hu * noise.normal()) as f32;
            }
        }
    }
    ct
}

/// The true surface, about the origin.
fn model() -> Mesh {
    let size = [92, 112, 92];
    let grid = Grid { origin_mm: DVec3::new(-91.0, -111.0, -91.0), ..Grid::aligned(size, DVec3::splat(2.0)) };
    let mut depth = Volume::filled(grid, 0.0_f32);
    for z in 0..size[2] {
        for y in 0..size[1] {
            for x in 0..size[0] {
                let at = grid.index(x, y, z);
                depth.data[at] = -skull(grid.world(x, y, z)) as f32;
            }
        }
    }
    isosurface(&depth, 0.0, Border::Cap)
}

fn place() -> Rigid {
    Rigid { translation_mm: DVec3::new(20.0, -140.0, 900.0), ..Rigid::IDENTITY }
}

fn anyhow(stream: &mut Stream) -> Rigid {
    let axis = DVec3::new(stream.normal(), stream.normal(), stream.normal()).normalize_or_zero();
    let shift = DVec3::new(stream.between(-200.0, 200.0), stream.between(-200.0, 200.0), stream.between(-200.0, 200.0));
    Rigid::about(DVec3::ZERO, axis * stream.between(0.0, std::f64::consts::PI), shift)
}

fn error_mm(model: &Mesh, found: &Rigid, truth: &Rigid) -> f64 {
    let square = |p: &DVec3| found.apply(*p).distance_squared(truth.apply(*p));
    (model.vertices.iter().map(square).sum::<f64>() / model.vertices.len() as f64).sqrt()
}

#[test]
fn a_displaced_skull_comes_back() {
    let (ct, model) = (scan([96, 96, 32], DVec3::new(2.0, 2.0, 5.0), 30.0), model());
    let mut stream = Seed([8; 32]).stream("displaced", 0);
    for case in 0..3 {
        let motion = anyhow(&mut stream);
        let found = align(&model.moved(&motion), &ct, &Start::Auto, &AlignOptions::default()).unwrap();
        let error = error_mm(&model, &found.world_from_mesh.after(&motion), &place());
        assert!(error < 0.2, "case {case}: {error} mm, {found:?}");
        assert!(found.accepted(), "case {case}: {found:?}");
    }
}

#[test]
fn a_part_of_the_mesh_and_a_part_of_the_scan_fit_too() {
    // The scan ends above the jaw; the mesh has no front.
    let (ct, whole) = (scan([96, 96, 22], DVec3::new(2.0, 2.0, 5.0), 30.0), model());
    let kept = |t: &&[u32; 3]| t.iter().all(|&v| whole.vertices[v as usize].y > -60.0);
    let part = Mesh { triangles: whole.triangles.iter().filter(kept).copied().collect(), ..whole.clone() };
    let motion = anyhow(&mut Seed([8; 32]).stream("part", 0));
    let found = align(&part.moved(&motion), &ct, &Start::Auto, &AlignOptions::default()).unwrap();
    let error = error_mm(&whole, &found.world_from_mesh.after(&motion), &place());
    assert!(error < 0.4 && found.accepted(), "{error} mm, {found:?}");
    assert!(found.overlap_share < 0.9);
}

#[test]
fn a_mirror_image_is_refused_and_a_known_start_is_used() {
    let (ct, model) = (scan([96, 96, 32], DVec3::new(2.0, 2.0, 5.0), 30.0), model());
    let mut mirrored = model.clone();
    mirrored.vertices.iter_mut().for_each(|p| p.x = -p.x);
    mirrored.triangles.iter_mut().for_each(|t| t.swap(0, 1));
    let found = align(&mirrored, &ct, &Start::Auto, &AlignOptions::default()).unwrap();
    assert!(!found.accepted() && found.mirror.unwrap() > 1.05, "{found:?}");
    let near =
        Rigid::about(place().translation_mm, DVec3::new(0.03, -0.04, 0.05), DVec3::new(2.0, -3.0, 1.0)).after(&place());
    let threads = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let run = || align(&model, &ct, &Start::Known(near), &AlignOptions::default()).unwrap();
    let found = threads(1).install(run);
    assert!(error_mm(&model, &found.world_from_mesh, &place()) < 0.2 && found.starts == 1, "{found:?}");
    assert_eq!(found, threads(3).install(run), "the number of threads changes no bit");
}

#[test]
fn what_cannot_be_aligned_is_said() {
    let air = Volume::filled(Grid::aligned([10, 10, 10], DVec3::ONE), -1000.0_f32);
    let options = AlignOptions::default();
    assert!(align(&model(), &air, &Start::Auto, &options).unwrap_err().what.contains("no bone surface"));
    assert!(align(&Mesh::default(), &air, &Start::Auto, &options).is_err());
    assert!(align(&model(), &air, &Start::Auto, &AlignOptions { trim: 0.0, ..options }).is_err());
}
