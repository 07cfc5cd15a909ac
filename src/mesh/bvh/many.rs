//! The search for many points at once: neighbours share the way down the tree.
//!
//! ```text
//! points ──▶ along a curve ──▶ groups ──▶ the blocks that may hold an answer for any of a group ──▶ each point among these
//! ```
//! From one point of a group with its answer at distance d, no other point, at most r away, has an answer beyond d + r: the
//! blocks whose boxes lie farther than that from the group's box are out for all of it. A group with too many blocks left
//! (far from the surface, or a loose one) is halved; a few points are searched one by one.

use super::{
    Bvh,
    block::Best,
    curve::Curve,
    lanes::Lanes,
    node::{Bounds, Child, Node, Reach, WIDE},
    set::{Set, for_each_set},
    walk::walk_from,
};
use crate::space::DVec3;

/// Points in a group.
const GROUP: usize = 32;
/// Groups of at most this many points are not worth the while.
const FEW: usize = 4;
/// Most blocks in the list of a group, as nodes.
const LISTS: usize = 8;

for_each_set!(pub(super) fn closest(bvh: &Bvh, points: &[DVec3]) -> Vec<Best> = each);

/// Returns the best triangle for each point; none for points that are not finite.
#[inline(always)]
fn each<L: Lanes>(bvh: &Bvh, points: &[DVec3]) -> Vec<Best> {
    let mut found = vec![Best::within(f64::INFINITY); points.len()];
    if bvh.is_empty() {
        return found;
    }
    let order = along_a_curve(points);
    let mut search = Search { bvh, points, near: 0, list: List::default(), waiting: Vec::with_capacity(64) };
    for group in order.chunks(GROUP) {
        search.group::<L>(group, &mut found);
    }
    found
}

/// Returns the finite points along a curve: the number of each in the lower half.
fn along_a_curve(points: &[DVec3]) -> Vec<u64> {
    let single = |p: &DVec3| p.to_array().map(|x| x as f32);
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for p in points.iter().filter(|p| p.is_finite()).map(single) {
        for axis in 0..3 {
            (low[axis], high[axis]) = (low[axis].min(p[axis]), high[axis].max(p[axis]));
        }
    }
    let curve = Curve::over((low, high));
    let key = |(at, p): (usize, &DVec3)| p.is_finite().then(|| u64::from(curve.cell(single(p))) << 32 | at as u64);
    let mut keys: Vec<u64> = points.iter().enumerate().filter_map(key).collect();
    keys.sort_unstable();
    keys
}

struct Search<'a> {
    bvh: &'a Bvh,
    points: &'a [DVec3],
    /// The block of the last answer.
    near: usize,
    list: List,
    /// Nodes still to be looked at.
    waiting: Vec<u32>,
}

impl Search<'_> {
    #[inline(always)]
    fn point(&self, key: u64) -> DVec3 {
        self.points[key as u32 as usize]
    }

    /// Answers for a group, in halves where that is better.
    #[inline(always)]
    fn group<L: Lanes>(&mut self, group: &[u64], found: &mut [Best]) {
        let mut rest = group;
        let mut size = group.len();
        while !rest.is_empty() {
            size = size.min(rest.len());
            if size <= FEW {
                let (few, others) = rest.split_at(size);
                for &key in few {
                    self.one::<L>(key, found);
                }
                rest = others;
            } else if self.gather::<L>(&rest[..size]) {
                let (some, others) = rest.split_at(size);
                for &key in some {
                    self.among_list::<L>(key, found);
                }
                rest = others;
            } else {
                size = size.div_ceil(2);
            }
        }
    }

    /// Answers for one point by a walk of its own.
    #[inline(always)]
    fn one<L: Lanes>(&mut self, key: u64, found: &mut [Best]) {
        self.keep(key, walk_from::<L>(self.bvh, self.point(key), self.near), found);
    }

    #[inline(always)]
    fn keep(&mut self, key: u64, best: Best, found: &mut [Best]) {
        self.near = best.block();
        found[key as u32 as usize] = best;
    }

    /// Lists the blocks that may hold an answer for any point of a group; returns whether they are few enough.
    #[inline(always)]
    fn gather<L: Lanes>(&mut self, group: &[u64]) -> bool {
        let middle = self.point(group[group.len() / 2]);
        let best = walk_from::<L>(self.bvh, middle, self.near);
        self.near = best.block();
        let (mut low, mut high, mut squared) = (middle, middle, 0.0_f64);
        for &key in group {
            let p = self.point(key);
            (low, high, squared) = (low.min(p), high.max(p), squared.max(p.distance_squared(middle)));
        }
        let farthest_mm = (best.squared.sqrt() + squared.sqrt()) * (1.0 + 1e-6);
        let (bounds, limit) = (Bounds::of(low, high), (farthest_mm * farthest_mm * (1.0 + 4e-6)) as f32);
        self.list.clear();
        self.waiting.clear();
        let mut next = self.bvh.root;
        if next.block().is_some() {
            return false;
        }
        loop {
            let node = &self.bvh.nodes[next.at()];
            let (_, mut within) = node.squared_gaps::<L>(&bounds, limit);
            while within != 0 {
                let lane = within.trailing_zeros() as usize;
                within &= within - 1;
                let child = node.child[lane];
                if child == Child::NONE {
                    continue;
                }
                if child.block().is_none() {
                    self.waiting.push(child.bits());
                } else if !self.list.add(node, lane) {
                    return false;
                }
            }
            let Some(bits) = self.waiting.pop() else { return true };
            next = Child::from_bits(bits);
        }
    }

    /// Answers for a point of the group that the list is for.
    #[inline(always)]
    fn among_list<L: Lanes>(&mut self, key: u64, found: &mut [Best]) {
        let p = self.point(key);
        let mut best = Best::within(f64::INFINITY);
        best.offer::<L>(self.near, &self.bvh.blocks[self.near], p);
        let (reach, single) = (Reach::at(p), Bounds::near(p));
        let mut limit = reach.squared(best.squared);
        for boxes in self.list.nodes() {
            let (squared, mut within) = boxes.squared_gaps::<L>(&single, limit);
            while within != 0 {
                let lane = within.trailing_zeros() as usize;
                within &= within - 1;
                if squared[lane] <= limit
                    && let Some(at) = boxes.child[lane].block()
                    && at != self.near
                    && boxes.child[lane] != Child::NONE
                {
                    best.offer::<L>(at, &self.bvh.blocks[at], p);
                    limit = reach.squared(best.squared);
                }
            }
        }
        self.keep(key, best, found);
    }
}

/// Blocks with their boxes, as children of nodes that belong to no tree.
struct List {
    nodes: [Node; LISTS],
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { nodes: [Node::EMPTY; LISTS], len: 0 }
    }
}

impl List {
    #[inline(always)]
    fn clear(&mut self) {
        self.nodes[..self.len.div_ceil(WIDE)].fill(Node::EMPTY);
        self.len = 0;
    }

    /// Adds one child of a node; returns whether there was room.
    #[inline(always)]
    fn add(&mut self, node: &Node, lane: usize) -> bool {
        let Some(list) = self.nodes.get_mut(self.len / WIDE) else { return false };
        list.set(self.len % WIDE, node.child[lane], &node.bounds(lane));
        self.len += 1;
        true
    }

    #[inline(always)]
    fn nodes(&self) -> &[Node] {
        &self.nodes[..self.len.div_ceil(WIDE)]
    }
}
