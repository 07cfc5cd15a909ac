//! Percentiles of weighted samples.

use rayon::prelude::*;

/// Samples in the order of their values, each with the weight of all up to it.
#[derive(Debug)]
pub(super) struct Ordered {
    /// (value, weight of this sample and all before it)
    steps: Vec<(f64, f64)>,
}

impl Ordered {
    /// Returns the samples (value, weight) in order. Equal values keep their order, so the sums are always the same.
    pub(super) fn new(mut samples: Vec<(f64, f64)>) -> Self {
        samples.par_sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        for (_, weight) in &mut samples {
            sum += *weight;
            *weight = sum;
        }
        Self { steps: samples }
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
        let ordered = Ordered::new(vec![(3.0, 1.0), (1.0, 2.0), (2.0, 1.0)]);
        assert_eq!(ordered.percentile(0.5), Some(1.0), "half of the weight is at 1");
        assert_eq!(ordered.percentile(0.51), Some(2.0));
        assert_eq!(ordered.percentile(0.95), Some(3.0));
        assert_eq!(ordered.percentile(1.0), Some(3.0));
        assert_eq!((ordered.weight_up_to(0.5), ordered.weight_up_to(2.0), ordered.weight()), (0.0, 3.0, 4.0));
        assert_eq!(Ordered::new(Vec::new()).percentile(0.5), None);
    }
}
