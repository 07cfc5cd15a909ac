//! What a user chooses of a simulated case: its size and sampling. Everything else is drawn from the seed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::projected::{Kernel, Machine, Protocol, Wish};
use crate::{
    geometry::decimate::{Target, decimate},
    mesh::Mesh,
    numeric::Stream,
    pipeline::stage::Params,
};

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

/// How the scan comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScannerKind {
    /// Densities of the voxels, with noise, shading and streaks drawn on them: fast.
    #[default]
    Analytic,
    /// Polychromatic projections, counted photons, filtered back-projection: the artefacts of a real scanner.
    Projected,
}

/// How fine the skull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnatomyKind {
    /// A smooth vault, and a base without its smaller openings.
    #[default]
    Simple,
    /// With a vault of varying thickness, sutures, foramina, processes, air cells and a nasal septum.
    Detailed,
}

/// What was done to the skull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DefectKind {
    /// A rounded rectangle of 3 to 10 cm, its edges a little rounded.
    #[default]
    Simple,
    /// As operations leave it: an irregular outline of 3 to 14 cm, sawn at a slant or healed, burr holes, the piece put back
    /// with a saw's gap around it in some, a drain under the scalp in some.
    Surgical,
}

/// The frame of the engineer's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GoldFrame {
    /// x to the left, y to posterior.
    #[default]
    Lps,
    /// x to the right, y to anterior.
    Ras,
    /// One of the two, drawn per case.
    Mixed,
}

impl GoldFrame {
    /// Draws whether the model is written in RAS.
    pub(super) fn draw(self, stream: &mut Stream) -> bool {
        match self {
            Self::Lps => false,
            Self::Ras => true,
            Self::Mixed => stream.unit() < 0.5,
        }
    }
}

