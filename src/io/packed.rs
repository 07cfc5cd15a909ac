//! Samples in a compressed stream, unpacked piece by piece to where they belong: what is held of the stream is a piece, and
//! memory for the values grows with what really comes out, whatever a header declares.

use std::io::{BufRead, BufReader, Read, Result as IoResult};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::{GzDecoder, ZlibDecoder};

use super::{
    file::MOST_BYTES,
    input::Part,
    raw::{self, Sample},
    room,
};
use crate::fault::{Fault, Result};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zlib,
    Bzip2,
}

impl Packing {
    /// Returns how many bytes may come out for one. Deflate cannot do better than 258 bytes for 2 bits. Bzip2 can put 46 MB
    /// of zeros in 40 bytes, which no scan and no label map of a scan comes near.
    const fn most_ratio(self) -> u64 {
        match self {
            Self::Gzip | Self::Zlib => 1032,
            Self::Bzip2 => 8192,
        }
    }
}

/// Samples that are unpacked, and converted, at a time.
const PIECE: usize = 1 << 17;
/// Values that memory is taken for at first, for each byte of the stream; more only when more has come out.
const AT_FIRST: usize = 4;
/// Compressed bytes that are read from a file at a time.
const BUFFER: usize = 1 << 18;

/// Returns `count` bytes of a stream's content after the first `skip` as values, and whether more follows.
///
/// # Errors
/// Unfit when the stream cannot hold so much, which is said before anything is unpacked; when it ends before, breaks, or
/// its checksum is wrong.
pub(super) fn decode(
    part: Part<'_>,
    packing: Packing,
    [skip, count]: [usize; 2],
    sample: Sample,
) -> Result<(Vec<f32>, bool)> {
    let (packed, expected) = (part.len(), skip.saturating_add(count));
    let could_hold = packed as u64 * packing.most_ratio();
    if expected as u64 > could_hold.min(MOST_BYTES) {
        return Err(Fault::unfit(format!(
            "the header declares {expected} bytes of data, and {packed} compressed bytes cannot hold more than {could_hold}"
        ))
        .hint("the file is truncated or damaged: copy it again"));
    }
    let stream = BufReader::with_capacity(BUFFER, part.reader());
    let values = room::with_capacity((count / sample.scalar.bytes()).min(packed.saturating_mul(AT_FIRST)));
    match packing {
        Packing::Gzip => Unpacking { stream: Members::new(stream), came: 0, expected }.run(skip, sample, values),
        Packing::Zlib => Unpacking { stream: ZlibDecoder::new(stream), came: 0, expected }.run(skip, sample, values),
        Packing::Bzip2 => {
            Unpacking { stream: MultiBzDecoder::new(stream), came: 0, expected }.run(skip, sample, values)
        }
    }
}

struct Unpacking<R> {
    stream: R,
    /// Bytes that came out, and those that should.
    came: usize,
    expected: usize,
}

impl<R: Read + Send> Unpacking<R> {
    fn run(mut self, skip: usize, sample: Sample, mut values: Vec<f32>) -> Result<(Vec<f32>, bool)> {
        let piece = PIECE * sample.scalar.bytes();
        let (mut next, mut ready) = (vec![0; piece.min(self.expected)], Vec::new());
        let mut left = skip;
        while left > 0 {
            let length = left.min(next.len());
            self.fill(&mut next[..length])?;
            left -= length;
        }
        // While one piece is unpacked, the one before it is converted.
        while self.came < self.expected {
            next.resize(piece.min(self.expected - self.came), 0);
            let (filled, ()) = rayon::join(|| self.fill(&mut next), || append(&ready, sample, &mut values));
            filled?;
            std::mem::swap(&mut next, &mut ready);
        }
        append(&ready, sample, &mut values);
        let more = self.stream.read(&mut [0]).map_err(|_| {
            Fault::unfit("the compressed data is damaged: its checksum is wrong, or it breaks off at its end")
                .hint("copy the file again")
        })?;
        Ok((values, more == 1))
    }

    fn fill(&mut self, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            match self.stream.read(out) {
                Ok(count) if count > 0 => {
                    self.came += count;
                    out = &mut out[count..];
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                _ => {
                    let (count, expected) = (self.came, self.expected);
                    return Err(Fault::unfit(format!(
                        "the compressed data ends or breaks after {count} of {expected} bytes"
                    ))
                    .hint("the file is truncated or damaged: copy it again"));
                }
            }
        }
        Ok(())
    }
}

fn append(bytes: &[u8], sample: Sample, values: &mut Vec<f32>) {
    let from = values.len();
    values.resize(from + bytes.len() / sample.scalar.bytes(), 0.0);
    raw::put(bytes, sample, &mut values[from..]);
}

