//! DICOM series: in by dicom-rs behind a length check, out as CT Image Storage.
//!
//! ```text
//! outline   declared lengths against the file        door     the allow-list of tags
//! header    admitted values to slices                 scan     files to series, sorted by position
//! stack     series to slices in space, the verdict    decode   one slice's samples to HU
//! frames    compressed frames; jpegls, codestream     write    a volume to a series
//! ```

mod codestream;
mod decode;
mod door;
mod frames;
mod header;
mod jpegls;
mod outline;
mod scan;
mod stack;
mod write;

use std::path::Path;

use rayon::prelude::*;

pub(super) use outline::looks_bare;
pub use write::{SeriesHeader, write_series};

use self::{decode::Pixels, header::SliceHeader, outline::outline};
use super::{
    file,
    image::{self, BurnedIn, Image, ImageOptions, Modality},
    room,
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
    let (series, notes) = find(path, options.series)?;
    assemble(&series, options, notes, &file::read)
}

/// Parses the bytes of one file as the first series in it.
///
/// # Errors
/// As [`read`].
pub(super) fn parse(bytes: &[u8], options: &ImageOptions) -> Result<Image> {
    let broken = |broken: outline::Broken| {
        Fault::unfit(format!("the DICOM file is damaged: {}", broken.what)).at(format!("byte {}", broken.offset))
    };
    let outline = outline(bytes).map_err(broken)?.ok_or_else(|| Fault::unfit("this is no DICOM file"))?;
    let slices = header::headers(Path::new(""), bytes, &outline)?;
    let series = scan::group(slices).into_iter().next().ok_or_else(scan::not_a_slice)?;
    assemble(&series, options, Vec::new(), &|_| Ok(bytes.to_vec()))
}

/// Makes the volume of a sorted series whose files `open` reads.
fn assemble(
    series: &[SliceHeader],
    options: &ImageOptions,
    mut notes: Vec<String>,
    open: &Opener<'_>,
) -> Result<Image> {
    admissible(series, options, &mut notes)?;
    let slices = stack::stack(series)?;
    let fit = stack::judge(&slices, options, &mut notes)?;
    let regular = fit.even() && fit.upright();
    if !regular {
        image::straightenable(&slices, &fit)?;
    }
    let (values, padded) = load(series, open)?;
    if padded > 0 {
        notes.push(format!(
            "{padded} pixels are padding outside the scanned field; they are set to {} HU",
            image::AIR_HU
        ));
    }
    let dtype = dtype(series, &values).to_owned();
    let volume = if regular {
        Volume::new(slices.grid()?, values)?
    } else {
        slices.straighten(&values, image::fill(&values))?
    };
    Ok(Image { volume, dtype, notes })
}

/// Gives the bytes of a file.
type Opener<'a> = dyn Fn(&Path) -> Result<Vec<u8>> + Sync + 'a;

/// Refuses what is no CT, and slices with text in their pixels, unless asked to read them.
fn admissible(series: &[SliceHeader], options: &ImageOptions, notes: &mut Vec<String>) -> Result<()> {
    if let Some(other) = series.iter().find(|slice| slice.modality != "CT") {
        if options.modality == Modality::Ct {
            return Err(Fault::unfit(format!("this is no CT: the modality (0008,0060) is {}", other.modality))
                .hint("choose the CT series, or set `modality: any` to read it as it is"));
        }
        notes.push("the modality is not CT; the values may not be HU".to_owned());
    }
    let burned_in = series.iter().filter(|slice| slice.burned_in).count();
    if burned_in > 0 {
        let what = format!(
            "the headers of {burned_in} of {} slices say that text is burned into the pixels (0028,0301)",
            series.len()
        );
        if options.burned_in == BurnedIn::Refuse {
            return Err(Fault::unfit(what).hint(
                "the text may be a name: look at the slices, and set `burned_in: accept` to read them all the same",
            ));
        }
        notes.push(what);
    }
    Ok(())
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
    if series.len() == 1 {
        notes.push("the series is a single slice".to_owned());
    }
    Ok((series, notes))
}

/// Returns the series' values in HU, slice after slice, and how many were padding.
fn load(series: &[SliceHeader], open: &Opener<'_>) -> Result<(Vec<f32>, usize)> {
    let Some(first) = series.first() else { return Err(Fault::unfit("the series has no slices")) };
    let area = first.format.columns * first.format.rows;
    let bytes = area as u64 * series.len() as u64 * 4;
    if area == 0 || bytes > file::MOST_BYTES {
        return Err(Fault::unfit(format!("{} slices of {area} pixels are more than can be read", series.len())));
    }
    series.iter().try_for_each(|slice| decode::decodable(slice).map_err(|fault| fault.at(slice.path.display())))?;
    let mut values = room::zeros(area * series.len());
    // The frames of one file are decoded together, so that it is read once.
    let mut parts: Vec<(&SliceHeader, &mut [f32])> = series.iter().zip(values.chunks_mut(area)).collect();
    parts.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    let mut files: Vec<&mut [(&SliceHeader, &mut [f32])]> =
        parts.chunk_by_mut(|(a, _), (b, _)| a.path == b.path).collect();
    let padded: Vec<Result<usize>> = files
        .par_iter_mut()
        .map(|parts| {
            let place = parts.first().map(|(slice, _)| slice.path.display().to_string()).unwrap_or_default();
            load_file(parts, open).map_err(|fault| fault.at(place))
        })
        .collect();
    let padded = padded.into_iter().sum::<Result<usize>>()?;
    Ok((values, padded))
}

/// Decodes the slices of one file, each into its part of the volume.
fn load_file(parts: &mut [(&SliceHeader, &mut [f32])], open: &Opener<'_>) -> Result<usize> {
    let Some((first, _)) = parts.first() else { return Ok(0) };
    let bytes = open(&first.path)?;
    let changed = || Fault::unfit("the file changed while it was read");
    let outline = outline(&bytes).map_err(|_| changed())?.ok_or_else(changed)?;
    let pixels = Pixels::of(&outline);
    let padded: Vec<Result<usize>> = parts.par_iter_mut().map(|(slice, out)| pixels.decode(slice, out)).collect();
    padded.into_iter().sum()
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

/// Returns the files among which the series of a path is looked for first.
pub(super) fn beside(path: &Path) -> Result<Vec<std::path::PathBuf>> {
    scan::own_files(path)
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
        self.digests().len()
    }

    /// Returns the digest of each file, sorted by path; the frames of one file are one.
    pub(super) fn digests(&self) -> Vec<[u8; 32]> {
        let mut files: Vec<_> = self.slices.iter().map(|slice| (&slice.path, slice.digest)).collect();
        files.sort_unstable();
        files.dedup();
        files.into_iter().map(|(_, digest)| digest).collect()
    }

    /// Returns the modality.
    pub(super) fn modality(&self) -> &str {
        self.slices.first().map_or("", |slice| slice.modality.as_str())
    }

    /// Returns the values in HU as stored, without any repair.
    pub(super) fn values(&self) -> Result<Vec<f32>> {
        load(&self.slices, &file::read).map(|(values, _)| values)
    }
}

#[cfg(test)]
mod encoding_tests;
#[cfg(test)]
mod maker;
#[cfg(test)]
mod tests;
