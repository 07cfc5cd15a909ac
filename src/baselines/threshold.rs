//! Bone by intensity: the comparator that every clinic has.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, Result},
    geometry::components,
    numeric::tree_sum,
    volume::Volume,
};

/// Which pieces of a segmentation stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Every piece.
    All,
    /// The largest one, connected through voxel faces.
    #[default]
    Largest,
}

/// A threshold fitted on training cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Bone is at least this intensity, HU.
    pub hu: f64,
    /// Mean Dice over the training cases at that value, all pieces kept.
    pub mean_dsc: f64,
}

/// Returns 1 where the scan is at least `hu`. A voxel that is not a number is not bone.
#[must_use]
pub fn threshold(ct: &Volume<f32>, hu: f64, keep: Keep) -> Volume<u8> {
    let bone = ct.map(|value| u8::from(f64::from(value) >= hu));
    match keep {
        Keep::All => bone,
        Keep::Largest => components::largest(&bone),
    }
}

/// Returns the whole-numbered HU with the best mean Dice over (scan, label) pairs; the lowest of equals.
///
/// The sweep is exact: Dice at a threshold depends only on how many voxels of each label lie at or above it, so one
/// histogram per case, bins from one integer to the next, gives every candidate at once. All pieces count: keeping the
/// largest is a step after the threshold, not part of the fit.
///
/// # Errors
/// Unfit when there is no case, or a scan and its label differ in size.
pub fn fit(cases: &[(&Volume<f32>, &Volume<u8>)]) -> Result<Fit> {
    if cases.is_empty() {
        return Err(Fault::unfit("there is no training case to fit a threshold on"));
    }
    let histograms = cases.iter().map(|&(ct, label)| Histogram::of(ct, label)).collect::<Result<Vec<_>>>()?;
    // Only where a voxel starts to count, or one above it, can Dice change: other integers repeat a neighbour.
    let mut candidates: Vec<i32> = histograms.iter().flat_map(|h| h.counts.keys().map(|&bin| bin + 1)).collect();
    candidates.extend(histograms.iter().flat_map(|h| h.counts.keys().next().copied()).min());
    candidates.sort_unstable();
    candidates.dedup();
    let curves: Vec<Vec<f64>> = histograms.iter().map(|histogram| histogram.dice_at(&candidates)).collect();
    let mean = |i: usize| tree_sum(&curves.iter().map(|curve| curve[i]).collect::<Vec<_>>()) / curves.len() as f64;
    let mut best: Option<Fit> = None;
    for (i, &hu) in candidates.iter().enumerate() {
        let mean_dsc = mean(i);
        if best.is_none_or(|best| mean_dsc > best.mean_dsc) {
            best = Some(Fit { hu: f64::from(hu), mean_dsc });
        }
    }
    best.ok_or_else(|| Fault::unfit("the training scans have no voxel with a finite intensity"))
}

/// How many voxels of each label have an intensity, rounded down to a whole HU.
struct Histogram {
    /// Bin -> (not bone, bone).
    counts: BTreeMap<i32, (u64, u64)>,
    /// All bone voxels, those without a finite intensity included.
    bone: u64,
}

impl Histogram {
    fn of(ct: &Volume<f32>, label: &Volume<u8>) -> Result<Self> {
        if ct.data.len() != label.data.len() {
            let (ct, label) = (ct.grid.size, label.grid.size);
            return Err(Fault::unfit(format!("a scan of {ct:?} voxels has a label of {label:?}")));
        }
        let mut counts: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
        for (&hu, &bone) in ct.data.iter().zip(&label.data).filter(|(hu, _)| hu.is_finite()) {
            // The cast saturates, so an absurd intensity lands in the last bin.
            let bin = counts.entry((hu.floor() as i32).min(i32::MAX - 1)).or_default();
            if bone == 0 { bin.0 += 1 } else { bin.1 += 1 }
        }
        Ok(Self { counts, bone: label.data.iter().filter(|&&bone| bone != 0).count() as u64 })
    }

    /// Returns Dice for every candidate, which are in ascending order; 1 when nothing is bone and nothing predicted.
    fn dice_at(&self, candidates: &[i32]) -> Vec<f64> {
        let (mut predicted, mut hit) =
            self.counts.values().fold((0, 0), |(all, bone), c| (all + c.0 + c.1, bone + c.1));
        let mut below = self.counts.iter().peekable();
        candidates
            .iter()
            .map(|&hu| {
                while let Some((_, count)) = below.next_if(|&(&bin, _)| bin < hu) {
                    predicted -= count.0 + count.1;
                    hit -= count.1;
                }
                let total = predicted + self.bone;
                if total == 0 { 1.0 } else { 2.0 * hit as f64 / total as f64 }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DVec3, Grid};

    fn row<T: Copy>(values: &[T]) -> Volume<T> {
        Volume::new(Grid::aligned([values.len(), 1, 1], DVec3::ONE), values.to_vec()).unwrap()
    }

    #[test]
    fn the_largest_piece_stays() {
        let ct = row(&[400.0, 0.0, 300.0, 299.9, 500.0, 500.0, f32::NAN]);
        assert_eq!(threshold(&ct, 300.0, Keep::All).data, [1, 0, 1, 0, 1, 1, 0]);
        assert_eq!(threshold(&ct, 300.0, Keep::Largest).data, [0, 0, 0, 0, 1, 1, 0]);
    }

    #[test]
    fn the_fit_is_the_best_of_all_integers() {
        let cases = [
            (row(&[10.0, 120.5, 130.0, 900.0, 200.0, 55.0]), row(&[0, 1, 0, 1, 1, 0])),
            (row(&[-7.5, 80.0, 140.0, 300.0, 90.0, 260.0]), row(&[0, 0, 1, 1, 1, 0])),
        ];
        let pairs: Vec<_> = cases.iter().map(|(ct, label)| (ct, label)).collect();
        let fitted = fit(&pairs).unwrap();
        let dice = |hu: f64| {
            let one = |(ct, label): &(Volume<f32>, Volume<u8>)| {
                let found = threshold(ct, hu, Keep::All);
                let both = found.data.iter().zip(&label.data).filter(|&(&a, &b)| a == 1 && b == 1).count();
                let total = found.data.iter().chain(&label.data).filter(|&&v| v == 1).count();
                2.0 * both as f64 / total as f64
            };
            cases.iter().map(one).sum::<f64>() / 2.0
        };
        let best = (-50..1000).map(|hu| dice(f64::from(hu))).fold(0.0, f64::max);
        assert_eq!(fitted.mean_dsc, best);
        assert_eq!(dice(fitted.hu), best);
    }

    #[test]
    fn two_separate_classes_are_split_exactly() {
        let fitted = fit(&[(&row(&[1.0, 2.0, 300.0]), &row(&[0, 0, 1]))]).unwrap();
        assert_eq!(fitted, Fit { hu: 3.0, mean_dsc: 1.0 }, "the lowest of the best");
    }

    #[test]
    fn no_case_and_a_wrong_size_are_refused() {
        assert!(fit(&[]).is_err());
        assert!(fit(&[(&row(&[1.0, 2.0]), &row(&[1]))]).is_err());
        let empty = fit(&[(&row(&[1.0]), &row(&[0]))]).unwrap();
        assert_eq!(empty, Fit { hu: 2.0, mean_dsc: 1.0 }, "nothing is bone, and nothing should be found");
    }
}
