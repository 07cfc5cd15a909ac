//! What cases that are not trained on say of the weights: loss over all voxels, and Dice by case.

use std::sync::Arc;

use super::history::Validation;
use crate::{
    fault::{Fault, Result},
    model::{
        data::{Dataset, Sample},
        kernels::{self, IGNORED},
        lanes::{for_each_slice, interrupted, largest, logits},
        msdnet::Architecture,
        op::MsdBackend,
        symmetry::Symmetry,
    },
    numeric::tree_sum,
    pipeline::stage::Progress,
};

/// What one slice adds.
struct Score {
    case: usize,
    /// Sum over the voxels that count.
    loss: f64,
    voxels: u64,
    /// Voxels in both labels, in the prediction, in the truth; by class.
    overlaps: Vec<[u64; 3]>,
}

/// Returns the scores of weights on validation cases.
pub(super) fn validate<B: MsdBackend>(
    device: &B::Device,
    net: &Arc<Architecture>,
    data: &Dataset<'_>,
    parameters: &[f32],
    (one_at_a_time, progress): (bool, &dyn Progress),
) -> Result<Validation> {
    let slices = data.slices();
    let score = |index: usize| -> Result<Score> {
        if progress.cancelled() {
            return Err(interrupted("stopped"));
        }
        let sample = Sample { id: slices[index], symmetry: Symmetry::IDENTITY };
        let (mut image, mut target) = (Vec::new(), Vec::new());
        data.image(sample, &mut image);
        data.target(sample, &mut target);
        let logits = logits::<B>(net, image, data.size(sample.id), parameters, device)?;
        let (loss, _) = kernels::nll(&logits, &target, kernels::active());
        let voxels = target.iter().filter(|&&class| class != IGNORED).count() as u64;
        let overlaps = overlaps(&largest(&logits, target.len()), &target, net.classes);
        Ok(Score { case: sample.id.case, loss: loss * voxels as f64, voxels, overlaps })
    };
    let scores = for_each_slice(slices.len(), one_at_a_time, score)?;
    let voxels: u64 = scores.iter().map(|score| score.voxels).sum();
    let loss = tree_sum(&scores.iter().map(|score| score.loss).collect::<Vec<_>>()) / voxels as f64;
    if !loss.is_finite() {
        return Err(Fault::unfit(format!("the validation loss is {loss}: the training diverged")));
    }
    Ok(Validation { loss: Some(loss), dice: Some(mean_dice(&scores, data.cases(), net.classes)) })
}

fn overlaps(found: &[u8], truth: &[u8], classes: usize) -> Vec<[u64; 3]> {
    let mut counts = vec![[0; 3]; classes];
    for (&found, &truth) in found.iter().zip(truth).filter(|&(_, &truth)| truth != IGNORED) {
        counts[usize::from(found)][1] += 1;
        counts[usize::from(truth)][2] += 1;
        counts[usize::from(truth)][0] += u64::from(found == truth);
    }
    counts
}

/// Mean over cases and classes but the background; a class in neither label agrees in full.
fn mean_dice(scores: &[Score], cases: usize, classes: usize) -> f64 {
    let mut totals = vec![vec![[0_u64; 3]; classes]; cases];
    for score in scores {
        for (total, counts) in totals[score.case].iter_mut().zip(&score.overlaps) {
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        }
    }
    let dice = |&[both, found, truth]: &[u64; 3]| match found + truth {
        0 => 1.0,
        sum => 2.0 * both as f64 / sum as f64,
    };
    let all: Vec<f64> = totals.iter().flat_map(|classes| classes[1..].iter().map(dice)).collect();
    tree_sum(&all) / all.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_is_a_mean_over_cases_and_classes() {
        let score = |case: usize, found: &[u8], truth: &[u8]| Score {
            case,
            loss: 0.0,
            voxels: 0,
            overlaps: overlaps(found, truth, 3),
        };
        // Case 0, class 1: 2·2 / (3 + 2); class 2: 2·1 / (1 + 2). Case 1: class 1 by 1, class 2 in neither label.
        let scores = [
            score(0, &[1, 1, 0, 2], &[1, 0, 0, 2]),
            score(1, &[1, 0, 0, 2], &[1, 0, 0, IGNORED]),
            score(0, &[1, 0, 0, 0], &[1, 2, 0, 0]),
        ];
        let expected = (0.8 + 2.0 / 3.0 + 1.0 + 1.0) / 4.0;
        assert!((mean_dice(&scores, 2, 3) - expected).abs() < 1e-15);
    }
}
