//! Where things are: grids of voxels, rigid motions, and the two anatomical frames. World is LPS millimetres.

mod frame;
mod grid;
mod rigid;

pub use frame::{Frame, Unit};
pub use glam::{DAffine3, DMat3, DQuat, DVec3};
pub use grid::Grid;
pub use rigid::Rigid;
