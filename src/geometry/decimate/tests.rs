//! Shapes that stay closed, stay where they were, and come out the same.

use super::*;
use crate::{
    geometry::surface::{Border, isosurface, label_surface},
    mesh::{bvh::Bvh, check::check},
    numeric::Seed,
    space::Grid,
    volume::Volume,
};

fn of_function(n: usize, border: Border, f: impl Fn(DVec3) -> f64) -> Mesh {
    let mut grid = Grid::aligned([n; 3], DVec3::splat(32.0 / n as f64));
    grid.origin_mm = DVec3::splat(-16.0 + 16.0 / n as f64);
    let point = |i: usize| grid.world(i % n, i / n % n, i / (n * n));
    let data = (0..grid.len()).map(|i| f(point(i)) as f32).collect();
    isosurface(&Volume { grid, data }, 0.0, border)
}

fn farthest_mm(from: &Mesh, to: &Mesh) -> f64 {
    let bvh = Bvh::new(to);
    from.vertices.iter().map(|&p| bvh.closest(p).unwrap().distance_mm).fold(0.0, f64::max)
}

#[test]
fn a_torus_stays_a_torus_with_a_tenth_of_the_triangles() {
    let torus = of_function(64, Border::Cap, |p| 4.0 - libm::hypot(libm::hypot(p.x, p.y) - 10.0, p.z));
    let goal = torus.triangles.len() / 10;
    let small = decimate(&torus, Target::Triangles(goal));
    assert!(small.triangles.len() <= goal && small.triangles.len() + 2 >= goal, "{}", small.triangles.len());
    let report = check(&small);
    assert!(report.closed && report.oriented && report.manifold && report.degenerate == 0, "{report:?}");
    assert_eq!((report.euler, report.components), (0, 1));
    assert!((small.volume_mm3() / torus.volume_mm3() - 1.0).abs() < 0.005);
    assert!(farthest_mm(&torus, &small) < 0.2, "{}", farthest_mm(&torus, &small));
}

#[test]
fn the_greatest_error_is_kept() {
    let ball = of_function(40, Border::Cap, |p| 12.0 - p.length());
    let mut before = usize::MAX;
    for tolerance_mm in [0.01, 0.1, 0.5] {
        let small = decimate(&ball, Target::MaxErrorMm(tolerance_mm));
        assert!(farthest_mm(&ball, &small) <= tolerance_mm + 1e-12);
        assert!(small.triangles.len() < before, "{} at {tolerance_mm} mm", small.triangles.len());
        let report = check(&small);
        assert!(report.closed && report.oriented && report.manifold && report.euler == 2);
        before = small.triangles.len();
    }
    assert!(before < ball.triangles.len() / 40, "{before}");
}

#[test]
fn a_box_comes_down_to_its_flat_faces() {
    let cube = of_function(32, Border::Cap, |p| 10.0 - p.abs().max_element());
    let small = decimate(&cube, Target::MaxErrorMm(1e-6));
    assert!(check(&small).closed && small.triangles.len() < cube.triangles.len() / 8, "{}", small.triangles.len());
    assert!((small.volume_mm3() / cube.volume_mm3() - 1.0).abs() < 1e-6);
}

#[test]
fn noise_stays_closed_oriented_and_of_its_topology() {
    for index in 0..30 {
        let mut stream = Seed([5; 32]).stream("decimate", index);
        let grid = Grid::aligned([9, 8, 7], DVec3::new(1.0, 2.0, 0.5));
        let density = 0.05 + 0.03 * index as f64;
        let label = Volume::new(grid, (0..grid.len()).map(|_| u8::from(stream.unit() < density)).collect()).unwrap();
        let mesh = label_surface(&label, Border::Cap);
        for target in [Target::Triangles(0), Target::MaxErrorMm(0.3)] {
            let small = decimate(&mesh, target);
            let (before, after) = (check(&mesh), check(&small));
            assert!(after.closed && after.oriented && after.manifold, "{index}: {after:?}");
            assert_eq!((after.euler, after.components), (before.euler, before.components), "{index}");
            assert!(small.triangles.len() < mesh.triangles.len());
        }
    }
}

#[test]
fn an_open_sheet_keeps_its_rim() {
    let sheet = of_function(24, Border::Open, |p| -p.z + 0.1);
    let small = decimate(&sheet, Target::MaxErrorMm(1e-4));
    let report = check(&small);
    assert!(!report.closed && report.oriented && report.manifold && report.euler == 1, "{report:?}");
    assert!((small.area_mm2() / sheet.area_mm2() - 1.0).abs() < 1e-6);
    assert!(small.triangles.len() < 60, "{}", small.triangles.len());
}

#[test]
fn what_cannot_collapse_is_left() {
    let corners = [DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::Z];
    let tetrahedron = Mesh { vertices: corners.to_vec(), triangles: vec![[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]] };
    assert_eq!(decimate(&tetrahedron, Target::Triangles(0)), tetrahedron);
    let broken = Mesh { vertices: corners.to_vec(), triangles: vec![[0, 0, 1], [0, 1, 9]] };
    assert_eq!(decimate(&broken, Target::Triangles(0)), broken);
    assert_eq!(decimate(&Mesh::default(), Target::MaxErrorMm(1.0)), Mesh::default());
}
