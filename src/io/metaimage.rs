//! MetaImage (.mha, .mhd with its data beside it). Coordinates in the file are LPS.

use std::path::Path;

use super::{
    affine::Affine,
    detached, file, gzip,
    image::{Image, ImageOptions},
    input::{Input, Part},
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
    orientation: Option<String>,
    header_size: i64,
    channels: usize,
    data_file: Option<String>,
}

/// Reads a MetaImage of three dimensions: raw or zlib, attached or detached.
///
/// # Errors
/// Unfit when truncated, of several channels, in ASCII, as a list of files, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    let beside = |name: &str| detached::open(path, name);
    parse(&Input::open(path)?, beside, options).map_err(|fault| file::in_file(fault, path))
}

/// Parses a header and the samples: those that follow it, or those of the file that it names, which `beside` reads.
pub(super) fn parse<'a>(
    input: &Input<'_>,
    beside: impl FnOnce(&str) -> Result<Input<'a>>,
    options: &ImageOptions,
) -> Result<Image> {
    let (header, data_at) = header(input.head())?;
    let missing = |field: &str| Fault::unfit(format!("the header has no field `{field}`"));
    let scalar = header.scalar.ok_or_else(|| missing("ElementType"))?;
    let size = three(header.size.as_deref().ok_or_else(|| missing("DimSize"))?, "DimSize")?;
    if header.channels != 1 {
        return Err(Fault::unfit(format!("the voxels have {} channels, one is needed", header.channels)));
    }
    let count = raw::byte_count(size, scalar)?;
    let detached;
    let (stored, data_at) = match header.data_file.as_deref() {
        None => return Err(missing("ElementDataFile")),
        Some(name) if name.eq_ignore_ascii_case("LOCAL") => (input, data_at),
        Some(name) if name.starts_with("LIST") || name.contains('%') => {
            return Err(Fault::unfit("a MetaImage over a list of files is not supported").hint("write it as one .mha"));
        }
        Some(name) => {
            detached = beside(name)?;
            (&detached, 0)
        }
    };
    let (values, longer) = samples(&header, stored, data_at, scalar, count)?;
    let mut notes = Vec::from_iter(longer.then(gzip::longer));
    let affine = place(&header, size, &mut notes)?;
    let volume = affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: scalar.name().to_owned(), notes })
}

/// Returns the values, and whether more data follows than the header declares.
fn samples(
    header: &Header,
    stored: &Input<'_>,
    data_at: usize,
    scalar: Scalar,
    count: usize,
) -> Result<(Vec<f32>, bool)> {
    let decode = |part: Part<'_>| raw::decode(part, scalar, header.endian, 1.0, 0.0);
    if header.compressed {
        let skip = usize::try_from(header.header_size)
            .map_err(|_| Fault::unfit(format!("the header size {} needs raw data", header.header_size)))?;
        let all = stored.all()?;
        let packed = all.get(data_at.saturating_add(skip)..).unwrap_or_default();
        let (unpacked, longer) = gzip::inflate_zlib(packed, count)?;
        return Ok((decode(Part::Memory(&unpacked))?, longer));
    }
    let held = stored.len() - data_at;
    let from = data_at + nrrd::after_skip(held, header.header_size, count)?;
    let part = stored.part(from..from + count).ok_or_else(|| Fault::unfit("the data is shorter than declared"))?;
    Ok((decode(part)?, header.header_size == 0 && held > count))
}

/// Returns the name of the data file, where the data is not in the file itself.
pub(super) fn data_file(bytes: &[u8]) -> Result<Option<String>> {
    let (header, _) = header(bytes)?;
    Ok(header.data_file.filter(|name| !name.eq_ignore_ascii_case("LOCAL")))
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
        orientation: None,
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
            "AnatomicalOrientation" => self.orientation = Some(value.to_owned()),
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
const TYPES: [(&str, Scalar); 12] = [
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
    ("MET_ULONG", Scalar::U32),
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
        let image = |text: &str| {
            parse(
                &Input::memory(text.as_bytes()),
                |name| detached::open(Path::new("a.mha"), name),
                &ImageOptions::default(),
            )
            .unwrap_err()
        };
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

    #[test]
    fn letters_of_orientation_are_held_against_the_matrix() {
        let image = |lines: &str| {
            let text = format!("DimSize = 1 1 1\n{lines}ElementType = MET_UCHAR\nElementDataFile = Local\n\u{7}");
            parse(&Input::memory(text.as_bytes()), |_| Err(Fault::unfit("no file")), &ImageOptions::default())
        };
        assert!(image("AnatomicalOrientation = RAI\n").unwrap().notes.is_empty());
        assert!(image("AnatomicalOrientation = ???\n").unwrap().notes.is_empty());
        assert!(image("AnatomicalOrientation = RPI\n").unwrap_err().what.contains("AnatomicalOrientation only"));
        let matrix = "TransformMatrix = 1 0 0 0 -1 0 0 0 1\n";
        assert!(image(&format!("{matrix}AnatomicalOrientation = RPI\n")).unwrap().notes.is_empty());
        let noted = image(&format!("{matrix}AnatomicalOrientation = RAI\n")).unwrap();
        assert!(noted.notes[0].contains("disagrees") && noted.volume.grid.direction.y_axis.y == -1.0);
        assert!(image("ElementSpacing = 1 -1 1\n").unwrap_err().what.contains("positive"));
    }

    #[test]
    fn detached_and_compressed_data_give_the_same_image() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let samples = [1_u8, 2, 3, 250];
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
        packer.write_all(&samples).unwrap();
        let packed = packer.finish().unwrap();
        for (name, lines, data) in [
            ("a.raw", "", samples.to_vec()),
            ("b.zraw", "CompressedData = True\n", packed),
            ("c.raw", "HeaderSize = -1\n", [9, 9, 1, 2, 3, 250].to_vec()),
        ] {
            let path = folder.path().join("a.mhd");
            let text = format!(
                "ObjectType = Image\nNDims = 3\n{lines}DimSize = 2 2 1\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
            );
            std::fs::write(&path, text).unwrap();
            std::fs::write(folder.path().join(name), data).unwrap();
            assert_eq!(read(&path, &ImageOptions::default()).unwrap().volume.data, [1.0, 2.0, 3.0, 250.0], "{name}");
        }
    }
}
