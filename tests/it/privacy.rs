//! Nothing that could name a patient leaves the input: canaries in tags and folder names are searched in every output.

use std::fs;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_object::open_file;

use crate::door::Room;

/// Text and identifier tags of a real header, and a private one.
const TAGS: &[(u16, u16, VR)] = &[
    (0x0010, 0x0010, VR::PN),
    (0x0010, 0x0020, VR::LO),
    (0x0010, 0x1000, VR::LO),
    (0x0010, 0x4000, VR::LT),
    (0x0008, 0x0080, VR::LO),
    (0x0008, 0x0090, VR::PN),
    (0x0008, 0x1030, VR::LO),
    (0x0008, 0x103E, VR::LO),
    (0x0008, 0x1010, VR::SH),
    (0x0018, 0x1030, VR::LO),
    (0x0020, 0x4000, VR::LT),
    (0x0032, 0x1060, VR::LO),
    (0x0009, 0x1001, VR::LO),
];
const CANARY: &str = "CANARY";
const UID: &str = "1.2.840.99999.424242.7";
const DATE: &str = "19420213";

fn plant(room: &Room) {
    room.ok(&[
        "phantom",
        "--case",
        "1",
        "--set",
        "size=[24,24,10]",
        "--set",
        "spacing_mm=[8,8,16]",
        "--set",
        "gold_mm=5",
        "-o",
        "clean",
    ]);
    let target = room.path("CANARYFOLDER/CANARYSCAN");
    fs::create_dir_all(&target).unwrap();
    for (number, entry) in fs::read_dir(room.path("clean/p01/ct")).unwrap().enumerate() {
        let mut object = open_file(entry.unwrap().path()).unwrap();
        for (at, &(group, element, vr)) in TAGS.iter().enumerate() {
            object.put(DataElement::new(Tag(group, element), vr, PrimitiveValue::from(format!("{CANARY}{at:02}"))));
        }
        for tag in [Tag(0x0020, 0x000D), Tag(0x0020, 0x0052)] {
            object.put(DataElement::new(tag, VR::UI, PrimitiveValue::from(UID)));
        }
        for tag in [Tag(0x0010, 0x0030), Tag(0x0008, 0x0020), Tag(0x0008, 0x0022)] {
            object.put(DataElement::new(tag, VR::DA, PrimitiveValue::from(DATE)));
        }
        object.write_to_file(target.join(format!("CANARYFILE{number}"))).unwrap();
    }
    fs::copy(room.path("clean/p01/gold.stl"), room.path("CANARYFOLDER/CANARYMESH.stl")).unwrap();
    fs::remove_dir_all(room.path("clean")).unwrap();
}

fn planted_strings() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [CANARY, UID, DATE].iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push(CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect());
    all
}

fn hits(room: &Room, but_not_in: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in room.contents() {
        let inside = path.strip_prefix(room.path("")).unwrap().to_string_lossy().into_owned();
        if but_not_in.iter().any(|start| inside.starts_with(start)) {
            continue;
        }
        for needle in planted_strings() {
            let name = inside.as_bytes().windows(needle.len()).any(|window| window == needle);
            if name || bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(inside.clone());
            }
        }
    }
    found
}

#[test]
fn no_name_uid_date_or_folder_of_the_input_is_in_any_output() {
    let room = Room::new();
    plant(&room);
    assert!(hits(&room, &[]).len() > 10, "the search finds what was planted");

    let written = room.ok(&["manifest", "scan", "CANARYFOLDER", "--id-prefix", "c"]);
    assert!(written.contains("c01") && !written.contains(UID) && !written.contains(DATE), "{written}");
    room.write(
        "mine.yaml",
        "manifest: 1\nroot: CANARYFOLDER\ncases:\n  c01:\n    split: test\n    ct: { path: CANARYSCAN }\n    gold: { path: CANARYMESH.stl }\n",
    );
    room.write(
        "p.yaml",
        "calvaria: 1\nname: p\nseed: 1\nmanifest: mine.yaml\nstages:
  align:
    uses: align
    foreach: cases
    with: { ct: case.ct, mesh: case.gold }
    params: { accept: { median_mm: 9.0, inlier_share: 0.01 } }
  refused:
    uses: align
    foreach: cases
    with: { ct: case.ct, mesh: case.gold }
    params: { accept: { median_mm: 1.0e-9 } }
  bone:
    uses: threshold
    foreach: cases
    with: { ct: case.ct }
  surface:
    uses: surface
    foreach: cases
    with: { volume: bone.label }
  compare:
    uses: compare
    foreach: cases
    with: { pred_mesh: surface.mesh, gold_mesh: align.mesh }
  table1:
    uses: table
    with: { rows: { collect: compare.row } }
    publish: table1
",
    );
    let said = room.run(&["run", "p.yaml"]);
    assert_eq!(said.code, Some(3), "one stage is refused on purpose: {}", said.err);
    for format in ["nii.gz", "nrrd"] {
        room.ok(&["convert", "CANARYFOLDER/CANARYSCAN", &format!("copy.{format}")]);
    }
    room.ok(&["convert", "CANARYFOLDER/CANARYMESH.stl", "copy.ply"]);

    // A slice that breaks off: the error is shown, and what is kept of it names nothing.
    let slice = fs::read_dir(room.path("CANARYFOLDER/CANARYSCAN")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&slice).unwrap();
    fs::write(&slice, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(room.run(&["run", "p.yaml"]).code, Some(3));

    assert!(room.path(".calvaria/runs").exists() && room.path("copy.nrrd").exists());
    let found = hits(&room, &["CANARYFOLDER", "mine.yaml"]);
    assert!(found.is_empty(), "planted text came out in {found:?}");
}
