//! Closed for any values, equal to the plain march, the same for any number of threads.

use rayon::prelude::*;

use super::*;
use crate::{
    mesh::check::check,
    numeric::{Seed, Stream},
    space::{DMat3, DVec3},
};

/// Returns a grid of 3 x 2 x 1 mm voxels, turned, away from the origin; left-handed on request.
fn oblique(size: [usize; 3], origin_mm: DVec3, mirrored: bool) -> Grid {
    let turn = DMat3::from_axis_angle(DVec3::new(1.0, 2.0, 3.0).normalize(), 0.7);
    let flip = DMat3::from_diagonal(DVec3::new(1.0, 1.0, if mirrored { -1.0 } else { 1.0 }));
    Grid::new(size, origin_mm, DVec3::new(3.0, 2.0, 1.0), turn * flip).unwrap()
}

/// Values, iso-value and origin of one adversarial volume; ten kinds take turns.
fn adversarial(index: u64) -> (Volume<f32>, f64) {
    let mut stream = Seed([3; 32]).stream("surface", index);
    let size = std::array::from_fn(|_| 1 + stream.below(if index.is_multiple_of(50) { 11 } else { 5 }) as usize);
    let far = [0.0, 0.0, 1e3, 1e5, 1e6][(index / 10 % 5) as usize];
    let grid = oblique(size, DVec3::new(-100.0, 30.0 + far, 7.0 - far), index % 2 == 1);
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e-45, -1e-45, 0.0, -0.0, 1.0];
    let density = stream.unit();
    let draw = |stream: &mut Stream, i: usize| -> f32 {
        let [x, y, z] = [i % size[0], i / size[0] % size[1], i / (size[0] * size[1])];
        let checker = if (x + y + z) % 2 == 0 { 1.0 } else { -1.0 };
        match index % 10 {
            0 => stream.normal() as f32,
            // many ties at the iso-value
            1 => stream.below(3) as f32 - 1.0,
            2 => stream.below(2) as f32 - 1.0,
            // labels of any density
            3 => f32::from(u8::from(stream.unit() < density)) - 0.5,
            // every face a saddle: exact, nearly tied, and of wild steepness
            4 => checker,
            5 => checker * (1.0 + 1e-6 * stream.below(3) as f32) + 1e-6 * (stream.below(3) as f32 - 1.0),
            6 => checker * libm::exp2f(stream.below(250) as f32 - 125.0),
            // huge ranges and denormals
            7 => (stream.below(2) as f32 - 0.5) * libm::exp2f(stream.below(276) as f32 - 148.0),
            8 => odd[stream.below(10) as usize],
            // a saddle's two diagonals, one at the iso-value
            _ => {
                if (x + y) % 2 == 0 {
                    0.0
                } else {
                    stream.below(5) as f32 - 3.0
                }
            }
        }
    };
    let data = (0..grid.len()).map(|i| draw(&mut stream, i)).collect();
    (Volume::new(grid, data).unwrap(), [0.0, 0.0, 1e-9, -0.25, f64::from(f32::MIN_POSITIVE)][(index % 5) as usize])
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

/// Vertices at different places in single precision, as STL and an exact weld see them.
fn places_in_single_precision(mesh: &Mesh) -> usize {
    let mut places: Vec<[u32; 3]> =
        mesh.vertices.iter().map(|p| (p.as_vec3() + 0.0).to_array().map(f32::to_bits)).collect();
    places.sort_unstable();
    places.dedup();
    places.len()
}

