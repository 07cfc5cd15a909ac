//! Summaries of few paired patients: mean and spread, bootstrap interval, exact permutation test.
//!
//! Every function takes the values of the patients in a fixed order and gives the same bits on every machine. What has no
//! value (the spread of one patient, the mean of none) is `None`, never NaN.

use serde::{Deserialize, Serialize};

use crate::numeric::{Seed, tree_sum};

/// Resamples of the bootstrap (STUDY 4).
pub const RESAMPLES: usize = 10_000;

/// Largest number of pairs whose sign flips are all visited: a million sums.
pub const EXACT_PAIRS: usize = 20;

/// Sign flips drawn when there are more pairs than that.
const DRAWN_FLIPS: usize = 100_000;

/// What a column of patients amounts to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Patients with a value.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Standard deviation with n - 1 in the denominator; none below two patients.
    pub sd: Option<f64>,
    /// Median; the mean of the middle two when n is even.
    pub median: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// 95 % percentile bootstrap interval of the mean over patients; none below two patients.
    pub ci95: Option<[f64; 2]>,
}

impl Summary {
    /// Returns the summary of the patients' values, which must be finite.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let sorted = sorted(values);
        Self {
            n: values.len(),
            mean: mean(values),
            sd: sd(values),
            median: quantile(&sorted, 0.5),
            min: sorted.first().copied(),
            max: sorted.last().copied(),
            ci95: bootstrap_mean(values),
        }
    }
}

/// Returns the arithmetic mean, or nothing of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| tree_sum(values) / values.len() as f64)
}

/// Returns the standard deviation with n - 1 in the denominator; it needs two values.
#[must_use]
pub fn sd(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean) * (value - mean)).collect();
    Some((tree_sum(&squares) / (values.len() - 1) as f64).sqrt())
}

/// Returns a quantile of sorted values, linear between order statistics (Hyndman and Fan 1996, type 7).
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let low = position.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (position - low as f64) * (sorted[high] - sorted[low]))
}

/// Returns the 95 % percentile interval of the mean over [`RESAMPLES`] resamples of the patients; it needs two.
///
/// The stream is fixed and starts anew at each call, so two methods on the same patients see the same resamples.
#[must_use]
pub fn bootstrap_mean(values: &[f64]) -> Option<[f64; 2]> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mut stream = Seed::derive(0, "table", "", 0).stream("bootstrap", 0);
    let draw_mean = |_| (0..n).map(|_| values[stream.below(n as u64) as usize]).sum::<f64>() / n as f64;
    let means: Vec<f64> = (0..RESAMPLES).map(draw_mean).collect();
    let means = sorted(&means);
    Some([quantile(&means, 0.025)?, quantile(&means, 0.975)?])
}

/// A two-sided paired permutation test of the mean difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// Pairs: patients with a value from both methods.
    pub n: usize,
    /// Mean of the differences, method minus baseline.
    pub mean_difference: f64,
    /// Share of sign flips whose mean difference is at least as far from zero.
    pub p: f64,
    /// Smallest p that so few pairs can give: 2 / 2^n.
    pub smallest_p: f64,
    /// Whether all 2^n sign flips were visited; else 100,000 were drawn from a fixed stream.
    pub exact: bool,
}

/// Returns the test of the differences (method minus baseline, a patient each), or nothing for no pairs.
///
/// Under the null hypothesis the two methods are exchangeable within a patient, so each difference may as well have the
/// other sign (Fisher 1935). Sums that differ by rounding alone count as equal.
#[must_use]
pub fn paired_permutation(differences: &[f64]) -> Option<PairedTest> {
    let n = differences.len();
    let observed: f64 = differences.iter().sum();
    let scale: f64 = differences.iter().map(|d| d.abs()).sum();
    let limit = observed.abs() - 1e-12 * scale;
    let exact = n <= EXACT_PAIRS;
    let p = if exact { exact_share(differences, limit) } else { drawn_share(differences, limit) };
    let smallest_p = if exact { 2.0 / (1_u64 << n) as f64 } else { 1.0 / (DRAWN_FLIPS + 1) as f64 };
    (n > 0).then(|| PairedTest { n, mean_difference: observed / n as f64, p, smallest_p: smallest_p.min(1.0), exact })
}

fn exact_share(differences: &[f64], limit: f64) -> f64 {
    let flips = 1_u32 << differences.len();
    let sum = |flip: u32| -> f64 {
        differences.iter().enumerate().map(|(i, &d)| if flip >> i & 1 == 1 { -d } else { d }).sum()
    };
    let extreme = (0..flips).filter(|&flip| sum(flip).abs() >= limit).count();
    extreme as f64 / f64::from(flips)
}

