//! Closed-form solids, copies and refusals; open surfaces and ties have files of their own.

mod open;
mod ties;

use super::*;
use crate::{
    geometry::surface::{Border, label_surface},
    mesh::shapes::cuboid,
    numeric::Seed,
    space::{DMat3, Rigid},
};

/// An octahedron refined onto a sphere.
fn sphere(centre: DVec3, radius: f64, rounds: usize) -> Mesh {
    let mut soup: Vec<[DVec3; 3]> = (0..8_u32)
        .map(|c| {
            let s = |bit: u32| if c >> bit & 1 == 1 { -1.0 } else { 1.0 };
            let [a, b, d] = [DVec3::X * s(0), DVec3::Y * s(1), DVec3::Z * s(2)];
            if c.count_ones() % 2 == 0 { [a, b, d] } else { [a, d, b] }
        })
        .collect();
    for _ in 0..rounds {
        soup = soup
            .iter()
            .flat_map(|&[a, b, c]| {
                // the sum does not depend on the order of its two terms, so neighbours agree on the midpoint
                let [ab, bc, ca] = [(a + b).normalize(), (b + c).normalize(), (c + a).normalize()];
                [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
            })
            .collect();
    }
    let vertices = soup.iter().flatten().map(|&p| centre + radius * p).collect();
    Mesh { vertices, triangles: (0..soup.len() as u32).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect() }
}

fn joined(meshes: &[Mesh]) -> Mesh {
    meshes.iter().fold(Mesh::default(), |mut all, mesh| {
        let base = all.vertices.len() as u32;
        all.vertices.extend(&mesh.vertices);
        all.triangles.extend(mesh.triangles.iter().map(|t| t.map(|v| v + base)));
        all
    })
}

fn turned_inside_out(mut mesh: Mesh) -> Mesh {
    for t in &mut mesh.triangles {
        t.swap(1, 2);
    }
    mesh
}

/// Returns the label of a predicate on voxel centres.
fn label_of(grid: &Grid, inside: impl Fn(DVec3) -> bool) -> Vec<u8> {
    let [nx, ny, nz] = grid.size;
    let points = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (x, y, z))));
    points.map(|(x, y, z)| u8::from(inside(grid.world(x, y, z)))).collect()
}

fn closed(mesh: &Mesh, grid: &Grid, rule: Rule) -> Vec<u8> {
    let Voxelized { label, report } = voxelize_reported(mesh, grid, rule).unwrap();
    assert!(report.closed && report.leaking_rows == 0 && report.patches == 0, "{report:?}");
    assert_eq!(report.voxels, label.data.iter().filter(|&&v| v == 1).count());
    label.data
}

fn ten() -> Grid {
    Grid::aligned([10, 11, 12], DVec3::ONE)
}

#[test]
fn a_box_through_voxel_centres_owns_its_low_faces() {
    let mesh = cuboid(DVec3::new(2.0, 3.0, 4.0), DVec3::new(7.0, 8.0, 9.0));
    let half_open = |p: DVec3| p.cmpge(DVec3::new(2.0, 3.0, 4.0)).all() && p.cmplt(DVec3::new(7.0, 8.0, 9.0)).all();
    let expected = label_of(&ten(), half_open);
    assert_eq!(closed(&mesh, &ten(), Rule::EvenOdd), expected);
    assert_eq!(closed(&mesh, &ten(), Rule::Nonzero), expected);
    assert_eq!(closed(&turned_inside_out(mesh), &ten(), Rule::Nonzero), expected, "never inverted");
}

#[test]
fn a_tilted_slab_is_exact() {
    let motion = Rigid::about(DVec3::splat(5.0), DVec3::new(0.3, -0.5, 0.2), DVec3::new(0.1, 0.03, -0.2));
    let (low, high) = (DVec3::new(1.0, 1.5, 4.3), DVec3::new(9.0, 9.0, 5.6));
    let within = |p: DVec3| p.cmpge(low).all() && p.cmplt(high).all();
    let expected = label_of(&ten(), |p| within(motion.inverse().apply(p)));
    assert_eq!(closed(&cuboid(low, high).moved(&motion), &ten(), Rule::EvenOdd), expected);
    assert!(expected.contains(&1));
}

#[test]
fn shells_and_overlaps_follow_the_rule() {
    let grid = Grid::new([32, 30, 28], DVec3::splat(-15.0), DVec3::new(1.0, 1.0, 1.1), DMat3::IDENTITY).unwrap();
    let (outer, inner) = (sphere(DVec3::ZERO, 13.0, 5), sphere(DVec3::new(0.5, 0.0, 0.0), 8.0, 5));
    // a sphere of flat triangles lies inside the sphere: voxels in between are left out of the comparison
    let sure = |p: DVec3, c: DVec3, r: f64| p.distance(c) < 0.999 * r || p.distance(c) > r;
    let in_shell = |p: DVec3| p.length() < 13.0 && p.distance(DVec3::new(0.5, 0.0, 0.0)) > 8.0;
    let expected = label_of(&grid, in_shell);
    let judged = label_of(&grid, |p| sure(p, DVec3::ZERO, 13.0) && sure(p, DVec3::new(0.5, 0.0, 0.0), 8.0));
    let same = |label: &[u8], expected: &[u8]| {
        label.iter().zip(expected).zip(&judged).all(|((a, b), &judged)| judged == 0 || a == b)
    };
    assert!(judged.iter().filter(|&&j| j == 0).count() < 50);
    let shell = joined(&[outer.clone(), turned_inside_out(inner.clone())]);
    assert!(same(&closed(&shell, &grid, Rule::EvenOdd), &expected));
    assert!(same(&closed(&shell, &grid, Rule::Nonzero), &expected));
    let facing_out = joined(&[outer.clone(), inner]);
    assert!(same(&closed(&facing_out, &grid, Rule::EvenOdd), &expected), "a cavity whichever way it faces");
    let ball = label_of(&grid, |p| p.length() < 13.0);
    assert!(same(&closed(&facing_out, &grid, Rule::Nonzero), &ball), "a union");
    assert_eq!(
        closed(&joined(&[outer.clone(), outer.clone()]), &grid, Rule::Nonzero),
        closed(&outer, &grid, Rule::EvenOdd)
    );
}

