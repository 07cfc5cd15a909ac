//! Adam (Kingma & Ba 2015) in f32, one written chain per parameter.
//!
//! ```text
//! m = fma(1 - beta1, g - m, m)                  v = fma(beta2, v, (1 - beta2) g g)
//! p = fma(-lr / (1 - beta1^t), m / (sqrt(v) / sqrt(1 - beta2^t) + eps), p)
//! ```
//! The factors that depend on the step t alone are computed in f64, powers by repeated multiplication.

/// The optimiser's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub learning_rate: f64,
    /// Steps taken.
    pub step: u64,
    /// First moments.
    pub first: Vec<f32>,
    /// Second moments.
    pub second: Vec<f32>,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f32 = 1e-8;

impl Adam {
    /// Returns the state before the first step.
    #[must_use]
    pub fn new(learning_rate: f64, parameters: usize) -> Self {
        Self { learning_rate, step: 0, first: vec![0.0; parameters], second: vec![0.0; parameters] }
    }

    /// Takes one step.
    pub fn update(&mut self, parameters: &mut [f32], gradients: &[f32]) {
        self.step += 1;
        let rate = (self.learning_rate / (1.0 - power(BETA_1, self.step))) as f32;
        let root = (1.0 - power(BETA_2, self.step)).sqrt() as f32;
        let (keep_1, keep_2, take_2) = ((1.0 - BETA_1) as f32, BETA_2 as f32, (1.0 - BETA_2) as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, &gradient), (first, second)) in parameters.iter_mut().zip(gradients).zip(moments) {
            *first = keep_1.mul_add(gradient - *first, *first);
            *second = keep_2.mul_add(*second, take_2 * gradient * gradient);
            *parameter = (-rate).mul_add(*first / (second.sqrt() / root + EPSILON), *parameter);
        }
    }
}

/// Returns `base` to the power `n`, by squaring.
fn power(base: f64, mut n: u64) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while n > 0 {
        if n & 1 == 1 {
            result *= square;
        }
        square *= square;
        n >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_against_the_gradient() {
        let mut adam = Adam::new(1e-3, 2);
        let mut parameters = [1.0, -2.0];
        adam.update(&mut parameters, &[0.5, -40.0]);
        assert!((parameters[0] - 0.999).abs() < 1e-6 && (parameters[1] + 1.999).abs() < 1e-6, "{parameters:?}");
    }

    #[test]
    fn follows_the_formula_in_f64() {
        let (mut adam, mut parameters) = (Adam::new(0.01, 1), [0.3_f32]);
        let (mut m, mut v, mut p) = (0.0_f64, 0.0_f64, 0.3_f64);
        for t in 1..=50 {
            let g = f64::from(t % 7) - 2.5;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            p -= 0.01 * (m / (1.0 - 0.9_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
            adam.update(&mut parameters, &[g as f32]);
        }
        assert!((f64::from(parameters[0]) - p).abs() < 1e-6, "{parameters:?} {p}");
    }
}
