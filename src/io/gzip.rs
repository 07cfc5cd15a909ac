//! Gzip and zlib under a budget: how much may come out is known before anything does.

use std::io::{Read, Write as _};

use flate2::{
    Compression,
    read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder},
    write::GzEncoder,
};

use super::file::MOST_BYTES;
use crate::fault::{Fault, Result};

/// Deflate cannot do better than 258 bytes for 2 bits.
const MOST_RATIO: u64 = 1032;

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

/// Returns exactly `expected` bytes of the content of a gzip stream, and whether more follow; less is an error.
pub(super) fn inflate(bytes: &[u8], expected: usize) -> Result<(Vec<u8>, bool)> {
    collect(MultiGzDecoder::new(bytes), bytes.len(), expected)
}

/// As [`inflate`] for a zlib stream.
pub(super) fn inflate_zlib(bytes: &[u8], expected: usize) -> Result<(Vec<u8>, bool)> {
    collect(ZlibDecoder::new(bytes), bytes.len(), expected)
}

/// Returns the whole content of a raw deflate stream, or nothing when it is damaged or longer than `most`.
pub(super) fn inflate_all_raw(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = DeflateDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut out).ok()?;
    (read <= most).then_some(out)
}

fn collect(mut stream: impl Read, packed: usize, expected: usize) -> Result<(Vec<u8>, bool)> {
    let could_hold = packed as u64 * MOST_RATIO;
    if expected as u64 > could_hold.min(MOST_BYTES) {
        return Err(Fault::unfit(format!(
            "the header declares {expected} bytes of data, and {packed} compressed bytes cannot hold more than {could_hold}"
        ))
        .hint("the file is truncated or damaged: copy it again"));
    }
    let mut out = Vec::with_capacity(expected);
    let read = stream.by_ref().take(expected as u64).read_to_end(&mut out);
    match read {
        Ok(_) if out.len() == expected => Ok((out, matches!(stream.read(&mut [0]), Ok(1)))),
        Ok(count) => Err(short(count, expected)),
        Err(_) => Err(short(out.len(), expected)),
    }
}

/// Returns what is said when data is longer than the header declares: the header may be another file's.
pub(super) fn longer() -> String {
    "the data is longer than the header declares; what follows is left out".to_owned()
}

fn short(count: usize, expected: usize) -> Fault {
    Fault::unfit(format!("the compressed data ends or breaks after {count} of {expected} bytes"))
        .hint("the file is truncated or damaged: copy it again")
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
    fn what_goes_in_comes_out_and_no_more_than_declared() {
        let packed = deflate(&[b"hello ", b"world"]).unwrap();
        assert_eq!(packed[4..8], [0; 4], "no time in the header");
        assert_eq!(inflate(&packed, 11).unwrap(), (b"hello world".to_vec(), false));
        assert_eq!(inflate(&packed, 5).unwrap(), (b"hello".to_vec(), true));
        assert_eq!(peek(&packed, 4), b"hell");
        assert!(inflate(&packed, 12).unwrap_err().what.contains("11 of 12"));
        assert!(inflate(&packed[..12], 11).is_err(), "truncated");
    }

    #[test]
    fn an_impossible_size_is_refused_before_allocation() {
        let packed = deflate(&[b"x"]).unwrap();
        assert!(inflate(&packed, 1 << 40).unwrap_err().what.contains("cannot hold"));
    }
}
