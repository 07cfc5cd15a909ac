//! Manifests, right and wrong, as text.

use std::cell::RefCell;

use super::{
    Manifest, Split,
    scan::{FoundMesh, FoundScan, pair, render},
    schema,
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::diagnose::Source,
};

/// The example of the format's description.
const MINE: &str = "\
manifest: 1
root: scans
defaults:
  gold: { frame: RAS, unit: mm }
cases:
  c01:
    split: train
    ct: { path: c01/ct, series: 1, files: 187, blake3: 5f0c6a }
    gold: { path: c01/skull.stl, blake3: 91aa07 }
  c16:
    split: test
    ct: { path: c16/ct, series: 2, files: 203, blake3: 77e1d0, tilt: resample, add_hu: -1024 }
    gold: { path: c16/skull.stl, blake3: c44d31, frame: LPS, unit: m }
    defect: { path: c16/missing-bone.stl, blake3: 0b9e55 }
  c17:
    split: test
    site: 007
    ct: { path: c17/head.nii.gz, blake3: 12e456, tilt: refuse, add_hu: 0, resample_mm: 1 }
    gold: { path: c17/skull.ply, blake3: 8e3f12 }
    defect: { centre_mm: [12.5, -61.0, 88], radius_mm: 45, frame: ct }
  c18:
    split: exclude
    ct: { path: c01/ct, series: 1 }
";

fn parse(text: &str) -> Result<Manifest> {
    Manifest::parse(Source::new("data/m.yaml", text), None)
}

fn options(manifest: &Manifest, case: &str, field: &str) -> String {
    let items = manifest.items();
    let item = items.iter().find(|item| item.id == case).unwrap();
    serde_json::Value::Object(item.fields[field].options.clone()).to_string()
}

#[test]
fn the_example_becomes_items() {
    let manifest = parse(MINE).unwrap();
    let items = manifest.items();
    assert_eq!(items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["c01", "c16", "c17"], "c18 is excluded");
    assert_eq!(manifest.cases[3].split, Split::Exclude);
    let c17 = &items[2];
    assert_eq!(c17.attributes["split"], "test");
    assert_eq!(c17.attributes["site"], "007");
    assert_eq!(c17.place.to_string(), "data/m.yaml:15:3");
    let ct = &c17.fields["ct"];
    assert_eq!((ct.kind.as_str(), ct.declared.as_deref()), ("ct", Some("12e456")), "a digest is no number");
    let path = ct.path.as_ref().unwrap();
    assert!(path.is_absolute() && path.ends_with("data/scans/c17/head.nii.gz"), "{path:?}");
    assert_eq!(ct.place.to_string(), "data/m.yaml:18:5");
    assert_eq!(manifest.cases[0].fields["ct"].files, Some(187));
    assert_eq!(c17.fields["defect"].kind, "solid");
    assert_eq!(c17.fields["defect"].path, None);
    let kinds: Vec<&str> = items[1].fields.values().map(|field| field.kind.as_str()).collect();
    assert_eq!(kinds, ["ct", "solid", "mesh"]);
}

