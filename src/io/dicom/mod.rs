//! DICOM series: in by dicom-rs behind a length check, out as CT Image Storage.
//!
//! ```text
//! outline   declared lengths against the file        header   the allow-list of tags
//! scan      files to series, sorted by position       stack    series to slices in space, and the verdict
//! decode    one slice's samples to HU                 codestream  the compressed frame's own size
//! write     a volume to a series
//! ```

mod codestream;
mod decode;
mod header;
mod outline;
mod scan;
mod stack;
mod write;

use std::path::Path;

use rayon::prelude::*;

pub(super) use outline::looks_bare;
pub use write::{SeriesHeader, write_series};

use self::{header::SliceHeader, outline::outline};
use super::{
    file,
    image::{self, Image, ImageOptions},
};
use crate::{
    fault::{Fault, Result},
    geometry::resample::{Fit, Slices},
    volume::Volume,
};

/// Reads one series of a folder, or the series that a file belongs to.
///
/// Values are `slope * stored + intercept` with each slice's own numbers; padding becomes air (-1024 HU). Slices are
/// sorted along the normal; the grid's third axis is row x column.
///
/// # Errors
/// Usage when there are several series and none is chosen; unfit when the slices make no grid and no repair is asked
/// for, or a file is damaged or in an unsupported encoding.
pub(super) fn read(path: &Path, options: &ImageOptions) -> Result<Image> {
    read_series(path, options).map_err(|fault| fault.at(path.display()))
}

fn read_series(path: &Path, options: &ImageOptions) -> Result<Image> {
    let (series, mut notes) = find(path, options.series)?;
    let slices = stack::stack(&series)?;
    let fit = stack::judge(&slices, options, &mut notes)?;
    let (values, padded) = load(&series)?;
    if padded > 0 {
        notes.push(format!(
            "{padded} pixels are padding outside the scanned field; they are set to {} HU",
            image::AIR_HU
        ));
    }
    let dtype = dtype(&series, &values).to_owned();
    let volume = if fit.even() && fit.upright() {
        Volume::new(slices.grid()?, values)?
    } else {
        slices.straighten(&values, image::fill(&values))?
    };
    Ok(Image { volume, dtype, notes })
}

fn find(path: &Path, number: Option<usize>) -> Result<(Vec<SliceHeader>, Vec<String>)> {
    let scan = scan::scan(path)?;
    let mut notes = Vec::new();
    if path.is_dir() && scan.strays > 0 {
        notes.push(format!("{} files are no DICOM images; they are left out", scan.strays));
    }
    if let Some((count, fault)) = &scan.unusable {
        notes.push(format!("{count} images cannot be slices of a scan ({}); they are left out", fault.what));
    }
    let series = scan.choose(path, number)?;
    if series.iter().any(|slice| slice.modality != "CT") {
        notes.push("the modality is not CT; the values may not be HU".to_owned());
    }
    if series.len() == 1 {
        notes.push("the series is a single slice".to_owned());
    }
    Ok((series, notes))
}

/// Returns the series' values in HU, slice after slice, and how many were padding.
fn load(series: &[SliceHeader]) -> Result<(Vec<f32>, usize)> {
    let Some(first) = series.first() else { return Err(Fault::unfit("the series has no slices")) };
    let area = first.format.columns * first.format.rows;
    let bytes = area as u64 * series.len() as u64 * 4;
    if area == 0 || bytes > file::MOST_BYTES {
        return Err(Fault::unfit(format!("{} slices of {area} pixels are more than can be read", series.len())));
    }
    series.iter().try_for_each(|slice| decode::decodable(slice).map_err(|fault| fault.at(slice.path.display())))?;
    let mut values = vec![0.0_f32; area * series.len()];
    let padded: Vec<Result<usize>> = values
        .par_chunks_mut(area)
        .zip(series)
        .map(|(out, slice)| load_slice(slice, out).map_err(|fault| fault.at(slice.path.display())))
        .collect();
    let padded = padded.into_iter().sum::<Result<usize>>()?;
    Ok((values, padded))
}

fn load_slice(slice: &SliceHeader, out: &mut [f32]) -> Result<usize> {
    let bytes = file::read(&slice.path)?;
    let changed = || Fault::unfit("the file changed while it was read");
    let outline = outline(&bytes).map_err(|_| changed())?.ok_or_else(changed)?;
    decode::decode(&outline, &slice.format, out)
}

/// The narrowest type that holds every rescaled value exactly.
fn dtype(series: &[SliceHeader], values: &[f32]) -> &'static str {
    let whole = series.iter().all(|slice| slice.format.slope.fract() == 0.0 && slice.format.intercept.fract() == 0.0);
    let (low, high) = image::range(values);
    match whole {
        true if low >= -32_768.0 && high <= 32_767.0 => "int16",
        true => "int32",
        false => "float32",
    }
}

/// One series as the module `series` needs it.
pub(super) struct Summary {
    slices: Vec<SliceHeader>,
    /// Size in voxels.
    pub(super) size: [usize; 3],
    /// The stack, unless it has no place in space; and why not, or why it is no grid.
    pub(super) stack: Option<(Slices, Fit)>,
    pub(super) problem: Option<String>,
}

/// Returns all series among a folder's own files in the order of their numbers.
pub(super) fn summaries(folder: &Path) -> Result<Vec<Summary>> {
    let scan = scan::own(folder)?;
    Ok(scan.series.into_iter().map(summary).collect())
}

/// Returns one series; as [`read`] chooses it.
pub(super) fn one(path: &Path, number: Option<usize>) -> Result<Summary> {
    find(path, number).map(|(series, _)| summary(series)).map_err(|fault| fault.at(path.display()))
}

fn summary(slices: Vec<SliceHeader>) -> Summary {
    let size = slices.first().map_or([0; 3], |first| [first.format.columns, first.format.rows, slices.len()]);
    let (stack, problem) = match stack::stack(&slices) {
        Ok(stack) => {
            let verdict = stack::judge(&stack, &ImageOptions::default(), &mut Vec::new());
            let fit = stack.fit();
            (Some((stack, fit)), verdict.err().map(|fault| fault.what))
        }
        Err(fault) => (None, Some(fault.what)),
    };
    Summary { slices, size, stack, problem }
}

impl Summary {
    /// Returns the number of files.
    pub(super) fn files(&self) -> usize {
        self.slices.len()
    }

    /// Returns the digest of each file, in the order of the slices.
    pub(super) fn digests(&self) -> Vec<[u8; 32]> {
        self.slices.iter().map(|slice| slice.digest).collect()
    }

    /// Returns the modality.
    pub(super) fn modality(&self) -> &str {
        self.slices.first().map_or("", |slice| slice.modality.as_str())
    }

    /// Returns the values in HU as stored, without any repair.
    pub(super) fn values(&self) -> Result<Vec<f32>> {
        load(&self.slices).map(|(values, _)| values)
    }
}

#[cfg(test)]
mod tests;
