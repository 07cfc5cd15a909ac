//! Rays through the voxel centres along one grid axis, and which voxels they find inside.
//!
//! ```text
//!     w ^   c                 a slice at height w cuts two sides of the triangle: one runs up, one runs down.
//!       |  / \                The rays between the two cuts, [ceil(v0), ceil(v1)), cross the triangle.
//!   ----|-/---\---- slice     u points at you, along the rays
//!       |a-----b
//!       +--------> v
//! ```
//! A side is cut where `low.w <= w < high.w`, and the place of the cut is computed from its low end whatever the triangle.
//! Two triangles that share a side therefore get the same cut to the last bit, and the rays of one end where those of the
//! other begin. Whether a ray crosses a closed surface an even number of times thus does not depend on rounding: a ray
//! through a vertex, along a side, or in the plane of a triangle is counted as if it had been moved a hair.

use rayon::prelude::*;

use super::Rule;

/// Corners of triangles in voxel coordinates.
pub(super) struct Soup<'a> {
    /// Points, in voxels.
    pub(super) points: &'a [[f64; 3]],
    /// Three point numbers a triangle.
    pub(super) triangles: &'a [[u32; 3]],
}

/// The axes of a scan: along the rays, across them in a slice, across the slices.
pub(super) const SCANS: [[usize; 3]; 3] = [[0, 1, 2], [1, 0, 2], [2, 0, 1]];

/// Mark of the voxels of a ray that ends inside: the surface is open there and nothing can be said.
const UNKNOWN: u8 = 2;

/// What the rays along one axis found.
pub(super) struct Scan {
    /// 0, 1 or [`UNKNOWN`] for every voxel, in the memory order of the scan's axes.
    pub(super) marks: Vec<u8>,
    /// Rays that end inside.
    pub(super) open_rays: usize,
    /// Some voxel lies within several shells that face the same way.
    pub(super) overlaps: bool,
}

/// Sends a ray through every row of voxel centres along the first of the axes.
pub(super) fn scan(soup: &Soup<'_>, size: [usize; 3], axes: [usize; 3], rule: Rule) -> Scan {
    let [length, across, slices] = axes.map(|axis| size[axis]);
    let buckets = Buckets::new(soup, slices, axes[2]);
    let mut marks = vec![0_u8; length * across * slices];
    let (open_rays, overlaps) = marks
        .par_chunks_mut(length * across)
        .enumerate()
        .map(|(slice, marks)| {
            let mut steps = vec![0_i32; (length + 1) * across];
            for &triangle in buckets.of(slice) {
                let corners = soup.triangles[triangle as usize].map(|p| {
                    let point = soup.points[p as usize];
                    axes.map(|axis| point[axis])
                });
                cross(corners, slice as f64, length, across, &mut steps);
            }
            let rows = marks.chunks_exact_mut(length).zip(steps.chunks_exact(length + 1));
            rows.fold((0, false), |(open, overlaps), (marks, steps)| {
                let (ends_outside, most) = fill(marks, steps, rule);
                (open + usize::from(!ends_outside), overlaps || most > 1)
            })
        })
        .reduce(|| (0, false), |a, b| (a.0 + b.0, a.1 || b.1));
    Scan { marks, open_rays, overlaps }
}

/// Adds a step to every ray of a slice that crosses the triangle, at the first voxel centre not before the crossing.
fn cross(corners: [[f64; 3]; 3], slice: f64, length: usize, across: usize, steps: &mut [i32]) {
    let (mut up, mut down) = (None, None);
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let (a, b) = (corners[from], corners[to]);
        match (a[2] <= slice, b[2] <= slice) {
            (true, false) => up = Some(cut(a, b, slice)),
            (false, true) => down = Some(cut(b, a, slice)),
            _ => {}
        }
    }
    let (Some(up), Some(down)) = (up, down) else { return };
    let (step, [u0, v0], [u1, v1]) = if up[1] < down[1] { (1, up, down) } else { (-1, down, up) };
    let (first, end) = (ceil_below(v0, across), ceil_below(v1, across));
    for v in first..end {
        let u = u0 + (v as f64 - v0) * (u1 - u0) / (v1 - v0);
        // a sliver may round the crossing out of its own triangle
        let u = u.clamp(u0.min(u1), u0.max(u1));
        steps[v * (length + 1) + ceil_below(u, length)] += step;
    }
}

