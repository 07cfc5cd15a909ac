//! Every parser of bytes that a stranger may have written, by name.

use std::path::Path;

use calvaria::{
    io::{
        image::{BurnedIn, ImageOptions, Modality, Repair},
        mesh::MeshOptions,
        sniff::Format,
        untrusted,
    },
    manifest::Manifest,
    model::Model,
    pipeline::{diagnose::Source, lockfile::Lock, record::Record, spec::Spec},
};

/// A parser; it returns whether it took the bytes.
#[derive(Clone, Copy)]
pub struct Parser {
    /// Name of the target and of its corpus.
    pub name: &'static str,
    /// The call.
    pub parse: fn(&[u8]) -> bool,
}

/// All of them.
pub const PARSERS: [Parser; 13] = [
    Parser { name: "dicom", parse: |bytes| image(Format::Dicom, bytes) },
    Parser { name: "nifti", parse: |bytes| image(Format::Nifti, bytes) },
    Parser { name: "nrrd", parse: |bytes| image(Format::Nrrd, bytes) },
    Parser { name: "metaimage", parse: |bytes| image(Format::MetaImage, bytes) },
    Parser { name: "stl", parse: |bytes| mesh(Format::Stl, bytes) },
    Parser { name: "ply", parse: |bytes| mesh(Format::Ply, bytes) },
    Parser { name: "obj", parse: |bytes| mesh(Format::Obj, bytes) },
    Parser { name: "vtk", parse: |bytes| mesh(Format::Vtk, bytes) },
    Parser { name: "manifest", parse: |bytes| Manifest::parse(text(bytes), None).is_ok() },
    Parser { name: "pipeline", parse: |bytes| Spec::parse(text(bytes), &[], None).is_ok() },
    Parser { name: "lock", parse: lock },
    Parser { name: "record", parse: |bytes| Record::decode(bytes).is_some() },
    Parser { name: "model", parse: |bytes| Model::from_bytes(bytes).is_ok() },
];

/// Returns a parser.
///
/// # Panics
/// When there is none of the name.
pub fn named(name: &str) -> Parser {
    *PARSERS.iter().find(|parser| parser.name == name).expect("a known parser")
}

/// What bytes may cost: eight times as many, and 16 MiB.
pub fn most_bytes(input: usize) -> usize {
    (16 << 20) + 8 * input
}

/// What bytes may take: a second for each MiB begun. Measured under a fuzzer, on a machine that does other things.
pub fn most_seconds(input: usize) -> f64 {
    1.0 + input as f64 / f64::from(1 << 20)
}

/// Everything is repaired, so that damaged files get as far as they can.
fn image(format: Format, bytes: &[u8]) -> bool {
    let options = ImageOptions {
        tilt: Repair::Resample,
        gaps: Repair::Resample,
        modality: Modality::Any,
        burned_in: BurnedIn::Accept,
        ..ImageOptions::default()
    };
    untrusted::image(format, bytes, &options).is_ok()
}

fn mesh(format: Format, bytes: &[u8]) -> bool {
    untrusted::mesh(format, bytes, &MeshOptions { may_be_empty: true, ..MeshOptions::default() }).is_ok()
}

fn text(bytes: &[u8]) -> Source {
    Source::new("input.yaml", String::from_utf8_lossy(bytes).into_owned())
}

fn lock(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| Lock::parse(text, Path::new("input.lock")).is_ok())
}
