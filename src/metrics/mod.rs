//! How good a segmentation is: overlap of labels, distances of surfaces, also near the defect, near metal
//! and where bone is thin.
//!
//! ```text
//! labels ──▶ overlap ─────────────────────────────────────────────┐
//! meshes ──▶ quadrature ──▶ distances ──▶ regions ──▶ surface ──▶ row
//! ```
//! The costly thing is done once, the distance at every sample of both surfaces; each column is a few lines on top, and each
//! comes with a bound on how far it may be from what infinitely many samples would give.

pub mod columns;
pub mod defect;
pub mod deviation;
pub mod overlap;
pub mod place;
pub mod row;
pub mod surface;
pub mod vault;

mod certainty;
mod distances;
mod farthest;
mod lists;
mod margin;
mod quadrature;
mod region;
mod side;
mod weighted;
