//! What a mesh is: closed, oriented, manifold, how many pieces, how large.

use rayon::prelude::*;
use serde::Serialize;

use super::{Mesh, forest::Forest};
use crate::{numeric::tree_sum, space::DVec3};

/// Largest extent, in the mesh's own numbers, of a skull given in metres: a skull of two millimetres does not exist.
const LARGEST_IN_METRES: f64 = 2.0;

/// The findings of [`check`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Vertices, used or not.
    pub vertices: usize,
    /// Triangles, degenerate ones too.
    pub triangles: usize,
    /// Pieces connected through shared vertices.
    pub components: usize,
    /// Every edge is in an even number of triangles: the surface has no rim.
    pub closed: bool,
    /// Neighbouring triangles agree on which side is out: every edge is run through as often one way as the other.
    pub oriented: bool,
    /// No edge is in more than two triangles, and the triangles at each vertex form one fan.
    pub manifold: bool,
    /// Smallest and largest corner of the bounding box, LPS mm; none for a mesh without finite vertices.
    pub bounds_mm: Option<[[f64; 3]; 2]>,
    /// Surface area, mm².
    pub area_mm2: f64,
    /// Enclosed volume, mm³: positive when normals point outwards; of no meaning on an open mesh.
    pub volume_mm3: f64,
    /// Triangles that use a vertex twice or have no area.
    pub degenerate: usize,
    /// Triangles with the same three vertices as an earlier one.
    pub duplicate: usize,
    /// Vertices with a coordinate that is not a finite number.
    pub non_finite: usize,
    /// Vertex numbers in triangles that no vertex has.
    pub dangling: usize,
    /// Edges in one triangle only.
    pub open_edges: usize,
    /// Edges in more than two triangles.
    pub crowded_edges: usize,
    /// Vertices whose triangles form more than one fan.
    pub pinched_vertices: usize,
    /// Vertices in triangles, less edges, plus triangles: 2 for each closed piece without handles.
    pub euler: i64,
    /// Whether the extent looks like a head in metres rather than in millimetres.
    pub looks_like_metres: bool,
}

/// Returns what can be said of a mesh as it stands, vertices taken by number.
///
/// Triangles that use a vertex twice have no edges of their own and are only counted. A file without shared vertices (STL)
/// must be welded before, or every edge is open.
#[must_use]
pub fn check(mesh: &Mesh) -> Report {
    let known = mesh.vertices.len();
    let refers = |t: &[u32; 3]| t.iter().all(|&v| (v as usize) < known);
    let sound: Vec<[u32; 3]> = mesh.triangles.iter().copied().filter(|t| distinct(t) && refers(t)).collect();
    let collapsed = mesh.triangles.iter().filter(|t| !distinct(t)).count();
    let dangling = mesh.triangles.iter().flatten().filter(|&&v| v as usize >= known).count();
    let non_finite = mesh.vertices.iter().filter(|p| !p.is_finite()).count();
    let edges = Edges::of(&sound);
    let (used, components) = pieces(known, &sound);
    let pinched_vertices = pinched(known, &sound, &edges);
    let (area_mm2, volume_mm3, flat) = measure(mesh, &sound);
    let bounds = bounds(mesh);
    Report {
        vertices: known,
        triangles: mesh.triangles.len(),
        components,
        closed: edges.odd == 0 && !sound.is_empty(),
        oriented: edges.unbalanced == edges.open,
        manifold: edges.crowded == 0 && pinched_vertices == 0,
        bounds_mm: bounds.map(|corners| corners.map(|p| p.to_array())),
        area_mm2,
        volume_mm3,
        degenerate: collapsed + flat,
        duplicate: duplicates(&sound),
        non_finite,
        dangling,
        open_edges: edges.open,
        crowded_edges: edges.crowded,
        pinched_vertices,
        euler: used as i64 - edges.count as i64 + sound.len() as i64,
        looks_like_metres: bounds
            .is_some_and(|[low, high]| (high - low).max_element() < LARGEST_IN_METRES && high != low),
    }
}

const fn distinct(&[a, b, c]: &[u32; 3]) -> bool {
    a != b && b != c && c != a
}

/// How often each edge is used, and the sides of triangles sorted by edge.
struct Edges {
    /// (low vertex, high vertex) in the upper 64 bits; below, triangle and side * 2 + direction.
    sides: Vec<(u64, u32)>,
    count: usize,
    open: usize,
    odd: usize,
    crowded: usize,
    unbalanced: usize,
}

