//! Pipelines that are wrong: each with the sentence, the letters that the caret underlines, and the hint.

use super::fakes::{HEAD, OPS, QUICK, items, plan, plan_with};
use crate::{
    fault::{Fault, Kind},
    pipeline::{diagnose::Source as File, spec::Spec},
};

/// Returns the last underlined stretch of a fault's snippet.
fn underlined(fault: &Fault) -> String {
    let snippet = fault.snippet.clone().unwrap_or_default();
    let lines: Vec<&str> = snippet.lines().collect();
    let Some([.., text, carets]) = lines.get(lines.len().saturating_sub(2)..) else { return String::new() };
    let from = carets.chars().position(|c| c == '^').unwrap_or(0);
    let length = carets.chars().filter(|&c| c == '^').count();
    text.chars().skip(from).take(length).collect()
}

/// Returns what is wrong with a fault that should say, show and advise something.
fn complaint(fault: &Fault, says: &str, shows: &str, advises: &str) -> Option<String> {
    let hint = fault.hint.clone().unwrap_or_default();
    let right = fault.kind == Kind::Usage && fault.what.contains(says) && hint.contains(advises);
    let right = right && fault.snippet.is_some() && (shows.is_empty() || underlined(fault) == shows);
    (!right).then(|| format!("expected `{says}`, `{shows}`, `{advises}`; got\n{fault}"))
}

