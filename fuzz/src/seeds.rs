//! Seeds: small good files of every dress, made here, so that no file of anybody is needed.

use std::path::Path;

use calvaria::{
    io::{
        dicom::{SeriesHeader, write_series},
        image, mesh,
    },
    mesh::Mesh,
    model::{Architecture, Model, border::Border, dilations::Preset, normalise::Normalisation},
    pipeline::{key::StageKey, record::Record},
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

/// Returns the seeds of a parser.
pub fn of(name: &str) -> Vec<Vec<u8>> {
    let text = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    match name {
        "dicom" => dicom(),
        "nifti" => [written("a.nii"), written("a.nii.gz")].into_iter().chain([second_version()]).collect(),
        "nrrd" => [vec![written("a.nrrd"), nrrd_bzip2()], text(&[NRRD_ASCII, NRRD_DETACHED, NRRD_LIST, NRRD_PATTERN])]
            .concat(),
        "metaimage" => [vec![written("a.mha")], text(&[META, META_ASCII, META_LIST, META_PATTERN])].concat(),
        "stl" => [vec![written("a.stl")], text(&[STL])].concat(),
        "ply" => [vec![written("a.ply")], text(&[PLY])].concat(),
        "obj" => text(&[OBJ]),
        "vtk" => [text(&[VTK]), vec![vtk_binary()]].concat(),
        "manifest" => text(&[MANIFEST]),
        "pipeline" => text(&[PIPELINE]),
        "lock" => text(&[LOCK]),
        "record" => vec![record()],
        _ => vec![model()],
    }
}

fn grid() -> Grid {
    let turn = DMat3::from_cols(DVec3::new(0.6, 0.8, 0.0), DVec3::new(-0.8, 0.6, 0.0), DVec3::Z);
    Grid::new([5, 4, 3], DVec3::new(-10.5, 20.0, 30.25), DVec3::new(0.5, 0.75, 2.0), turn).expect("a grid")
}

fn written(name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    if mesh::is_mesh_name(&path) {
        let vertices = vec![DVec3::ZERO, DVec3::X, DVec3::Y, DVec3::Z];
        let mesh = Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]] };
        mesh::write(&path, &mesh).expect("a mesh");
    } else {
        let volume = Volume::new(grid(), (0..60).map(|v| v * 40 - 1000).collect()).expect("a volume");
        image::write_i16(&path, &volume).expect("an image");
    }
    std::fs::read(&path).expect("what was written")
}

/// Eight bytes under bzip2.
fn nrrd_bzip2() -> Vec<u8> {
    const STREAM: [u8; 46] = [
        0x42, 0x5A, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0x6B, 0xCE, 0xB4, 0x40, 0, 0, 0, 0x40, 0, 0xBF,
        0x80, 0, 0x10, 0x20, 0, 0x31, 0x0C, 8, 0x19, 0x1A, 0x69, 0x93, 0x35, 0x73, 0xF9, 0x45, 0xDC, 0x91, 0x4E, 0x14,
        0x24, 0x1A, 0xF3, 0xAD, 0x10, 0,
    ];
    let head = "NRRD0005\ntype: uchar\ndimension: 3\nspace: LPS\nsizes: 2 2 2\nspacings: 1 1 2\nencoding: bzip2\n\n";
    [head.as_bytes(), &STREAM].concat()
}