#[test]
fn ten_thousand_adversarial_volumes_give_closed_oriented_manifolds_of_the_right_topology() {
    let triangles: usize = (0..10_000_u64)
        .into_par_iter()
        .map(|index| {
            let (volume, iso) = adversarial(index);
            let mesh = isosurface(&volume, iso, Border::Cap);
            let report = check(&mesh);
            let sound = report.oriented && report.manifold && report.non_finite == 0 && report.degenerate == 0;
            assert!(sound && (report.closed || mesh.triangles.is_empty()), "volume {index}: {report:?}");
            let object = euler_of_object(&volume.map(|v| f64::from(v) >= iso));
            assert_eq!(report.euler, 2 * object, "volume {index}");
            assert!(report.volume_mm3 >= 0.0, "volume {index}: normals point outwards");
            // every place its own: an exact weld of the rounded corners gives this same mesh back
            assert_eq!(places_in_single_precision(&mesh), mesh.vertices.len(), "volume {index}");
            if index % 4 == 0 {
                let border = if index % 8 == 0 { Border::Cap } else { Border::Open };
                let plain = reference::surface_of(&volume.grid, &volume.data, border, &AtLeast::new(iso));
                assert!(isosurface(&volume, iso, border) == plain, "volume {index}: the plain march");
            }
            mesh.triangles.len()
        })
        .sum();
    assert!(triangles > 300_000, "{triangles}: the volumes are worth the name");
}

#[test]
fn the_plain_march_agrees_on_rows_of_several_words() {
    let mut stream = Seed([3; 32]).stream("rows", 0);
    for size in [[150, 5, 4], [64, 3, 2], [63, 2, 3], [62, 4, 1], [1, 1, 70]] {
        let grid = oblique(size, DVec3::splat(5.0), size[0] == 64);
        let values = Volume::new(grid, (0..grid.len()).map(|_| stream.normal() as f32).collect()).unwrap();
        let label = values.map(|v| u8::from(v > 0.4) * 3);
        for border in [Border::Cap, Border::Open] {
            let plain = reference::surface_of(&grid, &values.data, border, &AtLeast::new(0.3));
            assert!(isosurface(&values, 0.3, border) == plain);
            let plain = reference::surface_of(&grid, &label.data, border, &NonZero);
            assert!(label_surface(&label, border) == plain);
        }
    }
}

#[test]
fn odd_values_are_outside_or_inside_and_harm_nothing() {
    let row = |data: [f32; 3]| {
        let volume = Volume::new(Grid::aligned([3, 1, 1], DVec3::ONE), data.to_vec()).unwrap();
        isosurface(&volume, 0.0, Border::Cap).bounds_mm().map(|(low, high)| [low.x, high.x])
    };
    assert_eq!(row([f32::NAN, 1.0, f32::NAN]), Some([0.5, 1.5]), "not a number is outside");
    assert_eq!(row([f32::NAN; 3]), None);
    assert_eq!(row([f32::NEG_INFINITY, 1.0, -1.0]), Some([1.0 - 1e-3, 1.5]), "the limit is at the finite end");
    assert_eq!(row([-1.0, f32::INFINITY, f32::NEG_INFINITY]), Some([1e-3, 1.5]));
    let (volume, _) = adversarial(8);
    assert_eq!(isosurface(&volume, f64::NAN, Border::Cap), Mesh::default(), "nothing is at least not-a-number");
}

#[test]
fn the_cap_is_known() {
    let grid = oblique([3, 3, 3], DVec3::new(700.0, 0.0, -3.0), true);
    let mut label = Volume::filled(grid, 0_u8);
    label.data[grid.index(0, 1, 1)] = 1;
    let mesh = label_surface(&label, Border::Cap);
    // an octahedron with one tip beyond the first voxel
    assert_eq!(on_cap(&mesh, &grid).iter().filter(|&&cap| cap).count(), 1);
    let open = label_surface(&label, Border::Open);
    assert!(on_cap(&open, &grid).iter().all(|&cap| !cap));
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let mut stream = Seed([3; 32]).stream("threads", 0);
    let grid = oblique([70, 9, 11], DVec3::ZERO, true);
    let volume = Volume::new(grid, (0..grid.len()).map(|_| stream.normal() as f32).collect()).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| isosurface(&volume, 0.1, Border::Cap))
    };
    let one = run(1);
    assert!(!one.triangles.is_empty());
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}
