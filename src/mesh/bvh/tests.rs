//! The tree against a look at every triangle.

use super::*;
use crate::numeric::{Seed, Stream};

fn point(stream: &mut Stream, half: f64) -> DVec3 {
    DVec3::new(stream.between(-half, half), stream.between(-half, half), stream.between(-half, half))
}

/// Random small triangles, some of them points or lines, some twice.
fn soup(triangles: usize) -> Mesh {
    let mut stream = Seed([3; 32]).stream("soup", triangles as u64);
    let mut mesh = Mesh::default();
    for t in 0..triangles as u32 {
        let centre = point(&mut stream, 10.0);
        let [b, c] = match t % 7 {
            0 => [centre, centre],
            1 => [centre + DVec3::X, centre + DVec3::X * 2.0],
            _ => [centre + point(&mut stream, 1.0), centre + point(&mut stream, 1.0)],
        };
        mesh.vertices.extend([centre, b, c]);
        mesh.triangles.push([3 * t, 3 * t + 1, 3 * t + 2]);
        if t % 5 == 0 {
            mesh.triangles.push([3 * t + 1, 3 * t + 2, 3 * t]);
        }
    }
    mesh
}

fn closest_of_all(mesh: &Mesh, p: DVec3) -> Hit {
    let hit = |triangle| {
        let (point, _) = closest_on_triangle(p, &mesh.corners(triangle));
        Hit { distance_mm: point.distance_squared(p).sqrt(), triangle, point }
    };
    (0..mesh.triangles.len())
        .map(hit)
        .min_by(|a, b| {
            let squared = |hit: &Hit| hit.point.distance_squared(p);
            squared(a).total_cmp(&squared(b)).then(a.triangle.cmp(&b.triangle))
        })
        .unwrap()
}

#[test]
fn the_nearest_point_is_that_of_all_triangles() {
    let mut stream = Seed([4; 32]).stream("points", 0);
    for triangles in [1, 4, 5, 100, 2000] {
        let mesh = soup(triangles);
        let bvh = Bvh::new(&mesh);
        let mut near = None;
        for _ in 0..500 {
            let p = point(&mut stream, 15.0);
            let expected = closest_of_all(&mesh, p);
            assert_eq!(bvh.closest(p), Some(expected));
            assert_eq!(bvh.closest_from(p, near), Some(expected));
            assert_eq!(bvh.closest_within(p, expected.distance_mm * 1.000_001 + 1e-9), Some(expected));
            assert_eq!(bvh.closest_within(p, expected.distance_mm * 0.999_999 - 1e-9), None);
            near = Some(expected.triangle);
        }
    }
}

/// Points in clusters, some on the surface, a few far away, some that are none.
fn clusters(mesh: &Mesh, stream: &mut Stream, count: usize) -> Vec<DVec3> {
    let mut points = Vec::new();
    while points.len() < count {
        let far = if stream.unit() < 0.05 { 300.0 } else { 11.0 };
        let (centre, spread) = (point(stream, far), [0.01, 0.3, 3.0][points.len() % 3]);
        points.extend((0..20).map(|_| centre + point(stream, spread)));
        let vertex = mesh.vertices[(stream.unit() * mesh.vertices.len() as f64) as usize];
        points.extend([vertex, vertex + point(stream, 1e-9), DVec3::NAN, DVec3::new(f64::INFINITY, 0.0, 0.0)]);
    }
    points
}

fn how_near(hit: Hit) -> Near {
    Near { distance_mm: hit.distance_mm, triangle: hit.triangle as u32 }
}

