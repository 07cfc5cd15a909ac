//! Building the tree: the same tree for any number of threads.
//!
//! ```text
//! triangles ──▶ along a Morton curve ──▶ chunks ──▶ a tree each, at once ──▶ a tree over the chunks
//! ```
//! Space is cut into chunks by the bits of the curve (Lauterbach et al., *Fast BVH construction on GPUs*, 2009), which
//! needs no look at the boxes; within a chunk, which fits a core's cache, down the middle of the widest axis, in whole
//! blocks. The boxes come last, from the blocks up.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    block::{Block, LANES},
    curve::{Curve, sort_by_cell},
    node::{Bounds, Child, Node, WIDE},
    split::{Item, centres, halve},
};
use crate::{mesh::Mesh, numeric::with_room_for, space::DVec3};

/// Most triangles in a chunk.
const CHUNK: usize = 1 << 12;
/// Most triangles in a tree: the places of their blocks are counted in 32 bits.
const MOST_TRIANGLES: usize = 1 << 30;

/// A tree; its root is [`Child::NONE`] when it holds nothing.
pub(super) struct Tree {
    pub(super) root: Child,
    pub(super) nodes: Vec<Node>,
    pub(super) blocks: Vec<Block>,
}

/// Returns the tree over the triangles whose corners exist and are finite.
pub(super) fn build(mesh: &Mesh) -> Tree {
    let (keys, mut items) = along_the_curve(mesh);
    if items.is_empty() {
        return Tree { root: Child::NONE, nodes: Vec::new(), blocks: Vec::new() };
    }
    let mut plan = Plan::default();
    let root = plan.cut(&keys, 0..items.len());
    drop(keys);
    let subtrees = plan.grow(&mut items);
    let (root, mut nodes) = plan.join(root, subtrees);
    let starts = plan.blocks();
    let fill = |ends: &[u32]| {
        let items = items[ends[0] as usize..ends[1] as usize].iter();
        // Every item's corners were read once already.
        Block::of(items.map(|item| (item.triangle, corners(mesh, item.triangle as usize).unwrap_or_default())))
    };
    let (mut blocks, mut bounds) = (with_room_for(starts.len()), with_room_for(starts.len()));
    starts.par_windows(2).map(fill).unzip_into_vecs(&mut blocks, &mut bounds);
    enclose(&mut nodes, &bounds);
    Tree { root, nodes, blocks }
}

fn corners(mesh: &Mesh, triangle: usize) -> Option<[DVec3; 3]> {
    let corner = |v: u32| mesh.vertices.get(v as usize).copied().filter(|p| p.is_finite());
    let [a, b, c] = mesh.triangles[triangle];
    Some([corner(a)?, corner(b)?, corner(c)?])
}

/// Returns the items along the curve, those of one cell by their triangle, and before each its cell (upper half).
fn along_the_curve(mesh: &Mesh) -> (Vec<u64>, Vec<Item>) {
    let item = |t: usize| corners(mesh, t).map_or(Item::NONE, |corners| Item::of(t as u32, &corners));
    let count = mesh.triangles.len().min(MOST_TRIANGLES);
    let mut all: Vec<Item> = with_room_for(count);
    (0..count).into_par_iter().map(item).collect_into_vec(&mut all);
    let curve = Curve::over(all.par_chunks(1 << 14).map(centres).reduce(
        || ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]),
        |a, b| ([0, 1, 2].map(|i| a.0[i].min(b.0[i])), [0, 1, 2].map(|i| a.1[i].max(b.1[i]))),
    ));
    let key = |(at, item): (usize, &Item)| match item.triangle {
        u32::MAX => u64::MAX,
        _ => u64::from(curve.cell(item.centre)) << 32 | at as u64,
    };
    let mut keys: Vec<u64> = with_room_for(count);
    all.par_iter().enumerate().map(key).collect_into_vec(&mut keys);
    sort_by_cell(&mut keys);
    keys.truncate(keys.partition_point(|&key| key != u64::MAX));
    let mut items = with_room_for(keys.len());
    keys.par_iter().map(|&key| all[key as u32 as usize]).collect_into_vec(&mut items);
    (keys, items)
}

/// Gives every child of every node its box; the children of a node stand after it.
fn enclose(nodes: &mut [Node], blocks: &[Bounds]) {
    let mut boxes = vec![Bounds::NONE; nodes.len()];
    for at in (0..nodes.len()).rev() {
        for lane in 0..WIDE {
            let child = nodes[at].child[lane];
            let inside = match child.block() {
                _ if child == Child::NONE => continue,
                Some(block) => blocks[block],
                None => boxes[child.at()],
            };
            nodes[at].set(lane, child, &inside);
            boxes[at].join(&inside);
        }
    }
}

