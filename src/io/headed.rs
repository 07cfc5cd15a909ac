//! Images under a header of text, NRRD and MetaImage: each says the same things in its own words; what follows is here.

use std::path::Path;

use super::{
    affine::Affine,
    detached, file, gzip,
    image::{Image, ImageOptions},
    input::Input,
    raw,
    samples::{Place, Samples},
};
use crate::fault::Result;

/// What a header says of its image.
pub(super) struct Header {
    pub(super) affine: Affine,
    pub(super) samples: Samples,
    pub(super) place: Place,
    pub(super) notes: Vec<String>,
}

/// Reads a header at the beginning of some bytes; also returns how long it is.
pub(super) type Understand = fn(&[u8]) -> Result<(Header, usize)>;

/// Reads an image of three space axes, its samples in the file itself or in files beside it.
///
/// # Errors
/// Unfit when the header is not understood, a data file is missing or leads elsewhere, data is truncated or damaged, or the
/// axes are sheared without `tilt: resample`.
pub(super) fn read(path: &Path, understand: Understand, options: &ImageOptions) -> Result<Image> {
    let beside = |name: &str| detached::open(path, name);
    parse(&Input::open(path)?, understand, &beside, options).map_err(|fault| file::in_file(fault, path))
}

/// As [`read`], from bytes: the samples follow the header, or lie in the files that it names, which `beside` opens.
pub(super) fn parse<'a>(
    input: &Input<'_>,
    understand: Understand,
    beside: &dyn Fn(&str) -> Result<Input<'a>>,
    options: &ImageOptions,
) -> Result<Image> {
    let (header, data_at) = understand(input.head())?;
    let scalar = header.samples.sample.scalar;
    let count = raw::byte_count(header.affine.size, scalar)?;
    let (values, longer) = header.samples.read(&header.place, (input, data_at), beside, count)?;
    let mut notes = header.notes;
    notes.extend(longer.then(gzip::longer));
    let volume = header.affine.place(values, options.tilt, &mut notes)?;
    Ok(Image { volume, dtype: scalar.name().to_owned(), notes })
}

/// Returns the names of the data files; none where the data is in the file itself.
pub(super) fn data_files(bytes: &[u8], understand: Understand) -> Result<Vec<String>> {
    understand(bytes).map(|(header, _)| match header.place {
        Place::Attached => Vec::new(),
        Place::Files(names) => names,
    })
}
