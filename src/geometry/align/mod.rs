//! Brings a mesh from a frame of its own onto the bone of a CT scan, by a rigid motion, without hands.
//!
//! ```text
//! CT ─▶ blocks ─▶ bone level ─▶ iso-surface ─▶ coarse field ─▶ search: all rotations, some shifts, short fits
//!  │                                │                              │ the best few that differ
//!  │                                └──▶ tree ──▶ fit: trimmed point-to-plane ICP ──▶ level under the mesh
//!  ├─▶ iso-surface at that level ──▶ tree ──▶ last fit of the mesh, and of its mirror image ─▶ left or right
//!  └──────────────▶ refine: where the image shows the walls of bone along the mesh's normals ─▶ quality, limits
//! ```
//! Only proper rotations are tried. The mirror image of the mesh runs through the same search and is compared with the mesh
//! point by point: a skull is so nearly symmetric that residuals alone do not tell.
//!
//! Sources: Besl and `McKay` 1992 (ICP), Chen and Medioni 1992 (point to plane), Chetverikov et al. 2002 (trimming).

mod coarse;
mod field;
mod fit;
mod handed;
pub mod itk;
pub mod landmarks;
mod level;
mod profile;
mod quality;
mod refine;
mod refuse;
mod sample;
mod scan;
mod search;
mod solve;
pub mod trial;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use handed::{Hand, Handed};
pub use scan::Scan;

use crate::{fault::Result, mesh::Mesh, space::Rigid, volume::Volume};

/// Where the alignment starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Start {
    /// Anywhere: all rotations are searched.
    #[default]
    Auto,
    /// The mesh already lies near its place.
    Identity,
    /// Near this motion, mesh to world.
    Known(Rigid),
}

/// What is done with the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// It is refined.
    #[default]
    Refine,
    /// It is kept as it is, and only judged.
    Verify,
}

/// What an alignment must reach to be used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accept {
    /// Largest median distance of mesh to bone surface, mm.
    pub median_mm: f64,
    /// Largest 95th percentile of that distance, mm; when absent, twice `median_mm`, and at least 1.2 of the largest
    /// spacing. A mesh beyond it is judged once more without its bone thinner than 2 mm, which a scan may not show.
    pub p95_mm: Option<f64>,
    /// Smallest share of the mesh (inside the scan) that lies on bone.
    pub inlier_share: f64,
    /// Smallest share of the mesh inside the scan at which the image shows an edge of bone, where it was refined;
    /// `inlier_share` when absent. Another patient's skull may lie near bone, but seldom on its edges.
    pub edge_share: Option<f64>,
    /// Smallest share of the mesh that lies inside the scan.
    pub overlap_share: f64,
    /// Largest residual of the best place over that of the second best: nearer to 1 either place may be the right one.
    pub ambiguity: f64,
    /// Farthest that the mesh may move along its worst fixed direction, mm, while distances change by 0.1 mm RMS.
    pub slide_mm: f64,
}

impl Default for Accept {
    fn default() -> Self {
        Self {
            median_mm: 1.0,
            p95_mm: None,
            inlier_share: 0.7,
            edge_share: None,
            overlap_share: 0.3,
            ambiguity: 0.95,
            slide_mm: 2.0,
        }
    }
}

/// How to align, and what to accept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlignOptions {
    /// Intensity of the bone surface, HU; found from the histogram, then from the scan under the mesh, when absent.
    pub bone_hu: Option<f64>,
    /// Share of the mesh that is taken to have a counterpart in the scan while fitting.
    pub trim: f64,
    /// Largest distance at which a point of the mesh lies on bone, mm; 2 or half of the largest spacing when absent.
    pub inlier_mm: Option<f64>,
    /// Whether the start is refined.
    pub effort: Effort,
    /// The limits.
    pub accept: Accept,
}

impl Default for AlignOptions {
    fn default() -> Self {
        Self { bone_hu: None, trim: 0.85, inlier_mm: None, effort: Effort::Refine, accept: Accept::default() }
    }
}

/// The motion that the scan fixes worst, long enough that distances to bone change by 0.1 mm root mean square.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weakest {
    /// Length, mm: root mean square over the mesh.
    pub slide_mm: f64,
    /// Its rotation about the mesh's middle: axis times angle in the scan's world, degrees.
    pub rotation_deg: [f64; 3],
    /// Its translation in the scan's world, mm.
    pub translation_mm: [f64; 3],
}

/// A motion from mesh to scan, with everything needed to judge it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// Mesh (in its own frame) to the scan's world, LPS mm.
    pub world_from_mesh: Rigid,
    /// Share of the mesh surface inside the scan that lies on bone.
    pub inlier_share: f64,
    /// Share of the mesh surface that lies inside the scan.
    pub overlap_share: f64,
    /// Median distance of the mesh surface (inside the scan) to the bone surface, mm.
    pub median_residual_mm: f64,
    /// 95th percentile of that distance, mm.
    pub p95_residual_mm: f64,
    /// The same without bone of the mesh thinner than 2 mm, which a scan may not show, mm: judged instead when the one of
    /// all bone is beyond its limit, and absent when it is not, or when most of the mesh is thin.
    pub p95_thick_residual_mm: Option<f64>,
    /// Root mean square of the distances that count as on bone, mm.
    pub rms_residual_mm: f64,
    /// Square root of the ratio of the largest to the smallest curvature of the fit: large when the mesh can slide.
    pub condition: f64,
    /// The direction in which it slides most; nothing when too little of the mesh lies on bone.
    pub weakest: Option<Weakest>,
    /// Truncated mean distance of this motion over that of the second best that differs: near 1 is ambiguous.
    pub ambiguity: Option<f64>,
    /// The mesh against its mirror image.
    pub handed: Option<Handed>,
    /// Share of the mesh on bone whose normals point the way of the bone's: 0 for a mesh wound inside out.
    pub outwards_share: f64,
    /// Share of the points inside the scan at which the image shows the edge of bone; nothing when it was not refined.
    pub edge_share: Option<f64>,
    /// How much farther out than the mesh the image shows all faces of bone, mm; nothing when it was not refined.
    pub swell_mm: Option<f64>,
    /// Level of the bone surface that was used, HU.
    pub bone_hu: f64,
    /// Number of starts that were fitted after the coarse search.
    pub starts: usize,
    /// What is odd, but no reason to refuse.
    pub notes: Vec<String>,
    /// Why the alignment must not be used; nothing when it is accepted.
    pub refusal: Option<Refusal>,
}

/// Why an alignment must not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was reached, against which limit.
    pub what: String,
    /// The likely cause and what to do.
    pub cause: String,
}

impl Alignment {
    /// Returns whether the alignment may be used.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.refusal.is_none()
    }
}

/// Finds the rigid motion that brings a mesh onto the bone of a scan.
///
/// The mesh is in LPS millimetres, anywhere, turned anyhow; parts may be missing from it or lie outside the scan. The
/// result is the same for any number of threads. What does not fit is returned with a refusal. Several meshes or starts
/// for one scan share its preparation: [`Scan`].
///
/// # Errors
/// Unfit when the mesh has no surface or the size of no head, or the scan no bone; usage when an option is out of range.
pub fn align(mesh: &Mesh, ct: &Volume<f32>, start: &Start, options: &AlignOptions) -> Result<Alignment> {
    Scan::new(ct, options.bone_hu)?.align(mesh, start, options)
}

#[cfg(test)]
mod tests;
