//! Repairs of a mesh that a user may ask for: nearby vertices welded, triangles without area taken out, triangles turned to
//! face out. Nothing of this happens unasked, and all of it is counted.

use serde::Serialize;

use super::{Mesh, edges::Edges, forest::Forest};
use crate::space::DVec3;

/// What to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Repairs {
    /// Vertices nearer than this become one, mm; 0 welds those at exactly the same place.
    pub weld_mm: Option<f64>,
    /// Take out triangles that use a vertex twice or whose corners are on a line.
    pub drop_degenerate: bool,
    /// Turn triangles to agree with their neighbours, and closed bodies to face out.
    pub orient: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Vertices that became part of another.
    pub welded_vertices: usize,
    /// Triangles without area that were taken out.
    pub dropped_triangles: usize,
    /// Triangles that were turned.
    pub turned_triangles: usize,
    /// Edges at which no turning makes the two sides agree (a Moebius band).
    pub unresolved_edges: usize,
}

impl Repairs {
    /// Returns whether nothing is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the repaired mesh and what was done. Vertices keep their order; one that nothing uses any more is left out
    /// only when it was welded to another.
    #[must_use]
    pub fn apply(&self, mesh: &Mesh) -> (Mesh, Repaired) {
        let (mut mesh, mut done) = (mesh.clone(), Repaired::default());
        if let Some(tolerance_mm) = self.weld_mm {
            done.welded_vertices = weld(&mut mesh, tolerance_mm);
        }
        if self.drop_degenerate {
            let before = mesh.triangles.len();
            let keep: Vec<bool> = (0..before).map(|t| !is_degenerate(&mesh, t)).collect();
            let mut keep = keep.into_iter();
            mesh.triangles.retain(|_| keep.next().unwrap_or(true));
            done.dropped_triangles = before - mesh.triangles.len();
        }
        if self.orient {
            (done.turned_triangles, done.unresolved_edges) = orient(&mut mesh);
        }
        (mesh, done)
    }
}

impl Repaired {
    /// Returns what was done, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let lines = [
            (self.welded_vertices, "vertices were welded to others, as asked"),
            (self.dropped_triangles, "triangles without area were taken out, as asked"),
            (self.turned_triangles, "triangles were turned, as asked"),
            (self.unresolved_edges, "edges have sides that no turning makes agree"),
        ];
        lines.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

fn is_degenerate(mesh: &Mesh, triangle: usize) -> bool {
    let [a, b, c] = mesh.triangles[triangle];
    let [p, q, r] = mesh.corners(triangle);
    a == b || b == c || c == a || (q - p).cross(r - p) == DVec3::ZERO
}

/// Welds vertices within a distance of each other, also through others between them; the first keeps its place.
fn weld(mesh: &mut Mesh, tolerance_mm: f64) -> usize {
    let cell_mm = if tolerance_mm > 0.0 { tolerance_mm } else { 1.0 };
    // Cells of the size of the tolerance: what is near is in the same or a neighbouring cell.
    let cell = |p: DVec3| (p / cell_mm).floor().to_array().map(|v| v as i64);
    let mut cells: Vec<([i64; 3], u32)> = mesh.vertices.iter().zip(0..).map(|(&p, number)| (cell(p), number)).collect();
    cells.sort_unstable();
    let mut sets = Forest::new(mesh.vertices.len());
    let reach: &[i64] = if tolerance_mm > 0.0 { &[-1, 0, 1] } else { &[0] };
    for &(at, vertex) in &cells {
        for (dx, dy) in reach.iter().flat_map(|dx| reach.iter().map(move |dy| (dx, dy))) {
            let [x, y, z] = [at[0].saturating_add(*dx), at[1].saturating_add(*dy), at[2]];
            let from = cells.partition_point(|(other, _)| *other < [x, y, z.saturating_add(reach[0])]);
            let last = [x, y, z.saturating_add(reach[reach.len() - 1])];
            for &(_, other) in cells[from..].iter().take_while(|(other, _)| *other <= last) {
                let apart = mesh.vertices[vertex as usize].distance(mesh.vertices[other as usize]);
                if other < vertex && apart <= tolerance_mm {
                    sets.join(vertex, other);
                }
            }
        }
    }
    let (mut number, mut kept) = (vec![0_u32; mesh.vertices.len()], Vec::new());
    for vertex in 0..mesh.vertices.len() as u32 {
        let root = sets.root(vertex);
        if root == vertex {
            number[vertex as usize] = kept.len() as u32;
            kept.push(mesh.vertices[vertex as usize]);
        } else {
            // The root is the smallest of its set, so it has its number already.
            number[vertex as usize] = number[root as usize];
        }
    }
    let welded = mesh.vertices.len() - kept.len();
    mesh.vertices = kept;
    mesh.triangles.iter_mut().for_each(|t| *t = t.map(|v| number[v as usize]));
    welded
}

