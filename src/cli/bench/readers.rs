//! The readers' rows: one image from disk to values on their grid, with the file in the system's cache.
//!
//! ```text
//! ct.nii  ct.nii.gz  ct.nrrd  ct-gzip.nrrd  ct.mha  series/      one simulated scan, or the files of the user's folder
//! ```

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::work::Work;
use crate::{
    fault::{Fault, Result},
    io::{
        dicom,
        image::{self, BurnedIn, ImageOptions, Modality, Repair},
    },
    space::{DVec3, Grid},
    volume::Volume,
};

/// What [`write`] writes.
pub(super) const NAMES: [&str; 6] = ["ct.mha", "ct.nii", "ct.nii.gz", "ct.nrrd", "ct-gzip.nrrd", "series"];

/// One image to read again and again.
pub(super) struct Read {
    path: PathBuf,
    shape: String,
}

impl Read {
    /// Looks at the image once.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let size = image::read(path, &options())?.volume.grid.size;
        Ok(Self { path: path.to_owned(), shape: size.map(|n| n.to_string()).join(" x ") })
    }
}

impl Work for Read {
    fn shape(&self) -> String {
        self.shape.clone()
    }

    fn run(&mut self) -> Result<()> {
        image::read(&self.path, &options()).map(|image| drop(std::hint::black_box(image)))
    }
}

/// Whatever the image is, it is to be read.
fn options() -> ImageOptions {
    ImageOptions {
        tilt: Repair::Resample,
        gaps: Repair::Resample,
        modality: Modality::Any,
        burned_in: BurnedIn::Accept,
        ..ImageOptions::default()
    }
}

/// Returns the images in a folder, by name: image files, and folders, which are DICOM series.
pub(super) fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Fault::file("list the folder", folder, &error);
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() || image::is_image_name(&path) {
            images.push(path);
        }
    }
    images.sort();
    if images.is_empty() {
        return Err(Fault::usage("the folder holds no image file and no folder of DICOM").at(folder.display()));
    }
    Ok(images)
}

/// Writes a simulated scan in every format that is measured.
pub(super) fn write(quick: bool, folder: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Fault::file("write the file", folder, &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let volume = head(if quick { [256, 256, 40] } else { [512, 512, 200] })?;
    for name in ["ct.nii", "ct.nii.gz", "ct.nrrd", "ct.mha"] {
        image::write_i16(&folder.join(name), &volume)?;
    }
    dicom::write_series(&folder.join("series"), &volume, &dicom::SeriesHeader::default())?;
    let raw = std::fs::read(folder.join("ct.nrrd")).map_err(failed)?;
    let packed = packed(&raw).map_err(failed)?;
    std::fs::write(folder.join("ct-gzip.nrrd"), packed).map_err(failed)
}

/// Returns a raw NRRD as one packed by gzip.
fn packed(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    let end = raw.windows(2).position(|pair| pair == b"\n\n").map_or(raw.len(), |at| at + 2);
    let (header, samples) = raw.split_at(end);
    let header = String::from_utf8_lossy(header).replace("encoding: raw", "encoding: gzip");
    let mut to = flate2::write::GzEncoder::new(header.into_bytes(), flate2::Compression::new(6));
    to.write_all(samples)?;
    to.finish()
}

/// Returns an ellipsoid of soft tissue in a shell of bone, in air, with noise of 6 bits, which packs about as a scan does.
fn head(size: [usize; 3]) -> Result<Volume<i16>> {
    let [nx, ny, nz] = size;
    let mut data = vec![0_i16; nx * ny * nz];
    data.par_chunks_mut(nx * ny).enumerate().for_each(|(z, slice)| {
        for (at, value) in slice.iter_mut().enumerate() {
            let part = |i: usize, n: usize| (2.0 * i as f64 + 1.0) / n as f64 - 1.0;
            let (x, y, z_part) = (part(at % nx, nx) / 0.7, part(at / nx, ny) / 0.85, part(z, nz) / 0.9);
            let from_centre = x * x + y * y + z_part * z_part;
            let tissue = match from_centre {
                r if r > 1.0 => -1000,
                r if r > 0.9 => 40,
                r if r > 0.8 => 1000,
                _ => 30,
            };
            // Multiplicative hashing (Knuth): the upper bits of a number times an odd one look random.
            let noise = ((z * nx * ny + at) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
            *value = tissue + noise as i16 - 32;
        }
    });
    Volume::new(Grid::aligned(size, DVec3::new(0.45, 0.45, 1.0)), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_scan_is_the_same_image() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = head([40, 40, 6]).unwrap();
        image::write_i16(&folder.path().join("a.nrrd"), &wanted).unwrap();
        let raw = std::fs::read(folder.path().join("a.nrrd")).unwrap();
        std::fs::write(folder.path().join("b.nrrd"), packed(&raw).unwrap()).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "x").unwrap();
        let found = images(folder.path()).unwrap();
        assert_eq!(found.len(), 2);
        for path in found {
            assert_eq!(image::read(&path, &options()).unwrap().volume, wanted.map(f32::from));
        }
        assert_eq!(Read::new(&folder.path().join("b.nrrd")).unwrap().shape, "40 x 40 x 6");
        assert!(images(&folder.path().join("no")).is_err());
    }
}
