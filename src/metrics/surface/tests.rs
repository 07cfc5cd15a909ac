//! Shapes whose distances are known in closed form.

use super::*;
use crate::{
    metrics::quadrature::shapes::{both, cuboid, finer, sphere},
    numeric::Seed,
    space::{DVec3, Rigid},
};

const PLAIN: Setting<'_> = Setting { scan: None, defect: None, near_mm: &[], places: &[] };

fn near(found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
}

#[test]
fn a_box_within_a_larger_box() {
    let (side, gap) = (40.0, 0.7);
    let gold = cuboid(DVec3::ZERO, DVec3::splat(side));
    let pred = cuboid(DVec3::splat(-gap), DVec3::splat(side + gap));
    let found = compare_surfaces(&pred, &gold, &PLAIN).whole;
    near(found.mad_gold_to_pred_mm, gap, 1e-12);
    near(found.max_pred_to_gold_mm, 3.0_f64.sqrt() * gap, 1e-12);
    near(found.median_pred_to_gold_mm, gap, 1e-12);
    // Of the larger box: faces at `gap`, along the edges strips where the distance is hypot(gap, s), corner squares where
    // it is hypot(gap, s, t).
    let strip = 0.5 * gap * gap * (2.0_f64.sqrt() + libm::asinh(1.0));
    let steps = 500;
    let at = |i: i32| (f64::from(i) + 0.5) / f64::from(steps) * gap;
    let corner: f64 = (0..steps)
        .flat_map(|i| (0..steps).map(move |j| (i, j)))
        .map(|(i, j)| (gap * gap + at(i) * at(i) + at(j) * at(j)).sqrt())
        .sum::<f64>()
        * (gap / f64::from(steps))
        * (gap / f64::from(steps));
    let integral = 6.0 * (side * side * gap + 4.0 * side * strip + 4.0 * corner);
    let expected = integral / (6.0 * (side + 2.0 * gap) * (side + 2.0 * gap));
    near(found.mad_pred_to_gold_mm, expected, 1e-6);
    near(found.signed_pred_to_gold_mm, expected, 1e-6);
    near(found.nsd[0], 0.0, 0.0);
    near(found.nsd[2], 1.0, 1e-12);
    let inside = compare_surfaces(&gold, &pred, &PLAIN).whole;
    near(inside.signed_pred_to_gold_mm, -gap, 1e-12);
    near(inside.mad_gold_to_pred_mm, expected, 1e-6);
    near(inside.masd_mm, 0.5 * (gap + expected), 1e-6);
}

#[test]
fn a_shifted_box() {
    // The ends that stick out by `d`: a face at distance d (less near its edges it is not: its foot is on the other end
    // face), and side walls whose distance grows from 0 to d.
    let (side, d) = (30.0, 1.0);
    let gold = cuboid(DVec3::ZERO, DVec3::splat(side));
    let pred = gold.moved(&Rigid { translation_mm: DVec3::X * d, ..Rigid::IDENTITY });
    let area = 6.0 * side * side;
    // In front: the face at d, the walls of width d with mean d / 2. Behind: the face lies inside at depth d, but near
    // its edges the walls of the gold box are nearer: the mean of min(d, distance to the edge) over a square.
    let hidden = d * side * side - 2.0 * d * d * side + 4.0 / 3.0 * d * d * d;
    let expected = (side * side * d + 4.0 * side * d * d / 2.0 + hidden) / area;
    let found = compare_surfaces(&pred, &gold, &PLAIN).whole;
    near(found.mad_pred_to_gold_mm, expected, 1e-6);
    near(found.assd_mm, expected, 1e-6);
    near(found.signed_pred_to_gold_mm, (side * side * d + 2.0 * side * d * d - hidden) / area, 1e-6);
    near(found.max_pred_to_gold_mm, d, 1e-12);
    near(found.nsd[1], 1.0, 1e-12);
    assert!(found.nsd[0].unwrap() < 0.9);
    for times in [1, 5] {
        let again = compare_surfaces(&finer(&pred, times), &finer(&gold, 6 - times), &PLAIN).whole;
        near(again.mad_pred_to_gold_mm, expected, 1e-5);
        near(again.nsd[0], found.nsd[0].unwrap(), 2e-3);
    }
}

