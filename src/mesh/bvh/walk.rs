//! The search for one point: the nearest box first, the others only when they may hold something as near.

use super::{
    Bvh,
    block::Best,
    lanes::Lanes,
    node::{Bounds, Child, Node, Reach},
    set::{Set, for_each_set},
};
use crate::space::DVec3;

for_each_set!(pub(super) fn search(bvh: &Bvh, p: DVec3, best: Best) -> Best = walk);
for_each_set!(pub(super) fn search_from(bvh: &Bvh, p: DVec3, near: usize) -> Best = walk_from);

/// Returns the best triangle for a point, starting with the block at a position.
#[inline(always)]
fn walk_from<L: Lanes>(bvh: &Bvh, p: DVec3, near: usize) -> Best {
    match bvh.root.block() {
        Some(_) => walk::<L>(bvh, p, Best::within(f64::INFINITY)),
        None => walk_below::<L>(bvh, p, near, &bvh.nodes[bvh.root.at()]),
    }
}

/// Returns the best triangle for a point, starting from what is known.
#[inline(always)]
fn walk<L: Lanes>(bvh: &Bvh, p: DVec3, mut best: Best) -> Best {
    match bvh.root.block() {
        Some(at) => {
            best.offer::<L>(at, &bvh.blocks[at], p);
            best
        }
        None => go_down::<L>(bvh, p, best, Child::NONE, &bvh.nodes[bvh.root.at()]),
    }
}

/// Returns the best triangle below a node for a point, starting with the block at a position.
#[inline(always)]
pub(super) fn walk_below<L: Lanes>(bvh: &Bvh, p: DVec3, near: usize, from: &Node) -> Best {
    let mut best = Best::within(f64::INFINITY);
    best.offer::<L>(near, &bvh.blocks[near], p);
    go_down::<L>(bvh, p, best, Child::leaf(near), from)
}

/// Walks down from a node, past the block that has been seen.
#[inline(always)]
fn go_down<L: Lanes>(bvh: &Bvh, p: DVec3, mut best: Best, seen: Child, from: &Node) -> Best {
    let (reach, single) = (Reach::at(p), Bounds::near(p));
    let mut limit = reach.squared(best.squared);
    let mut waiting = Waiting::default();
    waiting.push_children::<L>(from, &single, limit, seen, 0);
    while let Some((squared, child)) = waiting.pop() {
        if squared > limit {
            continue;
        }
        if let Some(at) = child.block() {
            if best.offer::<L>(at, &bvh.blocks[at], p) {
                limit = reach.squared(best.squared);
            }
        } else {
            let start = waiting.len;
            waiting.push_children::<L>(&bvh.nodes[child.at()], &single, limit, seen, start);
        }
    }
    best
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

    /// Adds the children of a node that are within the limit, but the one that has been seen.
    #[inline(always)]
    fn push_children<L: Lanes>(&mut self, node: &Node, single: &Bounds, limit: f32, seen: Child, start: usize) {
        let (squared, mut within) = node.squared_gaps::<L>(single, limit);
        while within != 0 {
            let lane = within.trailing_zeros() as usize;
            within &= within - 1;
            let child = node.child[lane];
            if child != Child::NONE && child != seen {
                self.push(squared[lane], child, start);
            }
        }
    }

    /// Adds a box below the nearer ones that were added since there were `start`.
    #[inline(always)]
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

    #[inline(always)]
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
