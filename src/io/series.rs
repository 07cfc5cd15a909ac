//! What a folder of DICOM files holds, and digests of a scan: of its files, and of its voxels.

use std::path::{Path, PathBuf};

use super::{
    detached, dicom, file,
    image::{ImageOptions, Repair, read},
    input::Input,
    metaimage, nifti, nrrd,
    sniff::{Format, sniff},
};
use crate::{
    fault::{Fault, Result},
    geometry::resample::{Fit, Slices},
    space::{DMat3, DVec3},
};

/// One series of a folder; holds no UID, name or date.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesInfo {
    /// Number to give as `series:`, from 1.
    pub number: usize,
    /// Number of files.
    pub files: usize,
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Between columns, rows and slices (mean), mm; none when the series has no place in space.
    pub spacing_mm: Option<[f64; 3]>,
    /// `CT`, `MR`, …
    pub modality: String,
    /// Why it is no grid as it stands (tilt, gaps, same places), with the numbers.
    pub problem: Option<String>,
}

/// Returns the series among a folder's own files, in the order of their numbers: by series number, those without one last;
/// then the longer first; then by size and content.
///
/// # Errors
/// Usage when the folder does not exist; unfit when a DICOM file in it is damaged.
pub fn list(folder: &Path) -> Result<Vec<SeriesInfo>> {
    if !folder.is_dir() {
        return Err(Fault::usage("there is no such folder").at(folder.display()));
    }
    let summaries = dicom::summaries(folder)?.into_iter().enumerate();
    Ok(summaries
        .map(|(index, summary)| SeriesInfo {
            number: index + 1,
            files: summary.files(),
            size: summary.size,
            spacing_mm: summary.stack.as_ref().map(|(stack, fit)| spacing(stack, fit)),
            modality: summary.modality().to_owned(),
            problem: summary.problem,
        })
        .collect())
}

fn spacing(stack: &Slices, fit: &Fit) -> [f64; 3] {
    [stack.spacing_mm[0], stack.spacing_mm[1], fit.mean_mm]
}

/// Two identities of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Number of files.
    pub files: usize,
    /// As [`digest`].
    pub stored: [u8; 32],
    /// As [`decoded_digest`].
    pub decoded: [u8; 32],
}

/// Returns both digests and the number of files of an image file or of one series of a folder.
///
/// # Errors
/// As [`digest`] and [`decoded_digest`].
pub fn fingerprint(path: &Path, series: Option<usize>) -> Result<Fingerprint> {
    if path.is_dir() {
        let summary = dicom::one(path, series)?;
        return Ok(Fingerprint {
            files: summary.files(),
            stored: of_files(&summary),
            decoded: of_series(&summary, path)?,
        });
    }
    Ok(Fingerprint { files: 1, stored: digest(path, series)?, decoded: decoded_digest(path, series)? })
}

/// Returns the files that one image consists of: the file, or the header and the data files that it names, or both files of a
/// NIfTI pair; of a DICOM file, which stands for its series, every file in its folder.
///
/// # Errors
/// Usage when the path does not exist; unfit when a header makes no sense or a data file is missing.
pub fn parts(path: &Path) -> Result<Vec<PathBuf>> {
    let named = match sniff(path)? {
        Format::Dicom => return dicom::beside(path),
        Format::Nifti => return nifti::parts(path),
        Format::Nrrd => nrrd::data_files,
        Format::MetaImage => metaimage::data_files,
        _ => return Ok(vec![path.to_owned()]),
    };
    let mut files = vec![path.to_owned()];
    let names = named(Input::open(path)?.head()).map_err(|fault| file::in_file(fault, path))?;
    for name in names {
        files.push(detached::locate(path, &name).map_err(|fault| file::in_file(fault, path))?);
    }
    Ok(files)
}

