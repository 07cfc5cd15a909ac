//! NIfTI-1 (.nii, .nii.gz). Coordinates in the file are RAS; they are turned to LPS here, both ways.
//!
//! Written by hand rather than through a crate because a 348-byte header decides how much memory is taken: the sizes are
//! checked against the file before anything is allocated.

mod header;
mod write;

use std::path::Path;

pub(super) use write::write;

use self::header::{HEADER_BYTES, Header};
use super::{
    affine::Affine,
    file, gzip,
    image::{Image, ImageOptions},
    raw,
};
use crate::fault::{Fault, Result};

/// Reads a NIfTI-1 image; the values are `scl_slope * sample + scl_inter`.
///
/// # Errors
/// Unfit when the file is truncated, of an unknown or coloured type, four-dimensional, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    parse(&file::read(path)?, options).map_err(|fault| file::in_file(fault, path))
}

fn parse(bytes: &[u8], options: &ImageOptions) -> Result<Image> {
    let packed = gzip::is_gzip(bytes);
    let unpacked_head;
    let head = if packed {
        unpacked_head = gzip::peek(bytes, HEADER_BYTES);
        unpacked_head.as_slice()
    } else {
        bytes
    };
    let header = Header::parse(head)?;
    let mut notes = Vec::new();
    let affine = header.affine(&mut notes)?;
    let count = raw::byte_count(header.size, header.scalar)?;
    let end = header.data_at.checked_add(count).ok_or_else(|| Fault::unfit("the header's data offset is too large"))?;
    let unpacked;
    let samples = if packed {
        unpacked = gzip::inflate(bytes, end)?;
        &unpacked[header.data_at..]
    } else {
        bytes.get(header.data_at..end).ok_or_else(|| {
            Fault::unfit(format!("the header declares {end} bytes in all, the file has {}", bytes.len()))
                .hint("the file is truncated: copy it again")
        })?
    };
    let (slope, intercept) = header.scaling();
    let values = raw::decode(samples, header.scalar, header.endian, slope, intercept);
    let volume = Affine { size: header.size, ..affine }.place(values, options.tilt, &mut notes)?;
    let scaled = (slope, intercept) != (1.0, 0.0);
    let whole = slope.fract() == 0.0 && intercept.fract() == 0.0;
    let dtype = if scaled && !whole { "float32" } else { header.scalar.name() };
    Ok(Image { volume, dtype: dtype.to_owned(), notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        io::{image::Repair, raw::Scalar},
        space::{DMat3, DVec3, Grid},
        volume::Volume,
    };

    fn example() -> Volume<f32> {
        let turn = DMat3::from_cols(DVec3::new(0.0, 0.6, 0.8), DVec3::new(0.0, -0.8, 0.6), DVec3::new(-1.0, 0.0, 0.0));
        let grid = Grid::new([3, 4, 5], DVec3::new(10.0, -20.0, 30.5), DVec3::new(0.5, 0.75, 2.0), turn).unwrap();
        Volume::new(grid, (0..60_i16).map(|v| f32::from(v) - 30.0).collect()).unwrap()
    }

    fn bytes_of(volume: &Volume<f32>, name: &str, scalar: Scalar) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        write(&path, &volume.grid, scalar, &raw::encode(volume, scalar)).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_round_trip_keeps_world_and_values() {
        let volume = example();
        for (name, scalar) in [("a.nii", Scalar::I16), ("a.nii.gz", Scalar::F32), ("a.nii", Scalar::I8)] {
            let bytes = bytes_of(&volume, name, scalar);
            assert_eq!(bytes, bytes_of(&volume, name, scalar), "stable bytes");
            let back = parse(&bytes, &ImageOptions::default()).unwrap();
            assert_eq!(back.volume.data, volume.data);
            assert_eq!(back.dtype, scalar.name());
            assert!(back.notes.is_empty(), "{:?}", back.notes);
            assert!(back.volume.grid.same_place(&volume.grid));
        }
    }

    #[test]
    fn qform_alone_says_the_same_as_sform() {
        let volume = example();
        let mut mirrored = volume.clone();
        mirrored.grid.direction.x_axis = -mirrored.grid.direction.x_axis;
        for volume in [volume, mirrored] {
            let mut bytes = bytes_of(&volume, "a.nii", Scalar::I16);
            bytes[254..256].copy_from_slice(&0_i16.to_le_bytes());
            let back = parse(&bytes, &ImageOptions::default()).unwrap();
            assert!(back.volume.grid.same_place(&volume.grid), "{:?}", back.volume.grid);
            bytes[252..254].copy_from_slice(&0_i16.to_le_bytes());
            let back = parse(&bytes, &ImageOptions::default()).unwrap();
            assert_eq!(back.volume.grid.direction, DMat3::IDENTITY);
            assert!(back.notes[0].contains("no orientation"), "{:?}", back.notes);
        }
    }

    #[test]
    fn disagreeing_forms_are_noted_and_sform_wins() {
        let mut bytes = bytes_of(&example(), "a.nii", Scalar::I16);
        bytes[268..272].copy_from_slice(&99.0_f32.to_le_bytes());
        let back = parse(&bytes, &ImageOptions::default()).unwrap();
        assert!(back.notes[0].contains("disagree"), "{:?}", back.notes);
        assert!(back.volume.grid.same_place(&example().grid));
    }

    #[test]
    fn slope_applies_and_zero_means_none() {
        let mut bytes = bytes_of(&example(), "a.nii", Scalar::I16);
        bytes[112..116].copy_from_slice(&0.5_f32.to_le_bytes());
        bytes[116..120].copy_from_slice(&7.0_f32.to_le_bytes());
        let back = parse(&bytes, &ImageOptions::default()).unwrap();
        assert_eq!((back.volume.data[0], back.dtype.as_str()), (-8.0, "float32"));
        bytes[112..116].copy_from_slice(&0.0_f32.to_le_bytes());
        assert_eq!(parse(&bytes, &ImageOptions::default()).unwrap().volume.data[0], -30.0);
    }

    #[test]
    fn a_sheared_sform_is_refused_or_resampled() {
        let mut bytes = bytes_of(&example(), "a.nii", Scalar::I16);
        bytes[252..254].copy_from_slice(&0_i16.to_le_bytes());
        let z_of_row = |row: usize| 280 + 16 * row + 8;
        bytes[z_of_row(1)..z_of_row(1) + 4].copy_from_slice(&0.8_f32.to_le_bytes());
        assert!(parse(&bytes, &ImageOptions::default()).unwrap_err().what.contains("sheared"));
        let options = ImageOptions { tilt: Repair::Resample, ..ImageOptions::default() };
        assert_eq!(parse(&bytes, &options).unwrap().volume.grid.size[2], 5);
    }

    #[test]
    fn hostile_headers_are_refused_without_their_memory() {
        let good = bytes_of(&example(), "a.nii", Scalar::I16);
        let broken = |at: usize, value: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            parse(&bytes, &ImageOptions::default()).unwrap_err().what
        };
        assert!(broken(42, &30_000_i16.to_le_bytes()).contains("declares"), "wide");
        assert!(broken(42, &(-1_i16).to_le_bytes()).contains("-1"), "negative");
        assert!(broken(70, &128_i16.to_le_bytes()).contains("RGB"));
        assert!(broken(108, &f32::NAN.to_le_bytes()).contains("offset"));
        assert!(broken(344, b"????").contains("NIfTI"));
        assert!(broken(280, &f32::INFINITY.to_le_bytes()).contains("finite"));
        assert!(parse(&good[..400], &ImageOptions::default()).unwrap_err().what.contains("the file has 400"));
        assert!(parse(&good[..100], &ImageOptions::default()).is_err());
    }
}
