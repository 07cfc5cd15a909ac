//! Softmax and negative log-likelihood of a slice, with the exponential and logarithm of `numeric`.

use super::{
    Simd,
    lanes::{Lanes, multiversion},
};
use crate::numeric::{exp_f32, ln_f32, tree_sum};

/// The class number of pixels that count for nothing: no loss, no gradient.
pub const IGNORED: u8 = u8::MAX;

/// Pixels handled together, so that the loops over them vectorise.
const CHUNK: usize = 64;

/// Returns the mean negative log-likelihood over the pixels that count, and its gradient with respect to the logits.
///
/// Both `logits` and gradient are `[class][pixel]`, `target` holds a class a pixel. Without a pixel that counts both are 0.
#[must_use]
pub fn nll(logits: &[f32], target: &[u8], simd: Simd) -> (f64, Vec<f32>) {
    let counted = target.iter().filter(|&&class| class != IGNORED).count();
    let mut probabilities = vec![0.0; logits.len()];
    let mut losses = vec![0.0; target.len()];
    softmax(simd, logits, target, &mut probabilities, &mut losses);
    let scale = if counted == 0 { 0.0 } else { 1.0 / counted as f32 };
    for (class, gradients) in probabilities.chunks_exact_mut(target.len().max(1)).enumerate() {
        for (gradient, &truth) in gradients.iter_mut().zip(target) {
            let excess = if usize::from(truth) == class { *gradient - 1.0 } else { *gradient };
            *gradient = if truth == IGNORED { 0.0 } else { excess * scale };
        }
    }
    let counts = |(&loss, &truth): (&f32, &u8)| if truth == IGNORED { 0.0 } else { f64::from(loss) };
    let losses: Vec<f64> = losses.iter().zip(target).map(counts).collect();
    (if counted == 0 { 0.0 } else { tree_sum(&losses) / counted as f64 }, probabilities)
}

/// Returns the probability of each class, `[class][pixel]`.
#[must_use]
pub fn probabilities(logits: &[f32], classes: usize, simd: Simd) -> Vec<f32> {
    let pixels = logits.len() / classes.max(1);
    let mut probabilities = vec![0.0; logits.len()];
    softmax(simd, logits, &vec![IGNORED; pixels], &mut probabilities, &mut vec![0.0; pixels]);
    probabilities
}

multiversion! {
    /// Writes probabilities, and for each pixel that counts `ln(Σ exp(logit)) - logit of its class`.
    fn softmax(logits: &[f32], target: &[u8], probabilities: &mut [f32], losses: &mut [f32]) = softmax_body
}

#[inline(always)]
fn softmax_body<L: Lanes>(logits: &[f32], target: &[u8], probabilities: &mut [f32], losses: &mut [f32]) {
    let pixels = target.len();
    let classes = logits.len() / pixels.max(1);
    for (chunk, (target, losses)) in target.chunks(CHUNK).zip(losses.chunks_mut(CHUNK)).enumerate() {
        let span = |class: usize| class * pixels + chunk * CHUNK..class * pixels + chunk * CHUNK + target.len();
        let (mut largest, mut sums, mut own) = ([f32::NEG_INFINITY; CHUNK], [0.0_f32; CHUNK], [0.0_f32; CHUNK]);
        for class in 0..classes {
            for (i, &logit) in logits[span(class)].iter().enumerate() {
                largest[i] = if logit > largest[i] { logit } else { largest[i] };
                own[i] = if usize::from(target[i]) == class { logit } else { own[i] };
            }
        }
        for class in 0..classes {
            for (i, (&logit, out)) in logits[span(class)].iter().zip(&mut probabilities[span(class)]).enumerate() {
                *out = exp_f32(logit - largest[i]);
                sums[i] += *out;
            }
        }
        for class in 0..classes {
            for (out, sum) in probabilities[span(class)].iter_mut().zip(sums) {
                *out /= sum;
            }
        }
        for (i, loss) in losses.iter_mut().enumerate() {
            *loss = (largest[i] - own[i]) + ln_f32(sums[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_of_two_classes_lose_exactly_ln_2() {
        let (loss, gradient) = nll(&[0.0; 20], &[0, 1, 0, 1, 1, 1, 0, 0, 0, 1], Simd::Scalar);
        assert_eq!(loss, f64::from(std::f32::consts::LN_2));
        assert_eq!(gradient[..2], [-0.05, 0.05]);
        assert_eq!(gradient[10..12], [0.05, -0.05]);
    }

    #[test]
    fn ignored_pixels_count_for_nothing() {
        let (loss, gradient) = nll(&[3.0, 0.0, -1.0, 0.0], &[IGNORED, 0], Simd::best());
        assert_eq!(loss, f64::from(std::f32::consts::LN_2));
        assert_eq!(gradient, [0.0, -0.5, 0.0, 0.5]);
        assert_eq!(nll(&[1.0, 2.0], &[IGNORED], Simd::best()), (0.0, vec![0.0, 0.0]));
    }
}
