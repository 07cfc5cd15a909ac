//! Small meshes with every fault.

use super::*;

const CORNERS: [DVec3; 4] = [DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::Z];
const FACES: [[u32; 3]; 4] = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];

fn of(vertices: &[DVec3], triangles: &[[u32; 3]]) -> Report {
    check(&Mesh { vertices: vertices.to_vec(), triangles: triangles.to_vec() })
}

#[test]
fn a_tetrahedron_is_all_that_a_mesh_should_be() {
    let report = of(&CORNERS, &FACES);
    assert!(report.closed && report.oriented && report.manifold && report.looks_like_metres);
    assert_eq!((report.vertices, report.triangles, report.components, report.euler), (4, 4, 1, 2));
    assert_eq!((report.boundary_loops, report.genus), (0, Some(0)));
    assert_eq!(report.bounds_mm, Some([[0.0; 3], [1.0; 3]]));
    assert!((report.volume_mm3 - 1.0 / 6.0).abs() < 1e-15);
    assert!((report.area_mm2 - 1.5 - 0.75_f64.sqrt()).abs() < 1e-15);
    let inverted = FACES.map(|[a, b, c]| [a, c, b]);
    assert!(of(&CORNERS, &inverted).volume_mm3 < 0.0, "inside out, which the sign tells");
}

#[test]
fn a_lost_a_turned_and_a_doubled_face_are_told_apart() {
    let lost = of(&CORNERS, &FACES[1..]);
    assert_eq!((lost.closed, lost.oriented, lost.manifold, lost.open_edges), (false, true, true, 3));
    assert_eq!((lost.boundary_loops, lost.genus), (1, None));
    let turned = of(&CORNERS, &[[0, 1, 2], FACES[1], FACES[2], FACES[3]]);
    assert_eq!((turned.closed, turned.oriented, turned.manifold), (true, false, true));
    let doubled = of(&CORNERS, &[FACES[0], FACES[1], FACES[2], FACES[3], FACES[0]]);
    assert_eq!((doubled.closed, doubled.manifold, doubled.duplicate, doubled.crowded_edges), (false, false, 1, 3));
}

#[test]
fn bodies_that_touch_are_closed_but_not_manifold() {
    let shift = |faces: [[u32; 3]; 4], map: [u32; 4]| faces.map(|t| t.map(|v| map[v as usize]));
    let mirrored = CORNERS.map(|p| -p);
    let points = [CORNERS, mirrored].concat();
    let turned = FACES.map(|[a, b, c]| [a, c, b]);
    let at_a_point = of(&points, &[FACES, shift(turned, [0, 5, 6, 7])].concat());
    assert_eq!((at_a_point.closed, at_a_point.oriented, at_a_point.manifold), (true, true, false));
    assert_eq!((at_a_point.pinched_vertices, at_a_point.crowded_edges, at_a_point.components), (1, 0, 1));
    let points = [CORNERS, CORNERS.map(|p| DVec3::new(-p.x, -p.y, p.z))].concat();
    let along_an_edge = of(&points, &[FACES, shift(FACES, [0, 5, 6, 3])].concat());
    assert_eq!((along_an_edge.closed, along_an_edge.oriented, along_an_edge.manifold), (true, true, false));
    assert_eq!((along_an_edge.crowded_edges, along_an_edge.open_edges), (1, 0));
}

#[test]
fn broken_meshes_are_counted_not_refused() {
    let points = [CORNERS[0], CORNERS[1], DVec3::NAN, 2.0 * DVec3::X];
    let report = of(&points, &[[0, 0, 1], [0, 1, 9], [0, 1, 3]]);
    assert_eq!((report.degenerate, report.dangling, report.non_finite), (2, 1, 1));
    assert_eq!(report.bounds_mm, Some([[0.0; 3], [2.0, 0.0, 0.0]]));
    let empty = check(&Mesh::default());
    assert_eq!((empty.closed, empty.components, empty.bounds_mm), (false, 0, None));
}

#[test]
fn a_ring_has_one_handle() {
    let (around, tube) = (7_u32, 5_u32);
    let at = |i: u32, j: u32| i % around * tube + j % tube;
    let vertices = (0..around * tube).map(|v| {
        let angle = |part: u32, of: u32| std::f64::consts::TAU * f64::from(part) / f64::from(of);
        let (a, b) = (angle(v / tube, around), angle(v % tube, tube));
        let reach = 3.0 + libm::cos(b);
        DVec3::new(reach * libm::cos(a), reach * libm::sin(a), libm::sin(b))
    });
    let cells = (0..around).flat_map(|i| (0..tube).map(move |j| (i, j)));
    let triangles: Vec<[u32; 3]> = cells
        .flat_map(|(i, j)| [[at(i, j), at(i + 1, j), at(i + 1, j + 1)], [at(i, j), at(i + 1, j + 1), at(i, j + 1)]])
        .collect();
    let report = of(&vertices.collect::<Vec<_>>(), &triangles);
    assert!(report.closed && report.oriented && report.manifold && report.volume_mm3 > 0.0);
    assert_eq!((report.euler, report.genus, report.components), (0, Some(1), 1));
}
