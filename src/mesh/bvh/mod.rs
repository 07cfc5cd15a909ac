//! A tree of boxes over the triangles of a mesh: nearest points and ray hits in logarithmic time.
//!
//! Answers do not depend on the shape of the tree: of several triangles at the same distance the one with the lowest
//! index wins, and a box is passed over only when it is certain to hold nothing nearer.

mod abreast;
mod block;
mod build;
mod curve;
mod front;
mod lanes;
mod many;
mod node;
mod set;
mod split;
mod triangle;
mod walk;

use block::{Best, Block, LANES};
use build::Tree;
use node::{Child, Node, WIDE};
use set::Set;
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

/// How near a mesh is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Distance from the asked point, mm.
    pub distance_mm: f64,
    /// Index of the triangle in the mesh.
    pub triangle: u32,
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
    blocks: Vec<Block>,
    /// Position of each mesh triangle in `blocks`, counted in triangles; `u32::MAX` for those left out.
    place: Vec<u32>,
    /// What searches run on.
    set: Set,
}

impl Bvh {
    /// Returns the tree of a mesh. Triangles with a missing or non-finite corner are left out.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        let Tree { root, nodes, blocks } = build::build(mesh);
        let mut place = vec![u32::MAX; mesh.triangles.len()];
        for (at, block) in blocks.iter().enumerate() {
            for (lane, &triangle) in block.triangles().iter().enumerate() {
                place[triangle as usize] = (at * LANES + lane) as u32;
            }
        }
        Self { root, nodes, blocks, place, set: Set::best() }
    }

    /// Returns whether the tree holds no triangle.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Returns the corners of a triangle as the tree holds them.
    #[must_use]
    pub fn corners(&self, triangle: usize) -> Option<[DVec3; 3]> {
        let place = *self.place.get(triangle)? as usize;
        Some(self.blocks.get(place / LANES)?.corners(place % LANES))
    }

    /// Returns the nearest point, or nothing when the tree is empty or the point is not finite.
    #[must_use]
    pub fn closest(&self, p: DVec3) -> Option<Hit> {
        self.search(p, Best::within(f64::INFINITY))
    }

    /// Returns the nearest point that is at most `max_mm` away.
    #[must_use]
    pub fn closest_within(&self, p: DVec3, max_mm: f64) -> Option<Hit> {
        // A triangle at exactly `max_mm` counts: it equals the bound and has a lower index than none.
        self.search(p, Best::within(max_mm * max_mm))
    }

    /// Returns what [`closest`](Self::closest) returns, faster when `near` is the triangle hit by a nearby point.
    #[must_use]
    pub fn closest_from(&self, p: DVec3, near: Option<usize>) -> Option<Hit> {
        let block = near.and_then(|triangle| self.place.get(triangle)).map(|&place| place as usize / LANES);
        match block.filter(|&at| at < self.blocks.len() && p.is_finite()) {
            Some(at) => walk::search_from(self.set, self, p, at).hit(p, &self.blocks),
            None => self.closest(p),
        }
    }

    /// Returns the distance and the triangle that [`closest`](Self::closest) returns for each of many points, faster where
    /// they are near each other.
    #[must_use]
    pub fn closest_each(&self, points: &[DVec3]) -> Vec<Option<Near>> {
        many::closest(self.set, self, points)
    }

    fn search(&self, p: DVec3, best: Best) -> Option<Hit> {
        if !p.is_finite() || self.is_empty() {
            return None;
        }
        walk::search(self.set, self, p, best).hit(p, &self.blocks)
    }

    /// Returns the first triangle that a ray meets, from either side; a ray along a triangle's plane does not meet it.
    #[must_use]
    pub fn ray(&self, origin: DVec3, direction: DVec3) -> Option<RayHit> {
        if self.blocks.is_empty() || !origin.is_finite() || !direction.is_finite() || direction == DVec3::ZERO {
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
            if let Some(at) = next.block() {
                let block = &self.blocks[at];
                for (lane, &triangle) in block.triangles().iter().enumerate() {
                    let Some(t) = triangle::ray_hit(origin, direction, &block.corners(lane)) else { continue };
                    let found = RayHit { t, triangle: triangle as usize };
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

#[cfg(test)]
mod tests;
