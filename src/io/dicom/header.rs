//! The tags of a slice that this program reads: geometry, pixel format, acquisition. This list is the door: nothing else
//! of a DICOM file, no name, date or comment, gets past it. The series UID is used to tell series apart and goes nowhere.

use std::{
    io::{Cursor, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, FileMetaTableBuilder, OpenFileOptions, file::ReadPreamble};

use super::outline::Outline;
use crate::{
    fault::{Fault, Result},
    space::DVec3,
};

/// What one image file says of itself.
#[derive(Clone, Debug)]
pub(in crate::io) struct SliceHeader {
    /// The file.
    pub(super) path: PathBuf,
    /// blake3 of the file's bytes.
    pub(super) digest: [u8; 32],
    /// Tells series apart; never shown, never stored.
    pub(super) series: String,
    pub(super) number: Option<i64>,
    pub(super) modality: String,
    pub(super) position_mm: Option<DVec3>,
    /// Unit vectors along a row and from row to row.
    pub(super) axes: Option<[DVec3; 2]>,
    /// Between columns, between rows.
    pub(super) spacing_mm: Option<[f64; 2]>,
    pub(super) thickness_mm: Option<f64>,
    /// Transfer syntax UID.
    pub(super) syntax: String,
    /// Bytes that the file holds from its pixel data on.
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

/// Returns the header of an outlined file; nothing when it holds no image (a DICOMDIR, a report, a structure set).
///
/// # Errors
/// Unfit when it is an image that cannot be used: colour, several frames, burned-in text, a modality look-up table.
pub(super) fn header(path: PathBuf, bytes: &[u8], outline: &Outline<'_>) -> Result<Option<SliceHeader>> {
    let Some(pixel_data) = outline.pixel_data else { return Ok(None) };
    let object = open(outline, pixel_data)?;
    let (Some(rows), Some(columns)) = (whole(&object, tags::ROWS), whole(&object, tags::COLUMNS)) else {
        return Ok(None);
    };
    usable(&object)?;
    let format = PixelFormat {
        columns: columns.clamp(0, 65_535) as usize,
        rows: rows.clamp(0, 65_535) as usize,
        bits_allocated: whole(&object, tags::BITS_ALLOCATED).unwrap_or(16).clamp(0, 64) as u32,
        bits_stored: whole(&object, tags::BITS_STORED)
            .or(whole(&object, tags::BITS_ALLOCATED))
            .unwrap_or(16)
            .clamp(0, 64) as u32,
        signed: whole(&object, tags::PIXEL_REPRESENTATION).unwrap_or(0) == 1,
        slope: numbers(&object, tags::RESCALE_SLOPE, 1).map_or(1.0, |v| v[0]),
        intercept: numbers(&object, tags::RESCALE_INTERCEPT, 1).map_or(0.0, |v| v[0]),
        padding: padding(&object),
    };
    let vector = |v: &[f64]| DVec3::new(v[0], v[1], v[2]);
    Ok(Some(SliceHeader {
        path,
        digest: *blake3::hash(bytes).as_bytes(),
        series: text(&object, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
        number: whole(&object, tags::SERIES_NUMBER),
        modality: text(&object, tags::MODALITY).unwrap_or_default(),
        position_mm: numbers(&object, tags::IMAGE_POSITION_PATIENT, 3).map(|v| vector(&v)),
        axes: numbers(&object, tags::IMAGE_ORIENTATION_PATIENT, 6).map(|v| [vector(&v[..3]), vector(&v[3..])]),
        spacing_mm: numbers(&object, tags::PIXEL_SPACING, 2).map(|v| [v[1], v[0]]),
        thickness_mm: numbers(&object, tags::SLICE_THICKNESS, 1).map(|v| v[0]).filter(|t| *t > 0.0),
        syntax: outline.syntax.clone(),
        stored: outline.dataset.len() - pixel_data,
        format,
    }))
}

/// Returns the object of an outlined file up to `end` bytes of its data set.
///
/// The file meta group is written anew, because the file's own may be missing, and the data set of a deflated file is no
/// longer deflated. The library's messages quote values, so none is passed on; a panic in it becomes an error as well.
pub(super) fn open(outline: &Outline<'_>, end: usize) -> Result<DefaultDicomObject> {
    let refused = || Fault::unfit("the DICOM data set cannot be parsed").hint("the file may be damaged: copy it again");
    catch_unwind(AssertUnwindSafe(|| {
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(outline.syntax.as_str())
            .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.2")
            .media_storage_sop_instance_uid("2.25.0")
            .build()
            .map_err(|_| refused())?;
        let mut head = b"DICM".to_vec();
        meta.write(&mut head).map_err(|_| refused())?;
        let reader = Cursor::new(head).chain(&outline.dataset[..end]);
        OpenFileOptions::new().read_preamble(ReadPreamble::Never).from_reader(reader).map_err(|_| refused())
    }))
    .unwrap_or_else(|_| Err(refused()))
}

fn usable(object: &DefaultDicomObject) -> Result<()> {
    let samples = whole(object, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    if samples != 1 {
        return Err(Fault::unfit(format!("the pixels have {samples} samples (colour), one is needed"))
            .hint("this is a screen capture or a fused picture, not the scan"));
    }
    let frames = whole(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if frames > 1 {
        return Err(Fault::unfit(format!(
            "multi-frame (enhanced) DICOM is not supported; this file has {frames} frames"
        ))
        .hint("export the scan as one file a slice, or as NIfTI"));
    }
    if text(object, tags::BURNED_IN_ANNOTATION).is_some_and(|text| text.eq_ignore_ascii_case("YES")) {
        return Err(Fault::unfit("the header says that text is burned into the pixels").hint("leave such files out"));
    }
    if object.element_opt(tags::MODALITY_LUT_SEQUENCE).ok().flatten().is_some() {
        return Err(Fault::unfit("values behind a modality look-up table are not supported"));
    }
    Ok(())
}

fn padding(object: &DefaultDicomObject) -> Option<(i64, i64)> {
    let value = whole(object, tags::PIXEL_PADDING_VALUE)?;
    let limit = whole(object, tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
    Some((value.min(limit), value.max(limit)))
}

fn text(object: &DefaultDicomObject, tag: Tag) -> Option<String> {
    let element = object.element_opt(tag).ok().flatten()?;
    element.to_str().ok().map(|text| text.trim_matches(['\0', ' ']).to_owned())
}

fn whole(object: &DefaultDicomObject, tag: Tag) -> Option<i64> {
    object.element_opt(tag).ok().flatten()?.to_int::<i64>().ok()
}

/// Returns exactly `count` finite numbers of a tag.
fn numbers(object: &DefaultDicomObject, tag: Tag, count: usize) -> Option<Vec<f64>> {
    let values = object.element_opt(tag).ok().flatten()?.to_multi_float64().ok()?;
    (values.len() == count && values.iter().all(|v| v.is_finite())).then_some(values)
}
