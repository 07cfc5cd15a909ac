//! Building the tree: binned surface area heuristic, the same tree for any number of threads.

use crate::{mesh::Mesh, space::DVec3};

/// Most triangles in one leaf.
const LEAF: usize = 4;
/// Bins along the split axis (Wald, *On fast construction of SAH-based bounding volume hierarchies*, 2007).
const BINS: usize = 16;
/// Ranges below this size are built by one thread.
const ALONE: usize = 1 << 14;
/// From this depth on, ranges are halved: 2^32 triangles then end before level 64 (see the walker's stack).
const HALVE_FROM: usize = 28;

/// An inner node: the boxes of its two children side by side, one cache line.
///
/// A child is an inner node when its count is 0, else that many leaves from `child` on.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Node {
    low: [[f32; 3]; 2],
    high: [[f32; 3]; 2],
    pub(super) child: [u32; 2],
    pub(super) count: [u32; 2],
}

/// One triangle, in tree order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) corners: [DVec3; 3],
    pub(super) triangle: u32,
}

impl Node {
    const EMPTY: Self = Self { low: [[0.0; 3]; 2], high: [[0.0; 3]; 2], child: [0; 2], count: [0; 2] };

    fn set(&mut self, side: usize, bounds: &Bounds, (child, count): (u32, u32)) {
        self.low[side] = bounds.low;
        self.high[side] = bounds.high;
        self.child[side] = child;
        self.count[side] = count;
    }

    /// Returns the squared distance from a point to the box of one child, 0 inside.
    #[inline]
    pub(super) fn squared_distance(&self, side: usize, p: DVec3) -> f64 {
        let (low, high) = (&self.low[side], &self.high[side]);
        let outside = |p: f64, low: f32, high: f32| (f64::from(low) - p).max(p - f64::from(high)).max(0.0);
        let x = outside(p.x, low[0], high[0]);
        let y = outside(p.y, low[1], high[1]);
        let z = outside(p.z, low[2], high[2]);
        x * x + y * y + z * z
    }

    /// Returns where a ray enters the box of one child, infinity when it misses or enters beyond `limit`.
    pub(super) fn ray_enters(&self, side: usize, origin: DVec3, inverse: DVec3, limit: f64) -> f64 {
        // Widened by a few units in the last place so that a hit on the box's own face is not lost.
        const WIDER: f64 = 1.0 + 1e-12;
        let (mut enter, mut leave) = (0.0_f64, limit);
        for axis in 0..3 {
            let one = (f64::from(self.low[side][axis]) - origin[axis]) * inverse[axis];
            let two = (f64::from(self.high[side][axis]) - origin[axis]) * inverse[axis];
            // `min` and `max` drop the NaN of 0 * infinity: a ray in the plane of a face is not cut off by it.
            enter = enter.max(one.min(two));
            leave = leave.min(one.max(two) * WIDER);
        }
        if enter <= leave { enter } else { f64::INFINITY }
    }
}

/// A box in single precision, rounded outwards.
#[derive(Clone, Copy)]
struct Bounds {
    low: [f32; 3],
    high: [f32; 3],
}

impl Bounds {
    const NONE: Self = Self { low: [f32::INFINITY; 3], high: [f32::NEG_INFINITY; 3] };

    fn of(corners: &[DVec3; 3]) -> Self {
        let low = corners[0].min(corners[1]).min(corners[2]).to_array();
        let high = corners[0].max(corners[1]).max(corners[2]).to_array();
        Self { low: low.map(below), high: high.map(|v| -below(-v)) }
    }

    fn join(&mut self, other: &Self) {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(other.low[axis]);
            self.high[axis] = self.high[axis].max(other.high[axis]);
        }
    }

    fn half_area(&self) -> f32 {
        let [x, y, z] = [0, 1, 2].map(|axis| (self.high[axis] - self.low[axis]).max(0.0));
        x * y + y * z + z * x
    }
}

/// Returns the largest single that is not above `value`.
fn below(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) <= value { near } else { near.next_down() }
}

/// One triangle while the tree is built.
#[derive(Clone, Copy)]
struct Item {
    bounds: Bounds,
    triangle: u32,
}

impl Item {
    fn centre(&self, axis: usize) -> f32 {
        0.5 * self.bounds.low[axis] + 0.5 * self.bounds.high[axis]
    }
}

/// Returns the inner nodes (the first is the root; none when one leaf holds all) and the triangles in tree order.
pub(super) fn build(mesh: &Mesh) -> (Vec<Node>, Vec<Leaf>) {
    let corner = |v: u32| mesh.vertices.get(v as usize).copied().filter(|p| p.is_finite());
    let corners = |t: usize| {
        let [a, b, c] = mesh.triangles[t];
        Some([corner(a)?, corner(b)?, corner(c)?])
    };
    let mut items: Vec<Item> = (0..mesh.triangles.len())
        .filter_map(|t| Some(Item { bounds: Bounds::of(&corners(t)?), triangle: u32::try_from(t).ok()? }))
        .collect();
    let mut nodes = Vec::new();
    if items.len() > LEAF {
        nodes.reserve(items.len() / 2);
        grow(&mut items, 0, 0, &mut nodes);
    }
    let leaves = items
        .iter()
        .filter_map(|item| Some(Leaf { corners: corners(item.triangle as usize)?, triangle: item.triangle }))
        .collect();
    (nodes, leaves)
}

