//! The samples of one slice: taken as they lie where they are not compressed, else unpacked; then sign-extended, unpadded
//! and rescaled.

use super::{
    frames::Packed,
    header::{PixelFormat, SliceHeader},
    outline::Outline,
};
use crate::{
    fault::{Fault, Result},
    io::image::AIR_HU,
};

/// A slice larger than this is refused: 8192 x 8192.
const MOST_PIXELS: usize = 1 << 26;

/// Transfer syntaxes of other codecs, by name.
const UNSUPPORTED: [(&str, &str); 10] = [
    ("1.2.840.10008.1.2.4.51", "12-bit lossy JPEG"),
    ("1.2.840.10008.1.2.4.110", "JPEG XL"),
    ("1.2.840.10008.1.2.4.111", "JPEG XL"),
    ("1.2.840.10008.1.2.4.112", "JPEG XL"),
    ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
    ("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000"),
    ("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"),
    ("1.2.840.10008.1.2.4.100", "MPEG video"),
    ("1.2.840.10008.1.2.4.101", "MPEG video"),
    ("1.2.840.10008.1.2.4.102", "MPEG video"),
];

const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Transfer syntaxes without compression; deflated files are explicit once they are inflated.
const NATIVE: [&str; 3] = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", BIG_ENDIAN];
/// No codec packs a slice better than this; a flat JPEG 2000 image comes near it.
const MOST_RATIO: usize = 1 << 14;

/// Refuses, by name and before anything of its size is allocated, a slice that cannot be decoded.
pub(super) fn decodable(slice: &SliceHeader) -> Result<()> {
    let format = &slice.format;
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(uid, _)| *uid == slice.syntax) {
        return Err(Fault::unfit(format!("the pixels are compressed as {name}, which is not supported"))
            .hint("transcode the files first, for example with `gdcmconv --raw IN OUT`"));
    }
    let PixelFormat { columns, rows, bits_allocated, bits_stored, .. } = *format;
    if columns == 0 || rows == 0 || columns * rows > MOST_PIXELS {
        return Err(Fault::unfit(format!("a slice of {columns} x {rows} pixels is not supported")));
    }
    if !matches!(bits_allocated, 8 | 16) || bits_stored == 0 || bits_stored > bits_allocated {
        return Err(Fault::unfit(format!("{bits_stored} stored of {bits_allocated} allocated bits are not supported")));
    }
    if slice.syntax == BIG_ENDIAN && bits_allocated == 8 {
        // Whether the bytes of a word are swapped depends on how the writer thought of them.
        return Err(Fault::unfit("8-bit samples in a big-endian file are not supported")
            .hint("transcode the files first, for example with `gdcmconv --raw IN OUT`"));
    }
    let expected = columns * rows * bits_allocated as usize / 8;
    let most =
        if NATIVE.contains(&slice.syntax.as_str()) { slice.stored } else { slice.stored.saturating_mul(MOST_RATIO) };
    if expected > most {
        return Err(Fault::unfit(format!(
            "{columns} x {rows} pixels need {expected} bytes, and the file holds {} bytes of pixel data for them",
            slice.stored
        ))
        .hint("the file is truncated or damaged: copy it again"));
    }
    Ok(())
}