impl Edges {
    fn of(triangles: &[[u32; 3]]) -> Self {
        let mut sides: Vec<(u64, u32)> = triangles
            .par_iter()
            .enumerate()
            .flat_map_iter(|(t, corners)| {
                (0..3).map(move |side| {
                    let (from, to) = (corners[side], corners[(side + 1) % 3]);
                    let edge = u64::from(from.min(to)) << 32 | u64::from(from.max(to));
                    (edge, (t as u32) << 1 | u32::from(from > to))
                })
            })
            .collect();
        sides.par_sort_unstable();
        let mut edges = Self { sides: Vec::new(), count: 0, open: 0, odd: 0, crowded: 0, unbalanced: 0 };
        for run in sides.chunk_by(|a, b| a.0 == b.0) {
            let backward = run.iter().filter(|side| side.1 & 1 == 1).count();
            edges.count += 1;
            edges.open += usize::from(run.len() == 1);
            edges.odd += run.len() % 2;
            edges.crowded += usize::from(run.len() > 2);
            edges.unbalanced += usize::from(2 * backward != run.len());
        }
        edges.sides = sides;
        edges
    }
}

/// Returns the number of vertices in triangles, and of pieces they form.
fn pieces(vertices: usize, triangles: &[[u32; 3]]) -> (usize, usize) {
    let mut forest = Forest::new(vertices);
    let mut used = vec![false; vertices];
    for &[a, b, c] in triangles {
        forest.join(a, b);
        forest.join(b, c);
        for v in [a, b, c] {
            used[v as usize] = true;
        }
    }
    let roots = (0..vertices as u32).filter(|&v| used[v as usize] && forest.root(v) == v).count();
    (used.iter().filter(|&&u| u).count(), roots)
}

/// Returns the number of vertices whose triangles are not all linked through edges at that vertex.
///
/// Corners of triangles are merged across every edge at both of its ends; a vertex with more than one set is pinched.
fn pinched(vertices: usize, triangles: &[[u32; 3]], edges: &Edges) -> usize {
    let mut forest = Forest::new(3 * triangles.len());
    let corner = |side: u32, vertex: u32| {
        let t = side >> 1;
        let at = triangles[t as usize].iter().position(|&v| v == vertex).unwrap_or(0);
        3 * t + at as u32
    };
    for run in edges.sides.chunk_by(|a, b| a.0 == b.0) {
        let (low, high) = ((run[0].0 >> 32) as u32, run[0].0 as u32);
        for pair in run.windows(2) {
            for vertex in [low, high] {
                forest.join(corner(pair[0].1, vertex), corner(pair[1].1, vertex));
            }
        }
    }
    let mut fans = vec![0_u32; vertices];
    for (t, corners) in triangles.iter().enumerate() {
        for (at, &v) in corners.iter().enumerate() {
            let corner = (3 * t + at) as u32;
            fans[v as usize] += u32::from(forest.root(corner) == corner);
        }
    }
    fans.iter().filter(|&&fans| fans > 1).count()
}

/// Returns the area, the volume, and the number of triangles without area.
fn measure(mesh: &Mesh, triangles: &[[u32; 3]]) -> (f64, f64, usize) {
    let about = mesh.vertices.first().copied().unwrap_or(DVec3::ZERO);
    let (areas, volumes): (Vec<f64>, Vec<f64>) = triangles
        .iter()
        .map(|t| {
            let [a, b, c] = t.map(|v| mesh.vertices[v as usize] - about);
            (0.5 * (b - a).cross(c - a).length(), a.dot(b.cross(c)) / 6.0)
        })
        .unzip();
    (tree_sum(&areas), tree_sum(&volumes), areas.iter().filter(|&&area| area == 0.0).count())
}

fn bounds(mesh: &Mesh) -> Option<[DVec3; 2]> {
    mesh.vertices
        .iter()
        .filter(|p| p.is_finite())
        .fold(None, |bounds, &p| Some(bounds.map_or([p, p], |[low, high]: [DVec3; 2]| [low.min(p), high.max(p)])))
}

fn duplicates(triangles: &[[u32; 3]]) -> usize {
    let mut sorted: Vec<[u32; 3]> = triangles.par_iter().map(|&t| sort3(t)).collect();
    sorted.par_sort_unstable();
    sorted.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

fn sort3(mut t: [u32; 3]) -> [u32; 3] {
    t.sort_unstable();
    t
}

#[cfg(test)]
mod tests {
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
}
