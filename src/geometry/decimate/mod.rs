//! Fewer triangles for the same shape: edges collapse in the order of the error they make (Garland and Heckbert 1997).
//!
//! ```text
//!    \ | /          \ | /
//!  -- a-b --   ──▶  - p -      two triangles and a vertex less
//!    / | \          / | \
//! ```
//! A closed, oriented, 2-manifold mesh stays one, with the same Euler number and pieces: an edge collapses only when the
//! link condition holds, no triangle around it turns over, and none becomes much more of a sliver. A rim stays on the old
//! rim's line as far as the tolerance goes, and a mesh that is no manifold keeps its faults. The order is total, by cost and
//! then by vertex numbers, on one thread: the same mesh everywhere. For printing and viewing, never before a measurement.

mod links;
mod nearby;
mod quadric;
#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{mesh::Mesh, space::DVec3};
use links::{Around, Links};
use nearby::Nearby;
use quadric::Quadric;

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At so many triangles, or as near above as the surface allows.
    Triangles(usize),
    /// When no edge can collapse without leaving some vertex of the old mesh farther than this from the new surface, mm.
    MaxErrorMm(f64),
}

/// Cosine of the most that a collapse may turn a triangle.
const LEAST_COSINE: f64 = 0.2;
/// A collapse may make no triangle worse than this, unless one around it was; 1 is equilateral, 0 a line.
const LEAST_QUALITY: f64 = 0.1;
/// Weight of the planes that hold the rim, in squared lengths of its edges.
const RIM_WEIGHT: f64 = 1e3;
/// Share of the fourth power of an edge's length in its cost: where the surface is flat, short edges go first.
const LENGTH_SHARE: f64 = 1e-6;

/// Returns the mesh with fewer triangles. One with a triangle that uses a vertex twice, or unknown, is returned as it is.
///
/// Cost: about two microseconds a triangle, four times that under [`Target::MaxErrorMm`].
#[must_use]
pub fn decimate(mesh: &Mesh, target: Target) -> Mesh {
    let known = |&v: &u32| (v as usize) < mesh.vertices.len();
    let sound = |t: &[u32; 3]| t.iter().all(known) && t[0] != t[1] && t[1] != t[2] && t[2] != t[0];
    if !mesh.triangles.iter().all(sound) || mesh.vertices.iter().any(|p| !p.is_finite()) {
        return mesh.clone();
    }
    Collapse::of(mesh, target).run()
}

/// An edge by cost and numbers, with the versions of its ends when the cost was found.
type Entry = Reverse<(u64, [u32; 2], [u32; 2])>;

struct Collapse {
    links: Links,
    /// Planes near each vertex, about `centre`: far from the origin their sums would lose their digits.
    quadrics: Vec<Quadric>,
    centre: DVec3,
    /// Raised when a vertex moves, so that entries of its edges are out of date.
    versions: Vec<u32>,
    heap: BinaryHeap<Entry>,
    nearby: Option<Nearby>,
    goal: usize,
    count: usize,
}

impl Collapse {
    fn of(mesh: &Mesh, target: Target) -> Self {
        let (goal, nearby) = match target {
            Target::Triangles(goal) => (goal, None),
            Target::MaxErrorMm(mm) => (0, Some(Nearby::of(mesh, mm))),
        };
        let centre = mesh.bounds_mm().map_or(DVec3::ZERO, |(low, high)| (low + high) / 2.0);
        let mut collapse = Self {
            links: Links::of(mesh),
            quadrics: vec![Quadric::default(); mesh.vertices.len()],
            centre,
            versions: vec![0; mesh.vertices.len()],
            heap: BinaryHeap::new(),
            nearby,
            goal,
            count: mesh.triangles.len(),
        };
        collapse.add_planes();
        let mut edges: Vec<[u32; 2]> =
            mesh.triangles.iter().flat_map(|&[a, b, c]| [[a, b], [b, c], [c, a]]).map(sorted).collect();
        edges.sort_unstable();
        edges.dedup();
        collapse.heap = edges.into_iter().map(|edge| collapse.entry(edge)).collect();
        collapse
    }

    fn add_planes(&mut self) {
        for t in 0..self.links.triangles.len() {
            let numbers = self.links.triangles[t];
            let [a, b, c] = self.links.corners(t as u32).map(|p| p - self.centre);
            let cross = (b - a).cross(c - a);
            let normal = cross.normalize_or_zero();
            let mut add = |v: u32, plane: &Quadric| {
                let quadric = &mut self.quadrics[v as usize];
                *quadric = quadric.plus(plane);
            };
            let plane = Quadric::plane(a, normal, 0.5 * cross.length());
            numbers.iter().for_each(|&v| add(v, &plane));
            for ([p, q], [from, to]) in [[a, b], [b, c], [c, a]].into_iter().zip(sides(numbers)) {
                if self.links.rim[from as usize] && self.links.rim[to as usize] {
                    let wall = Quadric::plane(
                        p,
                        (q - p).cross(normal).normalize_or_zero(),
                        RIM_WEIGHT * p.distance_squared(q),
                    );
                    add(from, &wall);
                    add(to, &wall);
                }
            }
        }
    }

