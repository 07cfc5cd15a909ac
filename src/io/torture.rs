//! Other people's files, good and broken: what each must give, or how it must be refused. The sizes and means were
//! compared with SimpleITK, nibabel, pynrrd and trimesh. Needs `CALVARIA_TEST_DATA`, `zstd` and `tar`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    image::{ImageOptions, Modality, Repair, read, read_label},
    info,
    mesh::{MeshOptions, is_mesh_name},
    series::{decoded_digest, list},
};

fn data(name: &str) -> Option<PathBuf> {
    let found =
        std::env::var_os("CALVARIA_TEST_DATA").map(|root| Path::new(&root).join(name)).filter(|path| path.exists());
    if found.is_none() {
        println!("skipped: CALVARIA_TEST_DATA does not hold {name}");
    }
    found
}

/// Unpacks `packs/<name>.tar.zst` into a temporary folder.
fn unpack(name: &str) -> Option<tempfile::TempDir> {
    let pack = data(&format!("packs/{name}.tar.zst"))?;
    let folder = tempfile::tempdir().unwrap();
    let Ok(mut zstd) = Command::new("zstd").arg("-dc").arg(pack).stdout(Stdio::piped()).spawn() else {
        println!("skipped: zstd is not installed");
        return None;
    };
    let packed = zstd.stdout.take().unwrap();
    let tar = Command::new("tar").arg("x").arg("-C").arg(folder.path()).stdin(packed).status().unwrap();
    assert!(zstd.wait().unwrap().success() && tar.success());
    Some(folder)
}

/// Files and verdicts, as `benches/peers/readers.py` found them with SimpleITK, nibabel, pynrrd, pydicom and trimesh.
const TABLE: &str = include_str!("torture.tsv");

#[test]
fn every_file_has_its_verdict() {
    let Some(folder) = unpack("torture") else { return };
    let root = folder.path().join("torture");
    let (mut equal, mut refused) = (0, 0);
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, verdict, numbers @ ..] = columns.as_slice() else { panic!("{line}") };
        match *verdict {
            "equal" => {
                let differs = differs(&root.join(name), numbers).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                assert!(differs.is_empty(), "{name}: {differs:?}");
                equal += 1;
            }
            "refused" => {
                let fault = facts(&root.join(name)).unwrap_err();
                assert_eq!(fault.what.lines().next(), Some(numbers[0]), "{name}");
                refused += 1;
            }
            other => panic!("{name}: {other}"),
        }
    }
    assert!(equal > 70 && refused > 25, "{equal} {refused}");
    nine_encodings(&root.join("dicom-ts-9syntaxes"));
    repairs(&root);
}

/// What a file holds, as `info` tells it; a DICOM file alone in a folder, so that it stands for itself.
fn facts(path: &Path) -> crate::fault::Result<serde_json::Value> {
    let options = ImageOptions { modality: Modality::Any, ..ImageOptions::default() };
    if is_mesh_name(path) {
        return info::mesh_info(path);
    }
    if path.extension().is_none_or(|extension| extension != "dcm") {
        return info::image_info_with(path, &options);
    }
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(path, alone.path().join("a.dcm")).unwrap();
    info::image_info_with(alone.path(), &options)
}

/// Returns which of the table's numbers a file does not have. Of an image: size; origin and the steps along its axes in LPS
/// mm; sum of values. Of a mesh: triangles, bounds, area.
fn differs(path: &Path, numbers: &[&str]) -> crate::fault::Result<Vec<String>> {
    let found = facts(path)?;
    let list = |value: &serde_json::Value| -> Vec<f64> {
        match value.as_array() {
            Some(items) => items.iter().flat_map(|v| v.as_array().cloned().unwrap_or(vec![v.clone()])).collect(),
            None => vec![value.clone()],
        }
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .collect()
    };
    let sides = list(&found["size"]);
    let (first, place, last) = if found["kind"] == "mesh" {
        (list(&found["triangles"]), list(&found["bounds_mm"]), list(&found["area_mm2"])[0])
    } else {
        let (d, spacing) = (list(&found["direction"]), list(&found["spacing_mm"]));
        let steps = (0..9).map(|i| d[i % 3 * 3 + i / 3] * spacing[i / 3]);
        let place = list(&found["origin_mm"]).into_iter().chain(steps).collect();
        (sides.clone(), place, found["mean"].as_f64().unwrap() * sides.iter().product::<f64>())
    };
    let mut place: Vec<f64> = place;
    let mut expected: Vec<Vec<f64>> =
        numbers[..3].iter().map(|text| text.split(' ').map(|v| v.parse().unwrap()).collect()).collect();
    // Along an axis of one voxel no step is taken, and each reader has its own length for it.
    for axis in (0..sides.len()).filter(|&axis| sides[axis] == 1.0) {
        place[3 + 3 * axis..6 + 3 * axis].fill(0.0);
        expected[1][3 + 3 * axis..6 + 3 * axis].fill(0.0);
    }
    let far = |a: &[f64], b: &[f64], most: f64| {
        a.len() != b.len() || a.iter().zip(b).any(|(a, b)| (a - b).abs() > most * b.abs().max(1.0))
    };
    let pairs = [("size", &first, &expected[0], 0.0), ("place", &place, &expected[1], 2e-4)];
    let mut differs: Vec<String> = pairs
        .iter()
        .filter(|(_, mine, theirs, most)| far(mine, theirs, *most))
        .map(|(what, mine, theirs, _)| format!("{what}: {mine:?}, not {theirs:?}"))
        .collect();
    if far(&[last], &expected[2], 1e-4) {
        differs.push(format!("sum or area: {last}, not {:?}", expected[2]));
    }
    Ok(differs)
}

