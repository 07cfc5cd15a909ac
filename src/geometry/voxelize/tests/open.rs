//! Open surfaces: the label is the rounded winding number of the plain sum, whatever the triangles' sense.

use super::*;
use crate::geometry::winding::of_triangles;

fn open(mesh: &Mesh, grid: &Grid, rule: Rule) -> Voxelized {
    let found = voxelize_reported(mesh, grid, rule).unwrap();
    assert!(!found.report.closed, "{:?}", found.report);
    found
}

/// Without some triangles.
fn without(mesh: &Mesh, lost: impl Fn(usize) -> bool) -> Mesh {
    let triangles = mesh.triangles.iter().enumerate().filter(|(t, _)| !lost(*t)).map(|(_, &t)| t).collect();
    Mesh { vertices: mesh.vertices.clone(), triangles }
}

/// Checks every voxel against the plain sum over the triangles of a mesh that faces outwards; returns how many are doubtful.
fn is_rounded_sum(label: &Volume<u8>, mesh: &Mesh, rule: Rule) -> usize {
    let doubtful = std::cell::Cell::new(0);
    let expected = label_of(&label.grid, |p| {
        let winding = of_triangles(mesh, p);
        doubtful.set(doubtful.get() + usize::from((winding - winding.round()).abs() > 0.25));
        rule.inside((winding + 1e-9).round() as i32)
    });
    assert!(expected == label.data, "{} differ", expected.iter().zip(&label.data).filter(|(a, b)| a != b).count());
    doubtful.get()
}

#[test]
fn a_box_without_a_face_does_not_leak() {
    let whole = cuboid(DVec3::splat(1.5), DVec3::splat(8.5));
    let expected = closed(&whole, &ten(), Rule::EvenOdd);
    for rule in [Rule::EvenOdd, Rule::Nonzero] {
        for lost in 0..6 {
            let Voxelized { label, report } = open(&without(&whole, |t| t / 2 == lost), &ten(), rule);
            assert!(label.data == expected, "face {lost}: {report:?}");
            assert_eq!((report.boundary_loops, report.boundary_edges, report.hole_area_mm2), (1, 4, 49.0));
            assert_eq!((report.patches, report.turned_triangles), (1, 0));
            // faces across x: 7 x 7 rows that plain counting fills up to or from the rim, or not at all
            let leaks = if lost == 4 || lost == 5 { 49 } else { 0 };
            assert_eq!(report.leaking_rows, leaks, "face {lost}");
            assert_eq!(report.flipped_voxels > 0, leaks > 0);
        }
    }
}

#[test]
fn a_tube_is_closed_where_the_winding_number_is_a_half() {
    let mut tube = cuboid(DVec3::splat(1.5), DVec3::splat(8.5));
    tube.triangles.drain(8..);
    for rule in [Rule::EvenOdd, Rule::Nonzero] {
        let Voxelized { label, report } = open(&tube, &ten(), rule);
        let doubtful = is_rounded_sum(&label, &tube, rule);
        assert_eq!((report.boundary_loops, report.leaking_rows, report.doubtful_voxels), (2, 0, doubtful));
        assert!(report.voxels > 240 && report.voxels < 343, "{report:?}");
        assert_eq!(report.flipped_voxels, report.voxels, "rays along the tube see nothing");
    }
}