/// Cuts every triangle at a random place inside it, and again: a surface tessellated anew, with slivers.
fn shattered(mesh: &Mesh, times: u32) -> Mesh {
    let mut stream = Seed([11; 32]).stream("shattered", 0);
    let mut mesh = mesh.clone();
    for _ in 0..times {
        let mut triangles = Vec::with_capacity(3 * mesh.triangles.len());
        for [a, b, c] in mesh.triangles.clone() {
            let [u, v] = [stream.between(0.2, 0.4), stream.between(0.2, 0.4)];
            let [pa, pb, pc] = [a, b, c].map(|i| mesh.vertices[i as usize]);
            let middle = mesh.vertices.len() as u32;
            mesh.vertices.push(pa + (pb - pa) * u + (pc - pa) * v);
            triangles.extend([[a, b, middle], [b, c, middle], [c, a, middle]]);
        }
        mesh.triangles = triangles;
    }
    mesh
}

#[test]
fn tessellation_changes_nothing_where_the_distance_is_linear() {
    // Parallel planes, a wedge of planes, and a box within a box (towards the larger one).
    let plate = |z: [f64; 3], half: f64| Mesh {
        vertices: vec![
            DVec3::new(-half, -half, z[0]),
            DVec3::new(half, -half, z[1]),
            DVec3::new(half, half, z[1] + z[2] - z[0]),
            DVec3::new(-half, half, z[2]),
        ],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
    };
    let box_of = |half: f64| cuboid(DVec3::splat(-half), DVec3::splat(half));
    for (pred, gold) in [
        (plate([0.7; 3], 10.0), plate([0.0; 3], 30.0)),
        (plate([0.5, 3.0, 1.0], 10.0), plate([0.0; 3], 30.0)),
        (box_of(20.0), box_of(20.7)),
    ] {
        let once = compare_surfaces(&pred, &gold, &PLAIN).whole;
        for times in [1, 4] {
            let again = compare_surfaces(&shattered(&pred, times), &shattered(&gold, 5 - times), &PLAIN).whole;
            near(again.mad_pred_to_gold_mm, once.mad_pred_to_gold_mm.unwrap(), 1e-6);
            near(again.signed_pred_to_gold_mm, once.signed_pred_to_gold_mm.unwrap(), 1e-6);
            assert!(again.bounds.mad_mm.unwrap() <= 1e-3, "{:?}", again.bounds);
        }
    }
}

#[test]
fn tessellation_changes_a_mean_by_no_more_than_its_bound() {
    // Small bodies need few pieces for the same bound.
    let turn = Rigid::about(DVec3::splat(1.4), DVec3::new(0.3, -0.2, 0.5), DVec3::new(0.08, 0.02, -0.06));
    let gold = cuboid(DVec3::ZERO, DVec3::new(6.0, 4.0, 2.0));
    let pairs = [(gold.moved(&turn), gold.clone()), (sphere(DVec3::ZERO, 3.0, 2), gold)];
    for (pred, gold) in pairs {
        let once = compare_surfaces(&pred, &gold, &PLAIN).whole;
        for times in [1, 4] {
            let again = compare_surfaces(&shattered(&pred, times), &shattered(&gold, 4 - times), &PLAIN).whole;
            let (a, b) = (once.bounds, again.bounds);
            let apart = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs();
            let sum = |of: fn(&Bounds) -> Option<f64>| of(&a).unwrap() + of(&b).unwrap();
            assert!(sum(|b| b.mad_mm) <= 2e-3, "{a:?} {b:?}");
            assert!(apart(once.mad_pred_to_gold_mm, again.mad_pred_to_gold_mm) <= sum(|b| b.mad_mm));
            assert!(apart(once.mad_gold_to_pred_mm, again.mad_gold_to_pred_mm) <= sum(|b| b.mad_mm));
            assert!(apart(once.median_pred_to_gold_mm, again.median_pred_to_gold_mm) <= sum(|b| b.median_mm));
            assert!(apart(once.p95_pred_to_gold_mm, again.p95_pred_to_gold_mm) <= sum(|b| b.p95_mm));
            assert!(apart(once.hd95_mm, again.hd95_mm) <= sum(|b| b.hd95_mm));
            assert!(apart(once.max_pred_to_gold_mm, again.max_pred_to_gold_mm) <= sum(|b| b.max_mm));
            for i in 0..3 {
                assert!(apart(once.nsd[i], again.nsd[i]) <= sum(|b| b.nsd));
            }
        }
    }
}

