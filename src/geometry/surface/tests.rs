//! Closed for any values, and where closed forms say.

use super::*;
use crate::{
    mesh::check::check,
    numeric::{Seed, Stream},
    space::{DMat3, DVec3},
};

/// Returns a grid of 3 x 2 x 1 mm voxels, turned, away from the origin; left-handed on request.
fn oblique(size: [usize; 3], mirrored: bool) -> Grid {
    let turn = DMat3::from_axis_angle(DVec3::new(1.0, 2.0, 3.0).normalize(), 0.7);
    let flip = DMat3::from_diagonal(DVec3::new(1.0, 1.0, if mirrored { -1.0 } else { 1.0 }));
    Grid::new(size, DVec3::new(-100.0, 30.0, 7.0), DVec3::new(3.0, 2.0, 1.0), turn * flip).unwrap()
}

fn random(size: [usize; 3], mut draw: impl FnMut(&mut Stream) -> f32, index: u64) -> Volume<f32> {
    let mut stream = Seed([3; 32]).stream("surface", index);
    let grid = oblique(size, index % 2 == 1);
    Volume::new(grid, (0..grid.len()).map(|_| draw(&mut stream)).collect()).unwrap()
}

/// Euler number of the 6-connected object: its voxels less adjacent pairs, plus full squares, less full cubes.
fn euler_of_object(inside: &Volume<bool>) -> i64 {
    let [nx, ny, nz] = inside.grid.size;
    let full = |at: [usize; 3], step: [usize; 3]| {
        let [x, y, z] = [at[0] + step[0], at[1] + step[1], at[2] + step[2]];
        if x >= nx || y >= ny || z >= nz {
            return false;
        }
        (at[2]..=z).all(|z| (at[1]..=y).all(|y| (at[0]..=x).all(|x| inside.at(x, y, z))))
    };
    let mut euler = 0;
    for (z, y, x) in (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (z, y, x)))) {
        for step in 0..8_usize {
            let steps = [step & 1, step >> 1 & 1, step >> 2];
            let sign = if step.count_ones() % 2 == 0 { 1 } else { -1 };
            euler += if full([x, y, z], steps) { sign } else { 0 };
        }
    }
    euler
}

#[test]
fn random_volumes_give_closed_oriented_manifolds_of_the_right_topology() {
    // a pool of one: volumes this small are not worth waking other threads for
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(try_random_volumes);
}

fn try_random_volumes() {
    for index in 0..300 {
        // smooth values, coarse integers with many ties at the iso-value, and labels of varied density
        let volume = match index % 3 {
            0 => random([12, 12, 12], |s| s.normal() as f32, index),
            1 => random([7, 12, 9], |s| s.below(3) as f32 - 1.0, index),
            _ => random([12, 5, 12], |s| f32::from(u8::from(s.unit() < 0.02 * (index % 50 + 1) as f64)) - 0.5, index),
        };
        let mesh = isosurface(&volume, 0.0, Border::Cap);
        let report = check(&mesh);
        assert!(report.closed && report.oriented && report.manifold, "volume {index}: {report:?}");
        assert_eq!(report.degenerate, 0, "volume {index}");
        let object = euler_of_object(&volume.map(|v| v >= 0.0));
        assert_eq!(report.euler, 2 * object, "volume {index}");
        assert!(report.volume_mm3 >= 0.0, "volume {index}: normals point outwards");
    }
}

#[test]
fn vertices_stay_apart_in_single_precision() {
    let volume = random([12, 12, 12], |s| s.below(3) as f32 - 1.0, 1);
    let mesh = isosurface(&volume, 0.0, Border::Cap);
    let mut points: Vec<[u32; 3]> = mesh.vertices.iter().map(|p| p.as_vec3().to_array().map(f32::to_bits)).collect();
    points.sort_unstable();
    points.dedup();
    assert_eq!(points.len(), mesh.vertices.len());
}