#[test]
fn options_say_how_to_read_and_nothing_that_is_the_default() {
    let manifest = parse(MINE).unwrap();
    for (case, field, expected) in [
        ("c01", "ct", r#"{"series":1}"#),
        ("c01", "gold", r#"{"frame":"RAS","unit":"mm"}"#),
        ("c16", "ct", r#"{"add_hu":-1024.0,"series":2,"tilt":"resample"}"#),
        ("c16", "gold", r#"{"frame":"LPS","unit":"m"}"#),
        ("c16", "defect", r#"{"frame":"LPS","unit":"m"}"#),
        ("c17", "ct", r#"{"resample_mm":1.0}"#),
        ("c17", "defect", r#"{"centre_mm":[12.5,-61.0,88.0],"frame":"ct","radius_mm":45.0}"#),
    ] {
        assert_eq!(options(&manifest, case, field), expected, "{case}.{field}");
    }
    let ball = MINE.replace("radius_mm: 45, frame: ct", "radius_mm: 45");
    let ball = options(&parse(&ball).unwrap(), "c17", "defect");
    assert!(
        ball.contains(r#""frame":"RAS""#) && !ball.contains("unit"),
        "a ball lies in the gold's frame, in mm: {ball}"
    );
}

#[test]
fn a_phantom_manifest_is_splits_and_free_mappings() {
    let text = "manifest: 1\ndefaults: { scanner: { noise_hu: 20, dose: 1 }, site: A }\ncases:\n  p01: { split: train, scanner: { dose: 2 } }\n  p02: { split: test, figure: true, site: B }\n";
    let items = parse(text).unwrap().items();
    assert_eq!(
        serde_json::Value::Object(items[0].fields["scanner"].options.clone()).to_string(),
        r#"{"dose":2,"noise_hu":20}"#
    );
    assert_eq!(items[1].fields["scanner"].kind, "scanner");
    assert_eq!(items[1].fields["scanner"].options["dose"], 1);
    assert_eq!((items[0].attributes["site"].as_str(), items[1].attributes["site"].as_str()), ("A", "B"));
    assert_eq!(items[1].attributes["figure"], "true");
}

/// `MINE` with one piece replaced; then what the fault says, the line and column, and the hint.
const SLIPS: &[(&str, &str, &str, &str, &str)] = &[
    ("manifest: 1", "manifest: 2", "file format 2", "1:11", "reads format 1"),
    ("manifest: 1\n", "", "`manifest` is missing", "1:1", "manifest: 1"),
    ("manifest: 1", "manifest: 1\nstages: {}", "is a pipeline", "1:1", ""),
    ("root: scans", "rot: scans", "unknown key `rot`", "2:1", "did you mean `root`?"),
    ("root: scans", "root: /home/me/scans", "absolute", "2:7", "--data-root"),
    ("root: scans", "root: 'C:\\scans'", "absolute", "2:7", "--data-root"),
    ("  c16:", "  c01:", "duplicate key `c01`", "10:3", "line 6"),
    ("  c16:", "  C16:", "`C16` cannot be the id", "10:3", "lower-case"),
    ("  c16:", "  müller:", "`müller` cannot be the id", "10:3", "never a name"),
    ("  c16:", "  -c16:", "`-c16` cannot be the id", "10:3", ""),
    ("split: train", "split: trian", "case c01: `trian` is not a split", "7:12", "train"),
    ("split: train", "split: trains", "`trains` is not a split", "7:12", "did you mean `train`?"),
    ("    split: train\n", "    splt: train\n", "`split` is missing", "7:5", "exclude"),
    ("    split: train\n", "", "`split` is missing", "6:3", ""),
    ("path: c01/ct, series: 1, f", "path: ../c01/ct, f", "leads upwards", "8:17", "stay below"),
    ("path: c01/ct, series: 1, f", "path: /c01/ct, f", "absolute", "8:17", ""),
    ("path: c01/ct, series: 1, f", "path: \"c01\\\\ct\", f", "holds a `\\`", "8:17", "with `/`"),
    ("path: c01/ct, series: 1, f", "path: ./, f", "names nothing", "8:17", ""),
    ("path: c01/ct, series: 1, f", "path: 3, f", "text is expected, not the number `3`", "8:17", ""),
    ("path: c01/ct, series: 1, f", "series: 1, f", "`ct` has no `path`", "8:5", ""),
    ("series: 1, files", "serie: 1, files", "unknown key `serie` in `ct`", "8:25", "did you mean `series`?"),
    ("series: 1, files", "series: one, files", "a whole number", "8:33", ""),
    ("blake3: 5f0c6a", "blake3: 5f0c6", "is not a blake3 digest", "8:56", "hexadecimal"),
    ("blake3: 5f0c6a", "blake3: 5F0C6A", "is not a blake3 digest", "8:56", "lower case"),
    ("tilt: resample", "tilt: repair", "not one of refuse, resample", "12:70", ""),
    ("add_hu: -1024", "add_hu: .inf", "a finite number", "12:88", ""),
    ("frame: LPS, unit: m }", "frame: LSP, unit: m }", "not one of LPS, RAS", "13:57", ""),
    ("unit: m }", "unit: cm }", "not one of mm, m", "13:68", ""),
    (
        "{ path: c16/missing-bone.stl, blake3: 0b9e55 }",
        "c16/missing-bone.stl",
        "a mapping is expected",
        "14:13",
        "defect: { path: c16/missing-bone.stl }",
    ),
    ("centre_mm: [12.5, -61.0, 88]", "path: x.stl", "a file or a ball, not both", "20:28", ""),
    ("centre_mm: [12.5, -61.0, 88]", "centre_mm: [12.5, 88]", "three numbers", "20:26", ""),
    ("centre_mm: [12.5, -61.0, 88], ", "", "needs `centre_mm` too", "20:5", ""),
    ("radius_mm: 45", "radius_mm: 0", "above 0", "20:56", ""),
    ("radius_mm: 45", "radius_mm: 45, unit: mm", "has no `unit`", "20:60", ""),
    ("site: 007", "site: [1]", "one word or number, or a mapping,", "17:11", ""),
    (
        "    site: 007",
        "    glod: { path: x.stl }",
        "`glod` is not a field with a file",
        "17:13",
        "known: ct, defect, gold, label",
    ),
    (
        "    site: 007",
        "    golds: { path: x.stl }",
        "`golds` is not a field with a file",
        "17:14",
        "did you mean `gold`?",
    ),
    ("unit: mm }", "unt: mm }", "unknown key `unt` in the defaults of `gold`", "4:23", "did you mean `unit`?"),
    ("unit: mm }", "path: x }", "belongs to one case", "4:23", ""),
    ("c17/head.nii.gz", "c01/ct, series: 1", "`c01` (train) and `c17` (test) hold the same scan", "15:3", "exclude"),
    ("77e1d0", "5f0c6a91", "`c01` (train) and `c16` (test) hold the same scan", "10:3", "exclude"),
];

#[test]
fn every_slip_is_pointed_at() {
    let mut wrong_ones = Vec::new();
    for &(right, wrong, says, place, advises) in SLIPS {
        assert!(MINE.contains(right), "`{right}` is not in the example");
        let found = match parse(&MINE.replacen(right, wrong, 1)) {
            Ok(_) => "it was accepted".to_owned(),
            Err(fault) => {
                let at = fault.place.clone().unwrap_or_default();
                let hint = fault.hint.clone().unwrap_or_default();
                let good = fault.kind == Kind::Usage && fault.what.contains(says) && hint.contains(advises);
                if good && at == format!("data/m.yaml:{place}") { continue } else { fault.to_string() }
            }
        };
        wrong_ones.push(format!("{right} -> {wrong}\nexpected `{says}` at {place}, `{advises}`; got\n{found}\n"));
    }
    assert!(wrong_ones.is_empty(), "{}", wrong_ones.join("\n"));
    for text in
        ["", "# x\n", "- 1\n", "manifest: 1\n", "manifest: 1\ncases: {}\n", "manifest: 1\ncases: { a: train }\n"]
    {
        assert_eq!(parse(text).unwrap_err().kind, Kind::Usage, "{text:?}");
    }
}

#[test]
fn a_duplicate_id_shows_both_lines() {
    let fault =
        parse("manifest: 1\ncases:\n  a: { split: train }\n  b: { split: test }\n  a: { split: test }\n").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "duplicate key `a`\n  --> data/m.yaml:5:3\n  |\n3 |   a: { split: train }\n  |   ^\n5 |   a: { split: test }\n  |   ^\n  \
         help: it stands already in line 3; a key is written once"
    );
}

#[test]
fn the_same_content_in_two_splits_is_a_leak_and_in_one_is_not() {
    let manifest = parse(MINE).unwrap();
    let asked = RefCell::new(Vec::new());
    let same = |field: &crate::pipeline::plan::Field| {
        asked.borrow_mut().push(field.place.line);
        Ok(vec![format!("files {}", field.place.line), "voxels".to_owned()])
    };
    let fault: Fault = manifest.leaks(&same).unwrap_err();
    assert_eq!(fault.what, "the cases `c01` (train) and `c16` (test) hold the same scan");
    assert_eq!(fault.place.as_deref(), Some("data/m.yaml:10:3"));
    assert_eq!(fault.kind.exit_code(), 2);
    assert!(fault.snippet.as_ref().unwrap().contains("6 |   c01:"));
    assert_eq!(*asked.borrow(), [8, 12], "only scans are asked for, and only until the leak");

    let in_test = |field: &crate::pipeline::plan::Field| {
        Ok(vec![if field.place.line < 10 { "one".to_owned() } else { "two".to_owned() }])
    };
    manifest.leaks(&in_test).unwrap();
    let broken = |_: &crate::pipeline::plan::Field| Err(Fault::unfit("a slice is truncated"));
    assert_eq!(manifest.leaks(&broken).unwrap_err().what, "case c01: a slice is truncated");
}

#[test]
fn missing_files_are_said_at_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.yaml");
    std::fs::write(&file, "manifest: 1\nroot: scans\ncases:\n  a: { split: train, ct: { path: a/ct } }\n").unwrap();
    let fault = Manifest::load(&file, None).unwrap().check_paths().unwrap_err();
    assert!(fault.what.contains("the folder with the data") && fault.kind == Kind::Usage, "{fault}");
    std::fs::create_dir_all(folder.path().join("scans/a")).unwrap();
    let fault = Manifest::load(&file, None).unwrap().check_paths().unwrap_err();
    assert_eq!(fault.what, "the `ct` of the case `a` is not there");
    assert!(fault.place.unwrap().ends_with("m.yaml:4:34") && fault.hint.unwrap().contains("--data-root"));
    std::fs::create_dir(folder.path().join("scans/a/ct")).unwrap();
    Manifest::load(&file, None).unwrap().check_paths().unwrap();
    let elsewhere = Manifest::load(&file, Some(&folder.path().join("scans"))).unwrap();
    assert!(elsewhere.items()[0].fields["ct"].path.as_ref().unwrap().ends_with("scans/a/ct"));
    std::fs::write(&file, "manifest: 1\ncases: { a: { split: train } }\n").unwrap();
    Manifest::load(&file, Some("/nowhere".as_ref())).unwrap().check_paths().unwrap();
    assert_eq!(Manifest::load("/nowhere/m.yaml".as_ref(), None).unwrap_err().kind, Kind::Usage);
}

fn scan(path: &str, series: u64, files: u64) -> FoundScan {
    FoundScan { path: path.to_owned(), series: Some(series), files: Some(files), digest: format!("{files:0>64}") }
}

fn mesh(path: &str) -> FoundMesh {
    FoundMesh { path: path.to_owned(), digest: "ab".repeat(32) }
}

#[test]
fn meshes_go_to_the_only_scan_near_them() {
    let scans =
        vec![scan("b/ct", 2, 9), scan("a/ct", 1, 100), scan("b/ct", 1, 80), scan("c/x", 1, 5), scan("c/y", 1, 5)];
    let meshes =
        ["a/skull.stl", "a/ct/Missing-Bone.stl", "b/one.stl", "b/two.stl", "c/both.stl", "c/y/own.ply", "top.stl"];
    let pairing = pair(scans, meshes.iter().map(|path| mesh(path)).collect());
    let found: Vec<String> = pairing
        .cases
        .iter()
        .map(|found| {
            let others: Vec<&str> = found.others.iter().map(|mesh| mesh.path.as_str()).collect();
            let gold = found.gold.as_ref().map_or("-", |gold| gold.path.as_str());
            format!("{}#{} {gold} [{}]", found.ct.path, found.ct.series.unwrap_or(0), others.join(" "))
        })
        .collect();
    assert_eq!(
        found,
        [
            "a/ct#1 a/skull.stl [a/ct/Missing-Bone.stl]",
            "b/ct#1 - [b/one.stl b/two.stl]",
            "b/ct#2 - []",
            "c/x#1 - []",
            "c/y#1 c/y/own.ply []"
        ]
    );
    assert_eq!(pairing.left, [mesh("c/both.stl"), mesh("top.stl")]);
}

#[test]
fn what_a_scan_writes_is_a_manifest_and_survives_any_path() {
    let hostile = ["null", "a: b", "- x", "#x", "12", "tab\there", "\"q\"", "é/ü", "*x", "{a}", "x/y z", "new\nline"];
    let mut scans: Vec<FoundScan> = hostile.iter().map(|path| scan(path, 1, 3)).collect();
    scans.push(scan("last/ct", 3, 12_345_678));
    let pairing = pair(scans, vec![mesh("last/ct/skull.stl"), mesh("odd\nname.stl")]);
    let text = render(&pairing, "c", "../scans").unwrap();
    // A control character is no path of a manifest: such a folder is refused when the text is read.
    let without: String = text
        .lines()
        .filter(|line| !line.contains("\\t") && !line.contains("\\n"))
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(parse(&text).unwrap_err().kind, Kind::Usage);
    let manifest = parse(&without).unwrap();
    assert_eq!(manifest.items().len(), 0, "every case is excluded until a person decides");
    assert!(manifest.cases.iter().all(|case| case.split == Split::Exclude));
    let last = manifest
        .cases
        .iter()
        .find(|case| case.fields.get("ct").is_some_and(|ct| ct.files == Some(12_345_678)))
        .unwrap();
    assert_eq!(last.fields["ct"].declared.as_deref(), Some("0000000000000000"), "digits alone are quoted");
    assert_eq!(last.fields["gold"].declared.as_deref(), Some("abababababababab"));
    assert!(manifest.root.ends_with("data/../scans"));
    assert!(render(&pairing, "Dr. X", ".").is_err());
    assert!(render(&pairing, "", ".").is_ok(), "ids may be numbers alone");
    assert_eq!(render(&pairing, "c", ".").unwrap(), render(&pairing, "c", ".").unwrap());
}

#[test]
fn the_schema_names_every_field() {
    let schema = schema();
    for field in super::field::FILES {
        assert!(schema["$defs"][field]["properties"]["path"].is_object(), "{field}");
    }
}

#[test]
fn ten_thousand_cases_are_read_in_linear_time() {
    let mut text = "manifest: 1\ncases:\n".to_owned();
    for case in 0..10_000 {
        text.push_str(&format!("  c{case:05}: {{ split: train, ct: {{ path: c/{case}, blake3: {case:016x} }} }}\n"));
    }
    let start = std::time::Instant::now();
    assert_eq!(parse(&text).unwrap().items().len(), 10_000);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    println!("10,000 cases in {:?}", start.elapsed());
}
