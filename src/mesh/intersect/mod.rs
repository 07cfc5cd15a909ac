//! Triangles of one mesh that run into each other.
//!
//! ```text
//! triangles along a space-filling curve ─▶ groups of four ─▶ boxes, boxes of boxes ─▶ pairs whose boxes meet ─▶ exact test
//! ```

mod pair;

use rayon::prelude::*;

use super::Mesh;
use crate::space::DVec3;

/// Triangles in a group.
const GROUP: usize = 4;
/// Groups that one task looks at.
const TASK: usize = 1 << 8;
/// Pairs that one task may ask about. A sound mesh asks about some twenty a triangle, one that is a point many times, all.
const PATIENCE: usize = 1 << 17;
/// Pairs that are named.
const NAMED: usize = 8;

/// Pairs of triangles that meet elsewhere than in shared corners and sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intersections {
    /// How many pairs.
    pub pairs: usize,
    /// The first few, lower triangle first.
    pub first: Vec<[usize; 2]>,
    /// Whether all pairs were asked about; if not, there are at least so many.
    pub complete: bool,
}

/// Returns the self-intersections of a mesh. The test is exact; triangles without area and copies take no part, and corners
/// at equal positions count as shared, whatever their numbers.
#[must_use]
pub fn self_intersections(mesh: &Mesh) -> Intersections {
    let tree = Tree::new(mesh);
    let found: Vec<Intersections> = (0..tree.groups().div_ceil(TASK))
        .into_par_iter()
        .map(|task| {
            let mut found = Intersections { complete: true, ..Intersections::default() };
            let mut patience = PATIENCE;
            for group in task * TASK..((task + 1) * TASK).min(tree.groups()) {
                tree.look_at(mesh, group, &mut patience, &mut found);
            }
            found
        })
        .collect();
    let mut all = Intersections { complete: true, ..Intersections::default() };
    for some in found {
        all.pairs += some.pairs;
        all.complete &= some.complete;
        all.first.extend(some.first);
        all.first.sort_unstable();
        all.first.truncate(NAMED);
    }
    all
}

/// A box in single precision, rounded outwards.
#[derive(Clone, Copy, Debug)]
struct Box3 {
    low: [f32; 3],
    high: [f32; 3],
}

impl Box3 {
    const NONE: Self = Self { low: [f32::INFINITY; 3], high: [f32::NEG_INFINITY; 3] };

    fn of(corners: &[DVec3; 3]) -> Self {
        let below = |value: f64| {
            let near = value as f32;
            if f64::from(near) <= value { near } else { near.next_down() }
        };
        let [a, b, c] = *corners;
        Self {
            low: a.min(b).min(c).to_array().map(below),
            high: a.max(b).max(c).to_array().map(|value| -below(-value)),
        }
    }

    fn join(self, other: &Self) -> Self {
        Self {
            low: [0, 1, 2].map(|i| self.low[i].min(other.low[i])),
            high: [0, 1, 2].map(|i| self.high[i].max(other.high[i])),
        }
    }

    #[inline]
    fn meets(&self, other: &Self) -> bool {
        (0..3).all(|i| self.low[i] <= other.high[i] && other.low[i] <= self.high[i])
    }
}

/// Boxes over groups of triangles that are near each other.
struct Tree {
    /// Triangles with area, along the curve.
    order: Vec<u32>,
    boxes: Vec<Box3>,
    /// Boxes of groups, of pairs of groups, of pairs of those, …
    levels: Vec<Vec<Box3>>,
}

impl Tree {
    fn new(mesh: &Mesh) -> Self {
        let known = mesh.vertices.len();
        let sound = |t: &[u32; 3]| {
            t.iter().all(|&v| (v as usize) < known && mesh.vertices[v as usize].is_finite())
                && pair::has_area(&t.map(|v| mesh.vertices[v as usize]))
        };
        let (low, high) = mesh
            .vertices
            .iter()
            .filter(|p| p.is_finite())
            .fold((DVec3::INFINITY, DVec3::NEG_INFINITY), |(low, high), &p| (low.min(p), high.max(p)));
        let scale = f64::from(1 << 21) / (high - low).max_element().max(f64::MIN_POSITIVE) * (1.0 - 1e-9);
        let mut order: Vec<(u64, u32)> = mesh
            .triangles
            .par_iter()
            .enumerate()
            .with_min_len(1 << 14)
            .filter(|(_, t)| sound(t))
            .map(|(number, _)| {
                let [a, b, c] = mesh.corners(number);
                (along_curve((((a - low) + (b - low) + (c - low)) / 3.0 * scale).to_array()), number as u32)
            })
            .collect();
        order.par_sort_unstable();
        let order: Vec<u32> = order.into_iter().map(|(_, number)| number).collect();
        let boxes: Vec<Box3> = order.par_iter().map(|&t| Box3::of(&mesh.corners(t as usize))).collect();
        let union = |boxes: &[Box3]| boxes.iter().fold(Box3::NONE, |all, one| all.join(one));
        let mut levels: Vec<Vec<Box3>> = vec![boxes.chunks(GROUP).map(union).collect()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(union).collect();
            levels.push(above);
        }
        Self { order, boxes, levels }
    }

    fn groups(&self) -> usize {
        self.levels[0].len()
    }

    fn members(&self, group: usize) -> std::ops::Range<usize> {
        GROUP * group..(GROUP * (group + 1)).min(self.order.len())
    }

    /// Counts the pairs of a triangle in the group and one in it or a later group.
    fn look_at(&self, mesh: &Mesh, group: usize, patience: &mut usize, found: &mut Intersections) {
        let own = self.levels[0][group];
        let mut waiting = vec![(self.levels.len() - 1, 0)];
        while let Some((level, at)) = waiting.pop() {
            if ((at + 1) << level) <= group || !self.levels[level][at].meets(&own) {
                continue;
            }
            if level > 0 {
                let children = &self.levels[level - 1];
                waiting.extend(
                    [2 * at + 1, 2 * at].into_iter().filter(|&child| child < children.len()).map(|at| (level - 1, at)),
                );
                continue;
            }
            for one in self.members(group) {
                for two in self.members(at).filter(|&two| two > one && self.boxes[one].meets(&self.boxes[two])) {
                    if *patience == 0 {
                        found.complete = false;
                        return;
                    }
                    *patience -= 1;
                    let pair = [self.order[one] as usize, self.order[two] as usize];
                    if pair::meet(&mesh.corners(pair[0]), &mesh.corners(pair[1])) {
                        found.pairs += 1;
                        found.first.push([pair[0].min(pair[1]), pair[0].max(pair[1])]);
                    }
                }
            }
            if found.first.len() > 64 * NAMED {
                found.first.sort_unstable();
                found.first.truncate(NAMED);
            }
        }
    }
}

/// Returns the place along Morton's curve of a point with coordinates from 0 to 2^21.
fn along_curve(p: [f64; 3]) -> u64 {
    let spread = |x: f64| {
        let mut bits = (x as u64).min((1 << 21) - 1);
        for (shift, mask) in [
            (32, 0x001f_0000_0000_ffff),
            (16, 0x001f_0000_ff00_00ff),
            (8, 0x100f_00f0_0f00_f00f),
            (4, 0x10c3_0c30_c30c_30c3),
            (2, 0x1249_2492_4924_9249),
        ] {
            bits = (bits | bits << shift) & mask;
        }
        bits
    };
    spread(p[0]) | spread(p[1]) << 1 | spread(p[2]) << 2
}

#[cfg(test)]
mod tests;
