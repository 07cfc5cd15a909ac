//! Where to cut a range of triangles in two: across its widest axis, down the middle.

use super::block::LANES;
use crate::space::DVec3;

/// One triangle while the tree is built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Middle of its box: where it stands among the others.
    pub(super) centre: [f32; 3],
    pub(super) triangle: u32,
}

impl Item {
    /// A triangle that cannot be in a tree.
    pub(super) const NONE: Self = Self { centre: [0.0; 3], triangle: u32::MAX };

    pub(super) fn of(triangle: u32, corners: &[DVec3; 3]) -> Self {
        let [a, b, c] = *corners;
        let centre = 0.5 * a.min(b).min(c) + 0.5 * a.max(b).max(c);
        Self { centre: centre.to_array().map(|x| x as f32), triangle }
    }
}

/// Returns the range of the centres on each axis.
pub(super) fn centres(items: &[Item]) -> ([f32; 3], [f32; 3]) {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for item in items {
        for (axis, &centre) in item.centre.iter().enumerate() {
            low[axis] = if centre < low[axis] { centre } else { low[axis] };
            high[axis] = if centre > high[axis] { centre } else { high[axis] };
        }
    }
    (low, high)
}

/// Orders a range of more than one block by its widest axis so far that what is before its middle stands there, and returns
/// the middle: a whole number of blocks, so that only the last of a range may be part empty.
pub(super) fn halve(items: &mut [Item]) -> usize {
    let (low, high) = centres(items);
    let width = [0, 1, 2].map(|axis| high[axis] - low[axis]);
    let axis = (1..3).fold(0, |best, axis| if width[axis] > width[best] { axis } else { best });
    let middle = (items.len() / 2).next_multiple_of(LANES);
    items.select_nth_unstable_by(middle, |a, b| {
        a.centre[axis].total_cmp(&b.centre[axis]).then(a.triangle.cmp(&b.triangle))
    });
    middle
}
