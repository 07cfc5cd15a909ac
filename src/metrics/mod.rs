//! How good a segmentation is: overlap of labels, distances of surfaces, both also near the defect.
//!
//! ```text
//! labels ──▶ overlap ─────────────────────────────────────────────┐
//! meshes ──▶ quadrature ──▶ distances ──▶ regions ──▶ surface ──▶ row
//! ```
//! The costly thing is done once, the distance at every sample of both surfaces; each column is a few lines on top.

pub mod defect;
pub mod overlap;
pub mod row;
pub mod surface;
pub mod vault;

mod distances;
mod farthest;
mod margin;
mod quadrature;
mod side;
mod weighted;
