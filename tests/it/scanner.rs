//! Real scanner data: a plastic skull on a clinical CT, once upright and once with tilted gantry.

use std::{fs, path::Path, process::Command};

use calvaria::{
    io::mesh::{self, MeshOptions},
    space::Rigid,
};
use serde_json::Value;

use crate::door::Room;

/// Unpacks an archive of the test data, or says why not.
fn unpack(archive: &Path, with: &str, into: &Path) -> bool {
    fs::create_dir_all(into).unwrap();
    let script = format!("{with} -dc '{}' | tar x -C '{}'", archive.display(), into.display());
    Command::new("sh").args(["-c", &script]).status().is_ok_and(|status| status.success())
}

fn rigid(path: &Path) -> Rigid {
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    Rigid::from_rows(serde_json::from_value(file["matrix"].clone()).unwrap()).unwrap()
}

/// The model is cut from the 1 mm scan and moved by a known motion; the aligner has to undo it on that scan, and to fit
/// the model to the tilted scan, where a mirrored skull would give a median of 1.3 mm and a 95th percentile of 5 mm.
#[test]
fn a_real_skull_is_brought_back_to_its_scan_and_onto_the_tilted_one() {
    let Some(data) = std::env::var_os("CALVARIA_TEST_DATA") else {
        println!("skipped: CALVARIA_TEST_DATA is not set");
        return;
    };
    let packs = Path::new(&data).join("packs");
    let room = Room::new();
    let scans = room.path("scans");
    if !unpack(&packs.join("ct-philips-phantom-1mm-bone.tar.xz"), "xz", &scans)
        || !unpack(&packs.join("ct-philips-phantom-tilt-18.5.tar.zst"), "zstd", &scans)
    {
        println!("skipped: xz, zstd or tar is missing");
        return;
    }
    let (upright, tilted) = ("scans/ct-philips-phantom-1mm-bone", "scans/ct-philips-phantom-tilt-18.5");
    room.ok(&["threshold", "--ct", upright, "--hu", "-150", "-o", "bone.nrrd"]);
    room.ok(&["surface", "--volume", "bone.nrrd", "--keep", "largest", "-o", "gold.ply"]);
    let gold = mesh::read(&room.path("gold.ply"), &MeshOptions::default()).unwrap().mesh;
    let (low, high) = gold.bounds_mm().unwrap();
    let truth = Rigid::about(
        (low + high) / 2.0,
        calvaria::space::DVec3::new(25.0, -40.0, 70.0) * std::f64::consts::PI / 180.0,
        calvaria::space::DVec3::new(30.0, -55.0, 120.0),
    );
    mesh::write(&room.path("moved.ply"), &gold.moved(&truth)).unwrap();

    room.ok(&[
        "align",
        "--ct",
        upright,
        "--mesh",
        "moved.ply",
        "--set",
        "bone_hu=-150",
        "-o",
        "back.ply",
        "--transform",
        "t1.json",
    ]);
    let error = rigid(&room.path("t1.json")).after(&truth);
    let squares: Vec<f64> = gold.vertices.iter().map(|&p| error.apply(p).distance_squared(p)).collect();
    let rms_mm = (calvaria::numeric::tree_sum(&squares) / squares.len() as f64).sqrt();
    println!("own scan: RMS {rms_mm:.4} mm from the known motion");
    assert!(rms_mm <= 0.1, "the mesh came back {rms_mm} mm RMS off");

    room.refuses(&["convert", tilted, "tilted.nrrd"], 3, &["18.5", "tilt"]);
    let found = room.json(&[
        "align",
        "--ct",
        tilted,
        "--tilt",
        "resample",
        "--mesh",
        "moved.ply",
        "--set",
        "bone_hu=-150",
        "-o",
        "on.ply",
        "--transform",
        "t2.json",
        "--json",
    ]);
    let (median_mm, p95_mm) =
        (found["median_residual_mm"].as_f64().unwrap(), found["p95_residual_mm"].as_f64().unwrap());
    println!("tilted scan: median {median_mm:.3} mm, p95 {p95_mm:.3} mm");
    assert!(median_mm <= 0.5 && p95_mm <= 1.5, "{found}");
}