/// The observed sign pattern counts as one more draw, so p is never zero.
fn drawn_share(differences: &[f64], limit: f64) -> f64 {
    let mut stream = Seed::derive(0, "table", "", 0).stream("permutation", 0);
    let mut sum = || -> f64 { differences.iter().map(|&d| if stream.unit() < 0.5 { -d } else { d }).sum() };
    let extreme = (0..DRAWN_FLIPS).filter(|_| sum().abs() >= limit).count();
    (extreme + 1) as f64 / (DRAWN_FLIPS + 1) as f64
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_sd_and_median_by_hand() {
        let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(summary.mean, Some(5.0));
        assert_eq!(summary.sd, Some((32.0_f64 / 7.0).sqrt()));
        assert_eq!(summary.median, Some(4.5));
        assert_eq!((summary.min, summary.max, summary.n), (Some(2.0), Some(9.0), 8));
    }

    #[test]
    fn the_paper_s_columns_give_its_printed_spread() {
        let full = Summary::of(&[0.48, 0.30, 0.47, 0.09, 0.34]);
        assert!((full.mean.unwrap() - 0.336).abs() < 1e-12, "the paper prints 0.33");
        assert!((full.sd.unwrap() - 0.025_13_f64.sqrt()).abs() < 1e-12, "0.158..., printed 0.16");
    }

    #[test]
    fn few_patients_have_no_spread() {
        let none = Summary::of(&[]);
        assert_eq!((none.n, none.mean, none.sd, none.median, none.ci95), (0, None, None, None, None));
        let one = Summary::of(&[3.0]);
        assert_eq!((one.n, one.mean, one.sd, one.median, one.ci95), (1, Some(3.0), None, Some(3.0), None));
    }

    #[test]
    fn quantiles_are_linear_between_order_statistics() {
        let sorted = [10.0, 20.0, 40.0];
        assert_eq!(quantile(&sorted, 0.25), Some(15.0));
        assert_eq!(quantile(&sorted, 0.75), Some(30.0));
        assert_eq!(quantile(&sorted, 1.0), Some(40.0));
    }

    #[test]
    fn the_bootstrap_of_two_patients_is_their_range() {
        // A quarter of the resamples is (0, 0), a quarter (1, 1): the 2.5 % and 97.5 % points lie within them.
        assert_eq!(bootstrap_mean(&[0.0, 1.0]), Some([0.0, 1.0]));
        assert_eq!(bootstrap_mean(&[0.5; 5]), Some([0.5, 0.5]));
    }

    #[test]
    fn the_bootstrap_is_near_the_normal_interval_for_many() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i) / 399.0).collect();
        let half = 1.959_964 * sd(&values).unwrap() / 20.0;
        let [low, high] = bootstrap_mean(&values).unwrap();
        assert!((low - (0.5 - half)).abs() < 0.002 && (high - (0.5 + half)).abs() < 0.002, "{low} {high} {half}");
    }

    #[test]
    fn permutations_by_hand() {
        let all_better = paired_permutation(&[0.1, 0.2, 0.3, 0.4, 0.5]).unwrap();
        assert_eq!((all_better.p, all_better.smallest_p, all_better.exact), (0.0625, 0.0625, true));
        // +3 and -1: sums 2, -4, 4, -2: all four are at least 2 away from zero.
        assert_eq!(paired_permutation(&[3.0, -1.0]).unwrap().p, 1.0);
        // 1, 2, -3 (sum 0): everything is at least as extreme.
        assert_eq!(paired_permutation(&[1.0, 2.0, -3.0]).unwrap().p, 1.0);
        // 4, 3, -1: |sum| >= 6 for 4+3-1, 4+3+1 and their mirror images: 4 of 8.
        assert_eq!(paired_permutation(&[4.0, 3.0, -1.0]).unwrap().p, 0.5);
        assert_eq!(paired_permutation(&[]), None);
        assert_eq!(paired_permutation(&[0.0; 5]).unwrap().p, 1.0);
    }

    #[test]
    fn ties_by_rounding_count_as_equal() {
        // 0.1 + 0.2 - 0.3 is 5.6e-17, not 0: by exact arithmetic all eight sums are at least 0.
        assert_eq!(paired_permutation(&[0.1, 0.2, -0.3]).unwrap().p, 1.0);
    }

    #[test]
    fn many_pairs_are_drawn() {
        let test = paired_permutation(&[1.0; 30]).unwrap();
        assert!(!test.exact && test.p == 1.0 / 100_001.0, "{test:?}");
    }
}
