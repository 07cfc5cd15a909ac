//! Nothing that could name a patient leaves the input: canaries in tags and folder names are searched in every output.

use std::fs;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_object::open_file;

use crate::door::Room;

/// Text and identifier tags of a real header.
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
];
/// Value representations of text, cycled over private and unknown tags.
const TEXTS: [VR; 10] = [VR::PN, VR::LO, VR::SH, VR::LT, VR::ST, VR::UT, VR::CS, VR::AE, VR::UC, VR::UR];
const CANARY: &str = "CANARY";
const UID: &str = "1.2.840.99999.424242.7";
const DATE: &str = "19420213";
/// Canaries in one DICOM file.
const PLANTED: u16 = 200;

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
        for at in 0..PLANTED {
            let (tag, vr) = match TAGS.get(at as usize) {
                Some(&(group, element, vr)) => (Tag(group, element), vr),
                None => (Tag(0x0009 + 2 * (at % 20), 0x1000 + at), TEXTS[at as usize % TEXTS.len()]),
            };
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(format!("{CANARY}{at:03}"))));
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

/// What is looked for: raw, in both orders of UTF-16, and in the encodings that reports and addresses use.
fn planted_strings() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [CANARY, UID, DATE].iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push(CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect());
    all.push(CANARY.encode_utf16().flat_map(u16::to_be_bytes).collect());
    all.push(CANARY.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
    all.push(CANARY.bytes().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect());
    all.push(CANARY.bytes().flat_map(|byte| format!("%{byte:02X}").into_bytes()).collect());
    // Base64 of the word, begun at each of the three places in a group: what neighbours do not change.
    all.extend(["Q0FOQVJZ", "NBTkFSW", "DQU5BUl"].map(|text| text.as_bytes().to_vec()));
    all
}

fn holds(bytes: &[u8]) -> bool {
    planted_strings().iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
}

fn hits(room: &Room, but_not_in: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in room.contents() {
        let inside = path.strip_prefix(room.path("")).unwrap().to_string_lossy().into_owned();
        if but_not_in.iter().any(|start| inside.starts_with(start)) {
            continue;
        }
        if holds(inside.as_bytes()) || holds(&bytes) {
            found.push(inside.clone());
        }
    }
    found
}

/// Files with a canary in every place for text that the format has, under names that tell nothing.
fn talkative(room: &Room) -> Vec<String> {
    ["in", "out"].iter().for_each(|folder| fs::create_dir_all(room.path(folder)).unwrap());
    room.ok(&["convert", "CANARYFOLDER/CANARYSCAN", "in/a.nii"]);
    let mut nifti = fs::read(room.path("in/a.nii")).unwrap();
    for (at, length) in [(4, 10), (14, 18), (148, 80), (228, 24), (328, 16)] {
        nifti[at..at + length].iter_mut().zip(CANARY.bytes().cycle()).for_each(|(byte, text)| *byte = text);
    }
    // A header extension of 32 bytes, of the code for comments.
    nifti[108..112].copy_from_slice(&384_f32.to_le_bytes());
    nifti[348] = 1;
    let extension =
        [[32_u32.to_le_bytes(), 6_u32.to_le_bytes()].concat(), b"CANARY in an extension!!".to_vec()].concat();
    nifti.splice(352..352, extension);
    room.write("in/a.nii", nifti);
    let samples = [0, 1, 2, 3, 4, 5, 6, 7];
    let nrrd = "NRRD0005\n# CANARY\ntype: uchar\ndimension: 3\nspace: LPS\nsizes: 2 2 2\nencoding: raw\ncontent: CANARY\n\
                space directions: (1,0,0) (0,1,0) (0,0,1)\nunknown: CANARY\nname:=CANARY\n\n";
    room.write("in/a.nrrd", [nrrd.as_bytes(), &samples].concat());
    let meta = "ObjectType = Image\nComment = CANARY\nName = CANARY\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n\
                ElementDataFile = LOCAL\n";
    room.write("in/a.mha", [meta.as_bytes(), &samples].concat());
    let stl = fs::read(room.path("CANARYFOLDER/CANARYMESH.stl")).unwrap();
    room.write("in/a.stl", [format!("{:<80}", "CANARY exported").as_bytes(), &stl[80..]].concat());
    let ascii = "solid CANARY\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 9 0 0\nvertex 0 9 0\nendloop\nendfacet\n\
                 endsolid CANARY\n";
    room.write("in/b.stl", ascii);
    let ply = "ply\nformat ascii 1.0\ncomment CANARY\nobj_info CANARY\nelement vertex 3\nproperty float x\nproperty float y\n\
               property float z\nproperty float CANARY\nelement face 1\nproperty list uchar int vertex_index\nend_header\n\
               0 0 0 1\n9 0 0 1\n0 9 0 1\n3 0 1 2\n";
    room.write("in/a.ply", ply);
    room.write("in/a.obj", "# CANARY\nmtllib CANARY.mtl\no CANARY\nv 0 0 0\nv 9 0 0\nv 0 9 0\ng CANARY\nf 1 2 3\n");
    let vtk = "# vtk DataFile Version 3.0\nCANARY\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 9 0 0 0 9 0\nPOLYGONS 1 4\n\
               3 0 1 2\nPOINT_DATA 3\nSCALARS CANARY float\n";
    room.write("in/a.vtk", vtk);
    ["a.nii", "a.nrrd", "a.mha", "a.stl", "b.stl", "a.ply", "a.obj", "a.vtk"].map(str::to_owned).to_vec()
}

