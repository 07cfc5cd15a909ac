//! A tree of boxes over the triangles of a mesh: nearest points and ray hits in logarithmic time.
//!
//! Answers do not depend on the shape of the tree: of several triangles at the same distance the one with the lowest
//! index wins, and a box is passed over only when it is certain to hold nothing nearer.

mod build;
mod node;
mod split;
mod triangle;

use build::{Leaf, Tree};
use node::{Child, Node, Reach, WIDE};
pub use triangle::{Feature, closest_on_triangle};

use crate::{mesh::Mesh, space::DVec3};

/// A ray passes boxes over only beyond this factor of the best hit: rounding must not hide a triangle as near.
const SLACK: f64 = 1.0 + 1e-12;

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
    root: Child,
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
    #[inline]
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
        let Tree { root, nodes, leaves } = build::build(mesh);
        let mut place = vec![u32::MAX; mesh.triangles.len()];
        for (at, leaf) in leaves.iter().enumerate() {
            place[leaf.triangle as usize] = at as u32;
        }
        Self { root, nodes, leaves, place }
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

    /// Walks the tree, nearest box first.
    fn search(&self, p: DVec3, mut best: Best) -> Option<Hit> {
        if !p.is_finite() || self.leaves.is_empty() {
            return None;
        }
        let (reach, single) = (Reach::at(p), p.to_array().map(|x| x as f32));
        let mut limit = reach.squared(best.squared);
        let mut waiting = Waiting::default();
        let mut next = self.root;
        loop {
            if let Some(triangles) = next.triangles() {
                self.leaves[triangles].iter().for_each(|leaf| best.offer(leaf, p));
                limit = reach.squared(best.squared);
            } else {
                let node = &self.nodes[next.at()];
                let squared = node.squared_distances(single);
                let start = waiting.len;
                for lane in 0..WIDE {
                    if squared[lane] <= limit && node.child[lane] != Child::NONE {
                        waiting.push(squared[lane], node.child[lane], start);
                    }
                }
            }
            next = loop {
                let Some((squared, child)) = waiting.pop() else { return best.hit() };
                if squared <= limit {
                    break child;
                }
            };
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
        let mut waiting = vec![(self.root, 0.0_f64)];
        while let Some((next, enters)) = waiting.pop() {
            let limit = best.map_or(f64::INFINITY, |hit| hit.t * SLACK);
            if enters > limit {
                continue;
            }
            if let Some(triangles) = next.triangles() {
                for leaf in &self.leaves[triangles] {
                    let Some(t) = triangle::ray_hit(origin, direction, &leaf.corners) else { continue };
                    let found = RayHit { t, triangle: leaf.triangle as usize };
                    if best.is_none_or(|hit| (found.t, found.triangle) < (hit.t, hit.triangle)) {
                        best = Some(found);
                    }
                }
                continue;
            }
            let (node, start) = (&self.nodes[next.at()], waiting.len());
            for lane in (0..WIDE).filter(|&lane| node.child[lane] != Child::NONE) {
                let enters = node.ray_enters(lane, origin, inverse, limit);
                if enters.is_finite() {
                    waiting.push((node.child[lane], enters));
                }
            }
            waiting[start..].sort_by(|a, b| b.1.total_cmp(&a.1));
        }
        best
    }
}

/// Boxes that wait while the tree is walked, the nearest of a node on top.
struct Waiting {
    /// Squared distance in the upper half (not negative, so its bits are ordered as it is), child in the lower.
    near: [u64; Self::NEAR],
    len: usize,
    /// Room for trees deeper than any sensible mesh makes.
    beyond: Vec<u64>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { near: [0; Self::NEAR], len: 0, beyond: Vec::new() }
    }
}

impl Waiting {
    const NEAR: usize = 64;

    /// Adds a box below the nearer ones that were added since there were `start`.
    #[inline]
    fn push(&mut self, squared: f32, child: Child, start: usize) {
        let entry = u64::from(squared.to_bits()) << 32 | u64::from(child.bits());
        if self.len >= Self::NEAR {
            return self.beyond.push(entry);
        }
        let mut at = self.len;
        while at > start && self.near[at - 1] < entry {
            self.near[at] = self.near[at - 1];
            at -= 1;
        }
        self.near[at] = entry;
        self.len += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<(f32, Child)> {
        let entry = match self.beyond.pop() {
            Some(entry) => entry,
            None if self.len == 0 => return None,
            None => {
                self.len -= 1;
                self.near[self.len]
            }
        };
        Some((f32::from_bits((entry >> 32) as u32), Child::from_bits(entry as u32)))
    }
}

#[cfg(test)]
mod tests;
