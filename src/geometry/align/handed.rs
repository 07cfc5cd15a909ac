//! Left or right: whether the mesh or its mirror image fits the scan, and how sure that is.
//!
//! A head is so nearly symmetric that the residuals of a mirrored mesh may pass every limit, and their ratio to those of the
//! mesh itself has no natural threshold. So the two are compared point by point, each image at its own best place: the
//! differences cancel where the head is symmetric, and speak where it is not. Neighbours do not speak independently,
//! therefore the differences are summed over patches of the surface. Most patches of a head are symmetric, so the middling
//! patch (median absolute sum) tells the noise, and a hole or a bump, which only few patches see, stands out from it. Three
//! standard errors decide; less is said to be undecided.

use rayon::prelude::*;

use super::{
    fit::{Bone, quantile},
    sample::Model,
};
use crate::{
    numeric::tree_sum,
    space::{DVec3, Rigid},
};

/// Distances are cut off here, mm: the hole of the skull shall speak, but not shout.
const CUT_MM: f64 = 4.0;
/// Patches along a root mean square radius of the mesh.
const PATCHES: f64 = 4.0;
/// Standard errors that decide.
const SURE: f64 = 3.0;
/// A smaller difference, as a share of the residual, is none.
const LEAST: f64 = 0.02;
/// Fewest points and patches that say anything.
const FEWEST: (usize, usize) = (200, 6);

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hand {
    /// The mesh fits better than its mirror image.
    Same,
    /// The mirror image fits better: the mesh is mirrored.
    Mirrored,
    /// Both fit alike: left cannot be told from right.
    Unclear,
}

/// The mesh against its mirror image.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Handed {
    /// The verdict.
    pub hand: Hand,
    /// Mean distance of the mesh to bone over that of its mirror image, cut off at 4 mm.
    pub ratio: f64,
    /// Difference of these distances in standard errors; positive when the mirror image fits better.
    pub standard_errors: f64,
}

/// Compares a mesh at its place with its mirror image at its own; nothing when too few points lie in the scan both times.
pub(super) fn compare(model: &Model, motion: &Rigid, mirrored: &Model, other: &Rigid, bone: &Bone) -> Option<Handed> {
    let distance = |p: DVec3| {
        let hit = bone.holds(p).then(|| bone.tree.closest_within(p, CUT_MM))?;
        Some(hit.map_or(CUT_MM, |hit| hit.distance_mm))
    };
    let pairs: Vec<Option<(f64, f64)>> = model
        .points(usize::MAX)
        .par_iter()
        .zip(mirrored.points(usize::MAX))
        .with_min_len(256)
        .map(|(a, b)| Some((distance(motion.apply(a.position))?, distance(other.apply(b.position))?)))
        .collect();
    let step_mm = model.radius_mm / PATCHES;
    let patch = |p: DVec3| ((p - model.centroid) / step_mm).floor().to_array().map(|v| v as i32);
    let mut spoken: Vec<([i32; 3], f64, f64)> = (model.points(usize::MAX).iter().zip(&pairs))
        .filter_map(|(point, pair)| pair.map(|(own, mirror)| (patch(point.position), own, mirror)))
        .collect();
    spoken.sort_by_key(|&(patch, ..)| patch);
    let patches: Vec<(f64, f64)> = spoken
        .chunk_by(|a, b| a.0 == b.0)
        .map(|patch| {
            (patch.len() as f64, tree_sum(&patch.iter().map(|(_, own, mirror)| own - mirror).collect::<Vec<_>>()))
        })
        .collect();
    if spoken.len() < FEWEST.0 || patches.len() < FEWEST.1 {
        return None;
    }
    let (own, mirror): (Vec<f64>, Vec<f64>) = spoken.iter().map(|&(_, own, mirror)| (own, mirror)).unzip();
    let (own, mirror) = (tree_sum(&own), tree_sum(&mirror));
    Some(verdict(&patches, own, mirror, spoken.len() as f64))
}

/// Returns the verdict from the points and summed differences of the patches, and the summed distances of all points.
fn verdict(patches: &[(f64, f64)], own: f64, mirror: f64, points: f64) -> Handed {
    let mean = (own - mirror) / points;
    // A sum over n points has n times the variance of one, if patches alone speak independently.
    let mut spread: Vec<f64> = patches.iter().map(|&(count, sum)| sum.abs() / count.sqrt()).collect();
    let middling = quantile(&mut spread, 0.5).unwrap_or(0.0);
    let error = 1.4826 * middling / points.sqrt();
    let standard_errors = mean / error.max(1e-9);
    let least = LEAST * (own + mirror) / (2.0 * points);
    let hand = if standard_errors.abs() < SURE || mean.abs() < least {
        Hand::Unclear
    } else if mean < 0.0 {
        Hand::Same
    } else {
        Hand::Mirrored
    };
    Handed { hand, ratio: own / mirror.max(1e-9), standard_errors }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_patches_decide_when_they_stand_out_from_the_noise() {
        let noise = |i: i32| 0.4 * f64::from(i % 5 - 2);
        let judge = |patches: &[(f64, f64)]| {
            let sum: f64 = patches.iter().map(|patch| patch.1).sum();
            verdict(patches, 500.0, 500.0 - sum, 10.0 * patches.len() as f64)
        };
        let same: Vec<(f64, f64)> = (0..100).map(|i| (10.0, noise(i))).collect();
        assert_eq!(judge(&same).hand, Hand::Unclear);
        for (hole, hand) in [(-20.0, Hand::Same), (20.0, Hand::Mirrored)] {
            let mut seen = same.clone();
            seen[..5].iter_mut().for_each(|patch| patch.1 += hole);
            let found = judge(&seen);
            assert_eq!(found.hand, hand, "{found:?}");
            assert!((found.ratio > 1.0) == (hand == Hand::Mirrored));
        }
        assert_eq!(judge(&[(10.0, 0.0); 20]).hand, Hand::Unclear);
    }
}
