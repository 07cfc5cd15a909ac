//! NRRD (.nrrd, and .nhdr with its data beside it): the store's own image format, because its header is text with full
//! precision. Format: <https://teem.sourceforge.net/nrrd/format.html>.

mod header;
mod write;

use std::path::Path;

pub(super) use write::write;

use self::header::Header;
use super::{
    detached, file, gzip,
    image::{Image, ImageOptions},
    input::Input,
    raw,
    samples::Place,
};
use crate::fault::Result;

/// Reads a NRRD image of three space axes: raw, gzip, bzip2 or ascii, attached or in one or several files beside it.
///
/// # Errors
/// Unfit when truncated, in another encoding (by name), without a space, or sheared without `tilt: resample`.
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
    let (header, data_at) = Header::parse(input.head())?;
    let scalar = header.samples.sample.scalar;
    let count = raw::byte_count(header.affine.size, scalar)?;
    let (values, longer) = header.samples.read(&header.place, (input, data_at), beside, count)?;
    let mut notes = header.notes;
    notes.extend(longer.then(gzip::longer));
    let volume = header.affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: scalar.name().to_owned(), notes })
}

/// Returns the names of the data files; none where the data is in the file itself.
pub(super) fn data_files(bytes: &[u8]) -> Result<Vec<String>> {
    Header::parse(bytes).map(|(header, _)| match header.place {
        Place::Attached => Vec::new(),
        Place::Files(names) => names,
    })
}

#[cfg(test)]
mod tests;