/// `QUICK` with one piece replaced; then what the fault says, shows and advises.
const SLIPS: &[(&str, &str, &str, &str, &str)] = &[
    // Words.
    ("uses: threshold", "uses: treshold", "no op `treshold`", "treshold", "did you mean `threshold`?"),
    ("    uses: align\n", "    use: align\n", "unknown key `use` in the stage `align`", "use", "did you mean `uses`?"),
    (
        "foreach: test, with: { ct",
        "foreach: tests, with: { ct",
        "`tests` is not a group",
        "tests",
        "did you mean `test`?",
    ),
    (
        "foreach: test, with: { ct",
        "foreach: site=C, with: { ct",
        "no case of the manifest is in `site=C`",
        "site=C",
        "A, B",
    ),
    ("foreach: test, with: { ct", "foreach: sit=A, with: { ct", "is in `sit=A`", "sit=A", "did you mean `site`?"),
    ("foreach: test, with: { ct", "foreach: validation, with: { ct", "in `validation`", "validation", "test, train"),
    ("like: phantom.ct", "like: phantm.ct", "no stage `phantm`", "phantm.ct", "did you mean `phantom`?"),
    ("like: phantom.ct", "like: phantom.cts", "(phantom) has no output `cts`", "phantom.cts", "did you mean `ct`?"),
    ("like: phantom.ct", "like: case.cct", "has a field `cct`", "case.cct", "did you mean `ct`?"),
    ("like: phantom.ct", "lik: phantom.ct", "`voxelize` has no input `lik`", "lik", "did you mean `like`?"),
    (", like: phantom.ct", "", "lacks the input `like`", "voxelize", "of kind ct or label"),
    ("like: phantom.ct", "like: phantom", "`phantom` names no output", "phantom", "stage.port"),
    ("like: phantom.ct", "like: 3", "a reference is expected here, not the number `3`", "3", ""),
    ("like: phantom.ct", "like: a.b.c", "`a.b.c` is not a reference", "a.b.c", "stage.port"),
    // Kinds and arity.
    (
        "like: phantom.ct",
        "like: phantom.gold",
        "`phantom.gold` is of kind mesh; the input `like` of `voxelize` takes ct or label",
        "phantom.gold",
        "",
    ),
    ("floor: voxelize.label", "floor: align.mesh", "`align.mesh` is of kind mesh; the input `volume`", "$method", ""),
    ("{ collect: compare.row }", "compare.row", "takes a list", "compare.row", "{ collect: compare.row }"),
    (
        "model: train.model",
        "model: { collect: train.model }",
        "takes one artifact, not a list of 3",
        "train.model",
        "`model: train.model`",
    ),
    (
        "    uses: surface\n    foreach: test\n",
        "    uses: surface\n",
        "exists once per case, and the stage `surface` runs once",
        "$method",
        "collect",
    ),
    (
        "label: { collect: voxelize.label, over: train }",
        "label: { collect: voxelize.label, ovr: train }",
        "unknown key `ovr`",
        "ovr",
        "`over`",
    ),
    (
        "label: { collect: voxelize.label, over: train }",
        "label: { over: train }",
        "`collect` is missing",
        "{",
        "collect",
    ),
    (
        "label: { collect: voxelize.label, over: train }",
        "label: { collect: threshold.label, over: train }",
        "does not exist for 2 of the cases to collect: p01, p02",
        "threshold.label",
        "collect over a group",
    ),
    (
        "label: { collect: voxelize.label, over: train }",
        "label: { collect: threshold.label, over: cases }",
        "for 2 of the cases to collect: p01, p02",
        "threshold.label",
        "`allow_missing: 2` in `train`",
    ),
    ("{ collect: compare.row }", "{ collect: table1.table }", "is of kind table", "table1.table", ""),
    (
        "foreach: test, with: { model",
        "foreach: train, with: { model",
        "the item surface@p03,method=msdnet finds no item of `infer`",
        "$method",
        "runs over `train` only",
    ),
    // Axes.
    ("with: { volume: $method }", "with: { volume: $metod }", "no axis `metod`", "$metod", "did you mean `method`?"),
    (
        "with: { volume: $method }",
        "with: { volume: $seed }",
        "the axis `seed` holds values, not references",
        "$seed",
        "params",
    ),
    (
        "with: { ct: phantom.ct } }",
        "with: { ct: phantom.ct }, matrix: { seed: [1, 2] } }",
        "the axis `seed` is declared again with other values",
        "seed",
        "another name",
    ),
    ("matrix: { seed: [1, 2, 3] }", "matrix: { seed: [1, 2, 1] }", "has the value `1` twice", "1", ""),
    ("matrix: { seed: [1, 2, 3] }", "matrix: { seed: [] }", "the axis `seed` has no value", "[", ""),
    (
        "matrix: { seed: [1, 2, 3] }",
        "matrix: { seed: [a] }",
        "a whole number from 0 is expected, not the text `a`",
        "a",
        "",
    ),
    (
        "matrix: { seed: [1, 2, 3] }",
        "matrix: { seed: 3 }",
        "a list of values, or a mapping name -> reference, is expected",
        "3",
        "",
    ),
    (
        "matrix: { seed: [1, 2, 3] }",
        "matrix: { x: [\"a,b\"] }",
        "`a,b` cannot be the value of an axis",
        "\"a,b\"",
        "item ids",
    ),
    ("pred_mesh: surface.mesh\n", "\n", "the item compare@p03 has no axis `method`", "$method", "along edges"),
    // Values.
    ("depth: $depth", "depth: $dept", "no variable or axis `dept`", "$dept", "did you mean `depth`?"),
    ("depth: $depth", "depth: ${depth}", "did not find expected ','", "{", "without braces"),
    ("depth: $depth", "depth: \"${depth}\"", "names no variable", "\"${depth}\"", "without braces"),
    ("by: $method }", "by: a-$method }", "no interpolation inside text", "a-$method", ""),
    ("depth: $depth", "dept: $depth", "the op `train` has no parameter `dept`", "dept", "did you mean `depth`?"),
    (
        "depth: $depth",
        "depth: deep",
        "parameter `depth` of `train`: invalid type: string \"deep\", expected u32",
        "deep",
        "calvaria show train --params",
    ),
    ("depth: $depth", "depth: 20.5", "parameter `depth` of `train`", "20.5", ""),
    (
        "depth: 20,",
        "depth: -1,",
        "parameter `depth` of `train`: invalid value: integer `-1`, expected u32 (`$depth` is -1 by line 5)",
        "$depth",
        "",
    ),
    (
        "depth: 20,",
        "depth: 2000,",
        "parameter `depth` of `train`: is above 1000 (`$depth` is 2000 by line 5)",
        "$depth",
        "",
    ),
    ("lr: 1.0e-3", "lr: .nan", "the number is not finite", ".nan", ""),
    ("rule: even-odd", "rule: evenodd", "unknown variant `evenodd`", "evenodd", "did you mean `even-odd`?"),
    ("{ median_mm: 1.0 }", "{ median: 1.0 }", "has no parameter `median`", "median", ""),
    ("{ median_mm: 1.0 }", "{ median_mm: -1.0 }", "parameter `accept.median_mm` of `align`: is below 0", "-1.0", ""),
    ("{ median_mm: 1.0 }", "{ median_mm: [] }", "parameter `accept.median_mm` of `align`", "[", ""),
    ("[5, $near_mm, 20]", "[5, $near_mm, x]", "parameter `near_mm` of `compare`", "[", ""),
    ("depth: 20,", "depth: [1],", "text, a finite number, `true` or `false` is expected, not a list", "[", ""),
    ("depth: 20,", "2x: 20,", "`2x` cannot name a variable", "2x", "a letter"),
    ("depth: 20,", "depth: $near_mm,", "a variable cannot stand for another", "$near_mm", ""),
    // Stages.
    (
        "like: phantom.ct",
        "like: voxelize.label",
        "need each other in a circle: voxelize <- voxelize",
        "voxelize.label",
        "",
    ),
    ("like: phantom.ct", "like: infer.label", "in a circle: ", "", ""),
    ("  table1:\n", "  case:\n", "`case` cannot name a stage", "case", "meaning of its own"),
    ("  table1:\n", "  \"a b\":\n", "`a b` cannot name a stage", "\"a b\"", "a letter"),
    ("  table1:\n", "  align:\n", "duplicate key `align`", "align", "line 8"),
    ("publish: table1", "publish: ../up", "`../up` is not a name", "../up", "a letter"),
    ("publish: table1", "frozen: yes", "`true` or `false` is expected, not the text `yes`", "yes", ""),
    ("publish: table1", "allow_missing: -1", "a whole number from 0 is expected", "-1", ""),
    ("publish: table1", "resources: { memory_gb: 0 }", "a number above 0 is expected", "0", ""),
    ("publish: table1", "resources: { gpus: 1 }", "unknown key `gpus` in `resources`", "gpus", "`gpu`"),
    (
        "publish: table1",
        "publish: a\n  t2: { uses: table, with: { rows: { collect: compare.row } }, publish: a }",
        "two stages publish under the name `a`",
        "a",
        "",
    ),
    // YAML.
    ("depth: 20", "depth: &d 20", "anchors (`&`) and aliases", "20", "vars"),
    ("depth: 20", "depth: *d", "anchors (`&`) and aliases", "*", "vars"),
    ("    uses: align\n", "    uses: align\n    <<: { a: 1 }\n", "merge keys", "<<", "write the keys out"),
    ("    uses: align\n", "\tuses: align\n", "a tab indents this line", "u", "spaces"),
    ("    uses: align\n", "   uses: align\n", "", "", ""),
    ("depth: 20", "depth: !foo 20", "unsupported tag `!foo`", "20", ""),
    ("with: { volume: $method }", "with: { volume: $method", "", "", ""),
];

