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
    /// Calls `found` with the densities in a cube of an edge about a point, HU, each with its share; no metal is near.
    fn mix(&self, world: DVec3, edge_mm: f64, found: &mut dyn FnMut(f64, f64));
    /// Returns whether there may be metal within a radius.
    fn is_metal_near(&self, world: DVec3, radius_mm: f64) -> bool;
    /// Returns the density of iron that stands for the metal at a point, g/cm³.
    fn iron_g_cm3(&self, world: DVec3) -> f64;
    /// Returns the signed distance to the true bone, mm, negative inside.
    fn bone_mm(&self, world: DVec3) -> f64;
    /// Returns the signed distance to the bone that was taken away, mm, negative inside.
    fn missing_mm(&self, world: DVec3) -> f64;
    /// Returns the middle of the opening, and how far from it anything that is missing can be, mm.
    fn opening(&self) -> (DVec3, f64);
}
