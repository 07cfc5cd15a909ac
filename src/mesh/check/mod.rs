//! What a mesh is: closed, oriented, manifold, how many pieces, how large.

use rayon::prelude::*;
use serde::Serialize;

use super::{Mesh, edges::Edges, forest::Forest};
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
    /// Rims made of open edges; rims that touch count as one.
    pub boundary_loops: usize,
    /// Vertices in triangles, less edges, plus triangles: 2 for each closed piece without handles.
    pub euler: i64,
    /// Handles of all pieces together; none on a mesh that is not closed, oriented and manifold.
    pub genus: Option<i64>,
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
    let edges = Edges::of(known, &sound);
    let uses = Uses::of(known, &edges);
    let (used, components) = pieces(known, &sound);
    let pinched_vertices = pinched(known, &sound, &edges);
    let (area_mm2, volume_mm3, flat) = measure(mesh, &sound);
    let bounds = bounds(mesh);
    let closed = uses.odd == 0 && !sound.is_empty();
    let oriented = uses.unbalanced == uses.open;
    let manifold = uses.crowded == 0 && pinched_vertices == 0;
    let euler = used as i64 - uses.count as i64 + sound.len() as i64;
    Report {
        vertices: known,
        triangles: mesh.triangles.len(),
        components,
        closed,
        oriented,
        manifold,
        bounds_mm: bounds.map(|corners| corners.map(|p| p.to_array())),
        area_mm2,
        volume_mm3,
        degenerate: collapsed + flat,
        duplicate: duplicates(&sound),
        non_finite,
        dangling,
        open_edges: uses.open,
        crowded_edges: uses.crowded,
        pinched_vertices,
        boundary_loops: uses.rims,
        euler,
        genus: (closed && oriented && manifold).then_some(components as i64 - euler / 2),
        looks_like_metres: bounds
            .is_some_and(|[low, high]| (high - low).max_element() < LARGEST_IN_METRES && high != low),
    }
}

const fn distinct(&[a, b, c]: &[u32; 3]) -> bool {
    a != b && b != c && c != a
}

/// How often edges are used.
#[derive(Default)]
struct Uses {
    count: usize,
    open: usize,
    odd: usize,
    crowded: usize,
    unbalanced: usize,
    rims: usize,
}

impl Uses {
    fn of(vertices: usize, edges: &Edges) -> Self {
        let mut uses = Self::default();
        let mut rims = Vec::new();
        for (low, high, sides) in edges.iter() {
            let backward = sides.iter().filter(|side| side.backward()).count();
            uses.count += 1;
            uses.odd += sides.len() % 2;
            uses.crowded += usize::from(sides.len() > 2);
            uses.unbalanced += usize::from(2 * backward != sides.len());
            if sides.len() == 1 {
                uses.open += 1;
                rims.push([low, high, high]);
            }
        }
        uses.rims = pieces(if rims.is_empty() { 0 } else { vertices }, &rims).1;
        uses
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
    let corner = |t: usize, vertex: u32| {
        let at = triangles[t].iter().position(|&v| v == vertex).unwrap_or(0);
        (3 * t + at) as u32
    };
    for (low, high, sides) in edges.iter() {
        for pair in sides.windows(2) {
            for vertex in [low, high] {
                forest.join(corner(pair[0].triangle(), vertex), corner(pair[1].triangle(), vertex));
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
mod tests;
