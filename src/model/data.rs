//! The training set as slices: which there are, in which order an epoch visits them, and their pixels.

use super::{
    axial::Axial,
    border::Border,
    kernels::{IGNORED, Size},
    normalise::Normalisation,
    symmetry::Symmetry,
    training::TrainParams,
};
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
    /// Classes on the same grid: 0, 1, …; [`IGNORED`] and the `ignore_label` of the parameters count for nothing.
    pub label: &'a Volume<u8>,
}

impl TrainingCase<'_> {
    /// Checks that the case can be learnt from.
    ///
    /// # Errors
    /// Unfit when the label does not lie on the scan's grid, has a class that the network does not know, or is ignored in
    /// every voxel; and when the scan has fewer slices than its mirrored slab needs.
    pub fn check(&self, params: &TrainParams) -> Result<()> {
        if !self.ct.grid.same_place(&self.label.grid) {
            return Err(
                Fault::unfit("the label does not lie on the scan's grid").hint("voxelize the mesh on this very scan")
            );
        }
        let known = |label: u8| usize::from(label) < params.classes || params.ignores(label);
        if let Some(class) = self.label.data.iter().find(|&&label| !known(label)) {
            let what = format!("the label has class {class}, the network knows 0 to {}", params.classes - 1);
            return Err(Fault::unfit(what).hint("raise `classes`, or name the value as `ignore_label`"));
        }
        if self.label.data.iter().all(|&label| params.ignores(label)) {
            return Err(Fault::unfit("every voxel of the case is ignored: there is nothing to learn from it")
                .hint("check `ignore_label` and the mask, or leave the case out"));
        }
        check_slab(Axial::new(&self.ct.grid), params.slab)
    }
}

/// A slice of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceId {
    /// Index of the case.
    pub case: usize,
    /// Index of the slice, from inferior to superior.
    pub slice: usize,
}

/// A slice as a step sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which slice.
    pub id: SliceId,
    /// How it is turned.
    pub symmetry: Symmetry,
}

/// All slices of some cases that have a voxel which counts.
pub struct Dataset<'a> {
    cases: Vec<(TrainingCase<'a>, Axial)>,
    slices: Vec<SliceId>,
    /// Constants of the training scans.
    pub normalisation: Normalisation,
    params: &'a TrainParams,
}

