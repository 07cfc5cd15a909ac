//! The training set as slices: which there are, in which order an epoch visits them, and their pixels.

use super::{axial::Axial, border::Border, kernels::Size, normalise::Normalisation};
use crate::{
    fault::{Fault, Result},
    numeric::Seed,
    volume::Volume,
};

/// One scan with the label of each of its voxels.
#[derive(Clone, Copy, Debug)]
pub struct TrainingCase<'a> {
    /// Intensities, HU.
    pub ct: &'a Volume<f32>,
    /// Classes on the same grid: 0 or 1; [`IGNORED`](super::kernels::IGNORED) counts for nothing.
    pub label: &'a Volume<u8>,
}

/// A slice of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceId {
    /// Index of the case.
    pub case: usize,
    /// Index of the slice, from inferior to superior.
    pub slice: usize,
}

/// All slices of the training cases.
pub struct Dataset<'a> {
    cases: Vec<(TrainingCase<'a>, Axial)>,
    /// Constants of these scans.
    pub normalisation: Normalisation,
    slab: usize,
}

impl<'a> Dataset<'a> {
    /// Returns the set; each image has the slice and `slab` neighbours on either side as channels.
    ///
    /// # Errors
    /// Unfit when there is no case, a label does not lie on its scan's grid, a label has a class that the network does not
    /// know, or the scans have no contrast.
    pub fn new(cases: &[TrainingCase<'a>], classes: usize, slab: usize) -> Result<Self> {
        if cases.is_empty() {
            return Err(Fault::usage("there is no training case")
                .hint("put `split: train` on at least one case of the manifest"));
        }
        for (index, case) in cases.iter().enumerate() {
            check_case(case, classes, slab).map_err(|fault| fault.within(format!("training case {}", index + 1)))?;
        }
        let scans: Vec<&Volume<f32>> = cases.iter().map(|case| case.ct).collect();
        let normalisation = Normalisation::of(&scans)?;
        let cases = cases.iter().map(|&case| (case, Axial::new(&case.ct.grid))).collect();
        Ok(Self { cases, normalisation, slab })
    }

    /// Returns all slices, case by case.
    #[must_use]
    pub fn slices(&self) -> Vec<SliceId> {
        let of_case =
            |(case, (_, axial)): (usize, &(_, Axial))| (0..axial.slices()).map(move |slice| SliceId { case, slice });
        self.cases.iter().enumerate().flat_map(of_case).collect()
    }

    /// Returns the order in which an epoch visits the slices.
    #[must_use]
    pub fn order(&self, seed: Seed, epoch: u64) -> Vec<SliceId> {
        let mut order = self.slices();
        seed.stream("slice order", epoch).shuffle(&mut order);
        order
    }

    /// Returns the size of a slice's image.
    #[must_use]
    pub fn size(&self, id: SliceId) -> Size {
        self.cases[id.case].1.slice_size()
    }

    /// Returns the normalised image of a slice, `[channel][y][x]`.
    #[must_use]
    pub fn image(&self, id: SliceId) -> Vec<f32> {
        let (case, axial) = &self.cases[id.case];
        slab_image(case.ct, *axial, id.slice, self.slab, &self.normalisation)
    }

    /// Returns the classes of a slice, `[y][x]`.
    #[must_use]
    pub fn target(&self, id: SliceId) -> Vec<u8> {
        let (case, axial) = &self.cases[id.case];
        axial.indices(id.slice).map(|i| case.label.data[i]).collect()
    }
}

/// Returns the normalised image of a slice and its neighbours, `[channel][y][x]`; the scan is mirrored at its ends.
#[must_use]
pub fn slab_image(
    ct: &Volume<f32>,
    axial: Axial,
    slice: usize,
    slab: usize,
    normalisation: &Normalisation,
) -> Vec<f32> {
    (0..2 * slab + 1)
        .map(|channel| Border::Symmetric.source(slice as isize + channel as isize - slab as isize, axial.slices()))
        .flat_map(|slice| axial.indices(slice))
        .map(|i| normalisation.apply(ct.data[i]))
        .collect()
}

/// Checks that a scan has as many slices as its mirrored slab needs.
///
/// # Errors
/// Unfit, with the numbers, when it has fewer.
pub fn check_slab(axial: Axial, slab: usize) -> Result<()> {
    (axial.slices() >= slab).then_some(()).ok_or_else(|| {
        Fault::unfit(format!("{slab} neighbouring slices on either side need more slices than {}", axial.slices()))
    })
}

fn check_case(case: &TrainingCase<'_>, classes: usize, slab: usize) -> Result<()> {
    if !case.ct.grid.same_place(&case.label.grid) {
        return Err(
            Fault::unfit("the label does not lie on the scan's grid").hint("voxelize the mesh on this very scan")
        );
    }
    let known = |class: u8| usize::from(class) < classes || class == super::kernels::IGNORED;
    if let Some(class) = case.label.data.iter().find(|&&class| !known(class)) {
        return Err(Fault::unfit(format!("the label has class {class}, the network knows 0 to {}", classes - 1)));
    }
    check_slab(Axial::new(&case.ct.grid), slab)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DVec3, Grid};

    #[test]
    fn slabs_are_mirrored_and_orders_depend_on_the_epoch() {
        let grid = Grid::aligned([2, 1, 3], DVec3::ONE);
        let ct = Volume::new(grid, vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0]).unwrap();
        let label = Volume::filled(grid, 0_u8);
        let data = Dataset::new(&[TrainingCase { ct: &ct, label: &label }; 4], 2, 1).unwrap();
        let plain = Normalisation { clamp_hu: [-1e6, 1e6], mean_hu: 0.0, std_hu: 1.0 };
        let image = slab_image(&ct, Axial::new(&grid), 0, 1, &plain);
        assert_eq!(image, [0.0, 1.0, 0.0, 1.0, 10.0, 11.0]);
        let seed = Seed([5; 32]);
        assert_eq!(data.slices().len(), 12);
        assert_eq!(data.order(seed, 1), data.order(seed, 1));
        assert_ne!(data.order(seed, 1), data.order(seed, 2));
    }

    #[test]
    fn misplaced_and_unknown_labels_are_refused() {
        let grid = Grid::aligned([2, 1, 3], DVec3::ONE);
        let ct = Volume::new(grid, vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0]).unwrap();
        let elsewhere = Volume::filled(Grid::aligned([2, 1, 3], DVec3::splat(2.0)), 0_u8);
        let unknown = Volume::filled(grid, 2_u8);
        for label in [&elsewhere, &unknown] {
            assert!(Dataset::new(&[TrainingCase { ct: &ct, label }], 2, 0).is_err());
        }
        assert!(Dataset::new(&[], 2, 0).is_err());
    }
}