#[test]
fn every_slip_in_the_study_is_pointed_at() {
    let mut wrong_ones = Vec::new();
    for &(right, wrong, says, shows, advises) in SLIPS {
        assert!(QUICK.contains(right), "`{right}` is not in the study");
        let found = match plan(&QUICK.replacen(right, wrong, 1)) {
            Ok(_) => Some("it was accepted".to_owned()),
            Err(fault) => complaint(&fault, says, shows, advises),
        };
        wrong_ones.extend(found.map(|found| format!("{right} -> {wrong}\n{found}\n")));
    }
    assert!(wrong_ones.is_empty(), "{}", wrong_ones.join("\n"));
}

/// Whole files; what the fault says, where, and what it advises.
const FILES: &[(&str, &str, &str, &str)] = &[
    ("", "the pipeline is empty", "p.yaml:1:1", "calvaria: 1"),
    ("# nothing\n", "the pipeline is empty", "p.yaml:1:1", "calvaria: 1"),
    ("- a\n", "a mapping (a pipeline) is expected, not a list", "p.yaml:1:1", ""),
    ("calvaria: 2\nnew_key: 1\n", "written for file format 2", "p.yaml:1:11", "reads format 1"),
    ("calvaria: one\n", "a whole number from 0 is expected", "p.yaml:1:11", ""),
    ("name: x\n", "`calvaria` is missing", "p.yaml:1:1", "begins with `calvaria: 1`"),
    ("manifest: 1\ncases: {}\n", "is a manifest, not a pipeline", "p.yaml:1:1", ""),
    ("calvaria: 1\nnam: x\n", "unknown key `nam` in a pipeline", "p.yaml:2:1", "did you mean `name`?"),
    ("calvaria: 1\nname: x\nseed: 1\nmanifest: m\n", "`stages` is missing", "p.yaml:1:1", ""),
    ("calvaria: 1\nname: x\nseed: 1\nmanifest: m\nstages: {}\n", "has no stage", "p.yaml:5:9", ""),
    ("calvaria: 1\nname: x\nseed: 1\nmanifest: m\nstages: []\n", "a mapping (the stages by name)", "p.yaml:5:9", ""),
    (
        "calvaria: 1\nname: x\nseed: 1\nstages: { a: { uses: b } }\n",
        "`manifest` is missing",
        "p.yaml:1:1",
        "manifest: ",
    ),
    ("calvaria: 1\nname: x\nmanifest: m\nstages: { a: { uses: b } }\n", "`seed` is missing", "p.yaml:1:1", "seed: 1"),
    ("calvaria: 1\nname: ../x\nseed: 1\nmanifest: m\nstages: { a: { uses: b } }\n", "is not a name", "p.yaml:2:7", ""),
    ("calvaria: 1\nname: x\nseed: -1\nmanifest: m\nstages: { a: { uses: b } }\n", "a whole number", "p.yaml:3:7", ""),
    (
        "calvaria: 1\nname: x\nseed: 1\nmanifest: m\nstages: { a: { with: {} } }\n",
        "does not say what it uses",
        "p.yaml:5:11",
        "",
    ),
    ("calvaria: 1\ncalvaria: 1\n", "duplicate key `calvaria`", "p.yaml:2:1", "line 1"),
    ("calvaria: 1\n---\ncalvaria: 1\n", "a second YAML document", "p.yaml:2:1", ""),
    ("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "deeper than 24", "p.yaml:1", ""),
    ("calvaria: \"x\u{0}\"\n", "unexpected character", "p.yaml:1:13", ""),
];

#[test]
fn files_that_are_no_pipeline_are_refused_at_the_place() {
    for &(text, says, place, advises) in FILES {
        let fault = Spec::parse(File::new("p.yaml", text), &[], None).unwrap_err();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.what.contains(says), "{text:?}: {fault}");
        assert!(fault.place.clone().unwrap_or_default().starts_with(place), "{text:?}: {fault}");
        assert!(fault.hint.clone().unwrap_or_default().contains(advises), "{text:?}: {fault}");
    }
}

