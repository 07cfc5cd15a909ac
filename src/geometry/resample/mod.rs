//! Images onto other grids: slices that lie unevenly or shifted (gaps, gantry tilt), and other voxel sizes.
//!
//! Only `+ - * /` on `f64`, so the values are the same on every machine and for any number of threads.

mod slices;
mod spacing;

pub use slices::{Fit, Slices};
pub use spacing::to_spacing;

use crate::fault::{Fault, Result};

/// The largest result: 4 GiB of `f32`. Positions come from files, and two far apart would ask for any amount.
const MOST_VOXELS: f64 = (1_u64 << 30) as f64;

fn affordable(size: [f64; 3]) -> Result<()> {
    let voxels = size[0] * size[1] * size[2];
    if voxels.is_finite() && voxels <= MOST_VOXELS {
        return Ok(());
    }
    Err(Fault::unfit(format!("the resampled image would have {voxels:.3e} voxels, more than {MOST_VOXELS:.3e}")))
}
