//! The inner loops of the backward pass, on the adjoint images of δ: small dense matrix products over rows of pixels.
//!
//! Gradients of maps: a tile of six maps and 64 columns stays in registers while all images are added; an image is loaded
//! once for six maps. Gradients of weights: three maps meet nine images; 27 sums stay in registers along whole rows, and the
//! next three maps and their sums are asked for meanwhile.

#![expect(unsafe_code, reason = "addresses in place of slices: bounds are checked once a row, not once a load")]

use super::{
    adjoint::{Adjoint, SPAN, Taps},
    ahead::Ahead,
    lanes::{Lanes, multiversion, prefetch_near},
    maps::View,
};

/// Maps whose gradients are computed together.
pub(super) const TOGETHER: usize = 6;
/// Lanes of a weight gradient: column x belongs to lane x mod 16.
pub(super) const LANES: usize = 16;
/// So many maps' gradients in a tile stay in the first-level cache until the next tile.
const NEAR: usize = 10;
/// The δ of so many maps go into one pass over the gradients: 18 cache lines each, and they should stay in the first level.
const IMAGES_AT_ONCE: usize = 10;

/// The weights by which some maps' δ reach a range of earlier maps: for each six of these `[δ][tap][6]`, at the end fewer.
pub(super) struct Packed {
    first: usize,
    count: usize,
    deltas: usize,
    data: Vec<f32>,
}

multiversion! {
    /// Adds the images of row `row` of a block to row `y` of the gradients, with packed weights.
    ///
    /// # Safety
    /// Nobody else uses that row of these maps' gradients meanwhile.
    pub(super) [unsafe] fn push(weights: &Packed, images: (&Adjoint, usize), gradients: View, y: usize) = push_body
}

#[inline(always)]
unsafe fn push_body<L: Lanes>(weights: &Packed, (images, row): (&Adjoint, usize), gradients: View, y: usize) {
    // SAFETY: the caller's promise.
    unsafe { weights.push::<L>(images, row, gradients, y) };
}

impl Packed {
    /// Packs `weights(δ)`, nine taps for every map from number 0 on, for `count` maps from `first` on.
    pub(super) fn new<'a>(
        first: usize,
        count: usize,
        deltas: usize,
        weights: impl Fn(usize) -> &'a [[f32; 9]],
    ) -> Self {
        let mut data = Vec::with_capacity(9 * count * deltas);
        for map in (first..first + count).step_by(TOGETHER) {
            let maps = map..(first + count).min(map + TOGETHER);
            for delta in 0..deltas {
                let weights = weights(delta);
                data.extend((0..9).flat_map(|tap| maps.clone().map(move |map| weights[map][tap])));
            }
        }
        Self { first, count, deltas, data }
    }

    /// As the function [`push`].
    #[inline(always)]
    unsafe fn push<L: Lanes>(&self, images: &Adjoint, row: usize, gradients: View, y: usize) {
        let (columns, map_step) = (gradients.size.padded(), gradients.map_step());
        for tile in 0..columns.div_ceil(SPAN) {
            let images = images.tile(row, tile);
            let first = gradients.at(y, self.first).wrapping_add(tile * SPAN);
            // The next tile's δ, and its gradients if they all fit beside; else the next maps' below.
            images.iter().flat_map(|image| [1, 4, 7].map(|centre| image.at(centre, SPAN))).for_each(ask);
            if self.count <= NEAR {
                (0..self.count).for_each(|map| ask(first.wrapping_add(map * map_step + SPAN)));
            }
            for from in (0..self.deltas).step_by(IMAGES_AT_ONCE) {
                let count = (self.deltas - from).min(IMAGES_AT_ONCE);
                for done in (0..self.count).step_by(TOGETHER) {
                    let together = (self.count - done).min(TOGETHER);
                    let gradients = first.wrapping_add(done * map_step);
                    if self.count > NEAR {
                        (together..2 * together).for_each(|map| ask(gradients.wrapping_add(map * map_step)));
                    }
                    let job = Tile {
                        images: &images[from..from + count],
                        weights: &self.data[9 * (done * self.deltas + from * together)..][..9 * count * together],
                        gradients,
                        map_step,
                        columns: (columns - tile * SPAN).min(SPAN),
                    };
                    // SAFETY: images and gradients hold the tile's columns; the rest is the caller's promise.
                    unsafe {
                        match together {
                            6 => job.add::<L, 6>(),
                            5 => job.add::<L, 5>(),
                            4 => job.add::<L, 4>(),
                            3 => job.add::<L, 3>(),
                            2 => job.add::<L, 2>(),
                            _ => job.add::<L, 1>(),
                        }
                    }
                }
            }
        }
    }
}

