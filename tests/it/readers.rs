//! Readers that meet damaged, hostile and lying files: no panic, no hang, no more memory than the bytes are worth.
//!
//! The parsers, seeds and limits are those of the fuzz targets (`fuzz/`); here they run on stable Rust, each in a process of
//! its own, so that memory is counted without neighbours and even an abort is a failed test and no more.
//! `CALVARIA_FUZZ_SECONDS` sets the time a parser (1 by default); `CALVARIA_FUZZ_EXECUTIONS` a number of executions.

use std::{path::Path, process::Command, time::Instant};

use crate::door::Room;

#[path = "../../fuzz/src/budget.rs"]
#[expect(unreachable_pub, reason = "public where the fuzz targets use it")]
mod budget;
#[path = "../../fuzz/src/mutate.rs"]
#[expect(unreachable_pub, reason = "public where the fuzz targets use it")]
mod mutate;
#[path = "../../fuzz/src/parsers.rs"]
#[expect(unreachable_pub, reason = "public where the fuzz targets use it")]
mod parsers;
#[path = "../../fuzz/src/seeds.rs"]
#[expect(unreachable_pub, reason = "public where the fuzz targets use it")]
mod seeds;

const PARSER: &str = "CALVARIA_FUZZ_PARSER";

fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a test of this file that is ignored elsewhere, in a process of its own; returns what it printed.
fn alone(test: &str, parser: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("readers::{test}"), "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(PARSER, parser)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{parser}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn every_parser_survives_damage() {
    for parser in parsers::PARSERS {
        let said = alone("damage", parser.name);
        print!(
            "{}",
            said.lines().filter(|line| line.contains("executions")).map(|l| format!("{l}\n")).collect::<String>()
        );
        assert!(said.contains("executions"), "{said}");
    }
}

/// One parser, for as long as asked. An input that breaks it is left as `crash-<parser>` in the folder for temporary files.
#[test]
#[ignore = "runs in a process of its own, from `every_parser_survives_damage`"]
fn damage() {
    // On a thread of a pool of one, what runs in parallel runs at once, without waking others.
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(damage_one);
}

fn damage_one() {
    let parser = parsers::named(&std::env::var(PARSER).expect("the name of a parser"));
    let seconds = number("CALVARIA_FUZZ_SECONDS").unwrap_or(1.0);
    let executions = number("CALVARIA_FUZZ_EXECUTIONS").map_or(u64::MAX, |n| n as u64);
    let seeds = seeds::of(parser.name);
    let good = seeds.iter().filter(|seed| (parser.parse)(seed)).count();
    assert!(good > 0, "{}: the parser takes none of its seeds", parser.name);
    // Damage is expected to make noise; a panic that reaches the end still fails the test.
    let (start, mut done, mut taken) = (Instant::now(), 0, 0);
    let (mut peak_bytes, mut slowest) = (0, 0.0_f64);
    let mut ran_before = None;
    while done < executions && (executions < u64::MAX || start.elapsed().as_secs_f64() < seconds) {
        let bytes = mutate::damaged(&seeds, done);
        let kept = bytes.clone();
        let guard = Crash { name: parser.name, bytes: kept };
        if done % 256 == 0 {
            ran_before = ran_seconds();
        }
        let mut cost = budget::measure(|| (parser.parse)(&bytes));
        let most_seconds = parsers::most_seconds(bytes.len());
        assert!(cost.seconds <= 10.0 * most_seconds, "{} s by the clock for {} bytes", cost.seconds, bytes.len());
        if cost.seconds > most_seconds {
            // On a machine that others use, the clock goes on while this thread waits its turn.
            let ran = ran_seconds().zip(ran_before).map_or(f64::INFINITY, |(now, before)| now - before);
            cost.seconds = cost.seconds.min(ran);
        }
        assert!(cost.peak_bytes <= parsers::most_bytes(bytes.len()), "{} bytes for {}", cost.peak_bytes, bytes.len());
        assert!(cost.seconds <= most_seconds, "{} s for {} bytes", cost.seconds, bytes.len());
        std::mem::forget(guard.defused());
        (peak_bytes, slowest) = (peak_bytes.max(cost.peak_bytes), slowest.max(cost.seconds));
        taken += u64::from(cost.value);
        done += 1;
    }
    println!(
        "{}: {done} executions, {taken} taken, {} kB at most, {:.1} ms at most, {:.0} a second",
        parser.name,
        peak_bytes >> 10,
        slowest * 1e3,
        done as f64 / start.elapsed().as_secs_f64()
    );
}

