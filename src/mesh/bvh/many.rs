//! The search for many points, each starting from the answer of its neighbour along a curve through space.

use super::{
    Bvh, Near,
    curve::{Curve, sort_by_cell},
    front::Front,
    lanes::Lanes,
    set::{Set, for_each_set},
    walk::walk_below,
};
use crate::space::DVec3;

for_each_set!(pub(super) fn closest(bvh: &Bvh, points: &[DVec3]) -> Vec<Option<Near>> = each);

/// Points that start from one front.
const TOGETHER: usize = 32;

/// Returns the best triangle for each point; none for points that are not finite.
#[inline(always)]
fn each<L: Lanes>(bvh: &Bvh, points: &[DVec3]) -> Vec<Option<Near>> {
    let mut found = vec![None; points.len()];
    let keys = along_a_curve(points);
    if bvh.is_empty() || keys.is_empty() {
        return found;
    }
    let mut front = Front::new();
    // What is known before the first point is asked for: its distance may be any.
    let (mut near, mut last, mut last_mm) = (0, points[keys[0] as u32 as usize], f64::INFINITY);
    for group in keys.chunks(TOGETHER) {
        front.surround::<L>(bvh, group.iter().map(|&key| points[key as u32 as usize]), last, last_mm);
        for &key in group {
            let at = key as u32 as usize;
            let best = walk_below::<L>(bvh, points[at], near, &front.node);
            (near, last, last_mm) = (best.block(), points[at], best.squared.sqrt());
            found[at] = best.near();
        }
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
    sort_by_cell(&mut keys);
    keys
}