/// The part of the tree above the chunks.
#[derive(Default)]
struct Plan {
    /// Each node's children; those of a node come after it.
    nodes: Vec<[Above; WIDE]>,
    chunks: Vec<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Above {
    Nothing,
    Node(usize),
    Chunk(usize),
}

/// The tree of one chunk, its nodes counted from 0.
struct Subtree {
    root: Child,
    nodes: Vec<Node>,
}

impl Plan {
    /// Cuts a range into chunks, in order.
    fn cut(&mut self, keys: &[u64], range: Range<usize>) -> Above {
        if range.len() <= CHUNK {
            self.chunks.push(range);
            return Above::Chunk(self.chunks.len() - 1);
        }
        let parts = parts(range, CHUNK, |part| part.start + half(&keys[part]));
        let at = self.nodes.len();
        self.nodes.push([Above::Nothing; WIDE]);
        for (lane, part) in parts.into_iter().enumerate() {
            self.nodes[at][lane] = self.cut(keys, part);
        }
        Above::Node(at)
    }

    /// Returns where the items of each block begin, and the end of all.
    fn blocks(&self) -> Vec<u32> {
        let starts = self.chunks.iter().flat_map(|chunk| chunk.clone().step_by(LANES));
        starts.chain(self.chunks.last().map(|chunk| chunk.end)).map(|start| start as u32).collect()
    }

    /// Orders the items of each chunk by block.
    fn grow(&self, items: &mut [Item]) -> Vec<Subtree> {
        let (mut rest, mut first) = (items, 0);
        let mut slices = Vec::with_capacity(self.chunks.len());
        for chunk in &self.chunks {
            let (slice, after) = rest.split_at_mut(chunk.len());
            slices.push((slice, first));
            first += chunk.len().div_ceil(LANES);
            rest = after;
        }
        let grow = |(slice, first): (&mut [Item], usize)| {
            let mut nodes = Vec::with_capacity(slice.len() / LANES / 2);
            let root = grow(slice, first, &mut nodes);
            Subtree { root, nodes }
        };
        slices.into_par_iter().map(grow).collect()
    }

    /// Puts the nodes above the chunks first, then those of the chunks in order.
    fn join(&self, root: Above, subtrees: Vec<Subtree>) -> (Child, Vec<Node>) {
        let count = self.nodes.len() + subtrees.iter().map(|subtree| subtree.nodes.len()).sum::<usize>();
        let mut nodes = with_room_for(count);
        nodes.resize(self.nodes.len(), Node::EMPTY);
        let mut below = Vec::with_capacity(subtrees.len());
        for subtree in subtrees {
            let offset = nodes.len();
            nodes.extend(subtree.nodes.into_iter().map(|node| node.moved(offset)));
            below.push(subtree.root.moved(offset));
        }
        let name = |child: Above| match child {
            Above::Nothing => Child::NONE,
            Above::Node(at) => Child::node(at),
            Above::Chunk(chunk) => below[chunk],
        };
        for (node, children) in nodes.iter_mut().zip(&self.nodes) {
            node.child = children.map(name);
        }
        (name(root), nodes)
    }
}

/// Returns where the cells of a range part at their highest differing bit, its middle when all are the same.
fn half(keys: &[u64]) -> usize {
    let (first, last) = (keys[0], keys[keys.len() - 1]);
    let differing = (first ^ last) >> 32;
    if differing == 0 {
        return keys.len() / 2;
    }
    let bit = 1 << (32 + differing.ilog2());
    keys.partition_point(|key| key & bit == 0)
}

/// Cuts a range into up to [`WIDE`] parts, each time the largest, none of at most `small` items.
fn parts(range: Range<usize>, small: usize, mut middle: impl FnMut(Range<usize>) -> usize) -> Vec<Range<usize>> {
    let mut parts = Vec::with_capacity(WIDE);
    parts.push(range);
    while parts.len() < WIDE {
        let largest = (1..parts.len()).fold(0, |best, at| if parts[at].len() > parts[best].len() { at } else { best });
        let part = parts[largest].clone();
        if part.len() <= small {
            break;
        }
        let middle = middle(part.clone());
        parts[largest] = part.start..middle;
        parts.insert(largest + 1, middle..part.end);
    }
    parts
}

/// Appends the nodes of a range, whose first block is `first`, and returns how its parent names it.
fn grow(items: &mut [Item], first: usize, nodes: &mut Vec<Node>) -> Child {
    if items.len() <= LANES {
        return Child::leaf(first);
    }
    let parts = parts(0..items.len(), LANES, |part| part.start + halve(&mut items[part]));
    let at = nodes.len();
    nodes.push(Node::EMPTY);
    for (lane, part) in parts.into_iter().enumerate() {
        let child = grow(&mut items[part.clone()], first + part.start / LANES, nodes);
        nodes[at].child[lane] = child;
    }
    Child::node(at)
}
