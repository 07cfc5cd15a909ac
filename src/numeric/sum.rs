//! Sums whose order is fixed by the length alone.

/// Leaves of the tree: summed left to right.
const LEAF: usize = 256;

/// Returns the sum over a fixed binary tree with leaves of 256 values, so the result depends on the values and their
/// order only, never on the number of threads or lanes. Pairwise summation also keeps the error at O(log n).
#[must_use]
pub fn tree_sum(values: &[f64]) -> f64 {
    if values.len() <= LEAF {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    let leaves = values.len().div_ceil(LEAF);
    let (left, right) = values.split_at(leaves.div_ceil(2) * LEAF);
    tree_sum(left) + tree_sum(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_exactly_where_exact_is_possible() {
        let values: Vec<f64> = (1..=10_000).map(f64::from).collect();
        assert_eq!(tree_sum(&values), 50_005_000.0);
        assert_eq!(tree_sum(&[]), 0.0);
    }
}
