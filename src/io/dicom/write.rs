//! A volume to a DICOM series: CT Image Storage, explicit little-endian, one file a slice, no name and no date in it.

use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use rayon::prelude::*;

use crate::{
    fault::{Fault, Result},
    io::file,
    space::DVec3,
    volume::Volume,
};

const CT_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Tags that the standard requires and lets be empty: whose scan it is, when and where it was made (type 2).
const EMPTY: [(Tag, VR); 13] = [
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::MANUFACTURER, VR::LO),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::PATIENT_POSITION, VR::CS),
    (tags::STUDY_ID, VR::SH),
    (tags::POSITION_REFERENCE_INDICATOR, VR::LO),
    (tags::ACQUISITION_NUMBER, VR::IS),
];

/// What a written series says besides geometry and values.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesHeader {
    /// What the UIDs are derived from: equal identities and volumes give equal bytes. Not written itself.
    pub identity: String,
    /// Series number.
    pub number: i32,
    /// Slice thickness, mm; the slice spacing if not stated.
    pub thickness_mm: Option<f64>,
    /// Tube voltage, kV.
    pub tube_kv: Option<f64>,
    /// Name of the reconstruction kernel: `SOFT`, `BONE`.
    pub kernel: Option<String>,
}

impl Default for SeriesHeader {
    fn default() -> Self {
        Self { identity: String::new(), number: 1, thickness_mm: None, tube_kv: None, kernel: None }
    }
}

/// Writes `slice-0001.dcm` and so on into a folder, which is created; values in HU.
///
/// Stored values are unsigned 16-bit with intercept -1024 (lower where the volume is). Equal input gives equal bytes.
///
/// # Errors
/// Unfit when the grid is larger than DICOM can say, or writing fails.
pub fn write_series(folder: &Path, volume: &Volume<i16>, header: &SeriesHeader) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Fault::file("make the folder", folder, &error))?;
    let series = Series::new(volume, header)?;
    let written: Vec<Result<()>> = (0..volume.grid.size[2])
        .into_par_iter()
        .map(|z| file::write(&folder.join(format!("slice-{:04}.dcm", z + 1)), &[&series.slice(z)?]))
        .collect();
    written.into_iter().collect()
}

/// What all slices share.
struct Series<'a> {
    volume: &'a Volume<i16>,
    header: &'a SeriesHeader,
    intercept: i32,
    seed: blake3::Hash,
}

impl<'a> Series<'a> {
    fn new(volume: &'a Volume<i16>, header: &'a SeriesHeader) -> Result<Self> {
        let [nx, ny, _] = volume.grid.size;
        if nx > 65_535 || ny > 65_535 {
            return Err(Fault::unfit(format!("a DICOM slice has at most 65535 x 65535 pixels, this one {nx} x {ny}")));
        }
        let lowest = volume.data.par_iter().copied().min().unwrap_or(0);
        let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 dicom series");
        hasher.update(header.identity.as_bytes());
        let samples: Vec<u8> = volume.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        hasher.update(&samples);
        Ok(Self { volume, header, intercept: i32::from(lowest).min(-1024), seed: hasher.finalize() })
    }

