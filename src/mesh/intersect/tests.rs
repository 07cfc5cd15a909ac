//! Meshes that run into themselves, against asking about every pair.

use super::*;
use crate::numeric::Seed;

fn by_every_pair(mesh: &Mesh) -> Vec<[usize; 2]> {
    let count = mesh.triangles.len();
    let sound: Vec<bool> = (0..count).map(|t| pair::has_area(&mesh.corners(t))).collect();
    (0..count)
        .flat_map(|a| (a + 1..count).map(move |b| [a, b]))
        .filter(|&[a, b]| sound[a] && sound[b] && pair::meet(&mesh.corners(a), &mesh.corners(b)))
        .collect()
}

#[test]
fn the_tree_finds_what_asking_about_every_pair_finds() {
    let mut stream = Seed([8; 32]).stream("intersect", 0);
    for round in 0..6 {
        let size = [0.1, 0.2, 0.4][round % 3];
        let mut mesh = Mesh::default();
        for t in 0..400_u32 {
            let at = DVec3::new(stream.unit(), stream.unit(), if round < 3 { stream.unit() } else { 0.0 });
            let flat = if round < 3 { 1.0 } else { 0.0 };
            let around = || {
                DVec3::new(stream.between(-size, size), stream.between(-size, size), flat * stream.between(-size, size))
            };
            let corners: [DVec3; 3] = std::array::from_fn({
                let mut around = around;
                move |_| at + around()
            });
            mesh.vertices.extend(corners);
            mesh.triangles.push([3 * t, 3 * t + 1, 3 * t + 2]);
        }
        let (expected, found) = (by_every_pair(&mesh), self_intersections(&mesh));
        assert!(!expected.is_empty());
        assert_eq!((found.pairs, found.complete), (expected.len(), true));
        assert_eq!(found.first, expected[..NAMED.min(expected.len())]);
    }
}

#[test]
fn a_flat_grid_and_a_bent_one_do_not_meet_themselves_and_two_crossing_ones_do() {
    let sheet = |height: &dyn Fn(f64, f64) -> f64| {
        let n = 20_u32;
        let vertices =
            (0..n * n).map(|i| (f64::from(i % n), f64::from(i / n))).map(|(x, y)| DVec3::new(x, y, height(x, y)));
        let triangles = (0..n - 1).flat_map(|y| (0..n - 1).map(move |x| x + n * y));
        let triangles = triangles.flat_map(|a| [[a, a + 1, a + n], [a + 1, a + n + 1, a + n]]).collect();
        Mesh { vertices: vertices.collect(), triangles }
    };
    let clean = Intersections { complete: true, ..Intersections::default() };
    let flat = sheet(&|_, _| 0.0);
    assert_eq!(self_intersections(&flat), clean);
    let bent = sheet(&|x, y| 0.05 * (x - 10.0) * (x - 10.0) + 0.01 * x * y);
    assert_eq!(self_intersections(&bent), clean);
    let mut both = flat.clone();
    both.vertices.extend(sheet(&|x, _| x - 9.5).vertices);
    both.triangles.extend(flat.triangles.iter().map(|t| t.map(|v| v + 400)));
    let found = self_intersections(&both);
    assert_eq!(found.pairs, by_every_pair(&both).len());
    assert!(found.pairs >= 19);
    // in pieces without shared numbers it is the same sheet
    let soup = Mesh {
        vertices: (0..flat.triangles.len()).flat_map(|t| flat.corners(t)).collect(),
        triangles: (0..flat.triangles.len() as u32).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect(),
    };
    assert_eq!(self_intersections(&soup), clean);
}

#[test]
fn patience_ends_and_broken_triangles_take_no_part() {
    let mut mesh = Mesh { vertices: vec![DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::NAN], triangles: Vec::new() };
    mesh.triangles = vec![[0, 1, 1], [0, 1, 3], [0, 1, 9], [0, 1, 2], [0, 1, 2]];
    let clean = Intersections { complete: true, ..Intersections::default() };
    assert_eq!(self_intersections(&mesh), clean);
    assert_eq!(self_intersections(&Mesh::default()), clean);
    let mut star = Mesh::default();
    for t in 0..3000_u32 {
        let angle = f64::from(t) * 1e-3;
        let out = DVec3::new(libm::cos(angle), libm::sin(angle), 0.0);
        star.vertices.extend([DVec3::NEG_Z, out, 2.0 * DVec3::Z - 0.5 * out]);
        star.triangles.push([3 * t, 3 * t + 1, 3 * t + 2]);
    }
    let found = self_intersections(&star);
    assert!(!found.complete && found.pairs > 1000, "{found:?}");
}
