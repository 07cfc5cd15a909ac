//! Shapes whose volume, area and topology have closed forms.

use std::f64::consts::PI;

use super::*;
use crate::{
    mesh::check::{Report, check},
    space::{DMat3, DVec3},
};

/// Returns a volume of a function of the world position, larger inside.
fn sampled(grid: Grid, f: impl Fn(DVec3) -> f64) -> Volume<f32> {
    let [nx, ny, nz] = grid.size;
    let points = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (x, y, z))));
    Volume { grid, data: points.map(|(x, y, z)| f(grid.world(x, y, z)) as f32).collect() }
}

/// Returns an oblique grid of a cube of 40 mm about the origin; voxels twice as long along z when anisotropic.
fn cube_of_40_mm(n: usize, anisotropic: bool) -> Grid {
    let along = if anisotropic { DVec3::new(1.0, 1.0, 2.0) } else { DVec3::ONE };
    let spacing_mm = along * (40.0 / n as f64);
    let turn = DMat3::from_axis_angle(DVec3::new(1.0, 1.0, -1.0).normalize(), 0.4);
    let size = [n, n, if anisotropic { n / 2 } else { n }];
    let first = -0.5 * spacing_mm * DVec3::from_array(size.map(|n| (n - 1) as f64));
    Grid::new(size, turn * first, spacing_mm, turn).unwrap()
}

fn sound(mesh: &Mesh, euler: i64) -> Report {
    let report = check(mesh);
    assert!(report.closed && report.oriented && report.manifold && report.degenerate == 0, "{report:?}");
    assert_eq!(report.euler, euler);
    report
}

/// Errors of volume, area (relative) and largest distance (mm) of a shape given by its signed distance, positive inside.
fn errors(grid: Grid, distance_mm: &dyn Fn(DVec3) -> f64, euler: i64, [volume, area]: [f64; 2]) -> [f64; 3] {
    let mesh = isosurface(&sampled(grid, distance_mm), 0.0, Border::Cap);
    let report = sound(&mesh, euler);
    let middle = |t: usize| mesh.corners(t).into_iter().sum::<DVec3>() / 3.0;
    let places = mesh.vertices.iter().copied().chain((0..mesh.triangles.len()).map(middle));
    let farthest = places.map(|p| distance_mm(p).abs()).fold(0.0, f64::max);
    [(report.volume_mm3 / volume - 1.0).abs(), (report.area_mm2 / area - 1.0).abs(), farthest]
}

