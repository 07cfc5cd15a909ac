//! Completing layers that follow one after the other, as a wave over the rows: each layer lags behind the one before by its
//! dilation, so that the rows which it reads are there, and still in the second-level cache. Layer by layer over the whole
//! slice, each would fetch all of them from memory again.
//!
//! Threads take a band of rows each. Where bands meet, a layer stays away from the boundary as far as it would need rows of
//! the other band; what is missing around each boundary is made up for afterwards, layer by layer.

#![expect(unsafe_code, reason = "threads write different rows of the maps")]

use std::ops::Range;

use rayon::prelude::*;

use super::{Simd, block::Block, convolve::Team, head::Logits, maps::finish_row, worth_splitting};

/// Rows that a layer advances at a time.
const STEP: usize = 20;
/// Rows of a band, at least, for each row that its last layer lags behind the first.
const ROWS_PER_LAG: usize = 4;

/// Adds to the layers `to` all maps from the start of `from` on, rectifies them, sets their borders, and adds them to the
/// logits.
pub(super) fn finish(block: &Block<'_>, logits: &Logits<'_>, simd: Simd) {
    let work = 9 * block.net.width * block.to.len() * block.maps.size.pixels();
    let bands = if worth_splitting(work) { rayon::current_num_threads() } else { 1 };
    let mut start = block.to.start;
    while start < block.to.end {
        let wave = Wave::new(block, start, bands);
        let first = if start == 0 { 0 } else { block.net.inputs(start) };
        start += wave.layers.len();
        wave.run(&Ending { logits, channels: first..block.net.inputs(start), simd });
    }
}

/// A layer of a wave.
struct Layer<'a> {
    /// What is added to it.
    block: Block<'a>,
    teams: Vec<Team>,
    /// Rows by which it lags behind the first layer.
    lag: usize,
}

/// Layers that are completed together.
struct Wave<'a> {
    layers: Vec<Layer<'a>>,
    rows: usize,
    bands: usize,
}

/// What follows when all layers of a wave are complete in a row.
struct Ending<'a> {
    logits: &'a Logits<'a>,
    /// The maps to be added to the logits.
    channels: Range<usize>,
    simd: Simd,
}

impl<'a> Wave<'a> {
    /// Returns as many layers from `start` on as the bands have rows for.
    fn new(block: &Block<'a>, start: usize, bands: usize) -> Self {
        let (net, rows) = (block.net, block.maps.size.rows);
        let mut wave = Self { layers: Vec::new(), rows, bands };
        let mut lag = 0;
        for layer in start..block.to.end {
            if layer > start {
                lag += net.dilation(layer);
            }
            if bands > 1 && ROWS_PER_LAG * lag > rows / bands {
                break;
            }
            let block = Block { from: block.from.start..net.inputs(layer), to: layer..layer + 1, ..*block };
            let teams = block.teams();
            wave.layers.push(Layer { block, teams, lag });
        }
        wave
    }

    /// Completes the layers.
    fn run(&self, ending: &Ending<'_>) {
        if self.bands == 1 {
            self.sweep(0, ending);
            return;
        }
        (0..self.bands).into_par_iter().for_each(|band| self.sweep(band, ending));
        for layer in 1..self.layers.len() {
            let pieces: Vec<_> = (1..self.bands).flat_map(|band| self.missing(layer, band)).collect();
            // SAFETY: the pieces are disjoint, and in all other rows the layer is complete; so are the layers before.
            pieces.into_par_iter().for_each(|rows| unsafe { self.finish(layer, rows, ending) });
        }
    }

    /// Returns the first row of a band.
    const fn start(&self, band: usize) -> usize {
        band * self.rows / self.bands
    }

    /// Completes the layers in a band, as far as they need no rows of other bands.
    fn sweep(&self, band: usize, ending: &Ending<'_>) {
        let rows = self.start(band)..self.start(band + 1);
        let start = |lag: usize| if band > 0 { rows.start + lag } else { 0 };
        let end = |lag: usize| if band + 1 < self.bands { rows.end - lag } else { rows.end };
        let mut done: Vec<usize> = self.layers.iter().map(|layer| start(layer.lag)).collect();
        let most = self.layers.last().map_or(0, |layer| layer.lag);
        for front in (rows.start..rows.end + most).step_by(STEP) {
            for (number, (layer, done)) in self.layers.iter().zip(&mut done).enumerate() {
                let upto = (front + STEP).saturating_sub(layer.lag).min(end(layer.lag));
                if upto > *done {
                    // SAFETY: nobody else uses rows of these layers in this band; those that the layer reads lie in the
                    // band too, and the layers before are at least a dilation ahead.
                    unsafe { self.finish(number, *done..upto, ending) };
                    *done = upto;
                }
            }
        }
    }

    /// Returns the rows around the start of a band in which a layer is not complete after the sweeps, cut for all threads.
    fn missing(&self, layer: usize, band: usize) -> Vec<Range<usize>> {
        let lag = self.layers[layer].lag;
        let (first, count) = (self.start(band) - lag, 2 * lag);
        let length = count.div_ceil(count.div_ceil(STEP).next_multiple_of(self.bands));
        (0..count).step_by(length).map(|at| first + at..first + count.min(at + length)).collect()
    }

    /// Completes a layer in some rows.
    ///
    /// # Safety
    /// Nobody else uses these rows of the layer meanwhile. The layers before are complete where its taps reach, and nobody
    /// writes them there.
    unsafe fn finish(&self, number: usize, rows: Range<usize>, ending: &Ending<'_>) {
        let Layer { block, teams, .. } = &self.layers[number];
        if !block.from.is_empty() {
            // SAFETY: the caller's promise, here and below.
            unsafe { block.add_to_rows(teams, block.from.clone(), rows.clone(), ending.simd) };
        }
        let channels = block.net.inputs(block.to.start)..block.net.inputs(block.to.end);
        for y in rows {
            for channel in channels.clone() {
                // SAFETY: as above.
                unsafe { finish_row(ending.simd, block.maps, y, channel, block.net.border) };
            }
            if number + 1 == self.layers.len() {
                // SAFETY: the layers before are ahead; this row of the logits belongs to this call like that of the layer.
                unsafe { ending.logits.add(block.maps, ending.channels.clone(), y, ending.simd) };
            }
        }
    }
}
