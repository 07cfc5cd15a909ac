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

/// Returns the span of values.
pub(super) fn span(values: &[f32]) -> Span {
    let none = Span { low: f32::INFINITY, high: f32::NEG_INFINITY, broken: 0 };
    let of = |chunk: &[f32]| {
        let (low, high) = range_of(chunk);
        // NaN is passed over by min and max, so a chunk with finite ends may hold some: the sum of zeros tells.
        if low.is_finite() && high.is_finite() && chunk.iter().map(|v| v * 0.0).sum::<f32>() == 0.0 {
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

fn range_of(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

/// Returns the smallest and largest value.
pub(super) fn range(values: &[f32]) -> (f32, f32) {
    values
        .par_chunks(1 << 16)
        .map(range_of)
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
    }
}
