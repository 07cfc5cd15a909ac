//! Wrong commands and broken files: one clear message, the right exit code, nothing written.

use std::fs;

use crate::door::Room;

const TINY: &str = "size=[24,24,10]";

fn head(room: &Room) {
    room.ok(&[
        "phantom",
        "--case",
        "1",
        "--set",
        TINY,
        "--set",
        "spacing_mm=[8,8,16]",
        "--set",
        "gold_mm=5",
        "-o",
        "heads",
    ]);
}

#[test]
fn a_missing_scan_is_the_commands_fault() {
    let room = Room::new();
    head(&room);
    room.refuses(
        &["voxelize", "--mesh", "heads/p01/gold.stl", "--like", "nowhere", "-o", "label.nrrd"],
        2,
        &["no such file or folder", "nowhere"],
    );
    room.refuses(&["run", "nowhere.yaml"], 2, &["nowhere.yaml"]);
    room.refuses(&["info", "nowhere"], 2, &["nowhere"]);
}

#[test]
fn a_truncated_dicom_file_is_named() {
    let room = Room::new();
    head(&room);
    let slice = fs::read_dir(room.path("heads/p01/ct")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&slice).unwrap();
    fs::write(&slice, &whole[..whole.len() - 100]).unwrap();
    let name = slice.file_name().unwrap().to_str().unwrap();
    room.refuses(&["convert", "heads/p01/ct", "ct.nrrd"], 3, &[name]);
}

#[test]
fn a_mesh_with_a_vertex_that_is_no_number_is_refused() {
    let room = Room::new();
    head(&room);
    let path = room.path("heads/p01/gold.stl");
    let mut bytes = fs::read(&path).unwrap();
    let vertex_of_triangle_7 = 84 + 50 * 7 + 12;
    bytes[vertex_of_triangle_7..vertex_of_triangle_7 + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    room.refuses(
        &["align", "--ct", "heads/p01/ct", "--mesh", "heads/p01/gold.stl", "-o", "aligned.ply"],
        3,
        &["gold.stl", "7"],
    );
}

const PIPELINE: &str = "calvaria: 1
name: small
seed: 1
manifest: cases.yaml
stages:
  phantom:
    uses: phantom
    foreach: cases
    params: { size: [24, 24, 10] }
  train:
    uses: train
    with:
      ct: { collect: phantom.ct, over: train }
      label: { collect: phantom.label, over: train }
    params: { depth: 3, epochs: 1 }
";

#[test]
fn a_typo_in_a_pipeline_is_shown_with_line_column_and_the_meant_word() {
    let room = Room::new();
    room.write("cases.yaml", "manifest: 1\ncases:\n  a: { split: train }\n");
    room.write("p.yaml", PIPELINE.replace("epochs", "epoch"));
    room.refuses(&["run", "p.yaml"], 2, &["p.yaml:15:", "epochs", "^"]);
    room.write("p.yaml", PIPELINE.replace("uses: train", "uses: trian"));
    room.refuses(&["plan", "p.yaml"], 2, &["p.yaml:11:", "train", "^"]);
    room.write("p.yaml", PIPELINE.replace("phantom.label", "phantom.labels"));
    room.refuses(&["run", "p.yaml"], 2, &["p.yaml:14:", "label", "^"]);
}

#[test]
fn two_cases_with_one_id_are_shown_with_their_line() {
    let room = Room::new();
    room.write(
        "cases.yaml",
        "manifest: 1\ncases:\n  a: { split: train }\n  b: { split: train }\n  a: { split: test }\n",
    );
    room.write("p.yaml", PIPELINE);
    room.refuses(&["run", "p.yaml"], 2, &["cases.yaml:5:", "a"]);
    room.refuses(&["manifest", "check", "cases.yaml"], 2, &["cases.yaml:5:"]);
}

#[test]
fn one_scan_in_train_and_test_is_found_also_when_renamed_and_recompressed() {
    let room = Room::new();
    head(&room);
    room.ok(&["convert", "heads/p01/ct", "heads/other.nii.gz"]);
    room.write(
        "cases.yaml",
        "manifest: 1\nroot: heads\ncases:\n  a:\n    split: train\n    ct: { path: p01/ct }\n  b:\n    split: test\n    ct: { path: other.nii.gz }\n",
    );
    room.refuses(&["manifest", "check", "cases.yaml"], 2, &["a", "b"]);
    let pipeline = "calvaria: 1\nname: small\nseed: 1\nmanifest: cases.yaml\nstages:\n  bone:\n    uses: threshold\n    foreach: cases\n    with: { ct: case.ct }\n";
    room.write("p.yaml", pipeline);
    room.refuses(&["run", "p.yaml"], 2, &["a", "b"]);
}

#[test]
fn a_model_that_fits_nowhere_is_refused_with_the_numbers() {
    let room = Room::new();
    head(&room);
    // A tetrahedron is no skull.
    let corners = [[0.0, 0.0, 0.0], [90.0, 0.0, 0.0], [0.0, 90.0, 0.0], [0.0, 0.0, 90.0]];
    let faces = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]];
    let mut obj = String::new();
    for [x, y, z] in corners {
        obj.push_str(&format!("v {x} {y} {z}\n"));
    }
    for [a, b, c] in faces {
        obj.push_str(&format!("f {} {} {}\n", a + 1, b + 1, c + 1));
    }
    room.write("tetrahedron.obj", obj);
    room.refuses(
        &["align", "--ct", "heads/p01/ct", "--mesh", "tetrahedron.obj", "-o", "out.ply", "--transform", "t.json"],
        3,
        &["does not fit", "mm", "%"],
    );
}

#[test]
fn nonsense_is_refused_by_name() {
    let room = Room::new();
    room.write("photo.jpg", [0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1]);
    room.refuses(&["info", "photo.jpg"], 3, &["photo.jpg"]);
    room.write("model.safetensors", b"not a model");
    head(&room);
    room.refuses(
        &["infer", "--model", "model.safetensors", "--ct", "heads/p01/ct", "-o", "label.nrrd"],
        3,
        &["model.safetensors"],
    );
    room.refuses(&["compare", "--pred", "heads/p01/gold.stl", "--json"], 2, &["nothing to compare"]);
}
