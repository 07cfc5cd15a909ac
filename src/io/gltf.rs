//! glTF 2.0 binary (.glb), written for viewers: metres, y up, right-handed, as the standard asks (Khronos, glTF 2.0, 3.4).
//!
//! ```text
//! x_gltf =  L / 1000    to the patient's left
//! y_gltf =  S / 1000    up: superior
//! z_gltf = -P / 1000    forward: anterior, so that the patient looks at the viewer
//! ```
//! A rotation, so triangles keep their orientation. The way back to LPS millimetres stands in the node's `extras`, with the
//! frame's name. Positions are 32-bit; normals are left out, so viewers shade the triangles as they are.

use std::path::Path;

use serde_json::{Value, json};

use super::file;
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::DVec3,
};

/// LPS mm from glTF's world, column-major as glTF writes matrices.
const LPS_MM_FROM_GLTF: [i32; 16] = [1000, 0, 0, 0, 0, 0, 1000, 0, 0, -1000, 0, 0, 0, 0, 0, 1];
/// Component types and buffer targets of the standard.
const FLOAT: u32 = 5126;
const UNSIGNED_INT: u32 = 5125;
const ARRAY_BUFFER: u32 = 34962;
const ELEMENT_ARRAY_BUFFER: u32 = 34963;

/// Writes one mesh, LPS mm.
///
/// # Errors
/// Unfit when the file would be larger than 4 GiB, which its header cannot say, or when writing fails.
pub(super) fn write(path: &Path, mesh: &Mesh) -> Result<()> {
    let positions: Vec<[f32; 3]> = mesh.vertices.iter().map(|&p| gltf_from_lps(p)).collect();
    let binary = binary(&positions, &mesh.triangles);
    let mut text = document(&positions, mesh.triangles.len()).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let total = 12 + 8 + text.len() + if binary.is_empty() { 0 } else { 8 + binary.len() };
    let Ok(total) = u32::try_from(total) else {
        return Err(Fault::unfit(format!("a .glb file holds at most 4 GiB, the mesh needs {total} bytes"))
            .hint("write .ply, or decimate the mesh"));
    };
    // both lengths are below `total`, which fits
    let chunk = |kind: &[u8; 4], length: usize| [&(length as u32).to_le_bytes()[..], kind].concat();
    let head = [&b"glTF"[..], &2_u32.to_le_bytes(), &total.to_le_bytes()].concat();
    let mut parts = vec![head, chunk(b"JSON", text.len()), text];
    if !binary.is_empty() {
        parts.extend([chunk(b"BIN\0", binary.len()), binary]);
    }
    file::write(path, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn gltf_from_lps(p: DVec3) -> [f32; 3] {
    // adding 0.0 makes -0 equal to 0
    [p.x / 1000.0, p.z / 1000.0, -p.y / 1000.0].map(|v| (v + 0.0) as f32)
}

/// Positions, then indices; both are multiples of four bytes.
fn binary(positions: &[[f32; 3]], triangles: &[[u32; 3]]) -> Vec<u8> {
    if triangles.is_empty() {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(12 * (positions.len() + triangles.len()));
    bytes.extend(positions.iter().flatten().flat_map(|v| v.to_le_bytes()));
    bytes.extend(triangles.iter().flatten().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// The JSON chunk. A mesh without triangles becomes a node without mesh: accessors of nothing are not allowed.
fn document(positions: &[[f32; 3]], triangles: usize) -> Value {
    let mut document = json!({
        "asset": { "version": "2.0", "generator": concat!("calvaria ", env!("CARGO_PKG_VERSION")) },
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [{
            "name": "surface",
            "extras": {
                "patient_frame": "LPS",
                "patient_unit": "mm",
                "lps_mm_from_gltf": LPS_MM_FROM_GLTF,
                "axes": "x = left, y = superior, z = anterior; metres",
            },
        }],
    });
    if triangles == 0 {
        return document;
    }
    let start = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];
    let [low, high] = positions.iter().fold(start, |[low, high], p| {
        [std::array::from_fn(|i| low[i].min(p[i])), std::array::from_fn(|i| high[i].max(p[i]))]
    });
    let (vertex_bytes, index_bytes) = (12 * positions.len(), 12 * triangles);
    document["nodes"][0]["mesh"] = json!(0);
    document["meshes"] = json!([{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1, "mode": 4 }] }]);
    document["accessors"] = json!([
        { "bufferView": 0, "componentType": FLOAT, "count": positions.len(), "type": "VEC3",
          "min": low.map(f64::from), "max": high.map(f64::from) },
        { "bufferView": 1, "componentType": UNSIGNED_INT, "count": 3 * triangles, "type": "SCALAR" },
    ]);
    document["bufferViews"] = json!([
        { "buffer": 0, "byteOffset": 0, "byteLength": vertex_bytes, "target": ARRAY_BUFFER },
        { "buffer": 0, "byteOffset": vertex_bytes, "byteLength": index_bytes, "target": ELEMENT_ARRAY_BUFFER },
    ]);
    document["buffers"] = json!([{ "byteLength": vertex_bytes + index_bytes }]);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a .glb into its document and its binary chunk.
    fn parts(bytes: &[u8]) -> (Value, Vec<u8>) {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((&bytes[..4], word(4), word(8)), (&b"glTF"[..], 2, bytes.len()));
        let length = word(12);
        assert_eq!((&bytes[16..20], length % 4), (&b"JSON"[..], 0));
        let document = serde_json::from_slice(&bytes[20..20 + length]).unwrap();
        let rest = &bytes[20 + length..];
        if rest.is_empty() {
            return (document, Vec::new());
        }
        assert_eq!((&rest[4..8], word(20 + length)), (&b"BIN\0"[..], rest.len() - 8));
        (document, rest[8..].to_vec())
    }

    #[test]
    fn a_patient_stands_upright_in_metres_and_finds_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.glb");
        let vertices = vec![DVec3::new(125.0, -250.0, 1500.0), DVec3::X, DVec3::Y];
        write(&path, &Mesh { vertices, triangles: vec![[0, 1, 2]] }).unwrap();
        let (document, binary) = parts(&std::fs::read(&path).unwrap());
        let floats: Vec<f32> = binary[..36].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        assert_eq!(floats[..3], [0.125, 1.5, 0.25], "left, up, forward");
        assert_eq!(binary[36..], [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(document["accessors"][0]["max"], json!([0.125, 1.5, 0.25]));
        let m = document["nodes"][0]["extras"]["lps_mm_from_gltf"].as_array().unwrap();
        let back: Vec<f64> = (0..3)
            .map(|row| (0..3).map(|col| m[4 * col + row].as_f64().unwrap() * f64::from(floats[col])).sum())
            .collect();
        assert_eq!(back, [125.0, -250.0, 1500.0]);
    }

    #[test]
    fn an_empty_mesh_is_a_node_without_mesh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.glb");
        write(&path, &Mesh::default()).unwrap();
        let (document, binary) = parts(&std::fs::read(&path).unwrap());
        assert!(document.get("accessors").is_none() && document["nodes"][0].get("mesh").is_none() && binary.is_empty());
    }
}
