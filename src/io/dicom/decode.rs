//! The samples of one slice: decoded by dicom-pixeldata, then sign-extended, unpadded and rescaled here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_pixeldata::PixelDecoder as _;

use super::{
    codestream,
    header::{PixelFormat, SliceHeader, open},
    outline::Outline,
};
use crate::{
    fault::{Fault, Result},
    io::image::AIR_HU,
};

/// A slice larger than this is refused: 8192 x 8192.
const MOST_PIXELS: usize = 1 << 26;

/// Transfer syntaxes of other codecs, by name.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("1.2.840.10008.1.2.4.80", "JPEG-LS lossless"),
    ("1.2.840.10008.1.2.4.81", "JPEG-LS near-lossless"),
    ("1.2.840.10008.1.2.4.51", "12-bit lossy JPEG"),
    ("1.2.840.10008.1.2.4.110", "JPEG XL"),
    ("1.2.840.10008.1.2.4.111", "JPEG XL"),
    ("1.2.840.10008.1.2.4.112", "JPEG XL"),
    ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
    ("1.2.840.10008.1.2.4.102", "MPEG video"),
];

/// Transfer syntaxes without compression.
const NATIVE: [&str; 3] = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"];
/// No codec packs a slice better than this; a flat JPEG 2000 image comes near it.
const MOST_RATIO: usize = 1 << 14;

/// Refuses, by name and before anything of its size is allocated, a slice that cannot be decoded.
pub(super) fn decodable(slice: &SliceHeader) -> Result<()> {
    let format = &slice.format;
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(uid, _)| *uid == slice.syntax) {
        return Err(Fault::unfit(format!("the pixels are compressed as {name}, which is not supported"))
            .hint("transcode the files first, for example `dcmdjpls` or `gdcmconv --raw`"));
    }
    let PixelFormat { columns, rows, bits_allocated, bits_stored, .. } = *format;
    if columns == 0 || rows == 0 || columns * rows > MOST_PIXELS {
        return Err(Fault::unfit(format!("a slice of {columns} x {rows} pixels is not supported")));
    }
    if !matches!(bits_allocated, 8 | 16) || bits_stored == 0 || bits_stored > bits_allocated {
        return Err(Fault::unfit(format!("{bits_stored} stored of {bits_allocated} allocated bits are not supported")));
    }
    let expected = columns * rows * bits_allocated as usize / 8;
    let most =
        if NATIVE.contains(&slice.syntax.as_str()) { slice.stored } else { slice.stored.saturating_mul(MOST_RATIO) };
    if expected > most {
        return Err(Fault::unfit(format!(
            "{columns} x {rows} pixels need {expected} bytes, and the file holds {} bytes of pixel data",
            slice.stored
        ))
        .hint("the file is truncated or damaged: copy it again"));
    }
    Ok(())
}

/// Fills `out` with the slice in HU; returns how many pixels were padding (they become air).
///
/// # Errors
/// Unfit when the pixel data is short or damaged.
pub(super) fn decode(outline: &Outline<'_>, format: &PixelFormat, out: &mut [f32]) -> Result<usize> {
    let samples = samples(outline, format)?;
    let expected = out.len() * format.bits_allocated as usize / 8;
    if samples.len() < expected {
        return Err(Fault::unfit(format!(
            "the pixel data decodes to {} bytes, {} x {} pixels need {expected}",
            samples.len(),
            format.columns,
            format.rows
        ))
        .hint("the file is truncated or damaged: copy it again"));
    }
    let mut padded = 0;
    let mut put = |out: &mut f32, word: i64| {
        let stored = extend(word, format);
        let padding = format.padding.is_some_and(|(low, high)| {
            let range = extend(low, format)..=extend(high, format);
            range.contains(&stored)
        });
        padded += usize::from(padding);
        *out = if padding { AIR_HU } else { (stored as f64 * format.slope + format.intercept) as f32 };
    };
    if format.bits_allocated == 8 {
        out.iter_mut().zip(&samples).for_each(|(out, &byte)| put(out, i64::from(byte)));
    } else {
        let (words, _) = samples.as_chunks::<2>();
        // The decoder gives words in the machine's order.
        out.iter_mut().zip(words).for_each(|(out, &word)| put(out, i64::from(u16::from_ne_bytes(word))));
    }
    Ok(padded)
}

/// Returns the stored bits of a word as the number they mean: the bits above Bits Stored are not part of it (PS3.5, 8.1.1).
fn extend(word: i64, format: &PixelFormat) -> i64 {
    let bits = format.bits_stored;
    let value = word & ((1 << bits) - 1);
    if format.signed && value >> (bits - 1) & 1 == 1 { value - (1 << bits) } else { value }
}

fn samples(outline: &Outline<'_>, format: &PixelFormat) -> Result<Vec<u8>> {
    let refused = || Fault::unfit("the pixel data cannot be decoded").hint("the file may be damaged: copy it again");
    let object = open(outline, outline.dataset.len())?;
    codestream::check(&object, format.columns, format.rows)?;
    // A decoder that meets a damaged stream must not take the program with it.
    catch_unwind(AssertUnwindSafe(|| {
        object.decode_pixel_data().map(|decoded| decoded.into_data()).map_err(|_| refused())
    }))
    .unwrap_or_else(|_| Err(refused()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_extend_from_the_stored_bits() {
        let format = |bits_stored, signed| PixelFormat {
            columns: 1,
            rows: 1,
            bits_allocated: 16,
            bits_stored,
            signed,
            slope: 1.0,
            intercept: 0.0,
            padding: None,
        };
        assert_eq!(extend(0x1830, &format(13, true)), -2000, "the trap: 13 stored bits in a 16-bit word");
        assert_eq!(extend(0xF830, &format(16, true)), -2000);
        assert_eq!(extend(0xF830, &format(12, false)), 0x830);
        assert_eq!(extend(-2000, &format(13, true)), -2000, "padding values come signed or not");
        assert_eq!(extend(63_536, &format(16, true)), -2000);
    }
}