/// Returns how long this thread has run, seconds, where the system tells.
fn ran_seconds() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(told.split(' ').next()?.parse::<f64>().ok()? * 1e-9)
}

/// Leaves the input behind when it is dropped in a panic.
struct Crash {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Crash {
    fn defused(mut self) -> Self {
        self.bytes = Vec::new();
        self
    }
}

impl Drop for Crash {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(std::fs::write(std::env::temp_dir().join(format!("crash-{}", self.name)), &self.bytes));
        }
    }
}

/// The seeds as cargo-fuzz wants them: files in a folder for each parser, which takes at least one. They go to the folder
/// that `CALVARIA_FUZZ_CORPUS` names, else to one that is removed again.
#[test]
fn corpus() {
    let room = Room::new();
    let folder = std::env::var_os("CALVARIA_FUZZ_CORPUS").map_or_else(|| room.path("corpus"), Into::into);
    seeds::write(&folder).unwrap();
    for parser in parsers::PARSERS {
        let files = std::fs::read_dir(folder.join(parser.name)).unwrap().map(|entry| entry.unwrap().path());
        let taken = files.filter(|file| (parser.parse)(&std::fs::read(file).unwrap())).count();
        assert!(taken > 0, "{}: the parser takes none of its seeds", parser.name);
    }
}

/// 262 bytes that declare 4 GiB of pixels, and 352 that declare 2 GiB of voxels.
fn bombs() -> [(&'static str, Vec<u8>); 2] {
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0");
    for (element, value) in [(0x02_u8, 1_u16), (0x10, 512), (0x11, 512)] {
        dicom.extend_from_slice(&[0x28, 0, element, 0, b'U', b'S', 2, 0]);
        dicom.extend_from_slice(&value.to_le_bytes());
    }
    dicom.extend_from_slice(b"\xE0\x7F\x10\x00OW\0\0\xF0\xFF\xFF\xFF");
    dicom.resize(262, 0);
    let mut nifti = vec![0; 352];
    let mut put = |at: usize, word: &[u8]| nifti[at..at + word.len()].copy_from_slice(word);
    put(0, &348_i32.to_le_bytes());
    [3_i16, 512, 512, 1024].iter().enumerate().for_each(|(i, n)| put(40 + 2 * i, &n.to_le_bytes()));
    put(70, &64_i16.to_le_bytes());
    [1.0_f32; 4].iter().enumerate().for_each(|(i, n)| put(76 + 4 * i, &n.to_le_bytes()));
    put(108, &352_f32.to_le_bytes());
    put(344, b"n+1\0");
    [("dicom", dicom), ("nifti", nifti)]
}

#[test]
fn small_files_that_declare_gigabytes_cost_nothing() {
    let said = alone("lies", "all");
    assert!(said.contains("2 lies"), "{said}");
    // And through the program: one message with numbers, exit 3.
    let room = Room::new();
    let [(_, dicom), (_, nifti)] = bombs();
    room.write("scan/a.dcm", dicom);
    room.write("a.nii", nifti);
    room.refuses(&["info", "scan"], 3, &["(7FE0,0010) declares 4294967280 bytes", "a.dcm"]);
    room.refuses(&["info", "a.nii"], 3, &["declares 2147484000 bytes", "the file has 352", "a.nii"]);
}

#[test]
#[ignore = "runs in a process of its own, from `small_files_that_declare_gigabytes_cost_nothing`"]
fn lies() {
    for (name, bytes) in bombs() {
        let cost = budget::measure(|| (parsers::named(name).parse)(&bytes));
        println!("{name}: {} bytes, {:.3} ms", cost.peak_bytes, cost.seconds * 1e3);
        assert!(!cost.value && cost.peak_bytes < 1 << 20 && cost.seconds < 0.01);
    }
    println!("2 lies");
}

/// A gzip, a bzip2 and a deflate stream of zeros at a thousand to one, under headers that declare little, much, or nothing.
#[test]
fn streams_that_swell_are_stopped() {
    use std::io::Write as _;
    let zeros = vec![0_u8; 64 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(9));
    deflate.write_all(&zeros).unwrap();
    let deflate = deflate.finish().unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(9));
    bzip2.write_all(&zeros).unwrap();
    let bzip2 = bzip2.finish().unwrap();
    let room = Room::new();
    for (encoding, packed) in [("gzip", &gzip), ("bzip2", &bzip2)] {
        let nrrd = |sizes: &str| {
            let head = format!(
                "NRRD0004\ntype: uchar\ndimension: 3\nsizes: {sizes}\nspacings: 1 1 1\nencoding: {encoding}\n\n"
            );
            [head.as_bytes(), packed].concat()
        };
        room.write("much.nrrd", nrrd("4000 4000 60"));
        room.refuses(&["info", "much.nrrd"], 3, &["compressed bytes cannot hold more than", "much.nrrd"]);
        // What is declared and small is read, and no more.
        room.write("little.nrrd", nrrd("2 2 2"));
        assert_eq!(room.json(&["info", "little.nrrd", "--json"])["size"], serde_json::json!([2, 2, 2]));
    }
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99");
    dicom.extend_from_slice(&deflate);
    room.write("scan/a.dcm", dicom);
    room.refuses(&["info", "scan"], 3, &["deflated data set is damaged or too large", "a.dcm"]);
}