    /// Returns where the ends of an edge would meet, and the cost.
    fn meeting(&self, [a, b]: [u32; 2]) -> (DVec3, f64) {
        let quadric = self.quadrics[a as usize].plus(&self.quadrics[b as usize]);
        let [p, q] = [a, b].map(|v| self.links.points[v as usize] - self.centre);
        let length2 = p.distance_squared(q);
        let place = match [a, b].map(|v| self.links.rim[v as usize]) {
            [true, false] => p,
            [false, true] => q,
            _ => {
                let middle = (p + q) / 2.0;
                let best = quadric.least_near(middle);
                // a place far beyond the edge comes of planes that are nearly parallel
                if best.distance_squared(middle) <= 4.0 * length2 { best } else { middle }
            }
        };
        (place + self.centre, quadric.at(place) + LENGTH_SHARE * length2 * length2)
    }

    fn entry(&self, edge: [u32; 2]) -> Entry {
        // bits of numbers that are not negative are in the order of the numbers
        let cost = self.meeting(edge).1.to_bits();
        Reverse((cost, edge, edge.map(|v| self.versions[v as usize])))
    }

    fn run(mut self) -> Mesh {
        let mut around = Around::default();
        let mut new = Vec::new();
        while self.count > self.goal {
            let Some(Reverse((_, edge, versions))) = self.heap.pop() else { break };
            if edge.map(|v| self.versions[v as usize]) == versions && around.look(&self.links, edge[0], edge[1]) {
                self.try_edge(edge, &mut around, &mut new);
            }
        }
        self.links.into_mesh()
    }

    fn try_edge(&mut self, edge: [u32; 2], around: &mut Around, new: &mut Vec<(u32, [DVec3; 3])>) {
        let [a, b] = edge;
        let (place, _) = self.meeting(edge);
        if !self.shape_stays(edge, place, around, new) {
            return;
        }
        let is_old = |t: &&u32| !self.links.triangles[**t as usize].contains(&a);
        let old: Vec<u32> = around.star_a.iter().chain(around.star_b.iter().filter(is_old)).copied().collect();
        if let Some(nearby) = &mut self.nearby {
            if !nearby.fits(old.iter().copied(), new) {
                return;
            }
            nearby.accept(old.iter().copied());
        }
        self.count -= old.len() - new.len();
        self.links.collapse(a, b, place);
        self.quadrics[a as usize] = self.quadrics[a as usize].plus(&self.quadrics[b as usize]);
        // `b` is gone: no entry has this version
        self.versions[b as usize] = u32::MAX;
        self.versions[a as usize] += 1;
        for &neighbour in around.neighbours_after(a, b) {
            let entry = self.entry(sorted([a, neighbour]));
            self.heap.push(entry);
        }
    }

    /// Lists the triangles that stay around a collapse with their new corners; returns whether none turns over or
    /// becomes a sliver.
    fn shape_stays(&self, [a, b]: [u32; 2], place: DVec3, around: &Around, new: &mut Vec<(u32, [DVec3; 3])>) -> bool {
        new.clear();
        let (mut worst_before, mut worst_after) = (1.0_f64, 1.0_f64);
        for &t in around.star_a.iter().chain(&around.star_b) {
            let numbers = self.links.triangles[t as usize];
            let before = self.links.corners(t);
            let (normal_before, quality_before) = shape(&before);
            worst_before = worst_before.min(quality_before);
            if numbers.contains(&a) && numbers.contains(&b) {
                continue;
            }
            let after: [DVec3; 3] =
                std::array::from_fn(|i| if numbers[i] == a || numbers[i] == b { place } else { before[i] });
            let (normal, quality) = shape(&after);
            worst_after = worst_after.min(quality);
            let turned = normal.dot(normal_before) < LEAST_COSINE * normal.length() * normal_before.length();
            if turned || normal == DVec3::ZERO {
                return false;
            }
            new.push((t, after));
        }
        worst_after >= worst_before.min(LEAST_QUALITY)
    }
}

/// Returns twice the area as a vector, and 4 sqrt(3) area over the sum of squared sides: 1 when equilateral.
fn shape(&[a, b, c]: &[DVec3; 3]) -> (DVec3, f64) {
    let normal = (b - a).cross(c - a);
    let sides2 = a.distance_squared(b) + b.distance_squared(c) + c.distance_squared(a);
    (normal, 2.0 * 3.0_f64.sqrt() * normal.length() / sides2)
}

fn sorted([a, b]: [u32; 2]) -> [u32; 2] {
    [a.min(b), a.max(b)]
}

fn sides([a, b, c]: [u32; 3]) -> [[u32; 2]; 3] {
    [[a, b], [b, c], [c, a]]
}
