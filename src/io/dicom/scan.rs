//! A folder of files to series: headers read in parallel, grouped by series UID, size, pixel spacing and orientation,
//! and each series sorted by position along its normal. File names and instance numbers play no part.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::{
    header::{SliceHeader, headers},
    outline::{looks_bare, outline},
};
use crate::{
    fault::{Fault, Result},
    io::{file, image::short},
    space::DVec3,
};

/// Orientations of one series agree to this: headers round to three decimals at worst.
const SAME_AXES: f64 = 1e-3;
/// Pixel spacings of one series agree to this, mm.
const SAME_SPACING_MM: f64 = 1e-4;

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Series in the order of their numbers.
    pub(super) series: Vec<Vec<SliceHeader>>,
    /// Files that are no DICOM images.
    pub(super) strays: usize,
    /// Images that cannot be slices of a scan (colour, several frames), and why the first of them cannot.
    pub(super) unusable: Option<(usize, Fault)>,
}

enum Found {
    Slices(Vec<SliceHeader>),
    Stray,
    Unusable(Fault),
}

/// Returns what is in a folder, or in the folder of a file; where a folder's own files hold no image, in its subfolders.
///
/// Series are ordered by their series number (those without one last), then the longer first, then by size and content, so
/// that the order depends on nothing but the files' contents.
///
/// # Errors
/// Usage when the path does not exist; unfit when a DICOM file is damaged.
pub(super) fn scan(path: &Path) -> Result<Scan> {
    let own = own(path)?;
    if path.is_dir() && own.series.is_empty() { below(path, usize::MAX) } else { Ok(own) }
}

/// Returns what is among a folder's own files.
pub(super) fn own(path: &Path) -> Result<Scan> {
    below(folder_of(path), 1)
}

/// Returns a folder's own files, or those of the folder of a file.
pub(super) fn own_files(path: &Path) -> Result<Vec<PathBuf>> {
    files(folder_of(path), 1)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        _ if path.is_dir() => path,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn below(root: &Path, depth: usize) -> Result<Scan> {
    let found: Vec<Result<Found>> = files(root, depth)?.into_par_iter().map(|path| look(&path)).collect();
    let (mut scan, mut slices) = (Scan::default(), Vec::new());
    for found in found {
        match found? {
            Found::Slices(found) => slices.extend(found),
            Found::Stray => scan.strays += 1,
            Found::Unusable(fault) => {
                let (count, _) = scan.unusable.get_or_insert((0, fault));
                *count += 1;
            }
        }
    }
    scan.series = group(slices);
    Ok(scan)
}

fn files(root: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    // Links are followed, because data managers link every file; walkdir finds loops.
    for entry in WalkDir::new(root).follow_links(true).max_depth(depth).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let place = error.path().unwrap_or(root).display().to_string();
            Fault::unfit("cannot list the folder: a link that leads nowhere or in a circle, or no permission").at(place)
        })?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn look(path: &Path) -> Result<Found> {
    let head = file::head(path, 132)?;
    if !head.ends_with(b"DICM") && !head.starts_with(b"DICM") && !looks_bare(&head) {
        return Ok(Found::Stray);
    }
    let bytes = file::read(path)?;
    let outline = outline(&bytes).map_err(|broken| {
        Fault::unfit(format!("the DICOM file is damaged: {}", broken.what))
            .at(format!("{}, byte {}", path.display(), broken.offset))
            .hint("copy the file again, or take it out of the folder if it is no slice of the scan")
    })?;
    let Some(outline) = outline else { return Ok(Found::Stray) };
    let place = path.display().to_string();
    match headers(path, &bytes, &outline) {
        Ok(slices) if slices.is_empty() => Ok(Found::Stray),
        Ok(slices) => Ok(Found::Slices(slices)),
        Err(fault) => Ok(Found::Unusable(fault.at(place))),
    }
}

/// Returns the series of slices, each sorted by position, in the order of their numbers.
pub(super) fn group(mut slices: Vec<SliceHeader>) -> Vec<Vec<SliceHeader>> {
    slices.sort_by(|a, b| (&a.series, a.digest, a.frame).cmp(&(&b.series, b.digest, b.frame)));
    let mut groups: Vec<Vec<SliceHeader>> = Vec::new();
    for slice in slices {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| alike(first, &slice))) {
            Some(group) => group.push(slice),
            None => groups.push(vec![slice]),
        }
    }
    for group in &mut groups {
        let normal = group[0].axes.map_or(DVec3::Z, |[row, column]| row.cross(column));
        let depth = |slice: &SliceHeader| slice.position_mm.map_or(0.0, |p| p.dot(normal));
        group.sort_by(|a, b| depth(a).total_cmp(&depth(b)).then((a.digest, a.frame).cmp(&(b.digest, b.frame))));
    }
    groups.sort_by_cached_key(|group| order(group));
    groups
}

