//! How a scan is made: the machine, its tube, its detector and its kernel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numeric::Stream;

/// The sharpness of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// Smooth images, little noise: brain.
    Soft,
    /// Sharp images, much noise: bone.
    Bone,
}

/// A kind of scanner; invented, each in the manner of its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// Recent: small focus, quiet electronics, well calibrated; 120 kVp, bone kernel.
    Recent,
    /// A trauma room's: 140 kVp, soft kernel, high dose.
    Trauma,
    /// For children's dose: 100 kVp, little of it.
    Sparing,
    /// Old: large focus, noisy electronics, off by tens of HU; 120 kVp, soft kernel.
    Old,
}

/// Everything about a scan but the patient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Protocol {
    /// The kind of scanner.
    pub machine: Machine,
    /// Tube voltage, kV.
    pub kvp: f64,
    /// Filter of the tube, mm of aluminium.
    pub filter_mm: f64,
    /// Photons per view and mm² of the detector, seen at the isocentre, without an object.
    pub photons_mm2: f64,
    /// Standard deviation of the electronics' noise, in photons of the mean energy.
    pub electronic_photons: f64,
    /// Standard deviation of focus and detector cells together, seen at the isocentre, mm.
    pub blur_mm: f64,
    /// The reconstruction kernel.
    pub kernel: Kernel,
    /// Views over half a turn; by the fineness of the detector when not given.
    pub views: Option<usize>,
    /// Whether beam hardening in water is corrected.
    pub water_correction: bool,
    /// Thickness of the slices, mm; their distance when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thickness_mm: Option<f64>,
    /// Calibration error: HU shown per true HU.
    pub gain: f64,
    /// Calibration error: HU shown for water.
    pub offset_hu: f64,
}

/// What a user fixes of a protocol; the rest is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::phantom) struct Wish {
    pub(in crate::phantom) machine: Option<Machine>,
    pub(in crate::phantom) kernel: Option<Kernel>,
    pub(in crate::phantom) dose: Option<f64>,
    pub(in crate::phantom) views: Option<usize>,
    pub(in crate::phantom) kvp: Option<f64>,
    pub(in crate::phantom) water_correction: Option<bool>,
    pub(in crate::phantom) thickness_mm: Option<f64>,
}

impl Machine {
    /// Returns how it samples a head at full size: the pixel's edge, mm, the thinnest slice in tenths of a millimetre, and
    /// how many thicknesses it offers, a tenth apart.
    pub(in crate::phantom) const fn sampling(self) -> (f64, u64, u64) {
        match self {
            Self::Recent => (0.45, 6, 5),
            Self::Trauma => (0.49, 8, 8),
            Self::Sparing => (0.43, 10, 6),
            Self::Old => (0.48, 15, 6),
        }
    }
}

impl Protocol {
    /// Draws the scanner of a case. Whatever is wished, the same numbers are drawn.
    pub(in crate::phantom) fn draw(wish: Wish, stream: &mut Stream) -> Self {
        let machines = [Machine::Recent, Machine::Trauma, Machine::Sparing, Machine::Old];
        let drawn = machines[stream.below(4) as usize];
        let machine = wish.machine.unwrap_or(drawn);
        let mut around = |middle: f64, share: f64| middle * stream.between(1.0 - share, 1.0 + share);
        let (photons, focus) = (around(1.0, 0.25), around(1.0, 0.1));
        let (gain, offset) = (stream.between(-1.0, 1.0), stream.between(-1.0, 1.0));
        let base = Self::of(machine);
        Self {
            kvp: wish.kvp.unwrap_or(base.kvp),
            kernel: wish.kernel.unwrap_or(base.kernel),
            photons_mm2: base.photons_mm2 * photons * wish.dose.unwrap_or(1.0),
            blur_mm: base.blur_mm * focus,
            views: wish.views,
            water_correction: wish.water_correction.unwrap_or(true),
            thickness_mm: wish.thickness_mm,
            gain: 1.0 + base.gain * gain,
            offset_hu: base.offset_hu * offset,
            ..base
        }
    }

    /// Returns a recent machine as it was set for the public scan of a plastic skull that the scanner is held against: at
    /// 15 mGy (CTDI), a quarter of what a head gets, and less by what a table and a wide detector take.
    #[cfg(test)]
    pub(super) fn philips_like() -> Self {
        let base = Self::of(Machine::Recent);
        Self { gain: 1.0, offset_hu: 0.0, photons_mm2: 0.115 * base.photons_mm2, ..base }
    }

    /// Returns a machine in the middle of its range; `gain` and `offset_hu` hold how far they may be off.
    fn of(machine: Machine) -> Self {
        let (kvp, filter_mm, photons_mm2, electronic_photons, blur_mm, kernel, gain, offset_hu) = match machine {
            Machine::Recent => (120.0, 7.0, 6.0e5, 4.0, 0.22, Kernel::Bone, 0.01, 4.0),
            Machine::Trauma => (140.0, 8.0, 8.0e5, 8.0, 0.28, Kernel::Soft, 0.02, 8.0),
            Machine::Sparing => (100.0, 6.0, 2.5e5, 5.0, 0.25, Kernel::Soft, 0.02, 8.0),
            Machine::Old => (120.0, 5.0, 4.0e5, 20.0, 0.38, Kernel::Soft, 0.05, 30.0),
        };
        Self {
            machine,
            kvp,
            filter_mm,
            photons_mm2,
            electronic_photons,
            blur_mm,
            kernel,
            views: None,
            water_correction: true,
            thickness_mm: None,
            gain,
            offset_hu,
        }
    }
}
