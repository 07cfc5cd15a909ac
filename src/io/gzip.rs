//! Gzip out; of gzip and deflate in, what is small: a look at a beginning, a data set. Samples are in `packed`.

use std::io::{Read as _, Write as _};

use flate2::{
    Compression,
    read::{DeflateDecoder, MultiGzDecoder},
    write::GzEncoder,
};

use crate::fault::{Fault, Result};

/// Returns whether the bytes begin like a gzip file.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Returns the first bytes of the content, at most `count`; fewer when the stream ends or breaks.
pub(super) fn peek(bytes: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    // A broken stream shows when the whole is read; for a look at the beginning what came out is enough.
    let _ignored = MultiGzDecoder::new(bytes).take(count as u64).read_to_end(&mut out);
    out
}

/// Returns the whole content of a raw deflate stream, or nothing when it is damaged or longer than `most`.
pub(super) fn inflate_all_raw(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = DeflateDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut out).ok()?;
    (read <= most).then_some(out)
}

/// Returns what is said when data is longer than the header declares: the header may be another file's.
pub(super) fn longer() -> String {
    "the data is longer than the header declares; what follows is left out".to_owned()
}

/// Returns the parts compressed as one gzip stream with no name and no time in it.
pub(super) fn deflate(parts: &[&[u8]]) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Fault::unfit(format!("cannot compress: {error}"));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    for part in parts {
        encoder.write_all(part).map_err(failed)?;
    }
    encoder.finish().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_give_equal_bytes_and_a_look_is_a_beginning() {
        let packed = deflate(&[b"hello ", b"world"]).unwrap();
        assert_eq!(packed, deflate(&[b"hello world"]).unwrap());
        assert_eq!(packed[4..8], [0; 4], "no time in the header");
        assert_eq!((peek(&packed, 4), is_gzip(&packed)), (b"hell".to_vec(), true));
        assert!(peek(&packed[..12], 4).len() < 4, "a broken stream gives less");
    }

    #[test]
    fn a_raw_stream_is_whole_and_short_or_nothing() {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), Compression::new(6));
        packer.write_all(b"hello").unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(inflate_all_raw(&packed, 5).as_deref(), Some(b"hello".as_slice()));
        assert_eq!((inflate_all_raw(&packed, 4), inflate_all_raw(&packed[..3], 5)), (None, None));
    }
}
