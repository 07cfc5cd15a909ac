//! The commands around a study: audit, diff, pack, replay, doctor, schemas. One small study is run once and copied.

mod pack;
mod schemas;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use calvaria::pipeline::{
    lockfile::Lock,
    store::{Store, measure},
};
use serde_json::Value;

use crate::door::{Room, Said, copy, files_below};

const PIPELINE: &str = "calvaria: 1
name: tiny
seed: 7
manifest: ../data-manifests/tiny.yaml
vars: { hu: 250 }
stages:
  phantom:
    uses: phantom
    foreach: cases
    params: { size: [24, 24, 10], spacing_mm: [8.0, 8.0, 16.0], gold_mm: 5.0 }
  train:
    uses: train
    with:
      ct: { collect: phantom.ct, over: train }
      label: { collect: phantom.label, over: train }
    params: { depth: 2, epochs: 1, digest_every: 1 }
  threshold:
    uses: threshold
    foreach: test
    with: { ct: phantom.ct }
    params: { hu: $hu }
  surface:
    uses: surface
    foreach: test
    with: { volume: threshold.label }
  compare:
    uses: compare
    foreach: test
    with: { pred_label: threshold.label, gold_label: phantom.label }
  table1:
    uses: table
    with: { rows: { collect: compare.row } }
    publish: table1
";
const MANIFEST: &str = "manifest: 1\ncases:\n  a: { split: train }\n  b: { split: test }\n";

/// The study after its first run.
fn finished() -> &'static Path {
    static FINISHED: OnceLock<PathBuf> = OnceLock::new();
    FINISHED.get_or_init(|| {
        // A static is never dropped: the next call of the tests clears what this one leaves.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("commands-study");
        for entry in walkdir::WalkDir::new(&folder).into_iter().filter_map(Result::ok) {
            if entry.file_type().is_dir() {
                fs::set_permissions(entry.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            }
        }
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("pipelines")).unwrap();
        fs::create_dir_all(folder.join("data-manifests")).unwrap();
        fs::write(folder.join("pipelines/tiny.yaml"), PIPELINE).unwrap();
        fs::write(folder.join("data-manifests/tiny.yaml"), MANIFEST).unwrap();
        let said = said(program(&folder, &["run", "--events", "events.jsonl"]));
        assert_eq!(said.code, Some(0), "{}", said.err);
        folder
    })
}

/// A copy of the finished study.
fn study() -> Room {
    let room = Room::new();
    copy(finished(), &room.path(""));
    room
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calvaria"));
    command.current_dir(folder).args(arguments).env_remove("CALVARIA_STORE").env_remove("CALVARIA_JOBS");
    command
}

fn said(mut command: Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Makes the store hold other bytes for an output, as if the stage had given them: blob, record and all.
fn forge(room: &Room, item: &str, port: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let lock = Lock::read(&room.path("pipelines/tiny.lock")).unwrap().unwrap();
    let entry = &lock.entries[item];
    let root = room.path(".calvaria");
    let store = Store::open(&root).unwrap();
    let mut record = store.records(&entry.key).remove(&1).unwrap();
    let mut bytes = fs::read(store.blob_path(&entry.outputs[port])).unwrap();
    change(&mut bytes);
    let forged = room.write("forged", &bytes);
    let tree = measure(&forged).unwrap();
    store.admit(&forged, &tree).unwrap();
    record.outputs.insert(port.to_owned(), tree.blob);
    fs::remove_dir_all(root.join("ac").join(entry.key.to_string())).unwrap();
    fs::remove_file(root.join("index/records")).unwrap();
    store.commit(&record).unwrap();
}

#[test]
fn acceptance_10_an_audit_names_stage_file_and_element() {
    let room = study();
    let before = room.contents();
    let sound = room.json(&["audit", "threshold", "surface", "--json"]);
    let verdicts: Vec<&str> =
        sound["outputs"].as_array().unwrap().iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.len() >= 3 && verdicts.iter().all(|verdict| *verdict == "equal"), "{sound}");
    let kept = |mut files: std::collections::BTreeMap<PathBuf, Vec<u8>>| {
        files.retain(|path, _| !path.ends_with("in-use"));
        files
    };
    assert!(kept(before) == kept(room.contents()), "an audit changed the study");

    forge(&room, "threshold@b", "label", |bytes| {
        let voxel = bytes.len() - 5;
        bytes[voxel] ^= 1;
    });
    let said = room.run(&["audit", "threshold"]);
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    for word in ["threshold@b.label", "differs", "voxel (19, 23, 9)", "at byte", "equal conditions"] {
        assert!(said.out.contains(word), "`{word}` is missing in\n{}", said.out);
    }
    assert!(said.err.contains("threshold@b gave other bytes for `label`"), "{}", said.err);
}