impl<'a> Dataset<'a> {
    /// Returns the set, with the intensity constants of its own scans.
    ///
    /// # Errors
    /// Usage when there is no case; unfit as [`TrainingCase::check`], or when the scans have no contrast.
    pub fn new(cases: &[TrainingCase<'a>], params: &'a TrainParams) -> Result<Self> {
        if cases.is_empty() {
            return Err(Fault::usage("there is no training case")
                .hint("put `split: train` on at least one case of the manifest"));
        }
        check_all(cases, params, "training case")?;
        let scans: Vec<&Volume<f32>> = cases.iter().map(|case| case.ct).collect();
        Ok(Self::checked(cases, params, Normalisation::of(&scans)?))
    }

    /// Returns a set that a network trained elsewhere is judged by.
    ///
    /// # Errors
    /// Unfit as [`TrainingCase::check`].
    pub fn for_validation(
        cases: &[TrainingCase<'a>],
        params: &'a TrainParams,
        normalisation: Normalisation,
    ) -> Result<Self> {
        check_all(cases, params, "validation case")?;
        Ok(Self::checked(cases, params, normalisation))
    }

    fn checked(cases: &[TrainingCase<'a>], params: &'a TrainParams, normalisation: Normalisation) -> Self {
        let cases: Vec<_> = cases.iter().map(|&case| (case, Axial::new(&case.ct.grid))).collect();
        let mut slices = Vec::new();
        for (index, (case, axial)) in cases.iter().enumerate() {
            let partly = case.label.data.iter().any(|&label| params.ignores(label));
            let counts = |slice: usize| axial.indices(slice).any(|i| !params.ignores(case.label.data[i]));
            let of_case = (0..axial.slices()).filter(|&slice| !partly || counts(slice));
            slices.extend(of_case.map(|slice| SliceId { case: index, slice }));
        }
        Self { cases, slices, normalisation, params }
    }

    /// Returns all slices, case by case.
    #[must_use]
    pub fn slices(&self) -> &[SliceId] {
        &self.slices
    }

    /// Returns the number of cases.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    /// Returns what the steps of an epoch see, in order: each slice once, turned where the parameters say so.
    ///
    /// Order and turns depend on (seed, epoch, position) alone.
    #[must_use]
    pub fn samples(&self, seed: Seed, epoch: u64) -> Vec<Sample> {
        let mut order = self.slices.clone();
        seed.stream("slice order", epoch).shuffle(&mut order);
        let turned = if self.params.augment { self.turns() } else { 1 };
        let mut turns = seed.stream("slice orientation", epoch);
        let mut turn = || if turned == 1 { Symmetry::IDENTITY } else { Symmetry::ALL[turns.below(turned) as usize] };
        order.into_iter().map(|id| Sample { id, symmetry: turn() }).collect()
    }

    /// How many of the eight symmetries may be drawn: slices of one batch must keep one shape.
    fn turns(&self) -> u64 {
        let square = |&id: &SliceId| self.size(id).rows == self.size(id).columns;
        if self.params.batch == 1 || self.slices.iter().all(square) {
            Symmetry::ALL.len() as u64
        } else {
            Symmetry::KEEP_SHAPE as u64
        }
    }

    /// Returns the size of a slice's image.
    #[must_use]
    pub fn size(&self, id: SliceId) -> Size {
        self.cases[id.case].1.slice_size()
    }

    /// Appends the normalised image of a slice, `[channel][y][x]`.
    pub fn image(&self, sample: Sample, pixels: &mut Vec<f32>) {
        let (case, axial) = &self.cases[sample.id.case];
        let upright = slab_image(case.ct, *axial, sample.id.slice, self.params.slab, &self.normalisation);
        turn(sample.symmetry, upright, axial.slice_size(), pixels);
    }

    /// Appends the classes of a slice, `[y][x]`; what counts for nothing is [`IGNORED`].
    pub fn target(&self, sample: Sample, classes: &mut Vec<u8>) {
        let (case, axial) = &self.cases[sample.id.case];
        let mut upright = Vec::new();
        let class = |label: u8| if self.params.ignores(label) { IGNORED } else { label };
        axial.gather(&case.label.data, sample.id.slice, class, &mut upright);
        turn(sample.symmetry, upright, axial.slice_size(), classes);
    }
}

fn turn<T: Copy>(symmetry: Symmetry, planes: Vec<T>, size: Size, out: &mut Vec<T>) {
    if symmetry == Symmetry::IDENTITY && out.is_empty() {
        *out = planes;
        return;
    }
    planes.chunks_exact(size.pixels()).for_each(|plane| symmetry.append(plane, size, out));
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
    let mut pixels = Vec::with_capacity((2 * slab + 1) * axial.slice_size().pixels());
    for channel in 0..2 * slab + 1 {
        let source = Border::Symmetric.source(slice as isize + channel as isize - slab as isize, axial.slices());
        axial.gather(&ct.data, source, |hu| normalisation.apply(hu), &mut pixels);
    }
    pixels
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

fn check_all(cases: &[TrainingCase<'_>], params: &TrainParams, what: &str) -> Result<()> {
    let mut numbered = cases.iter().zip(1..);
    numbered.try_for_each(|(case, number)| case.check(params).map_err(|fault| fault.within(format!("{what} {number}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DVec3, Grid};

    fn small() -> (Volume<f32>, Volume<u8>) {
        let grid = Grid::aligned([2, 1, 3], DVec3::ONE);
        (Volume::new(grid, vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0]).unwrap(), Volume::filled(grid, 0_u8))
    }

    #[test]
    fn slabs_are_mirrored_at_both_ends_of_the_scan() {
        let (ct, _) = small();
        let plain = Normalisation { clamp_hu: [-1e6, 1e6], mean_hu: 0.0, std_hu: 1.0 };
        let image = |slice: usize, slab: usize| slab_image(&ct, Axial::new(&ct.grid), slice, slab, &plain);
        assert_eq!(image(0, 1), [0.0, 1.0, 0.0, 1.0, 10.0, 11.0]);
        assert_eq!(image(2, 1), [10.0, 11.0, 20.0, 21.0, 20.0, 21.0]);
        let first_of_each: Vec<f32> = image(0, 3).iter().step_by(2).copied().collect();
        assert_eq!(first_of_each, [20.0, 10.0, 0.0, 0.0, 10.0, 20.0, 20.0]);
        assert!(check_slab(Axial::new(&ct.grid), 3).is_ok() && check_slab(Axial::new(&ct.grid), 4).is_err());
    }

    #[test]
    fn orders_and_turns_depend_on_the_epoch_alone() {
        let (ct, label) = small();
        let cases = [TrainingCase { ct: &ct, label: &label }; 4];
        let (plain, seed) = (TrainParams::default(), Seed([5; 32]));
        let turned = TrainParams { augment: true, ..plain.clone() };
        let data = Dataset::new(&cases, &plain).unwrap();
        assert_eq!(data.slices().len(), 12);
        assert_ne!(data.samples(seed, 1), data.samples(seed, 2));
        assert!(data.samples(seed, 1).iter().all(|sample| sample.symmetry == Symmetry::IDENTITY));
        let augmented = Dataset::new(&cases, &turned).unwrap();
        assert_eq!(augmented.samples(seed, 3), augmented.samples(seed, 3));
        let ids = |data: &Dataset<'_>| data.samples(seed, 3).iter().map(|sample| sample.id).collect::<Vec<_>>();
        assert_eq!(ids(&data), ids(&augmented), "the order is the same with and without turns");
        let drawn = |data: &Dataset<'_>| -> Vec<Symmetry> {
            (0..20).flat_map(|epoch| data.samples(seed, epoch)).map(|sample| sample.symmetry).collect()
        };
        assert!(Symmetry::ALL.iter().all(|symmetry| drawn(&augmented).contains(symmetry)));
        let batches = TrainParams { batch: 2, ..turned };
        let kept = drawn(&Dataset::new(&cases, &batches).unwrap());
        assert!(kept.iter().all(|symmetry| Symmetry::ALL[..Symmetry::KEEP_SHAPE].contains(symmetry)));
    }

    #[test]
    fn targets_turn_with_their_images() {
        let grid = Grid::aligned([3, 2, 2], DVec3::ONE);
        let label = Volume::new(grid, (0..12).collect::<Vec<u8>>()).unwrap();
        let ct = label.map(f32::from);
        let params = TrainParams { classes: 12, slab: 1, ..TrainParams::default() };
        let data = Dataset::new(&[TrainingCase { ct: &ct, label: &label }], &params).unwrap();
        for symmetry in Symmetry::ALL {
            let sample = Sample { id: SliceId { case: 0, slice: 1 }, symmetry };
            let (mut image, mut target) = (Vec::new(), Vec::new());
            data.image(sample, &mut image);
            data.target(sample, &mut target);
            let own: Vec<f32> = target.iter().map(|&class| data.normalisation.apply(f32::from(class))).collect();
            assert_eq!(image[6..12], own, "{symmetry:?}");
        }
    }

    #[test]
    fn slices_without_a_voxel_that_counts_are_not_visited() {
        let (ct, mut label) = small();
        label.data = vec![7, 7, 0, 7, IGNORED, 7];
        let params = TrainParams { ignore_label: Some(7), ..TrainParams::default() };
        let data = Dataset::new(&[TrainingCase { ct: &ct, label: &label }], &params).unwrap();
        assert_eq!(data.slices(), [SliceId { case: 0, slice: 1 }]);
        let mut target = Vec::new();
        data.target(Sample { id: data.slices()[0], symmetry: Symmetry::IDENTITY }, &mut target);
        assert_eq!(target, [0, IGNORED]);
    }

    #[test]
    fn misplaced_unknown_and_empty_labels_are_refused() {
        let (ct, label) = small();
        let elsewhere = Volume::filled(Grid::aligned([2, 1, 3], DVec3::splat(2.0)), 0_u8);
        let (unknown, ignored) = (Volume::filled(ct.grid, 2_u8), Volume::filled(ct.grid, IGNORED));
        let params = TrainParams::default();
        for (label, why) in [(&elsewhere, "grid"), (&unknown, "class 2"), (&ignored, "every voxel")] {
            let fine = TrainingCase { ct: &ct, label: &Volume::filled(ct.grid, 1) };
            let fault = Dataset::new(&[fine, TrainingCase { ct: &ct, label }], &params).err().unwrap().to_string();
            assert!(fault.contains(why) && fault.contains("training case 2"), "{fault}");
        }
        assert!(Dataset::new(&[], &params).is_err());
        assert!(Dataset::new(&[TrainingCase { ct: &ct, label: &label }], &params).is_ok());
    }
}
