//! A skull-like shape, sampled to a scan, displaced anyhow, and brought back.

use super::*;
use crate::{
    geometry::surface::{Border, isosurface},
    mesh::shapes::{both, cuboid},
    numeric::{Seed, Stream},
    space::{DVec3, Grid},
};

type Shape = fn(DVec3) -> f64;

fn ellipsoid(p: DVec3, centre: DVec3, half: DVec3) -> f64 {
    let q = (p - centre) / half;
    (q.length() - 1.0) * half.min_element()
}

/// Signed distance, roughly, to a closed shell with a jaw, a nose, a hole and one flat side; negative in bone, mm.
fn skull(p: DVec3) -> f64 {
    let outer = ellipsoid(p, DVec3::ZERO, DVec3::new(70.0, 88.0, 66.0));
    let shell = outer.max(-ellipsoid(p, DVec3::ZERO, DVec3::new(64.0, 82.0, 60.0)));
    let flat = shell.max(p.x + 0.2 * p.y - 72.0);
    let nose = ellipsoid(p, DVec3::new(3.0, -88.0, -30.0), DVec3::new(9.0, 14.0, 18.0));
    let jaw = ellipsoid(p, DVec3::new(0.0, -55.0, -62.0), DVec3::new(38.0, 24.0, 12.0));
    let ear = ellipsoid(p, DVec3::new(66.0, 20.0, -36.0), DVec3::new(10.0, 12.0, 16.0));
    let hole = 24.0 - p.distance(DVec3::new(-50.0, -20.0, 48.0));
    flat.min(nose).min(jaw).min(ear).max(hole)
}

/// The same without anything that tells left from right.
fn symmetric(p: DVec3) -> f64 {
    let p = DVec3::new(p.x.abs(), p.y, p.z);
    let outer = ellipsoid(p, DVec3::ZERO, DVec3::new(70.0, 88.0, 66.0));
    let shell = outer.max(-ellipsoid(p, DVec3::ZERO, DVec3::new(64.0, 82.0, 60.0)));
    let nose = ellipsoid(p, DVec3::new(0.0, -88.0, -30.0), DVec3::new(9.0, 14.0, 18.0));
    let jaw = ellipsoid(p, DVec3::new(0.0, -55.0, -62.0), DVec3::new(38.0, 24.0, 12.0));
    let ear = ellipsoid(p, DVec3::new(66.0, 20.0, -36.0), DVec3::new(10.0, 12.0, 16.0));
    shell.min(nose).min(jaw).min(ear)
}

/// A spine, a breastbone, shoulders and ribs.
fn torso(p: DVec3) -> f64 {
    let spine = ellipsoid(p, DVec3::new(0.0, 60.0, 0.0), DVec3::new(16.0, 20.0, 90.0));
    let breast = ellipsoid(p, DVec3::new(0.0, -62.0, 0.0), DVec3::new(16.0, 6.0, 60.0));
    let shoulders = ellipsoid(p, DVec3::new(0.0, 10.0, 66.0), DVec3::new(85.0, 14.0, 9.0));
    let ring = ((p.x / 82.0).powi(2) + (p.y / 62.0).powi(2)).sqrt();
    let ribs = ((ring - 1.0).abs() * 62.0 - 4.0).max(((p.z / 22.0).fract().abs() - 0.5).abs() * 22.0 - 6.0);
    spine.min(breast).min(shoulders).min(ribs.max(p.z.abs() - 75.0))
}