#[test]
fn spheres() {
    let centre = DVec3::new(3.0, -80.0, 12.0);
    let gold = sphere(centre, 40.0, 6);
    let pred = sphere(centre, 41.0, 6);
    let found = compare_surfaces(&pred, &gold, &PLAIN).whole;
    for mean in [found.mad_pred_to_gold_mm, found.mad_gold_to_pred_mm, found.signed_pred_to_gold_mm, found.hd95_mm] {
        near(mean, 1.0, 1e-2);
    }
    // The distance of the flat facets themselves: both spheres lose the same share by their facets.
    let loss = (gold.volume_mm3() / (4.0 / 3.0 * std::f64::consts::PI * 40.0_f64.powi(3))).cbrt();
    near(found.mad_pred_to_gold_mm, loss, 1e-3);
    // Shifted by s: the mean of |s cos| over the sphere is s / 2, to the second order in s.
    let shifted = gold.moved(&Rigid { translation_mm: DVec3::Y, ..Rigid::IDENTITY });
    let found = compare_surfaces(&shifted, &gold, &PLAIN).whole;
    near(found.mad_pred_to_gold_mm, 0.5, 1e-3);
    near(found.median_pred_to_gold_mm, 0.5, 5e-3);
    near(found.p95_pred_to_gold_mm, 0.95, 5e-3);
    near(found.max_pred_to_gold_mm, 1.0, 1e-3);
}

#[test]
fn caps_are_left_out_and_reported() {
    // A pillar through the whole scan, cut off 1 mm short of its end in the prediction.
    let scan = Grid::aligned([20, 20, 20], DVec3::ONE);
    let gold = cuboid(DVec3::new(5.0, 5.0, -0.5), DVec3::new(15.0, 15.0, 19.5));
    let pred = cuboid(DVec3::new(5.0, 5.0, -0.5), DVec3::new(15.0, 15.0, 18.5));
    let found = compare_surfaces(&pred, &gold, &Setting { scan: Some(&scan), ..PLAIN });
    near(found.whole.mad_pred_to_gold_mm, 0.0, 1e-12);
    near(found.whole.max_pred_to_gold_mm, 0.0, 1e-12);
    assert!(found.with_caps.mad_pred_to_gold_mm.unwrap() > 0.05);
    near(found.with_caps.max_pred_to_gold_mm, 1.0, 1e-12);
}

