//! Meshes of any format: read by content, brought to LPS millimetres, written by file name.
//!
//! A frame is known from three places, in this order: what the caller states, `SPACE=LPS` or `SPACE=RAS` in the file's
//! header or comments (3D Slicer's convention), and the default, LPS. A stated frame that the header contradicts is an
//! error. The unit is millimetres unless the caller says metres.

use std::path::Path;

use super::{
    file, gltf, obj, ply,
    sniff::{Format, name_ends, sniff},
    stl, vtk,
};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::{DVec3, Frame, Unit},
};

/// How to read a mesh: what a manifest says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeshOptions {
    /// Frame of the coordinates in the file.
    pub frame: Option<Frame>,
    /// Unit of the coordinates in the file.
    pub unit: Option<Unit>,
    /// Whether a mesh without triangles is a result (the surface of a prediction that found nothing) or a fault.
    #[serde(skip)]
    pub may_be_empty: bool,
}

/// A mesh as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct MeshFile {
    /// Triangles in LPS mm.
    pub mesh: Mesh,
    /// What a user should know about the file.
    pub notes: Vec<String>,
}

/// Returns whether a file's name is that of a mesh.
#[must_use]
pub fn is_mesh_name(path: &Path) -> bool {
    [".stl", ".ply", ".obj", ".vtk"].iter().any(|ending| name_ends(path, ending))
}

/// Returns whether a file name is that of a mesh format that can be written.
#[must_use]
pub fn is_mesh_output(path: &Path) -> bool {
    [".stl", ".ply", ".obj", ".glb"].iter().any(|ending| name_ends(path, ending))
}

/// What a format's reader gives: coordinates as they are in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parsed {
    pub(super) mesh: Mesh,
    pub(super) frame: Option<Frame>,
    pub(super) notes: Vec<String>,
}

/// Reads a mesh of any supported format.
///
/// # Errors
/// Usage when the path does not exist or the stated frame contradicts the header; unfit when the file is truncated, empty,
/// or a vertex is not finite (with the triangle or line).
pub fn read(path: &Path, options: &MeshOptions) -> Result<MeshFile> {
    let format = sniff(path)?;
    let parse = match format {
        Format::Stl => stl::parse,
        Format::Ply => ply::parse,
        Format::Obj => obj::parse,
        Format::Vtk => vtk::parse,
        _ => {
            return Err(Fault::unfit("this is an image; a mesh is needed")
                .at(path.display())
                .hint("`surface` makes a mesh of a label"));
        }
    };
    let bytes = file::read(path)?;
    parse(&bytes).and_then(|parsed| settle(parsed, options)).map_err(|fault| file::in_file(fault, path))
}

/// Brings parsed coordinates to LPS mm.
pub(super) fn settle(parsed: Parsed, options: &MeshOptions) -> Result<MeshFile> {
    let Parsed { mut mesh, frame: stated, mut notes } = parsed;
    if mesh.triangles.is_empty() && !options.may_be_empty {
        return Err(Fault::unfit("the mesh has no triangles"));
    }
    let frame = match (options.frame, stated) {
        (Some(asked), Some(stated)) if asked != stated => {
            return Err(Fault::usage(format!(
                "the frame is given as {}, and the file's header says SPACE={}",
                name(asked),
                name(stated)
            ))
            .hint("leave `frame` out to follow the header, or correct it"));
        }
        (Some(frame), _) | (None, Some(frame)) => frame,
        (None, None) => {
            notes.push(
                "the file states no frame; it is taken as LPS (set `frame: RAS` if it came from elsewhere)".to_owned(),
            );
            Frame::Lps
        }
    };
    let unit = options.unit.unwrap_or(Unit::Mm);
    if let (Unit::Mm, Some((low, high))) = (unit, mesh.bounds_mm())
        && (high - low).max_element() < 2.0
    {
        let side = (high - low).max_element();
        notes.push(format!("the mesh is only {side:.4} mm large; if its unit is metres, set `unit: m`"));
    }
    if (frame, unit) != (Frame::Lps, Unit::Mm) {
        let scale = unit.in_mm();
        mesh.vertices.iter_mut().for_each(|p| *p = frame.to_lps(*p) * scale);
    }
    Ok(MeshFile { mesh, notes })
}

fn name(frame: Frame) -> &'static str {
    match frame {
        Frame::Lps => "LPS",
        Frame::Ras => "RAS",
    }
}

/// Returns the frame that a header or comment states, if it does.
pub(super) fn stated_frame(text: &[u8]) -> Option<Frame> {
    let says = |word: &[u8]| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    match (says(b"SPACE=LPS"), says(b"SPACE=RAS")) {
        (true, false) => Some(Frame::Lps),
        (false, true) => Some(Frame::Ras),
        _ => None,
    }
}

/// Returns a vertex, or what is wrong with it.
pub(super) fn finite(p: DVec3, place: impl FnOnce() -> String) -> Result<DVec3> {
    if p.is_finite() { Ok(p) } else { Err(Fault::unfit(format!("a vertex is not finite: {}", place()))) }
}

/// Appends the triangles of a polygon, as a fan about its first corner.
pub(super) fn fan(corners: &[u32], triangles: &mut Vec<[u32; 3]>) {
    triangles.extend(corners.windows(2).skip(1).map(|pair| [corners[0], pair[0], pair[1]]));
}

