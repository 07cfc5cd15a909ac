//! Ties: surfaces through voxel centres, thin walls, sub-voxels.

use super::*;

/// Returns the exact number of voxels of a lattice polytope by its half-spaces, `a.p <= b` closed at entry, open at exit:
/// the centre counts as moved by (e, e^2, e^3).
fn beyond(normal: [i64; 3], offset: i64, p: [i64; 3]) -> bool {
    let value = normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] - offset;
    if value != 0 {
        return value > 0;
    }
    normal.into_iter().find(|&n| n != 0).is_some_and(|n| n > 0)
}

#[test]
fn every_vertex_and_edge_on_a_centre_is_decided_as_if_moved_a_hair() {
    // an octahedron and a tetrahedron with all corners on centres and faces through many of them
    let grid = Grid::aligned([13, 13, 13], DVec3::ONE);
    let c = [6, 6, 6];
    let octahedron = sphere(DVec3::splat(6.0), 4.0, 0);
    let expected = label_of(&grid, |p| {
        let q = [0, 1, 2].map(|i| p[i] as i64 - c[i]);
        (0..8).all(|s: i64| {
            let normal = [0, 1, 2].map(|bit| if s >> bit & 1 == 1 { -1 } else { 1 });
            !beyond(normal, 4, q)
        })
    });
    for rule in [Rule::EvenOdd, Rule::Nonzero] {
        assert_eq!(closed(&octahedron, &grid, rule), expected);
    }
    let vertices = [[1.0, 1.0, 1.0], [9.0, 1.0, 1.0], [1.0, 9.0, 1.0], [1.0, 1.0, 9.0]].map(DVec3::from_array);
    let corner = Mesh { vertices: vertices.to_vec(), triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] };
    let expected = label_of(&grid, |p| {
        let q = [p.x as i64, p.y as i64, p.z as i64];
        beyond([1, 0, 0], 1, q) && beyond([0, 1, 0], 1, q) && beyond([0, 0, 1], 1, q) && !beyond([1, 1, 1], 11, q)
    });
    assert_eq!(closed(&corner, &grid, Rule::EvenOdd), expected);
}

#[test]
fn space_is_filled_once_by_bodies_that_share_faces() {
    // six tetrahedra of a cube around each diagonal: each voxel centre belongs to exactly one, ties included
    let grid = Grid::aligned([9, 9, 9], DVec3::ONE);
    let corner = |bits: usize| DVec3::new((bits & 1) as f64, (bits >> 1 & 1) as f64, (bits >> 2 & 1) as f64) * 8.0;
    let vertices: Vec<DVec3> = (0..8).map(corner).collect();
    let mut sum = vec![0_u8; grid.len()];
    for path in [[1, 2, 4], [1, 4, 2], [2, 1, 4], [2, 4, 1], [4, 1, 2], [4, 2, 1]] {
        let [a, b, c, d] = [0, path[0], path[0] | path[1], 7_u32];
        let mesh = Mesh { vertices: vertices.clone(), triangles: vec![[a, b, c], [a, c, d], [a, d, b], [b, d, c]] };
        for (sum, inside) in sum.iter_mut().zip(closed(&mesh, &grid, Rule::EvenOdd)) {
            *sum += inside;
        }
    }
    assert_eq!(sum, label_of(&grid, |p| p.max_element() < 8.0), "low faces in, high faces out, nothing twice");
}

#[test]
fn a_wall_thinner_than_a_voxel_is_kept_where_it_holds_a_centre_and_nowhere_else() {
    let grid = ten();
    for (low, high, holds) in [(4.9, 5.0 + 1e-4, true), (5.0 - 1e-4, 5.1, true), (5.1, 5.9, false)] {
        for axis in 0..3 {
            let (mut from, mut to) = (DVec3::splat(0.5), DVec3::splat(8.5));
            (from[axis], to[axis]) = (low, high);
            let label = closed(&cuboid(from, to), &grid, Rule::EvenOdd);
            let count = label.iter().filter(|&&v| v == 1).count();
            assert_eq!(count, if holds { 64 } else { 0 }, "{low} to {high} along {axis}");
        }
    }
}

#[test]
fn fractions_are_volumes() {
    let grid = Grid::new([12, 11, 10], DVec3::splat(-3.0), DVec3::new(0.5, 0.6, 0.7), DMat3::IDENTITY).unwrap();
    let mesh = sphere(DVec3::splat(-0.2), 2.3, 4);
    let (shares, report) = fraction(&mesh, &grid, Rule::EvenOdd).unwrap();
    let volume = f64::from(shares.data.iter().sum::<f32>()) * grid.voxel_mm3();
    assert!((volume / mesh.volume_mm3() - 1.0).abs() < 2e-3, "{volume} against {}", mesh.volume_mm3());
    assert!(report.closed && report.voxels as f64 == f64::from(shares.data.iter().sum::<f32>()) * 64.0);
    // a box whose faces lie on sub-voxel borders comes out exact
    let exact = cuboid(DVec3::new(1.25, 2.0, 3.0), DVec3::new(4.75, 5.5, 3.25));
    let (shares, _) = fraction(&exact, &ten(), Rule::Nonzero).unwrap();
    assert_eq!(shares.at(1, 3, 3), 0.25 * 0.25, "a quarter of x, a quarter of z");
    assert_eq!(shares.at(3, 4, 3), 0.25);
    assert_eq!(shares.at(2, 2, 3), 0.5 * 0.25);
    assert_eq!(f64::from(shares.data.iter().sum::<f32>()), 3.5 * 3.5 * 0.25);
    // open: the lost face of a box is spanned flat enough for its half-space
    let mut open = cuboid(DVec3::splat(1.5), DVec3::splat(7.5));
    open.triangles.truncate(10);
    let (shares, report) = fraction(&open, &ten(), Rule::EvenOdd).unwrap();
    let volume = f64::from(shares.data.iter().sum::<f32>());
    assert!(!report.closed && volume > 210.0 && volume < 216.5, "{volume}");
}

#[test]
fn a_far_vertex_and_an_oblique_miss_are_refused() {
    let refused = |mesh: &Mesh, grid: &Grid| voxelize(mesh, grid, Rule::EvenOdd).unwrap_err().to_string();
    let stray = cuboid(DVec3::ONE, DVec3::new(5.0, 5.0, 1e6));
    assert!(refused(&stray, &ten()).contains("more than 131072 voxels"), "{}", refused(&stray, &ten()));
    // the boxes along the world's axes overlap, the oblique image itself is missed
    let turn = DMat3::from_axis_angle(DVec3::Z, std::f64::consts::FRAC_PI_4);
    let oblique = Grid::new([40, 4, 4], DVec3::ZERO, DVec3::ONE, turn).unwrap();
    let beside = cuboid(DVec3::new(20.0, 1.0, 0.0), DVec3::new(26.0, 6.0, 4.0));
    assert!(refused(&beside, &oblique).contains("outside the image"));
}
