//! `calvaria align` on plain files: its outputs, its starts, and what it says and draws when it refuses.

use std::fs;

use calvaria::{
    geometry::align::itk,
    io::mesh::{self, MeshOptions},
    space::{DVec3, Rigid},
};
use serde_json::Value;

use crate::door::Room;

fn head(room: &Room) {
    room.ok(&["phantom", "--case", "3", "--set", "size=[64,64,24]", "--set", "spacing_mm=[3,3,7]", "-o", "heads"]);
}

const ON: [&str; 5] = ["align", "--ct", "heads/p03/ct", "--mesh", "heads/p03/gold.stl"];

fn with<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&ON[..], rest].concat()
}

fn rigid(rows: &Value) -> Rigid {
    Rigid::from_rows(serde_json::from_value(rows.clone()).unwrap()).unwrap()
}

fn apart_mm(one: &Rigid, other: &Rigid) -> f64 {
    let corners = [DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::Z].map(|p| p * 100.0);
    corners.iter().map(|&p| one.apply(p).distance(other.apply(p))).fold(0.0, f64::max)
}

#[test]
fn the_transform_is_written_for_slicer_and_serves_as_a_start() {
    let room = Room::new();
    head(&room);
    let found = room.json(&with(&[
        "-o",
        "on.ply",
        "--transform",
        "t.json",
        "--itk",
        "t.tfm",
        "--picture",
        "seen.png",
        "--json",
    ]));
    assert_eq!(found["accepted"], true);
    let truth: Value = serde_json::from_slice(&fs::read(room.path("heads/p03/truth.json")).unwrap()).unwrap();
    let motion = rigid(&found["matrix"]);
    let off_mm = apart_mm(&motion, &rigid(&truth["ct_from_gold"]));
    assert!(off_mm < 2.0, "{off_mm} mm from the truth, at points outside the head");
    assert!(found["quality"]["weakest"]["slide_mm"].as_f64().unwrap() > 0.0, "{found}");

    // ITK's text holds the way from the scan to the mesh.
    let text = fs::read_to_string(room.path("t.tfm")).unwrap();
    assert!(apart_mm(&itk::from_text(&text).unwrap(), &motion) < 1e-9);
    let moved = mesh::read(&room.path("on.ply"), &MeshOptions::default()).unwrap().mesh;
    let gold = mesh::read(&room.path("heads/p03/gold.stl"), &MeshOptions::default()).unwrap().mesh;
    assert!(moved.vertices[7].distance(motion.apply(gold.vertices[7])) < 1e-9);
    assert!(fs::read(room.path("seen.png")).unwrap().starts_with(b"\x89PNG"));

    let kept = room.json(&with(&["--init", "t.tfm", "--verify", "-o", "kept.ply", "--json"]));
    assert!(apart_mm(&rigid(&kept["matrix"]), &motion) < 1e-9, "verified, not refined");
    let again = room.json(&with(&["--init", "t.json", "-o", "again.ply", "--json"]));
    assert!(apart_mm(&rigid(&again["matrix"]), &motion) < 0.5, "{again}");

    let marked = [[0.0, -60.0, 10.0], [50.0, 10.0, 0.0], [-45.0, 20.0, -5.0]].map(|offset| {
        let p = gold.vertices[7] + DVec3::from_array(offset);
        let to = motion.apply(p) + DVec3::new(1.0, -2.0, 1.5);
        format!("{}, {}, {}, {}, {}, {}\n", p.x, p.y, p.z, to.x, to.y, to.z)
    });
    room.write("pairs.txt", marked.concat());
    let near = room.json(&with(&["--landmarks", "pairs.txt", "-o", "near.ply", "--json"]));
    assert!(apart_mm(&rigid(&near["matrix"]), &motion) < 0.5, "{near}");
}

#[test]
fn a_refused_mesh_leaves_a_picture_where_it_was_asked_for() {
    let room = Room::new();
    head(&room);
    let mut gold = mesh::read(&room.path("heads/p03/gold.stl"), &MeshOptions::default()).unwrap().mesh;
    gold.vertices.iter_mut().for_each(|p| p.x = -p.x);
    gold.triangles.iter_mut().for_each(|t| t.swap(0, 1));
    mesh::write(&room.path("mirrored.ply"), &gold).unwrap();
    let mirrored = ["align", "--ct", "heads/p03/ct", "--mesh", "mirrored.ply", "-o", "out.ply"];
    room.refuses(&mirrored, 3, &["does not fit", "mirror image", "mirrored: one axis", "--picture FILE"]);
    let said = room.run(&[&mirrored[..], &["--picture", "why.png"]].concat());
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("where it came to lie: why.png"), "{}", said.err);
    assert!(fs::read(room.path("why.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(!room.path("out.ply").exists());

    gold.vertices.iter_mut().for_each(|p| *p *= 1e-3);
    mesh::write(&room.path("metres.ply"), &gold).unwrap();
    room.refuses(
        &["align", "--ct", "heads/p03/ct", "--mesh", "metres.ply", "-o", "out.ply"],
        3,
        &["does not fit", "looks like metres"],
    );
    room.refuses(&with(&["--verify", "-o", "out.ply"]), 2, &["only a given start"]);
}