/// Asks for the columns of a tile, from an address on.
#[inline(always)]
fn ask(address: *const f32) {
    prefetch_near(address, SPAN);
}

/// A few maps' gradients in one row, up to 64 columns, and the images that reach them.
struct Tile<'a> {
    images: &'a [Taps],
    /// `[δ][tap][map]`.
    weights: &'a [f32],
    gradients: *mut f32,
    map_step: usize,
    /// 64, or 32 at the end of a row.
    columns: usize,
}

impl Tile<'_> {
    /// Adds the images to `M` maps.
    ///
    /// # Safety
    /// The addresses hold what the fields say, and nobody else uses the gradients meanwhile.
    #[inline(always)]
    unsafe fn add<L: Lanes, const M: usize>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            if L::N == 16 && self.columns == SPAN {
                self.add_columns::<L, M, 4>(0);
            } else {
                for x in (0..self.columns).step_by(2 * L::N) {
                    self.add_columns::<L, M, 2>(x);
                }
            }
        }
    }

    /// Adds the images to `T` vectors of `M` maps.
    ///
    /// # Safety
    /// As [`Self::add`].
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
    unsafe fn add_columns<L: Lanes, const M: usize, const T: usize>(&self, x: usize) {
        let gradients = self.gradients.wrapping_add(x);
        let mut sums = [[L::splat(0.0); T]; M];
        for m in 0..M {
            for i in 0..T {
                // SAFETY: the caller's promise, here and below.
                sums[m][i] = unsafe { L::read(gradients.wrapping_add(m * self.map_step + i * L::N)) };
            }
        }
        let weights = self.weights.as_chunks::<M>().0.as_chunks::<9>().0;
        for (image, weights) in self.images.iter().zip(weights) {
            for tap in 0..9 {
                let from = image.at(tap, x);
                // SAFETY: as above.
                let values: [L; T] = std::array::from_fn(|i| unsafe { L::read(from.wrapping_add(i * L::N)) });
                for m in 0..M {
                    let weight = L::splat(weights[tap][m]);
                    for i in 0..T {
                        sums[m][i] = values[i].fma(weight, sums[m][i]);
                    }
                }
            }
        }
        for m in 0..M {
            for i in 0..T {
                // SAFETY: as above.
                unsafe { sums[m][i].write(gradients.wrapping_add(m * self.map_step + i * L::N)) };
            }
        }
    }
}

multiversion! {
    /// Adds to the weight gradients of all maps from number 0 on for which there are sums, `[map][tap]` sets of 16 lanes, and
    /// behind them to the set of the bias: the images of map number `images.1` of a block, `rows.1` rows from `rows.0` on.
    /// Meanwhile looks ahead, a step for every few maps.
    ///
    /// # Safety
    /// Nobody writes the maps meanwhile.
    pub(super) [unsafe] fn weight_sums(
        images: (&Adjoint, usize),
        maps: View,
        rows: (usize, usize),
        sums: &mut [f32],
        ahead: &mut Ahead,
    ) = weight_sums_body
}