/// Returns the digest of a scan's files. Of a folder: blake3 over the sorted list of the blake3 digests of the files of
/// that one series; names and other files do not count. Of a file: its blake3, and over the list of the digests of all
/// where an image has a header and data files; a DICOM file stands for its series.
///
/// # Errors
/// Usage when the path does not exist or the series is ambiguous; unfit when a file is damaged.
pub fn digest(path: &Path, series: Option<usize>) -> Result<[u8; 32]> {
    if sniff(path)? == Format::Dicom {
        return Ok(of_files(&dicom::one(path, series)?));
    }
    let of_file = |part: &PathBuf| Ok(*blake3::hash(&file::read(part)?).as_bytes());
    let digests = parts(path)?.iter().map(of_file).collect::<Result<Vec<[u8; 32]>>>()?;
    match digests.as_slice() {
        [one] => Ok(*one),
        several => Ok(*blake3::hash(several.as_flattened()).as_bytes()),
    }
}

/// Returns the digest of a scan's voxels: blake3 over size and values (HU, before any repair) on nearest-LPS axes, without
/// position or spacing. It is equal for a renamed, recompressed, converted or flipped copy.
///
/// # Errors
/// As reading it; a tilted or uneven series has its digest like any other.
pub fn decoded_digest(path: &Path, series: Option<usize>) -> Result<[u8; 32]> {
    if sniff(path)? == Format::Dicom {
        return of_series(&dicom::one(path, series)?, path);
    }
    let options = ImageOptions { tilt: Repair::Resample, ..ImageOptions::default() };
    let volume = read(path, &options)?.volume;
    Ok(decoded(&volume.data, volume.grid.size, &volume.grid.direction))
}

fn of_files(summary: &dicom::Summary) -> [u8; 32] {
    let mut digests = summary.digests();
    digests.sort_unstable();
    *blake3::hash(digests.as_flattened()).as_bytes()
}

fn of_series(summary: &dicom::Summary, path: &Path) -> Result<[u8; 32]> {
    let values = summary.values().map_err(|fault| fault.at(path.display()))?;
    let direction = summary
        .stack
        .as_ref()
        .map_or(DMat3::IDENTITY, |(stack, _)| DMat3::from_cols(stack.row, stack.column, stack.normal()));
    Ok(decoded(&values, summary.size, &direction))
}

/// Returns the digest of values walked along the axes nearest to L, P and S.
fn decoded(values: &[f32], size: [usize; 3], direction: &DMat3) -> [u8; 32] {
    let axes = nearest_axes(direction);
    let strides = [1, size[0], size[0] * size[1]];
    // Start and step along each world axis, in voxels of the file.
    let mut start = 0_usize;
    let mut steps = [(0_usize, 0_isize); 3];
    for (world, &(axis, flipped)) in axes.iter().enumerate() {
        let stride = strides[axis] as isize;
        start += if flipped { (size[axis] - 1) * strides[axis] } else { 0 };
        steps[world] = (size[axis], if flipped { -stride } else { stride });
    }
    let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 decoded volume");
    steps.iter().for_each(|(count, _)| {
        hasher.update(&(*count as u64).to_le_bytes());
    });
    let [(nx, dx), (ny, dy), (nz, dz)] = steps;
    let mut row = Vec::with_capacity(4 * nx);
    for z in 0..nz as isize {
        for y in 0..ny as isize {
            row.clear();
            for x in 0..nx as isize {
                let at = start as isize + x * dx + y * dy + z * dz;
                row.extend_from_slice(&(values[at as usize] + 0.0).to_le_bytes());
            }
            hasher.update(&row);
        }
    }
    *hasher.finalize().as_bytes()
}

