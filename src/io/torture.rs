//! Other people's files, good and broken: what each must give, or how it must be refused. The sizes and means were
//! compared with SimpleITK, nibabel, pynrrd and trimesh. Needs `CALVARIA_TEST_DATA`, `zstd` and `tar`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    image::{ImageOptions, Repair, read, read_label},
    info,
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

/// What must come of a file.
enum Verdict {
    /// Size and mean of an image.
    Image([usize; 3], f64),
    /// Vertices and triangles of a mesh.
    Mesh(u64, u64),
    /// A part of the message.
    Refused(&'static str),
}
use Verdict::{Image, Mesh, Refused};

const FILES: &[(&str, Verdict)] = &[
    ("dicom-series-d2n/failing-gantrytilting/001", Refused("gantry tilt of 14.00 degrees")),
    ("dicom-series-d2n/failing-notavolume/001", Refused("4 slices lie at 1 places")),
    ("dicom-series-d2n/failing-slicecount/001", Image([256, 256, 2], 126.847_457_885_742_19)),
    ("dicom-series-d2n/failing-sliceincrement/001", Refused("4 slices 5 to 10 mm apart, median 5 mm, about 1 missing")),
    (
        "dicom-series-d2n/failing-sliceincrement/002",
        Refused("tilt of 15.50 degrees; and the slices are unevenly spaced"),
    ),
    ("dicom-series-d2n/failing-sliceorientation/001", Refused("2 series")),
    ("dicom-series-d2n/rgb-j2k", Refused("3 samples (colour)")),
    ("dicom-ts-9syntaxes", Refused("9 slices lie at 1 places")),
    ("dicom-ts-9syntaxes/README.md", Refused("not known")),
    ("metaimage/FullHead.mhd", Refused("data file that the header names is missing")),
    ("metaimage/HeadMRVolume.mhd", Image([48, 62, 42], 24.468_221_966_205_84)),
    ("metaimage/foot.mha", Refused("`DimSize` has 2 numbers")),
    ("metaimage/frogtissue.mhd", Image([500, 470, 136], 0.384_213_767_209_011_24)),
    ("metaimage/mha-zlib-local.mha", Image([64, 64, 37], 527.506_162_901_182_4)),
    ("metaimage/pine_root.mhd", Refused("list of files")),
    ("nifti-niivue/D99_atlas_v2.0_right_voxoffset128560.nii.gz", Image([275, 347, 245], 29.283_942_876_390_796)),
    ("nifti-niivue/complex.nii.gz", Refused("complex")),
    ("nifti-niivue/ct_perfusion.nii.gz", Refused("RGB")),
    ("nifti-niivue/ras.hdr", Refused("pair")),
    ("nifti-niivue/shear.nii.gz", Refused("an angle of 18.50 degrees")),
    ("nifti-rs/27/float64.nii", Image([3, 3, 3], 13.0)),
    ("nifti-rs/27/int64.nii", Image([3, 3, 3], 13.0)),
    ("nifti-rs/27/int8.nii", Image([3, 3, 3], 13.0)),
    ("nifti-rs/27/uint16.nii", Image([3, 3, 3], 13.0)),
    ("nifti-rs/27/uint64.nii", Image([3, 3, 3], 13.0)),
    ("nifti-rs/avg152T1_LR_nifti.nii.gz", Image([91, 109, 91], 82.897_161_513_755_93)),
    ("nifti-rs/fuzz_artifacts/crash-1.nii", Refused("does not begin with its length")),
    ("nifti-rs/minimal.nii.gz", Image([64, 64, 10], 31.5)),
    ("nifti-rs/minimal_extended_hdr.nii", Image([8, 8, 1], 0.0)),
    ("nifti-rs/rgb/4D.nii", Refused("2 volumes")),
    ("nifti-rs/zstat1.nii.gz", Image([64, 64, 21], 0.135_420_991_699_35)),
    ("nrrd-oblique/FLAIR.nrrd", Image([124, 160, 140], 41.486_047_667_050_69)),
    ("nrrd-pynrrd/BallBinary30x30x30.nhdr", Image([30, 30, 30], 136.381_333_333_333_34)),
    ("nrrd-pynrrd/BallBinary30x30x30_byteskip_minus_five.nhdr", Refused("byte skip -5")),
    ("nrrd-pynrrd/BallBinary30x30x30_byteskip_minus_one.nhdr", Image([30, 30, 30], 136.381_333_333_333_34)),
    ("nrrd-pynrrd/BallBinary30x30x30_bz2.nrrd", Refused("bzip2")),
    ("nrrd-pynrrd/BallBinary30x30x30_gz.nrrd", Image([30, 30, 30], 136.381_333_333_333_34)),
    ("nrrd-pynrrd/BallBinary30x30x30_gz_lineskip.nrrd", Image([30, 30, 30], 136.381_333_333_333_34)),
    ("nrrd-pynrrd/test1d_ascii.nrrd", Refused("ascii")),
    ("mask-mesh-pairs-meshmetrics/example_2d_pred_mesh.obj", Refused("no triangles")),
    ("mesh-trimesh/empty.stl", Refused("no triangles")),
    ("mesh-trimesh/emptyIO/stl_empty_bin.stl", Refused("no triangles")),
    ("mesh-trimesh/notenoughindices.obj", Refused("2 corners")),
    ("mesh-trimesh/polygonfaces.obj", Mesh(5, 3)),
    ("mesh-trimesh/round.stl", Mesh(560, 1120)),
    ("mesh-trimesh/two_objects_mixed_case_names.stl", Mesh(16, 24)),
    ("stl-numpystl/ascii/Moon_Chinese.stl", Mesh(60, 116)),
    ("stl-numpystl/binary/CubeInvalidUnicode.stl", Mesh(8, 12)),
    ("stl-numpystl/binary/StarWithEmptyHeader.stl", Mesh(36, 68)),
    ("stl-stl_io/bunny_99_ascii.stl", Mesh(54, 99)),
];

#[test]
fn every_file_has_its_verdict() {
    let Some(folder) = unpack("torture") else { return };
    let root = folder.path().join("torture");
    for (name, verdict) in FILES {
        let found = info::info(&root.join(name));
        match (verdict, found) {
            (Image(size, mean), Ok(value)) => {
                let read: Vec<u64> = value["size"].as_array().unwrap().iter().filter_map(|n| n.as_u64()).collect();
                assert_eq!(read, size.map(|n| n as u64), "{name}");
                assert!(
                    (value["mean"].as_f64().unwrap() - mean).abs() <= 1e-9 * mean.abs(),
                    "{name}: {}",
                    value["mean"]
                );
            }
            (Mesh(vertices, triangles), Ok(value)) => {
                assert_eq!(
                    (value["vertices"].as_u64(), value["triangles"].as_u64()),
                    (Some(*vertices), Some(*triangles)),
                    "{name}"
                );
            }
            (Refused(part), Err(fault)) => assert!(fault.what.contains(part), "{name}: {fault}"),
            (_, found) => panic!("{name}: {found:?}"),
        }
    }
    nine_encodings(&root.join("dicom-ts-9syntaxes"));
    repairs(&root);
}

/// One image in nine encodings: one digest. The two JPEG-LS files are refused by name.
fn nine_encodings(root: &Path) {
    let (mut digests, mut refused) = (Vec::new(), 0);
    for number in 1..=9 {
        let alone = tempfile::tempdir().unwrap();
        std::fs::copy(root.join(format!("{number}.dcm")), alone.path().join("a.dcm")).unwrap();
        match read(alone.path(), &ImageOptions::default()) {
            Ok(image) => {
                assert_eq!(image.volume.grid.size, [384, 384, 1]);
                let sum: f64 = image.volume.data.iter().map(|&v| f64::from(v)).sum();
                assert_eq!(sum, 38_036_663.0, "encoding {number}");
                digests.push(decoded_digest(alone.path(), None).unwrap());
            }
            Err(fault) => {
                assert!(fault.what.contains("JPEG-LS"), "{fault}");
                refused += 1;
            }
        }
    }
    assert_eq!((digests.len(), refused), (7, 2));
    assert!(digests.iter().all(|digest| digest == &digests[0]));
}

fn repairs(root: &Path) {
    let both = ImageOptions { tilt: Repair::Resample, gaps: Repair::Resample, ..ImageOptions::default() };
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