#[test]
fn a_random_label_comes_back_from_its_surface_and_the_grid_does_not_matter() {
    let mut stream = Seed([4; 32]).stream("voxelize", 0);
    let turn = DMat3::from_axis_angle(DVec3::new(3.0, -1.0, 2.0).normalize(), 1.1);
    let mirrored = turn * DMat3::from_diagonal(DVec3::new(1.0, -1.0, 1.0));
    for density in [0.1, 0.5, 0.9] {
        let plain = Grid::aligned([17, 13, 11], DVec3::new(0.45, 0.45, 1.0));
        let data: Vec<u8> = (0..plain.len()).map(|_| u8::from(stream.unit() < density)).collect();
        for direction in [DMat3::IDENTITY, turn, mirrored] {
            let grid = Grid { direction, origin_mm: DVec3::new(-80.3, 12.7, 933.1), ..plain };
            let label = Volume::new(grid, data.clone()).unwrap();
            let mesh = label_surface(&label, Border::Cap);
            for rule in [Rule::EvenOdd, Rule::Nonzero] {
                assert!(closed(&mesh, &grid, rule) == data, "density {density}, {rule:?}, {direction:?}");
            }
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let mesh = sphere(DVec3::splat(5.0), 4.2, 3);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| voxelize_reported(&mesh, &ten(), Rule::EvenOdd).unwrap())
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(7));
}

#[test]
fn doubled_and_flat_triangles_change_nothing() {
    let whole = cuboid(DVec3::splat(1.5), DVec3::splat(8.5));
    let expected = closed(&whole, &ten(), Rule::EvenOdd);
    let mut odd = whole.clone();
    odd.triangles.extend([[0, 0, 1], [3, 5, 3]]);
    let [a, b, c] = whole.triangles[3];
    odd.triangles.push([b, c, a]);
    let Voxelized { label, report } = voxelize_reported(&odd, &ten(), Rule::EvenOdd).unwrap();
    assert_eq!((report.closed, report.duplicate_triangles), (true, 1));
    assert!(label.data == expected);
    let twice = joined(&[whole.clone(), whole.clone()]);
    let Voxelized { label, report } = voxelize_reported(&twice, &ten(), Rule::EvenOdd).unwrap();
    assert_eq!((report.closed, report.duplicate_triangles), (true, 12));
    assert!(label.data == expected, "the same model twice in one file");
    // boxes that touch keep the wall between them, which two rules see alike
    let pair = joined(&[whole, cuboid(DVec3::new(8.5, 1.5, 1.5), DVec3::new(9.5, 8.5, 8.5))]);
    let united = closed(&cuboid(DVec3::splat(1.5), DVec3::new(9.5, 8.5, 8.5)), &ten(), Rule::EvenOdd);
    assert!(closed(&pair, &ten(), Rule::EvenOdd) == united && closed(&pair, &ten(), Rule::Nonzero) == united);
}

#[test]
fn a_mesh_partly_outside_is_cut_and_one_elsewhere_is_refused() {
    let grid = ten();
    let large = cuboid(DVec3::splat(-50.0), DVec3::new(4.5, 80.0, 6.5));
    assert_eq!(closed(&large, &grid, Rule::EvenOdd), label_of(&grid, |p| p.x < 4.5 && p.z < 6.5));
    let refused = |mesh: &Mesh, grid: &Grid| voxelize(mesh, grid, Rule::EvenOdd).unwrap_err().to_string();
    let far = cuboid(DVec3::splat(100.0), DVec3::splat(120.0));
    assert!(refused(&far, &grid).contains("outside the image: the mesh spans (100.0, 100.0, 100.0)"));
    let head = Grid::aligned([200, 200, 200], DVec3::ONE);
    let metres = cuboid(DVec3::splat(0.02), DVec3::splat(0.18));
    assert!(refused(&metres, &head).contains("unit: m"));
    assert!(refused(&Mesh::default(), &grid).contains("no triangles"));
    let mut broken = cuboid(DVec3::ONE, DVec3::splat(3.0));
    broken.vertices[2].y = f64::NAN;
    assert!(refused(&broken, &grid).contains("1 of 8 vertices"));
    broken.triangles[0][1] = 99;
    assert!(refused(&broken, &grid).contains("vertex 99"));
}