#[test]
fn a_folder_with_a_damaged_file_is_told_by_the_scan_of_manifests() {
    let room = Room::new();
    let small = ["--set", "size=[24,24,10]", "--set", "spacing_mm=[8,8,16]", "--set", "gold_mm=5"];
    room.ok(&[&["phantom", "--case", "1", "-o", "heads"], small.as_slice()].concat());
    for (path, bytes) in room.contents() {
        let other = path.to_str().unwrap().replace("p01", "p02");
        std::fs::create_dir_all(Path::new(&other).parent().unwrap()).unwrap();
        std::fs::write(other, bytes).unwrap();
    }
    let slice = std::fs::read_dir(room.path("heads/p02/ct")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&slice).unwrap();
    std::fs::write(&slice, &whole[..whole.len() - 100]).unwrap();
    let said = room.run(&["manifest", "scan", "heads"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let name = slice.file_name().unwrap().to_str().unwrap();
    assert!(said.err.contains("left out") && said.err.contains(name), "{}", said.err);
    assert!(said.out.contains("p01/ct") && said.out.contains("could not be read"), "{}", said.out);
    assert!(said.out.lines().any(|line| line.starts_with('#') && line.contains("p02/ct") && line.contains(name)));
    room.write("m.yaml", said.out);
    room.ok(&["manifest", "check", "m.yaml"]);
}

#[test]
fn a_mesh_is_repaired_only_when_asked_and_told() {
    let room = Room::new();
    let obj = "v 0 0 0\nv 90 0 0\nv 0 90 0\nv 0 0 90\nv 0 0 0.0005\nf 1 3 2\nf 1 2 4\nf 5 4 3\nf 2 4 3\nf 1 1 2\n";
    room.write("a.obj", obj);
    let plain = room.run(&["convert", "a.obj", "plain.ply"]);
    assert!(plain.code == Some(0) && !plain.err.contains("as asked"), "{}", plain.err);
    assert_eq!(room.json(&["info", "plain.ply", "--json"])["vertices"], 5);
    let asked = ["convert", "a.obj", "mended.ply", "--weld", "0.001", "--drop-degenerate", "--orient"];
    let mended = room.run(&asked);
    assert!(mended.code == Some(0), "{}", mended.err);
    for told in ["1 vertices were welded", "1 triangles without area", "1 triangles were turned"] {
        assert!(mended.err.contains(told), "`{told}` in {}", mended.err);
    }
    let facts = room.json(&["info", "mended.ply", "--json"]);
    assert_eq!((&facts["closed"], &facts["oriented"]), (&true.into(), &true.into()), "{facts}");
    assert!(facts["volume_mm3"].as_f64().unwrap() > 0.0);
    room.refuses(&["convert", "a.obj", "x.ply", "--weld=-1"], 2, &["--weld"]);
}

#[test]
fn yaml_that_multiplies_or_nests_is_refused_at_once() {
    let room = Room::new();
    let mut bomb = "manifest: 1\na: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (this, last) in ('b'..='i').zip('a'..) {
        bomb.push_str(&format!(
            "{this}: &{this} [*{last}, *{last}, *{last}, *{last}, *{last}, *{last}, *{last}, *{last}]\n"
        ));
    }
    room.write("bomb.yaml", bomb);
    room.write("deep.yaml", format!("manifest: 1\ncases: {}{}\n", "[".repeat(50_000), "]".repeat(50_000)));
    room.write("map.yaml", format!("manifest: 1\ncases: {}x{}\n", "{a: ".repeat(50_000), "}".repeat(50_000)));
    for file in ["bomb.yaml", "deep.yaml", "map.yaml"] {
        let start = Instant::now();
        room.refuses(&["manifest", "check", file], 2, &[file]);
        assert!(start.elapsed().as_secs_f64() < 5.0, "{file}");
    }
}
