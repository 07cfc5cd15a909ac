//! Which grid points are inside, one bit each, and the numbering of the cut grid edges.
//!
//! A row of 64 points is one word, so 64 edges are compared by one exclusive or, and empty space costs almost nothing
//! (the idea of Schroeder, Maynard and Geveci's Flying Edges, 2015, with words in place of trimmed rows).

use rayon::prelude::*;

use super::{
    Border,
    cases::{CASES, Case},
    field::Field,
};

/// The inside bits of a grid, padded by one outside layer when the border is capped.
pub(super) struct Lattice {
    /// Points along each axis, padding included.
    pub(super) size: [usize; 3],
    /// Padding: lattice point = grid point + pad.
    pub(super) pad: usize,
    words: usize,
    bits: Vec<u64>,
}

/// What lies before a row in the order of numbering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// Number of the row's first cut edge along each axis.
    pub(super) edges: [u32; 3],
    /// Triangles of all cells before the row's.
    pub(super) triangles: usize,
}

/// The numbers of all rows, and how much there is in each slab.
pub(super) struct Numbering {
    /// One a row, y fastest.
    pub(super) starts: Vec<Start>,
    /// Cut edges that start in each slab of points.
    pub(super) vertices: Vec<usize>,
    /// Triangles in each slab of cells; the last slab of points has none.
    pub(super) triangles: Vec<usize>,
}

impl Lattice {
    /// Returns the lattice of the points inside. Values lie in memory as in a volume of that size.
    pub(super) fn new<F: Field>(data: &[F::Value], size: [usize; 3], border: Border, field: &F) -> Self {
        let pad = usize::from(border == Border::Cap);
        let padded = size.map(|n| n + 2 * pad);
        let words = padded[0].div_ceil(64);
        let mut bits = vec![0_u64; words * padded[1] * padded[2]];
        bits.par_chunks_mut(words * padded[1]).enumerate().for_each(|(z, plane)| {
            let Some(z) = z.checked_sub(pad).filter(|&z| z < size[2]) else { return };
            for y in 0..size[1] {
                let values = &data[size[0] * (y + size[1] * z)..][..size[0]];
                pack(values, pad, field, &mut plane[words * (y + pad)..][..words]);
            }
        });
        Self { size: padded, pad, words, bits }
    }

    /// Returns the bits of the points of a row.
    pub(super) fn row(&self, y: usize, z: usize) -> &[u64] {
        &self.bits[self.words * (y + self.size[1] * z)..][..self.words]
    }

    /// Returns the mask of the edges along x in a word: all but the last point of the row start one.
    fn edge_mask(&self, word: usize) -> u64 {
        let edges = (self.size[0] - 1).saturating_sub(64 * word).min(64);
        if edges == 64 { u64::MAX } else { (1 << edges) - 1 }
    }

    /// Returns the words of edges along an axis that start at the points of a row and are cut.
    pub(super) fn cuts(&self, y: usize, z: usize, axis: usize) -> impl Iterator<Item = u64> {
        let here = self.row(y, z);
        let end = match axis {
            0 => here,
            1 if y + 1 < self.size[1] => self.row(y + 1, z),
            2 if z + 1 < self.size[2] => self.row(y, z + 1),
            // no edges: the last rows start none
            _ => &[],
        };
        end.iter().enumerate().map(move |(word, &beyond)| {
            if axis == 0 { (beyond ^ shifted(here, word)) & self.edge_mask(word) } else { here[word] ^ beyond }
        })
    }

