//! Who is simulated: the numbers that make one head differ from another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numeric::Stream;

/// The parameters of one head, drawn per case.
///
/// Lengths are of the skull in its own frame (x to the left, y to posterior, z up, origin in the middle of the cranial
/// cavity). Ranges keep to adult skulls, a little on the small side so that the head fits a field of 192 mm: length and
/// breadth of the braincase and size of the orbits after W. W. Howells, "Cranial Variation in Man" (Peabody Museum, 1973);
/// thickness of the vault after N. Lynnerup, Forensic Science International 117 (2001); foramen magnum after P. Gruber et
/// al., The Anatomical Record 292 (2009); densities as head scans show them (textbooks of CT). The rest is set by eye.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anatomy {
    /// Greatest length of the braincase, outer table to outer table, mm.
    pub length_mm: f64,
    /// Greatest breadth, mm.
    pub breadth_mm: f64,
    /// Height of the vertex above the origin, mm.
    pub height_mm: f64,
    /// Share of the length that lies in front of the origin.
    pub front_share: f64,
    /// How much broader the back is than the front.
    pub taper: f64,
    /// Asymmetry of the braincase: posterior shift per mm to the left.
    pub shear: f64,
    /// Mean thickness of the vault, all three layers, mm; locally 4 to 8.
    pub wall_mm: f64,
    /// Further thickness at the back, mm.
    pub wall_back_mm: f64,
    /// Lesser thickness at the sides, mm.
    pub wall_side_mm: f64,
    /// Thickness of the outer table, mm; the inner table has 0.8 of it.
    pub table_mm: f64,
    /// Fall of the skull base, mm down per mm back.
    pub base_slope: f64,
    /// Size of the face against the braincase.
    pub face_scale: f64,
    /// Further size of the face along z.
    pub face_height: f64,
    /// Asymmetry of the face: shift to the left per mm down.
    pub face_lean: f64,
    /// Size of the orbits.
    pub orbit_scale: f64,
    /// Size of the frontal sinuses, left and right; below 0.25 there is none.
    pub frontal_sinus: [f64; 2],
    /// Whether the maxillary sinuses are full of fluid, left and right.
    pub sinus_fluid: [bool; 2],
    /// Half width of the foramen magnum, mm.
    pub foramen_mm: f64,
    /// Thickness of the scalp, mm.
    pub scalp_mm: f64,
    /// Size of the ventricles.
    pub ventricle: f64,
    /// Compact bone, HU.
    pub compact_hu: f64,
    /// Diploe, HU: as dull as marrow rich in fat makes it.
    pub diploe_hu: f64,
    /// Spongy bone of face, jaws and spine, HU.
    pub spongy_hu: f64,
    /// Bone with air cells behind the ears, HU.
    pub mastoid_hu: f64,
    /// Blood in the large vessels, HU: 45, or more with contrast medium.
    pub blood_hu: f64,
    /// Calcified patches of the falx, HU; 60 when there are none.
    pub falx_hu: f64,
    /// Choroid plexus, HU.
    pub choroid_hu: f64,
    /// Teeth that are missing, one bit each, from the left back tooth to the right one; upper jaw then lower jaw.
    pub missing_teeth: u32,
}

impl Anatomy {
    /// Draws a head.
    pub(super) fn draw(stream: &mut Stream) -> Self {
        let mut draw = |low, high| stream.between(low, high);
        let mut head = Self {
            length_mm: draw(164.0, 179.0),
            breadth_mm: draw(134.0, 149.0),
            height_mm: draw(67.0, 76.0),
            front_share: draw(0.46, 0.50),
            taper: draw(0.04, 0.13),
            shear: draw(-0.05, 0.05),
            wall_mm: draw(5.2, 6.9),
            wall_back_mm: draw(0.2, 1.2),
            wall_side_mm: draw(0.3, 1.1),
            table_mm: draw(1.0, 1.5),
            base_slope: draw(0.28, 0.38),
            face_scale: draw(0.92, 1.02),
            face_height: draw(0.88, 1.0),
            face_lean: draw(-0.05, 0.05),
            orbit_scale: draw(0.94, 1.06),
            frontal_sinus: [draw(0.0, 1.0), draw(0.0, 1.0)],
            sinus_fluid: [draw(0.0, 1.0) < 0.2, draw(0.0, 1.0) < 0.2],
            foramen_mm: draw(14.0, 17.5),
            scalp_mm: draw(4.5, 7.0),
            ventricle: draw(0.7, 1.5),
            compact_hu: draw(1150.0, 1650.0),
            diploe_hu: draw(100.0, 400.0),
            spongy_hu: draw(400.0, 700.0),
            mastoid_hu: draw(0.0, 350.0),
            blood_hu: draw(-150.0, 400.0).max(45.0),
            falx_hu: draw(-500.0, 800.0).max(60.0),
            choroid_hu: draw(60.0, 500.0),
            missing_teeth: 0,
        };
        head.missing_teeth = (0..28).filter(|_| stream.unit() < 0.12).fold(0, |bits, tooth| bits | 1 << tooth);
        head
    }
}
