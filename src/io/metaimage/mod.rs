//! MetaImage (.mha, .mhd with its data beside it). Coordinates in the file are LPS.

mod header;

use std::path::Path;

use self::header::{Header, TYPES, header, missing, three};
use super::{
    affine::Affine,
    detached, file, gzip,
    image::{Image, ImageOptions},
    input::Input,
    raw::{self, Scalar},
    samples::Place,
};
use crate::{
    fault::{Fault, Result},
    space::{DMat3, DVec3, Grid},
};

/// Reads a MetaImage of three dimensions: raw, zlib or ASCII, attached or in one or several files beside it.
///
/// # Errors
/// Unfit when truncated, of several channels, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    let beside = |name: &str| detached::open(path, name);
    parse(&Input::open(path)?, &beside, options).map_err(|fault| file::in_file(fault, path))
}

/// Parses a header and the samples: those that follow it, or those of the files that it names, which `beside` opens.
pub(super) fn parse<'a>(
    input: &Input<'_>,
    beside: &dyn Fn(&str) -> Result<Input<'a>>,
    options: &ImageOptions,
) -> Result<Image> {
    let (header, data_at) = header(input.head())?;
    let scalar = header.scalar.ok_or_else(|| missing("ElementType"))?;
    let size = header.size()?;
    if header.channels != 1 {
        return Err(Fault::unfit(format!("the voxels have {} channels, one is needed", header.channels)));
    }
    let count = raw::byte_count(size, scalar)?;
    let files = header.files(size)?;
    let (values, longer) = header.samples(scalar)?.read(&files, (input, data_at), beside, count)?;
    let mut notes = Vec::from_iter(longer.then(gzip::longer));
    let affine = place(&header, size, &mut notes)?;
    let volume = affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: scalar.name().to_owned(), notes })
}

/// Returns the names of the data files; none where the data is in the file itself.
pub(super) fn data_files(bytes: &[u8]) -> Result<Vec<String>> {
    let (header, _) = header(bytes)?;
    Ok(match header.files(header.size()?)? {
        Place::Attached => Vec::new(),
        Place::Files(names) => names,
    })
}

fn place(header: &Header, size: [usize; 3], notes: &mut Vec<String>) -> Result<Affine> {
    let vector = |values: &Option<Vec<f64>>, name, default| match values {
        None => Ok(default),
        Some(values) => three(values, name).map(DVec3::from_array),
    };
    let spacing_mm = vector(&header.spacing, "ElementSpacing", DVec3::ONE)?;
    let origin_mm = vector(&header.origin, "Offset", DVec3::ZERO)?;
    let matrix = match header.matrix.as_deref() {
        None => DMat3::IDENTITY,
        // Written axis by axis, which is column by column of the direction matrix.
        Some(m) => DMat3::from_cols_array(
            m.try_into()
                .map_err(|_| Fault::unfit(format!("the field `TransformMatrix` has {} numbers, not 9", m.len())))?,
        ),
    };
    if spacing_mm.min_element() <= 0.0 {
        return Err(Fault::unfit(format!("the voxel spacing must be positive, it is {:?} mm", spacing_mm.to_array())));
    }
    agree(header, &matrix, notes)?;
    let columns_mm = [matrix.x_axis * spacing_mm.x, matrix.y_axis * spacing_mm.y, matrix.z_axis * spacing_mm.z];
    Ok(Affine { size, origin_mm, columns_mm })
}

/// Holds the letters of `AnatomicalOrientation` against the matrix. The letters name the side that each axis comes from: RAI
/// is LPS. The matrix is what places the voxels, as in ITK; letters that say otherwise are noted, and where there is no
/// matrix they are refused, because nothing tells which is meant.
fn agree(header: &Header, matrix: &DMat3, notes: &mut Vec<String>) -> Result<()> {
    let Some(stated) = header.orientation.as_deref().and_then(axes) else { return Ok(()) };
    let columns = [matrix.x_axis, matrix.y_axis, matrix.z_axis];
    let agrees = columns.iter().zip(stated).all(|(column, axis)| {
        let along = column.dot(axis);
        along > 0.0 && along >= column.abs().max_element() - 1e-6
    });
    match (agrees, header.matrix.is_some()) {
        (true, _) => Ok(()),
        (false, true) => {
            notes
                .push("AnatomicalOrientation disagrees with TransformMatrix; the matrix is used, as in ITK".to_owned());
            Ok(())
        }
        (false, false) => {
            Err(Fault::unfit("the header states axes by AnatomicalOrientation only, and they are not RAI (LPS)")
                .hint("add the line `TransformMatrix = …`, or write the image with ITK or 3D Slicer"))
        }
    }
}

/// Returns the directions of three letters, or nothing when they are none (`???`).
fn axes(letters: &str) -> Option<[DVec3; 3]> {
    let letters = <[u8; 3]>::try_from(letters.as_bytes()).ok()?;
    let axes = letters.map(|letter| match letter.to_ascii_uppercase() {
        b'R' => DVec3::X,
        b'L' => -DVec3::X,
        b'A' => DVec3::Y,
        b'P' => -DVec3::Y,
        b'I' => DVec3::Z,
        b'S' => -DVec3::Z,
        _ => DVec3::ZERO,
    });
    axes.iter().all(|axis| *axis != DVec3::ZERO).then_some(axes)
}

/// Writes one .mha file with the samples attached, little-endian.
///
/// # Errors
/// When writing fails.
pub(super) fn write(path: &Path, grid: &Grid, scalar: Scalar, samples: &[u8]) -> Result<()> {
    let join = |values: &[f64]| values.iter().map(|v| (v + 0.0).to_string()).collect::<Vec<_>>().join(" ");
    let [nx, ny, nz] = grid.size;
    let name = TYPES.iter().find(|(_, known)| *known == scalar).map_or("MET_FLOAT", |(name, _)| name);
    let text = format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
         TransformMatrix = {}\nOffset = {}\nElementSpacing = {}\nDimSize = {nx} {ny} {nz}\nElementType = {name}\n\
         ElementDataFile = LOCAL\n",
        join(&grid.direction.to_cols_array()),
        join(&grid.origin_mm.to_array()),
        join(&grid.spacing_mm.to_array()),
    );
    file::write(path, &[text.as_bytes(), samples])
}

#[cfg(test)]
mod tests;