/// Returns the place (u, v) at which a side crosses the slice. Multiplied first, so that exact places come out exact.
fn cut(low: [f64; 3], high: [f64; 3], slice: f64) -> [f64; 2] {
    [0, 1].map(|axis| low[axis] + (slice - low[2]) * (high[axis] - low[axis]) / (high[2] - low[2]))
}

/// Returns the smallest index not below a coordinate, within 0 and `end`.
fn ceil_below(coordinate: f64, end: usize) -> usize {
    (coordinate.ceil().max(0.0) as usize).min(end)
}

/// Marks the voxels of a ray from its steps; returns whether the ray ends outside, and its largest winding number.
fn fill(marks: &mut [u8], steps: &[i32], rule: Rule) -> (bool, i32) {
    let (mut winding, mut most) = (0_i32, 0);
    for (mark, step) in marks.iter_mut().zip(steps) {
        winding += step;
        most = most.max(winding.abs());
        *mark = u8::from(rule.inside(winding));
    }
    let ends_outside = !rule.inside(winding + steps[marks.len()]);
    if !ends_outside {
        marks.fill(UNKNOWN);
    }
    (ends_outside, most)
}

/// The triangles that each slice cuts.
struct Buckets {
    starts: Vec<usize>,
    triangles: Vec<u32>,
}

impl Buckets {
    fn new(soup: &Soup<'_>, slices: usize, axis: usize) -> Self {
        let range = |corners: &[u32; 3]| {
            let [a, b, c] = corners.map(|p| soup.points[p as usize][axis]);
            ceil_below(a.min(b).min(c), slices)..ceil_below(a.max(b).max(c), slices)
        };
        let mut starts = vec![0_usize; slices + 2];
        for triangle in soup.triangles {
            for slice in range(triangle) {
                starts[slice + 2] += 1;
            }
        }
        for slice in 2..starts.len() {
            starts[slice] += starts[slice - 1];
        }
        let mut triangles = vec![0; starts[slices + 1]];
        for (number, triangle) in soup.triangles.iter().enumerate() {
            for slice in range(triangle) {
                triangles[starts[slice + 1]] = number as u32;
                starts[slice + 1] += 1;
            }
        }
        Self { starts, triangles }
    }

    fn of(&self, slice: usize) -> &[u32] {
        &self.triangles[self.starts[slice]..self.starts[slice + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks of one slice of 4 x 4 rays that cross two triangles of a square, as 0/1 for "one crossing".
    fn crossings(points: &[[f64; 3]], triangles: &[[u32; 3]]) -> Vec<i32> {
        let mut steps = [0; 2 * 4 * 4];
        for slice in 0..4 {
            for t in triangles {
                let corners = t.map(|p| points[p as usize]);
                cross(corners, slice as f64, 1, 4, &mut steps[8 * slice..8 * slice + 8]);
            }
        }
        steps.chunks(2).map(|ray| ray[0] + ray[1]).collect()
    }

    #[test]
    fn a_square_is_crossed_once_also_on_its_diagonal_and_half_its_rim() {
        // corners and diagonal exactly on rays: the low sides belong to the square, the high sides do not
        let square = [[0.0, 1.0, 1.0], [0.0, 3.0, 1.0], [0.0, 3.0, 3.0], [0.0, 1.0, 3.0]];
        let expected = [0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0].map(|count: i32| -count);
        assert_eq!(crossings(&square, &[[0, 1, 2], [0, 2, 3]]), expected);
        assert_eq!(crossings(&square, &[[0, 1, 3], [1, 2, 3]]), expected, "the other diagonal");
        assert_eq!(crossings(&square, &[[2, 1, 0], [3, 2, 0]]), expected.map(|count| -count), "seen from behind");
    }

    #[test]
    fn a_triangle_along_the_ray_is_not_crossed() {
        let flat = [[0.0, 1.0, 1.0], [3.0, 1.0, 1.0], [3.0, 1.0, 3.0]];
        assert_eq!(crossings(&flat, &[[0, 1, 2]]), [0; 16]);
    }
}
