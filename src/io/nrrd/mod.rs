//! NRRD (.nrrd, and .nhdr with its data beside it): the store's own image format, because its header is text with full
//! precision; raw, gzip, bzip2 or ascii, attached or in one or several files beside it.
//! Format: <https://teem.sourceforge.net/nrrd/format.html>.

mod header;
mod write;

pub(super) use header::understand;
pub(super) use write::write;

#[cfg(test)]
mod tests;