    /// Returns a UID below 2.25, the arc for UIDs made of 128 bits (PS3.5, B.2).
    fn uid(&self, purpose: &str, index: usize) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 dicom uid");
        hasher.update(self.seed.as_bytes());
        hasher.update(&(index as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        format!("2.25.{}", u128::from_le_bytes(half))
    }

    fn slice(&self, z: usize) -> Result<Vec<u8>> {
        let failed = |_| Fault::unfit("cannot encode the DICOM slice");
        let instance = self.uid("instance", z);
        let mut object = InMemDicomObject::new_empty();
        self.identity(&mut object, z, &instance);
        self.geometry(&mut object, z);
        self.pixels(&mut object, z);
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(EXPLICIT_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(CT_IMAGE_STORAGE)
            .media_storage_sop_instance_uid(instance)
            .implementation_class_uid("2.25.126309273811254983011924093816574200311")
            .implementation_version_name("CALVARIA");
        let meta = meta.build().map_err(|_| failed(()))?;
        let mut bytes = Vec::new();
        object.with_exact_meta(meta).write_all(&mut bytes).map_err(|_| failed(()))?;
        Ok(bytes)
    }

    fn identity(&self, object: &mut InMemDicomObject, z: usize, instance: &str) {
        for (tag, vr) in EMPTY {
            object.put(DataElement::new(tag, vr, PrimitiveValue::Empty));
        }
        let mut text = |tag, vr, value: &str| {
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        };
        text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
        text(tags::SOP_CLASS_UID, VR::UI, CT_IMAGE_STORAGE);
        text(tags::SOP_INSTANCE_UID, VR::UI, instance);
        text(tags::MODALITY, VR::CS, "CT");
        text(tags::STUDY_INSTANCE_UID, VR::UI, &self.uid("study", 0));
        text(tags::SERIES_INSTANCE_UID, VR::UI, &self.uid("series", 0));
        text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &self.uid("frame", 0));
        text(tags::SERIES_NUMBER, VR::IS, &self.header.number.to_string());
        text(tags::INSTANCE_NUMBER, VR::IS, &(z + 1).to_string());
        text(tags::KVP, VR::DS, &self.header.tube_kv.map(decimal).unwrap_or_default());
        text(tags::CONVOLUTION_KERNEL, VR::SH, self.header.kernel.as_deref().unwrap_or_default());
    }

    fn geometry(&self, object: &mut InMemDicomObject, z: usize) {
        let grid = &self.volume.grid;
        let join = |values: &[f64]| values.iter().map(|&v| decimal(v)).collect::<Vec<_>>().join("\\");
        let vectors = |a: DVec3, b: DVec3| join(&[a.x, a.y, a.z, b.x, b.y, b.z]);
        let spacing = grid.spacing_mm;
        let mut number = |tag, value: String| {
            object.put(DataElement::new(tag, VR::DS, PrimitiveValue::from(value)));
        };
        number(tags::IMAGE_POSITION_PATIENT, join(&grid.world(0, 0, z).to_array()));
        number(tags::IMAGE_ORIENTATION_PATIENT, vectors(grid.direction.x_axis, grid.direction.y_axis));
        number(tags::PIXEL_SPACING, join(&[spacing.y, spacing.x]));
        number(tags::SLICE_THICKNESS, decimal(self.header.thickness_mm.unwrap_or(spacing.z)));
        number(tags::RESCALE_INTERCEPT, decimal(f64::from(self.intercept)));
        number(tags::RESCALE_SLOPE, "1".to_owned());
        object.put(DataElement::new(tags::RESCALE_TYPE, VR::LO, PrimitiveValue::from("HU")));
    }

    fn pixels(&self, object: &mut InMemDicomObject, z: usize) {
        let [nx, ny, _] = self.volume.grid.size;
        let mut short = |tag, value: usize| {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value as u16)));
        };
        short(tags::SAMPLES_PER_PIXEL, 1);
        short(tags::ROWS, ny);
        short(tags::COLUMNS, nx);
        short(tags::BITS_ALLOCATED, 16);
        short(tags::BITS_STORED, 16);
        short(tags::HIGH_BIT, 15);
        short(tags::PIXEL_REPRESENTATION, 0);
        object.put(DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, PrimitiveValue::from("MONOCHROME2")));
        // The intercept is at most the lowest value, so the difference is in 0..=65535.
        let words: Vec<u16> = self.volume.slice(z).iter().map(|&v| (i32::from(v) - self.intercept) as u16).collect();
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words.into())));
    }
}

/// Returns a number as a decimal string of at most 16 characters (PS3.5, 6.2), with as many digits as fit.
fn decimal(value: f64) -> String {
    let value = value + 0.0;
    let shortest = format!("{value}");
    if shortest.len() <= 16 {
        return shortest;
    }
    let fitting = |precise: &dyn Fn(usize) -> String| (0..16).rev().map(precise).find(|text| text.len() <= 16);
    let plain = fitting(&|digits| format!("{value:.digits$}"));
    let scientific = fitting(&|digits| format!("{value:.digits$e}"));
    let error = |text: &Option<String>| {
        text.as_ref().and_then(|text| text.parse::<f64>().ok()).map_or(f64::INFINITY, |read| (read - value).abs())
    };
    let best = if error(&scientific) < error(&plain) { scientific } else { plain };
    best.unwrap_or_else(|| "0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_strings_fit_and_are_near() {
        for value in [0.0, -0.0, 0.5, 1.0 / 3.0, -123.456_789_012_345_67, 1e-7 / 3.0, -1e300 / 3.0, 1e15 + 0.3] {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            let read: f64 = text.parse().unwrap();
            assert!((read - value).abs() <= 1e-8 * value.abs(), "{value} -> {text}");
        }
        assert_eq!(decimal(-0.0), "0");
    }
}
