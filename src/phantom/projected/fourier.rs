//! The fast Fourier transform of a power of two: one written chain of operations, so all machines give the same bits.

use std::f64::consts::TAU;

/// A complex number.
pub(super) type Complex = [f64; 2];

/// The tables of one length.
#[derive(Clone, Debug)]
pub(super) struct Fourier {
    /// `exp(-2πi k / n)` for k below half of the length.
    turns: Vec<Complex>,
    /// Where each element goes first.
    reversed: Vec<usize>,
}

impl Fourier {
    /// Returns the tables for the least power of two that is at least `length`.
    pub(super) fn at_least(length: usize) -> Self {
        let n = length.next_power_of_two().max(2);
        let angle = |k: usize| TAU * k as f64 / n as f64;
        Self {
            turns: (0..n / 2).map(|k| [libm::cos(angle(k)), -libm::sin(angle(k))]).collect(),
            reversed: (0..n).map(|i| i.reverse_bits() >> (usize::BITS - n.trailing_zeros())).collect(),
        }
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Transforms `len` elements in place (Cooley and Tukey, decimation in time).
    pub(super) fn forward(&self, values: &mut [Complex]) {
        let n = self.len();
        for (i, &j) in self.reversed.iter().enumerate() {
            if i < j {
                values.swap(i, j);
            }
        }
        let mut half = 1;
        while half < n {
            let stride = n / (2 * half);
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((a, b), turn) in low.iter_mut().zip(high).zip(self.turns.iter().step_by(stride)) {
                    let turned = [b[0] * turn[0] - b[1] * turn[1], b[0] * turn[1] + b[1] * turn[0]];
                    *b = [a[0] - turned[0], a[1] - turned[1]];
                    *a = [a[0] + turned[0], a[1] + turned[1]];
                }
            }
            half *= 2;
        }
    }

    /// Undoes [`Fourier::forward`], but for a factor `len`.
    pub(super) fn backward(&self, values: &mut [Complex]) {
        self.forward(values);
        values[1..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_is_the_sum_it_stands_for_and_comes_back() {
        let fourier = Fourier::at_least(9);
        assert_eq!(fourier.len(), 16);
        let values: Vec<Complex> = (0..16).map(|i| [f64::from(i * i % 7), f64::from(i % 5)]).collect();
        let mut found = values.clone();
        fourier.forward(&mut found);
        for (k, got) in found.iter().enumerate() {
            let mut sum = [0.0; 2];
            for (i, value) in values.iter().enumerate() {
                let (s, c) = (TAU * (i * k) as f64 / 16.0).sin_cos();
                sum = [sum[0] + value[0] * c + value[1] * s, sum[1] + value[1] * c - value[0] * s];
            }
            assert!((got[0] - sum[0]).abs() < 1e-10 && (got[1] - sum[1]).abs() < 1e-10);
        }
        fourier.backward(&mut found);
        for (got, value) in found.iter().zip(&values) {
            assert!((got[0] / 16.0 - value[0]).abs() < 1e-12 && (got[1] / 16.0 - value[1]).abs() < 1e-12);
        }
    }
}