#[test]
fn spheres_and_tori_converge_with_the_square_of_the_spacing() {
    let sphere = |p: DVec3| 13.0 - p.length();
    let torus = |p: DVec3| 4.0 - libm::hypot(libm::hypot(p.x, p.y) - 10.0, p.z);
    let shell = |p: DVec3| 2.0 - (p.length() - 12.0).abs();
    let of_sphere = [4.0 / 3.0 * PI * 13.0_f64.powi(3), 4.0 * PI * 169.0];
    let of_torus = [2.0 * PI * PI * 10.0 * 16.0, 4.0 * PI * PI * 40.0];
    let of_shell = [4.0 / 3.0 * PI * (14.0_f64.powi(3) - 1000.0), 4.0 * PI * (196.0 + 100.0)];
    for anisotropic in [false, true] {
        let at = |n| cube_of_40_mm(n, anisotropic);
        type Shape<'a> = &'a dyn Fn(DVec3) -> f64;
        for (shape, euler, closed_form) in
            [(&sphere as Shape<'_>, 2, of_sphere), (&torus, 0, of_torus), (&shell, 4, of_shell)]
        {
            let coarse = errors(at(32), shape, euler, closed_form);
            let fine = errors(at(64), shape, euler, closed_form);
            for (name, (coarse, fine)) in ["volume", "area", "distance"].into_iter().zip(coarse.into_iter().zip(fine)) {
                assert!(fine < 0.1 && coarse / fine > 3.2, "{name}: {coarse} then {fine}, Euler {euler}");
            }
        }
    }
}

#[test]
fn a_box_of_voxels_is_a_box_grown_by_an_octahedron() {
    for [a, b, c] in [[1, 1, 1], [4, 1, 1], [3, 4, 1], [5, 3, 2]] {
        let grid = Grid::new([a, b, c], DVec3::splat(-9.0), DVec3::new(3.0, 2.0, 0.5), DMat3::IDENTITY).unwrap();
        let report = sound(&label_surface(&Volume::filled(grid, 1), Border::Cap), 2);
        let [a, b, c] = [a, b, c].map(|n| (n - 1) as f64);
        let voxels = a * b * c + a * b + b * c + c * a + (a + b + c) / 2.0 + 1.0 / 6.0;
        assert!((report.volume_mm3 - 3.0 * voxels).abs() < 1e-9, "{} for {voxels} voxels", report.volume_mm3);
        assert_eq!(label_surface(&Volume::filled(grid, 1), Border::Open), Mesh::default());
    }
}

#[test]
fn a_plane_is_cut_exactly() {
    let grid = Grid::aligned([9, 8, 7], DVec3::ONE);
    let tilted = isosurface(&sampled(grid, |p| p.x + 2.0 * p.y + 2.0 * p.z), 17.25, Border::Open);
    let normal = -DVec3::new(1.0, 2.0, 2.0) / 3.0;
    assert!(tilted.vertices.iter().all(|p| (p.dot(normal) + 17.25 / 3.0).abs() < 1e-12));
    for t in 0..tilted.triangles.len() {
        let [a, b, c] = tilted.corners(t);
        assert!((b - a).cross(c - a).normalize_or_zero().dot(normal) > 1.0 - 1e-9, "outwards is towards lower values");
    }
    // x + y = 6.5 crosses the box of 8 x 7 x 6 mm over its whole height, along a line of 6.5 sqrt(2) mm
    let upright = isosurface(&sampled(grid, |p| p.x + p.y), 6.5, Border::Open);
    assert!((upright.area_mm2() - 6.5 * 2.0_f64.sqrt() * 6.0).abs() < 1e-9);
    assert!(!check(&upright).closed);
    // the same half space capped: a triangle of legs 7, grown to the voxels' faces, times 7 mm less the rounded rims
    let capped = sound(&isosurface(&sampled(grid, |p| 6.5 - p.x - p.y), 0.0, Border::Cap), 2);
    assert!((capped.volume_mm3 / (7.0 * 7.5 * 7.5 / 2.0) - 1.0).abs() < 0.06, "{}", capped.volume_mm3);
}

#[test]
fn a_thin_wall_keeps_its_two_faces() {
    // one layer of value v between zeros is 2 (v - 0.5) / v voxels thick, and a tie is still a wall
    for (value, thickness) in [(1.0, 1.0), (0.75, 2.0 / 3.0), (0.5, 2e-3)] {
        let grid = Grid::aligned([12, 3, 12], DVec3::new(0.5, 2.0, 0.5));
        let volume = sampled(grid, |p| if p.y == 2.0 { value } else { 0.0 });
        let mesh = isosurface(&volume, 0.5, Border::Cap);
        sound(&mesh, 2);
        let (low, high) = mesh.bounds_mm().unwrap();
        assert!((high.y - low.y - 2.0 * thickness).abs() < 1e-9, "{} mm", high.y - low.y);
    }
    // a sheet of one outside layer within is a cavity of its own
    let grid = Grid::aligned([9, 9, 9], DVec3::ONE);
    let hollow =
        sampled(grid, |p| f64::from(u8::from(!(p.z == 4.0 && p.min_element() > 1.0 && p.max_element() < 7.0))));
    assert_eq!(sound(&isosurface(&hollow, 0.5, Border::Cap), 4).components, 2);
}

#[test]
fn normals_point_outwards_on_axes_of_any_sign_and_order() {
    let value = |[x, y, z]: [usize; 3]| {
        (3.1 - ((x as f64 - 4.0).powi(2) + (y as f64 - 3.5).powi(2) + (z as f64 - 3.0).powi(2)).sqrt()) as f32
    };
    let volume_of = |direction: DMat3| {
        let grid = Grid::new([9, 8, 7], DVec3::new(50.0, -20.0, 3.0), DVec3::new(0.5, 1.5, 2.5), direction).unwrap();
        let points = (0..grid.len()).map(|i| value([i % 9, i / 9 % 8, i / 72]));
        sound(&isosurface(&Volume::new(grid, points.collect()).unwrap(), 0.0, Border::Cap), 2).volume_mm3
    };
    let expected = volume_of(DMat3::IDENTITY);
    assert!(expected > 150.0);
    let turn = DMat3::from_axis_angle(DVec3::new(0.2, -0.5, 0.8).normalize(), 2.1);
    for signs in 0..8 {
        let sign = |axis: u32| if signs >> axis & 1 == 0 { 1.0 } else { -1.0 };
        let flip = DMat3::from_diagonal(DVec3::new(sign(0), sign(1), sign(2)));
        let swapped = DMat3::from_cols(flip.y_axis, flip.x_axis, flip.z_axis);
        let rolled = DMat3::from_cols(flip.z_axis, flip.x_axis, flip.y_axis);
        for direction in [flip, swapped, rolled, turn * flip, turn * swapped] {
            assert!((volume_of(direction) / expected - 1.0).abs() < 1e-12);
        }
    }
}