#[test]
fn a_diff_tells_parameters_results_and_where_it_begins() {
    let room = study();
    room.write("before.lock", fs::read(room.path("pipelines/tiny.lock")).unwrap());
    room.write("pipelines/tiny.yaml", PIPELINE.replace("hu: 250", "hu: 400"));
    room.ok(&["run"]);
    let same = room.run(&["diff", "pipelines/tiny.yaml", "pipelines/tiny.lock"]);
    assert_eq!((same.code, same.out.trim()), (Some(0), "no difference"), "{}", same.err);

    let said = room.run(&["diff", "pipelines/tiny.yaml", "before.lock", "--store", ".calvaria"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    for word in ["params.hu 400.0 -> 250.0", "first other result: threshold@b", "dsc", "compare@b"] {
        assert!(said.out.contains(word), "`{word}` is missing in\n{}", said.out);
    }
    let runs = room.json(&["log", "--json"])["runs"].clone();
    let run = |at: usize| runs[at]["run"].as_str().unwrap().to_owned();
    let found = room.run(&["diff", &run(1), &run(0), "--json"]);
    let found: Value = serde_json::from_str(&found.out).unwrap();
    let dsc = found["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == "dsc").unwrap();
    let case = &dsc["cases"][0];
    let difference = case["after"].as_f64().unwrap() - case["before"].as_f64().unwrap();
    assert_eq!(case["difference"].as_f64(), Some(difference));
    assert_eq!(found["locks"]["items"][0]["begins"], true);
    assert_eq!(room.run(&["diff", "nothing", "before.lock"]).code, Some(2));
}

#[test]
fn a_bisection_finds_the_step_at_which_two_trainings_part() {
    let (room, other) = (study(), study());
    let mut step = 0;
    forge(&other, "train", "history", |bytes| {
        let mut history: Value = serde_json::from_slice(bytes).unwrap();
        step = history["digests"][2]["step"].as_u64().unwrap();
        for digest in history["digests"].as_array_mut().unwrap().iter_mut().skip(2) {
            digest["weights_chain"] = "0".repeat(64).into();
        }
        *bytes = serde_json::to_vec(&history).unwrap();
    });
    other.ok(&["run"]);
    let lock = other.path("pipelines/tiny.lock");
    let said = room.run(&["diff", "pipelines/tiny.lock", lock.to_str().unwrap(), "--bisect"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(step, 3);
    assert!(said.out.contains("train: the weights differ first at step 3"), "{}", said.out);
    assert!(said.out.contains("the same key gave other bytes"), "{}", said.out);
}

#[test]
fn the_graph_the_log_and_items_can_be_looked_at() {
    let room = study();
    let text = room.ok(&["dag"]);
    assert!(text.contains("phantom ×2") && text.contains("-> results/tiny/table1"), "{text}");
    assert!(room.ok(&["dag", "--expand"]).contains("phantom@b"));
    assert!(room.ok(&["dag", "--format", "mermaid"]).starts_with("flowchart TD\n"));
    let dot = room.ok(&["dag", "--format", "dot", "--expand"]);
    assert!(dot.starts_with("digraph \"tiny\" {") && dot.trim_end().ends_with('}'), "{dot}");
    assert_eq!(room.ok(&["dag", "--format", "json"]), room.ok(&["dag", "--json"]));
    assert!(!text.contains("cached"), "{text}");
    let text = room.ok(&["dag", "--status"]);
    assert!(text.contains("phantom ×2  [2 cached]") && text.contains("results/tiny/table1  [cached]"), "{text}");
    let text = room.ok(&["dag", "--status", "--expand", "--format", "dot", "--set", "train.lr=0.5"]);
    assert!(text.contains("label=\"phantom@a\\ncached\"") && text.contains("label=\"train\\nrun\""), "{text}");
    let drawn = room.json(&["dag", "--status", "--json", "--set", "train.lr=0.5"]);
    let state =
        |id: &str| drawn["vertices"].as_array().unwrap().iter().find(|v| v["id"] == id).unwrap()["states"].clone();
    assert_eq!(state("train"), serde_json::json!({ "run": 1 }));
    assert_eq!(state("surface"), serde_json::json!({ "cached": 1 }));

    room.ok(&["run"]);
    let runs = room.json(&["log", "--json"])["runs"].clone();
    assert_eq!(runs.as_array().unwrap().len(), 2);
    assert_eq!(runs[0]["summary"]["ran"], 0, "the newest stands first");
    assert_eq!(room.json(&["log", "--last", "--json"])["runs"][0], runs[0], "the last is the newest");
    let first = runs[1]["run"].as_str().unwrap();
    assert!(room.ok(&["log", "--run", first, "--item", "train"]).contains("finished"));
    assert_eq!(runs[0]["lock"], runs[1]["lock"], "runs that change nothing keep one lock file");

    let item = room.ok(&["show", "threshold@b"]);
    let lock = Lock::read(&room.path("pipelines/tiny.lock")).unwrap().unwrap();
    let digest = lock.entries["threshold@b"].outputs["label"].to_string();
    for word in ["uses threshold", "tiny.yaml:17", "cached", "param   hu: 250.0", &digest] {
        assert!(item.contains(word), "`{word}` is missing in\n{item}");
    }
    room.refuses(&["show", "thresold"], 2, &["did you mean `threshold`"]);
}

#[test]
fn doctor_completions_and_manual_pages() {
    let room = study();
    fs::create_dir(room.path(&format!(".calvaria/tmp/{}.1.0", "ab".repeat(32)))).unwrap();
    let said = room.run(&["doctor"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for word in ["version", "cores", "GFLOP/s", "memory", "store", "1 left by runs that were killed"] {
        assert!(said.out.contains(word), "`{word}` is missing in\n{}", said.out);
    }
    room.write(".calvaria/format", "calvaria store 99\n");
    let said = room.run(&["doctor", "--no-measure"]);
    assert!(said.code == Some(3) && said.out.contains("another version"), "{}", said.out);

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = room.ok(&["completions", shell]);
        assert!(script.contains("audit") && script.contains("jobs"), "{shell}");
    }
    let pages = room.ok(&["man", "pages"]);
    assert!(pages.lines().count() > 30 && pages.contains("calvaria-model-import.1"), "{pages}");
    let page = fs::read_to_string(room.path("pages/calvaria-audit.1")).unwrap().replace("\\-", "-");
    assert!(page.contains("--vary") && !page.contains("--worker"), "{page}");
    room.ok(&["man", "again"]);
    let bytes = |folder| files_below(&room.path(folder)).into_values().collect::<Vec<_>>();
    assert_eq!(bytes("pages"), bytes("again"));

    let mut wrong = program(&room.path(""), &["schema"]);
    wrong.env("CALVARIA_SIMD", "avx3");
    assert_eq!(said_code(wrong), Some(2));
    let mut scalar = program(&room.path(""), &["schema"]);
    scalar.env("CALVARIA_SIMD", "scalar");
    assert_eq!(said_code(scalar), Some(0));
}

fn said_code(command: Command) -> Option<i32> {
    said(command).code
}

#[test]
fn events_tell_what_was_cached_and_what_failed() {
    let room = study();
    room.run(&["run", "--events", "again.jsonl", "--set", "train.validate_last=1"]);
    let events: Vec<Value> = fs::read_to_string(room.path("again.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes = |outcome: &str| events.iter().filter(|event| event["outcome"] == outcome).count();
    assert_eq!((outcomes("cached"), outcomes("ran"), outcomes("failed")), (6, 0, 1), "{events:?}");
}
