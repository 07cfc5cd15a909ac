//! NIfTI-1 out: sform and qform both set, both with code 1 (scanner), so that every reader finds the same world.

use std::path::Path;

use crate::{
    fault::{Fault, Result},
    io::{file, gzip, raw::Scalar},
    space::{DMat3, DVec3, Frame, Grid},
};

/// Writes little-endian samples; `.gz` at the end of the name compresses. Bytes depend on grid and samples only.
///
/// # Errors
/// Unfit when a side is above 32,767 voxels or writing fails.
pub(in crate::io) fn write(path: &Path, grid: &Grid, scalar: Scalar, samples: &[u8]) -> Result<()> {
    let head = header(grid, scalar)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        return file::write(path, &[&gzip::deflate(&[&head, samples])?]);
    }
    file::write(path, &[&head, samples])
}

fn header(grid: &Grid, scalar: Scalar) -> Result<[u8; 352]> {
    let mut bytes = [0_u8; 352];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &348_i32.to_le_bytes());
    put(38, b"r");
    for (i, &side) in [3].iter().chain(&grid.size).chain(&[1; 4]).enumerate() {
        let side = i16::try_from(side).map_err(|_| {
            Fault::unfit(format!("a NIfTI-1 side has at most 32767 voxels, this one {side}")).hint("write .nrrd")
        })?;
        put(40 + 2 * i, &side.to_le_bytes());
    }
    let (code, bits) = (datatype(scalar), 8 * scalar.bytes() as i16);
    put(70, &code.to_le_bytes());
    put(72, &bits.to_le_bytes());

    // RAS columns; the quaternion holds a proper rotation, so a left-handed grid mirrors its third axis (qfac).
    let ras = DMat3::from_cols_array(&grid.direction.to_cols_array());
    let [x, y, z] = [ras.x_axis, ras.y_axis, ras.z_axis].map(|column| Frame::Ras.to_lps(column));
    let hand = if x.cross(y).dot(z) < 0.0 { -1.0 } else { 1.0 };
    let [b, c, d] = quaternion(x, y, z * hand);
    let origin = Frame::Ras.to_lps(grid.origin_mm);
    let spacing = grid.spacing_mm;
    let mut put_floats = |at: usize, values: &[f64]| {
        for (i, &value) in values.iter().enumerate() {
            put(at + 4 * i, &(value as f32).to_le_bytes());
        }
    };
    put_floats(76, &[hand, spacing.x, spacing.y, spacing.z, 1.0, 1.0, 1.0, 1.0]);
    put_floats(108, &[352.0, 1.0, 0.0]);
    put_floats(256, &[b, c, d, origin.x, origin.y, origin.z]);
    let [x, y, z] = [x * spacing.x, y * spacing.y, z * spacing.z];
    put_floats(280, &[x.x, y.x, z.x, origin.x, x.y, y.y, z.y, origin.y, x.z, y.z, z.z, origin.z]);

    put(123, &[2]); // millimetres
    put(252, &1_i16.to_le_bytes());
    put(254, &1_i16.to_le_bytes());
    put(344, b"n+1\0");
    Ok(bytes)
}

const fn datatype(scalar: Scalar) -> i16 {
    match scalar {
        Scalar::U8 => 2,
        Scalar::I16 => 4,
        Scalar::I32 => 8,
        Scalar::F32 => 16,
        Scalar::F64 => 64,
        Scalar::I8 => 256,
        Scalar::U16 => 512,
        Scalar::U32 => 768,
        Scalar::I64 => 1024,
        Scalar::U64 => 1280,
    }
}

/// Returns the imaginary parts of the rotation's quaternion, its real part not negative (Shepperd's method: the largest
/// of the four parts is found first, so that no small number is divided by).
fn quaternion(x: DVec3, y: DVec3, z: DVec3) -> [f64; 3] {
    let squares = [1.0 + x.x + y.y + z.z, 1.0 + x.x - y.y - z.z, 1.0 - x.x + y.y - z.z, 1.0 - x.x - y.y + z.z];
    let largest = (1..4).fold(0, |best, i| if squares[i] > squares[best] + 1e-9 { i } else { best });
    let part = 0.5 * squares[largest].max(0.0).sqrt();
    let over = 0.25 / part;
    let [a, b, c, d] = match largest {
        0 => [part, (y.z - z.y) * over, (z.x - x.z) * over, (x.y - y.x) * over],
        1 => [(y.z - z.y) * over, part, (x.y + y.x) * over, (z.x + x.z) * over],
        2 => [(z.x - x.z) * over, (x.y + y.x) * over, part, (y.z + z.y) * over],
        _ => [(x.y - y.x) * over, (z.x + x.z) * over, (y.z + z.y) * over, part],
    };
    let sign = if a < 0.0 { -1.0 } else { 1.0 };
    [b, c, d].map(|v| v * sign + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::DQuat;

    #[test]
    fn the_quaternion_of_every_right_angle_turn_is_right() {
        let axes = [DVec3::X, DVec3::Y, DVec3::Z, -DVec3::X, -DVec3::Y, -DVec3::Z];
        let mut turns = 0;
        for x in axes {
            for y in axes.into_iter().filter(|y| y.dot(x) == 0.0) {
                let z = x.cross(y);
                let [b, c, d] = quaternion(x, y, z);
                let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
                let back = DMat3::from_quat(DQuat::from_xyzw(b, c, d, a));
                assert!((back - DMat3::from_cols(x, y, z)).to_cols_array().iter().all(|e| e.abs() < 1e-7), "{x} {y}");
                turns += 1;
            }
        }
        assert_eq!(turns, 24);
    }
}
