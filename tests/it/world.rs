//! One head in several files and orders of axes is one head in the world.

use std::fs;

use calvaria::{
    io::{
        image::{self, ImageOptions},
        series,
    },
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

use crate::door::Room;

/// The same intensities at the same places, with axes in another order and direction.
fn turned(volume: &Volume<f32>, order: [usize; 3], flip: [bool; 3]) -> Volume<f32> {
    let old = volume.grid;
    let size = order.map(|axis| old.size[axis]);
    let columns = [old.direction.x_axis, old.direction.y_axis, old.direction.z_axis];
    let mut first = [0_usize; 3];
    let mut direction = [DVec3::ZERO; 3];
    for new in 0..3 {
        let sign = if flip[new] { -1.0 } else { 1.0 };
        direction[new] = sign * columns[order[new]];
        if flip[new] {
            first[order[new]] = old.size[order[new]] - 1;
        }
    }
    let mut grid = old;
    grid.size = size;
    grid.origin_mm = old.world(first[0], first[1], first[2]);
    grid.spacing_mm = DVec3::from_array(order.map(|axis| old.spacing_mm[axis]));
    grid.direction = DMat3::from_cols(direction[0], direction[1], direction[2]);
    let mut data = Vec::with_capacity(grid.len());
    for z in 0..size[2] {
        for y in 0..size[1] {
            for x in 0..size[0] {
                let mut at = [0; 3];
                for (new, index) in [x, y, z].into_iter().enumerate() {
                    at[order[new]] = if flip[new] { size[new] - 1 - index } else { index };
                }
                data.push(volume.at(at[0], at[1], at[2]));
            }
        }
    }
    Volume::new(grid, data).unwrap()
}

fn voxels_in_world(label: &Volume<u8>) -> Vec<[i64; 3]> {
    let [nx, ny, nz] = label.grid.size;
    let mut places = Vec::new();
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                if label.at(x, y, z) != 0 {
                    places.push(label.grid.world(x, y, z).to_array().map(|mm| (mm * 100.0).round() as i64));
                }
            }
        }
    }
    places.sort_unstable();
    places
}

#[test]
fn a_head_as_dicom_as_nifti_and_with_flipped_axes_gets_one_label() {
    let room = Room::new();
    room.ok(&[
        "phantom",
        "--case",
        "1",
        "--set",
        "size=[44,48,16]",
        "--set",
        "spacing_mm=[4,4,10]",
        "--set",
        "gold_mm=3",
        "-o",
        "heads",
    ]);
    room.ok(&[
        "train",
        "--manifest",
        "heads/manifest.yaml",
        "--set",
        "depth=5",
        "--set",
        "epochs=40",
        "--set",
        "lr=0.003",
        "-o",
        "m.safetensors",
    ]);
    room.ok(&["convert", "heads/p01/ct", "same.nii.gz"]);
    let volume = image::read(&room.path("heads/p01/ct"), &ImageOptions::default()).unwrap().volume;
    let mut scans = vec!["heads/p01/ct".to_owned(), "same.nii.gz".to_owned()];
    for (at, (order, flip)) in [
        ([0, 1, 2], [true, true, false]),
        ([0, 1, 2], [false, false, true]),
        ([2, 0, 1], [false, true, true]),
        ([1, 0, 2], [false, false, false]),
    ]
    .into_iter()
    .enumerate()
    {
        for extension in ["nrrd", "nii"] {
            let name = format!("turned{at}.{extension}");
            image::write_f32(&room.path(&name), &turned(&volume, order, flip)).unwrap();
            scans.push(name);
        }
    }
    let mut labels = Vec::new();
    for (at, scan) in scans.iter().enumerate() {
        let output = format!("label{at}.nrrd");
        room.ok(&["infer", "--model", "m.safetensors", "--ct", scan, "-o", &output]);
        labels.push(voxels_in_world(&image::read_label(&room.path(&output)).unwrap()));
    }
    assert!(labels[0].len() > 50, "the network found no bone");
    for (scan, label) in scans.iter().zip(&labels) {
        assert!(*label == labels[0], "{scan} gives another label in the world");
    }
}