#[test]
fn many_points_find_what_each_finds_alone_on_all_instruction_sets() {
    let mut stream = Seed([6; 32]).stream("points", 0);
    for triangles in [1, 7, 9, 60, 700, 6000] {
        let mesh = soup(triangles);
        let mut bvh = Bvh::new(&mesh);
        let points = clusters(&mesh, &mut stream, 2000);
        let plain = |p: &DVec3| p.is_finite().then(|| how_near(closest_of_all(&mesh, *p)));
        let expected: Vec<Option<Near>> = points.iter().take(300).map(plain).collect();
        for set in Set::available() {
            bvh.set = set;
            let found = bvh.closest_each(&points);
            assert_eq!(found[..expected.len()], expected, "{set:?}");
            let alone: Vec<Option<Near>> = points.iter().map(|&p| bvh.closest(p).map(how_near)).collect();
            assert_eq!(found, alone, "{set:?}");
        }
    }
    assert_eq!(Bvh::new(&Mesh::default()).closest_each(&[DVec3::ZERO]), [None]);
    assert_eq!(Bvh::new(&soup(5)).closest_each(&[]), []);
}

#[test]
fn a_dense_surface_answers_many_points_as_it_answers_one() {
    // A wavy sheet of small triangles.
    let (side, step) = (120_u32, 0.3);
    let height = |x: u32, y: u32| f64::from((x * 7 + y * 13) % 11) * 0.05;
    let at = |i: u32| (i % side, i / side);
    let vertex = |i| DVec3::new(f64::from(at(i).0) * step, f64::from(at(i).1) * step, height(at(i).0, at(i).1));
    let cells = (0..side * side).filter(|&i| at(i).0 + 1 < side && at(i).1 + 1 < side);
    let mesh = Mesh {
        vertices: (0..side * side).map(vertex).collect(),
        triangles: cells.flat_map(|i| [[i, i + 1, i + side], [i + 1, i + side + 1, i + side]]).collect(),
    };
    let mut stream = Seed([6; 32]).stream("points", 1);
    let near = |stream: &mut Stream| {
        DVec3::new(stream.between(0.0, 36.0), stream.between(0.0, 36.0), stream.between(-0.2, 0.8))
    };
    let mut points: Vec<DVec3> = (0..20_000).map(|_| near(&mut stream)).collect();
    points.extend(&mesh.vertices);
    let mut bvh = Bvh::new(&mesh);
    for set in Set::available() {
        bvh.set = set;
        let alone: Vec<Option<Near>> = points.iter().map(|&p| bvh.closest(p).map(how_near)).collect();
        assert!(bvh.closest_each(&points) == alone, "{set:?}");
    }
    for &p in points.iter().step_by(997) {
        assert_eq!(bvh.closest(p), Some(closest_of_all(&mesh, p)));
    }
}

#[test]
fn distances_without_branches_are_those_with() {
    let mut stream = Seed([6; 32]).stream("triangles", 0);
    let (mut told, mut regions) = (0, [0; 7]);
    for round in 0..200_000_u32 {
        // Slivers of all sizes, needles, points and the corners themselves.
        let thin = libm::exp2(-stream.between(0.0, 60.0));
        let (a, ab) = (point(&mut stream, 5.0), point(&mut stream, 1.0));
        let c = match round % 4 {
            0 => a + ab * stream.between(-0.5, 1.5) + point(&mut stream, thin),
            1 => a + point(&mut stream, thin),
            _ => a + point(&mut stream, 1.0),
        };
        let corners = [a, a + ab, c];
        let p = match round % 5 {
            0 => corners[round as usize % 3],
            1 => a + ab * stream.unit() + (c - a) * stream.unit(),
            _ => a + point(&mut stream, 2.0),
        };
        let (nearest, feature) = closest_on_triangle(p, &corners);
        let squared = abreast::squared_distances(p.to_array(), corners.map(|corner| corner.to_array()));
        if !squared.is_nan() {
            assert_eq!(squared.to_bits(), nearest.distance_squared(p).to_bits(), "{p} {corners:?}");
            told += 1;
        }
        regions[match feature {
            Feature::Face => 0,
            Feature::Edge(i) => 1 + i,
            Feature::Corner(i) => 4 + i,
        }] += 1;
    }
    assert!(told > 150_000 && regions.iter().all(|&count| count > 1000), "{told} {regions:?}");
    assert!(abreast::squared_distances([1.0, 0.0, 0.0], [[0.0; 3]; 3]) == 1.0, "a point is a corner");
}

