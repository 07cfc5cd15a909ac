//! Pure geometry on grids and meshes: what is inside, where the surface runs, how shapes fit.
//!
//! Nothing here reads or writes files; every function gives the same bytes for any number of threads.

pub mod align;
pub mod components;
pub mod decimate;
pub mod morphology;
pub mod resample;
pub mod smooth;
pub mod surface;
pub mod voxelize;
pub mod winding;
