//! `calvaria surface` from a file to a file: closed after a round trip through STL, the same for any number of threads,
//! and every option says what it did.

use std::fs;

use calvaria::numeric::Seed;
use serde_json::Value;

use crate::door::Room;

/// Writes an NRRD of 32-bit numbers with 0.5 x 0.5 x 1 mm voxels, its x axis mirrored.
fn nrrd(room: &Room, name: &str, size: [usize; 3], value: impl FnMut([usize; 3]) -> f32) {
    let [nx, ny, nz] = size;
    let head = format!(
        "NRRD0004\ntype: float\ndimension: 3\nspace: left-posterior-superior\nsizes: {nx} {ny} {nz}\n\
         space directions: (-0.5,0,0) (0,0.5,0) (0,0,1)\nkinds: domain domain domain\nendian: little\nencoding: raw\n\
         space origin: (60,-30.5,900)\n\n"
    );
    let points = (0..nx * ny * nz).map(|i| [i % nx, i / nx % ny, i / (nx * ny)]);
    let data = points.map(value).flat_map(f32::to_le_bytes);
    room.write(name, head.into_bytes().into_iter().chain(data).collect::<Vec<u8>>());
}

/// A hollow ball, a speck of 2 voxels far from it, and a ramp at its edge.
fn head(room: &Room) {
    nrrd(room, "head.nrrd", [40, 40, 24], |[x, y, z]| {
        let p = [(x as f32 - 18.0) * 0.5, (y as f32 - 18.0) * 0.5, z as f32 - 11.0];
        let r = p.iter().map(|v| v * v).sum::<f32>().sqrt();
        let ball = (0.5 + (8.0 - r)).clamp(0.0, 1.0) - (0.5 + (3.0 - r)).clamp(0.0, 1.0);
        if [x, y] == [38, 38] && (4..6).contains(&z) { 1.0 } else { ball }
    });
}

fn is_sound(report: &Value) -> bool {
    ["closed", "oriented", "manifold"].iter().all(|key| report[key] == true)
}

#[test]
fn noise_and_saddles_are_closed_after_a_round_trip_through_stl() {
    let room = Room::new();
    for index in 0..4 {
        let mut stream = Seed([8; 32]).stream("surface files", index);
        nrrd(&room, "noise.nrrd", [17, 12, 9], |[x, y, z]| match index {
            0 => stream.normal() as f32,
            1 => stream.below(3) as f32 - 1.0,
            2 => f32::from(u8::from((x + y + z) % 2 == 0)) - 0.5,
            _ => f32::from(u8::from(stream.unit() < 0.5)) * f32::MAX - 1e-40,
        });
        let cut = room.json(&["surface", "--volume", "noise.nrrd", "--iso", "0", "-o", "noise.stl", "--json"]);
        let read = room.json(&["mesh", "check", "noise.stl", "--json"]);
        assert!(is_sound(&cut) && is_sound(&read), "{index}: {cut} {read}");
        for key in ["vertices", "triangles", "components", "euler"] {
            assert_eq!(cut[key], read[key], "{index}: {key}");
        }
        assert!(read["volume_mm3"].as_f64().unwrap() > 0.0, "outwards on a mirrored grid");
    }
}

