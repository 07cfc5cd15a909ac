//! MetaImage (.mha, .mhd with its data beside it). Coordinates in the file are LPS.

use std::path::Path;

use super::{
    affine::Affine,
    file, gzip,
    image::{Image, ImageOptions},
    nrrd,
    raw::{self, Endian, Scalar},
};
use crate::{
    fault::{Fault, Result},
    space::{DMat3, DVec3, Grid},
};

/// Headers are a few hundred bytes; the line that ends them is looked for no further than this.
const MOST_HEADER: usize = 1 << 20;

struct Header {
    size: Option<Vec<usize>>,
    scalar: Option<Scalar>,
    endian: Endian,
    compressed: bool,
    spacing: Option<Vec<f64>>,
    origin: Option<Vec<f64>>,
    matrix: Option<Vec<f64>>,
    header_size: i64,
    channels: usize,
    data_file: Option<String>,
}

/// Reads a MetaImage of three dimensions: raw or zlib, attached or detached.
///
/// # Errors
/// Unfit when truncated, of several channels, in ASCII, as a list of files, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    parse(&file::read(path)?, path, options).map_err(|fault| file::in_file(fault, path))
}

fn parse(bytes: &[u8], path: &Path, options: &ImageOptions) -> Result<Image> {
    let (header, data_at) = header(bytes)?;
    let missing = |field: &str| Fault::unfit(format!("the header has no field `{field}`"));
    let scalar = header.scalar.ok_or_else(|| missing("ElementType"))?;
    let size = three(header.size.as_deref().ok_or_else(|| missing("DimSize"))?, "DimSize")?;
    if header.channels != 1 {
        return Err(Fault::unfit(format!("the voxels have {} channels, one is needed", header.channels)));
    }
    let count = raw::byte_count(size, scalar)?;
    let detached;
    let stored = match header.data_file.as_deref() {
        None => return Err(missing("ElementDataFile")),
        Some("LOCAL") => &bytes[data_at..],
        Some(name) if name.starts_with("LIST") || name.contains('%') => {
            return Err(Fault::unfit("a MetaImage over a list of files is not supported").hint("write it as one .mha"));
        }
        Some(name) => {
            detached = nrrd::beside(path, name)?;
            detached.as_slice()
        }
    };
    let unpacked;
    let samples = if header.compressed {
        unpacked = gzip::inflate_zlib(stored, count)?;
        unpacked.as_slice()
    } else {
        nrrd::after_skip(stored, header.header_size, count)?
    };
    let values = raw::decode(samples, scalar, header.endian, 1.0, 0.0);
    let affine = place(&header, size)?;
    let mut notes = Vec::new();
    let volume = affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: scalar.name().to_owned(), notes })
}

fn place(header: &Header, size: [usize; 3]) -> Result<Affine> {
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
    let columns_mm = [matrix.x_axis * spacing_mm.x, matrix.y_axis * spacing_mm.y, matrix.z_axis * spacing_mm.z];
    Ok(Affine { size, origin_mm, columns_mm })
}

fn three<T: Copy + std::fmt::Debug>(values: &[T], field: &str) -> Result<[T; 3]> {
    values.try_into().map_err(|_| {
        Fault::unfit(format!("the field `{field}` has {} numbers, three are needed", values.len()))
            .hint("extract one volume first")
    })
}

fn header(bytes: &[u8]) -> Result<(Header, usize)> {
    let mut header = Header {
        size: None,
        scalar: None,
        endian: Endian::Little,
        compressed: false,
        spacing: None,
        origin: None,
        matrix: None,
        header_size: 0,
        channels: 1,
        data_file: None,
    };
    let (mut at, mut number) = (0, 0);
    while at < bytes.len().min(MOST_HEADER) {
        let length = bytes[at..].iter().take(MOST_HEADER).position(|&b| b == b'\n').unwrap_or(bytes.len() - at);
        let line = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
        at = (at + length + 1).min(bytes.len());
        number += 1;
        header.line(&line).map_err(|fault| fault.at(format!("header line {number}")))?;
        if header.data_file.is_some() {
            return Ok((header, at));
        }
    }
    Err(Fault::unfit("the header has no field `ElementDataFile`").hint("this is no MetaImage, or it is truncated"))
}

