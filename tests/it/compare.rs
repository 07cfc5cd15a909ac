//! `calvaria compare` on meshes whose distances are known: numbers, bounds, the coloured mesh, and refusals.

use std::fs;

use calvaria::{
    io::{
        image,
        mesh::{self, MeshOptions},
    },
    mesh::Mesh,
    space::{DVec3, Grid},
    volume::Volume,
};

use crate::door::Room;

/// A closed box of twelve triangles.
fn cuboid(low: f64, high: f64) -> Mesh {
    let corner = |i: u32| {
        let pick = |bit: u32| if i >> bit & 1 == 1 { high } else { low };
        DVec3::new(pick(0), pick(1), pick(2))
    };
    let quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    Mesh {
        vertices: (0..8).map(corner).collect(),
        triangles: quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect(),
    }
}

fn room() -> Room {
    let room = Room::new();
    mesh::write(&room.path("small.ply"), &cuboid(0.0, 40.0)).unwrap();
    mesh::write(&room.path("large.ply"), &cuboid(-0.7, 40.7)).unwrap();
    room
}

#[test]
fn a_box_within_a_box_has_its_distance_and_a_bound() {
    let room = room();
    let text = room.ok(&[
        "compare",
        "--pred",
        "small.ply",
        "--gold",
        "large.ply",
        "--defect",
        "20,20,40,5",
        "--deviation",
        "d.ply",
        "--json",
    ]);
    let row: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |key: &str| row[key].as_f64().unwrap_or_else(|| panic!("{key}: {row}"));
    for key in ["mad_pred_to_gold_mm", "median_pred_to_gold_mm", "max_pred_to_gold_mm", "defect_mad_pred_to_gold_mm"] {
        assert!((number(key) - 0.7).abs() < 1e-9, "{key} {}", number(key));
    }
    assert!((number("signed_pred_to_gold_mm") + 0.7).abs() < 1e-9);
    assert!(number("mad_bound_mm") <= 1e-3);
    assert_eq!(row["defect_from"], "ball");
    let bytes = fs::read(room.path("d.ply")).unwrap();
    let head = String::from_utf8_lossy(&bytes[..400]).into_owned();
    assert!(head.contains("colours from -2 (blue)") && head.contains("property float quality"), "{head}");
    let back = mesh::read(&room.path("d.ply"), &MeshOptions::default()).unwrap().mesh;
    assert_eq!(back, cuboid(0.0, 40.0), "the coloured mesh is the predicted one");
}

#[test]
fn an_open_defect_is_refused_with_a_remedy() {
    let room = room();
    let mut open = cuboid(10.0, 20.0);
    open.triangles.pop();
    mesh::write(&room.path("open.stl"), &open).unwrap();
    let command = ["compare", "--pred", "small.ply", "--gold", "large.ply", "--defect", "open.stl"];
    room.refuses(&command, 3, &["not a closed solid", "3 edges", "x,y,z,radius"]);
}

#[test]
fn a_deviation_needs_meshes_and_a_ply_name() {
    let room = room();
    let command = ["compare", "--pred", "small.ply", "--gold", "large.ply", "--deviation", "d.stl"];
    room.refuses(&command, 2, &["writes a .ply"]);
}

/// The surface of the first lies 0.7 mm inside that of the second; metal touches one corner, and only a plate is thin.
#[test]
fn metal_and_thin_bone_have_columns_of_their_own() {
    let room = room();
    let mut scan = Volume::filled(Grid::aligned([50, 50, 50], DVec3::ONE), 40_i16);
    let corner = scan.grid.index(2, 2, 2);
    scan.data[corner] = 3071;
    image::write_i16(&room.path("scan.nrrd"), &scan).unwrap();
    let command =
        ["compare", "--pred", "small.ply", "--gold", "large.ply", "--ct", "scan.nrrd", "--thin-mm", "2", "--json"];
    let row: serde_json::Value = serde_json::from_str(&room.ok(&command)).unwrap();
    let close = |key: &str| assert!((row[key].as_f64().unwrap() - 0.7).abs() < 1e-9, "{key}: {row}");
    ["metal_mad_pred_to_gold_mm", "elsewhere_mad_pred_to_gold_mm"].into_iter().for_each(close);
    assert_eq!((&row["metal_status"], &row["metal_near_mm"]), (&"ok".into(), &10.0.into()));
    assert_eq!(row["thin_bone_status"], "region_empty", "boxes of 40 mm are not thin");
    let mut plate = cuboid(0.0, 40.0);
    plate.vertices.iter_mut().for_each(|p| p.z = p.z.min(1.5));
    mesh::write(&room.path("plate.ply"), &plate).unwrap();
    let command = ["compare", "--pred", "plate.ply", "--gold", "plate.ply", "--thin-mm", "2", "--json"];
    let row: serde_json::Value = serde_json::from_str(&room.ok(&command)).unwrap();
    assert_eq!(row["thin_bone_status"], "ok");
    assert!(row["thin_bone_assd_mm"].as_f64().unwrap() < 1e-9, "{row}");
    assert!(row.get("metal_status").is_none(), "without a scan nothing is said of metal");
    room.refuses(
        &["compare", "--pred", "plate.ply", "--gold", "plate.ply", "--thin-mm", "0"],
        2,
        &["thin_mm", "positive"],
    );
}