#[test]
fn scattered_holes_and_senses_do_not_matter_on_any_grid() {
    let mut stream = Seed([6; 32]).stream("holes", 0);
    let turn = DMat3::from_axis_angle(DVec3::new(1.0, 2.0, 3.0).normalize(), 0.7);
    let mirrored = turn * DMat3::from_diagonal(DVec3::new(1.0, -1.0, 1.0));
    let shell = joined(&[sphere(DVec3::ZERO, 9.0, 3), turned_inside_out(sphere(DVec3::X, 5.0, 3))]);
    for direction in [DMat3::IDENTITY, turn, mirrored] {
        let origin_mm = direction * DVec3::new(-10.2, -10.1, -10.3);
        let grid = Grid::new([27, 21, 13], origin_mm, DVec3::new(0.77, 1.0, 1.6), direction).unwrap();
        let lost: Vec<bool> = (0..shell.triangles.len()).map(|_| stream.unit() < 0.05).collect();
        let holed = without(&shell, |t| lost[t]);
        let Voxelized { label, report } = open(&holed, &grid, Rule::EvenOdd);
        let doubtful = is_rounded_sum(&label, &holed, Rule::EvenOdd);
        assert!(report.boundary_loops > 30 && report.turned_triangles == 0, "{report:?}");
        assert_eq!(report.doubtful_voxels, doubtful);
        let mut mixed = holed.clone();
        let mut turned = 0;
        for triangle in mixed.triangles.iter_mut().filter(|_| stream.unit() < 0.4) {
            triangle.swap(0, 1);
            turned += 1;
        }
        let again = open(&mixed, &grid, Rule::EvenOdd);
        assert!(again.label == label, "never inverted");
        assert_eq!(again.report.turned_triangles, turned);
        // the cavity's sense was found by rays, so nonzero says the same
        let nonzero = open(&mixed, &grid, Rule::Nonzero).report;
        assert!(nonzero.turned_triangles > 0);
    }
}

#[test]
fn open_bodies_that_overlap_are_a_union_under_nonzero() {
    let grid = Grid::new([34, 24, 24], DVec3::new(-16.6, -11.7, -11.6), DVec3::ONE, DMat3::IDENTITY).unwrap();
    let cap = |centre: f64| without(&sphere(DVec3::X * centre, 9.0, 3), |t| t % 97 == 5);
    let pair = joined(&[cap(-5.0), turned_inside_out(cap(5.0))]);
    let union = joined(&[cap(-5.0), cap(5.0)]);
    let found = open(&pair, &grid, Rule::Nonzero);
    is_rounded_sum(&found.label, &union, Rule::Nonzero);
    let lens = open(&pair, &grid, Rule::EvenOdd);
    assert!(lens.report.voxels < found.report.voxels, "even-odd leaves the overlap out");
}

#[test]
fn a_turned_face_is_mended_without_a_hole() {
    let mut mesh = cuboid(DVec3::splat(1.5), DVec3::splat(8.5));
    let expected = closed(&mesh, &ten(), Rule::EvenOdd);
    mesh.triangles[5].swap(0, 1);
    assert_eq!(closed(&mesh, &ten(), Rule::EvenOdd), expected, "even-odd asks for no sense");
    let Voxelized { label, report } = open(&mesh, &ten(), Rule::Nonzero);
    assert!(label.data == expected);
    assert_eq!((report.turned_triangles, report.boundary_loops, report.doubtful_voxels), (1, 0, 0));
}

#[test]
fn a_single_triangle_and_a_lone_sheet_enclose_nothing() {
    let sheet = Mesh {
        vertices: vec![DVec3::new(2.0, 2.0, 5.0), DVec3::new(8.0, 2.0, 5.0), DVec3::new(5.0, 8.0, 5.0)],
        triangles: vec![[0, 1, 2]],
    };
    for rule in [Rule::EvenOdd, Rule::Nonzero] {
        let found = open(&sheet, &ten(), rule);
        // on the sheet itself the winding number is a half, which may go either way; beyond it nothing is inside
        let off_sheet = label_of(&ten(), |p| p.z != 5.0);
        assert!(found.label.data.iter().zip(&off_sheet).all(|(inside, off)| inside & off == 0), "{:?}", found.report);
    }
}

#[test]
fn bytes_of_open_surfaces_do_not_depend_on_threads() {
    let mesh = without(&sphere(DVec3::splat(12.0), 10.2, 4), |t| t % 31 < 5);
    let grid = Grid::aligned([13, 14, 20], DVec3::new(2.0, 2.0, 1.2));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            (voxelize_reported(&mesh, &grid, Rule::EvenOdd).unwrap(), fraction(&mesh, &grid, Rule::EvenOdd).unwrap())
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
    assert!(one.0.report.doubtful_voxels > 0 && one.0.report.winding_voxels > 0, "{:?}", one.0.report);
}
