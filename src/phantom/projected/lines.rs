//! The one costly loop, used both ways: a row of samples is read at equal steps with linear interpolation and added up.
//!
//! ```text
//! projection:      a row of the map      read once per detector bin      (Joseph's method, IEEE TMI 1, 1982)
//! back-projection: a filtered view       read once per pixel of a row
//! ```
//! Places are 64-bit fixed point with 32 bits after the point, so that no place depends on how many were visited before.

use std::ops::Range;

/// Bits after the point.
const BITS: u32 = 32;
/// The unit of the fraction, of which 31 bits are read: signed integers become floats faster.
const FRACTION: f32 = 1.0 / (1_u64 << (BITS - 1)) as f32;

/// A sample of a row, and by how much the next one is larger: one load for both.
pub(super) type Sample = [f32; 2];

/// Returns a row ready to be read; behind the last sample it stays.
pub(super) fn samples(row: &[f32]) -> Vec<Sample> {
    (0..row.len()).map(|i| [row[i], row.get(i + 1).map_or(0.0, |next| next - row[i])]).collect()
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

    /// Adds `weight` times the row's value at each place of a range to `sums`; all places must lie within the row.
    pub(super) fn add(self, row: &[Sample], range: Range<usize>, weight: f32, sums: &mut [f32]) {
        let mut place = self.first + self.step * range.start as i64;
        for sum in &mut sums[range] {
            let [value, rise] = row[(place >> BITS) as usize];
            let share = (place as u32 >> 1) as i32 as f32 * FRACTION;
            *sum += weight * (value + share * rise);
            place += self.step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_read_exactly() {
        let row = samples(&(0..20).map(|i| 3.0 + 0.5 * i as f32).collect::<Vec<f32>>());
        for (first, step) in [(2.25, 0.75), (18.5, -1.25), (-4.0, 1.5), (7.0, 0.0), (25.0, -0.5)] {
            let places = Places::new(first, step);
            let range = places.within(0, 19, 16);
            let mut sums = [0.0; 16];
            places.add(&row, range.clone(), 2.0, &mut sums);
            for (k, &sum) in sums.iter().enumerate() {
                let at = first + step * k as f64;
                let inside = (0.0..19.0).contains(&at);
                assert_eq!(range.contains(&k), inside, "place {at}");
                let expected = if inside { 2.0 * (3.0 + 0.5 * at as f32) } else { 0.0 };
                assert_eq!(sum, expected, "place {at}");
            }
        }
    }
}
