//! The inner loop of the forward pass: a few maps, convolved with 3 x 3 taps, are added to rows of partial sums.
//!
//! A vector that is loaded serves several sums, which stay in registers: those of the maps of a team, which have the same
//! dilation, and of a few rows that lie one dilation apart and so share source rows. Where the instruction set allows, the
//! three vectors of a row's taps are put together from whole ones: of three loads two would cross from one cache line into
//! the next. That takes an instruction each on a port that multiply-adds use as well; so the more sums they serve the better.
//!
//! Tiles ask for what those behind them read and add to: the processor foresees that for a few rows at a time, and here are
//! sixty. Without it a tenth of the time goes into waiting for the second-level cache and what lies behind it.
//!
//! The compiler is told what to do when: left alone it loads far ahead until the sums themselves run out of registers, which
//! takes half of the speed.

#![expect(unsafe_code, reason = "addresses in place of slices: bounds are checked once a tile, not once a load")]

use std::ops::Range;

use super::{
    lanes::{Lanes, hide, multiversion, prefetch_near},
    maps::View,
    rows::Rows,
    tile::{MOST, MOST_ROWS, Tile, calm, meet, tile_of, vectors_of_a_row},
};

/// Maps with the same dilation, whose sums are computed together.
pub(super) struct Team {
    pub(super) dilation: usize,
    /// Numbers of the maps, with the input.
    channels: Vec<usize>,
    biases: Vec<f32>,
    /// `[source][tap][map]`: as they are used.
    weights: Vec<f32>,
}

impl Team {
    /// Returns a team of up to [`MOST`] maps, given the number (with the input), the bias, and the nine taps for each source
    /// of each map.
    pub(super) fn new(dilation: usize, members: &[(usize, f32, &[[f32; 9]])]) -> Self {
        debug_assert!((1..=MOST).contains(&members.len()));
        let sources = members.first().map_or(0, |member| member.2.len());
        let mut weights = Vec::with_capacity(9 * sources * members.len());
        for source in 0..sources {
            weights.extend((0..9).flat_map(|tap| members.iter().map(move |member| member.2[source][tap])));
        }
        let (channels, biases) = members.iter().map(|member| (member.0, member.1)).unzip();
        Self { dilation, channels, biases, weights }
    }
}

multiversion! {
    /// Adds to the sums of a team, in as many rows of `place.0` from `place.1` on as there are of the sources, some sources:
    /// those of these numbers, the first of which is the first map of the rows. `begin` lets the sums begin with the biases.
    ///
    /// # Safety
    /// Nobody else uses these rows of the sums, or writes the sources, meanwhile.
    pub(super) [unsafe] fn add(
        team: &Team,
        rows: &Rows,
        sources: Range<usize>,
        place: (View, usize),
        begin: bool,
    ) = add_body
}

#[inline(always)]
unsafe fn add_body<L: Lanes>(team: &Team, rows: &Rows, sources: Range<usize>, place: (View, usize), begin: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        match team.channels.len() {
            1 => Job::<1>::new(team, rows, sources, place, begin).run::<L>(),
            2 => Job::<2>::new(team, rows, sources, place, begin).run::<L>(),
            3 => Job::<3>::new(team, rows, sources, place, begin).run::<L>(),
            4 => Job::<4>::new(team, rows, sources, place, begin).run::<L>(),
            _ => Job::<MOST>::new(team, rows, sources, place, begin).run::<L>(),
        }
    }
}

/// Sources for the sums of `M` maps.
struct Job<'a, const M: usize> {
    rows: &'a Rows,
    dilation: usize,
    sources: usize,
    /// Of these sources.
    weights: *const f32,
    /// Of the sums, where they begin.
    biases: Option<[f32; M]>,
    /// The first sum of each map.
    sums: [*mut f32; M],
    /// Numbers from a row of the sums to the next.
    step: usize,
}

/// Rows of the sums that lie one dilation apart: the number of the first, and the source rows that they share.
#[derive(Clone, Copy)]
struct Group {
    row: usize,
    sources: [*const f32; MOST_ROWS + 2],
}

impl<'a, const M: usize> Job<'a, M> {
    /// Takes the arguments of [`add`], for a team of `M`.
    #[inline(always)]
    fn new(team: &Team, rows: &'a Rows, sources: Range<usize>, (maps, y): (View, usize), begin: bool) -> Self {
        Self {
            rows,
            dilation: team.dilation,
            sources: sources.len(),
            weights: team.weights[9 * M * sources.start..9 * M * sources.end].as_ptr(),
            biases: begin.then(|| std::array::from_fn(|m| team.biases[m])),
            sums: std::array::from_fn(|m| maps.at(y, team.channels[m])),
            step: maps.row_step,
        }
    }

    /// Adds the sources.
    ///
    /// # Safety
    /// As [`add`].
    #[inline(always)]
    unsafe fn run<L: Lanes>(&self) {
        let (d, rows, most) = (self.dilation, self.rows.count, const { tile_of(L::N, M).0 });
        for residue in 0..d.min(rows) {
            let mut left = (rows - residue).div_ceil(d);
            let mut row = residue;
            // As equal groups as possible: a group of few rows has too few sums for the processor to work on.
            while left > 0 {
                let count = left.div_ceil(left.div_ceil(most));
                left -= count;
                let next = if left > 0 { row + count * d } else { residue + 1 };
                // SAFETY: rows `row`, `row + d` .. of the sums, and the caller's promise.
                unsafe {
                    match count {
                        4 if most >= 4 => self.add_group::<L, 4>(row, next),
                        3 if most >= 3 => self.add_group::<L, 3>(row, next),
                        2 if most >= 2 => self.add_group::<L, 2>(row, next),
                        _ => self.add_group::<L, 1>(row, next),
                    }
                }
                row = next;
            }
        }
    }

