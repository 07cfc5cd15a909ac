//! Overlap of two labels on one grid: voxels counted, nothing weighted.

use rayon::prelude::*;

use crate::{
    fault::{Fault, Result},
    volume::Volume,
};

/// Overlap of a predicted label with the gold label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// 2 TP / (2 TP + FP + FN); 1 when both labels are empty.
    pub dsc: f64,
    /// TP / (TP + FP); nothing when the prediction is empty and the gold label is not, 1 when both are empty.
    pub precision: Option<f64>,
    /// TP / (TP + FN); nothing when the gold label is empty and the prediction is not, 1 when both are empty.
    pub recall: Option<f64>,
    /// 1 - |FN - FP| / (2 TP + FP + FN) (Taha and Hanbury 2015, eq. 11); 1 when both labels are empty.
    pub volume_similarity: f64,
    /// Voxels of the prediction.
    pub pred_voxels: u64,
    /// Voxels of the gold label.
    pub gold_voxels: u64,
}

/// Returns the overlap of two labels; every value but 0 is bone.
///
/// # Errors
/// Unfit when the labels are not on the same grid.
pub fn overlap(pred: &Volume<u8>, gold: &Volume<u8>) -> Result<Overlap> {
    if !pred.grid.same_place(&gold.grid) || pred.data.len() != gold.data.len() {
        return Err(Fault::unfit(format!(
            "the labels are not on the same grid: prediction {:?} voxels of {:?} mm, gold {:?} voxels of {:?} mm",
            pred.grid.size,
            pred.grid.spacing_mm.to_array(),
            gold.grid.size,
            gold.grid.spacing_mm.to_array()
        ))
        .hint("make the gold label on the scan's own grid: `calvaria voxelize --mesh MESH --like CT`"));
    }
    // Counts are integers: their sum is the same in any order.
    let [both, only_pred, only_gold] = pred
        .data
        .par_chunks(1 << 16)
        .zip(gold.data.par_chunks(1 << 16))
        .map(|(pred, gold)| count(pred, gold))
        .reduce(|| [0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
    Ok(Overlap::of(both, only_pred, only_gold))
}

fn count(pred: &[u8], gold: &[u8]) -> [u64; 3] {
    let mut counts = [0; 3];
    for (&pred, &gold) in pred.iter().zip(gold) {
        let (pred, gold) = (u64::from(pred != 0), u64::from(gold != 0));
        counts[0] += pred & gold;
        counts[1] += pred & !gold;
        counts[2] += !pred & gold & 1;
    }
    counts
}

impl Overlap {
    fn of(both: u64, only_pred: u64, only_gold: u64) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let (pred_voxels, gold_voxels) = (both + only_pred, both + only_gold);
        let sum = pred_voxels + gold_voxels;
        let empty = (sum == 0).then_some(1.0);
        Self {
            dsc: share(2 * both, sum).unwrap_or(1.0),
            precision: share(both, pred_voxels).or(empty),
            recall: share(both, gold_voxels).or(empty),
            volume_similarity: share(sum - only_pred.abs_diff(only_gold), sum).unwrap_or(1.0),
            pred_voxels,
            gold_voxels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DVec3, Grid};

    fn label(data: [u8; 8]) -> Volume<u8> {
        Volume::new(Grid::aligned([4, 2, 1], DVec3::ONE), data.to_vec()).unwrap()
    }

    #[test]
    fn counts_by_hand() {
        let pred = label([1, 1, 1, 0, 0, 0, 0, 7]);
        let gold = label([1, 1, 0, 1, 1, 0, 0, 1]);
        let found = overlap(&pred, &gold).unwrap();
        assert_eq!((found.pred_voxels, found.gold_voxels), (4, 5));
        assert_eq!(found.dsc, 6.0 / 9.0);
        assert_eq!(found.precision, Some(3.0 / 4.0));
        assert_eq!(found.recall, Some(3.0 / 5.0));
        assert_eq!(found.volume_similarity, 8.0 / 9.0);
    }

    #[test]
    fn empty_labels() {
        let (none, some) = (label([0; 8]), label([1, 0, 0, 0, 0, 0, 0, 0]));
        let both = overlap(&none, &none).unwrap();
        assert_eq!((both.dsc, both.precision, both.recall, both.volume_similarity), (1.0, Some(1.0), Some(1.0), 1.0));
        let no_pred = overlap(&none, &some).unwrap();
        assert_eq!((no_pred.dsc, no_pred.precision, no_pred.recall), (0.0, None, Some(0.0)));
        let no_gold = overlap(&some, &none).unwrap();
        assert_eq!((no_gold.dsc, no_gold.precision, no_gold.recall), (0.0, Some(0.0), None));
        assert_eq!(no_gold.volume_similarity, 0.0);
    }

    #[test]
    fn labels_on_different_grids_are_refused() {
        let shifted = Volume { grid: Grid { origin_mm: DVec3::X, ..label([0; 8]).grid }, ..label([0; 8]) };
        assert!(overlap(&shifted, &label([0; 8])).is_err());
    }
}
