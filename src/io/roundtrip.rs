//! What is written is read back: every image in every format, every mesh in every format, at the same place with the same
//! values; also by way of all formats one after the other.

use std::path::Path;

use super::{
    image::{self, Image, ImageOptions},
    mesh::{self, MeshOptions},
};
use crate::{
    mesh::Mesh,
    numeric::Seed,
    space::{DVec3, Grid, Rigid},
    volume::Volume,
};

/// Places are equal to this, mm.
const SAME_MM: f64 = 1e-5;
const IMAGES: [&str; 5] = ["a.nrrd", "a.nii", "a.nii.gz", "a.mha", "series"];

/// An image of a head's extent, turned anyhow, whose values use the whole range of a type.
fn example(turn: u64, dtype: &str) -> Image {
    let mut stream = Seed([9; 32]).stream("turn", turn);
    let vector = |length: f64, stream: &mut crate::numeric::Stream| {
        DVec3::new(stream.normal(), stream.normal(), stream.normal()).normalize() * length
    };
    let rotation = Rigid::about(DVec3::ZERO, vector(1.0 + turn as f64, &mut stream), DVec3::ZERO).rotation;
    let origin_mm = vector(120.0, &mut stream);
    let grid = Grid::new([24, 20, 9], origin_mm, DVec3::new(8.9 / 3.0, 3.3, 7.7), rotation).unwrap();
    let value = |i: usize| match dtype {
        "uint8" => (i * 7 % 256) as f32,
        "int16" => (i * 7919 % 65_536) as f32 - 32_768.0,
        _ => 1.0 / (i as f32 - 1000.5),
    };
    Image {
        volume: Volume::new(grid, (0..grid.len()).map(value).collect()).unwrap(),
        dtype: dtype.to_owned(),
        notes: Vec::new(),
    }
}

/// Returns how far the corners of two grids are apart at most, mm.
fn apart_mm(a: &Grid, b: &Grid) -> f64 {
    assert_eq!(a.size, b.size);
    let corner = |grid: &Grid, bits: usize| {
        let at = |axis: usize| if bits >> axis & 1 == 1 { grid.size[axis] - 1 } else { 0 };
        grid.world(at(0), at(1), at(2))
    };
    (0..8).map(|bits| corner(a, bits).distance(corner(b, bits))).fold(0.0, f64::max)
}

fn written(folder: &Path, name: &str, image: &Image) -> Image {
    let path = folder.join(name);
    image::write_any(&path, image).unwrap();
    image::read(&path, &ImageOptions::default()).unwrap()
}

#[test]
fn images_come_back_from_every_format() {
    for turn in 0..6 {
        for dtype in ["uint8", "int16", "float32"] {
            let folder = tempfile::tempdir().unwrap();
            let image = example(turn, dtype);
            let mut chain = image.clone();
            for name in IMAGES {
                // A DICOM series holds whole numbers.
                if name == "series" && dtype == "float32" {
                    continue;
                }
                let back = written(folder.path(), name, &image);
                let far_mm = apart_mm(&back.volume.grid, &image.volume.grid);
                assert!(far_mm <= SAME_MM, "{name}: {far_mm:e} mm");
                assert_eq!(back.volume.data, image.volume.data, "{name}, {dtype}");
                assert!(back.dtype == dtype || name == "series", "{name}: {}", back.dtype);
                chain = written(folder.path(), &format!("chain-{name}"), &chain);
            }
            assert!(apart_mm(&chain.volume.grid, &image.volume.grid) <= 2.0 * SAME_MM, "by way of all formats");
            assert_eq!(chain.volume.data, image.volume.data);
        }
    }
}

