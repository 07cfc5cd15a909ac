//! Images of any format: read by content, repaired only as asked, written by file name.

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(super) use super::values::{AIR_HU, fill, range};
use super::{
    dicom, file, metaimage, nifti, nrrd,
    raw::{self, Scalar},
    sniff::{Format, name_ends, sniff},
    values::{Span, span},
};
use crate::{
    fault::{Fault, Result},
    geometry::resample::{self, Fit, Slices},
    space::{DVec3, Grid},
    volume::Volume,
};

/// What to do with an unfit stack of slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Repair {
    /// Stop, with the numbers.
    #[default]
    Refuse,
    /// Resample onto an upright, even grid; a note says so.
    Resample,
}

/// Which DICOM series may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// CT only: values are HU.
    #[default]
    Ct,
    /// Any; a note says that the values may not be HU.
    Any,
}

/// What to do with slices that say to have text burned into their pixels, which may be a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BurnedIn {
    /// Stop.
    #[default]
    Refuse,
    /// Read them; a note says so.
    Accept,
}

/// How to read an image: the keys of a manifest's `ct` that are not its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImageOptions {
    /// Which series of a DICOM folder, from 1, in the order that `series::list` gives.
    pub series: Option<usize>,
    /// Slices that are shifted against each other (gantry tilt, shear).
    pub tilt: Repair,
    /// Slices that are missing or unevenly spaced.
    pub gaps: Repair,
    /// Whether a DICOM series must be a CT.
    pub modality: Modality,
    /// Slices whose header says that text is burned into the pixels.
    pub burned_in: BurnedIn,
    /// Added to every value, for scans that store HU + 1024 and do not say so.
    pub add_hu: f64,
    /// Isotropic voxel spacing to resample to, mm.
    pub resample_mm: Option<f64>,
}

/// An image as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Values on their grid; HU for CT.
    pub volume: Volume<f32>,
    /// Type of the values in the file after rescaling: `int16`, `uint8`, `float32`, …
    pub dtype: String,
    /// What a user should know about the file; numbers only, no text out of it.
    pub notes: Vec<String>,
}

/// Returns whether a file's name is that of an image file; DICOM files have no names of their own.
#[must_use]
pub fn is_image_name(path: &Path) -> bool {
    [".nii", ".nii.gz", ".hdr", ".hdr.gz", ".nrrd", ".nhdr", ".mha", ".mhd"]
        .iter()
        .any(|ending| name_ends(path, ending))
}

/// How much larger than its slices a straightened image may be, and what is small whatever it was before.
const MOST_GROWTH: f64 = 16.0;
const SMALL_VOXELS: f64 = (1 << 20) as f64;

/// Reads an image of any supported format.
///
/// Voxels that are no number become air (-1024) with a note.
///
/// # Errors
/// Usage when the path does not exist or a folder holds several series and none is chosen; unfit, with numbers and
/// remedy, for everything else that keeps the image from being placed and valued exactly.
pub fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    let format = sniff(path)?;
    let mut image = match format {
        Format::Dicom => dicom::read(path, options)?,
        _ if options.series.is_some() => {
            return Err(Fault::usage("`series` is only for DICOM folders").at(path.display()).hint("leave it out"));
        }
        Format::Nifti => nifti::read(path, options)?,
        Format::Nrrd => nrrd::read(path, options)?,
        Format::MetaImage => metaimage::read(path, options)?,
        Format::Stl | Format::Ply | Format::Obj | Format::Vtk => {
            return Err(Fault::unfit("this is a mesh; an image is needed")
                .at(path.display())
                .hint("`voxelize` makes a label of a mesh"));
        }
    };
    finish(&mut image, options).map_err(|fault| fault.at(path.display()))?;
    Ok(image)
}

pub(super) fn finish(image: &mut Image, options: &ImageOptions) -> Result<()> {
    let values = &mut image.volume.data;
    let Span { mut low, mut high, broken } = span(values);
    if broken > 0 {
        (low, high) = (low.min(AIR_HU), high.max(AIR_HU));
        values.par_iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = AIR_HU);
        image.notes.push(format!("{broken} voxels are no finite number; they are set to {AIR_HU}"));
    }
    if matches!(image.dtype.as_str(), "int32" | "uint32" | "int64" | "uint64")
        && low.abs().max(high.abs()) > 16_777_216.0
    {
        image.notes.push("some values exceed 2^24 and are kept to 24 bits".to_owned());
    }
    if options.add_hu != 0.0 {
        if !options.add_hu.is_finite() {
            return Err(Fault::usage("`add_hu` must be a finite number"));
        }
        let added = |v: f32| (f64::from(v) + options.add_hu) as f32;
        values.par_iter_mut().for_each(|v| *v = added(*v));
        (low, high) = (added(low), added(high));
        image.notes.push(format!("{} was added to every value, as asked", options.add_hu));
    }
    air_note(image, low, high);
    // A repair leaves a note, so without one there was none, whatever was allowed.
    let repairs = [options.tilt, options.gaps].contains(&Repair::Resample) && !image.notes.is_empty();
    let resampled = options.resample_mm.is_some() || repairs;
    if let Some(spacing_mm) = options.resample_mm {
        if !(spacing_mm.is_finite() && spacing_mm > 0.0) {
            return Err(Fault::usage(format!("`resample_mm` must be a positive number, it is {spacing_mm}")));
        }
        let old = image.volume.grid.spacing_mm;
        image.volume = resample::to_spacing(&image.volume, DVec3::splat(spacing_mm))?;
        image.notes.push(format!(
            "resampled from {} x {} x {} mm to {spacing_mm} mm, as asked",
            short(old.x),
            short(old.y),
            short(old.z)
        ));
    }
    // Interpolated values are no longer whole numbers.
    let own = Scalar::from_name(&image.dtype).unwrap_or(Scalar::F32);
    if resampled && own.range().is_some() && raw::fitting(&image.volume.data, own) == Scalar::F32 {
        Scalar::F32.name().clone_into(&mut image.dtype);
    }
    Ok(())
}