/// A file cut in many places, and with a canary where a number, a type or a keyword is expected.
fn broken(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (1..8).map(|part| bytes[..bytes.len() * part / 8].to_vec()).collect();
    let lines: Vec<&[u8]> = bytes[..bytes.len().min(600)].split(|&byte| byte == b'\n').collect();
    if lines.len() > 4 {
        let mut at = 0;
        for line in lines {
            if let Some(word) = line.iter().rposition(|byte| matches!(byte, b' ' | b':' | b'=')) {
                let (from, to) = (at + word + 1, at + line.len());
                all.push([&bytes[..from], CANARY.as_bytes(), &bytes[to..]].concat());
            }
            at += line.len() + 1;
        }
    }
    all
}

#[test]
fn text_of_a_file_is_in_no_message_and_no_output_however_broken_the_file() {
    let room = Room::new();
    plant(&room);
    let names = talkative(&room);
    let (mut taken, mut refused) = (0, 0);
    let mut see = |said: crate::door::Said, of: &str| {
        assert!(!holds(said.out.as_bytes()) && !holds(said.err.as_bytes()), "{of}: {}{}", said.out, said.err);
        assert!(matches!(said.code, Some(0 | 2 | 3)), "{of}: {:?} {}", said.code, said.err);
        if said.code == Some(0) { taken += 1 } else { refused += 1 }
    };
    for name in &names {
        let path = format!("in/{name}");
        let whole = fs::read(room.path(&path)).unwrap();
        assert!(holds(&whole), "{name} holds a canary");
        let mesh = ["stl", "ply", "obj", "vtk"].iter().any(|ending| name.ends_with(ending));
        let outputs: &[&str] = if mesh { &["stl", "ply", "obj", "glb"] } else { &["nii.gz", "nrrd", "mha"] };
        for ending in outputs {
            see(room.run(&["convert", &path, &format!("out/{name}.{ending}")]), name);
        }
        see(room.run(&["info", &path, "--json"]), name);
        for (number, bytes) in broken(&whole).into_iter().enumerate() {
            room.write(&path, bytes);
            see(room.run(&["info", &path]), &format!("{name} broken {number}"));
        }
        room.write(&path, &whole);
    }
    let slice = fs::read_dir(room.path("CANARYFOLDER/CANARYSCAN")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&slice).unwrap();
    for bytes in broken(&whole) {
        room.write("in/scan/a", bytes);
        see(room.run(&["info", "in/scan"]), "a DICOM file");
    }
    assert!(taken > 30 && refused > 40, "{taken} {refused}");
    assert!(room.path("out/a.nii.nrrd").exists() && room.path("out/a.vtk.glb").exists());
    let found = hits(&room, &["CANARYFOLDER", "in"]);
    assert!(found.is_empty(), "planted text came out in {found:?}");
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