/// A bumpy closed surface as large as a head, whose vertices use all digits.
fn surface() -> Mesh {
    let mut stream = Seed([9; 32]).stream("surface", 0);
    let (around, along) = (24_u32, 12_u32);
    let mut vertices = vec![DVec3::new(0.1, -20.0, 90.0 + 1.0 / 3.0), DVec3::new(0.0, -20.0, -90.0)];
    for ring in 1..along {
        for step in 0..around {
            let (polar, turn) = (f64::from(ring) / f64::from(along), f64::from(step) / f64::from(around));
            let (height, out) = (libm::cos(polar * std::f64::consts::PI), libm::sin(polar * std::f64::consts::PI));
            let angle = turn * std::f64::consts::TAU;
            let radius_mm = 90.0 + stream.normal();
            vertices
                .push(DVec3::new(out * libm::cos(angle), out * libm::sin(angle), height) * radius_mm - DVec3::Y * 20.0);
        }
    }
    let at = |ring: u32, step: u32| 2 + (ring - 1) * around + step % around;
    let mut triangles = Vec::new();
    for step in 0..around {
        triangles.push([0, at(1, step), at(1, step + 1)]);
        triangles.push([1, at(along - 1, step + 1), at(along - 1, step)]);
        for ring in 1..along - 1 {
            triangles.push([at(ring, step), at(ring + 1, step), at(ring + 1, step + 1)]);
            triangles.push([at(ring, step), at(ring + 1, step + 1), at(ring, step + 1)]);
        }
    }
    Mesh { vertices, triangles }
}

/// Returns how far the corners of two meshes' triangles are apart at most, mm; the triangles have an order.
fn corners_apart_mm(a: &Mesh, b: &Mesh) -> f64 {
    assert_eq!((a.triangles.len(), a.vertices.len()), (b.triangles.len(), b.vertices.len()));
    let corners = |mesh: &Mesh| (0..mesh.triangles.len()).flat_map(|t| mesh.corners(t)).collect::<Vec<_>>();
    corners(a).iter().zip(corners(b)).map(|(a, b)| a.distance(b)).fold(0.0, f64::max)
}

#[test]
fn meshes_come_back_from_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = surface();
    let mut chain = wanted.clone();
    for name in ["a.ply", "a.obj", "a.stl"] {
        let path = folder.path().join(name);
        mesh::write(&path, &wanted).unwrap();
        let back = mesh::read(&path, &MeshOptions::default()).unwrap();
        assert!(back.notes.is_empty(), "{name}: {:?}", back.notes);
        let far_mm = corners_apart_mm(&back.mesh, &wanted);
        assert!(far_mm <= SAME_MM, "{name}: {far_mm:e} mm");
        mesh::write(&path, &chain).unwrap();
        chain = mesh::read(&path, &MeshOptions::default()).unwrap().mesh;
    }
    assert!(corners_apart_mm(&chain, &wanted) <= SAME_MM, "by way of all formats");
    let path = folder.path().join("a.glb");
    mesh::write(&path, &wanted).unwrap();
    let far_mm = corners_apart_mm(&from_glb(&std::fs::read(&path).unwrap()), &wanted);
    assert!(far_mm <= SAME_MM, "a.glb: {far_mm:e} mm");
}

/// A .glb with one mesh, brought back to LPS mm by the matrix that its node states.
fn from_glb(bytes: &[u8]) -> Mesh {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let text = word(12) as usize;
    let document: serde_json::Value = serde_json::from_slice(&bytes[20..20 + text]).unwrap();
    let binary = 28 + text;
    let count = |accessor: usize| document["accessors"][accessor]["count"].as_u64().unwrap() as usize;
    let offset = |view: usize| binary + document["bufferViews"][view]["byteOffset"].as_u64().unwrap() as usize;
    let m: Vec<f64> = document["nodes"][0]["extras"]["lps_mm_from_gltf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    let position = |i: usize| {
        let p = [0, 1, 2].map(|axis| f64::from(f32::from_bits(word(offset(0) + 12 * i + 4 * axis))));
        DVec3::from_array([0, 1, 2].map(|row| m[row] * p[0] + m[4 + row] * p[1] + m[8 + row] * p[2] + m[12 + row]))
    };
    Mesh {
        vertices: (0..count(0)).map(position).collect(),
        triangles: (0..count(1) / 3).map(|t| [0, 1, 2].map(|corner| word(offset(1) + 12 * t + 4 * corner))).collect(),
    }
}
