//! NIfTI-1 and NIfTI-2 (.nii, .nii.gz, pairs of .hdr and .img) in, NIfTI-1 out. Coordinates in the file are RAS; they are
//! turned to LPS here, both ways.
//!
//! Written by hand rather than through a crate because a 348-byte header decides how much memory is taken: the sizes are
//! checked against the file before anything is allocated.

mod header;
mod write;

use std::path::{Path, PathBuf};

pub(super) use write::write;

use self::header::{Header, MOST_HEADER_BYTES};
use super::{
    file, gzip,
    image::{Image, ImageOptions},
    input::Input,
    packed::{self, Packing},
    raw::{self, Sample},
    sniff::name_ends,
};
use crate::fault::{Fault, Result};

/// Endings of the two files of a pair: header, image.
const PAIRS: [(&str, &str); 2] = [(".hdr", ".img"), (".hdr.gz", ".img.gz")];

/// Reads a NIfTI image; the values are `scl_slope * sample + scl_inter`. Of a pair, either file may be given.
///
/// # Errors
/// Unfit when the file is truncated, of an unknown or coloured type, four-dimensional, or sheared without `tilt: resample`.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    let path = &header_of(path)?;
    let image = || image_of(path).and_then(|image| Input::open(&image));
    parse(&Input::open(path)?, image, options).map_err(|fault| file::in_file(fault, path))
}

/// Returns both files of a pair, the header first; of any other image, itself.
///
/// # Errors
/// Unfit when one of a pair is missing.
pub(super) fn parts(path: &Path) -> Result<Vec<PathBuf>> {
    let header = header_of(path)?;
    let head = file::head(&header, 1 << 16)?;
    let head = if gzip::is_gzip(&head) { gzip::peek(&head, MOST_HEADER_BYTES) } else { head };
    let pair = Header::parse(&head).map_err(|fault| file::in_file(fault, &header))?.pair;
    let image = pair.then(|| image_of(&header)).transpose()?;
    Ok([header].into_iter().chain(image).collect())
}

/// Returns the header of an .img file; any other file is its own header.
fn header_of(path: &Path) -> Result<PathBuf> {
    if !PAIRS.iter().any(|(_, image)| name_ends(path, image)) {
        return Ok(path.to_owned());
    }
    twin(path, |(header, _)| header, |(_, image)| image).ok_or_else(|| {
        Fault::unfit("this is the image of a pair, and its header (.hdr) is not beside it")
            .at(path.display())
            .hint("put the .hdr file beside it")
    })
}

/// Returns the image of a header.
fn image_of(header: &Path) -> Result<PathBuf> {
    twin(header, |(_, image)| image, |(header, _)| header).ok_or_else(|| {
        Fault::unfit("this is a NIfTI header, and its image (.img) is not beside it")
            .hint("put the .img file beside it")
    })
}

/// Returns the file beside `path` that has the one ending where `path` has the other. Names come from the caller's path and
/// the folder, never from a header.
fn twin(
    path: &Path,
    wanted: impl Fn((&'static str, &'static str)) -> &'static str,
    own: impl Fn((&'static str, &'static str)) -> &'static str,
) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let own = PAIRS.into_iter().map(own).find(|ending| name_ends(path, ending))?;
    let stem = name.get(..name.len() - own.len())?;
    let twins = PAIRS.into_iter().map(wanted).flat_map(|ending| [ending.to_owned(), ending.to_ascii_uppercase()]);
    twins.map(|ending| path.with_file_name(format!("{stem}{ending}"))).find(|path| path.is_file())
}

/// Parses a header and the samples: those that follow it, or those that `image` gives.
pub(super) fn parse<'a>(
    input: &Input<'_>,
    image: impl FnOnce() -> Result<Input<'a>>,
    options: &ImageOptions,
) -> Result<Image> {
    let bytes = input.head();
    let unpacked_head;
    let head = if gzip::is_gzip(bytes) {
        unpacked_head = gzip::peek(bytes, MOST_HEADER_BYTES);
        unpacked_head.as_slice()
    } else {
        bytes
    };
    let header = Header::parse(head)?;
    let mut notes = Vec::new();
    let affine = header.affine(&mut notes)?;
    let (slope, intercept) = header.scaling()?;
    let count = raw::byte_count(header.size, header.scalar)?;
    let end = header.data_at.checked_add(count).ok_or_else(|| Fault::unfit("the header's data offset is too large"))?;
    let beside;
    let stored = if header.pair {
        beside = image()?;
        &beside
    } else {
        input
    };
    let short = || {
        Fault::unfit(format!("the header declares {end} bytes in all, the file has {}", stored.len()))
            .hint("the file is truncated: copy it again")
    };
    let sample = Sample { scalar: header.scalar, endian: header.endian, slope, intercept };
    let values = if gzip::is_gzip(stored.head()) {
        let whole = stored.part(0..stored.len()).ok_or_else(short)?;
        packed::decode(whole, Packing::Gzip, [header.data_at, count], sample)?.0
    } else {
        raw::decode(stored.part(header.data_at..end).ok_or_else(short)?, sample)?
    };
    let volume = affine.place(values, options.tilt, &mut notes)?;
    let scaled = (slope, intercept) != (1.0, 0.0);
    let whole = slope.fract() == 0.0 && intercept.fract() == 0.0;
    let dtype = if scaled && !whole { "float32" } else { header.scalar.name() };
    Ok(Image { volume, dtype: dtype.to_owned(), notes })
}

#[cfg(test)]
mod tests;
