//! What a user chooses of a simulated case: its size and sampling. Everything else is drawn from the seed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{numeric::Stream, pipeline::stage::Params};

/// The sampling of the scan and how fine its model is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// 96 x 96 x 32 voxels of 2 x 2 x 5 mm: a cohort in seconds.
    #[default]
    Quick,
    /// 512 x 512 x (100 to 250) voxels of 0.45 x 0.45 x (0.6 to 1.5) mm, drawn per case.
    Paper,
}

/// Parameters of a simulated case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PhantomParams {
    /// Sampling that `size`, `spacing_mm` and `gold_mm` default to.
    pub preset: Preset,
    /// Number of voxels along x (to the left), y (to posterior) and z (up).
    pub size: Option<[usize; 3]>,
    /// Distance between voxel centres along x, y and z, mm.
    pub spacing_mm: Option<[f64; 3]>,
    /// Sampling of the gold model's surface, mm; 1.25 for `quick`, 1 for `paper`.
    pub gold_mm: Option<f64>,
}

impl Params for PhantomParams {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(size) = self.size
            && !size.iter().all(|n| (8..=2048).contains(n))
        {
            return Err(("size", format!("each side must be from 8 to 2048 voxels, not {size:?}")));
        }
        if let Some(spacing) = self.spacing_mm
            && !spacing.iter().all(|mm| (0.1..=20.0).contains(mm))
        {
            return Err(("spacing_mm", format!("each spacing must be from 0.1 to 20 mm, not {spacing:?}")));
        }
        if let Some(mm) = self.gold_mm
            && !(0.5..=5.0).contains(&mm)
        {
            return Err(("gold_mm", format!("must be from 0.5 to 5 mm, not {mm}")));
        }
        Ok(())
    }
}

impl PhantomParams {
    /// Returns the number of voxels to expect along x, y and z: exact for `quick`, the mean for `paper`.
    #[must_use]
    pub fn expected_size(&self) -> [usize; 3] {
        self.size.unwrap_or(match self.preset {
            Preset::Quick => [96, 96, 32],
            Preset::Paper => [512, 512, 185],
        })
    }

    /// Returns size and spacing of the scan; what the preset leaves open is drawn.
    pub(super) fn sampling(&self, stream: &mut Stream) -> ([usize; 3], [f64; 3]) {
        let (size, spacing_mm) = match self.preset {
            Preset::Quick => ([96, 96, 32], [2.0, 2.0, 5.0]),
            Preset::Paper => {
                // Tenths of a millimetre, as scanners offer; 150 to 220 mm is from the vertex to the teeth or the chin.
                let thickness_mm = (6 + stream.below(10)) as f64 / 10.0;
                let slices = (stream.between(150.0, 220.0) / thickness_mm) as usize;
                ([512, 512, slices.clamp(100, 250)], [0.45, 0.45, thickness_mm])
            }
        };
        (self.size.unwrap_or(size), self.spacing_mm.unwrap_or(spacing_mm))
    }

    /// Returns the sampling of the gold surface, mm.
    pub(super) fn gold_mm(&self) -> f64 {
        self.gold_mm.unwrap_or(match self.preset {
            Preset::Quick => 1.25,
            Preset::Paper => 1.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    #[test]
    fn the_paper_preset_draws_100_to_250_slices() {
        let params = PhantomParams { preset: Preset::Paper, ..Default::default() };
        for case in 0..200 {
            let ([nx, ny, nz], [dx, _, dz]) = params.sampling(&mut Seed([3; 32]).stream("sampling", case));
            assert_eq!((nx, ny, dx), (512, 512, 0.45));
            assert!((100..=250).contains(&nz) && (0.6..=1.5).contains(&dz), "{nz} of {dz} mm");
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        let bad = PhantomParams { spacing_mm: Some([2.0, 0.0, 5.0]), ..Default::default() };
        assert_eq!(bad.check().unwrap_err().0, "spacing_mm");
        let bad = PhantomParams { size: Some([96, 96, 0]), ..Default::default() };
        assert_eq!(bad.check().unwrap_err().0, "size");
        assert!(serde_json::from_str::<PhantomParams>(r#"{"sizes": [1, 2, 3]}"#).is_err());
        let written: PhantomParams = serde_json::from_str(r#"{"preset": "quick", "size": [48, 48, 16]}"#).unwrap();
        assert_eq!(written.size, Some([48, 48, 16]));
    }
}
