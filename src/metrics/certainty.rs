//! How far a sum of independent random terms may be from its mean: bounds that hold with a stated confidence.
//!
//! Each piece of a surface is sampled at one random place of its own, so that a sum over pieces is a sum of independent
//! terms with known limits. Such sums concentrate, and how closely is a theorem, not an estimate.

/// ln of the inverse of the chance that one inequality fails. A bound rests on at most 96 of them (three inequalities,
/// two directions, sixteen rounds of cutting): together less than 1e-9.
const LOG_CHANCE: f64 = 25.3;

/// What is known of a sum of independent terms y, of which each has a mean of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    /// Sum of the squares of the terms as they came out.
    pub(super) squares: f64,
    /// Largest size that any term could have had.
    pub(super) most: f64,
}

impl Spread {
    pub(super) fn add(&mut self, term: f64, most: f64) {
        self.squares += term * term;
        self.most = self.most.max(most);
    }

    pub(super) fn join(self, other: Self) -> Self {
        Self { squares: self.squares + other.squares, most: self.most.max(other.most) }
    }

    /// Returns how far the sum may be from its expected value.
    ///
    /// With c the square of the largest size, L the log chance and M the sum of squares: the sum of the second moments, and
    /// with it the variance, is at most v = (sqrt(cL/2) + sqrt(cL/2 + M))² (lower tail of a sum of terms that are not
    /// negative, Maurer 2003, theorem 2, with E y⁴ <= c E y²); the sum then deviates by at most sqrt(2vL) + 4/3 sqrt(c) L
    /// (Bernstein, terms within 2 sqrt(c) of their means).
    pub(super) fn error(self) -> f64 {
        let half = self.most * self.most * LOG_CHANCE / 2.0;
        let root = half.sqrt() + (half + self.squares).sqrt();
        root * (2.0 * LOG_CHANCE).sqrt() + 4.0 / 3.0 * self.most * LOG_CHANCE
    }
}

/// Returns how far a share of weighted pieces, each counted or not by its own sample, may be from the true share: the
/// square root of L/2 times the sum of the squared weights, over the whole weight (Hoeffding 1963, theorem 2).
pub(super) fn share_error(squared_weights: f64, weight: f64) -> f64 {
    (0.5 * LOG_CHANCE * squared_weights).sqrt() / weight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    #[test]
    fn sums_stay_within_their_bound_and_the_bound_is_not_idle() {
        for purpose in 0..200 {
            let mut stream = Seed([7; 32]).stream("certainty", purpose);
            let (mut spread, mut sum) = (Spread::default(), 0.0);
            // Rare large terms of mean 0: the worst case for a variance that is itself estimated.
            for _ in 0..5000 {
                let term = if stream.unit() < 0.01 { stream.between(-1.0, 1.0) } else { 0.0 };
                spread.add(term, 1.0);
                sum += term;
            }
            assert!(sum.abs() <= spread.error(), "{sum} {}", spread.error());
            assert!(spread.error() < 150.0, "of 5000: {}", spread.error());
        }
        assert_eq!(Spread::default().error(), 0.0);
    }
}
