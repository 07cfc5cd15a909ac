//! The search for one point: the nearest box first, the others only when they may hold something as near.

use super::{
    Bvh,
    block::Best,
    lanes::Lanes,
    node::{Bounds, Child, Reach},
    set::{Set, for_each_set},
};
use crate::space::DVec3;

for_each_set!(pub(super) fn search(bvh: &Bvh, p: DVec3, best: Best) -> Best = walk);
for_each_set!(pub(super) fn search_from(bvh: &Bvh, p: DVec3, near: usize) -> Best = walk_from);

/// Returns the best triangle for a point, starting with the block at a position.
#[inline(always)]
pub(super) fn walk_from<L: Lanes>(bvh: &Bvh, p: DVec3, near: usize) -> Best {
    let mut best = Best::within(f64::INFINITY);
    best.offer::<L>(near, &bvh.blocks[near], p);
    go_on::<L>(bvh, p, best, Child::leaf(near))
}

/// Returns the best triangle for a point, starting from what is known.
#[inline(always)]
fn walk<L: Lanes>(bvh: &Bvh, p: DVec3, best: Best) -> Best {
    go_on::<L>(bvh, p, best, Child::NONE)
}

/// Walks down from the root, past the block that has been seen.
#[inline(always)]
fn go_on<L: Lanes>(bvh: &Bvh, p: DVec3, mut best: Best, seen: Child) -> Best {
    let (reach, single) = (Reach::at(p), Bounds::near(p));
    let mut limit = reach.squared(best.squared);
    let mut waiting = Waiting::default();
    let mut next = bvh.root;
    loop {
        if let Some(at) = next.block() {
            if next != seen && best.offer::<L>(at, &bvh.blocks[at], p) {
                limit = reach.squared(best.squared);
            }
        } else {
            let node = &bvh.nodes[next.at()];
            let (squared, mut within) = node.squared_gaps::<L>(&single, limit);
            let start = waiting.len;
            while within != 0 {
                let lane = within.trailing_zeros() as usize;
                within &= within - 1;
                let child = node.child[lane];
                if child != Child::NONE && child != seen {
                    waiting.push(squared[lane], child, start);
                }
            }
        }
        next = loop {
            let Some((squared, child)) = waiting.pop() else { return best };
            if squared <= limit {
                break child;
            }
        };
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