/// Air is about -1000 HU; a CT whose lowest value is 0 stores HU + 1024 (or 1000) without saying so.
fn air_note(image: &mut Image, low: f32, high: f32) {
    if low > -200.0 && low <= 200.0 && high >= 1000.0 {
        image.notes.push(format!(
            "the lowest value is {low} and the highest {high}: in HU, air would be near -1000; if this is a CT stored as HU + 1024, \
             set `add_hu: -1024`"
        ));
    }
}

/// Refuses to straighten slices that lie so far apart that a file of little would become an image of much.
///
/// # Errors
/// Unfit with the numbers.
pub(super) fn straightenable(slices: &Slices, fit: &Fit) -> Result<()> {
    let n = slices.positions_mm.len() as f64;
    let [nx, ny] = slices.size.map(|side| side as f64);
    let [sx, sy] = slices.spacing_mm;
    let voxels = (nx + fit.shift_mm / sx) * (ny + fit.shift_mm / sy) * (fit.mean_mm * n / fit.median_mm).max(n);
    let most = MOST_GROWTH * nx * ny * n + SMALL_VOXELS;
    if voxels.is_finite() && voxels <= most {
        return Ok(());
    }
    Err(Fault::unfit(format!(
        "straightened, the {} slices would fill {voxels:.3e} voxels, more than {MOST_GROWTH} times what they hold",
        slices.positions_mm.len()
    ))
    .hint("the places of the slices are wrong, or they are not of one scan"))
}

/// Returns what is said when a tilt was taken out.
pub(super) fn tilt_note(fit: &Fit) -> String {
    format!(
        "the slices shift by {:.2} mm over the volume (tilt {:.2} degrees); each was moved within its plane onto an upright grid",
        fit.shift_mm, fit.tilt_deg
    )
}

/// Returns a number for a message: four decimals at most.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reads a label volume: whole numbers from 0 to 255, as they are in the file.
///
/// # Errors
/// As [`read`]; unfit when a value is not such a number.
pub fn read_label(path: &Path) -> Result<Volume<u8>> {
    let image = read(path, &ImageOptions::default())?;
    let bad = image.volume.data.par_iter().position_first(|&v| v.fract() != 0.0 || !(0.0..=255.0).contains(&v));
    if let Some(index) = bad {
        return Err(Fault::unfit(format!(
            "this is no label volume: voxel {index} has the value {}, and labels are whole numbers from 0 to 255",
            image.volume.data[index]
        ))
        .at(path.display()));
    }
    Ok(image.volume.map(|v| v as u8))
}

/// Reads a mask: a label volume in which one value at most stands beside 0; it becomes 1.
///
/// # Errors
/// As [`read_label`]; unfit when there are several labels.
pub fn read_mask(path: &Path) -> Result<Volume<u8>> {
    let mut label = read_label(path)?;
    let high = label.data.par_iter().copied().max().unwrap_or(0);
    if label.data.par_iter().any(|&v| v != 0 && v != high) {
        return Err(Fault::unfit("the volume holds several labels; a mask of 0 and one other value is needed")
            .at(path.display())
            .hint("choose one label first"));
    }
    label.data.par_iter_mut().for_each(|v| *v = u8::from(*v != 0));
    Ok(label)
}

/// Writes a label volume as `uint8`, by file name: .nrrd, .nii, .nii.gz, .mha.
///
/// # Errors
/// Usage when the name's ending is none of these; unfit when writing fails.
pub fn write_label(path: &Path, volume: &Volume<u8>) -> Result<()> {
    write(path, &volume.grid, Scalar::U8, &volume.data)
}

/// Writes a volume as `int16`; as [`write_label`].
///
/// # Errors
/// As [`write_label`].
pub fn write_i16(path: &Path, volume: &Volume<i16>) -> Result<()> {
    let bytes: Vec<u8> = volume.data.iter().flat_map(|v| v.to_le_bytes()).collect();
    write(path, &volume.grid, Scalar::I16, &bytes)
}