#[test]
fn forty_eight_orientations_of_one_nifti_are_one_world() {
    let room = Room::new();
    let turn = DMat3::from_cols(DVec3::new(0.8, 0.6, 0.0), DVec3::new(-0.6, 0.8, 0.0), DVec3::Z);
    let grid = Grid::new([4, 5, 3], DVec3::new(-30.5, 12.25, 100.0), DVec3::new(0.5, 0.75, 2.5), turn).unwrap();
    let volume = Volume::new(grid, (0..60_u8).map(f32::from).collect()).unwrap();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let (mut digests, mut seen) = (Vec::new(), 0);
    for (order, bits) in orders.into_iter().flat_map(|order| (0..8).map(move |bits| (order, bits))) {
        let other = turned(&volume, order, [0, 1, 2].map(|axis| bits >> axis & 1 == 1));
        let path = room.path("a.nii");
        image::write_f32(&path, &other).unwrap();
        let written = fs::read(&path).unwrap();
        // Both forms, qform alone, sform alone.
        for code in [None, Some(254), Some(252)] {
            let mut bytes = written.clone();
            if let Some(at) = code {
                bytes[at..at + 2].fill(0);
            }
            fs::write(&path, bytes).unwrap();
            let read = image::read(&path, &ImageOptions::default()).unwrap();
            assert!(read.notes.is_empty(), "{:?}", read.notes);
            let voxel_from_world = read.volume.grid.voxel_from_world();
            for (z, y, x) in (0..3).flat_map(|z| (0..5).flat_map(move |y| (0..4).map(move |x| (z, y, x)))) {
                let at = voxel_from_world.transform_point3(grid.world(x, y, z));
                assert!((at - at.round()).abs().max_element() < 1e-4, "{order:?} {bits} {code:?}: {at}");
                let at = at.round().to_array().map(|v| v as usize);
                assert_eq!(read.volume.at(at[0], at[1], at[2]), volume.at(x, y, z), "{order:?} {bits} {code:?}");
            }
            seen += 1;
        }
        digests.push(series::decoded_digest(&path, None).unwrap());
    }
    assert_eq!((seen, digests.len()), (144, 48));
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn real_heads_go_through_infer_and_surface() {
    let Some(data) = std::env::var_os("CALVARIA_TEST_DATA") else {
        println!("skipped: CALVARIA_TEST_DATA is not set");
        return;
    };
    let data = std::path::PathBuf::from(data);
    let room = Room::new();
    room.ok(&["phantom", "--case", "1", "--set", "size=[48,48,16]", "--set", "spacing_mm=[4,4,10]", "-o", "heads"]);
    room.ok(&[
        "train",
        "--manifest",
        "heads/manifest.yaml",
        "--set",
        "depth=5",
        "--set",
        "epochs=40",
        "--set",
        "lr=0.003",
        "-o",
        "m.safetensors",
    ]);
    let dicom = data.join("ct-slicer-ctheadaxial-64");
    let nifti = data.join("ct-small/head_ct_example_256x256x26.nii.gz");
    for (name, scan, more) in [("dicom", dicom, &["--add-hu", "-1024"][..]), ("nifti", nifti, &[][..])] {
        let (label, mesh) = (format!("{name}.nii.gz"), format!("{name}.stl"));
        let scan = scan.to_str().unwrap();
        let mut infer = vec!["infer", "--model", "m.safetensors", "--ct", scan, "-o", &label];
        infer.extend(more);
        room.ok(&infer);
        let volume = image::read_label(&room.path(&label)).unwrap();
        if volume.data.iter().any(|&v| v != 0) {
            room.ok(&["surface", "--volume", &label, "-o", &mesh]);
            let report = room.json(&["mesh", "check", &mesh, "--json"]);
            assert_eq!(report["closed"], true, "{report}");
            assert!(fs::metadata(room.path(&mesh)).unwrap().len() > 84);
        }
    }
}
