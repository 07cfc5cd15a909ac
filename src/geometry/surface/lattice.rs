//! Which grid points are inside, one bit each, and the numbering of the cut grid edges.
//!
//! A row of 64 points is one word, so 64 edges are compared by one exclusive or, and empty space costs almost nothing
//! (the idea of Schroeder, Maynard and Geveci's Flying Edges, 2015, with words in place of trimmed rows).

use rayon::prelude::*;

use super::Border;

/// The inside bits of a grid, padded by one outside layer when the border is capped.
pub(super) struct Lattice {
    /// Points along each axis, padding included.
    pub(super) size: [usize; 3],
    /// Padding: lattice point = grid point + pad.
    pub(super) pad: usize,
    words: usize,
    bits: Vec<u64>,
}

/// Cut edges of one axis before a row, in the order of numbering.
pub(super) type Starts = [u32; 3];

impl Lattice {
    /// Returns the lattice of the points for which `inside` holds.
    pub(super) fn new<T: Copy + Sync>(
        data: &[T],
        size: [usize; 3],
        border: Border,
        inside: impl Fn(T) -> bool + Sync,
    ) -> Self {
        let pad = usize::from(border == Border::Cap);
        let padded = size.map(|n| n + 2 * pad);
        let words = padded[0].div_ceil(64);
        let mut bits = vec![0_u64; words * padded[1] * padded[2]];
        bits.par_chunks_mut(words * padded[1]).enumerate().for_each(|(z, plane)| {
            let Some(z) = z.checked_sub(pad).filter(|&z| z < size[2]) else { return };
            for y in 0..size[1] {
                let values = &data[size[0] * (y + size[1] * z)..][..size[0]];
                pack(values, pad, &inside, &mut plane[words * (y + pad)..][..words]);
            }
        });
        Self { size: padded, pad, words, bits }
    }

    /// Returns the bits of the points of a row.
    pub(super) fn row(&self, y: usize, z: usize) -> &[u64] {
        &self.bits[self.words * (y + self.size[1] * z)..][..self.words]
    }

    /// Returns the mask of the edges along x in a word: all but the last point of the row start one.
    pub(super) fn edge_mask(&self, word: usize) -> u64 {
        let edges = (self.size[0] - 1).saturating_sub(64 * word).min(64);
        if edges == 64 { u64::MAX } else { (1 << edges) - 1 }
    }

    /// Returns the word of edges, along x, y and z, that start at the points of a row and are cut.
    pub(super) fn cuts(&self, y: usize, z: usize, word: usize) -> [u64; 3] {
        let row = self.row(y, z);
        let here = row[word];
        let along_x = (here ^ shifted(row, word)) & self.edge_mask(word);
        let along_y = if y + 1 < self.size[1] { here ^ self.row(y + 1, z)[word] } else { 0 };
        let along_z = if z + 1 < self.size[2] { here ^ self.row(y, z + 1)[word] } else { 0 };
        [along_x, along_y, along_z]
    }

    /// Returns, for each row, the number of its first cut edge along each axis, and the number of cut edges in all.
    ///
    /// Edges are numbered row by row, within a row those along x first, then y, then z, each by x.
    pub(super) fn number(&self) -> (Vec<Starts>, usize) {
        let mut starts: Vec<Starts> = (0..self.size[1] * self.size[2])
            .into_par_iter()
            .with_min_len(64)
            .map(|row| {
                let (y, z) = (row % self.size[1], row / self.size[1]);
                (0..self.words).fold([0; 3], |counts: Starts, word| {
                    let cuts = self.cuts(y, z, word);
                    std::array::from_fn(|axis| counts[axis] + cuts[axis].count_ones())
                })
            })
            .collect();
        let mut total = 0_usize;
        for start in starts.iter_mut().flatten() {
            let count = *start as usize;
            *start = total as u32;
            total += count;
        }
        (starts, total)
    }

    /// Returns the number of words in a row.
    pub(super) const fn words(&self) -> usize {
        self.words
    }
}

/// Returns a word of a row moved by one point, so that bit x holds point x + 1.
pub(super) fn shifted(row: &[u64], word: usize) -> u64 {
    row[word] >> 1 | row.get(word + 1).map_or(0, |next| next << 63)
}

/// Writes the bits of a row of values, the first at bit `pad`.
fn pack<T: Copy>(values: &[T], pad: usize, inside: &impl Fn(T) -> bool, row: &mut [u64]) {
    let mut carry = 0;
    for (word, values) in row.iter_mut().zip(values.chunks(64).chain(std::iter::repeat(&[][..]))) {
        let bits = values.iter().enumerate().fold(0_u64, |bits, (i, &value)| bits | u64::from(inside(value)) << i);
        *word = bits << pad | carry;
        carry = if pad == 0 { 0 } else { bits >> 63 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_longer_than_a_word_keep_every_bit() {
        for (border, pad) in [(Border::Open, 0), (Border::Cap, 1)] {
            let data: Vec<u8> = (0..130).map(|x| u8::from(x % 3 == 0)).collect();
            let lattice = Lattice::new(&data, [130, 1, 1], border, |v| v != 0);
            let row = lattice.row(pad, pad);
            for (x, &value) in data.iter().enumerate() {
                let at = x + pad;
                assert_eq!(row[at / 64] >> (at % 64) & 1, u64::from(value), "point {x}");
                assert_eq!(shifted(row, x / 64) >> (x % 64) & 1, row[(x + 1) / 64] >> ((x + 1) % 64) & 1);
            }
            let (starts, total) = lattice.number();
            // 44 inside points: the first is at the border and the last is followed by no point when open
            let along_x = if pad == 0 { 2 * 44 - 2 } else { 2 * 44 };
            assert_eq!(total, along_x + if pad == 0 { 0 } else { 4 * 44 });
            assert_eq!(starts[0], if pad == 0 { [0, 86, 86] } else { [0, 0, 0] });
        }
    }
}
