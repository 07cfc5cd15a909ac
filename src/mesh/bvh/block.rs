//! Eight triangles side by side, a leaf of the tree, and the best triangle of a search.

use super::{Hit, Near, abreast::squared_distances, lanes::Lanes, node::Bounds, triangle::closest_on_triangle};
use crate::space::DVec3;

/// Triangles in a block.
pub(super) const LANES: usize = 8;

/// The corners of up to [`LANES`] triangles.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Block {
    /// By corner, axis, triangle.
    corners: [[[f64; LANES]; 3]; 3],
    triangles: [u32; LANES],
}

impl Block {
    /// Returns the block of at least one triangle, and its box. The last triangle fills the lanes that are left: met once
    /// more it changes nothing.
    pub(super) fn of(triangles: impl ExactSizeIterator<Item = (u32, [DVec3; 3])>) -> (Self, Bounds) {
        let mut block = Self { corners: [[[0.0; LANES]; 3]; 3], triangles: [u32::MAX; LANES] };
        let (mut bounds, mut low, mut high) = (Bounds::NONE, DVec3::INFINITY, DVec3::NEG_INFINITY);
        let mut filled = 0;
        for (triangle, corners) in triangles.take(LANES) {
            block.set(filled, triangle, &corners);
            for p in corners {
                (low, high) = (low.min(p), high.max(p));
            }
            filled += 1;
        }
        for lane in filled.max(1)..LANES {
            block.set(lane, block.triangles[lane - 1], &block.corners(lane - 1));
        }
        if filled > 0 {
            bounds = Bounds::of(low, high);
        }
        (block, bounds)
    }

    #[inline(always)]
    fn set(&mut self, lane: usize, triangle: u32, corners: &[DVec3; 3]) {
        for (corner, p) in corners.iter().enumerate() {
            for (axis, x) in p.to_array().into_iter().enumerate() {
                self.corners[corner][axis][lane] = x;
            }
        }
        self.triangles[lane] = triangle;
    }

    /// Returns the corners of one triangle.
    #[inline(always)]
    pub(super) fn corners(&self, lane: usize) -> [DVec3; 3] {
        let corner =
            |k: usize| DVec3::new(self.corners[k][0][lane], self.corners[k][1][lane], self.corners[k][2][lane]);
        [corner(0), corner(1), corner(2)]
    }

    /// Returns the triangles of the mesh, one a lane.
    #[inline(always)]
    pub(super) const fn triangles(&self) -> &[u32; LANES] {
        &self.triangles
    }

    /// Returns the corners of as many triangles as there are lanes.
    #[inline(always)]
    fn lanes<L: Lanes>(&self, first: usize) -> [[L; 3]; 3] {
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = &self.corners;
        [
            [L::load(&ax[first..]), L::load(&ay[first..]), L::load(&az[first..])],
            [L::load(&bx[first..]), L::load(&by[first..]), L::load(&bz[first..])],
            [L::load(&cx[first..]), L::load(&cy[first..]), L::load(&cz[first..])],
        ]
    }
}

/// The nearest triangle so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub(super) squared: f64,
    triangle: u32,
    /// Its block and lane.
    place: u32,
}

impl Best {
    /// No triangle, and none wanted that is farther than this.
    pub(super) const fn within(squared: f64) -> Self {
        Self { squared, triangle: u32::MAX, place: 0 }
    }

    /// Returns the position of the block that holds the triangle, 0 when there is none.
    #[inline(always)]
    pub(super) const fn block(&self) -> usize {
        self.place as usize / LANES
    }

    /// Looks at the triangles of the block at a position; returns whether one of them may be the best now.
    #[inline(always)]
    pub(super) fn offer<L: Lanes>(&mut self, at: usize, block: &Block, p: DVec3) -> bool {
        let point = [L::splat(p.x), L::splat(p.y), L::splat(p.z)];
        let (mut all, mut may_win) = ([0.0; LANES], false);
        let mut first = 0;
        while first < LANES {
            let squared = squared_distances(point, block.lanes::<L>(first));
            squared.store(&mut all[first..]);
            may_win |= squared.any_not_above(self.squared);
            first += L::N;
        }
        if may_win {
            self.choose(at, block, p, all);
        }
        may_win
    }

    /// Of several triangles at the same distance the one with the lowest index wins.
    fn choose(&mut self, at: usize, block: &Block, p: DVec3, mut squared: [f64; LANES]) {
        if squared.iter().sum::<f64>().is_nan() {
            for (lane, squared) in squared.iter_mut().enumerate().filter(|(_, squared)| squared.is_nan()) {
                *squared = plain_squared(p, &block.corners(lane));
            }
        }
        // Without a branch a lane: which one is nearest is anyone's guess.
        let less = |a: f64, b: f64| if a < b { a } else { b };
        let [a, b, c, d, e, f, g, h] = squared;
        let least = less(less(less(a, b), less(c, d)), less(less(e, f), less(g, h)));
        let mut at_least = (0..LANES).fold(0, |mask, lane| mask | u32::from(squared[lane] == least) << lane);
        let (mut triangle, mut lane) = (u32::MAX, 0);
        while at_least != 0 {
            let this = at_least.trailing_zeros() as usize;
            at_least &= at_least - 1;
            if block.triangles[this] < triangle {
                (triangle, lane) = (block.triangles[this], this);
            }
        }
        if least < self.squared || (least == self.squared && triangle < self.triangle) {
            *self = Self { squared: least, triangle, place: (at * LANES + lane) as u32 };
        }
    }

    /// Returns how near the triangle is, when one was found.
    #[inline(always)]
    pub(super) fn near(&self) -> Option<Near> {
        (self.triangle != u32::MAX).then(|| Near { distance_mm: self.squared.sqrt(), triangle: self.triangle })
    }

    /// Returns the nearest point, when a triangle was found.
    pub(super) fn hit(&self, p: DVec3, blocks: &[Block]) -> Option<Hit> {
        (self.triangle != u32::MAX).then(|| Hit {
            distance_mm: self.squared.sqrt(),
            triangle: self.triangle as usize,
            point: closest_on_triangle(p, &blocks[self.block()].corners(self.place as usize % LANES)).0,
        })
    }
}

#[cold]
fn plain_squared(p: DVec3, corners: &[DVec3; 3]) -> f64 {
    closest_on_triangle(p, corners).0.distance_squared(p)
}