#[test]
fn a_filled_hole_is_measured_in_its_middle() {
    // A plate with a square hole; the prediction has no hole. Around the hole's solid both are measured.
    let plate = |x: [f64; 2], y: [f64; 2]| cuboid(DVec3::new(x[0], y[0], 0.0), DVec3::new(x[1], y[1], 5.0));
    let mut gold = Mesh::default();
    for part in [
        plate([0., 100.], [0., 30.]),
        plate([0., 100.], [70., 100.]),
        plate([0., 30.], [30., 70.]),
        plate([70., 100.], [30., 70.]),
    ] {
        let first = gold.vertices.len() as u32;
        gold.vertices.extend(part.vertices);
        gold.triangles.extend(part.triangles.iter().map(|t| t.map(|v| v + first)));
    }
    let pred = plate([0.0, 100.0], [0.0, 100.0]);
    let hole = Solid::Mesh(plate([30.0, 70.0], [30.0, 70.0]));
    let setting = Setting { defect: Some(&hole), near_mm: &[5.0, 10.0, 20.0], ..PLAIN };
    let found = compare_surfaces(&pred, &gold, &setting);
    assert_eq!(found.near.iter().map(|(mm, _)| *mm).collect::<Vec<_>>(), [5.0, 10.0, 20.0]);
    // Over the hole the distance to the gold plate is that to the hole's rim: 20 in the middle, a pyramid over 40 x 40.
    let region = 40.0 * 40.0 + 4.0 * 40.0 * 10.0 + std::f64::consts::PI * 100.0;
    near(found.near[1].1.mad_pred_to_gold_mm, 40.0 * 40.0 * 20.0 / 3.0 / region, 2e-2);
    near(found.near[1].1.max_pred_to_gold_mm, 20.0, 1.0);
    assert!(found.near[0].1.mad_pred_to_gold_mm > found.near[2].1.mad_pred_to_gold_mm);
    assert!(found.near[2].1.mad_pred_to_gold_mm > found.whole.mad_pred_to_gold_mm);
    let ball = Solid::Ball { centre_mm: DVec3::splat(500.0), radius_mm: 45.0 };
    let small = plate([0.0, 1.0], [0.0, 1.0]);
    let far = compare_surfaces(&small, &small, &Setting { defect: Some(&ball), ..setting });
    assert_eq!(far.near[1].1, Columns::nothing(Status::RegionEmpty));
    let none = compare_surfaces(&small, &small, &Setting { defect: None, ..setting });
    assert_eq!(none.near[0].1.status, Status::NoDefect);
}

#[test]
fn empty_surfaces() {
    let (some, none) = (cuboid(DVec3::ZERO, DVec3::ONE), Mesh::default());
    let both = compare_surfaces(&none, &none, &PLAIN).whole;
    assert_eq!((both.status, both.assd_mm, both.nsd), (Status::BothEmpty, Some(0.0), [Some(1.0); 3]));
    let one = compare_surfaces(&none, &some, &PLAIN).whole;
    assert_eq!((one.status, one.assd_mm, one.nsd), (Status::PredEmpty, None, [Some(0.0); 3]));
    let flat = Mesh { vertices: vec![DVec3::ZERO, DVec3::X, DVec3::NAN], triangles: vec![[0, 1, 1], [0, 1, 2]] };
    assert_eq!(compare_surfaces(&some, &flat, &PLAIN).whole.status, Status::GoldEmpty);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let gold = sphere(DVec3::ZERO, 40.0, 5);
    let pred = sphere(DVec3::new(0.3, 0.2, 0.1), 40.5, 5);
    let ball = Solid::Ball { centre_mm: DVec3::X * 40.0, radius_mm: 10.0 };
    let setting = Setting { defect: Some(&ball), near_mm: &[10.0], ..PLAIN };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| compare_surfaces(&pred, &gold, &setting))
    };
    assert_eq!(run(1), run(3));
}

/// Distance of a point to one triangle, by another road than the tree's: the foot on the plane when it lies inside, else the
/// nearest of three segments.
fn plain_distance_mm(p: DVec3, [a, b, c]: [DVec3; 3]) -> f64 {
    let normal = (b - a).cross(c - a).normalize();
    let foot = p - normal * (p - a).dot(normal);
    let inside = [(a, b), (b, c), (c, a)].iter().all(|&(from, to)| normal.dot((to - from).cross(foot - from)) >= 0.0);
    let to_segment = |from: DVec3, to: DVec3| {
        let share = ((p - from).dot(to - from) / (to - from).length_squared()).clamp(0.0, 1.0);
        p.distance(from + (to - from) * share)
    };
    if inside { p.distance(foot) } else { to_segment(a, b).min(to_segment(b, c)).min(to_segment(c, a)) }
}