/// Writes a volume as `float32`; as [`write_label`].
///
/// # Errors
/// As [`write_label`].
pub fn write_f32(path: &Path, volume: &Volume<f32>) -> Result<()> {
    write(path, &volume.grid, Scalar::F32, &raw::encode(volume, Scalar::F32))
}

/// Writes an image in its own integer type where its values are still exact in it, else as `int16` or `float32`. A name
/// without an ending is a folder for a DICOM series.
///
/// # Errors
/// As [`write_label`]; unfit for DICOM when the values are not whole numbers within `int16`.
pub fn write_any(path: &Path, image: &Image) -> Result<()> {
    let own = Scalar::from_name(&image.dtype).unwrap_or(Scalar::F32);
    let scalar = raw::fitting(&image.volume.data, own);
    if path.extension().is_none() || path.is_dir() {
        if raw::fitting(&image.volume.data, Scalar::I16) != Scalar::I16 {
            return Err(Fault::unfit("a DICOM series needs whole numbers from -32768 to 32767").at(path.display()));
        }
        let label = blake3::hash(&raw::encode(&image.volume, Scalar::I16)).to_hex().to_string();
        let header = dicom::SeriesHeader { identity: label, ..dicom::SeriesHeader::default() };
        return dicom::write_series(path, &image.volume.map(|v| v as i16), &header);
    }
    write(path, &image.volume.grid, scalar, &raw::encode(&image.volume, scalar))
}

fn write(path: &Path, grid: &Grid, scalar: Scalar, samples: &[u8]) -> Result<()> {
    if samples.len() as u64 > file::MOST_BYTES {
        return Err(
            Fault::unfit(format!("the image has {} bytes, more than the limit", samples.len())).at(path.display())
        );
    }
    if name_ends(path, ".nrrd") {
        nrrd::write(path, grid, scalar, samples)
    } else if name_ends(path, ".nii") || name_ends(path, ".nii.gz") {
        nifti::write(path, grid, scalar, samples)
    } else if name_ends(path, ".mha") {
        metaimage::write(path, grid, scalar, samples)
    } else {
        Err(Fault::usage("the name's ending does not say an image format that can be written")
            .at(path.display())
            .hint("use .nrrd, .nii, .nii.gz or .mha, or a name without an ending for a DICOM folder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ct() -> Volume<f32> {
        let grid = Grid::aligned([4, 3, 2], DVec3::new(1.0, 1.0, 2.0));
        Volume::new(grid, (0..24_u8).map(|v| f32::from(v) * 100.0).collect()).unwrap()
    }

    #[test]
    fn every_format_gives_the_same_image_back() {
        let folder = tempfile::tempdir().unwrap();
        let image = Image { volume: ct(), dtype: "uint16".to_owned(), notes: Vec::new() };
        for name in ["a.nrrd", "a.nii", "a.nii.gz", "a.mha", "series"] {
            let path = folder.path().join(name);
            write_any(&path, &image).unwrap();
            let back = read(&path, &ImageOptions::default()).unwrap();
            assert_eq!(back.volume, image.volume, "{name}");
            assert_eq!(back.dtype, if name == "series" { "int16" } else { "uint16" });
        }
        assert_eq!(write_any(&folder.path().join("a.png"), &image).unwrap_err().kind.exit_code(), 2);
    }

    #[test]
    fn a_missing_offset_is_noted_and_added_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nrrd");
        write_f32(&path, &ct()).unwrap();
        let plain = read(&path, &ImageOptions::default()).unwrap();
        assert!(plain.notes[0].contains("add_hu: -1024"), "{:?}", plain.notes);
        let options = ImageOptions { add_hu: -1024.0, ..ImageOptions::default() };
        let mended = read(&path, &options).unwrap();
        assert_eq!(mended.volume.data[1], -924.0);
        assert_eq!(mended.notes.len(), 1, "{:?}", mended.notes);
        let options = ImageOptions { resample_mm: Some(2.0), ..ImageOptions::default() };
        assert_eq!(read(&path, &options).unwrap().volume.grid.size, [2, 2, 2]);
        let options = ImageOptions { resample_mm: Some(-1.0), ..ImageOptions::default() };
        assert_eq!(read(&path, &options).unwrap_err().kind.exit_code(), 2);
    }

    #[test]
    fn labels_are_whole_numbers_and_masks_have_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii.gz");
        let grid = Grid::aligned([3, 1, 1], DVec3::ONE);
        let write = |data: Vec<f32>| write_f32(&path, &Volume::new(grid, data).unwrap()).unwrap();
        write(vec![0.0, 10.0, 10.0]);
        assert_eq!(read_label(&path).unwrap().data, [0, 10, 10]);
        assert_eq!(read_mask(&path).unwrap().data, [0, 1, 1]);
        write(vec![0.0, 10.0, 11.0]);
        assert!(read_mask(&path).is_err());
        write(vec![0.0, 0.5, 1.0]);
        assert!(read_label(&path).unwrap_err().what.contains("0.5"));
        write(vec![0.0, f32::NAN, 1.0]);
        assert!(read_label(&path).is_err(), "no number is no label");
    }
}
