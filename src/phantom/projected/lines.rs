//! The one costly loop, used both ways: a row of samples is read at equal steps with linear interpolation and added up.
//!
//! ```text
//! projection:      a row of the map      read once per detector bin      (Joseph's method, IEEE TMI 1, 1982)
//! back-projection: a filtered view       read once per pixel of a row
//! ```
//! Places are 64-bit fixed point with 32 bits after the point, so that no place depends on how many were visited before.
//! `N` quantities lie side by side in a sample, so that several materials share one place; `K` rows are read in one pass,
//! so that a sum is loaded and stored once for all of them. Both only save time: the order of the additions is written
//! down here and the same on every machine.

use std::ops::Range;

/// Bits after the point.
const BITS: u32 = 32;
/// The unit of the fraction, of which 31 bits are read: signed integers become floats faster.
const FRACTION: f32 = 1.0 / (1_u64 << (BITS - 1)) as f32;

/// A sample of a row, and by how much the next one is larger, in units of the fraction: one load for both.
pub(super) type Sample<const N: usize> = [[f32; N]; 2];

/// Returns rows ready to be read, one quantity each; behind the last sample they stay.
pub(super) fn samples<const N: usize>(rows: [&[f32]; N]) -> Vec<Sample<N>> {
    let len = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let rise = |row: &[f32], i: usize| row.get(i + 1).map_or(0.0, |next| FRACTION * (next - row[i]));
    (0..len).map(|i| [rows.map(|row| row[i]), rows.map(|row| rise(&row[..len], i))]).collect()
}

/// Places along a row: the first, and the step to the next; in samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    first: i64,
    step: i64,
}

impl Places {
    /// Returns places from the first one on; magnitudes below a million samples.
    pub(super) fn new(first: f64, step: f64) -> Self {
        let fixed = |value: f64| (value * (1_u64 << BITS) as f64).round_ties_even() as i64;
        Self { first: fixed(first), step: fixed(step) }
    }

    /// Returns which of the first `count` places lie from sample `low` up to, not including, sample `high`.
    pub(super) fn within(self, low: usize, high: usize, count: usize) -> Range<usize> {
        let (low, high, count) = ((low as i64) << BITS, (high as i64) << BITS, count as i64);
        let above = |bound: i64, step: i64, first: i64| -(first - bound).div_euclid(step);
        let (start, end) = match self.step {
            0 if (low..high).contains(&self.first) => (0, count),
            0 => (0, 0),
            // The first place at or above a bound, and likewise along the mirrored row.
            step if step > 0 => (above(low, step, self.first), above(high, step, self.first)),
            step => (above(1 - high, -step, -self.first), above(1 - low, -step, -self.first)),
        };
        let start = start.clamp(0, count);
        start as usize..end.clamp(start, count) as usize
    }
}

/// A row and the places at which it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a, const N: usize> {
    pub(super) row: &'a [Sample<N>],
    pub(super) places: Places,
}

impl<const N: usize> Line<'_, N> {
    /// Returns the row's value at a place in fixed point.
    #[inline(always)]
    fn at(&self, place: i64) -> [f32; N] {
        let [value, rise] = &self.row[(place >> BITS) as usize];
        let share = (place as u32 >> 1) as i32 as f32;
        std::array::from_fn(|n| value[n] + share * rise[n])
    }
}

/// Adds to each sum of a range the values of `K` rows at its places, themselves added up from the first row to the last.
/// All places of the range must lie within their rows.
pub(super) fn add<const N: usize, const K: usize>(lines: [Line<'_, N>; K], range: Range<usize>, sums: &mut [[f32; N]]) {
    let mut places = lines.map(|line| line.places.first + line.places.step * range.start as i64);
    for sum in &mut sums[range] {
        let mut total = lines[0].at(places[0]);
        for k in 1..K {
            let more = lines[k].at(places[k]);
            total = std::array::from_fn(|n| total[n] + more[n]);
        }
        *sum = std::array::from_fn(|n| sum[n] + total[n]);
        for k in 0..K {
            places[k] += lines[k].places.step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_read_exactly() {
        let row = samples([&(0..20).map(|i| 3.0 + 0.5 * i as f32).collect::<Vec<f32>>()]);
        for (first, step) in [(2.25, 0.75), (18.5, -1.25), (-4.0, 1.5), (7.0, 0.0), (25.0, -0.5)] {
            let places = Places::new(first, step);
            let range = places.within(0, 19, 16);
            let mut sums = [[0.0]; 16];
            add([Line { row: &row, places }], range.clone(), &mut sums);
            for (k, &[sum]) in sums.iter().enumerate() {
                let at = first + step * k as f64;
                let inside = (0.0..19.0).contains(&at);
                assert_eq!(range.contains(&k), inside, "place {at}");
                let expected = if inside { 3.0 + 0.5 * at as f32 } else { 0.0 };
                assert_eq!(sum, expected, "place {at}");
            }
        }
    }

    #[test]
    fn quantities_and_rows_together_give_the_bits_that_they_give_alone() {
        let noise = |seed: u32| (0..60_u32).map(|i| (i * i * seed % 97) as f32 * 0.37 - 11.0).collect::<Vec<f32>>();
        let (a, b) = (noise(31), noise(57));
        let places = [Places::new(3.3, 0.71), Places::new(50.2, -0.83)];
        let both = samples([&a, &b]);
        let mut together = vec![[1.5, -2.5]; 50];
        add(places.map(|places| Line { row: &both, places }), 2..48, &mut together);
        for (n, quantity) in [&a, &b].into_iter().enumerate() {
            let row = samples([quantity]);
            for (k, found) in together.iter().enumerate() {
                let start = [1.5, -2.5][n];
                // The plain version: one place at a time, from its own definition.
                let value = |places: Places| {
                    let place = places.first + places.step * k as i64;
                    let [[value], [rise]] = row[(place >> BITS) as usize];
                    value + (place as u32 >> 1) as i32 as f32 * rise
                };
                let expected = if (2..48).contains(&k) { start + (value(places[0]) + value(places[1])) } else { start };
                assert_eq!(found[n].to_bits(), expected.to_bits());
            }
        }
    }
}
