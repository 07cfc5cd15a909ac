//! The edges of a mesh and the triangle sides on each, in order of their vertices.
//!
//! Sides are put into one bin for each vertex that is the lower end of an edge, and the few of a bin are sorted: linear in
//! the number of triangles, and the same table for any number of threads.

use rayon::prelude::*;

/// Vertices whose bins one task sorts.
const TASK: usize = 1 << 12;

/// A side of a triangle, as the edge sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    /// The edge's higher vertex.
    high: u32,
    /// Triangle * 2 + whether the side runs from the higher vertex to the lower.
    code: u32,
}

impl Side {
    /// Returns the triangle.
    pub(crate) const fn triangle(self) -> usize {
        (self.code >> 1) as usize
    }

    /// Returns whether the triangle runs along the edge from its higher vertex to its lower.
    pub(crate) const fn backward(self) -> bool {
        self.code & 1 == 1
    }
}

/// Every edge with its sides.
#[derive(Debug)]
pub(crate) struct Edges {
    starts: Vec<u32>,
    sides: Vec<Side>,
}

impl Edges {
    /// Returns the edges of triangles over a number of vertices.
    ///
    /// Every triangle must refer to known vertices, use none of them twice, and there be fewer than 2^30 of them.
    pub(crate) fn of(vertices: usize, triangles: &[[u32; 3]]) -> Self {
        let mut starts = vec![0_u32; vertices + 2];
        let ends = |t: &[u32; 3]| [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])];
        for triangle in triangles {
            for (from, to) in ends(triangle) {
                starts[from.min(to) as usize + 2] += 1;
            }
        }
        for vertex in 2..starts.len() {
            starts[vertex] += starts[vertex - 1];
        }
        let mut sides = vec![Side { high: 0, code: 0 }; 3 * triangles.len()];
        for (number, triangle) in triangles.iter().enumerate() {
            for (from, to) in ends(triangle) {
                let place = &mut starts[from.min(to) as usize + 1];
                sides[*place as usize] = Side { high: from.max(to), code: (number as u32) << 1 | u32::from(from > to) };
                *place += 1;
            }
        }
        starts.pop();
        let (mut rest, mut done, mut tasks) = (sides.as_mut_slice(), 0_u32, Vec::new());
        for first in (0..vertices).step_by(TASK) {
            let bins = &starts[first..=(first + TASK).min(vertices)];
            let (task, later) = rest.split_at_mut((bins[bins.len() - 1] - done) as usize);
            tasks.push((bins, done, task));
            (rest, done) = (later, bins[bins.len() - 1]);
        }
        tasks.into_par_iter().for_each(|(bins, first, task)| {
            for bin in bins.windows(2) {
                task[(bin[0] - first) as usize..(bin[1] - first) as usize].sort_unstable();
            }
        });
        Self { starts, sides }
    }

    /// Returns each edge as (lower vertex, higher vertex, sides on it), in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32, &[Side])> {
        self.starts.windows(2).enumerate().flat_map(move |(low, bin)| {
            let sides = &self.sides[bin[0] as usize..bin[1] as usize];
            sides.chunk_by(|a, b| a.high == b.high).map(move |sides| (low as u32, sides[0].high, sides))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_meet_at_their_edges() {
        let edges = Edges::of(5, &[[0, 2, 1], [4, 1, 2], [1, 2, 0]]);
        let found: Vec<_> = edges
            .iter()
            .map(|(low, high, sides)| {
                (low, high, sides.iter().map(|s| (s.triangle(), s.backward())).collect::<Vec<_>>())
            })
            .collect();
        let expected = [
            (0, 1, vec![(0, true), (2, false)]),
            (0, 2, vec![(0, false), (2, true)]),
            (1, 2, vec![(0, true), (1, false), (2, false)]),
            (1, 4, vec![(1, true)]),
            (2, 4, vec![(1, false)]),
        ];
        assert_eq!(found, expected);
        assert_eq!(Edges::of(0, &[]).iter().count(), 0);
    }
}