/// Turns triangles so that neighbours over an edge of two sides agree, and every body with a volume has a positive one.
/// Returns how many were turned, and at how many edges no turning helps.
fn orient(mesh: &mut Mesh) -> (usize, usize) {
    let sound: Vec<usize> = (0..mesh.triangles.len())
        .filter(|&t| {
            let [a, b, c] = mesh.triangles[t];
            a != b && b != c && c != a
        })
        .collect();
    let triangles: Vec<[u32; 3]> = sound.iter().map(|&t| mesh.triangles[t]).collect();
    let edges = Edges::of(mesh.vertices.len(), &triangles);
    let mut neighbours: Vec<(u32, u32, bool)> = Vec::new();
    for (_, _, sides) in edges.iter() {
        if let [a, b] = sides {
            let (first, second, differ) = (a.triangle() as u32, b.triangle() as u32, a.backward() == b.backward());
            neighbours.extend([(first, second, differ), (second, first, differ)]);
        }
    }
    neighbours.sort_unstable();
    let mut turned: Vec<Option<bool>> = vec![None; triangles.len()];
    let mut unresolved = 0;
    for start in 0..triangles.len() {
        if turned[start].is_some() {
            continue;
        }
        turned[start] = Some(false);
        let (mut body, mut at) = (vec![start as u32], 0);
        while let Some(&triangle) = body.get(at) {
            at += 1;
            let own = turned[triangle as usize] == Some(true);
            let from = neighbours.partition_point(|(of, ..)| *of < triangle);
            for &(_, other, differ) in neighbours[from..].iter().take_while(|(of, ..)| *of == triangle) {
                match turned[other as usize] {
                    None => {
                        turned[other as usize] = Some(own != differ);
                        body.push(other);
                    }
                    // Every such edge is met from both sides; it is counted once.
                    Some(known) => unresolved += usize::from(known != (own != differ) && triangle < other),
                }
            }
        }
        let about = mesh.vertices[triangles[start][0] as usize];
        let volume: f64 = body
            .iter()
            .map(|&t| {
                let [a, b, c] = triangles[t as usize].map(|v| mesh.vertices[v as usize] - about);
                let part = a.dot(b.cross(c));
                if turned[t as usize] == Some(true) { -part } else { part }
            })
            .sum();
        if volume < 0.0 {
            body.iter().for_each(|&t| turned[t as usize] = turned[t as usize].map(|was| !was));
        }
    }
    let count = turned.iter().filter(|turned| **turned == Some(true)).count();
    for (&triangle, turned) in sound.iter().zip(&turned) {
        if *turned == Some(true) {
            mesh.triangles[triangle].swap(1, 2);
        }
    }
    (count, unresolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tetrahedron() -> Mesh {
        let vertices = vec![DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::Z];
        Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] }
    }

    #[test]
    fn nothing_asked_is_nothing_done() {
        let (mesh, done) = Repairs::default().apply(&tetrahedron());
        assert_eq!((mesh, done), (tetrahedron(), Repaired::default()));
        assert!(Repairs::default().is_none() && done.notes().is_empty());
    }

    #[test]
    fn a_soup_is_welded_within_the_tolerance() {
        let whole = tetrahedron();
        let mut soup = Mesh {
            vertices: (0..4).flat_map(|t| whole.corners(t)).collect(),
            triangles: (0..4).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect(),
        };
        soup.vertices[7] += DVec3::splat(0.001);
        let weld = |mm| Repairs { weld_mm: Some(mm), ..Repairs::default() }.apply(&soup);
        assert_eq!((weld(0.0).0.vertices.len(), weld(0.0).1.welded_vertices), (5, 7));
        let (mesh, done) = weld(0.01);
        assert_eq!((mesh.vertices.len(), done.welded_vertices), (4, 8));
        assert!((mesh.volume_mm3() - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn triangles_are_turned_and_flat_ones_dropped() {
        for flipped in 0..16_u32 {
            let mut mesh = tetrahedron();
            (0..4).filter(|bit| flipped >> bit & 1 == 1).for_each(|t: usize| mesh.triangles[t].swap(0, 1));
            mesh.triangles.push([2, 2, 1]);
            let repairs = Repairs { orient: true, drop_degenerate: true, ..Repairs::default() };
            let (mesh, done) = repairs.apply(&mesh);
            assert!((mesh.volume_mm3() - 1.0 / 6.0).abs() < 1e-12);
            assert_eq!((done.turned_triangles, done.dropped_triangles), (flipped.count_ones() as usize, 1));
            assert_eq!(done.unresolved_edges, 0);
        }
    }

    #[test]
    fn a_moebius_band_cannot_be_oriented() {
        let vertices = (0..5).map(|v| DVec3::new(f64::from(v), f64::from(v * v), f64::from(v % 2))).collect();
        let triangles = (0..5).map(|v| [v, (v + 1) % 5, (v + 2) % 5]).collect();
        let (_, done) = Repairs { orient: true, ..Repairs::default() }.apply(&Mesh { vertices, triangles });
        assert_eq!(done.unresolved_edges, 1);
    }
}
