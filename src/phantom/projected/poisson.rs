//! Numbers of photons: exact Poisson draws from a stream, the same on every machine.

use crate::numeric::Stream;

/// Below this mean, photons are counted one after the other.
const FEW: f64 = 10.0;

/// Draws a Poisson number of a mean.
///
/// Below a mean of 10 by products of uniform numbers (Knuth), else by transformed rejection with squeeze (W. Hörmann,
/// "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and Economics 12,
/// 1993, algorithm PTRS). Both are exact up to the rounding of `libm`'s functions. A mean that is not positive gives 0.
pub(super) fn poisson(mean: f64, stream: &mut Stream) -> f64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0.0;
    }
    if mean < FEW {
        let floor = libm::exp(-mean);
        let (mut count, mut product) = (0.0, stream.unit());
        while product > floor {
            count += 1.0;
            product *= stream.unit();
        }
        return count;
    }
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.024_83 * b;
    let hat = 1.1239 + 1.1328 / (b - 3.4);
    let quick = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = stream.unit() - 0.5;
        let v = stream.unit();
        let near = 0.5 - u.abs();
        let count = ((2.0 * a / near + b) * u + mean + 0.43).floor();
        if near >= 0.07 && v <= quick {
            return count;
        }
        if count < 0.0 || (near < 0.013 && v > near) {
            continue;
        }
        let height = libm::log(v * hat / (a / (near * near) + b));
        if height <= count * libm::log(mean) - mean - libm::lgamma(count + 1.0) {
            return count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    /// Compares observed counts with the distribution's, by chi² over the cells that expect at least five.
    fn chi_squared_per_cell(mean: f64, draws: usize) -> f64 {
        let mut stream = Seed([9; 32]).stream("poisson", mean as u64);
        let mut seen = vec![0_u32; (mean + 20.0 * mean.sqrt() + 20.0) as usize];
        for _ in 0..draws {
            seen[poisson(mean, &mut stream) as usize] += 1;
        }
        let expected =
            |k: usize| draws as f64 * libm::exp(k as f64 * libm::log(mean) - mean - libm::lgamma(k as f64 + 1.0));
        let cells: Vec<f64> = (0..seen.len())
            .filter(|&k| expected(k) >= 5.0)
            .map(|k| (f64::from(seen[k]) - expected(k)).powi(2) / expected(k))
            .collect();
        cells.iter().sum::<f64>() / cells.len() as f64
    }

    #[test]
    fn draws_follow_the_distribution() {
        for mean in [0.7, 9.5, 10.5, 60.0, 2500.0] {
            let chi = chi_squared_per_cell(mean, 40_000);
            // Over 5 to 400 cells chi² per cell has a standard deviation of 0.63 to 0.07.
            assert!((0.2..2.6).contains(&chi), "mean {mean}: chi² per cell {chi:.2}");
        }
        assert_eq!(poisson(0.0, &mut Seed([1; 32]).stream("poisson", 0)), 0.0);
        assert_eq!(poisson(f64::NAN, &mut Seed([1; 32]).stream("poisson", 0)), 0.0);
    }
}
