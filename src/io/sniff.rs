//! What a path holds: by its first bytes, and by its name where bytes do not tell. Anything else is refused by the name of
//! what it seems to be.

use std::path::Path;

use super::{file, gzip};
use crate::fault::{Fault, Result};

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A DICOM file, or a folder of them.
    Dicom,
    /// NIfTI-1 or -2, plain or gzip, or one file of a pair.
    Nifti,
    /// NRRD, attached or detached.
    Nrrd,
    /// MetaImage, attached or detached.
    MetaImage,
    /// STL, binary or ASCII.
    Stl,
    /// PLY.
    Ply,
    /// Wavefront OBJ.
    Obj,
    /// Legacy VTK polydata.
    Vtk,
}

impl Format {
    /// Returns whether it holds triangles, not voxels.
    #[must_use]
    pub const fn is_mesh(self) -> bool {
        matches!(self, Self::Stl | Self::Ply | Self::Obj | Self::Vtk)
    }
}

/// What can be read, for messages.
const KNOWN: &str = "images: a DICOM folder or file, .nii, .nii.gz, .hdr with .img, .nrrd, .nhdr, .mha, .mhd; meshes: .stl, .ply, .obj, .vtk";

/// Other people's formats by their first bytes.
const FOREIGN: [(&[u8], &str); 19] = [
    (b"PK\x03\x04", "a ZIP archive (also .pt, .npz, .docx)"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file (also MINC 2, .mat)"),
    (b"CDF\x01", "a NetCDF or MINC file"),
    (b"<?xml", "an XML file (also .vtp, .vti)"),
    (b"<VTKFile", "a VTK XML file"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\xfd7zXZ", "an XZ archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"glTF", "a binary glTF model"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GIF8", "a GIF picture"),
    (b"OFF", "an OFF mesh"),
];

/// Returns the format of a file or folder.
///
/// # Errors
/// Usage when there is nothing at the path; unfit, with the name of what it seems to be, when it cannot be read.
pub fn sniff(path: &Path) -> Result<Format> {
    let about = std::fs::metadata(path).map_err(|error| Fault::file("read", path, &error))?;
    if about.is_dir() {
        return Ok(Format::Dicom);
    }
    let head = file::head(path, 1024)?;
    by_content(&head, path).or_else(|| by_name(path)).ok_or_else(|| foreign(&head).at(path.display()))
}

fn by_content(head: &[u8], path: &Path) -> Option<Format> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(128, b"DICM") || super::dicom::looks_bare(head) {
        return Some(Format::Dicom);
    }
    if at(0, b"NRRD000") {
        return Some(Format::Nrrd);
    }
    if gzip::is_gzip(head) {
        let named = [".nii.gz", ".hdr.gz", ".img.gz"].iter().any(|ending| name_ends(path, ending));
        return (named || is_nifti(&gzip::peek(head, 4))).then_some(Format::Nifti);
    }
    if is_nifti(head) && !name_ends(path, ".stl") {
        return Some(Format::Nifti);
    }
    if at(0, b"# vtk DataFile") {
        return Some(Format::Vtk);
    }
    if at(0, b"ply\n") || at(0, b"ply\r") {
        return Some(Format::Ply);
    }
    (at(0, b"ObjectType") || at(0, b"NDims")).then_some(Format::MetaImage)
}

/// A NIfTI header begins with its own length, in either byte order.
fn is_nifti(head: &[u8]) -> bool {
    let word = head.first_chunk::<4>().map(|word| (i32::from_le_bytes(*word), i32::from_be_bytes(*word)));
    matches!(word, Some((348 | 540, _) | (_, 348 | 540)))
}

/// A name is believed only where the content is not plainly something else.
fn by_name(path: &Path) -> Option<Format> {
    let head = file::head(path, 16).ok()?;
    if FOREIGN.iter().any(|(magic, _)| head.starts_with(magic)) || gzip::is_gzip(&head) {
        return None;
    }
    let known = [
        (".stl", Format::Stl),
        (".ply", Format::Ply),
        (".obj", Format::Obj),
        (".nii", Format::Nifti),
        (".img", Format::Nifti),
        (".nrrd", Format::Nrrd),
        (".nhdr", Format::Nrrd),
        (".mha", Format::MetaImage),
        (".mhd", Format::MetaImage),
        (".dcm", Format::Dicom),
    ];
    known.into_iter().find(|(ending, _)| name_ends(path, ending)).map(|(_, format)| format)
}

pub(super) fn name_ends(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_ascii_lowercase().ends_with(ending))
}

fn foreign(head: &[u8]) -> Fault {
    let what = if head.is_empty() {
        "the file is empty".to_owned()
    } else if let Some((_, name)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        format!("this seems to be {name}, which is not supported")
    } else if gzip::is_gzip(head) {
        "this is a gzip file and no NIfTI image (.nii.gz)".to_owned()
    } else {
        "this format is not known".to_owned()
    };
    Fault::unfit(what).hint(format!("supported are {KNOWN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(name: &str, bytes: &[u8]) -> Result<Format> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        sniff(&path)
    }

    #[test]
    fn content_speaks_before_the_name() {
        assert_eq!(sniffed("a.stl", b"NRRD0004\n").unwrap(), Format::Nrrd);
        assert_eq!(sniffed("a", b"# vtk DataFile Version 3.0").unwrap(), Format::Vtk);
        assert_eq!(sniffed("a", b"ply\nformat").unwrap(), Format::Ply);
        assert_eq!(sniffed("A.STL", b"solid x").unwrap(), Format::Stl);
        assert_eq!(sniffed("a.nii", &348_i32.to_be_bytes()).unwrap(), Format::Nifti);
        let mut dicom = vec![0; 128];
        dicom.extend_from_slice(b"DICM");
        assert_eq!(sniffed("a.nii", &dicom).unwrap(), Format::Dicom);
    }

    #[test]
    fn the_unknown_is_refused_by_name() {
        let refused = |name: &str, bytes: &[u8]| sniffed(name, bytes).unwrap_err().what;
        assert!(refused("model.pt", b"PK\x03\x04rest").contains("ZIP"));
        assert!(refused("a.stl", b"\x89PNG\r\n").contains("PNG"), "the name does not help");
        assert!(refused("a.vtp", b"<VTKFile type=").contains("VTK XML"));
        assert!(refused("a.gz", &[0x1f, 0x8b, 8]).contains("gzip"));
        assert!(refused("a.xyz", b"hello").contains("not known"));
        assert!(refused("a.xyz", b"").contains("empty"));
        assert_eq!(sniff(Path::new("/no/such")).unwrap_err().kind.exit_code(), 2);
    }
}