    /// Returns `R` rows from one on.
    #[inline(always)]
    fn group<const R: usize>(&self, row: usize) -> Group {
        let (rows, d) = (self.rows, self.dilation);
        let mut sources = [rows.start(row as isize); MOST_ROWS + 2];
        for (k, source) in sources.iter_mut().enumerate().take(R + 2) {
            *source = rows.start((row + k * d) as isize - d as isize);
        }
        Group { row, sources }
    }

    /// Adds the sources to `R` rows that lie one dilation apart, the first of them `row`. Row `next` follows, perhaps.
    ///
    /// # Safety
    /// As [`add`]; there are these rows.
    #[inline(always)]
    unsafe fn add_group<L: Lanes, const R: usize>(&self, row: usize, next: usize) {
        let here = self.group::<R>(row);
        let next = if next + (R - 1) * self.dilation < self.rows.count { self.group::<R>(next) } else { here };
        let most = const { if R == 1 { vectors_of_a_row(L::N) } else { tile_of(L::N, M).1 } };
        let (mut left, mut x) = (self.rows.columns / L::N, 0);
        while left > 0 {
            let count = left.div_ceil(left.div_ceil(most));
            // SAFETY: vectors of the row, and sources reach `d` columns beyond it, which the rows have.
            unsafe {
                match count {
                    4 if most >= 4 => self.tile::<L, R, 4>(&here, &next, x),
                    3 if most >= 3 => self.tile::<L, R, 3>(&here, &next, x),
                    2 if most >= 2 => self.tile::<L, R, 2>(&here, &next, x),
                    _ => self.tile::<L, R, 1>(&here, &next, x),
                }
            }
            x += count * L::N;
            left -= count;
        }
    }

    /// Adds the sources to `R` rows of `T` vectors, which stay in registers meanwhile.
    ///
    /// # Safety
    /// As [`add`]; there are these rows and columns.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
    unsafe fn tile<L: Lanes, const R: usize, const T: usize>(&self, here: &Group, next: &Group, x: usize) {
        let sum = |row, m: usize, r: usize, x| self.sums[m].wrapping_add((row + r * self.dilation) * self.step + x);
        let at = |m, r, i: usize| sum(here.row, m, r, x + i * L::N);
        // The tile so many behind this one; beyond the last column the first of the next rows.
        let behind = |tiles: usize| {
            let (x, columns) = (x + tiles * T * L::N, self.rows.columns);
            if x < columns { (here, x) } else { (next, x - columns) }
        };
        let (soon, soon_x) = behind(1);
        for m in 0..M {
            for r in 0..R {
                prefetch_near(sum(soon.row, m, r, soon_x), T * L::N);
            }
        }
        let (soon, soon_x) = behind(2);
        let soon_x = soon_x.wrapping_sub(x);
        let mut sums: Tile<L, M, R, T> = [[[L::splat(0.0); T]; R]; M];
        for m in 0..M {
            for r in 0..R {
                for i in 0..T {
                    // SAFETY: the caller's promise, here and below.
                    sums[m][r][i] = self.biases.map_or_else(|| unsafe { L::read(at(m, r, i)) }, |b| L::splat(b[m]));
                }
            }
        }
        let apart = L::apart(self.dilation);
        let calm = const { calm(L::N, M) };
        let (mut offset, mut weights) = (std::ptr::without_provenance::<f32>(x), self.weights);
        'sources: for _ in 0..self.sources {
            // What source row `$k` of the tile gives, tap by tap. Addresses are hidden so that nothing is loaded earlier, and
            // the weights' is never null, which the compiler cannot know: so it moves nothing over these places.
            macro_rules! rows {
                ($($k:literal)*) => {
                    $(if $k < R + 2 {
                        offset = hide(offset);
                        let from = here.sources[$k].wrapping_add(offset.addr());
                        prefetch_near(soon.sources[$k].wrapping_add(offset.addr()).wrapping_add(soon_x), T * L::N);
                        rows!(@ $k from 0, true);
                        rows!(@ $k from 1, !calm);
                        rows!(@ $k from 2, !calm);
                    })*
                };
                (@ $k:literal $from:ident $kx:literal, $check:expr) => {
                    weights = hide(weights);
                    if $check && weights.is_null() {
                        break 'sources;
                    }
                    // SAFETY: as above.
                    unsafe { meet::<L, M, R, T, $k, $kx>(&mut sums, L::tap::<T>($from, $kx, apart), weights) };
                };
            }
            rows!(0 1 2 3 4 5);
            offset = std::ptr::without_provenance(offset.addr() + self.rows.map_step);
            weights = weights.wrapping_add(9 * M);
        }
        for m in 0..M {
            for r in 0..R {
                for i in 0..T {
                    // SAFETY: as above.
                    unsafe { sums[m][r][i].write(at(m, r, i)) };
                }
            }
        }
    }
}