/// Returns whether a parameter is at its default: it is then not written, and older records of it stay valid.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
    /// Sampling of the gold model's surface, mm; 1.25 for `quick`, 0.5 for `paper`.
    pub gold_mm: Option<f64>,
    /// How fine the skull is.
    #[serde(skip_serializing_if = "is_default")]
    pub anatomy: AnatomyKind,
    /// What was done to the skull.
    #[serde(skip_serializing_if = "is_default")]
    pub defect: DefectKind,
    /// Frame that the model is written in; it is stated in the file's header.
    #[serde(skip_serializing_if = "is_default")]
    pub frame: GoldFrame,
    /// Triangles that the model is reduced to, or as near above as its shape allows; all of them when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub gold_triangles: Option<usize>,
    /// How the scan comes about. The parameters below belong to `projected`.
    #[serde(skip_serializing_if = "is_default")]
    pub scanner: ScannerKind,
    /// Kind of scanner; drawn per case when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub machine: Option<Machine>,
    /// Reconstruction kernel; the machine's own when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub kernel: Option<Kernel>,
    /// Photons against those that the machine would use: 1 when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub dose: Option<f64>,
    /// Views over half a turn; by the fineness of the detector (900 at most) when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub views: Option<usize>,
    /// Tube voltage, kV; the machine's own when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub kvp: Option<f64>,
    /// Whether beam hardening in water is corrected: yes when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub water_correction: Option<bool>,
    /// Thickness of the slices, mm; their distance when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub thickness_mm: Option<f64>,
    /// The slices are turned about the left-right axis by an angle drawn up to this one, to either side, degrees; the
    /// header says so. Not at all when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub tilt_deg: Option<f64>,
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
        let ranges = [
            ("gold_mm", " mm", self.gold_mm, 0.5, 5.0),
            ("dose", "", self.dose, 0.01, 100.0),
            ("views", "", self.views.map(|views| views as f64), 16.0, 4096.0),
            ("kvp", " kV", self.kvp, 60.0, 150.0),
            ("thickness_mm", " mm", self.thickness_mm, 0.1, 20.0),
            ("tilt_deg", " degrees", self.tilt_deg, 0.0, 30.0),
        ];
        for (name, unit, given, least, most) in ranges {
            if let Some(given) = given
                && !(least..=most).contains(&given)
            {
                return Err((name, format!("must be from {least} to {most}{unit}, not {given}")));
            }
        }
        if let Some(triangles) = self.gold_triangles
            && triangles < 1000
        {
            return Err(("gold_triangles", format!("must be at least 1000, not {triangles}")));
        }
        match self.only_projected() {
            Some(name) if self.scanner == ScannerKind::Analytic => {
                Err((name, "belongs to `scanner: projected`".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl PhantomParams {
    /// Returns the first parameter given that only a projecting scanner has.
    fn only_projected(&self) -> Option<&'static str> {
        [
            ("machine", self.machine.is_some()),
            ("kernel", self.kernel.is_some()),
            ("dose", self.dose.is_some()),
            ("views", self.views.is_some()),
            ("kvp", self.kvp.is_some()),
            ("water_correction", self.water_correction.is_some()),
            ("thickness_mm", self.thickness_mm.is_some()),
            ("tilt_deg", self.tilt_deg.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }

    /// Draws the scanner that projects, if one is wanted.
    pub(super) fn protocol(&self, stream: &mut Stream) -> Option<Protocol> {
        let wish = Wish {
            machine: self.machine,
            kernel: self.kernel,
            dose: self.dose,
            views: self.views,
            kvp: self.kvp,
            water_correction: self.water_correction,
            thickness_mm: self.thickness_mm,
        };
        (self.scanner == ScannerKind::Projected).then(|| Protocol::draw(wish, stream))
    }

    /// Returns the number of voxels to expect along x, y and z: exact for `quick`, the mean for `paper`.
    #[must_use]
    pub fn expected_size(&self) -> [usize; 3] {
        self.size.unwrap_or(match self.preset {
            Preset::Quick => [96, 96, 32],
            Preset::Paper => [512, 512, 185],
        })
    }

    /// Returns the model with as few triangles as asked for.
    pub(super) fn reduced(&self, gold: Mesh) -> Mesh {
        match self.gold_triangles {
            Some(triangles) => decimate(&gold, Target::Triangles(triangles)),
            None => gold,
        }
    }

    /// Draws how far the slices are turned about the left-right axis, radians.
    pub(super) fn tilt(&self, stream: &mut Stream) -> f64 {
        self.tilt_deg.map_or(0.0, |most| stream.between(-most, most).to_radians())
    }

    /// Returns size and spacing of the scan; what preset and machine leave open is drawn.
    pub(super) fn sampling(&self, machine: Option<Machine>, stream: &mut Stream) -> ([usize; 3], [f64; 3]) {
        let (size, spacing_mm) = match self.preset {
            Preset::Quick => ([96, 96, 32], [2.0, 2.0, 5.0]),
            Preset::Paper => {
                // Tenths of a millimetre, as scanners offer; 150 to 220 mm is from the vertex to the teeth or the chin.
                let (pixel_mm, thinnest, choices) = machine.map_or((0.45, 6, 10), Machine::sampling);
                let thickness_mm = (thinnest + stream.below(choices)) as f64 / 10.0;
                let slices = (stream.between(150.0, 220.0) / thickness_mm) as usize;
                ([512, 512, slices.clamp(100, 250)], [pixel_mm, pixel_mm, thickness_mm])
            }
        };
        (self.size.unwrap_or(size), self.spacing_mm.unwrap_or(spacing_mm))
    }

    /// Returns the sampling of the gold surface, mm.
    pub(super) fn gold_mm(&self) -> f64 {
        self.gold_mm.unwrap_or(match self.preset {
            Preset::Quick => 1.25,
            Preset::Paper => 0.5,
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
            let ([nx, ny, nz], [dx, _, dz]) = params.sampling(None, &mut Seed([3; 32]).stream("sampling", case));
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
        let bad = PhantomParams { dose: Some(2.0), ..Default::default() };
        assert_eq!(bad.check().unwrap_err().0, "dose", "the analytic scanner has no dose");
    }

    #[test]
    fn parameters_at_their_defaults_are_written_as_before_there_were_more() {
        let text = serde_json::to_string(&PhantomParams::default()).unwrap();
        assert_eq!(text, r#"{"preset":"quick","size":null,"spacing_mm":null,"gold_mm":null}"#);
        let text = r#"{"scanner": "projected", "kernel": "bone", "machine": "old", "dose": 0.5}"#;
        let params: PhantomParams = serde_json::from_str(text).unwrap();
        assert!(params.check().is_ok());
        let protocol = params.protocol(&mut Seed([2; 32]).stream("protocol", 0)).unwrap();
        assert_eq!((protocol.kernel, protocol.machine, protocol.kvp), (Kernel::Bone, Machine::Old, 120.0));
    }
}
