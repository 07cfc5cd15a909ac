//! Building the tree: the same tree for any number of threads.
//!
//! ```text
//! triangles ──▶ along a Morton curve ──▶ chunks ──▶ a tree each, at once ──▶ a tree over the chunks
//! ```
//! Space is cut into chunks by the bits of the curve (Lauterbach et al., *Fast BVH construction on GPUs*, 2009), which
//! needs no look at the boxes; within a chunk, which fits a core's cache, by the surface area heuristic.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    node::{Bounds, Child, LEAF, MOST_TRIANGLES, Node, WIDE},
    split::{Item, centres, partition},
};
use crate::{mesh::Mesh, space::DVec3};

/// Most triangles in a chunk.
const CHUNK: usize = 1 << 12;
/// Cells of the Morton curve along each axis, as a power of two.
const CURVE_BITS: u32 = 10;

/// One triangle, in tree order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leaf {
    pub(super) corners: [DVec3; 3],
    pub(super) triangle: u32,
}

/// A tree; its root is [`Child::NONE`] when it holds nothing.
pub(super) struct Tree {
    pub(super) root: Child,
    pub(super) nodes: Vec<Node>,
    pub(super) leaves: Vec<Leaf>,
}

/// Returns the tree over the triangles whose corners exist and are finite.
pub(super) fn build(mesh: &Mesh) -> Tree {
    let mut items: Vec<Item> = (0..mesh.triangles.len().min(MOST_TRIANGLES))
        .into_par_iter()
        .filter_map(|t| Some(Item { bounds: Bounds::of(&corners(mesh, t)?), triangle: t as u32 }))
        .collect();
    if items.is_empty() {
        return Tree { root: Child::NONE, nodes: Vec::new(), leaves: Vec::new() };
    }
    let keys = along_the_curve(&mut items);
    let mut plan = Plan::default();
    let root = plan.cut(&keys, 0..items.len());
    let subtrees = plan.grow(&mut items);
    let (root, nodes) = plan.join(root, subtrees);
    let leaf = |item: &Item| {
        // Every item's corners were read once already.
        let corners = corners(mesh, item.triangle as usize).unwrap_or_default();
        Leaf { corners, triangle: item.triangle }
    };
    Tree { root, nodes, leaves: items.par_iter().map(leaf).collect() }
}

fn corners(mesh: &Mesh, triangle: usize) -> Option<[DVec3; 3]> {
    let corner = |v: u32| mesh.vertices.get(v as usize).copied().filter(|p| p.is_finite());
    let [a, b, c] = mesh.triangles[triangle];
    Some([corner(a)?, corner(b)?, corner(c)?])
}

/// Orders the items along the curve, those of one cell by their triangle, and returns their cells.
fn along_the_curve(items: &mut Vec<Item>) -> Vec<u32> {
    let (low, high) = items.par_chunks(1 << 14).map(centres).reduce(
        || ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]),
        |a, b| ([0, 1, 2].map(|i| a.0[i].min(b.0[i])), [0, 1, 2].map(|i| a.1[i].max(b.1[i]))),
    );
    let width = (0..3).fold(0.0_f32, |width, axis| width.max(high[axis] - low[axis]));
    let cells = 1 << CURVE_BITS;
    let scale = cells as f32 / width;
    let cell = |item: &Item| {
        let place = [0, 1, 2].map(|axis| (((item.centre(axis) - low[axis]) * scale) as u32).min(cells - 1));
        spread(place[0]) | spread(place[1]) << 1 | spread(place[2]) << 2
    };
    let mut keys: Vec<u64> =
        items.par_iter().enumerate().map(|(at, item)| u64::from(cell(item)) << 32 | at as u64).collect();
    keys.par_sort_unstable();
    *items = keys.par_iter().map(|&key| items[key as u32 as usize]).collect();
    keys.par_iter().map(|key| (key >> 32) as u32).collect()
}

/// Returns a number of ten bits with two zeros put before each.
const fn spread(bits: u32) -> u32 {
    let bits = (bits | bits << 16) & 0x0300_00FF;
    let bits = (bits | bits << 8) & 0x0300_F00F;
    let bits = (bits | bits << 4) & 0x030C_30C3;
    (bits | bits << 2) & 0x0924_9249
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
    bounds: Bounds,
    nodes: Vec<Node>,
}