/// The pixel data of one file, ready to give its frames.
pub(super) enum Pixels<'a> {
    Native { bytes: &'a [u8], big: bool },
    Packed(Packed<'a>),
}

impl<'a> Pixels<'a> {
    /// Returns the pixel data of an outlined file.
    pub(super) fn of(outline: &'a Outline<'_>) -> Self {
        match outline.native() {
            Some(bytes) => Self::Native { bytes, big: outline.big },
            None => Self::Packed(Packed::of(outline)),
        }
    }

    /// Fills `out` with a frame in HU; returns how many pixels were padding (they become air).
    ///
    /// # Errors
    /// Unfit when the pixel data is short or damaged.
    pub(super) fn decode(&self, slice: &SliceHeader, out: &mut [f32]) -> Result<usize> {
        let format = &slice.format;
        let expected = out.len() * format.bits_allocated as usize / 8;
        let short = |held: usize| {
            Fault::unfit(format!(
                "the pixel data decodes to {held} bytes, {} x {} pixels need {expected}",
                format.columns, format.rows
            ))
            .hint("the file is truncated or damaged: copy it again")
        };
        match self {
            Self::Native { .. } if !NATIVE.contains(&slice.syntax.as_str()) => Err(Fault::unfit(
                "the transfer syntax (0002,0010) and the form of the pixel data contradict each other",
            )
            .hint("transcode the files first, for example with `gdcmconv --raw IN OUT`")),
            Self::Native { bytes, big } => {
                let from = slice.frame.saturating_mul(expected);
                let frame = bytes.get(from..from.saturating_add(expected));
                let frame = frame.ok_or_else(|| short(bytes.len().saturating_sub(from)))?;
                Ok(values(frame, *big, format, out))
            }
            Self::Packed(packed) => {
                let samples = packed.unpack(slice)?;
                let frame = samples.get(..expected).ok_or_else(|| short(samples.len()))?;
                // The decoders give words in the machine's order.
                Ok(values(frame, cfg!(target_endian = "big"), format, out))
            }
        }
    }
}

/// Turns samples to HU; returns how many were padding.
fn values(samples: &[u8], big: bool, format: &PixelFormat, out: &mut [f32]) -> usize {
    if format.bits_allocated == 8 {
        return put(samples.iter().map(|&byte| u16::from(byte)), format, out);
    }
    let (words, _) = samples.as_chunks::<2>();
    if big {
        put(words.iter().map(|&word| u16::from_be_bytes(word)), format, out)
    } else {
        put(words.iter().map(|&word| u16::from_le_bytes(word)), format, out)
    }
}

fn put(words: impl Iterator<Item = u16>, format: &PixelFormat, out: &mut [f32]) -> usize {
    let rescaled = |stored: i32| (f64::from(stored) * format.slope + format.intercept) as f32;
    let Some((low, high)) = padding(format) else {
        out.iter_mut().zip(words).for_each(|(out, word)| *out = rescaled(extend(word, format.bits_stored, format)));
        return 0;
    };
    let mut padded = 0;
    for (out, word) in out.iter_mut().zip(words) {
        let stored = extend(word, format.bits_stored, format);
        // Some scanners put padding outside the range of the stored bits, where only the whole word shows it.
        let whole = extend(word, format.bits_allocated, format);
        let padding = (low..=high).contains(&stored) || (low..=high).contains(&whole);
        padded += usize::from(padding);
        *out = if padding { AIR_HU } else { rescaled(stored) };
    }
    padded
}

/// Returns the range of padding as numbers of the whole word.
fn padding(format: &PixelFormat) -> Option<(i32, i32)> {
    let (value, limit) = format.padding?;
    let [value, limit] = [value, limit].map(|word| extend(word as u16, 16, format));
    Some((value.min(limit), value.max(limit)))
}

/// Returns the lower bits of a word as the number they mean: the bits above Bits Stored are not part of it (PS3.5, 8.1.1).
#[inline]
fn extend(word: u16, bits: u32, format: &PixelFormat) -> i32 {
    let above = 32 - bits;
    let at_top = u32::from(word) << above;
    if format.signed { at_top as i32 >> above } else { (at_top >> above) as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bits_stored: u32, signed: bool, padding: Option<(i64, i64)>) -> PixelFormat {
        PixelFormat {
            columns: 1,
            rows: 1,
            bits_allocated: 16,
            bits_stored,
            signed,
            slope: 1.0,
            intercept: 0.0,
            padding,
        }
    }

    #[test]
    fn signs_extend_from_the_stored_bits() {
        let extended = |word: u16, bits, signed| extend(word, bits, &format(bits, signed, None));
        assert_eq!(extended(0x1830, 13, true), -2000, "the trap: 13 stored bits in a 16-bit word");
        assert_eq!(extended(0xF830, 16, true), -2000);
        assert_eq!(extended(0xF830, 12, false), 0x830);
        assert_eq!(extended(0xFFFF, 16, false), 65_535);
    }

    #[test]
    fn padding_is_told_from_values_that_share_its_lower_bits() {
        let hu = |words: &[u16], format: &PixelFormat| {
            let mut out = vec![0.0; words.len()];
            let padded = put(words.iter().copied(), format, &mut out);
            (out, padded)
        };
        let minus_2000 = Some((63_536, 63_536));
        // 13 stored bits, sign-extended or not: both are the padding value.
        assert_eq!(hu(&[0x1830, 0xF830, 7], &format(13, true, minus_2000)), (vec![AIR_HU, AIR_HU, 7.0], 2));
        // 12 unsigned bits cannot hold it: only the whole word is padding, 0x830 is a value.
        assert_eq!(hu(&[0x0830, 0xF830], &format(12, false, minus_2000)), (vec![2096.0, AIR_HU], 1));
        // A range may be stated from either end.
        assert_eq!(hu(&[0, 5, 6], &format(16, true, Some((5, 65_535)))), (vec![AIR_HU, AIR_HU, 6.0], 2));
        assert_eq!(hu(&[0xFFFF, 0], &format(16, true, None)), (vec![-1.0, 0.0], 0));
    }
}
