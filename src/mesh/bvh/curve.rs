//! A curve through space: places that are near along it are near each other.

use crate::numeric::with_room_for;

/// Cells of the curve along each axis, as a power of two.
const BITS: u32 = 10;

/// A Morton curve over a cube.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    low: [f32; 3],
    scale: f32,
}

impl Curve {
    /// Returns the curve over the cube around a box.
    pub(super) fn over((low, high): ([f32; 3], [f32; 3])) -> Self {
        let width = (0..3).fold(0.0_f32, |width, axis| width.max(high[axis] - low[axis]));
        Self { low, scale: (1 << BITS) as f32 / width }
    }

    /// Returns where along the curve the cell of a place lies; any cell for a place that is no number.
    #[inline]
    pub(super) fn cell(&self, place: [f32; 3]) -> u32 {
        let last = (1 << BITS) - 1;
        let [x, y, z] = [0, 1, 2].map(|axis| (((place[axis] - self.low[axis]) * self.scale) as u32).min(last));
        spread(x) | spread(y) << 1 | spread(z) << 2
    }
}

/// Returns a number of ten bits with two zeros put before each.
const fn spread(bits: u32) -> u32 {
    let bits = (bits | bits << 16) & 0x0300_00FF;
    let bits = (bits | bits << 8) & 0x0300_F00F;
    let bits = (bits | bits << 4) & 0x030C_30C3;
    (bits | bits << 2) & 0x0924_9249
}

/// Bits that one round of sorting looks at: three rounds see 32.
const DIGIT: u32 = 11;

/// Sorts numbers whose lower halves ascend, by their upper halves: as a whole, that is.
///
/// Digit by digit from the last, each round in the order of the one before.
pub(super) fn sort_by_cell(keys: &mut Vec<u64>) {
    // Below this many, counting digits takes longer than comparing numbers.
    if keys.len() < 1 << DIGIT {
        return keys.sort_unstable();
    }
    let digit = |key: u64, round: u32| (key >> (32 + DIGIT * round)) as usize & ((1 << DIGIT) - 1);
    let mut starts = [[0_u32; 1 << DIGIT]; 3];
    for &key in &*keys {
        for (round, starts) in (0..).zip(&mut starts) {
            starts[digit(key, round)] += 1;
        }
    }
    let mut sorted = with_room_for(keys.len());
    sorted.resize(keys.len(), 0);
    for (round, starts) in (0..).zip(&mut starts) {
        let mut before = 0;
        for start in &mut *starts {
            before += std::mem::replace(start, before);
        }
        for &key in &*keys {
            let at = &mut starts[digit(key, round)];
            sorted[*at as usize] = key;
            *at += 1;
        }
        std::mem::swap(keys, &mut sorted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    #[test]
    fn cells_are_sorted_as_numbers_are() {
        let mut stream = Seed([8; 32]).stream("cells", 0);
        for (count, most) in [(0, 1.0), (5, 9.0), (3000, 7.0), (3000, 4.0e9), (70_000, 1e9), (70_000, 4_294_967_296.0)]
        {
            let mut keys: Vec<u64> = (0..count).map(|at| (stream.between(0.0, most) as u64) << 32 | at).collect();
            if let Some(last) = keys.last_mut() {
                *last = u64::MAX;
            }
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort_by_cell(&mut keys);
            assert!(keys == expected, "{count} {most}");
        }
    }
}
