//! PyTorch checkpoints, built byte by byte: what is read, what is refused, and that nothing is ever run.

use std::fmt::Write as _;

use calvaria::model::{
    Model,
    border::Border,
    dilations::Preset,
    exchange::{self, ImportOptions},
};
use serde_json::Value;

use crate::door::Room;

const DEPTH: usize = 3;

/// Names and shapes of a state dict of depth 3, width 1, one channel, two classes.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("0.weight".to_owned(), vec![1, 1, 1, 1]),
        ("0.bias".to_owned(), vec![1]),
        ("1.0.msd_block.bias".to_owned(), vec![DEPTH]),
    ];
    shapes.extend((0..DEPTH).map(|i| (format!("1.0.msd_block.weight{i}"), vec![1, 1 + i, 3, 3])));
    shapes.push(("1.0.final_layer.linear.weight".to_owned(), vec![2, 1 + DEPTH, 1]));
    shapes.push(("1.0.final_layer.linear.bias".to_owned(), vec![2]));
    shapes
}

/// The i-th number of a tensor; the scaling is (HU - 100) / 500.
fn value(name: &str, i: usize) -> f32 {
    match name {
        "0.weight" => 0.002,
        "0.bias" => -0.2,
        _ => (name.len() as f32).mul_add(0.01, i as f32 * 0.03125) - 0.4,
    }
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn counts(pickle: &mut Vec<u8>, counts: &[usize]) {
    pickle.push(b'(');
    for &count in counts {
        pickle.push(b'K');
        pickle.push(count as u8);
    }
    pickle.push(b't');
}

fn product(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| product(&shape[axis + 1..])).collect()
}

/// One tensor as `torch.save` describes it; the storage has `count` numbers.
fn tensor(
    pickle: &mut Vec<u8>,
    key: usize,
    kind: &str,
    count: u32,
    (offset, shape, strides): (u8, &[usize], &[usize]),
) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(format!("ctorch\n{kind}\n").as_bytes());
    text(pickle, &key.to_string());
    text(pickle, "cuda:0");
    pickle.push(b'J');
    pickle.extend(count.to_le_bytes());
    pickle.extend(b"tQK");
    pickle.push(offset);
    counts(pickle, shape);
    counts(pickle, strides);
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

/// Writes the description of a tensor behind what is there: its key, name and shape.
type Describe<'a> = &'a dyn Fn(&mut Vec<u8>, usize, &str, &[usize]);

/// The pickle of a checkpoint; `one` writes a tensor's description.
fn pickle(one: Describe<'_>) -> Vec<u8> {
    let mut pickle = b"\x80\x02}q\x00(".to_vec();
    text(&mut pickle, "epoch");
    pickle.extend(b"K\x0a");
    text(&mut pickle, "state_dict");
    pickle.extend(b"ccollections\nOrderedDict\nq\x01)Rq\x02(");
    for (key, (name, shape)) in shapes().iter().enumerate() {
        text(&mut pickle, name);
        one(&mut pickle, key, name, shape);
    }
    // The state dict's own attributes, as PyTorch adds them.
    pickle.extend(b"u}");
    text(&mut pickle, "_metadata");
    pickle.extend(b"h\x01)RsbX\x09\x00\x00\x00optimizer}u.");
    pickle
}

fn plain(pickle: &mut Vec<u8>, key: usize, _: &str, shape: &[usize]) {
    tensor(pickle, key, "FloatStorage", product(shape) as u32, (0, shape, &strides(shape)));
}

fn numbers() -> Vec<Vec<u8>> {
    let bytes =
        |(name, shape): &(String, Vec<usize>)| (0..product(shape)).flat_map(|i| value(name, i).to_le_bytes()).collect();
    shapes().iter().map(bytes).collect()
}