/// The same image as NIfTI-2, big-endian.
fn second_version() -> Vec<u8> {
    let mut bytes = vec![0; 544];
    let mut put = |at: usize, word: &[u8]| bytes[at..at + word.len()].copy_from_slice(word);
    put(0, &540_i32.to_be_bytes());
    put(4, b"n+2\0\r\n\x1a\n");
    put(12, &4_i16.to_be_bytes());
    put(14, &16_i16.to_be_bytes());
    [3_i64, 2, 2, 2, 1, 1, 1, 1].iter().enumerate().for_each(|(i, n)| put(16 + 8 * i, &n.to_be_bytes()));
    [1.0_f64, 0.5, 0.5, 2.0].iter().enumerate().for_each(|(i, n)| put(104 + 8 * i, &n.to_be_bytes()));
    put(168, &544_i64.to_be_bytes());
    put(176, &1.0_f64.to_be_bytes());
    put(348, &1_i32.to_be_bytes());
    [0.5, 0.0, 0.0, 1.0, 0.0, 0.5, 0.2, 2.0, 0.0, 0.0, 2.0, 3.0_f64]
        .iter()
        .enumerate()
        .for_each(|(i, n)| put(400 + 8 * i, &n.to_be_bytes()));
    (0..8_i16).for_each(|v| bytes.extend_from_slice(&v.to_be_bytes()));
    bytes
}

/// A slice as it is written; the same compressed as JPEG-LS; an enhanced file of two frames in implicit syntax.
fn dicom() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let volume = Volume::new(Grid::aligned([5, 4, 1], DVec3::ONE), vec![7; 20]).expect("a volume");
    write_series(folder.path(), &volume, &SeriesHeader::default()).expect("a series");
    let slice = std::fs::read(folder.path().join("slice-0001.dcm")).expect("a slice");
    vec![slice, jpeg_ls(), enhanced()]
}

