//! Every parser of images and meshes on bytes in memory, with no file around them: the doors for fuzzing, and for bytes that
//! come from elsewhere than a disk. What a header says of other files is refused.

use super::{
    dicom,
    image::{self, Image, ImageOptions},
    input::Input,
    mesh::{self, MeshFile, MeshOptions},
    metaimage, nifti, nrrd, obj, ply,
    sniff::Format,
    stl, vtk,
};
use crate::fault::{Fault, Result};

/// Parses the bytes of an image file of a known format; of DICOM, of one file.
///
/// # Errors
/// As [`image::read`]; unfit when the format is none of images, or the data is in another file.
pub fn image(format: Format, bytes: &[u8], options: &ImageOptions) -> Result<Image> {
    let elsewhere = || Fault::unfit("the data is in another file, and only these bytes are at hand");
    let mut image = match format {
        Format::Dicom => dicom::parse(bytes, options)?,
        Format::Nifti => nifti::parse(&Input::memory(bytes), || Err(elsewhere()), options)?,
        Format::Nrrd => nrrd::parse(&Input::memory(bytes), &|_| Err(elsewhere()), options)?,
        Format::MetaImage => metaimage::parse(&Input::memory(bytes), &|_| Err(elsewhere()), options)?,
        Format::Stl | Format::Ply | Format::Obj | Format::Vtk => {
            return Err(Fault::unfit("this is a mesh; an image is needed"));
        }
    };
    image::finish(&mut image, options)?;
    Ok(image)
}

/// Parses the bytes of a mesh file of a known format.
///
/// # Errors
/// As [`mesh::read`]; unfit when the format is none of meshes.
pub fn mesh(format: Format, bytes: &[u8], options: &MeshOptions) -> Result<MeshFile> {
    let parsed = match format {
        Format::Stl => stl::parse(bytes)?,
        Format::Ply => ply::parse(bytes)?,
        Format::Obj => obj::parse(bytes)?,
        Format::Vtk => vtk::parse(bytes)?,
        _ => return Err(Fault::unfit("this is an image; a mesh is needed")),
    };
    mesh::settle(parsed, options)
}