fn scan(shape: Shape, size: [usize; 3], spacing_mm: DVec3, noise_hu: f64) -> Volume<f32> {
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
                        (0.5 - shape(p + DVec3::Z * along) / spacing_mm.x).clamp(0.0, 1.0)
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

fn head(shape: Shape) -> Volume<f32> {
    scan(shape, [96, 96, 32], DVec3::new(2.0, 2.0, 5.0), 30.0)
}

/// The true surface, about the origin.
fn model(shape: Shape) -> Mesh {
    let size = [92, 112, 92];
    let grid = Grid { origin_mm: DVec3::new(-91.0, -111.0, -91.0), ..Grid::aligned(size, DVec3::splat(2.0)) };
    let mut depth = Volume::filled(grid, 0.0_f32);
    for z in 0..size[2] {
        for y in 0..size[1] {
            for x in 0..size[0] {
                let at = grid.index(x, y, z);
                depth.data[at] = -shape(grid.world(x, y, z)) as f32;
            }
        }
    }
    isosurface(&depth, 0.0, Border::Cap)
}

fn mapped(mesh: &Mesh, map: fn(DVec3) -> DVec3, flip: bool) -> Mesh {
    let mut mesh = mesh.clone();
    mesh.vertices.iter_mut().for_each(|p| *p = map(*p));
    if flip {
        mesh.triangles.iter_mut().for_each(|t| t.swap(0, 1));
    }
    mesh
}

fn refused(found: &Alignment) -> (&str, &str) {
    found.refusal.as_ref().map_or(("", ""), |refusal| (refusal.what.as_str(), refusal.cause.as_str()))
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
fn a_displaced_skull_comes_back_from_anywhere() {
    let (ct, model) = (head(skull), model(skull));
    let scan = Scan::new(&ct, None).unwrap();
    let trials = trial::Trials { starts: 6, ..trial::Trials::default() };
    let summary = trial::align_starts(&model, &scan, &place(), &trials, &AlignOptions::default(), |_, _| ()).unwrap();
    assert_eq!((summary.tried, summary.found, summary.accepted, summary.wrong), (6, 6, 6, 0), "{summary:?}");
    assert!(summary.error_mm.1 < 0.15 && summary.error_deg < 0.15, "{summary:?}");
}

#[test]
fn a_part_of_the_mesh_and_a_part_of_the_scan_fit_too() {
    // The scan ends above the jaw; the mesh has no front.
    let (ct, whole) = (scan(skull, [96, 96, 22], DVec3::new(2.0, 2.0, 5.0), 30.0), model(skull));
    let kept = |t: &&[u32; 3]| t.iter().all(|&v| whole.vertices[v as usize].y > -60.0);
    let part = Mesh { triangles: whole.triangles.iter().filter(kept).copied().collect(), ..whole.clone() };
    let motion = anyhow(&mut Seed([8; 32]).stream("part", 0));
    let found = align(&part.moved(&motion), &ct, &Start::Auto, &AlignOptions::default()).unwrap();
    let error = error_mm(&whole, &found.world_from_mesh.after(&motion), &place());
    assert!(error < 0.4 && found.accepted(), "{error} mm, {found:?}");
    assert!(found.overlap_share < 0.9);
}

#[test]
fn mirrored_and_inside_out_are_refused_and_a_symmetric_head_is_not() {
    let (ct, right) = (head(skull), model(skull));
    let scan = Scan::new(&ct, None).unwrap();
    let options = AlignOptions::default();
    let flip = |p: DVec3| DVec3::new(-p.x, p.y, p.z);
    let found = scan.align(&mapped(&right, flip, true), &Start::Auto, &options).unwrap();
    assert_eq!(found.handed.unwrap().hand, Hand::Mirrored);
    assert!(refused(&found).0.contains("mirror image"), "{found:?}");
    let found = scan.align(&mapped(&right, |p| p, true), &Start::Auto, &options).unwrap();
    assert!(found.outwards_share < 0.1 && refused(&found).0.contains("inside out"), "{found:?}");

    let (ct, same) = (head(symmetric), model(symmetric));
    let scan = Scan::new(&ct, None).unwrap();
    for mesh in [mapped(&same, flip, true), same] {
        let found = scan.align(&mesh, &Start::Auto, &options).unwrap();
        assert!(found.accepted() && found.handed.unwrap().hand == Hand::Unclear, "{found:?}");
        assert!(found.notes[0].contains("left from right"), "{found:?}");
    }
}

#[test]
fn what_is_no_such_head_is_refused() {
    let (ct, model) = (head(torso), model(skull));
    let found = align(&model, &ct, &Start::Auto, &AlignOptions::default()).unwrap();
    assert!(!found.accepted(), "{found:?}");
    let ball = |p: DVec3| p.length() - 60.0;
    let found = align(&self::model(ball), &head(ball), &Start::Auto, &AlignOptions::default()).unwrap();
    assert!(!found.accepted(), "a ball may turn anyhow: {found:?}");
}

#[test]
fn a_given_start_is_refined_verified_or_found_wrong() {
    let (ct, model) = (head(skull), model(skull));
    let scan = Scan::new(&ct, None).unwrap();
    let options = AlignOptions::default();
    let near =
        Rigid::about(place().translation_mm, DVec3::new(0.03, -0.04, 0.05), DVec3::new(2.0, -3.0, 1.0)).after(&place());
    let threads = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let run = || align(&model, &ct, &Start::Known(near), &options).unwrap();
    let found = threads(1).install(run);
    assert!(error_mm(&model, &found.world_from_mesh, &place()) < 0.15 && found.starts == 1, "{found:?}");
    for n in [2, 7] {
        assert_eq!(found, threads(n).install(run), "the number of threads changes no bit");
    }

    let verify = AlignOptions { effort: Effort::Verify, ..options };
    let kept = scan.align(&model, &Start::Known(place()), &verify).unwrap();
    assert!(kept.accepted() && kept.world_from_mesh == place() && kept.edge_share.is_none(), "{kept:?}");
    assert!(scan.align(&model, &Start::Auto, &verify).is_err());

    let slipped = mapped(&model.moved(&place()), |p| DVec3::new(-p.x, -p.y, p.z), false);
    let found = scan.align(&slipped, &Start::Identity, &options).unwrap();
    assert!(refused(&found).1.contains("RAS"), "{found:?}");
    let found = scan.align(&slipped, &Start::Auto, &options).unwrap();
    assert!(found.accepted() && found.notes.iter().any(|note| note.contains("RAS")), "{found:?}");
}

#[test]
fn what_cannot_be_aligned_is_said() {
    let air = Volume::filled(Grid::aligned([10, 10, 10], DVec3::ONE), -1000.0_f32);
    let options = AlignOptions::default();
    let model = model(skull);
    assert!(align(&model, &air, &Start::Auto, &options).unwrap_err().what.contains("no bone surface"));
    assert!(align(&Mesh::default(), &air, &Start::Auto, &options).is_err());
    let ct = head(skull);
    assert!(align(&model, &ct, &Start::Auto, &AlignOptions { trim: 0.0, ..options }).is_err());
    for (scaled, name) in
        [(mapped(&model, |p| p * 1e-3, false), "metres"), (mapped(&model, |p| p / 25.4, false), "inches")]
    {
        let fault = align(&scaled, &ct, &Start::Auto, &options).unwrap_err();
        assert!(fault.hint.unwrap().contains(name));
    }
}

/// Two plates across the empty head of [`model`], `thick_mm` thick, of about a tenth of its surface.
fn with_plates(thick_mm: f64) -> Mesh {
    let plate = |z: f64| cuboid(DVec3::new(-30.0, -30.0, z), DVec3::new(30.0, 30.0, z + thick_mm));
    both(both(model(skull), plate(-15.0)), plate(15.0))
}

#[test]
fn thin_bone_that_the_scan_does_not_show_says_nothing_against_the_mesh() {
    let ct = head(skull);
    let scan = Scan::new(&ct, None).unwrap();
    let run = |mesh: &Mesh| scan.align(&mesh.moved(&place()), &Start::Identity, &AlignOptions::default()).unwrap();
    let whole = run(&model(skull));
    assert!(whole.accepted() && whole.p95_thick_residual_mm.is_none() && whole.notes.is_empty(), "{whole:?}");
    let thin = run(&with_plates(1.0));
    let thick_mm = thin.p95_thick_residual_mm.unwrap();
    assert!(thin.p95_residual_mm > 20.0 && (thick_mm - whole.p95_residual_mm).abs() < 0.3, "{thin:?}");
    assert!(thin.accepted() && thin.notes.iter().any(|note| note.contains("thin bone")), "{thin:?}");
    assert!(error_mm(&model(skull).moved(&place()), &thin.world_from_mesh, &Rigid::IDENTITY) < 0.3, "{thin:?}");
    // A head of another size is refused for what is thick in it; so is as much bone that no scan could miss.
    let larger = run(&mapped(&with_plates(1.0), |p| p * 1.05, false));
    assert!(!larger.accepted() && larger.p95_thick_residual_mm.unwrap() > 2.0, "{larger:?}");
    let other = run(&with_plates(4.0));
    assert!(!other.accepted() && refused(&other).0.contains("without thin bone"), "{other:?}");
}
