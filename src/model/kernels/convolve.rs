//! The inner loop of the forward pass: a few maps, convolved with 3 x 3 taps, are added to rows of partial sums.
//!
//! A vector that is loaded serves several sums, which stay in registers: those of up to four maps with the same dilation,
//! and of up to four rows that lie one dilation apart and so share source rows.
//!
//! More maps need fewer cache lines for the same work, so four maps of one row come before one map of four rows. Where the
//! instruction set allows, the three vectors of a row's taps are put together from whole ones: of three loads two would
//! cross from one cache line into the next, which took a tenth of the pass. Each tile costs as much as a source for reading
//! and writing its sums: so the more sources at once the better.

#![expect(unsafe_code, reason = "addresses in place of slices: bounds are checked once a tile, not once a load")]

use std::hint::black_box;

use super::{
    lanes::{Lanes, multiversion},
    rows::Rows,
};

/// Partial sums of a map in some rows.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    /// The sum of the first pixel.
    pub(super) data: *mut f32,
    /// The nine taps for each source.
    pub(super) weights: &'a [[f32; 9]],
}

/// Rows computed together, at most.
const MOST_ROWS: usize = 4;

/// Where the maps lie that are added.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) rows: &'a Rows,
    /// At most as far as the rows reach.
    pub(super) dilation: usize,
}

multiversion! {
    /// Adds the sources to the sums of maps with the same dilation, whose rows are `step` numbers apart.
    ///
    /// # Safety
    /// The sums hold the tile, and nobody else uses them, or writes the sources, meanwhile. Each map has weights for the
    /// same number of sources.
    pub(super) [unsafe] fn add(sources: Sources<'_>, sums: &[Sums<'_>], step: usize) = add_body
}

#[inline(always)]
unsafe fn add_body<L: Lanes>(sources: Sources<'_>, sums: &[Sums<'_>], step: usize) {
    let (fours, rest) = sums.as_chunks::<4>();
    let (twos, ones) = rest.as_chunks::<2>();
    // SAFETY: the caller's promise.
    unsafe {
        for sums in fours {
            Job { sources, sums, step }.run::<L, 1>();
        }
        for sums in twos {
            Job { sources, sums, step }.run::<L, 2>();
        }
        for sum in ones {
            Job { sources, sums: std::array::from_ref(sum), step }.run::<L, MOST_ROWS>();
        }
    }
}

/// The sums of `M` maps.
struct Job<'a, const M: usize> {
    sources: Sources<'a>,
    sums: &'a [Sums<'a>; M],
    step: usize,
}

