//! NRRD (.nrrd, and .nhdr with its data beside it): the store's own image format, because its header is text with full
//! precision. Format: <https://teem.sourceforge.net/nrrd/format.html>.

mod header;
mod write;

use std::path::{Component, Path};

pub(super) use write::write;

use self::header::{Encoding, Header};
use super::{
    file, gzip,
    image::{Image, ImageOptions},
    raw,
};
use crate::fault::{Fault, Result};

/// Reads a NRRD image of three space axes: raw or gzip, attached or detached.
///
/// # Errors
/// Unfit when truncated, in another encoding (by name), without a space, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    parse(&file::read(path)?, path, options).map_err(|fault| file::in_file(fault, path))
}

fn parse(bytes: &[u8], path: &Path, options: &ImageOptions) -> Result<Image> {
    let (header, data_at) = Header::parse(bytes)?;
    let count = raw::byte_count(header.affine.size, header.scalar)?;
    let detached;
    let packed = match &header.data_file {
        None => &bytes[data_at..],
        Some(name) => {
            detached = beside(path, name)?;
            detached.as_slice()
        }
    };
    let packed = skip_lines(packed, header.line_skip)?;
    let unpacked;
    let samples = match header.encoding {
        Encoding::Raw => after_skip(packed, header.byte_skip, count)?,
        Encoding::Gzip => {
            // The byte skip counts decompressed bytes; -1 means the end, which only the whole stream tells.
            let skip = usize::try_from(header.byte_skip)
                .map_err(|_| Fault::unfit("a negative byte skip in compressed data is not supported"))?;
            unpacked = gzip::inflate(packed, skip.saturating_add(count))?;
            &unpacked[skip..]
        }
    };
    let values = raw::decode(samples, header.scalar, header.endian, 1.0, 0.0);
    let mut notes = header.notes;
    let volume = header.affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: header.scalar.name().to_owned(), notes })
}

/// Returns the bytes of a detached data file: a plain name in the header's own folder, nothing else.
pub(super) fn beside(header: &Path, name: &str) -> Result<Vec<u8>> {
    let mut parts = Path::new(name).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    if !plain || name.contains(['\\', ':']) {
        return Err(Fault::unfit("the header points to a data file outside its own folder")
            .hint("put the data file beside the header and name it without a folder"));
    }
    let path = header.with_file_name(name);
    if !path.is_file() {
        return Err(Fault::unfit("the data file that the header names is missing").hint("put it beside the header"));
    }
    file::read(&path)
}

fn skip_lines(bytes: &[u8], lines: usize) -> Result<&[u8]> {
    (0..lines).try_fold(bytes, |rest, _| match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => Ok(&rest[end + 1..]),
        None => Err(Fault::unfit(format!("the data has fewer lines than the {lines} that the header skips"))),
    })
}

