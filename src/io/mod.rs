//! The only readers and writers of images and meshes, one format a file. Here frames and units are settled: whatever a
//! file says, what leaves this module is LPS millimetres.
//!
//! ```text
//! image   by name and content ─▶ dicom  nifti  nrrd  metaimage ─▶ samples ─▶ raw, packed, text; values, detached, input, file
//! mesh    by name and content ─▶ stl  ply  obj  vtk            ─▶ weld; gltf is written only
//! series  what a folder of DICOM holds, and its digests
//! info    the numbers of one file, as JSON; untrusted: the parsers on bytes, for fuzzing
//! ```
//! Three rules hold in every reader. Sizes that a header declares are compared with the length of the file before
//! anything of that size is allocated. Nothing is mended in silence: an unfit file is refused with its numbers and the
//! remedy, or repaired when [`image::ImageOptions`] asks, and then a note says so. Of what a header says about people,
//! nothing is read; notes and errors hold no text of a file, only numbers.

pub mod dicom;
pub mod image;
pub mod info;
pub mod mesh;
pub mod series;
pub mod sniff;
pub mod untrusted;

mod affine;
mod detached;
mod file;
mod gltf;
mod gzip;
mod input;
mod metaimage;
mod nifti;
mod nrrd;
mod obj;
mod packed;
mod ply;
mod raw;
mod room;
mod samples;
mod stl;
mod text;
mod values;
mod vtk;
mod weld;

#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod torture;
