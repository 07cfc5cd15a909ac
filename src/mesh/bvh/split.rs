//! Where to cut a range of triangles in two: by the binned surface area heuristic, or down the middle.

use super::node::Bounds;

/// Bins along the split axis (Wald, *On fast construction of SAH-based bounding volume hierarchies*, 2007).
const BINS: usize = 16;
/// Ranges of at most this many triangles are halved: a search for the best cut gains nothing there.
const FEW: usize = 12;
/// From this depth on, ranges are halved, so that no input makes a deep tree.
const HALVE_FROM: usize = 24;

/// One triangle while the tree is built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) bounds: Bounds,
    pub(super) triangle: u32,
}

impl Item {
    #[inline]
    pub(super) fn centre(&self, axis: usize) -> f32 {
        0.5 * self.bounds.low[axis] + 0.5 * self.bounds.high[axis]
    }
}

/// Returns the range of the boxes' centres on each axis.
pub(super) fn centres(items: &[Item]) -> ([f32; 3], [f32; 3]) {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for item in items {
        for axis in 0..3 {
            let centre = item.centre(axis);
            low[axis] = if centre < low[axis] { centre } else { low[axis] };
            high[axis] = if centre > high[axis] { centre } else { high[axis] };
        }
    }
    (low, high)
}

/// Orders a range by the cheapest binned split of its widest axis, and returns where the second part begins: both parts
/// hold something when the range holds two.
pub(super) fn partition(items: &mut [Item], depth: usize) -> usize {
    let (low, high) = centres(items);
    let width = [0, 1, 2].map(|axis| high[axis] - low[axis]);
    let axis = (1..3).fold(0, |best, axis| if width[axis] > width[best] { axis } else { best });
    let scale = BINS as f32 / width[axis];
    if items.len() > FEW && depth < HALVE_FROM && scale.is_finite() {
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