/// Returns the `count` bytes after `skip`; -1 means the last `count` bytes of the file.
pub(super) fn after_skip(bytes: &[u8], skip: i64, count: usize) -> Result<&[u8]> {
    let short = || {
        Fault::unfit(format!("the header declares {count} bytes of data, the file has {}", bytes.len()))
            .hint("the file is truncated: copy it again")
    };
    let from = match skip {
        -1 => bytes.len().checked_sub(count).ok_or_else(short)?,
        skip => usize::try_from(skip).map_err(|_| Fault::unfit(format!("the byte skip {skip} is impossible")))?,
    };
    from.checked_add(count).and_then(|end| bytes.get(from..end)).ok_or_else(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        io::raw::Scalar,
        space::{DMat3, DVec3, Grid},
        volume::Volume,
    };

    fn example() -> Volume<f32> {
        let turn = DMat3::from_cols(DVec3::new(0.0, 0.6, 0.8), DVec3::new(0.0, -0.8, 0.6), DVec3::new(-1.0, 0.0, 0.0));
        let grid = Grid::new([3, 4, 5], DVec3::new(0.1, -20.0, 1e-7), DVec3::new(0.3, 0.75, 2.0), turn).unwrap();
        Volume::new(grid, (0..60_i16).map(|v| f32::from(v) - 30.0).collect()).unwrap()
    }

    fn image(text: &str, data: &[u8]) -> Result<Image> {
        let bytes = [text.as_bytes(), data].concat();
        parse(&bytes, Path::new("a.nrrd"), &ImageOptions::default())
    }

    #[test]
    fn a_round_trip_keeps_geometry_to_the_last_digits() {
        let folder = tempfile::tempdir().unwrap();
        let volume = example();
        for scalar in [Scalar::I16, Scalar::F32, Scalar::I8] {
            let path = folder.path().join("a.nrrd");
            write(&path, &volume.grid, scalar, &raw::encode(&volume, scalar)).unwrap();
            let back = read(&path, &ImageOptions::default()).unwrap();
            assert_eq!(back.volume.data, volume.data);
            assert_eq!(back.volume.grid.origin_mm, volume.grid.origin_mm);
            assert!((back.volume.grid.spacing_mm - volume.grid.spacing_mm).length() < 1e-15);
            assert_eq!((back.dtype.as_str(), back.notes.len()), (scalar.name(), 0));
        }
        let text = String::from_utf8_lossy(&std::fs::read(folder.path().join("a.nrrd")).unwrap()[..120]).into_owned();
        assert!(text.starts_with("NRRD0004\ntype: int8\ndimension: 3\nspace: left-posterior-superior\n"), "{text}");
    }

    #[test]
    fn frames_and_byte_orders_are_honoured() {
        let header = |space: &str, endian: &str| {
            format!(
                "NRRD0004\n# note\ntype: short\ndimension: 3\nspace: {space}\nsizes: 2 1 1\nendian: {endian}\n\
                     encoding: raw\nspace directions: (0.5,0,0) (0,2,0) (0,0,3)\nspace origin: (1,2,3)\nkey:=value\n\n"
            )
        };
        let ras = image(&header("RAS", "big"), &[0, 1, 255, 254]).unwrap().volume;
        assert_eq!(ras.data, [1.0, -2.0]);
        assert_eq!((ras.grid.origin_mm, ras.grid.world(1, 0, 0).x), (DVec3::new(-1.0, -2.0, 3.0), -1.5));
        let las = image(&header("left-anterior-superior", "little"), &[1, 0, 2, 0]).unwrap().volume;
        assert_eq!(las.grid.origin_mm, DVec3::new(1.0, -2.0, 3.0));
        assert!(image(&header("scanner-xyz", "little"), &[1, 0, 2, 0]).unwrap_err().what.contains("space"));
        assert!(image(&header("LPS", "little"), &[1, 0, 2]).unwrap_err().what.contains("declares 4 bytes"));
    }

    #[test]
    fn other_shapes_and_encodings_are_refused_by_name() {
        let with = |line: &str| {
            let text = format!("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 1 1 1\nspacings: 1 1 1\n{line}\n\n");
            image(&text, &[7, 7])
        };
        assert_eq!(with("encoding: raw").unwrap().volume.data, [7.0], "no space: axes taken as LPS");
        assert_eq!(with("encoding: raw").unwrap().notes.len(), 1);
        assert!(with("encoding: bzip2").unwrap_err().what.contains("bzip2"));
        assert!(with("encoding: raw\ndata file: ../b.raw").unwrap_err().what.contains("outside"));
        assert!(with("encoding: raw\ndata file: /etc/passwd").unwrap_err().what.contains("outside"));
        assert!(with("encoding: raw\nsizes: 1 1 99999999999").unwrap_err().what.contains("voxels"));
        assert!(with("encoding: raw\nsizes: 1 x 1").unwrap_err().place.unwrap().contains("line 7"));
        assert!(image("NRRD0004\ntype: uchar\n", &[]).is_err());
        assert!(
            image("NRRD0004\ntype: uchar\ndimension: 3\nencoding: raw\n\n", &[]).unwrap_err().what.contains("sizes")
        );
    }

    #[test]
    fn skips_count_from_either_end() {
        assert_eq!(after_skip(b"abcdef", -1, 2).unwrap(), b"ef");
        assert_eq!(after_skip(b"abcdef", 1, 2).unwrap(), b"bc");
        assert!(after_skip(b"abc", 2, 2).is_err() && after_skip(b"abc", -2, 1).is_err());
        assert_eq!(skip_lines(b"a\nb\nc", 2).unwrap(), b"c");
        assert!(skip_lines(b"a", 1).is_err());
    }
}