fn explicit(tag: [u16; 2], vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut out = [tag[0].to_le_bytes(), tag[1].to_le_bytes()].concat();
    out.extend_from_slice(vr);
    if matches!(vr, b"OB" | b"OW" | b"SQ") {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    out.extend_from_slice(value);
    out
}

fn jpeg_ls() -> Vec<u8> {
    // The example of ITU-T T.87, H.3: four by four samples of 8 bits.
    const STREAM: [u8; 58] = [
        0xFF, 0xD8, 0xFF, 0xF7, 0, 0x0B, 8, 0, 4, 0, 4, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0, 0xC0, 0, 0,
        0x6C, 0x80, 0x20, 0x8E, 1, 0xC0, 0, 0, 0x57, 0x40, 0, 0, 0x6E, 0xE6, 0, 0, 1, 0xBC, 0x18, 0, 0, 5, 0xD8, 0, 0,
        0x91, 0x60, 0xFF, 0xD9, 0,
    ];
    let word = |element: u16, value: u16| explicit([0x28, element], b"US", &value.to_le_bytes());
    let mut out = [vec![0; 128], b"DICM".to_vec(), explicit([2, 0x10], b"UI", b"1.2.840.10008.1.2.4.80")].concat();
    out.extend(explicit([8, 0x60], b"CS", b"CT"));
    out.extend(explicit([0x20, 0x32], b"DS", b"0\\0\\0 "));
    out.extend(explicit([0x20, 0x37], b"DS", b"1\\0\\0\\0\\1\\0 "));
    out.extend([word(2, 1), word(0x10, 4), word(0x11, 4)].concat());
    out.extend(explicit([0x28, 0x30], b"DS", b"1\\1 "));
    out.extend([word(0x100, 8), word(0x101, 8), word(0x102, 7), word(0x103, 0)].concat());
    out.extend_from_slice(&[0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    out.extend_from_slice(&[0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0, 0xE0, STREAM.len() as u8, 0, 0, 0]);
    out.extend_from_slice(&STREAM);
    out.extend_from_slice(&[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    out
}

fn enhanced() -> Vec<u8> {
    let element = |tag: [u16; 2], value: &[u8]| {
        let length = (value.len() as u32).to_le_bytes();
        [&tag[0].to_le_bytes(), &tag[1].to_le_bytes(), length.as_slice(), value].concat()
    };
    let item = |value: &[u8]| element([0xFFFE, 0xE000], value);
    let word = |at: u16, value: u16| element([0x28, at], &value.to_le_bytes());
    let frame = |z: &[u8]| {
        let position = element([0x20, 0x9113], &item(&element([0x20, 0x32], &[b"0\\0\\", z].concat())));
        let rescale = [element([0x28, 0x1052], b"-5"), element([0x28, 0x1053], b"2 ")].concat();
        item(&[position, element([0x28, 0x9145], &item(&rescale))].concat())
    };
    let turn = element([0x20, 0x9116], &item(&element([0x20, 0x37], b"1\\0\\0\\0\\1\\0 ")));
    let measures = element([0x28, 0x9110], &item(&element([0x28, 0x30], b"1\\1 ")));
    let mut out = [vec![0; 128], b"DICM".to_vec(), explicit([2, 0x10], b"UI", b"1.2.840.10008.1.2\0")].concat();
    out.extend(element([8, 0x60], b"CT"));
    out.extend([word(2, 1), element([0x28, 8], b"2 "), word(0x10, 2), word(0x11, 2)].concat());
    out.extend([word(0x100, 16), word(0x101, 12), word(0x102, 11), word(0x103, 0), word(0x120, 0)].concat());
    out.extend(element([0x5200, 0x9229], &item(&[turn, measures].concat())));
    out.extend(element([0x5200, 0x9230], &[frame(b"1 "), frame(b"0 ")].concat()));
    out.extend(element([0x7FE0, 0x10], &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0]));
    out
}

fn vtk_binary() -> Vec<u8> {
    let mut out = b"# vtk DataFile Version 5.1\nvtk output\nBINARY\nDATASET POLYDATA\nPOINTS 3 float\n".to_vec();
    [0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0, 0.0_f32].iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
    out.extend_from_slice(b"\nPOLYGONS 2 3\nOFFSETS vtktypeint64\n");
    [0_i64, 3].iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
    out.extend_from_slice(b"\nCONNECTIVITY vtktypeint64\n");
    [0_i64, 1, 2].iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
    out
}

fn record() -> Vec<u8> {
    let document = serde_json::json!({ "op": "surface", "version": 1, "params": { "level": 0.5 }, "inputs": {} });
    let key = StageKey::of(&document).expect("a key");
    Record::new(key, document, "surface@p01", "surface").encode().expect("a record").into_bytes()
}

fn model() -> Vec<u8> {
    let architecture = Architecture {
        preset: Preset::Public,
        depth: 2,
        width: 1,
        input_channels: 1,
        classes: 2,
        border: Border::default(),
    };
    let normalisation = Normalisation { clamp_hu: [-1000.0, 2000.0], mean_hu: 1.0, std_hu: 500.0 };
    let parameters = vec![0.125; architecture.parameter_count()];
    Model { architecture, normalisation, parameters }.to_bytes().expect("a model")
}

/// Writes the seeds of all parsers below a folder, one folder a parser.
pub fn write(corpus: &Path) -> std::io::Result<()> {
    for parser in super::parsers::PARSERS {
        let folder = corpus.join(parser.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in of(parser.name).into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

const NRRD_ASCII: &str = "NRRD0005\n# made by hand\ntype: uint8\ndimension: 3\nspace: RAS\nsizes: 2 2 2\n\
    space directions: (1,0,0) (0,1,0) (0,0.2,2)\nspace origin: (1,2,3)\nspace units: \"mm\" \"mm\" \"mm\"\n\
    encoding: ascii\nkey:=value\n\n1 2 3 4 5 6 7 250\n";
const NRRD_DETACHED: &str = "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 1\nendian: big\nspacings: 1 1 1\n\
    encoding: gzip\nline skip: 1\nbyte skip: 2\ndata file: a.raw.gz\n";
const NRRD_LIST: &str = "NRRD0005\ntype: short\ndimension: 3\nsizes: 2 2 9\nendian: little\nspacings: 1 1 1\n\
    encoding: raw\ndata file: LIST 3\na.raw\nb.raw\nc.raw\n";
const NRRD_PATTERN: &str = "NRRD0005\ntype: short\ndimension: 3\nsizes: 2 2 9\nendian: little\nspacings: 1 1 1\n\
    encoding: raw\nbyte skip: -1\ndata file: z%02d.raw 1 17 2 2\n";
const META_ASCII: &str = "NDims = 3\nBinaryData = False\nHeaderSize = 1\nDimSize = 2 2 1\nElementType = MET_FLOAT\n\
    ElementDataFile = LOCAL\n\n1 -2.5 3e2 nan\n";
const META_LIST: &str = "NDims = 3\nDimSize = 2 2 3\nElementType = MET_USHORT\nElementDataFile = LIST 2D\na\nb\nc\n";
const META_PATTERN: &str = "NDims = 3\nDimSize = 2 2 3\nElementType = MET_USHORT\nElementDataFile = a%02d.raw 1 3 1\n";
const META: &str = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = True\nCompressedData = False\n\
    TransformMatrix = 1 0 0 0 -1 0 0 0 -1\nOffset = 1 2 3\nAnatomicalOrientation = RPS\nElementSpacing = 1 1 2\n\
    DimSize = 2 2 1\nElementType = MET_USHORT\nElementDataFile = LOCAL\nabcdefgh";
const STL: &str = "solid x SPACE=RAS\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1e1 0 0\nvertex 0 1.5 0\nendloop\n\
    endfacet\nendsolid x\n";
const PLY: &str = "ply\nformat ascii 1.0\ncomment SPACE=RAS\nelement vertex 4\nproperty float x\nproperty float y\n\
    property float z\nproperty uchar red\nelement face 1\nproperty list uchar int vertex_index\nend_header\n\
    0 0 0 255\n1 0 0 255\n1 1 0 255\n0 1 0.5 255\n4 0 1 2 3\n";
const OBJ: &str = "# SPACE=LPS\nv 0 0 0\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0\nv 0 1 0\nvn 0 0 1\ng part\nf 1/1 2//1 3/1/1 4\n\
    f -4 -3 \\\n-2\n";
const VTK: &str = "# vtk DataFile Version 3.0\n3D Slicer output. SPACE=RAS\nASCII\nDATASET POLYDATA\nPOINTS 4 float\n\
    0 0 0 1 0 0 1 1 0\n0 1 0\nMETADATA\nINFORMATION 1\nNAME L2\n\nPOLYGONS 1 5\n4 0 1 2 3\nTRIANGLE_STRIPS 1 5\n4 0 1 2 3\n\
    LINES 1 3\n2 0 1\nPOINT_DATA 4\n";
const MANIFEST: &str = "manifest: 1\nroot: scans\ndefaults:\n  gold: { frame: RAS, unit: mm }\ncases:\n  c01:\n    split: train\n    \
    ct: { path: c01/ct, series: 1, files: 187, blake3: 5f0c6a, modality: any }\n    gold: { path: c01/skull.stl }\n  c17:\n    \
    split: test\n    ct: { path: c17/head.nii.gz, tilt: resample, add_hu: -1024 }\n    \
    defect: { centre_mm: [12.5, -61.0, 88.2], radius_mm: 45, frame: ct }\n";
const PIPELINE: &str = "calvaria: 1\nname: p\nseed: 1\nmanifest: m.yaml\nvars: { near_mm: 10 }\nstages:\n  bone:\n    uses: threshold\n    \
    foreach: cases\n    with: { ct: case.ct }\n    params: { hu: 300, keep: largest }\n  surface:\n    uses: surface\n    \
    foreach: test\n    matrix: { method: { a: bone.label } }\n    with: { volume: $method }\n";
const LOCK: &str = "# Written by `calvaria run`. Commit it; do not edit it.\ncalvaria-lock 1\npipeline p\nseed 1\noverride vars.x 2\n\n\
    bone@p01\n  op threshold 1\n  key 4c8c2593e72d83385527825845f66875bd5152c3992c0c26de5cdf1b80179679\n  \
    params {\"hu\":300}\n  in ct 8b1a8d0fb3dca816295a4920f7dd7c6d7edcc00ed59a327d72a2f4339120cc90 case.ct\n  \
    out label 7872776e5a2730839bee7df0b8a770bc7b4b7fb0f9929b68ef0e492d1634186b\n";
