//! NRRD out: attached header, LPS, raw, every number as many digits as it needs; equal images give equal bytes.

use std::path::Path;

use crate::{
    fault::Result,
    io::{file, raw::Scalar},
    space::{DVec3, Grid},
};

/// Writes little-endian samples.
///
/// # Errors
/// When writing fails.
pub(in crate::io) fn write(path: &Path, grid: &Grid, scalar: Scalar, samples: &[u8]) -> Result<()> {
    file::write(path, &[header(grid, scalar).as_bytes(), samples])
}

fn header(grid: &Grid, scalar: Scalar) -> String {
    // `{}` prints the shortest decimal that reads back as the same f64; adding 0.0 makes -0 plain.
    let vector = |v: DVec3| format!("({},{},{})", v.x + 0.0, v.y + 0.0, v.z + 0.0);
    let [nx, ny, nz] = grid.size;
    let (d, s) = (grid.direction, grid.spacing_mm);
    let endian = if scalar.bytes() > 1 { "endian: little\n" } else { "" };
    format!(
        "NRRD0004\ntype: {}\ndimension: 3\nspace: left-posterior-superior\nsizes: {nx} {ny} {nz}\n\
         space directions: {} {} {}\nkinds: domain domain domain\n{endian}encoding: raw\nspace origin: {}\n\n",
        type_name(scalar),
        vector(d.x_axis * s.x),
        vector(d.y_axis * s.y),
        vector(d.z_axis * s.z),
        vector(grid.origin_mm),
    )
}

fn type_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::F32 => "float",
        Scalar::F64 => "double",
        other => other.name(),
    }
}
