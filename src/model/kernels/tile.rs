//! A tile of the forward pass: sums that stay in registers while maps are added to them.

#![expect(unsafe_code, reason = "addresses in place of slices: bounds are checked once a tile, not once a load")]

use super::lanes::Lanes;

/// Maps of a team, at most.
pub(super) const MOST: usize = 5;
/// Rows computed together, at most.
pub(super) const MOST_ROWS: usize = 4;

/// A tile of sums in registers: `[map][row][vector]`.
pub(super) type Tile<L, const M: usize, const R: usize, const T: usize> = [[[L; T]; R]; M];

/// Returns how many rows and vectors a tile of so many maps has, at most: their sums should leave registers for what is
/// loaded, and be enough not to wait for one another.
pub(super) const fn tile_of(lanes: usize, maps: usize) -> (usize, usize) {
    match (lanes, maps) {
        (16, 5) => (2, 2),
        (16, 4) => (2, 3),
        (16, 3) => (2, 4),
        (16, 2) => (4, 3),
        (16, _) => (4, 4),
        (_, 5 | 4) => (1, 2),
        (_, 3 | 2) => (2, 2),
        _ => (4, 2),
    }
}

/// Columns of a tile in vectors where it has one row.
pub(super) const fn vectors_of_a_row(lanes: usize) -> usize {
    if lanes == 16 { 4 } else { 2 }
}

/// Returns whether the compiler keeps the sums of so many maps in registers with a check a source row; else it takes one for
/// each of its taps.
pub(super) const fn calm(lanes: usize, maps: usize) -> bool {
    lanes == 16 && maps == MOST
}

/// Adds the vectors of source row `K` and column tap `KX`, times the weights, to the rows that read it: it is tap
/// `ky = K - r` of row `r`, so that taps come in ascending order for each.
///
/// # Safety
/// There are nine weights for each of `M` maps.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
pub(super) unsafe fn meet<L: Lanes, const M: usize, const R: usize, const T: usize, const K: usize, const KX: usize>(
    sums: &mut Tile<L, M, R, T>,
    values: [L; T],
    weights: *const f32,
) {
    for r in 0..R {
        if K >= r && K - r < 3 {
            for m in 0..M {
                // SAFETY: the caller's promise.
                let weight = L::splat(unsafe { *weights.wrapping_add((3 * (K - r) + KX) * M + m) });
                for i in 0..T {
                    sums[m][r][i] = values[i].fma(weight, sums[m][r][i]);
                }
            }
        }
    }
}
