//! Small files of every format with bytes flipped, cut and repeated: a reader may refuse them, it may never panic.

use std::path::Path;

use super::{
    dicom::{SeriesHeader, write_series},
    image::{self, ImageOptions, Repair},
    mesh::{self, MeshOptions},
};
use crate::{
    mesh::Mesh,
    numeric::{Seed, Stream},
    space::{DVec3, Grid},
    volume::Volume,
};

const ROUNDS: usize = 300;

fn originals(folder: &Path) -> Vec<String> {
    let grid = Grid::aligned([5, 4, 3], DVec3::new(0.5, 0.5, 2.0));
    let volume = Volume::new(grid, (0..60_i16).collect()).unwrap();
    let mesh = Mesh { vertices: vec![DVec3::ZERO, DVec3::X, DVec3::Y], triangles: vec![[0, 1, 2]] };
    for name in ["a.nrrd", "a.nii", "a.nii.gz", "a.mha"] {
        image::write_i16(&folder.join(name), &volume).unwrap();
    }
    for name in ["a.stl", "a.ply", "a.obj"] {
        mesh::write(&folder.join(name), &mesh).unwrap();
    }
    let ascii = "solid x\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid x\n";
    std::fs::write(folder.join("ascii.stl"), ascii).unwrap();
    write_series(
        folder,
        &Volume::new(Grid::aligned([5, 4, 1], DVec3::ONE), vec![7; 20]).unwrap(),
        &SeriesHeader::default(),
    )
    .unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mutate(bytes: &[u8], stream: &mut Stream) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=stream.below(4) {
        let at = stream.below(bytes.len() as u64) as usize;
        match stream.below(5) {
            0 => bytes[at] = stream.below(256) as u8,
            1 => bytes[at] ^= 1 << stream.below(8),
            2 => bytes[at] = [0, 0x7F, 0x80, 0xFF][stream.below(4) as usize],
            3 => bytes.truncate(at.max(1)),
            _ => {
                let end = (at + 1 + stream.below(16) as usize).min(bytes.len());
                bytes.extend_from_within(at..end);
            }
        }
    }
    bytes
}

#[test]
fn no_damage_makes_a_reader_panic() {
    let folder = tempfile::tempdir().unwrap();
    let names = originals(folder.path());
    assert_eq!(names.len(), 9);
    let options = ImageOptions { tilt: Repair::Resample, gaps: Repair::Resample, ..ImageOptions::default() };
    let (mut good, mut refused) = (0, 0);
    for name in names {
        let bytes = std::fs::read(folder.path().join(&name)).unwrap();
        let alone = tempfile::tempdir().unwrap();
        let path = alone.path().join(&name);
        for round in 0..ROUNDS {
            let mut stream = Seed([3; 32]).stream(&name, round as u64);
            std::fs::write(&path, mutate(&bytes, &mut stream)).unwrap();
            let outcome = if mesh::is_mesh_name(&path) {
                mesh::read(&path, &MeshOptions::default()).map(|_| ())
            } else {
                image::read(&path, &options).map(|_| ())
            };
            match outcome {
                Ok(()) => good += 1,
                Err(fault) => {
                    assert!(!fault.what.is_empty() && fault.place.is_some(), "{name}: {fault}");
                    refused += 1;
                }
            }
        }
    }
    assert!(good > 100 && refused > 100, "{good} {refused}");
}