#[test]
fn pieces_smoothing_and_decimation_report_what_they_did() {
    let room = Room::new();
    head(&room);
    let surface = |more: &[&str], mesh: &str| {
        let report = room.json(&[&["surface", "--volume", "head.nrrd", "-o", mesh, "--json"], more].concat());
        assert!(is_sound(&report) || more.contains(&"--open"), "{more:?}: {report}");
        report
    };
    let change = |report: &Value, name: &str| report["changes"][0]["numbers"][name].as_f64().unwrap();

    let plain = surface(&[], "plain.ply");
    assert_eq!((plain["components"].as_u64(), plain["euler"].as_i64()), (Some(3), Some(6)), "ball, cavity, speck");
    assert_eq!(plain["changes"].as_array().map(Vec::len), Some(0));
    let volume_mm3 = plain["volume_mm3"].as_f64().unwrap();

    for (option, value) in [("--keep", "largest"), ("--min-voxels", "3"), ("--min-mm3", "0.6")] {
        let kept = surface(&[option, value], "kept.stl");
        assert_eq!(kept["components"], 2, "{option}: the cavity belongs to the piece");
        assert_eq!((change(&kept, "found"), change(&kept, "dropped_voxels")), (2.0, 2.0), "{option}");
    }
    let shells = surface(&["--min-triangles", "100"], "shells.obj");
    assert_eq!((shells["components"].as_u64(), change(&shells, "kept")), (Some(2), 2.0));

    for method in ["taubin:10", "sinc:20"] {
        let smooth = surface(&["--keep", "largest", "--smooth", method], "smooth.ply");
        let numbers = &smooth["changes"][1]["numbers"];
        let share = numbers["volume_after_mm3"].as_f64().unwrap() / numbers["volume_before_mm3"].as_f64().unwrap();
        assert!((share - 1.0).abs() < 0.02 && numbers["max_displacement_mm"].as_f64().unwrap() > 0.0, "{smooth}");
    }

    let small = surface(&["--decimate", "1000"], "small.glb");
    assert!(small["triangles"].as_u64().unwrap() <= 1000 && small["components"] == 3);
    assert!((small["volume_mm3"].as_f64().unwrap() / volume_mm3 - 1.0).abs() < 0.02, "{small}");
    assert_eq!(&fs::read(room.path("small.glb")).unwrap()[..4], b"glTF");
    let close = surface(&["--decimate", "0.05mm"], "close.ply");
    assert!(
        change(&close, "max_old_to_new_mm") <= 0.05 + 1e-9 && close["triangles"].as_u64() < plain["triangles"].as_u64()
    );

    let open = surface(&["--open"], "open.ply");
    assert_eq!(open["closed"], true, "nothing reaches the border");
    room.refuses(&["surface", "--volume", "head.nrrd", "-o", "x.ply", "--smooth", "much"], 2, &["taubin:N"]);
    room.refuses(&["surface", "--volume", "head.nrrd", "-o", "x.ply", "--decimate", "1cm"], 2, &["0.1mm"]);
    room.refuses(&["surface", "--volume", "head.nrrd", "-o", "x.ply", "--open", "--cap"], 2, &["--cap"]);
}

#[test]
fn one_label_of_several_has_its_own_surface() {
    let room = Room::new();
    nrrd(&room, "labels.nrrd", [12, 6, 6], |[x, y, z]| {
        let core = (2..4).contains(&y) && (2..4).contains(&z);
        if core && (2..10).contains(&x) { 1.0 + (x / 5) as f32 } else { 0.0 }
    });
    let two = room.json(&["surface", "--volume", "labels.nrrd", "--label", "2", "-o", "two.ply", "--json"]);
    // 5 x 2 x 2 voxels of 0.25 mm³: a box of (n - 1) steps grown by an octahedron
    let voxels = 4.0 + (4.0 + 1.0 + 4.0) + (4.0 + 1.0 + 1.0) / 2.0 + 1.0 / 6.0;
    assert!((two["volume_mm3"].as_f64().unwrap() - 0.25 * voxels).abs() < 1e-9, "{two}");
    assert!(is_sound(&two));
}

#[test]
fn the_bytes_are_the_same_for_any_number_of_threads() {
    let room = Room::new();
    head(&room);
    let bytes = |threads: &str, more: &[&str]| {
        room.ok(&[&["-j", threads, "surface", "--volume", "head.nrrd", "-o", "t.ply"], more].concat());
        fs::read(room.path("t.ply")).unwrap()
    };
    for more in [&[][..], &["--keep", "largest", "--smooth", "sinc:20", "--decimate", "0.1mm"]] {
        let one = bytes("1", more);
        assert!(one.len() > 1000 && one == bytes("2", more) && one == bytes("7", more));
    }
}
