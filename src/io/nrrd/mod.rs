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
    input::{Input, Part},
    raw,
};
use crate::fault::{Fault, Result};

/// Reads a NRRD image of three space axes: raw, gzip or ascii, attached or detached.
///
/// # Errors
/// Unfit when truncated, in another encoding (by name), without a space, or sheared without `tilt: resample`.
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
    let (header, data_at) = Header::parse(input.head())?;
    let count = raw::byte_count(header.affine.size, header.scalar)?;
    let detached;
    let (stored, data_at) = match &header.data_file {
        None => (input, data_at),
        Some(name) => {
            detached = beside(name)?;
            (&detached, 0)
        }
    };
    let (values, longer) = samples(&header, stored, data_at, count)?;
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
fn samples(header: &Header, stored: &Input<'_>, data_at: usize, count: usize) -> Result<(Vec<f32>, bool)> {
    let decode = |part: Part<'_>| raw::decode(part, header.scalar, header.endian, 1.0, 0.0);
    if header.encoding == Encoding::Raw && header.line_skip == 0 {
        let held = stored.len() - data_at;
        let from = data_at + after_skip(held, header.byte_skip, count)?;
        let part = stored.part(from..from + count).ok_or_else(|| short(held, count))?;
        return Ok((decode(part)?, header.byte_skip == 0 && held > count));
    }
    let all = stored.all()?;
    let packed = skip_lines(all.get(data_at..).unwrap_or_default(), header.line_skip)?;
    // In raw data -1 means the last bytes of the file; in the others only a skip forwards has a meaning.
    let forwards = || {
        usize::try_from(header.byte_skip)
            .map_err(|_| Fault::unfit(format!("the byte skip {} needs raw data", header.byte_skip)))
    };
    match header.encoding {
        Encoding::Raw => {
            let from = after_skip(packed.len(), header.byte_skip, count)?;
            Ok((decode(Part::Memory(&packed[from..from + count]))?, header.byte_skip == 0 && packed.len() > count))
        }
        Encoding::Gzip => {
            // The byte skip counts decompressed bytes.
            let skip = forwards()?;
            let (unpacked, longer) = gzip::inflate(packed, skip.saturating_add(count))?;
            Ok((decode(Part::Memory(&unpacked[skip..]))?, longer))
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

/// Returns where `count` bytes begin after a skip, among so many; -1 means the last `count` bytes.
pub(super) fn after_skip(held: usize, skip: i64, count: usize) -> Result<usize> {
    let from = match skip {
        -1 => held.checked_sub(count).ok_or_else(|| short(held, count))?,
        skip => usize::try_from(skip).map_err(|_| Fault::unfit(format!("the byte skip {skip} is impossible")))?,
    };
    match from.checked_add(count) {
        Some(end) if end <= held => Ok(from),
        _ => Err(short(held, count)),
    }
}

fn short(held: usize, count: usize) -> Fault {
    Fault::unfit(format!("the header declares {count} bytes of data, the file has {held}"))
        .hint("the file is truncated: copy it again")
}

#[cfg(test)]
mod tests;