#[inline(always)]
unsafe fn weight_sums_body<L: Lanes>(
    (images, delta): (&Adjoint, usize),
    maps: View,
    (y, rows): (usize, usize),
    sums: &mut [f32],
    ahead: &mut Ahead,
) {
    let count = sums.len() / (9 * LANES);
    let (sums, bias) = sums.split_at_mut(9 * LANES * count);
    let together = if L::N == 16 { 3 } else { 1 };
    for (i, sums) in sums.chunks_mut(9 * LANES * together).enumerate() {
        ahead.step();
        let block = Rows { images, delta, maps, map: i * together, y, rows };
        for half in (0..LANES).step_by(L::N) {
            // SAFETY: as many maps as there are sums; the rest is the caller's promise.
            unsafe {
                match sums.len() / (9 * LANES) {
                    3 => block.sum::<L, 3>(half, sums),
                    2 => block.sum::<L, 2>(half, sums),
                    _ => block.sum::<L, 1>(half, sums),
                }
            }
        }
    }
    for row in 0..rows {
        for tile in 0..maps.size.padded().div_ceil(SPAN) {
            let image = images.tile(row, tile)[delta];
            for x in (0..(maps.size.padded() - tile * SPAN).min(SPAN)).step_by(L::N) {
                let lanes = &mut bias[x % LANES..][..L::N];
                // SAFETY: the image of the centre tap is δ itself, up to whole tiles of the maps.
                unsafe { L::read(image.at(4, x)) }.fma(L::splat(1.0), L::load(lanes)).store(lanes);
            }
        }
    }
}

/// Some rows of one δ's images and of the maps from `map` on.
struct Rows<'a> {
    images: &'a Adjoint,
    delta: usize,
    maps: View,
    map: usize,
    y: usize,
    rows: usize,
}

impl Rows<'_> {
    /// Adds to the lanes from `half` on of `M` maps' weight gradients.
    ///
    /// # Safety
    /// Nobody writes the maps meanwhile, and there are `M` from `map` on.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of register tiles, known when compiled")]
    unsafe fn sum<L: Lanes, const M: usize>(&self, half: usize, sums: &mut [f32]) {
        let Self { images, delta, maps, map, .. } = *self;
        prefetch_near(sums.as_ptr().wrapping_add(sums.len()), sums.len());
        let mut lanes = [[L::splat(0.0); 9]; M];
        for m in 0..M {
            for tap in 0..9 {
                lanes[m][tap] = L::load(&sums[(9 * m + tap) * LANES + half..]);
            }
        }
        for row in 0..self.rows {
            let start = maps.at(self.y + row, map).wrapping_add(half);
            let next = start.wrapping_add(M * maps.map_step()).cast_const();
            for run in images.runs(delta).into_iter().filter(|run| !run.is_empty()) {
                let image = images.tile(row, run.start)[delta];
                let from = start.wrapping_add(run.start * SPAN);
                let end = (run.end * SPAN).min(maps.size.padded()) - run.start * SPAN;
                for x in (0..end).step_by(LANES) {
                    // Rows of maps lie behind one another: `M` cache lines a step are all of the next ones.
                    prefetch_near(next.wrapping_add(M * (run.start * SPAN + x)), M * LANES);
                    // SAFETY: inside the row and its images, with the other half of 16 lanes beside.
                    let value: [L; M] =
                        std::array::from_fn(|m| unsafe { L::read(from.wrapping_add(m * maps.map_step() + x)) });
                    for tap in 0..9 {
                        // SAFETY: as above.
                        let image = unsafe { L::read(image.at(tap, half + x)) };
                        for m in 0..M {
                            lanes[m][tap] = image.fma(value[m], lanes[m][tap]);
                        }
                    }
                }
            }
        }
        for m in 0..M {
            for tap in 0..9 {
                lanes[m][tap].store(&mut sums[(9 * m + tap) * LANES + half..]);
            }
        }
    }
}
