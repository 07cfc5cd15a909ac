//! From Hounsfield units to the numbers that the network sees; the constants travel with the model.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, Result},
    numeric::tree_sum,
    volume::Volume,
};

/// The range of a 12-bit CT; metal and padding beyond it are clamped.
const RANGE_HU: [f32; 2] = [-1024.0, 3071.0];

/// Clamping and scaling of intensities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Lowest and highest intensity that is kept.
    pub clamp_hu: [f32; 2],
    /// Mean of the clamped training voxels.
    pub mean_hu: f32,
    /// Standard deviation of the clamped training voxels.
    pub std_hu: f32,
}

impl Normalisation {
    /// Returns the constants of a set of scans: mean and standard deviation over all voxels (f64, fixed tree).
    ///
    /// # Errors
    /// Unfit when a voxel is not finite, or all voxels are equal.
    pub fn of(scans: &[&Volume<f32>]) -> Result<Self> {
        let sum = |f: &(dyn Fn(f64) -> f64 + Sync)| -> f64 {
            let slice = |voxels: &[f32]| {
                tree_sum(&voxels.iter().map(|&hu| f(f64::from(clamp(hu, RANGE_HU)))).collect::<Vec<_>>())
            };
            let scan = |scan: &&Volume<f32>| {
                let area = scan.grid.size[0] * scan.grid.size[1];
                let slices: Vec<f64> = scan.data.par_chunks(area).map(slice).collect();
                tree_sum(&slices)
            };
            tree_sum(&scans.iter().map(scan).collect::<Vec<_>>())
        };
        if scans.iter().any(|scan| scan.data.par_iter().any(|hu| !hu.is_finite())) {
            return Err(Fault::unfit("a voxel of a scan is not a finite number"));
        }
        let count = scans.iter().map(|scan| scan.data.len()).sum::<usize>() as f64;
        let mean = sum(&|hu| hu) / count;
        let std = (sum(&|hu| (hu - mean) * (hu - mean)) / count).sqrt();
        if std.is_nan() || std <= 1e-3 {
            return Err(Fault::unfit("all voxels of the training scans are equal: there is nothing to learn"));
        }
        Ok(Self { clamp_hu: RANGE_HU, mean_hu: mean as f32, std_hu: std as f32 })
    }

    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// Unfit when a number is not finite, the range is empty or the standard deviation is not positive.
    pub fn check(&self) -> Result<()> {
        let [low, high] = self.clamp_hu;
        let finite = [low, high, self.mean_hu, self.std_hu].iter().all(|number| number.is_finite());
        (finite && low < high && self.std_hu > 0.0)
            .then_some(())
            .ok_or_else(|| Fault::unfit("the model's intensity range or scale is not usable"))
    }

    /// Returns the network's number for an intensity.
    #[inline]
    #[must_use]
    pub fn apply(&self, intensity_hu: f32) -> f32 {
        (clamp(intensity_hu, self.clamp_hu) - self.mean_hu) / self.std_hu
    }
}

fn clamp(value: f32, [low, high]: [f32; 2]) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DVec3, Grid};

    #[test]
    fn constants_are_those_of_the_clamped_voxels() {
        let grid = Grid::aligned([2, 1, 2], DVec3::ONE);
        let scan = Volume::new(grid, vec![-2000.0, -1024.0, 4000.0, 3071.0]).unwrap();
        let normalisation = Normalisation::of(&[&scan]).unwrap();
        assert_eq!(normalisation.mean_hu, 1023.5);
        assert_eq!(normalisation.std_hu, 2047.5);
        assert_eq!((normalisation.apply(9000.0), normalisation.apply(-3000.0)), (1.0, -1.0));
        assert!(Normalisation::of(&[&Volume::filled(grid, 7.0)]).is_err());
        assert!(Normalisation::of(&[&Volume::filled(grid, f32::NAN)]).is_err());
    }
}
