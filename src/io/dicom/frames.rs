//! Compressed frames. The library gets the code stream of one frame and the numbers of its format, never the file; JPEG-LS
//! is unpacked here.

use std::{
    borrow::Cow,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use dicom_core::{DataElement, PrimitiveValue, VR, value::PixelFragmentSequence};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use dicom_pixeldata::PixelDecoder as _;

use super::{
    codestream,
    header::{PixelFormat, SliceHeader},
    jpegls,
    outline::Outline,
};
use crate::fault::{Fault, Result};

/// JPEG-LS, lossless and near-lossless.
const JPEG_LS: [&str; 2] = ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"];

/// The fragments of a file's compressed pixel data.
pub(super) struct Packed<'a> {
    dataset: &'a [u8],
    /// The first is the table of offsets, the others hold the frames.
    fragments: &'a [Range<usize>],
}

impl<'a> Packed<'a> {
    /// Returns the fragments of an outlined file.
    pub(super) fn of(outline: &'a Outline<'_>) -> Self {
        Self { dataset: &outline.dataset, fragments: &outline.fragments }
    }

    /// Returns the samples of a frame as bytes, words in the machine's order.
    ///
    /// # Errors
    /// Unfit when the frame is not to be found, states another size, or cannot be decoded.
    pub(super) fn unpack(&self, slice: &SliceHeader) -> Result<Vec<u8>> {
        let stream = self.stream(slice)?;
        let format = &slice.format;
        codestream::check(&stream, format.columns, format.rows)?;
        if JPEG_LS.contains(&slice.syntax.as_str()) {
            let samples = jpegls::decode(&stream, format.columns, format.rows)?;
            return Ok(match format.bits_allocated {
                8 => samples.into_iter().map(|sample| sample as u8).collect(),
                _ => samples.into_iter().flat_map(u16::to_ne_bytes).collect(),
            });
        }
        let refused =
            || Fault::unfit("the pixel data cannot be decoded").hint("the file may be damaged: copy it again");
        // A decoder that meets a damaged stream must not take the program with it.
        catch_unwind(AssertUnwindSafe(|| library(stream.into_owned(), &slice.syntax, format)))
            .ok()
            .flatten()
            .ok_or_else(refused)
    }

    /// Returns the code stream of a frame: one fragment a frame, all of them where there is one frame, else those from the
    /// frame's offset to the next (PS3.5, A.4).
    fn stream(&self, slice: &SliceHeader) -> Result<Cow<'a, [u8]>> {
        let lost = || {
            Fault::unfit(format!(
                "the compressed pixel data has {} fragments, which do not tell {} frames apart",
                self.fragments.len().saturating_sub(1),
                slice.frames
            ))
        };
        let (table, data) = self.fragments.split_first().ok_or_else(lost)?;
        let part = |range: &Range<usize>| self.dataset.get(range.clone()).unwrap_or_default();
        let joined = |ranges: &[Range<usize>]| match ranges {
            [one] => Cow::Borrowed(part(one)),
            several => Cow::Owned(several.iter().flat_map(part).copied().collect()),
        };
        if slice.frames == 1 {
            return Ok(joined(data));
        }
        if data.len() == slice.frames {
            return data.get(slice.frame).map(|range| Cow::Borrowed(part(range))).ok_or_else(lost);
        }
        let (offsets, _) = part(table).as_chunks::<4>();
        // Offsets count from the item header of the first fragment.
        let origin = data.first().ok_or_else(lost)?.start;
        let place = |frame: usize| match offsets.get(frame) {
            Some(&offset) => {
                let start = origin + u32::from_le_bytes(offset) as usize;
                data.iter().position(|range| range.start == start)
            }
            None if frame == slice.frames && offsets.len() == slice.frames => Some(data.len()),
            None => None,
        };
        match (place(slice.frame), place(slice.frame + 1)) {
            (Some(from), Some(to)) if from < to => Ok(joined(&data[from..to])),
            _ => Err(lost()),
        }
    }
}

/// Returns what the library makes of one frame.
fn library(stream: Vec<u8>, syntax: &str, format: &PixelFormat) -> Option<Vec<u8>> {
    let mut object = InMemDicomObject::new_empty();
    let words = [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, format.rows as u16),
        (tags::COLUMNS, format.columns as u16),
        (tags::BITS_ALLOCATED, format.bits_allocated as u16),
        (tags::BITS_STORED, format.bits_stored as u16),
        (tags::HIGH_BIT, format.bits_stored.saturating_sub(1) as u16),
        (tags::PIXEL_REPRESENTATION, u16::from(format.signed)),
    ];
    for (tag, word) in words {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(word)));
    }
    object.put(DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, PrimitiveValue::from("MONOCHROME2")));
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new_fragments(vec![stream])));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.2")
        .media_storage_sop_instance_uid("2.25.0")
        .build()
        .ok()?;
    let file = object.with_exact_meta(meta);
    file.decode_pixel_data().ok().map(|decoded| decoded.into_data())
}
