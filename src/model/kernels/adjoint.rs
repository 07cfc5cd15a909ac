//! The adjoint of the reflected shift: which outputs read a given pixel through a given tap.
//!
//! Along one axis of `n` pixels, tap 0 of output `i` reads `i - d`, tap 2 reads `i + d`, reflected at the edges. So pixel
//! `q` is read through tap 0 by `q + d`, and near the edge also by the output whose reading was reflected onto it; tap 2
//! is the mirror image, tap 1 reads in place.

use super::maps::Size;
use crate::model::border::Border;

/// Returns the one or two outputs along an axis of `n` that read pixel `q` through a tap, direct reading first.
fn readers(q: usize, tap: usize, n: usize, d: usize, border: Border) -> [Option<usize>; 2] {
    let repeated = border.repeated();
    match tap {
        0 => [Some(q + d).filter(|&i| i < n), (d - repeated.min(d)).checked_sub(q).filter(|&i| i < d)],
        1 => [Some(q), None],
        _ => [q.checked_sub(d), (2 * n + repeated - 2 - d).checked_sub(q).filter(|&i| i < n && i + d >= n)],
    }
}

/// The nine adjoint images of a plane for a block of rows: `[tap][row][column up to whole tiles]`.
pub(super) struct Adjoint {
    size: Size,
    rows: usize,
    data: Vec<f32>,
    row_sum: Vec<f32>,
}

impl Adjoint {
    /// Returns room for blocks of up to `rows` rows.
    pub(super) fn new(size: Size, rows: usize) -> Self {
        Self { size, rows, data: vec![0.0; 9 * rows * size.padded()], row_sum: vec![0.0; size.padded()] }
    }

    /// Returns the image of one tap for one row of the block.
    #[inline(always)]
    pub(super) fn row(&self, tap: usize, row: usize) -> &[f32] {
        let width = self.size.padded();
        &self.data[(tap * self.rows + row) * width..][..width]
    }

    /// Fills the block with the images of rows `first..first + count` of `delta`.
    #[inline(always)]
    pub(super) fn fill(&mut self, delta: &[f32], first: usize, count: usize, d: usize, border: Border) {
        let Size { rows, columns } = self.size;
        let width = self.size.padded();
        for row in 0..count {
            for ky in 0..3 {
                let [direct, reflected] = readers(first + row, ky, rows, d, border);
                let source = |y: usize| &delta[y * width..][..columns];
                match (direct, reflected) {
                    (Some(a), Some(b)) => {
                        for ((sum, a), b) in self.row_sum.iter_mut().zip(source(a)).zip(source(b)) {
                            *sum = a + b;
                        }
                    }
                    (Some(y), None) | (None, Some(y)) => self.row_sum[..columns].copy_from_slice(source(y)),
                    (None, None) => self.row_sum[..columns].fill(0.0),
                }
                for kx in 0..3 {
                    let out = &mut self.data[((3 * ky + kx) * self.rows + row) * width..][..columns];
                    shift_columns(&self.row_sum[..columns], out, kx, d, border);
                }
            }
        }
    }
}

/// Writes the adjoint of one column tap of a row.
#[inline(always)]
fn shift_columns(row: &[f32], out: &mut [f32], kx: usize, d: usize, border: Border) {
    let n = row.len();
    match kx {
        0 => {
            out[..n - d].copy_from_slice(&row[d..]);
            out[n - d..].fill(0.0);
        }
        1 => out.copy_from_slice(row),
        _ => {
            out[d..].copy_from_slice(&row[..n - d]);
            out[..d].fill(0.0);
        }
    }
    if kx != 1 {
        let near_edge = if kx == 0 { 0..n.min(d + 1) } else { n.saturating_sub(d + 1)..n };
        for q in near_edge {
            if let Some(i) = readers(q, kx, n, d, border)[1] {
                out[q] += row[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_exactly_those_who_read() {
        for border in [Border::Symmetric, Border::Reflect] {
            for n in 1..=9 {
                for d in 1..=border.reach(n) {
                    for tap in 0..3 {
                        for q in 0..n {
                            let reads = |i: usize| border.source((i + tap * d) as isize - d as isize, n) == q;
                            let truth: Vec<usize> = (0..n).filter(|&i| reads(i)).collect();
                            let mut found: Vec<usize> = readers(q, tap, n, d, border).into_iter().flatten().collect();
                            found.sort_unstable();
                            assert_eq!(found, truth, "{border:?} n {n} d {d} tap {tap} q {q}");
                        }
                    }
                }
            }
        }
    }
}
