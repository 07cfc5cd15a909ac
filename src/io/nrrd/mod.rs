//! NRRD (.nrrd, and .nhdr with its data beside it): the store's own image format, because its header is text with full
//! precision. Format: <https://teem.sourceforge.net/nrrd/format.html>.

mod header;
mod text;
mod write;

use std::path::Path;

pub(super) use write::write;

use self::header::{Encoding, Header};
use super::{
    detached, file, gzip,
    image::{Image, ImageOptions},
    raw,
};
use crate::fault::{Fault, Result};

/// Reads a NRRD image of three space axes: raw, gzip or ascii, attached or detached.
///
/// # Errors
/// Unfit when truncated, in another encoding (by name), without a space, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    let beside = |name: &str| detached::read(path, name);
    parse(&file::read(path)?, beside, options).map_err(|fault| file::in_file(fault, path))
}

/// Parses a header and the samples: those that follow it, or those of the file that it names, which `beside` reads.
pub(super) fn parse(
    bytes: &[u8],
    beside: impl FnOnce(&str) -> Result<Vec<u8>>,
    options: &ImageOptions,
) -> Result<Image> {
    let (header, data_at) = Header::parse(bytes)?;
    let count = raw::byte_count(header.affine.size, header.scalar)?;
    let detached;
    let packed = match &header.data_file {
        None => &bytes[data_at..],
        Some(name) => {
            detached = beside(name)?;
            detached.as_slice()
        }
    };
    let packed = skip_lines(packed, header.line_skip)?;
    let (values, longer) = samples(&header, packed, count)?;
    let mut notes = header.notes;
    notes.extend(longer.then(gzip::longer));
    let volume = header.affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: header.scalar.name().to_owned(), notes })
}

/// Returns the name of the data file, where the data is not in the file itself.
pub(super) fn data_file(bytes: &[u8]) -> Result<Option<String>> {
    Header::parse(bytes).map(|(header, _)| header.data_file)
}

/// Returns the values, and whether more data follows than the header declares.
fn samples(header: &Header, packed: &[u8], count: usize) -> Result<(Vec<f32>, bool)> {
    let decode = |bytes: &[u8]| raw::decode(bytes, header.scalar, header.endian, 1.0, 0.0);
    // In raw data -1 means the last bytes of the file; in the others only a skip forwards has a meaning.
    let forwards = || {
        usize::try_from(header.byte_skip)
            .map_err(|_| Fault::unfit(format!("the byte skip {} needs raw data", header.byte_skip)))
    };
    match header.encoding {
        Encoding::Raw => {
            let bytes = after_skip(packed, header.byte_skip, count)?;
            Ok((decode(bytes), header.byte_skip == 0 && packed.len() > count))
        }
        Encoding::Gzip => {
            // The byte skip counts decompressed bytes.
            let skip = forwards()?;
            let (unpacked, longer) = gzip::inflate(packed, skip.saturating_add(count))?;
            Ok((decode(&unpacked[skip..]), longer))
        }
        Encoding::Ascii => {
            let text = packed.get(forwards()?..).unwrap_or_default();
            Ok((text::decode(text, header.scalar, count / header.scalar.bytes())?, false))
        }
    }
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
mod tests;