fn order(group: &[SliceHeader]) -> impl Ord + use<> {
    let first = &group[0];
    (
        first.number.is_none(),
        first.number,
        std::cmp::Reverse(group.len()),
        first.format.columns,
        first.format.rows,
        first.series.clone(),
        first.digest,
    )
}

fn alike(a: &SliceHeader, b: &SliceHeader) -> bool {
    let axes = match (a.axes, b.axes) {
        (Some([ax, ay]), Some([bx, by])) => {
            (ax - bx).abs().max_element().max((ay - by).abs().max_element()) <= SAME_AXES
        }
        (None, None) => true,
        _ => false,
    };
    let spacing = match (a.spacing_mm, b.spacing_mm) {
        (Some(a), Some(b)) => (a[0] - b[0]).abs() <= SAME_SPACING_MM && (a[1] - b[1]).abs() <= SAME_SPACING_MM,
        (None, None) => true,
        _ => false,
    };
    let size = |slice: &SliceHeader| (slice.format.columns, slice.format.rows);
    a.series == b.series && size(a) == size(b) && axes && spacing
}

impl Scan {
    /// Returns the series to read: the one asked for by number, the one that a file belongs to, or the only one.
    ///
    /// # Errors
    /// Unfit when there is none; usage, with a list, when there are several and none is chosen.
    pub(super) fn choose(self, path: &Path, number: Option<usize>) -> Result<Vec<SliceHeader>> {
        let count = self.series.len();
        if count == 0 {
            let (_, fault) = self.unusable.unwrap_or_else(|| {
                if path.is_file() {
                    return (
                        0,
                        Fault::unfit("this file is no DICOM image").hint("give the folder that holds the slices"),
                    );
                }
                let what = format!("no DICOM image is here; {} other files are", self.strays);
                (0, Fault::unfit(what).hint("give the folder that holds the slices"))
            });
            return Err(fault);
        }
        let named = if path.is_file() { same_file(&self.series, path) } else { None };
        let index = match number {
            Some(number) if (1..=count).contains(&number) => number - 1,
            Some(number) => {
                return Err(Fault::usage(format!("there is no series {number}; there are {count}:\n{}", self.list())));
            }
            None => match named {
                Some(index) => index,
                None if path.is_file() => {
                    return Err(self.unusable.map_or_else(not_a_slice, |(_, fault)| fault));
                }
                None if count == 1 => 0,
                None => {
                    return Err(Fault::usage(format!("the folder holds {count} series:\n{}", self.list()))
                        .hint("choose one by its number: `series: 1`"));
                }
            },
        };
        Ok(self.series.into_iter().nth(index).unwrap_or_default())
    }

    /// Returns one line a series, with numbers and geometry only.
    fn list(&self) -> String {
        let line = |(index, series): (usize, &Vec<SliceHeader>)| {
            let first = &series[0];
            let spacing = first
                .spacing_mm
                .map_or("unknown spacing".to_owned(), |[x, y]| format!("{} x {} mm", short(x), short(y)));
            let normal = first.axes.map_or("unknown orientation".to_owned(), |[row, column]| {
                let normal = row.cross(column);
                format!("normal ({:.2}, {:.2}, {:.2})", normal.x, normal.y, normal.z)
            });
            let slices = if series.len() == 1 { "slice" } else { "slices" };
            let (columns, rows) = (first.format.columns, first.format.rows);
            format!("  series {}: {} {slices} of {columns} x {rows}, {spacing}, {normal}", index + 1, series.len())
        };
        self.series.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub(super) fn not_a_slice() -> Fault {
    Fault::unfit("this DICOM file holds no slice (a DICOMDIR, a report, a structure set)")
        .hint("give the folder that holds the slices")
}

fn same_file(series: &[Vec<SliceHeader>], path: &Path) -> Option<usize> {
    let name = path.file_name()?;
    series.iter().position(|series| series.iter().any(|slice| slice.path.file_name() == Some(name)))
}
