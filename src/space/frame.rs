//! The anatomical frames and length units that files come in; inside the program there is only LPS and mm.

use glam::DVec3;
use serde::{Deserialize, Serialize};

/// Direction of the three world axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Frame {
    /// Left, posterior, superior: DICOM, ITK, and this program.
    #[serde(rename = "LPS")]
    Lps,
    /// Right, anterior, superior: NIfTI, and 3D Slicer's models before 2020.
    #[serde(rename = "RAS")]
    Ras,
}

impl Frame {
    /// Returns the point, given in this frame, in LPS. The two frames differ by the sign of x and y, both ways.
    #[must_use]
    pub fn to_lps(self, p: DVec3) -> DVec3 {
        match self {
            Self::Lps => p,
            Self::Ras => DVec3::new(-p.x, -p.y, p.z),
        }
    }
}

/// Length unit of a mesh file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Millimetres.
    Mm,
    /// Metres.
    M,
}

impl Unit {
    /// Returns how many millimetres one unit is.
    #[must_use]
    pub const fn in_mm(self) -> f64 {
        match self {
            Self::Mm => 1.0,
            Self::M => 1000.0,
        }
    }
}
