//! Planes from one buffer to another, and a product with one number.

use cubecl::prelude::*;

/// Copies `count` planes a slice between buffers whose slices hold different numbers of planes.
///
/// Cubes: pixels; planes; slices.
#[cube(launch_unchecked)]
pub(crate) fn copy_planes(from: &Array<f32>, to: &mut Array<f32>, plane: usize, from_planes: usize, to_planes: usize) {
    let pixel = ABSOLUTE_POS_X as usize;
    if pixel < plane {
        let (slice, channel) = (CUBE_POS_Z as usize, CUBE_POS_Y as usize);
        to[(slice * to_planes + channel) * plane + pixel] = from[(slice * from_planes + channel) * plane + pixel];
    }
}

/// Multiplies numbers by the first of `factor`.
#[cube(launch_unchecked)]
pub(crate) fn scale(from: &Array<f32>, factor: &Array<f32>, to: &mut Array<f32>, count: usize) {
    let i = ABSOLUTE_POS_X as usize;
    if i < count {
        to[i] = from[i] * factor[0];
    }
}

/// Sets numbers to the f32 with the given bits.
#[cube(launch_unchecked)]
pub(crate) fn fill(to: &mut Array<f32>, count: usize, bits: usize) {
    let i = ABSOLUTE_POS_X as usize;
    if i < count {
        to[i] = f32::reinterpret(bits as u32);
    }
}