impl<const M: usize> Job<'_, M> {
    /// Adds the sources, to up to `A` rows at once.
    ///
    /// # Safety
    /// As [`add`].
    #[inline(always)]
    unsafe fn run<L: Lanes, const A: usize>(&self) {
        let (d, rows) = (self.sources.dilation, self.sources.rows.count);
        for residue in 0..d.min(rows) {
            let mut left = (rows - residue).div_ceil(d);
            let mut row = residue;
            // As equal groups as possible: a group of few rows has too few sums for the processor to work on.
            while left > 0 {
                let count = left.div_ceil(left.div_ceil(A));
                // SAFETY: rows `row`, `row + d` .. of the tile, and the caller's promise.
                unsafe {
                    match count {
                        4 if A >= 4 => self.group::<L, 4>(row),
                        3 if A >= 3 => self.group::<L, 3>(row),
                        2 if A >= 2 => self.group::<L, 2>(row),
                        _ => self.group::<L, 1>(row),
                    }
                }
                row += count * d;
                left -= count;
            }
        }
    }

    /// Adds the sources to `R` rows that lie one dilation apart.
    ///
    /// # Safety
    /// As [`add`]; the rows are in the tile.
    #[inline(always)]
    unsafe fn group<L: Lanes, const R: usize>(&self, row: usize) {
        let Sources { rows, dilation: d } = self.sources;
        let mut starts = [rows.start(row as isize); MOST_ROWS + 2];
        for (k, start) in starts.iter_mut().enumerate().take(R + 2) {
            *start = rows.start((row + k * d) as isize - d as isize);
        }
        // Four vectors at a time; where two would be left over, six: two alone leave the processor waiting for its own sums.
        let vectors = rows.columns / L::N;
        let sixes = if L::N == 16 && vectors % 4 == 2 && vectors > 2 { vectors - 6 } else { vectors };
        let fours = if L::N == 16 { sixes / 4 * 4 } else { 0 };
        // SAFETY: the vectors from column x on are in the tile, and sources reach `d` columns beyond it, which the rows have.
        unsafe {
            for x in (0..fours * L::N).step_by(4 * L::N) {
                self.tile::<L, R, 4>(&starts, row, x);
            }
            if sixes < vectors {
                self.tile::<L, R, 3>(&starts, row, sixes * L::N);
                self.tile::<L, R, 3>(&starts, row, (sixes + 3) * L::N);
            } else {
                for x in (fours * L::N..rows.columns).step_by(2 * L::N) {
                    self.tile::<L, R, 2>(&starts, row, x);
                }
            }
        }
    }

    /// Adds the sources to `R` rows of `T` vectors, which stay in registers meanwhile.
    ///
    /// # Safety
    /// As [`add`]; rows and columns are in the tile, `starts` are the source rows.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
    unsafe fn tile<L: Lanes, const R: usize, const T: usize>(
        &self,
        starts: &[*const f32; MOST_ROWS + 2],
        row: usize,
        x: usize,
    ) {
        let Sources { rows, dilation: d } = self.sources;
        let (map_step, out_step) = (rows.map_step, d * self.step);
        let out: [_; M] = std::array::from_fn(|m| self.sums[m].data.wrapping_add(row * self.step + x));
        let mut sums = [[[L::splat(0.0); T]; R]; M];
        for m in 0..M {
            for r in 0..R {
                for i in 0..T {
                    // SAFETY: the caller's promise, here and below.
                    sums[m][r][i] = unsafe { L::read(out[m].wrapping_add(r * out_step + i * L::N)) };
                }
            }
        }
        let apart = L::apart(d);
        let mut at = x;
        for source in 0..self.sums[0].weights.len() {
            // Hidden from the compiler, which would otherwise keep thirty addresses in place of a few rows and one offset.
            at = black_box(at);
            // SAFETY: as above, all maps have as many weights.
            let taps: [_; M] = std::array::from_fn(|m| unsafe { self.sums[m].weights.get_unchecked(source) });
            let mut weights = [[L::splat(0.0); 9]; M];
            for k in 0..R + 2 {
                // Never true, which the compiler cannot know: so it does not load ahead over this place until registers run
                // out.
                if at == usize::MAX - k {
                    break;
                }
                for tap in (3 * k..3 * k + 3).filter(|&tap| tap < 9) {
                    for m in 0..M {
                        weights[m][tap] = L::splat(taps[m][tap]);
                    }
                }
                // SAFETY: as above; rows begin with whole vectors, and so do tiles.
                let around = unsafe { L::around::<T>(starts[k].wrapping_add(at), apart) };
                for (kx, values) in around.into_iter().enumerate() {
                    for r in 0..R {
                        // Source row k is tap ky = k - r of output row `r`: taps come in ascending order for each.
                        if k >= r && k - r < 3 {
                            for m in 0..M {
                                for i in 0..T {
                                    sums[m][r][i] = values[i].fma(weights[m][3 * (k - r) + kx], sums[m][r][i]);
                                }
                            }
                        }
                    }
                }
            }
            at += map_step;
        }
        for m in 0..M {
            for r in 0..R {
                for i in 0..T {
                    // SAFETY: as above.
                    unsafe { sums[m][r][i].write(out[m].wrapping_add(r * out_step + i * L::N)) };
                }
            }
        }
    }
}
