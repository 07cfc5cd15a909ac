//! Softmax and negative log-likelihood of a slice, with the exponential and logarithm of `numeric`.

use rayon::prelude::*;

use super::{
    Simd,
    lanes::{Lanes, multiversion},
    worth_splitting,
};
use crate::numeric::{exp_f32, ln_f32, tree_sum};

/// The class number of pixels that count for nothing: no loss, no gradient.
pub const IGNORED: u8 = u8::MAX;

/// Pixels handled together, so that the loops over them vectorise.
const CHUNK: usize = 64;
/// Pixels handled by one thread in one go.
const PIECE: usize = 4096;

/// Returns the mean negative log-likelihood over the pixels that count, and its gradient with respect to the logits.
///
/// Both `logits` and gradient are `[class][pixel]`, `target` holds a class a pixel. Without a pixel that counts both are 0.
#[must_use]
pub fn nll(logits: &[f32], target: &[u8], simd: Simd) -> (f64, Vec<f32>) {
    let counted = target.iter().filter(|&&class| class != IGNORED).count();
    let scale = if counted == 0 { 0.0 } else { 1.0 / counted as f32 };
    let mut losses = vec![0.0_f64; target.len()];
    let mut gradients = vec![0.0; logits.len()];
    for_pieces(&mut gradients, &mut losses, |first, gradients, losses| {
        let target = &target[first..first + losses.len()];
        let mut own = [0.0; PIECE];
        softmax(simd, (logits, first), target, gradients, &mut own);
        for (class, gradients) in gradients.iter_mut().enumerate() {
            for (gradient, &truth) in gradients.iter_mut().zip(target) {
                let excess = if usize::from(truth) == class { *gradient - 1.0 } else { *gradient };
                *gradient = if truth == IGNORED { 0.0 } else { excess * scale };
            }
        }
        for ((loss, own), &truth) in losses.iter_mut().zip(own).zip(target) {
            *loss = if truth == IGNORED { 0.0 } else { f64::from(own) };
        }
    });
    (if counted == 0 { 0.0 } else { tree_sum(&losses) / counted as f64 }, gradients)
}

/// Returns the probability of each class, `[class][pixel]`.
#[must_use]
pub fn probabilities(logits: &[f32], classes: usize, simd: Simd) -> Vec<f32> {
    let mut probabilities = vec![0.0; logits.len()];
    let mut nobody = vec![0.0_f64; logits.len() / classes.max(1)];
    for_pieces(&mut probabilities, &mut nobody, |first, probabilities, pixels| {
        softmax(simd, (logits, first), &[IGNORED; PIECE][..pixels.len()], probabilities, &mut [0.0; PIECE]);
    });
    probabilities
}

/// The first pixel's number, a part of each class's plane, and the same part of the losses.
type Piece<'a> = (usize, Vec<&'a mut [f32]>, &'a mut [f64]);

/// Calls `f` for pieces of the pixels, with the first pixel's number, the piece of each class's plane, and that of the losses.
fn for_pieces(planes: &mut [f32], losses: &mut [f64], f: impl Fn(usize, &mut [&mut [f32]], &mut [f64]) + Sync) {
    let (pixels, length) = (losses.len(), planes.len());
    let mut pieces: Vec<Piece<'_>> =
        losses.chunks_mut(PIECE).enumerate().map(|(i, losses)| (i * PIECE, Vec::new(), losses)).collect();
    for plane in planes.chunks_exact_mut(pixels.max(1)) {
        for (piece, part) in pieces.iter_mut().zip(plane.chunks_mut(PIECE)) {
            piece.1.push(part);
        }
    }
    let run = |(first, mut planes, losses): Piece<'_>| f(first, &mut planes, losses);
    // A pixel and class costs as much as some dozens of multiply-adds.
    if worth_splitting(50 * length) {
        pieces.into_par_iter().for_each(run);
    } else {
        pieces.into_iter().for_each(run);
    }
}

multiversion! {
    /// Writes the probabilities of a piece of pixels, and for each that counts `ln(Σ exp(logit)) - logit of its class`.
    /// `logits.0` holds all pixels; the piece begins at number `logits.1`, and has one plane a class.
    fn softmax(logits: (&[f32], usize), target: &[u8], probabilities: &mut [&mut [f32]], losses: &mut [f32]) = softmax_body
}

#[inline(always)]
fn softmax_body<L: Lanes>(
    (logits, first): (&[f32], usize),
    target: &[u8],
    probabilities: &mut [&mut [f32]],
    losses: &mut [f32],
) {
    let pixels = logits.len() / probabilities.len().max(1);
    for (chunk, (target, losses)) in target.chunks(CHUNK).zip(losses.chunks_mut(CHUNK)).enumerate() {
        let from = chunk * CHUNK;
        let part = from..from + target.len();
        let logits = |class: usize| &logits[class * pixels + first + from..][..target.len()];
        let (mut largest, mut sums, mut own) = ([f32::NEG_INFINITY; CHUNK], [0.0_f32; CHUNK], [0.0_f32; CHUNK]);
        for class in 0..probabilities.len() {
            for (i, &logit) in logits(class).iter().enumerate() {
                largest[i] = if logit > largest[i] { logit } else { largest[i] };
                own[i] = if usize::from(target[i]) == class { logit } else { own[i] };
            }
        }
        for (class, plane) in probabilities.iter_mut().enumerate() {
            for (i, (&logit, out)) in logits(class).iter().zip(&mut plane[part.clone()]).enumerate() {
                *out = exp_f32(logit - largest[i]);
                sums[i] += *out;
            }
        }
        for plane in probabilities.iter_mut() {
            for (out, sum) in plane[part.clone()].iter_mut().zip(sums) {
                *out /= sum;
            }
        }
        for (i, loss) in losses.iter_mut().take(target.len()).enumerate() {
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