impl Header {
    fn line(&mut self, line: &str) -> Result<()> {
        let Some((name, value)) = line.split_once('=') else {
            return if line.trim().is_empty() {
                Ok(())
            } else {
                Err(Fault::unfit("a line `name = value` was expected"))
            };
        };
        let value = value.trim();
        match name.trim() {
            "DimSize" => self.size = Some(list(value)?),
            "ElementType" => self.scalar = Some(scalar(value)?),
            "ElementSpacing" => self.spacing = Some(list(value)?),
            // ITK writes ElementSize beside or instead of the spacing.
            "ElementSize" if self.spacing.is_none() => self.spacing = Some(list(value)?),
            "Offset" | "Position" | "Origin" => self.origin = Some(list(value)?),
            "TransformMatrix" | "Rotation" | "Orientation" => self.matrix = Some(list(value)?),
            "BinaryDataByteOrderMSB" | "ElementByteOrderMSB" if truth(value) => self.endian = Endian::Big,
            "CompressedData" => self.compressed = truth(value),
            "BinaryData" if !truth(value) => return Err(Fault::unfit("MetaImage data in ASCII is not supported")),
            "HeaderSize" => self.header_size = list(value)?.first().copied().unwrap_or(0),
            "ElementNumberOfChannels" => self.channels = list(value)?.first().copied().unwrap_or(1),
            "ElementDataFile" => self.data_file = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

fn truth(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text == "1"
}

fn list<T: std::str::FromStr>(text: &str) -> Result<Vec<T>> {
    text.split_whitespace().map(|v| v.parse().map_err(|_| Fault::unfit("a number was expected here"))).collect()
}

/// The numeric types and their MetaImage names.
const TYPES: [(&str, Scalar); 11] = [
    ("MET_UCHAR", Scalar::U8),
    ("MET_CHAR", Scalar::I8),
    ("MET_USHORT", Scalar::U16),
    ("MET_SHORT", Scalar::I16),
    ("MET_UINT", Scalar::U32),
    ("MET_INT", Scalar::I32),
    ("MET_ULONG_LONG", Scalar::U64),
    ("MET_LONG_LONG", Scalar::I64),
    ("MET_FLOAT", Scalar::F32),
    ("MET_DOUBLE", Scalar::F64),
    // Four bytes in files of every age, whatever the machine that wrote them.
    ("MET_LONG", Scalar::I32),
];

fn scalar(text: &str) -> Result<Scalar> {
    let found = TYPES.iter().find(|(name, _)| *name == text);
    found.map(|(_, scalar)| *scalar).ok_or_else(|| Fault::unfit("this ElementType is not supported"))
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
mod tests {
    use super::*;
    use crate::volume::Volume;

    #[test]
    fn a_round_trip_is_exact() {
        let turn = DMat3::from_cols(DVec3::new(0.0, 0.6, 0.8), DVec3::new(0.0, -0.8, 0.6), DVec3::new(-1.0, 0.0, 0.0));
        let grid = Grid::new([3, 4, 5], DVec3::new(0.1, -20.0, 1e-7), DVec3::new(0.3, 0.75, 2.0), turn).unwrap();
        let volume = Volume::new(grid, (0..60_i16).map(|v| f32::from(v) - 30.0).collect()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mha");
        write(&path, &grid, Scalar::I16, &raw::encode(&volume, Scalar::I16)).unwrap();
        let back = read(&path, &ImageOptions::default()).unwrap();
        assert_eq!(back.volume.data, volume.data);
        assert!(back.volume.grid.same_place(&grid));
        assert_eq!(back.dtype, "int16");
    }

    #[test]
    fn broken_headers_are_refused() {
        let image = |text: &str| parse(text.as_bytes(), Path::new("a.mha"), &ImageOptions::default()).unwrap_err();
        assert!(
            image("DimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nabcd").what.contains("DimSize")
        );
        assert!(
            image("DimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nabcd").what.contains("8 bytes")
        );
        assert!(image("DimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = ../x\n").what.contains("outside"));
        assert!(image("DimSize = 2 q 2\n").place.unwrap().contains("line 1"));
        assert!(image("ObjectType = Image\n").what.contains("ElementDataFile"));
    }
}
