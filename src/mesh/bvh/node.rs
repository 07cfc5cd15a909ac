//! A node of the tree: the boxes of its children side by side in single precision, ready for vector instructions.

use super::lanes::{Eight, Lanes};
use crate::space::DVec3;

/// Children of a node.
pub(super) const WIDE: usize = 8;

const IS_LEAF: u32 = 1 << 31;

/// What a node points at: nothing, another node, or a block of triangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child(u32);

impl Child {
    pub(super) const NONE: Self = Self(u32::MAX);

    /// Names the node at a position.
    pub(super) const fn node(at: usize) -> Self {
        Self(at as u32)
    }

    /// Names the block at a position.
    pub(super) const fn leaf(at: usize) -> Self {
        Self(IS_LEAF | at as u32)
    }

    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the position of the block when this is a leaf.
    #[inline(always)]
    pub(super) const fn block(self) -> Option<usize> {
        if self.0 & IS_LEAF == 0 { None } else { Some((self.0 & !IS_LEAF) as usize) }
    }

    /// Returns the position of the node; meaningless for a leaf.
    #[inline(always)]
    pub(super) const fn at(self) -> usize {
        self.0 as usize
    }

    /// Returns the name after `offset` nodes were put before the one it names.
    pub(super) const fn moved(self, offset: usize) -> Self {
        if self.0 & IS_LEAF == 0 { Self(self.0 + offset as u32) } else { self }
    }
}

/// The boxes of up to [`WIDE`] children, axis by axis.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Node {
    low: Eight,
    high: Eight,
    pub(super) child: [Child; WIDE],
}

impl Node {
    pub(super) const EMPTY: Self =
        Self { low: [[f32::INFINITY; WIDE]; 3], high: [[f32::NEG_INFINITY; WIDE]; 3], child: [Child::NONE; WIDE] };

    pub(super) fn set(&mut self, lane: usize, child: Child, bounds: &Bounds) {
        for axis in 0..3 {
            self.low[axis][lane] = bounds.low[axis];
            self.high[axis][lane] = bounds.high[axis];
        }
        self.child[lane] = child;
    }

    /// Returns the box of one child.
    pub(super) fn bounds(&self, lane: usize) -> Bounds {
        Bounds { low: self.low.map(|low| low[lane]), high: self.high.map(|high| high[lane]) }
    }

    /// Returns the node after `offset` nodes were put before those it names.
    pub(super) fn moved(mut self, offset: usize) -> Self {
        for child in self.child.iter_mut().filter(|child| **child != Child::NONE) {
            *child = child.moved(offset);
        }
        self
    }

    /// Returns the squared distances between a box and the children's, 0 where they meet, in single precision (see
    /// [`Reach`]), and a bit for each child that is within the limit.
    #[inline(always)]
    pub(super) fn squared_gaps<L: Lanes>(&self, bounds: &Bounds, limit: f32) -> ([f32; WIDE], u32) {
        L::squared_gaps(&self.low, &self.high, bounds.low, bounds.high, limit)
    }

    /// Returns where a ray enters the box of one child, infinity when it misses or enters beyond `limit`.
    pub(super) fn ray_enters(&self, lane: usize, origin: DVec3, inverse: DVec3, limit: f64) -> f64 {
        // Widened by a few units in the last place so that a hit on the box's own face is not lost.
        const WIDER: f64 = 1.0 + 1e-12;
        let (mut enter, mut leave) = (0.0_f64, limit);
        for axis in 0..3 {
            let one = (f64::from(self.low[axis][lane]) - origin[axis]) * inverse[axis];
            let two = (f64::from(self.high[axis][lane]) - origin[axis]) * inverse[axis];
            // `min` and `max` drop the NaN of 0 * infinity: a ray in the plane of a face is not cut off by it.
            enter = enter.max(one.min(two));
            leave = leave.min(one.max(two) * WIDER);
        }
        if enter <= leave { enter } else { f64::INFINITY }
    }
}

/// How far a search in single precision must look so that it is certain to miss nothing.
///
/// Rounding a coordinate to `f32` moves it by at most 2^-24 of its size, and each difference and square is off by 2^-24 of
/// itself. A box at squared distance s² is therefore found at most ((s + √3 2^-24 |p|) (1 + 2^-22))²; what is found
/// farther than that for the best distance so far cannot hold anything as near.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    rounding_mm: f64,
}

impl Reach {
    pub(super) fn at(p: DVec3) -> Self {
        Self { rounding_mm: p.abs().max_element() * (1.0 / 4_194_304.0) }
    }

    #[inline(always)]
    pub(super) fn squared(self, best_squared: f64) -> f32 {
        let reach = best_squared.sqrt() + self.rounding_mm;
        (reach * reach * (1.0 + 4e-6)) as f32
    }
}

/// A box in single precision, rounded outwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) low: [f32; 3],
    pub(super) high: [f32; 3],
}

impl Bounds {
    /// Returns the box of one point, rounded to the nearest.
    #[inline(always)]
    pub(super) const fn near(p: DVec3) -> Self {
        let p = [p.x as f32, p.y as f32, p.z as f32];
        Self { low: p, high: p }
    }

    pub(super) const NONE: Self = Self { low: [f32::INFINITY; 3], high: [f32::NEG_INFINITY; 3] };
    pub(super) const ALL: Self = Self { low: [f32::NEG_INFINITY; 3], high: [f32::INFINITY; 3] };

    /// Returns the smallest box in single precision around one in double.
    pub(super) fn of(low: DVec3, high: DVec3) -> Self {
        Self { low: low.to_array().map(below), high: high.to_array().map(|v| -below(-v)) }
    }

    #[inline]
    pub(super) fn join(&mut self, other: &Self) {
        for axis in 0..3 {
            self.low[axis] = if other.low[axis] < self.low[axis] { other.low[axis] } else { self.low[axis] };
            self.high[axis] = if other.high[axis] > self.high[axis] { other.high[axis] } else { self.high[axis] };
        }
    }
}

/// Returns the largest single that is not above `value`.
fn below(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) <= value { near } else { near.next_down() }
}
