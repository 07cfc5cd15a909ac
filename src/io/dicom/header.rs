//! What an image file says of itself, made of the values that came through the [`door`](super::door): one header a slice,
//! which is one a file, or one a frame of a multi-frame file.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;

use super::{door::Admitted, outline::Outline};
use crate::{
    fault::{Fault, Result},
    space::DVec3,
};

/// One slice.
#[derive(Clone, Debug)]
pub(in crate::io) struct SliceHeader {
    /// The file.
    pub(super) path: PathBuf,
    /// Number of the frame in the file, from 0, and how many it has.
    pub(super) frame: usize,
    pub(super) frames: usize,
    /// blake3 of the file's bytes.
    pub(super) digest: [u8; 32],
    /// Tells series apart; never shown, never stored.
    pub(super) series: String,
    pub(super) number: Option<i64>,
    pub(super) modality: String,
    /// Whether the header says that text is burned into the pixels.
    pub(super) burned_in: bool,
    pub(super) position_mm: Option<DVec3>,
    /// Unit vectors along a row and from row to row.
    pub(super) axes: Option<[DVec3; 2]>,
    /// Between columns, between rows.
    pub(super) spacing_mm: Option<[f64; 2]>,
    pub(super) thickness_mm: Option<f64>,
    /// Transfer syntax UID.
    pub(super) syntax: String,
    /// Bytes that the file holds from its pixel data on, for each of its frames.
    pub(super) stored: usize,
    pub(super) format: PixelFormat,
}

/// How the samples of a slice are stored and what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PixelFormat {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) bits_allocated: u32,
    pub(super) bits_stored: u32,
    pub(super) signed: bool,
    pub(super) slope: f64,
    pub(super) intercept: f64,
    /// Stored values from here to there are padding.
    pub(super) padding: Option<(i64, i64)>,
}

/// Modalities by their code (PS3.3, C.7.3.1.1.1); one that is none of these is not repeated in any message.
const MODALITIES: [&str; 14] =
    ["CT", "MR", "PT", "NM", "US", "CR", "DX", "XA", "MG", "SC", "OT", "RTDOSE", "SEG", "RTSTRUCT"];

/// Returns the headers of an outlined file's slices; none when it holds no image (a DICOMDIR, a report, a structure set).
///
/// # Errors
/// Unfit when it is an image that cannot be used: colour, a modality look-up table, frames without their places.
pub(super) fn headers(path: &Path, bytes: &[u8], outline: &Outline<'_>) -> Result<Vec<SliceHeader>> {
    let Some(pixel_data) = outline.pixel_data else { return Ok(Vec::new()) };
    let admitted = outline.admitted();
    if admitted.word(0, tags::ROWS).is_none() || admitted.word(0, tags::COLUMNS).is_none() {
        return Ok(Vec::new());
    }
    let frames = usable(&admitted)?;
    let modality = admitted.text(0, tags::MODALITY).unwrap_or_default();
    let first = SliceHeader {
        path: path.to_owned(),
        frame: 0,
        frames,
        digest: *blake3::hash(bytes).as_bytes(),
        series: admitted.text(0, tags::SERIES_INSTANCE_UID).unwrap_or_default().to_owned(),
        number: admitted.whole(0, tags::SERIES_NUMBER),
        modality: MODALITIES.iter().find(|&&known| known == modality).map_or("other", |known| known).to_owned(),
        burned_in: admitted.text(0, tags::BURNED_IN_ANNOTATION).is_some_and(|text| text.eq_ignore_ascii_case("YES")),
        position_mm: None,
        axes: None,
        spacing_mm: None,
        thickness_mm: None,
        syntax: outline.syntax.clone(),
        stored: (outline.dataset.len() - pixel_data) / frames,
        format: format(&admitted, 0)?,
    };
    (0..frames)
        .map(|frame| Ok(SliceHeader { frame, format: format(&admitted, frame)?, ..placed(&admitted, frame, &first) }))
        .collect()
}

fn placed(admitted: &Admitted<'_>, frame: usize, slice: &SliceHeader) -> SliceHeader {
    let axes = admitted.numbers::<6>(frame, tags::IMAGE_ORIENTATION_PATIENT);
    SliceHeader {
        position_mm: admitted.numbers(frame, tags::IMAGE_POSITION_PATIENT).map(DVec3::from_array),
        axes: axes.map(|[a, b, c, d, e, f]| [DVec3::new(a, b, c), DVec3::new(d, e, f)]),
        // The tag gives the distance of rows first.
        spacing_mm: admitted.numbers(frame, tags::PIXEL_SPACING).map(|[rows, columns]| [columns, rows]),
        thickness_mm: admitted.numbers(frame, tags::SLICE_THICKNESS).map(|[t]| t).filter(|t| *t > 0.0),
        ..slice.clone()
    }
}

fn format(admitted: &Admitted<'_>, frame: usize) -> Result<PixelFormat> {
    let word = |tag| admitted.word(frame, tag);
    let bits_allocated = word(tags::BITS_ALLOCATED).unwrap_or(16);
    // A rescale that is there and cannot be read is not to be taken for none.
    let rescale = |tag, name: &str, default: f64| match (admitted.value(frame, tag), admitted.numbers::<1>(frame, tag))
    {
        (_, Some([value])) => Ok(value),
        (Some(value), None) if value.iter().any(|byte| !matches!(byte, 0 | b' ')) => {
            Err(Fault::unfit(format!("{name} is no finite number")))
        }
        _ => Ok(default),
    };
    let padding = word(tags::PIXEL_PADDING_VALUE).map(|value| {
        let limit = word(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
        (value, limit)
    });
    Ok(PixelFormat {
        columns: word(tags::COLUMNS).unwrap_or(0) as usize,
        rows: word(tags::ROWS).unwrap_or(0) as usize,
        bits_allocated: bits_allocated.min(64) as u32,
        bits_stored: word(tags::BITS_STORED).unwrap_or(bits_allocated).min(64) as u32,
        signed: word(tags::PIXEL_REPRESENTATION).unwrap_or(0) == 1,
        slope: rescale(tags::RESCALE_SLOPE, "RescaleSlope (0028,1053)", 1.0)?,
        intercept: rescale(tags::RESCALE_INTERCEPT, "RescaleIntercept (0028,1052)", 0.0)?,
        padding,
    })
}

/// Returns the number of frames of a file whose pixels can be values of a scan.
fn usable(admitted: &Admitted<'_>) -> Result<usize> {
    let samples = admitted.word(0, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    if samples != 1 {
        return Err(Fault::unfit(format!("the pixels have {samples} samples (colour), one is needed"))
            .hint("this is a screen capture or a fused picture, not the scan"));
    }
    let grey = |text: &str| text.is_empty() || text.starts_with("MONOCHROME");
    if !admitted.text(0, tags::PHOTOMETRIC_INTERPRETATION).is_none_or(grey) {
        return Err(Fault::unfit("the pixels are colours of a palette, values are needed")
            .hint("this is a screen capture or a fused picture, not the scan"));
    }
    if admitted.value(0, tags::MODALITY_LUT_SEQUENCE).is_some() {
        return Err(Fault::unfit("values behind a modality look-up table are not supported"));
    }
    let frames = admitted.whole(0, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if frames > 1 && frames != admitted.frames as i64 {
        return Err(Fault::unfit(format!(
            "the file declares {frames} frames and states the places of {} (per-frame functional groups)",
            admitted.frames
        ))
        .hint("export the scan as enhanced CT, or as one file a slice"));
    }
    Ok(usize::try_from(frames).unwrap_or(1).max(1))
}
