//! A tree of boxes over the triangles of a mesh: nearest points and ray hits in logarithmic time.
//!
//! Answers do not depend on the shape of the tree: of several triangles at the same distance the one with the lowest
//! index wins, and a box is passed over only when it is certain to hold nothing nearer.

mod build;
mod triangle;

use build::{Leaf, Node};
pub use triangle::{Feature, closest_on_triangle};

use crate::{mesh::Mesh, space::DVec3};

/// Boxes are passed over only beyond this factor of the best squared distance: rounding in the distance to a box must
/// not hide a triangle that is exactly as near.
const SLACK: f64 = 1.0 + 1e-12;

/// Most boxes that wait while the tree is walked: one a level, and the builder keeps the depth below 64.
const STACK: usize = 64;

/// The nearest point on a mesh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Distance from the asked point, mm.
    pub distance_mm: f64,
    /// Index of the triangle in the mesh.
    pub triangle: usize,
    /// The nearest point on that triangle, LPS mm.
    pub point: DVec3,
}

/// Where a ray meets a mesh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RayHit {
    /// Position on the ray: `origin + t * direction`, not negative.
    pub t: f64,
    /// Index of the triangle in the mesh.
    pub triangle: usize,
}

/// The tree. It owns a copy of the corners in its own order, so the mesh may go.
#[derive(Clone, Debug)]
pub struct Bvh {
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    /// Position of each mesh triangle in `leaves`, `u32::MAX` for those left out.
    place: Vec<u32>,
}

/// The best triangle so far.
#[derive(Clone, Copy)]
struct Best {
    squared: f64,
    triangle: u32,
    point: DVec3,
}

impl Best {
    fn offer(&mut self, leaf: &Leaf, p: DVec3) {
        let (point, _) = closest_on_triangle(p, &leaf.corners);
        let squared = point.distance_squared(p);
        if squared < self.squared || (squared == self.squared && leaf.triangle < self.triangle) {
            *self = Self { squared, triangle: leaf.triangle, point };
        }
    }

    fn hit(self) -> Option<Hit> {
        (self.triangle != u32::MAX).then(|| Hit {
            distance_mm: self.squared.sqrt(),
            triangle: self.triangle as usize,
            point: self.point,
        })
    }
}

impl Bvh {
    /// Returns the tree of a mesh. Triangles with a missing or non-finite corner are left out.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        let (nodes, leaves) = build::build(mesh);
        let mut place = vec![u32::MAX; mesh.triangles.len()];
        for (at, leaf) in leaves.iter().enumerate() {
            place[leaf.triangle as usize] = at as u32;
        }
        Self { nodes, leaves, place }
    }

    /// Returns whether the tree holds no triangle.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Returns the corners of a triangle as the tree holds them.
    #[must_use]
    pub fn corners(&self, triangle: usize) -> Option<&[DVec3; 3]> {
        self.leaf(triangle).map(|leaf| &leaf.corners)
    }

    /// Returns the nearest point, or nothing when the tree is empty or the point is not finite.
    #[must_use]
    pub fn closest(&self, p: DVec3) -> Option<Hit> {
        self.search(p, Best { squared: f64::INFINITY, triangle: u32::MAX, point: p })
    }

    /// Returns the nearest point that is at most `max_mm` away.
    #[must_use]
    pub fn closest_within(&self, p: DVec3, max_mm: f64) -> Option<Hit> {
        // A triangle at exactly `max_mm` counts: it equals the bound and has a lower index than none.
        self.search(p, Best { squared: max_mm * max_mm, triangle: u32::MAX, point: p })
    }

    /// Returns what [`closest`](Self::closest) returns, faster when `near` is the triangle hit by a nearby point.
    #[must_use]
    pub fn closest_from(&self, p: DVec3, near: Option<usize>) -> Option<Hit> {
        let mut best = Best { squared: f64::INFINITY, triangle: u32::MAX, point: p };
        if let Some(leaf) = near.and_then(|triangle| self.leaf(triangle)) {
            best.offer(leaf, p);
        }
        self.search(p, best)
    }

    fn leaf(&self, triangle: usize) -> Option<&Leaf> {
        self.leaves.get(*self.place.get(triangle)? as usize)
    }

    /// Walks the tree, nearer box first.
    fn search(&self, p: DVec3, mut best: Best) -> Option<Hit> {
        if !p.is_finite() || self.leaves.is_empty() {
            return None;
        }
        let mut waiting = [(0.0_f64, 0_u32, 0_u32); STACK];
        let mut depth = 0;
        let (mut at, mut count) = self.root();
        loop {
            if count > 0 {
                for leaf in &self.leaves[at as usize..(at + count) as usize] {
                    best.offer(leaf, p);
                }
            } else {
                let node = &self.nodes[at as usize];
                let [left, right] = [node.squared_distance(0, p), node.squared_distance(1, p)];
                let (near, far) = if right < left { (1, 0) } else { (0, 1) };
                let limit = best.squared * SLACK;
                if left.max(right) <= limit && depth < STACK {
                    waiting[depth] = (left.max(right), node.child[far], node.count[far]);
                    depth += 1;
                }
                if left.min(right) <= limit {
                    (at, count) = (node.child[near], node.count[near]);
                    continue;
                }
            }
            loop {
                if depth == 0 {
                    return best.hit();
                }
                depth -= 1;
                let (squared, next, held) = waiting[depth];
                if squared <= best.squared * SLACK {
                    (at, count) = (next, held);
                    break;
                }
            }
        }
    }

    /// Returns the first triangle that a ray meets, from either side; a ray along a triangle's plane does not meet it.
    #[must_use]
    pub fn ray(&self, origin: DVec3, direction: DVec3) -> Option<RayHit> {
        if self.leaves.is_empty() || !origin.is_finite() || !direction.is_finite() || direction == DVec3::ZERO {
            return None;
        }
        let inverse = direction.recip();
        let mut best: Option<RayHit> = None;
        let mut waiting = [(0_u32, 0_u32, 0.0_f64); STACK + 1];
        let (at, count) = self.root();
        waiting[0] = (at, count, 0.0);
        let mut depth = 1;
        while depth > 0 {
            depth -= 1;
            let (at, count, enters) = waiting[depth];
            let limit = best.map_or(f64::INFINITY, |hit| hit.t * SLACK);
            if enters > limit {
                continue;
            }
            if count > 0 {
                for leaf in &self.leaves[at as usize..(at + count) as usize] {
                    let Some(t) = triangle::ray_hit(origin, direction, &leaf.corners) else { continue };
                    let found = RayHit { t, triangle: leaf.triangle as usize };
                    if best.is_none_or(|hit| (found.t, found.triangle) < (hit.t, hit.triangle)) {
                        best = Some(found);
                    }
                }
                continue;
            }
            let node = &self.nodes[at as usize];
            let enter = [node.ray_enters(0, origin, inverse, limit), node.ray_enters(1, origin, inverse, limit)];
            let order = if enter[1] < enter[0] { [0, 1] } else { [1, 0] };
            for side in order {
                if enter[side].is_finite() && depth < waiting.len() {
                    waiting[depth] = (node.child[side], node.count[side], enter[side]);
                    depth += 1;
                }
            }
        }
        best
    }

    /// Returns where a walk starts: the first node, or all leaves of a tree too small to have one.
    fn root(&self) -> (u32, u32) {
        if self.nodes.is_empty() { (0, self.leaves.len() as u32) } else { (0, 0) }
    }
}

#[cfg(test)]
mod tests;