    /// Calls `visit` with the case of every cell of a row that the surface cuts, in order; `y` and `z` have a next row.
    pub(super) fn for_each_cut_cell<'a>(&self, y: usize, z: usize, mut visit: impl FnMut(&'a Case)) {
        let rows = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dy, dz)| self.row(y + dy, z + dz));
        let cases: &'a [Case; 256] = &CASES;
        for word in 0..self.words {
            let here = rows.map(|row| row[word]);
            let beyond = rows.map(|row| shifted(row, word));
            let any = here.iter().chain(&beyond).fold(0, |any, bits| any | bits);
            let all = here.iter().chain(&beyond).fold(u64::MAX, |all, bits| all & bits);
            if any == 0 || all == u64::MAX {
                continue;
            }
            let mut mixed = any & !all & self.edge_mask(word);
            while mixed != 0 {
                let x = mixed.trailing_zeros();
                mixed &= mixed - 1;
                let corners = |k: usize| ((here[k] >> x & 1) | (beyond[k] >> x & 1) << 1) << (2 * k);
                visit(&cases[usize::from((corners(0) | corners(1) | corners(2) | corners(3)) as u8)]);
            }
        }
    }

    /// Numbers the cut edges row by row, within a row those along x first, then y, then z, each by x; and counts the
    /// triangles of the cells, row by row.
    ///
    /// Numbers fit 32 bits: an image holds at most 2^30 values (the readers' limit of 4 GiB), so three edges a voxel and
    /// the padding stay below 2^32.
    pub(super) fn number(&self) -> Numbering {
        let [_, height, depth] = self.size;
        let mut starts: Vec<Start> = (0..height * depth)
            .into_par_iter()
            .with_min_len(64)
            .map(|row| {
                let (y, z) = (row % height, row / height);
                let count = |axis| self.cuts(y, z, axis).filter(|&cuts| cuts != 0).map(u64::count_ones).sum::<u32>();
                let edges = [count(0), count(1), count(2)];
                let mut triangles = 0;
                if y + 1 < height && z + 1 < depth {
                    self.for_each_cut_cell(y, z, |case| triangles += usize::from(case.count));
                }
                Start { edges, triangles }
            })
            .collect();
        let slabs = || starts.chunks_exact(height);
        let vertices: Vec<usize> =
            slabs().map(|slab| slab.iter().flat_map(|row| row.edges).map(|n| n as usize).sum()).collect();
        let triangles = slabs().map(|slab| slab.iter().map(|row| row.triangles).sum()).collect();
        let (mut edges_before, mut triangles_before) = (0, 0);
        for start in &mut starts {
            for edges in &mut start.edges {
                edges_before += std::mem::replace(edges, edges_before);
            }
            triangles_before += std::mem::replace(&mut start.triangles, triangles_before);
        }
        Numbering { starts, vertices, triangles }
    }
}

/// Returns a word of a row moved by one point, so that bit x holds point x + 1.
fn shifted(row: &[u64], word: usize) -> u64 {
    row[word] >> 1 | row.get(word + 1).map_or(0, |next| next << 63)
}

/// Writes the bits of a row of values, the first at bit `pad`.
fn pack<F: Field>(values: &[F::Value], pad: usize, field: &F, row: &mut [u64]) {
    let mut carry = 0;
    for (word, values) in row.iter_mut().zip(values.chunks(64).chain(std::iter::repeat(&[][..]))) {
        let bits = field.bits(values);
        *word = bits << pad | carry;
        carry = if pad == 0 { 0 } else { bits >> 63 };
    }
}

#[cfg(test)]
mod tests {
    use super::{super::field::NonZero, *};

    #[test]
    fn rows_longer_than_a_word_keep_every_bit() {
        for (border, pad) in [(Border::Open, 0), (Border::Cap, 1)] {
            let data: Vec<u8> = (0..130).map(|x| u8::from(x % 3 == 0)).collect();
            let lattice = Lattice::new(&data, [130, 1, 1], border, &NonZero);
            let row = lattice.row(pad, pad);
            for (x, &value) in data.iter().enumerate() {
                let at = x + pad;
                assert_eq!(row[at / 64] >> (at % 64) & 1, u64::from(value), "point {x}");
                assert_eq!(shifted(row, x / 64) >> (x % 64) & 1, row[(x + 1) / 64] >> ((x + 1) % 64) & 1);
            }
            let numbering = lattice.number();
            // 44 inside points: the first is at the border and the last is followed by no point when open
            let along_x = if pad == 0 { 2 * 44 - 2 } else { 2 * 44 };
            assert_eq!(numbering.vertices.iter().sum::<usize>(), along_x + if pad == 0 { 0 } else { 4 * 44 });
            assert_eq!(numbering.starts[0].edges, if pad == 0 { [0, 86, 86] } else { [0, 0, 0] });
            // 44 octahedra alone
            assert_eq!(numbering.triangles.iter().sum::<usize>(), if pad == 0 { 0 } else { 44 * 8 });
        }
    }
}