impl Plan {
    /// Cuts a range into chunks, in order.
    fn cut(&mut self, cells: &[u32], range: Range<usize>) -> Above {
        if range.len() <= CHUNK {
            self.chunks.push(range);
            return Above::Chunk(self.chunks.len() - 1);
        }
        let parts = parts(range, CHUNK, |part| part.start + half(&cells[part]));
        let at = self.nodes.len();
        self.nodes.push([Above::Nothing; WIDE]);
        for (lane, part) in parts.into_iter().enumerate() {
            self.nodes[at][lane] = self.cut(cells, part);
        }
        Above::Node(at)
    }

    fn grow(&self, items: &mut [Item]) -> Vec<Subtree> {
        let mut rest = items;
        let mut slices = Vec::with_capacity(self.chunks.len());
        for chunk in &self.chunks {
            let (slice, after) = rest.split_at_mut(chunk.len());
            slices.push((slice, chunk.start));
            rest = after;
        }
        let grow = |(slice, first): (&mut [Item], usize)| {
            let mut nodes = Vec::with_capacity(slice.len() / 4);
            let (root, bounds) = grow(slice, first, 0, &mut nodes);
            Subtree { root, bounds, nodes }
        };
        slices.into_par_iter().map(grow).collect()
    }

    /// Puts the nodes above the chunks first, then those of the chunks in order.
    fn join(&self, root: Above, subtrees: Vec<Subtree>) -> (Child, Vec<Node>) {
        let count = self.nodes.len() + subtrees.iter().map(|subtree| subtree.nodes.len()).sum::<usize>();
        let mut nodes = Vec::with_capacity(count);
        nodes.resize(self.nodes.len(), Node::EMPTY);
        let mut below = Vec::with_capacity(subtrees.len());
        for subtree in subtrees {
            let offset = nodes.len();
            nodes.extend(subtree.nodes.into_iter().map(|node| node.moved(offset)));
            below.push((subtree.root.moved(offset), subtree.bounds));
        }
        let mut bounds = vec![Bounds::NONE; self.nodes.len()];
        for (at, children) in self.nodes.iter().enumerate().rev() {
            for (lane, &child) in children.iter().enumerate() {
                let (child, inside) = match child {
                    Above::Nothing => continue,
                    Above::Node(below) => (Child::node(below), bounds[below]),
                    Above::Chunk(chunk) => below[chunk],
                };
                nodes[at].set(lane, child, &inside);
                bounds[at].join(&inside);
            }
        }
        let root = match root {
            Above::Chunk(chunk) => below[chunk].0,
            Above::Node(at) => Child::node(at),
            Above::Nothing => Child::NONE,
        };
        (root, nodes)
    }
}

/// Returns where the cells of a range part at their highest differing bit, its middle when all are the same.
fn half(cells: &[u32]) -> usize {
    let (first, last) = (cells[0], cells[cells.len() - 1]);
    let differing = first ^ last;
    if differing == 0 {
        return cells.len() / 2;
    }
    let bit = 1 << differing.ilog2();
    cells.partition_point(|cell| cell & bit == 0)
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

/// Appends the nodes of a range, whose position in the whole is `first`, and returns how its parent names it.
fn grow(items: &mut [Item], first: usize, depth: usize, nodes: &mut Vec<Node>) -> (Child, Bounds) {
    let mut bounds = Bounds::NONE;
    if items.len() <= LEAF {
        items.iter().for_each(|item| bounds.join(&item.bounds));
        return (Child::leaf(first, items.len()), bounds);
    }
    let parts = parts(0..items.len(), LEAF, |part| part.start + partition(&mut items[part], depth));
    let at = nodes.len();
    nodes.push(Node::EMPTY);
    for (lane, part) in parts.into_iter().enumerate() {
        let (child, inside) = grow(&mut items[part.clone()], first + part.start, depth + 2, nodes);
        nodes[at].set(lane, child, &inside);
        bounds.join(&inside);
    }
    (Child::node(at), bounds)
}