/// The members of a gzip file one after the other (RFC 1952, 2.2); what follows the last and is none is left alone, since
/// archives are padded with zeros.
struct Members<R> {
    /// Nothing only while one member follows another.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(stream: R) -> Self {
        Self { member: Some(GzDecoder::new(stream)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> IoResult<usize> {
        while let Some(mut member) = self.member.take() {
            let count = member.read(out);
            if out.is_empty() || !matches!(count, Ok(0)) {
                self.member = Some(member);
                return count;
            }
            let mut rest = member.into_inner();
            if rest.fill_buf()?.first() == Some(&0x1f) {
                self.member = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::io::{
        gzip,
        raw::{Endian, Scalar},
    };

    const BYTES: Sample = Sample::plain(Scalar::U8, Endian::Little);

    fn unpacked(packed: &[u8], packing: Packing, range: [usize; 2]) -> Result<(Vec<f32>, bool)> {
        decode(Part::Memory(packed), packing, range, BYTES)
    }

    fn every(content: &[u8]) -> [(Packing, Vec<u8>); 3] {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
        zlib.write_all(content).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(9));
        bzip2.write_all(content).unwrap();
        [
            (Packing::Gzip, gzip::deflate(&[content]).unwrap()),
            (Packing::Zlib, zlib.finish().unwrap()),
            (Packing::Bzip2, bzip2.finish().unwrap()),
        ]
    }

    #[test]
    fn what_goes_in_comes_out_and_no_more_than_declared() {
        for (packing, packed) in every(b"hello world") {
            let whole: Vec<f32> = b"hello world".iter().map(|&byte| f32::from(byte)).collect();
            assert_eq!(unpacked(&packed, packing, [0, 11]).unwrap(), (whole.clone(), false), "{packing:?}");
            assert_eq!(unpacked(&packed, packing, [6, 5]).unwrap(), (whole[6..].to_vec(), false));
            assert_eq!(unpacked(&packed, packing, [2, 5]).unwrap(), (whole[2..7].to_vec(), true));
            assert!(unpacked(&packed, packing, [0, 12]).unwrap_err().what.contains("11 of 12"));
            assert!(unpacked(&packed[..packed.len() - 12], packing, [0, 11]).is_err(), "truncated");
            // The checksum is the last thing of a stream; of gzip, a length follows, and of bzip2, bits that fill a byte.
            let mut wrong = packed.clone();
            let from_end = match packing {
                Packing::Gzip => 8,
                Packing::Zlib => 1,
                Packing::Bzip2 => 3,
            };
            wrong[packed.len() - from_end] ^= 0x40;
            assert!(unpacked(&wrong, packing, [0, 11]).is_err(), "{packing:?}: a wrong checksum");
            let [large, larger] = [packed.len() * 8193, 1 << 40];
            for count in [large, larger] {
                assert!(unpacked(&packed, packing, [0, count]).unwrap_err().what.contains("cannot hold"));
            }
        }
    }

    #[test]
    fn long_streams_from_a_file_are_those_in_memory() {
        let content: Vec<u8> = (0..5 << 17).map(|v: u32| ((v * v) >> 7) as u8).collect();
        let sample = Sample { slope: 2.0, intercept: -1.0, ..Sample::plain(Scalar::I16, Endian::Big) };
        let mut wanted = vec![0.0; content.len() / 2 - 1];
        raw::put(&content[2..], sample, &mut wanted);
        for (packing, packed) in every(&content) {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[b"x", packed.as_slice()].concat()).unwrap();
            let range = [2, content.len() - 2];
            let of = |part| decode(part, packing, range, sample).unwrap();
            assert!(of(Part::Memory(&packed)) == (wanted.clone(), false), "{packing:?}");
            #[cfg(unix)]
            assert!(of(Part::Disk(&file, 1, packed.len())) == (wanted.clone(), false), "{packing:?}");
        }
    }

    #[test]
    fn gzip_members_are_one_content_and_padding_is_none() {
        let parts = [gzip::deflate(&[b"ab"]).unwrap(), gzip::deflate(&[b"c"]).unwrap(), vec![0; 100]].concat();
        assert_eq!(unpacked(&parts, Packing::Gzip, [0, 3]).unwrap(), (vec![97.0, 98.0, 99.0], false));
        assert_eq!(unpacked(&parts, Packing::Gzip, [0, 1]).unwrap(), (vec![97.0], true));
        let bzip2 = [every(b"ab")[2].1.clone(), every(b"c")[2].1.clone()].concat();
        assert_eq!(unpacked(&bzip2, Packing::Bzip2, [0, 3]).unwrap(), (vec![97.0, 98.0, 99.0], false));
    }
}