#[test]
fn overrides_that_name_nothing_are_refused_with_the_option_as_place() {
    for (key, value, says, advises) in [
        ("vars.dept", "3", "no variable `dept`", "did you mean `depth`?"),
        ("vars.depth", "[1]", "one word or number", ""),
        ("vars.depth", "{", "is not YAML", ""),
        ("vars.depth", "$near_mm", "write the value itself", ""),
        ("depth", "3", "`depth` names nothing", "vars.<name>"),
        ("trian.depth", "3", "no stage `trian`", "train"),
        ("train.dept", "3", "has no parameter `dept`", "did you mean `depth`?"),
        ("train.depth", "deep", "parameter `depth` of `train`: invalid type", ""),
        ("train.depth.x", "1", "in a value that is no mapping", ""),
        ("align.accept.median_mm", "-3", "is below 0", ""),
    ] {
        let fault = plan_with(QUICK, &[(key, value)]).map(|_| ()).unwrap_err();
        assert!(fault.what.contains(says), "{key}={value}: {fault}");
        let place = fault.place.clone().unwrap_or_default();
        assert!(place.starts_with(&format!("--set {key}=")) || place.starts_with("--set train.depth"), "{fault}");
        assert!(fault.hint.clone().unwrap_or_default().contains(advises), "{key}={value}: {fault}");
    }
    let fault = plan_with(QUICK, &[("vars.depth", "5000")]).map(|_| ()).unwrap_err();
    assert!(fault.what.ends_with("is above 1000 (`$depth` is 5000 by --set)"), "{fault}");
}