/// Returns, for L, P and S, the grid axis nearest to it and whether it runs the other way; each grid axis once.
fn nearest_axes(direction: &DMat3) -> [(usize, bool); 3] {
    let columns = [direction.x_axis, direction.y_axis, direction.z_axis];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let along = |order: &[usize; 3]| -> f64 { (0..3).map(|world| columns[order[world]][world].abs()).sum() };
    let best = orders.into_iter().reduce(|best, order| if along(&order) > along(&best) + 1e-9 { order } else { best });
    let order = best.unwrap_or([0, 1, 2]);
    let flipped = |world: usize| columns[order[world]].dot([DVec3::X, DVec3::Y, DVec3::Z][world]) < 0.0;
    [(order[0], flipped(0)), (order[1], flipped(1)), (order[2], flipped(2))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        io::{
            dicom::{SeriesHeader, write_series},
            image::{write_f32, write_i16},
        },
        space::Grid,
        volume::Volume,
    };

    fn head() -> Volume<i16> {
        let grid = Grid::aligned([4, 5, 3], DVec3::new(0.5, 0.5, 2.0));
        Volume::new(grid, (0..60_i16).map(|v| v * 7 - 1000).collect()).unwrap()
    }

    /// The same voxels in the world with the axes in another order and direction.
    fn flipped(volume: &Volume<i16>) -> Volume<i16> {
        let [nx, ny, nz] = volume.grid.size;
        let (d, s) = (volume.grid.direction, volume.grid.spacing_mm);
        let grid = Grid {
            size: [nz, nx, ny],
            origin_mm: volume.grid.world(0, ny - 1, 0),
            spacing_mm: DVec3::new(s.z, s.x, s.y),
            direction: DMat3::from_cols(d.z_axis, d.x_axis, -d.y_axis),
        };
        let mut out = Volume::filled(grid, 0);
        for (z, y, x) in (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (z, y, x)))) {
            let index = out.grid.index(z, x, ny - 1 - y);
            out.data[index] = volume.at(x, y, z);
        }
        out
    }

    #[test]
    fn a_copy_in_any_dress_has_the_same_voxels() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let volume = head();
        write_series(&at("a"), &volume, &SeriesHeader::default()).unwrap();
        write_i16(&at("b.nii.gz"), &volume).unwrap();
        write_f32(&at("c.nrrd"), &flipped(&volume).map(f32::from)).unwrap();
        let prints = ["a", "b.nii.gz", "c.nrrd"].map(|name| fingerprint(&at(name), None).unwrap());
        assert_eq!(prints[0].decoded, prints[1].decoded);
        assert_eq!(prints[0].decoded, prints[2].decoded);
        assert_eq!(prints[0].files, 3);
        assert_eq!(prints[1].stored, *blake3::hash(&std::fs::read(at("b.nii.gz")).unwrap()).as_bytes());
        assert_eq!(prints[0].stored, digest(&at("a"), Some(1)).unwrap());
        let mut other = volume;
        other.data[7] += 1;
        write_i16(&at("d.nrrd"), &other).unwrap();
        assert_ne!(fingerprint(&at("d.nrrd"), None).unwrap().decoded, prints[0].decoded);
    }

    #[test]
    fn the_digest_of_a_header_covers_its_data() {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join("a.mhd");
        std::fs::write(&header, "DimSize = 2 1 1\nElementType = MET_UCHAR\nElementDataFile = a.raw\n").unwrap();
        std::fs::write(folder.path().join("a.raw"), [1, 2]).unwrap();
        let before = fingerprint(&header, None).unwrap();
        assert_eq!(parts(&header).unwrap().len(), 2);
        std::fs::write(folder.path().join("a.raw"), [1, 3]).unwrap();
        let after = fingerprint(&header, None).unwrap();
        assert!(before.stored != after.stored && before.decoded != after.decoded);
    }

    #[test]
    fn names_and_strays_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_series(&path, &head(), &SeriesHeader::default()).unwrap();
        let before = fingerprint(&path, Some(1)).unwrap();
        std::fs::rename(path.join("slice-0001.dcm"), path.join("zzz")).unwrap();
        std::fs::write(path.join("notes.txt"), "x").unwrap();
        assert_eq!(fingerprint(&path, None).unwrap(), before);
        let series = list(&path).unwrap();
        assert_eq!((series.len(), series[0].number, series[0].files, series[0].size), (1, 1, 3, [4, 5, 3]));
        assert_eq!((series[0].spacing_mm, series[0].problem.as_deref()), (Some([0.5, 0.5, 2.0]), None));
        assert!(list(folder.path().join("no").as_path()).is_err());
    }
}
