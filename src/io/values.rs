//! What is asked of the values of an image as a whole: their range, and whether all are numbers.

use rayon::prelude::*;

/// The value of air, HU: what voxels outside a scanner's field of view are set to.
pub(super) const AIR_HU: f32 = -1024.0;

/// Smallest and largest finite value, and how many are none.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) low: f32,
    pub(super) high: f32,
    pub(super) broken: usize,
}

/// Values that are looked at side by side: a few vectors of any width.
const LANES: usize = 32;
/// The bits of a positive infinity; what has no sign and is not below it is no finite number.
const INFINITE: i32 = 0x7F80_0000;

/// Returns the span of values.
pub(super) fn span(values: &[f32]) -> Span {
    let none = Span { low: f32::INFINITY, high: f32::NEG_INFINITY, broken: 0 };
    let of = |chunk: &[f32]| {
        let (low, high, largest) = lanes(chunk);
        if largest < INFINITE {
            return Span { low, high, broken: 0 };
        }
        let finite = |v: &&f32| v.is_finite();
        let broken = chunk.len() - chunk.iter().filter(finite).count();
        let (low, high) =
            chunk.iter().filter(finite).fold((none.low, none.high), |(low, high), &v| (low.min(v), high.max(v)));
        Span { low, high, broken }
    };
    values
        .par_chunks(1 << 16)
        .map(of)
        .reduce(|| none, |a, b| Span { low: a.low.min(b.low), high: a.high.max(b.high), broken: a.broken + b.broken })
}

/// Returns the smallest and largest value, those that are no number passed over, and the largest of the values' bits without
/// their signs. Written so that it becomes vectors.
fn lanes(values: &[f32]) -> (f32, f32, i32) {
    let mut low = [f32::INFINITY; LANES];
    let mut high = [f32::NEG_INFINITY; LANES];
    let mut largest = [0_i32; LANES];
    let mut take = |i: usize, v: f32| {
        low[i] = if v < low[i] { v } else { low[i] };
        high[i] = if v > high[i] { v } else { high[i] };
        let bits = (v.to_bits() & 0x7FFF_FFFF) as i32;
        largest[i] = if bits > largest[i] { bits } else { largest[i] };
    };
    let (rows, rest) = values.as_chunks::<LANES>();
    for row in rows {
        (0..LANES).for_each(|i| take(i, row[i]));
    }
    rest.iter().for_each(|&v| take(0, v));
    let fold = |lanes: &[f32], pick: fn(f32, f32) -> f32| lanes.iter().copied().reduce(pick).unwrap_or(0.0);
    (fold(&low, f32::min), fold(&high, f32::max), largest.iter().copied().max().unwrap_or(0))
}

/// Returns the smallest and largest value.
pub(super) fn range(values: &[f32]) -> (f32, f32) {
    values
        .par_chunks(1 << 16)
        .map(|chunk| {
            let (low, high, _) = lanes(chunk);
            (low, high)
        })
        .reduce(|| (f32::INFINITY, f32::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Returns the value for voxels that resampling adds outside the slices: the scan's own lowest, at least air.
pub(super) fn fill(values: &[f32]) -> f32 {
    let low = range(values).0;
    if low.is_finite() { low.max(AIR_HU) } else { AIR_HU }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_counted_and_stays_out_of_the_range() {
        let mut values = vec![3.0; 200_000];
        (values[5], values[100_000], values[150_000], values[199_999]) = (f32::NAN, f32::INFINITY, -7.5, f32::NAN);
        let found = span(&values);
        assert_eq!((found.low, found.high, found.broken), (-7.5, 3.0, 3));
        assert_eq!((range(&values[..5]), fill(&[-2000.0]), fill(&[7.0])), ((3.0, 3.0), AIR_HU, 7.0));
        assert_eq!(span(&[f32::NAN]).broken, 1);
        assert_eq!((span(&[f32::MAX, -f32::MAX]).broken, span(&[]).broken), (0, 0));
    }

    #[test]
    fn side_by_side_is_one_after_the_other() {
        for length in [0, 1, 31, 32, 33, 1000] {
            let values: Vec<f32> = (0..length).map(|i| ((i * 7919 % 1009) as f32 - 500.0) / 3.0).collect();
            let plain = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
            assert_eq!(range(&values), plain, "{length}");
        }
    }
}
