//! Rays through the voxel centres along one grid axis, and where they cross the triangles.
//!
//! ```text
//!     w ^   c                 a slice at height w cuts two sides of the triangle: one runs up, one runs down.
//!       |  / \                The rays between the two cuts, [ceil(v0), ceil(v1)), cross the triangle.
//!   ----|-/---\---- slice     u points at you, along the rays
//!       |a-----b
//!       +--------> v
//! ```
//! A side is cut where `low.w <= w < high.w`, and where the cut falls among the rays is decided exactly and from the side
//! alone ([`exact`](super::exact)). Two triangles that share a side agree on it, so the rays of one end where those of the
//! other begin: a closed surface is crossed an even number of times by every ray, also by one through a vertex, along a
//! side, or in the plane of a triangle, which is counted as if it had been moved a hair.

use rayon::prelude::*;

use super::{
    exact::{Plane, ceil_of_cut},
    soup::{BITS, Point, Soup, ceil},
};

/// Triangles whose crossings one task finds.
const TASK: usize = 1 << 14;
/// Rays whose crossings one task sorts.
const RAYS: usize = 1 << 9;

/// The axes of rays: along them, across them in a slice, across the slices. Even permutations, which keep orientation.
pub(super) const AXES: [[usize; 3]; 3] = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];

/// A crossing: which ray, before which voxel, from where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    /// Number of the ray: across + width * slice.
    pub(super) row: u32,
    /// First voxel centre not before the crossing, at most the length of the row.
    pub(super) index: u32,
    /// Whether the ray leaves the object: the triangle's normal points along it.
    pub(super) leaves: bool,
}

/// Finds the rays that cross a triangle.
///
/// The corners' coordinates are along the rays, across them, across slices; `size` likewise.
#[inline]
pub(super) fn cross(corners: &[Point; 3], size: [usize; 3], mut found: impl FnMut(Crossing)) {
    let range = |axis: usize| {
        let [a, b, c] = [corners[0][axis], corners[1][axis], corners[2][axis]];
        let end = size[axis] as i64;
        (ceil(a.min(b).min(c)).max(0), ceil(a.max(b).max(c)).min(end))
    };
    let (rows, slices) = (range(1), range(2));
    if rows.0 >= rows.1 || slices.0 >= slices.1 {
        return;
    }
    let mut plane = None;
    for slice in slices.0..slices.1 {
        let w = slice << BITS;
        let (mut up, mut down) = (rows.0, rows.0);
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            let (a, b) = (&corners[from], &corners[to]);
            match (a[2] <= w, b[2] <= w) {
                (true, false) => up = ceil_of_cut(a, b, w),
                (false, true) => down = ceil_of_cut(b, a, w),
                _ => {}
            }
        }
        for row in up.min(down).max(rows.0)..up.max(down).min(rows.1) {
            let (index, leaves) = plane.get_or_insert_with(|| Plane::new(corners)).crossing(row << BITS, w);
            let index = index.clamp(0, size[0] as i64) as u32;
            found(Crossing { row: (row + size[1] as i64 * slice) as u32, index, leaves });
        }
    }
}

/// Every crossing of every ray along x, in order along the ray.
#[derive(Debug)]
pub(super) struct Rows {
    length: usize,
    starts: Vec<usize>,
    /// `index * 2 + leaves`, ascending in each row.
    crossings: Vec<u32>,
}

impl Rows {
    /// Finds all crossings of triangles with the rays along x.
    pub(super) fn of(soup: &Soup, triangles: &[[u32; 3]], size: [usize; 3]) -> Self {
        let found: Vec<Vec<(u32, u32)>> = triangles
            .par_chunks(TASK)
            .map(|triangles| {
                let mut found = Vec::with_capacity(TASK / 2);
                for &triangle in triangles {
                    cross(&soup.corners(triangle), size, |c| found.push((c.row, c.index << 1 | u32::from(c.leaves))));
                }
                found
            })
            .collect();
        let mut starts = vec![0_usize; size[1] * size[2] + 2];
        for (row, _) in found.iter().flatten() {
            starts[*row as usize + 2] += 1;
        }
        for row in 2..starts.len() {
            starts[row] += starts[row - 1];
        }
        let mut crossings = vec![0_u32; starts[starts.len() - 1]];
        for &(row, crossing) in found.iter().flatten() {
            let place = &mut starts[row as usize + 1];
            crossings[*place] = crossing;
            *place += 1;
        }
        starts.pop();
        let (mut rest, mut done, mut tasks) = (crossings.as_mut_slice(), 0, Vec::new());
        for first in (0..starts.len() - 1).step_by(RAYS) {
            let ends = &starts[first..=(first + RAYS).min(starts.len() - 1)];
            let end = ends[ends.len() - 1];
            let (task, later) = rest.split_at_mut(end - done);
            tasks.push((ends, task));
            (rest, done) = (later, end);
        }
        tasks.into_par_iter().for_each(|(ends, task)| {
            for ray in ends.windows(2) {
                task[ray[0] - ends[0]..ray[1] - ends[0]].sort_unstable();
            }
        });
        Self { length: size[0], starts, crossings }
    }

    /// Returns how many rays there are.
    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Calls back with each run of voxels of a ray that has one winding number, in order, and returns the number at the end.
    ///
    /// The run before the first crossing is left out: the number there is 0.
    #[inline]
    pub(super) fn runs(&self, row: usize, mut run: impl FnMut(usize, usize, i32)) -> i32 {
        let crossings = &self.crossings[self.starts[row]..self.starts[row + 1]];
        let mut winding = 0;
        for (at, &crossing) in crossings.iter().enumerate() {
            winding += if crossing & 1 == 0 { 1 } else { -1 };
            let (from, to) =
                ((crossing >> 1) as usize, crossings.get(at + 1).map_or(self.length, |&next| (next >> 1) as usize));
            if from < to {
                run(from, to, winding);
            }
        }
        winding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Crossings of 4 x 4 rays with triangles, entering counted up and leaving down.
    fn crossings(points: &[[f64; 3]], triangles: &[[usize; 3]]) -> Vec<i32> {
        let points: Vec<Point> = points.iter().map(|p| p.map(|c| (c * super::super::soup::TICKS) as i64)).collect();
        let mut counts = vec![0; 16];
        for t in triangles {
            cross(&t.map(|p| points[p]), [1, 4, 4], |c| counts[c.row as usize] += if c.leaves { -1 } else { 1 });
        }
        counts
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
        let upright = [[0.0, 1.0, 0.5], [3.0, 2.0, 0.5], [1.5, 1.5, 2.5]];
        assert_eq!(crossings(&upright, &[[0, 1, 2], [2, 1, 0]]), [0; 16]);
    }
}