#[test]
fn a_tree_built_by_many_threads_answers_alike() {
    let mesh = soup(30_000);
    let build =
        |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| Bvh::new(&mesh));
    let (one, two, seven) = (build(1), build(2), build(7));
    assert_eq!((&one.nodes, &one.blocks), (&two.nodes, &two.blocks));
    assert_eq!((&one.nodes, &one.blocks), (&seven.nodes, &seven.blocks));
    let mut stream = Seed([4; 32]).stream("points", 1);
    for _ in 0..200 {
        let p = point(&mut stream, 12.0);
        assert_eq!(one.closest(p), seven.closest(p));
    }
    let p = DVec3::new(1.0, 2.0, 3.0);
    assert_eq!(seven.closest(p), Some(closest_of_all(&mesh, p)));
}

#[test]
fn a_ray_meets_what_it_meets_first() {
    let mut stream = Seed([5; 32]).stream("rays", 0);
    let mesh = soup(1500);
    let bvh = Bvh::new(&mesh);
    let mut met = 0;
    for _ in 0..500 {
        let (origin, direction) = (point(&mut stream, 15.0), point(&mut stream, 1.0));
        let expected = (0..mesh.triangles.len())
            .filter_map(|triangle| {
                Some(RayHit { t: triangle::ray_hit(origin, direction, &mesh.corners(triangle))?, triangle })
            })
            .min_by(|a, b| a.t.total_cmp(&b.t).then(a.triangle.cmp(&b.triangle)));
        assert_eq!(bvh.ray(origin, direction), expected);
        met += usize::from(expected.is_some());
    }
    assert!(met > 30, "{met}");
}

#[test]
fn a_ray_along_the_axes_meets_a_box() {
    let corners = |i: u32| DVec3::new(f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2));
    let mesh = Mesh {
        vertices: (0..8).map(corners).collect(),
        triangles: vec![
            [0, 2, 1],
            [1, 2, 3],
            [4, 5, 6],
            [5, 7, 6],
            [0, 1, 4],
            [1, 5, 4],
            [2, 6, 3],
            [3, 6, 7],
            [0, 4, 2],
            [2, 4, 6],
            [1, 3, 5],
            [3, 7, 5],
        ],
    };
    let bvh = Bvh::new(&mesh);
    let centre = DVec3::splat(0.5);
    for direction in [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z] {
        assert_eq!(bvh.ray(centre, direction).map(|hit| hit.t), Some(0.5), "also through the diagonal of a face");
        assert_eq!(bvh.ray(centre + direction, direction), None);
    }
    assert_eq!(bvh.closest(DVec3::new(0.5, 0.5, -2.0)).map(|hit| (hit.distance_mm, hit.triangle)), Some((2.0, 0)));
}

#[test]
fn corners_that_are_no_points_are_left_out() {
    let mesh = Mesh {
        vertices: vec![DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::NAN],
        triangles: vec![[0, 1, 3], [0, 1, 9], [0, 1, 2]],
    };
    let bvh = Bvh::new(&mesh);
    assert_eq!(bvh.closest(DVec3::Z).map(|hit| hit.triangle), Some(2));
    assert_eq!(bvh.closest(DVec3::NAN), None);
    let empty = Bvh::new(&Mesh::default());
    assert!(empty.is_empty() && empty.closest(DVec3::ZERO).is_none() && empty.ray(DVec3::ZERO, DVec3::X).is_none());
}

#[test]
fn features_name_the_part_that_is_nearest() {
    let corners = [DVec3::ZERO, DVec3::X, DVec3::Y];
    let feature = |x, y| closest_on_triangle(DVec3::new(x, y, 1.0), &corners).1;
    assert_eq!(feature(0.2, 0.2), Feature::Face);
    assert_eq!(feature(0.5, -1.0), Feature::Edge(0));
    assert_eq!(feature(1.0, 1.0), Feature::Edge(1));
    assert_eq!(feature(-1.0, 0.5), Feature::Edge(2));
    assert_eq!(feature(-1.0, -1.0), Feature::Corner(0));
    assert_eq!(feature(2.0, -0.5), Feature::Corner(1));
    assert_eq!(feature(-0.5, 2.0), Feature::Corner(2));
}
