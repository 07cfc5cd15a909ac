//! The built-in stages, one a file: parameters, ports, and `run` = load, call, save. The registry is one slice.

pub mod align;
pub mod command;
mod compare;
mod craniotomy;
mod displace;
mod figure;
mod fit_threshold;
mod infer;
pub mod load;
mod phantom;
mod resample;
mod save;
mod surface;
mod table;
mod threshold;
mod train;
mod voxelize;

pub use align::{Align, AlignParams, TransformFile};
pub use compare::{Compare, CompareParams};
pub use craniotomy::{Craniotomy, CraniotomyParams};
pub use displace::{Displace, DisplaceParams};
pub use figure::{Figure, FigureParams};
pub use fit_threshold::{FitThreshold, FittedThreshold};
pub use infer::{Infer, InferParams};
pub use phantom::{Phantom, PhantomParams};
pub use resample::{Resample, ResampleParams};
pub use surface::{Surface, SurfaceParams, SurfaceReport};
pub use table::{Table, TableParams};
pub use threshold::{Threshold, ThresholdParams};
pub use train::{Train, TrainParams};
pub use voxelize::{Voxelize, VoxelizeParams};

use crate::pipeline::stage::{Op, Typed};

/// Every built-in stage. Adding one is a file beside this one and a line here.
pub static OPS: &[&dyn Op] = &[
    &Typed::<Phantom>::new(),
    &Typed::<Craniotomy>::new(),
    &Typed::<Displace>::new(),
    &Typed::<Align>::new(),
    &Typed::<Resample>::new(),
    &Typed::<Voxelize>::new(),
    &Typed::<Train>::new(),
    &Typed::<Infer>::new(),
    &Typed::<FitThreshold>::new(),
    &Typed::<Threshold>::new(),
    &Typed::<Surface>::new(),
    &Typed::<Compare>::new(),
    &Typed::<Figure>::new(),
    &Typed::<Table>::new(),
    &command::COMMAND,
];

/// Returns the stage of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Op> {
    OPS.iter().copied().find(|op| op.name() == name)
}
