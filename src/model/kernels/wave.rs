//! Layers that follow one after the other, as a wave over the rows: each lags behind the one before by as many rows as its
//! taps reach, so that the rows which it reads are there, and still in the second-level cache. Layer by layer over the whole
//! slice, each would fetch all of them from memory again.
//!
//! Threads take a band of rows each. Where bands meet, a layer stays away from the boundary as far as it would need rows of
//! the other band; what is missing around each boundary is made up for afterwards, layer by layer.

use std::ops::Range;

use rayon::prelude::*;

use super::worth_splitting;

/// Rows that a layer advances at a time.
const STEP: usize = 20;
/// Rows of a band, at least, for each row that its last layer lags behind the first: two are needed, and what is made up for
/// should be little.
const ROWS_PER_LAG: usize = 4;

/// How some layers are worked on together.
pub(super) struct Wave {
    /// Rows by which each layer lags behind the first.
    lags: Vec<usize>,
    rows: usize,
    bands: usize,
}

impl Wave {
    /// Returns a wave over so many rows of as many layers as the threads' bands have rows for. The layers are given by
    /// the number of rows that each reads of the layers before it, on both sides: 0 for the first. `work` is the number of
    /// their multiply-adds.
    pub(super) fn new(rows: usize, work: usize, reaches: impl Iterator<Item = usize>) -> Self {
        let bands = if worth_splitting(work) { rayon::current_num_threads() } else { 1 };
        let lags = reaches.scan(0, |lag, reach| {
            *lag += reach;
            (bands == 1 || ROWS_PER_LAG * *lag <= rows / bands).then_some(*lag)
        });
        Self { lags: lags.collect(), rows, bands }
    }

    /// Returns the number of layers.
    pub(super) const fn len(&self) -> usize {
        self.lags.len()
    }

    /// Calls `f(layer, rows)`, until each layer has had every row once: a layer after all earlier ones have had these rows and
    /// those that it reads, and nobody else meanwhile with any of these rows.
    pub(super) fn run(&self, f: impl Fn(usize, Range<usize>) + Sync) {
        if self.bands == 1 {
            self.sweep(0, &f);
            return;
        }
        (0..self.bands).into_par_iter().for_each(|band| self.sweep(band, &f));
        for layer in 1..self.len() {
            let pieces: Vec<_> = (1..self.bands).flat_map(|band| self.missing(layer, band)).collect();
            pieces.into_par_iter().for_each(|rows| f(layer, rows));
        }
    }

    /// Returns the first row of a band.
    const fn start(&self, band: usize) -> usize {
        band * self.rows / self.bands
    }

    /// Handles a band, as far as its layers need no rows of other bands.
    fn sweep(&self, band: usize, f: &impl Fn(usize, Range<usize>)) {
        let rows = self.start(band)..self.start(band + 1);
        let start = |lag: usize| if band > 0 { rows.start + lag } else { 0 };
        let end = |lag: usize| if band + 1 < self.bands { rows.end - lag } else { rows.end };
        let mut done: Vec<usize> = self.lags.iter().map(|&lag| start(lag)).collect();
        let most = self.lags.last().map_or(0, |&lag| lag);
        for front in (rows.start..rows.end + most).step_by(STEP) {
            for (layer, (&lag, done)) in self.lags.iter().zip(&mut done).enumerate() {
                let upto = (front + STEP).saturating_sub(lag).min(end(lag));
                if upto > *done {
                    f(layer, *done..upto);
                    *done = upto;
                }
            }
        }
    }

    /// Returns the rows around the start of a band that a layer has not had after the sweeps, cut for all threads.
    fn missing(&self, layer: usize, band: usize) -> Vec<Range<usize>> {
        let (first, count) = (self.start(band) - self.lags[layer], 2 * self.lags[layer]);
        let length = count.div_ceil(count.div_ceil(STEP).next_multiple_of(self.bands)).max(1);
        (0..count).step_by(length).map(|at| first + at..first + count.min(at + length)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_layer_has_every_row_once_after_those_that_it_reads() {
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for rows in [1, 7, 64, 100, 333] {
                pool.install(|| check(rows, &[0, 1, 2, 3, 10, 4]));
            }
        }
    }

    fn check(rows: usize, reaches: &[usize]) {
        let wave = Wave::new(rows, usize::MAX, reaches.iter().copied());
        assert!(wave.len() == reaches.len() || rayon::current_num_threads() > 1 && wave.len() >= 1);
        let done = Mutex::new(vec![vec![false; rows]; wave.len()]);
        wave.run(|layer, range| {
            let mut done = done.lock().unwrap();
            let read = range.start.saturating_sub(reaches[layer])..rows.min(range.end + reaches[layer]);
            assert!(done[..layer].iter().all(|done| done[read.clone()].iter().all(|&row| row)), "{layer} {range:?}");
            for row in range {
                assert!(!std::mem::replace(&mut done[layer][row], true), "layer {layer} has row {row} twice");
            }
        });
        assert!(done.into_inner().unwrap().iter().flatten().all(|&row| row));
    }
}
