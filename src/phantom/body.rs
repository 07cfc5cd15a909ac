//! What a scanner can look at and an engineer can model, whoever made it.

use crate::space::DVec3;

/// The density at a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// True density, HU.
    pub(super) hu: f64,
    /// Radius around the point within which the density is the same, mm.
    pub(super) clear_mm: f64,
    /// Radius around the point within which it differs by no more than soft tissues do: its mean may be taken from one point.
    pub(super) even_mm: f64,
}

/// A head in the world of the scan, LPS mm.
pub(super) trait Body: Sync {
    /// Returns the density at a point.
    fn sample(&self, world: DVec3) -> Sample;
    /// Returns the density of iron that stands for the metal at a point, g/cm³.
    fn iron_g_cm3(&self, world: DVec3) -> f64;
    /// Returns the signed distance to the true bone, mm, negative inside.
    fn bone_mm(&self, world: DVec3) -> f64;
    /// Returns the signed distance to the bone that was taken away, mm, negative inside.
    fn missing_mm(&self, world: DVec3) -> f64;
    /// Returns the middle of the opening, and how far from it anything that is missing can be, mm.
    fn opening(&self) -> (DVec3, f64);
}