/// Solid angle of the surface seen from a point, in units of the whole sphere (van Oosterom and Strackee 1983).
fn winding(mesh: &Mesh, p: DVec3) -> f64 {
    let angle = |t| {
        let [a, b, c] = mesh.corners(t).map(|corner| corner - p);
        let (la, lb, lc) = (a.length(), b.length(), c.length());
        2.0 * libm::atan2(a.dot(b.cross(c)), la * lb * lc + a.dot(b) * lc + b.dot(c) * la + c.dot(a) * lb)
    };
    (0..mesh.triangles.len()).map(angle).sum::<f64>() / (4.0 * std::f64::consts::PI)
}

#[test]
fn distances_and_sides_agree_with_a_plain_look_at_every_triangle() {
    let mut stream = Seed([13; 32]).stream("plain", 0);
    // A star: a sphere whose vertices stand at random heights, equal where corners meet.
    let mut star = sphere(DVec3::ZERO, 1.0, 3);
    for p in &mut star.vertices {
        let mix = p.to_array().iter().fold(0_u64, |mix, x| mix.rotate_left(21) ^ ((x + 2.0) * 1e6).round() as u64);
        *p *= 8.0 + 4.0 * (mix.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / 16_777_216.0;
    }
    let (bvh, sides) = (Bvh::new(&star), Sides::new(&star));
    let target = Target { bvh: &bvh, sides: Some(&sides) };
    let mut inside = 0;
    for _ in 0..1000 {
        let p = DVec3::new(stream.between(-13.0, 13.0), stream.between(-13.0, 13.0), stream.between(-13.0, 13.0));
        let found = target.read(p, None).unwrap().distance_mm;
        let plain = (0..star.triangles.len()).map(|t| plain_distance_mm(p, star.corners(t))).fold(f64::MAX, f64::min);
        assert!((found.abs() - plain).abs() <= 1e-9, "{found} {plain}");
        assert_eq!(found < 0.0, winding(&star, p) > 0.5, "{p} {found}");
        inside += i32::from(found < 0.0);
    }
    assert!(inside > 100, "{inside}");
}

#[test]
fn what_is_near_a_place_and_what_is_elsewhere_make_up_the_whole() {
    // Two boxes, one of which the prediction has 1 mm too large; the place is a block inside that one.
    let boxes = |grow: f64| {
        both(cuboid(DVec3::splat(-grow), DVec3::splat(20.0 + grow)), cuboid(DVec3::splat(100.0), DVec3::splat(120.0)))
    };
    let middle = cuboid(DVec3::splat(9.0), DVec3::splat(11.0));
    let place = Place { name: "metal", surface: middle, is_solid: true, within_mm: 30.0 };
    let places = [place.clone(), Place { surface: Mesh::default(), ..place }];
    let found = compare_surfaces(&boxes(1.0), &boxes(0.0), &Setting { places: &places, ..PLAIN });
    let [near_one, nowhere, elsewhere] = found.places[..] else { panic!("{} places", found.places.len()) };
    near(near_one.mad_gold_to_pred_mm, 1.0, 1e-12);
    near(elsewhere.mad_gold_to_pred_mm, 0.0, 1e-12);
    near(elsewhere.max_pred_to_gold_mm, 0.0, 1e-12);
    near(found.whole.mad_gold_to_pred_mm, 0.5, 1e-9);
    assert_eq!(nowhere.status, Status::RegionEmpty);
    assert!(compare_surfaces(&boxes(1.0), &boxes(0.0), &PLAIN).places.is_empty());
    let empty = compare_surfaces(&Mesh::default(), &boxes(0.0), &Setting { places: &places, ..PLAIN });
    assert_eq!(empty.places.iter().map(|c| c.status).collect::<Vec<_>>(), [Status::PredEmpty; 3]);
}