/// A zip archive with stored entries.
fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for number in [crc32(data), data.len() as u32, data.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend([name.len() as u8, 0, 0, 0]);
        let header = archive.len() as u32;
        archive.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), data].concat());
        list.extend(
            [b"PK\x01\x02\x14\x00", common.as_slice(), &[0; 10], &header.to_le_bytes(), name.as_bytes()].concat(),
        );
    }
    let (start, count) = (archive.len() as u32, entries.len() as u16);
    archive.extend(&list);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    archive.extend([(list.len() as u32).to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

fn zipped(pickle: Vec<u8>, numbers: Vec<Vec<u8>>, byte_order: &str) -> Vec<u8> {
    let mut entries = vec![("net/data.pkl".to_owned(), pickle), ("net/byteorder".to_owned(), byte_order.into())];
    entries.extend(numbers.into_iter().enumerate().map(|(key, data)| (format!("net/data/{key}"), data)));
    entries.push(("net/version".to_owned(), b"3\n".to_vec()));
    zip(&entries)
}

fn good() -> Vec<u8> {
    zipped(pickle(&plain), numbers(), "little")
}

/// The same checkpoint as PyTorch before 1.6 wrote it.
fn legacy(pickle: &[u8], numbers: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}(".to_vec();
    text(&mut bytes, "little_endian");
    bytes.extend(b"\x88u.");
    bytes.extend(pickle);
    bytes.extend(b"\x80\x02](");
    for key in 0..numbers.len() {
        text(&mut bytes, &key.to_string());
    }
    bytes.extend(b"e.");
    for data in numbers {
        bytes.extend((data.len() as u64 / 4).to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

fn import(bytes: &[u8]) -> Model {
    exchange::import(bytes, &ImportOptions::default()).unwrap().model
}

fn refusal(bytes: &[u8]) -> String {
    exchange::import(bytes, &ImportOptions::default()).unwrap_err().what
}

#[test]
fn both_file_formats_give_the_model_that_was_saved() {
    let model = import(&good());
    let net = &model.architecture;
    assert_eq!((net.depth, net.width, net.input_channels, net.classes), (DEPTH, 1, 1, 2));
    assert_eq!((net.preset, net.border), (Preset::Public, Border::Symmetric));
    let (mean_hu, std_hu) = (model.normalisation.mean_hu, model.normalisation.std_hu);
    assert!((mean_hu - 100.0).abs() < 1e-4 && (std_hu - 500.0).abs() < 1e-4, "{mean_hu} {std_hu}");
    let wanted = |name: &str, i: usize| value(name, i);
    assert_eq!(model.parameters[net.weight_range(1)][4], wanted("1.0.msd_block.weight1", 4));
    assert_eq!(model.parameters[net.bias_range()][2], wanted("1.0.msd_block.bias", 2));
    assert_eq!(model.parameters[net.head_weight_range()][5], wanted("1.0.final_layer.linear.weight", 5));
    assert_eq!(model.parameters[net.head_bias_range()][1], wanted("1.0.final_layer.linear.bias", 1));
    assert_eq!(import(&legacy(&pickle(&plain), &numbers())), model);
}

#[test]
fn strides_offsets_types_and_byte_order_are_honoured() {
    let wanted = import(&good());
    // Every tensor one number further into its storage, and stored as big-endian double precision.
    let shifted = |pickle: &mut Vec<u8>, key: usize, _: &str, shape: &[usize]| {
        tensor(pickle, key, "DoubleStorage", product(shape) as u32 + 1, (1, shape, &strides(shape)));
    };
    let all = shapes();
    let doubles = all.iter().map(|(name, shape)| {
        let values = (0..product(shape)).map(|i| f64::from(value(name, i)));
        std::iter::once(f64::NAN).chain(values).flat_map(f64::to_be_bytes).collect()
    });
    assert_eq!(import(&zipped(pickle(&shifted), doubles.collect(), "big")), wanted);
    // 3 x 3 taps stored column by column.
    let turned = |pickle: &mut Vec<u8>, key: usize, _: &str, shape: &[usize]| {
        let mut steps = strides(shape);
        if let [.., a, b] = steps.as_mut_slice()
            && shape.ends_with(&[3, 3])
        {
            std::mem::swap(a, b);
        }
        tensor(pickle, key, "FloatStorage", product(shape) as u32, (0, shape, &steps));
    };
    let model = import(&zipped(pickle(&turned), numbers(), "little"));
    let taps = |model: &Model| model.parameters[..9].to_vec();
    let (plain, turned) = (taps(&wanted), taps(&model));
    assert!((0..9).all(|i| turned[i] == plain[3 * (i % 3) + i / 3]), "{plain:?} {turned:?}");
}

#[test]
fn a_pickle_that_would_run_a_program_is_refused_and_runs_nothing() {
    let room = Room::new();
    let trap = room.path("trap");
    let mut pickle = b"\x80\x02cos\nsystem\n".to_vec();
    text(&mut pickle, &format!("touch {}", trap.display()));
    pickle.extend(b"\x85R.");
    room.write("zip.pt", zipped(pickle.clone(), vec![], "little"));
    room.write("legacy.pt", legacy(&pickle, &[]));
    for (file, place) in [("zip.pt", "byte 2 of data.pkl"), ("legacy.pt", "of the checkpoint")] {
        let arguments = ["model", "import", file, "-o", "m.safetensors"];
        room.refuses(&arguments, 3, &["refused: the pickle asks for `os.system`", place, file]);
    }
    // Hidden where a tensor's unused hooks are, and by protocol 4's way of naming.
    let hidden = |pickle: &mut Vec<u8>, key: usize, _: &str, shape: &[usize]| {
        plain(pickle, key, "", shape);
        pickle.truncate(pickle.len() - 4);
        pickle.extend(b"\x8c\x08builtins\x8c\x04exec\x93\x8c\x011\x85RtR");
    };
    assert!(refusal(&zipped(self::pickle(&hidden), numbers(), "little")).contains("`builtins.exec`"));
    assert!(!trap.exists());
}

#[test]
fn hostile_sizes_and_shapes_are_refused_without_memory_or_panic() {
    let with = |one: Describe<'_>| refusal(&zipped(pickle(one), numbers(), "little"));
    let huge = with(&|pickle, key, _, shape| {
        tensor(pickle, key, "FloatStorage", u32::MAX >> 1, (0, shape, &strides(shape)));
    });
    assert!(huge.contains("not 2147483647 numbers"), "{huge}");
    let beyond = with(&|pickle, key, _, shape| {
        tensor(pickle, key, "FloatStorage", product(shape) as u32, (200, shape, &strides(shape)));
    });
    assert!(beyond.contains("reaches beyond its storage"), "{beyond}");
    let expanded = with(&|pickle, key, name, shape| {
        let wide = if name.ends_with("weight0") { vec![100, 255, 3, 3] } else { shape.to_vec() };
        tensor(pickle, key, "FloatStorage", product(shape) as u32, (0, &wide, &vec![0; wide.len()]));
    });
    assert!(expanded.contains("is [") || expanded.contains("no network"), "{expanded}");
    let wrong = with(&|pickle, key, name, shape| {
        let shape = if name == "1.0.msd_block.weight1" { &[1, 2, 9][..] } else { shape };
        tensor(pickle, key, "FloatStorage", product(shape) as u32, (0, shape, &strides(shape)));
    });
    assert!(wrong.contains("`1.0.msd_block.weight1` is [1, 2, 9], not [1, 2, 3, 3]"), "{wrong}");
    // A list and a dictionary that contain themselves, and a state dict that is its own state dict.
    for pickle in [
        &b"\x80\x02]q\x00h\x00a."[..],
        b"\x80\x02}q\x00(K\x01h\x00u.",
        b"\x80\x02}q\x00(X\n\x00\x00\x00state_dicth\x00u.",
    ] {
        assert!(!refusal(&zipped(pickle.to_vec(), vec![], "little")).is_empty());
    }
    let mut deep = b"\x80\x02".to_vec();
    deep.extend(b"(".repeat(2 << 20));
    assert!(refusal(&zipped(deep, vec![], "little")).contains("more values"));
}

#[test]
fn a_checkpoint_cut_anywhere_or_with_any_byte_wrong_is_read_right_or_refused() {
    for bytes in [good(), legacy(&pickle(&plain), &numbers())] {
        let model = import(&bytes);
        for cut in (0..bytes.len()).step_by(3) {
            assert!(exchange::import(&bytes[..cut], &ImportOptions::default()).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = damaged[at].wrapping_add(0x55);
            if let Ok(found) = exchange::import(&damaged, &ImportOptions::default()) {
                assert_eq!(found.model.parameters.len(), model.parameters.len(), "byte {at}");
            }
        }
    }
}

#[test]
fn commands_import_describe_and_export() {
    let room = Room::new();
    room.write("net.pt", good());
    let facts = room.json(&["model", "import", "net.pt", "-o", "m.safetensors", "--preset", "v0.5", "--json"]);
    assert_eq!((&facts["preset"], &facts["depth"]), (&Value::from("v0.5"), &Value::from(DEPTH)));
    let facts = room.json(&["model", "info", "m.safetensors", "--json"]);
    assert_eq!(facts["digest"].as_str().unwrap(), blake3_of(&room, "m.safetensors"));
    for (key, value) in [("kind", "model"), ("format", "calvaria"), ("preset", "v0.5"), ("border", "symmetric")] {
        assert_eq!(facts[key], value);
    }
    assert_eq!((facts["receptive_field_px"].as_u64(), facts["largest_dilation"].as_u64()), (Some(19), Some(4)));
    let mut digests = String::new();
    for name in ["out.pt", "out.safetensors"] {
        room.ok(&["model", "export", "m.safetensors", "-o", name]);
        let facts = room.json(&["model", "info", name, "--json"]);
        assert_eq!(facts["notes"], Value::Array(vec![]), "nothing had to be assumed: it stands beside the weights");
        write!(digests, "{} ", facts["weights_digest"]).unwrap();
        room.ok(&["model", "import", name, "-o", "back.safetensors"]);
        assert_eq!(
            std::fs::read(room.path("back.safetensors")).unwrap(),
            std::fs::read(room.path("m.safetensors")).unwrap()
        );
    }
    assert_eq!(digests, format!("{0} {0} ", facts["weights_digest"]));
    room.ok(&["model", "export", "m.safetensors", "-o", "out.onnx"]);
    assert!(std::fs::read(room.path("out.onnx")).unwrap().windows(6).any(|window| window == b"logits"));
    assert!(room.ok(&["model", "info", "net.pt"]).contains("torch zip"));
    room.refuses(&["model", "export", "m.safetensors", "-o", "out.h5"], 2, &[".onnx"]);
    room.refuses(&["model", "import", "none.pt", "-o", "x.safetensors"], 2, &["no such file"]);
    room.refuses(&["model", "import", "m.safetensors", "-o", "x.safetensors"], 2, &["needs no import"]);
    room.refuses(&["model", "import", "net.pt", "-o", "x.pt"], 2, &["FILE.safetensors"]);
    room.refuses(&["model", "info", "out.onnx"], 3, &["not a usable model"]);
}

fn blake3_of(room: &Room, name: &str) -> String {
    calvaria::pipeline::digest::Digest::of_file(&room.path(name)).unwrap().0.to_string()
}

#[test]
fn bench_measures_small_rows_and_keeps_its_keys() {
    let room = Room::new();
    let arguments =
        ["bench", "msdnet", "--size", "32", "--depth", "4", "--slices", "3", "--rounds", "2", "--quiet", "--json"];
    let rows = room.json(&arguments);
    let rows = rows.as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["msdnet.forward", "msdnet.step", "msdnet.ct"]);
    for row in rows {
        assert!(row["seconds"].as_f64().unwrap() > 0.0 && row["gflops"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["peak_share"].as_f64().unwrap() > 0.0, "{row}");
        let keys =
            "gflops name over_forward peak_rss_mb peak_share peer peer_rss_mb peer_seconds ratio seconds shape threads";
        let mut found: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
        found.sort();
        assert_eq!(found.join(" "), keys);
    }
    assert!(rows[2]["over_forward"].as_f64().unwrap() > 0.0);
    let table =
        room.ok(&["bench", "msdnet", "--size", "32", "--depth", "4", "--only", "forward", "--rounds", "1", "-q"]);
    assert_eq!(table.lines().count(), 2, "{table}");
    room.refuses(&["bench", "msdnet", "--only", "nothing"], 2, &["no row"]);
    room.refuses(
        &["bench", "msdnet", "--size", "16", "--depth", "4", "--only", "forward", "--peer", "no-python", "-q"],
        2,
        &["cannot start the peer"],
    );
    assert!(room.contents().is_empty(), "nothing is left behind");
}