#[test]
fn odd_values_are_outside_or_inside_and_harm_nothing() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, -0.0];
    let volume = random([8, 8, 8], |s| odd[s.below(7) as usize], 0);
    let mesh = isosurface(&volume, 0.0, Border::Cap);
    let report = check(&mesh);
    assert!(report.closed && report.oriented && report.manifold && report.non_finite == 0, "{report:?}");
    assert_eq!(isosurface(&volume, f64::NAN, Border::Cap), Mesh::default(), "nothing is at least not-a-number");
}

#[test]
fn one_voxel_is_an_octahedron() {
    let label = Volume::filled(oblique([1, 1, 1], true), 1_u8);
    let report = check(&label_surface(&label, Border::Cap));
    assert_eq!((report.vertices, report.triangles, report.euler), (6, 8, 2));
    // half axes 1.5, 1 and 0.5 mm: 4/3 of their product
    assert!((report.volume_mm3 - 4.0 / 3.0 * 0.75).abs() < 1e-12, "{}", report.volume_mm3);
    assert_eq!(label_surface(&label, Border::Open), Mesh::default());
}

#[test]
fn an_open_border_ends_at_the_outermost_centres() {
    let grid = Grid::aligned([5, 4, 3], DVec3::ONE);
    let volume = Volume::new(grid, (0..grid.len()).map(|i| (i % 5) as f32).collect()).unwrap();
    let mesh = isosurface(&volume, 2.25, Border::Open);
    assert!(mesh.vertices.iter().all(|p| p.x == 2.25), "the plane of the ramp, exactly");
    assert_eq!(mesh.area_mm2(), 3.0 * 2.0);
    assert!(!check(&mesh).closed);
}

/// Returns a volume of a function of the world position, larger inside.
fn sampled(grid: Grid, f: impl Fn(DVec3) -> f64) -> Volume<f32> {
    let [nx, ny, nz] = grid.size;
    let points = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (x, y, z))));
    Volume { grid, data: points.map(|(x, y, z)| f(grid.world(x, y, z)) as f32).collect() }
}

#[test]
fn a_sphere_and_a_torus_converge_with_the_square_of_the_spacing() {
    let pi = std::f64::consts::PI;
    let error = |n: usize, f: &dyn Fn(DVec3) -> f64, volume_mm3: f64, euler: i64| {
        let spacing = 40.0 / n as f64;
        let turn = DMat3::from_axis_angle(DVec3::new(1.0, 1.0, -1.0).normalize(), 0.4);
        let centre = turn * DVec3::splat(-20.0 + 0.5 * spacing);
        let grid = Grid::new([n; 3], centre, DVec3::splat(spacing), turn).unwrap();
        let report = check(&isosurface(&sampled(grid, f), 0.0, Border::Cap));
        assert!(report.closed && report.oriented && report.manifold);
        assert_eq!(report.euler, euler);
        (report.volume_mm3 / volume_mm3 - 1.0).abs()
    };
    let sphere = |p: DVec3| 13.0 - p.length();
    let torus = |p: DVec3| 4.0 - libm::hypot(libm::hypot(p.x, p.y) - 10.0, p.z);
    let sphere_mm3 = 4.0 / 3.0 * pi * 13.0_f64.powi(3);
    let torus_mm3 = 2.0 * pi * pi * 10.0 * 16.0;
    for [coarse, fine] in
        [[24, 48].map(|n| error(n, &sphere, sphere_mm3, 2)), [24, 48].map(|n| error(n, &torus, torus_mm3, 0))]
    {
        assert!(fine < 0.01 && coarse / fine > 3.5, "{coarse} then {fine}");
    }
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let volume = random([70, 9, 11], |s| s.normal() as f32, 5);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| isosurface(&volume, 0.1, Border::Cap))
    };
    let one = run(1);
    assert!(!one.triangles.is_empty());
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}