/// Appends the nodes of a range, whose position in the whole is `first`, and returns how its parent names it.
fn grow(items: &mut [Item], first: usize, depth: usize, nodes: &mut Vec<Node>) -> (u32, u32) {
    if items.len() <= LEAF {
        return (first as u32, items.len() as u32);
    }
    let at = nodes.len();
    nodes.push(Node::EMPTY);
    let middle = partition(items, depth);
    let together = items.len() > ALONE;
    let (left, right) = items.split_at_mut(middle);
    let bounds = [bounds_of(left), bounds_of(right)];
    let (mut more, next) = (Vec::new(), depth + 1);
    let children = if together {
        let (a, b) = rayon::join(|| grow(left, first, next, nodes), || grow(right, first + middle, next, &mut more));
        [a, append(nodes, more, b)]
    } else {
        [grow(left, first, next, nodes), grow(right, first + middle, next, nodes)]
    };
    for side in 0..2 {
        nodes[at].set(side, &bounds[side], children[side]);
    }
    (at as u32, 0)
}

/// Appends nodes that were built apart, and returns the new name of their root.
fn append(nodes: &mut Vec<Node>, more: Vec<Node>, (child, count): (u32, u32)) -> (u32, u32) {
    let start = nodes.len() as u32;
    let moved = |child: u32, count: u32| if count == 0 { child + start } else { child };
    nodes.extend(more.into_iter().map(|mut node| {
        for side in 0..2 {
            node.child[side] = moved(node.child[side], node.count[side]);
        }
        node
    }));
    (moved(child, count), count)
}

fn bounds_of(items: &[Item]) -> Bounds {
    let mut bounds = Bounds::NONE;
    items.iter().for_each(|item| bounds.join(&item.bounds));
    bounds
}

/// Orders a range by the cheapest binned split of its widest axis, and returns where the second part begins.
fn partition(items: &mut [Item], depth: usize) -> usize {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for item in items.iter() {
        for axis in 0..3 {
            low[axis] = low[axis].min(item.centre(axis));
            high[axis] = high[axis].max(item.centre(axis));
        }
    }
    let width = [0, 1, 2].map(|axis| high[axis] - low[axis]);
    let axis = (1..3).fold(0, |best, axis| if width[axis] > width[best] { axis } else { best });
    let scale = BINS as f32 / width[axis];
    if depth < HALVE_FROM && scale.is_finite() {
        let bin = |item: &Item| (((item.centre(axis) - low[axis]) * scale) as usize).min(BINS - 1);
        let cut = cheapest_cut(items, bin);
        let middle = partition_by(items, |item| bin(item) < cut);
        if middle > 0 && middle < items.len() {
            return middle;
        }
    }
    let middle = items.len() / 2;
    let key = |item: &Item| (item.centre(axis), item.triangle);
    items.select_nth_unstable_by(middle, |a, b| key(a).0.total_cmp(&key(b).0).then(key(a).1.cmp(&key(b).1)));
    middle
}

/// Returns the bin before which to cut so that (area * triangles) of both sides is least.
fn cheapest_cut(items: &[Item], bin: impl Fn(&Item) -> usize) -> usize {
    let mut bins = [(Bounds::NONE, 0_usize); BINS];
    for item in items {
        let (bounds, count) = &mut bins[bin(item)];
        bounds.join(&item.bounds);
        *count += 1;
    }
    let mut from_right = [0.0_f32; BINS];
    let (mut bounds, mut count) = (Bounds::NONE, 0);
    for cut in (1..BINS).rev() {
        bounds.join(&bins[cut].0);
        count += bins[cut].1;
        from_right[cut] = if count == 0 { 0.0 } else { bounds.half_area() * count as f32 };
    }
    let mut best = (f32::INFINITY, BINS / 2);
    (bounds, count) = (Bounds::NONE, 0);
    for cut in 1..BINS {
        bounds.join(&bins[cut - 1].0);
        count += bins[cut - 1].1;
        let cost = from_right[cut] + if count == 0 { 0.0 } else { bounds.half_area() * count as f32 };
        if cost < best.0 {
            best = (cost, cut);
        }
    }
    best.1
}

/// Moves the items that satisfy the test to the front, and returns how many they are.
fn partition_by(items: &mut [Item], test: impl Fn(&Item) -> bool) -> usize {
    let mut front = 0;
    for at in 0..items.len() {
        if test(&items[at]) {
            items.swap(front, at);
            front += 1;
        }
    }
    front
}