#[test]
fn a_whole_message_reads_like_this() {
    let fault = plan(&QUICK.replacen("epth: $depth", "epht: $depth", 1)).map(|_| ()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the op `train` has no parameter `depht`\n  --> p.yaml:20:15\n   |\n\
         20 |     params: { depht: $depth, lr: 1.0e-3 }\n   |               ^^^^^\n  \
         help: known: accept, by, depth, lr, near_mm, rule"
    );
}

#[test]
fn a_manifest_that_is_not_there_is_said_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yaml");
    std::fs::write(&file, format!("{HEAD}{QUICK}")).unwrap();
    let fault = crate::pipeline::load(&file, &[], None).unwrap_err();
    assert!(
        fault.what.starts_with("there is no manifest") && fault.place.clone().unwrap().ends_with("p.yaml:4:11"),
        "{fault}"
    );
    let fault = crate::pipeline::load(&file, &[], Some("/nowhere/m.yaml".as_ref())).unwrap_err();
    assert_eq!(fault.place.as_deref(), Some("--manifest"));
    std::fs::write(folder.path().join("m.yaml"), "").unwrap();
    let spec = crate::pipeline::load(&file, &[], None).unwrap();
    assert!(super::expand(&spec, &items(), OPS).is_ok());

    std::fs::write(&file, b"calvaria: 1\nname: \xff\n").unwrap();
    let fault = crate::pipeline::load(&file, &[], None).unwrap_err();
    assert!(fault.what.contains("not UTF-8") && fault.place.unwrap().ends_with("p.yaml:2"));
    std::fs::write(&file, b"\xff\xfec\0a\0").unwrap();
    assert!(crate::pipeline::load(&file, &[], None).unwrap_err().what.contains("UTF-16"));
    let fault = crate::pipeline::load(folder.path(), &[], None).unwrap_err();
    assert!(fault.what.contains("is a folder") && fault.kind == Kind::Usage);
    assert_eq!(crate::pipeline::load("/nowhere".as_ref(), &[], None).unwrap_err().kind, Kind::Usage);
}

#[test]
fn no_truncated_or_mangled_file_panics() {
    let text = format!("{HEAD}{QUICK}");
    let try_it = |text: String| {
        if let Ok(spec) = Spec::parse(File::new("p.yaml", text), &[], None) {
            drop(super::expand(&spec, &items(), OPS));
        }
    };
    for end in (0..text.len()).step_by(7) {
        try_it(text[..end].to_owned());
    }
    for (at, with) in (0..text.len()).step_by(5).zip("{}[]:,$&*'\"|>-#%@!~\t\n é".chars().cycle()) {
        try_it(format!("{}{with}{}", &text[..at], &text[at + 1..]));
    }
}
