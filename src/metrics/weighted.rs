//! Percentiles of weighted samples.

use rayon::prelude::*;

use super::{distances::Sample, lists::Lists, region::Bits};
use crate::numeric::with_room_for;

/// All samples of a surface in the order of their distances: sorted once, then filtered for each region.
#[derive(Debug)]
pub(super) struct Sorted {
    /// (distance without sign, area, regions)
    samples: Vec<(f64, f64, Bits)>,
}

impl Sorted {
    pub(super) fn new(samples: &Lists<Sample>) -> Self {
        // Bits of numbers that are not negative are ordered as the numbers are; equal ones keep their order.
        let mut order: Vec<(u64, u32)> = with_room_for(samples.len());
        order.extend((0..).zip(samples.iter()).map(|(at, s)| (s.distance_mm.abs().to_bits(), at)));
        order.par_sort_unstable();
        let gather = |&(bits, at): &(u64, u32)| {
            let (area_mm2, regions) = samples.get(at as usize).map_or((0.0, 0), |sample| (sample.area_mm2, sample.at));
            (f64::from_bits(bits), area_mm2, regions)
        };
        let mut samples = with_room_for(order.len());
        order.par_iter().map(gather).collect_into_vec(&mut samples);
        Self { samples }
    }

    /// Returns the samples of one region.
    pub(super) fn within(&self, region: Bits) -> Ordered {
        let here = self.samples.iter().filter(|sample| sample.2 & region != 0);
        Ordered::new(here.map(|&(d, area, _)| (d, area)), self.samples.len())
    }
}

/// Samples in the order of their values, each with the weight of all up to it.
#[derive(Debug)]
pub(super) struct Ordered {
    /// (value, weight of this sample and all before it)
    steps: Vec<(f64, f64)>,
}

impl Ordered {
    /// Adds up the weights of samples (value, weight), at most so many, that come in order.
    fn new(samples: impl Iterator<Item = (f64, f64)>, most: usize) -> Self {
        let mut sum = 0.0;
        let step = |(value, weight): (f64, f64)| {
            sum += weight;
            (value, sum)
        };
        let mut steps = with_room_for(most);
        steps.extend(samples.map(step));
        Self { steps }
    }

    /// Returns the smallest value such that samples up to it hold at least this share of the weight.
    ///
    /// This is the inverse of the distribution function, without interpolation (Hyndman and Fan 1996, type 1): with area
    /// as weight, "95 % of the surface lies within this distance".
    pub(super) fn percentile(&self, share: f64) -> Option<f64> {
        let (last, total) = *self.steps.last()?;
        let at = self.steps.partition_point(|&(_, sum)| sum < share * total);
        Some(self.steps.get(at).map_or(last, |&(value, _)| value))
    }

    /// Returns how far the percentile moves when the share is off by at most `error`.
    pub(super) fn percentile_error(&self, share: f64, error: f64) -> Option<f64> {
        let at = self.percentile(share)?;
        Some((self.percentile(share + error)? - at).max(at - self.percentile(share - error)?))
    }

    /// Returns the weight of the samples whose value is at most `limit`.
    pub(super) fn weight_up_to(&self, limit: f64) -> f64 {
        let at = self.steps.partition_point(|&(value, _)| value <= limit);
        if at == 0 { 0.0 } else { self.steps[at - 1].1 }
    }

    /// Returns the weight of all samples, summed in order.
    pub(super) fn weight(&self) -> f64 {
        self.steps.last().map_or(0.0, |&(_, sum)| sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_hand() {
        let ordered = Ordered::new([(1.0, 2.0), (2.0, 1.0), (3.0, 1.0)].into_iter(), 3);
        assert_eq!(ordered.percentile(0.5), Some(1.0), "half of the weight is at 1");
        assert_eq!(ordered.percentile(0.51), Some(2.0));
        assert_eq!(ordered.percentile(0.95), Some(3.0));
        assert_eq!(ordered.percentile(1.0), Some(3.0));
        assert_eq!((ordered.percentile_error(0.5, 0.1), ordered.percentile_error(0.5, 0.3)), (Some(1.0), Some(2.0)));
        assert_eq!((ordered.weight_up_to(0.5), ordered.weight_up_to(2.0), ordered.weight()), (0.0, 3.0, 4.0));
        assert_eq!(Ordered::new(std::iter::empty(), 0).percentile(0.5), None);
    }
}