/// One image in nine encodings: one digest.
fn nine_encodings(root: &Path) {
    let options = ImageOptions { modality: Modality::Any, ..ImageOptions::default() };
    let mut digests = Vec::new();
    for number in 1..=9 {
        let alone = tempfile::tempdir().unwrap();
        std::fs::copy(root.join(format!("{number}.dcm")), alone.path().join("a.dcm")).unwrap();
        let image = read(alone.path(), &options).unwrap();
        assert_eq!(image.volume.grid.size, [384, 384, 1]);
        let sum: f64 = image.volume.data.iter().map(|&v| f64::from(v)).sum();
        assert_eq!(sum, 38_036_663.0, "encoding {number}");
        digests.push(decoded_digest(alone.path(), None).unwrap());
    }
    assert!(digests.iter().all(|digest| digest == &digests[0]));
}

fn repairs(root: &Path) {
    let both = ImageOptions {
        modality: Modality::Any,
        tilt: Repair::Resample,
        gaps: Repair::Resample,
        ..ImageOptions::default()
    };
    let series = root.join("dicom-series-d2n");
    let tilted = read(&series.join("failing-gantrytilting/001"), &both).unwrap();
    assert_eq!((tilted.volume.grid.size[0], tilted.volume.grid.size[2]), (512, 4));
    let uneven = read(&series.join("failing-sliceincrement/002"), &both).unwrap();
    assert_eq!((uneven.volume.grid.size[2], uneven.notes.len()), (5, 2), "{:?}", uneven.notes);
    let shear = read(&root.join("nifti-niivue/shear.nii.gz"), &both).unwrap();
    assert_eq!(shear.notes.iter().filter(|note| note.contains("tilt 18.50 degrees")).count(), 1, "{:?}", shear.notes);
}

#[test]
fn real_scans_have_their_known_numbers() {
    if let Some(folder) = data("ct-slicer-ctheadaxial-64") {
        let head = read(&folder, &ImageOptions::default()).unwrap();
        assert_eq!(head.volume.grid.size, [64, 64, 93]);
        assert!(head.notes.iter().any(|note| note.contains("add_hu: -1024")), "{:?}", head.notes);
        assert_eq!(list(&folder).unwrap().len(), 1);
    }
    if let Some(file) = data("ct-small/head_ct_example_256x256x26.nii.gz") {
        let head = info::image_info(&file).unwrap();
        assert_eq!((head["min"].as_f64(), head["max"].as_f64()), (Some(-1024.0), Some(1945.0)));
        assert_eq!(head["spacing_mm"], serde_json::json!([1.25, 1.25, 4.0]));
    }
    if let Some(file) = data("spl-head-neck-atlas/HN-Atlas-labels.nrrd") {
        let label = read_label(&file).unwrap();
        assert_eq!(label.data.iter().filter(|&&v| v == 10).count(), 369_950, "voxels of the skull");
    }
}

#[test]
fn a_scan_with_a_tilted_gantry_is_refused_or_straightened() {
    let Some(folder) = unpack("ct-philips-phantom-tilt-18.5") else { return };
    let fault = read(folder.path(), &ImageOptions::default()).unwrap_err();
    assert!(fault.what.contains("18.50 degrees") && fault.hint.unwrap().contains("tilt: resample"));
    let options = ImageOptions { tilt: Repair::Resample, ..ImageOptions::default() };
    let upright = read(folder.path(), &options).unwrap().volume;
    assert_eq!((upright.grid.size[0], upright.grid.size[2]), (512, 54));
    assert!((upright.grid.spacing_mm.z - 2.371).abs() < 0.001, "{}", upright.grid.spacing_mm.z);
}

/// Models made from the atlas's label map, in VTK: theirs are RAS, the map is LPS, so the bounds agree after the turn.
#[test]
fn vtk_models_of_an_atlas_lie_where_its_labels_are() {
    let (Some(labels), Some(folder)) = (data("spl-head-neck-atlas/HN-Atlas-labels.nrrd"), data("spl-head-neck-atlas"))
    else {
        return;
    };
    let label = read_label(&labels).unwrap();
    let options = MeshOptions { frame: Some(crate::space::Frame::Ras), ..MeshOptions::default() };
    let mut read = 0;
    for entry in walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap()) {
        if entry.path().extension().is_none_or(|extension| extension != "vtk") {
            continue;
        }
        let file = super::mesh::read(entry.path(), &options).unwrap();
        let (low, high) = file.mesh.bounds_mm().unwrap();
        let [nx, ny, nz] = label.grid.size;
        let corners = [label.grid.world(0, 0, 0), label.grid.world(nx - 1, ny - 1, nz - 1)];
        let (first, last) = (corners[0].min(corners[1]), corners[0].max(corners[1]));
        assert!(
            low.cmpge(first - 2.0).all() && high.cmple(last + 2.0).all(),
            "{}: {low} {high}",
            entry.path().display()
        );
        read += 1;
    }
    assert!(read > 0);
}