/// Writes a mesh in LPS mm, by file name: .stl (binary, `SPACE=LPS` in the header, 32-bit positions), .ply (binary,
/// 64-bit positions: the store's own), .obj, or .glb for viewers (metres, y up, with the way back in `extras`).
///
/// # Errors
/// Usage when the name's ending is none of these; unfit when writing fails or the format cannot hold the mesh.
pub fn write(path: &Path, mesh: &Mesh) -> Result<()> {
    if name_ends(path, ".stl") {
        stl::write(path, mesh)
    } else if name_ends(path, ".ply") {
        ply::write(path, mesh, None)
    } else if name_ends(path, ".obj") {
        obj::write(path, mesh)
    } else if name_ends(path, ".glb") {
        gltf::write(path, mesh)
    } else {
        Err(Fault::usage("the name's ending does not say a mesh format that can be written")
            .at(path.display())
            .hint("use .stl, .ply, .obj or .glb"))
    }
}

/// Writes a .ply with one number a vertex, the property `deviation_mm`; a vertex without one is NaN.
///
/// # Errors
/// Usage when the name does not end in .ply or there is not one number a vertex; unfit when writing fails.
pub fn write_deviation(path: &Path, mesh: &Mesh, deviation_mm: &[f32]) -> Result<()> {
    if !name_ends(path, ".ply") || deviation_mm.len() != mesh.vertices.len() {
        return Err(Fault::usage("deviations are written to a .ply file, one a vertex").at(path.display()));
    }
    ply::write(path, mesh, Some(deviation_mm))
}

/// Writes a .ply with a signed distance (`quality`) and its colour at each vertex. `meaning` is one line of the header: unit,
/// sign, and the range of the colours.
///
/// # Errors
/// Usage when the name does not end in .ply or there is not one pair a vertex; unfit when writing fails.
pub fn write_coloured(path: &Path, mesh: &Mesh, coloured: &[(f32, [u8; 3])], meaning: &str) -> Result<()> {
    if !name_ends(path, ".ply") || coloured.len() != mesh.vertices.len() {
        return Err(
            Fault::usage("coloured vertices are written to a .ply file, one colour a vertex").at(path.display())
        );
    }
    ply::write_coloured(path, mesh, coloured, meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tetrahedron() -> Mesh {
        let vertices =
            vec![DVec3::new(1.5, 2.0, -3.0), DVec3::new(11.5, 2.0, 0.0), DVec3::new(1.5, 12.0, 0.25), DVec3::Z * 9.0];
        Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]] }
    }

    #[test]
    fn every_format_gives_the_same_mesh_back() {
        let folder = tempfile::tempdir().unwrap();
        let mesh = tetrahedron();
        for name in ["a.stl", "a.ply", "a.obj"] {
            let path = folder.path().join(name);
            write(&path, &mesh).unwrap();
            let first = std::fs::read(&path).unwrap();
            write(&path, &mesh).unwrap();
            assert_eq!(first, std::fs::read(&path).unwrap(), "stable bytes");
            let back = read(&path, &MeshOptions::default()).unwrap();
            assert!(back.notes.is_empty(), "{name}: {:?}", back.notes);
            let soup = |mesh: &Mesh| (0..4).map(|t| mesh.corners(t)).collect::<Vec<_>>();
            assert_eq!((soup(&back.mesh), back.mesh.vertices.len()), (soup(&mesh), 4), "{name}");
        }
        assert!(write(&folder.path().join("a.glb"), &mesh).is_ok());
        assert_eq!(write(&folder.path().join("a.gltf"), &mesh).unwrap_err().kind.exit_code(), 2);
    }

    #[test]
    fn frames_and_units_are_settled_here() {
        let parsed = |frame| Parsed { mesh: tetrahedron(), frame, notes: Vec::new() };
        let options = |frame, unit| MeshOptions { frame, unit, may_be_empty: false };
        let first = |parsed, options| settle(parsed, &options).map(|file| file.mesh.vertices[0]);
        let lps = DVec3::new(1.5, 2.0, -3.0);
        let ras = DVec3::new(-1.5, -2.0, -3.0);
        assert_eq!(first(parsed(None), options(None, None)).unwrap(), lps);
        assert_eq!(first(parsed(Some(Frame::Ras)), options(None, None)).unwrap(), ras);
        assert_eq!(first(parsed(None), options(Some(Frame::Ras), Some(Unit::M))).unwrap(), ras * 1000.0);
        let conflict = first(parsed(Some(Frame::Ras)), options(Some(Frame::Lps), None)).unwrap_err();
        assert_eq!(conflict.kind.exit_code(), 2);
        assert!(settle(Parsed::default(), &MeshOptions::default()).unwrap_err().what.contains("no triangles"));
        let allowed = MeshOptions { may_be_empty: true, ..MeshOptions::default() };
        assert_eq!(settle(Parsed::default(), &allowed).unwrap().mesh, Mesh::default());
    }

    #[test]
    fn a_tiny_mesh_is_suspected_of_metres() {
        let mut parsed = Parsed { mesh: tetrahedron(), frame: Some(Frame::Lps), notes: Vec::new() };
        parsed.mesh.vertices.iter_mut().for_each(|p| *p *= 0.001);
        assert!(settle(parsed, &MeshOptions::default()).unwrap().notes[0].contains("unit: m"));
    }
}
