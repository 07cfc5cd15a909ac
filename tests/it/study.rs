//! A whole study in small: run, run again, change, revert, kill, and look into it.

use std::{fs, thread, time::Duration};

use serde_json::Value;

use crate::door::Room;

const PIPELINE: &str = "calvaria: 1
name: small
seed: 7
manifest: ../data-manifests/small.yaml
vars: { epochs: 1 }
stages:
  phantom:
    uses: phantom
    foreach: cases
    params: { size: [32, 32, 12], spacing_mm: [6.0, 6.0, 13.0], gold_mm: 4.0 }
  align:
    uses: align
    foreach: cases
    with: { ct: phantom.ct, mesh: phantom.gold, defect: phantom.defect }
    params: { accept: { median_mm: 4.0, inlier_share: 0.1 } }
  voxelize:
    uses: voxelize
    foreach: cases
    with: { mesh: align.mesh, like: phantom.ct }
  train:
    uses: train
    matrix: { seed: [1, 2] }
    with:
      ct: { collect: phantom.ct, over: train }
      label: { collect: voxelize.label, over: train }
    params: { depth: 3, epochs: $epochs }
  infer:
    uses: infer
    foreach: test
    with: { model: train.model, ct: phantom.ct }
  threshold:
    uses: threshold
    foreach: test
    with: { ct: phantom.ct }
    params: { hu: 250 }
  surface:
    uses: surface
    foreach: test
    matrix:
      method: { msdnet: infer.label, threshold: threshold.label }
    with: { volume: $method }
  compare:
    uses: compare
    foreach: test
    with: { pred_label: $method, pred_mesh: surface.mesh, gold_label: voxelize.label, gold_mesh: align.mesh, defect: align.defect, align: align.transform }
  table1:
    uses: table
    with: { rows: { collect: compare.row } }
    params: { baseline: threshold, beside: paper }
    publish: table1
";

const MANIFEST: &str = "manifest: 1\ncases:\n  a: { split: train }\n  b: { split: train }\n  c: { split: test }\n";

fn study() -> Room {
    let room = Room::new();
    room.write("pipelines/small.yaml", PIPELINE);
    room.write("data-manifests/small.yaml", MANIFEST);
    room
}

/// How many nodes ran and how many came from the store.
fn counts(summary: &Value) -> (u64, u64) {
    (summary["run"].as_u64().unwrap(), summary["cached"].as_u64().unwrap())
}

#[test]
fn a_second_run_executes_nothing_and_changes_no_byte() {
    let room = study();
    let first = room.json(&["run", "--json"]);
    let nodes = 3 * 3 + 2 + 2 + 1 + 3 + 3 + 1;
    assert_eq!(counts(&first), (nodes, 0), "{first}");
    for name in ["table1.csv", "table1.md", "table1.tex", "table1.json"] {
        assert!(room.path("results/small").join(name).exists(), "{name} is missing");
    }
    let kept = |room: &Room| {
        let mut files = room.contents();
        files.retain(|path, _| !path.to_string_lossy().contains("/.calvaria/runs/"));
        files
    };
    let before = kept(&room);
    let second = room.json(&["run", "--json", "--locked"]);
    assert_eq!(counts(&second), (0, nodes), "{second}");
    assert!(before == kept(&room), "a run that executes nothing changed a file");
}

#[test]
fn only_what_a_change_reaches_runs_and_a_revert_runs_nothing() {
    let room = study();
    room.ok(&["run"]);
    let lock = fs::read(room.path("pipelines/small.lock")).unwrap();
    room.write(
        "pipelines/small.yaml",
        format!("# a comment\n{}", PIPELINE.replace("  threshold:\n    uses", "  threshold:   # why not\n    uses")),
    );
    assert_eq!(counts(&room.json(&["run", "--json"])).0, 0, "a comment runs nothing");
    room.write("pipelines/small.yaml", PIPELINE.replace("hu: 250", "hu: 251"));
    let changed = room.json(&["run", "--json"]);
    assert!((1..=4).contains(&counts(&changed).0), "threshold, its surface and comparison, the table: {changed}");
    room.write("pipelines/small.yaml", PIPELINE);
    assert_eq!(counts(&room.json(&["run", "--json"])).0, 0, "a revert restores");
    assert_eq!(fs::read(room.path("pipelines/small.lock")).unwrap(), lock);
}

#[test]
fn one_thread_and_two_give_the_same_lock() {
    let locks: Vec<Vec<u8>> = ["1", "2"]
        .iter()
        .map(|jobs| {
            let room = study();
            room.ok(&["run", "-j", jobs]);
            fs::read(room.path("pipelines/small.lock")).unwrap()
        })
        .collect();
    assert!(locks[0] == locks[1], "the lock depends on the number of threads");
}

#[test]
fn a_training_killed_at_any_time_ends_with_the_same_weights() {
    let room = study();
    room.ok(&["phantom", "--case", "1,2", "--set", "size=[48,48,16]", "--set", "spacing_mm=[4,4,10]", "-o", "heads"]);
    let train = |output: &str| {
        ["train", "--manifest", "heads/manifest.yaml", "--set", "depth=8", "--set", "epochs=6", "-o", output]
            .map(str::to_owned)
    };
    let arguments = train("whole.safetensors");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    room.ok(&arguments);
    let whole = fs::read(room.path("whole.safetensors")).unwrap();

    let arguments = train("killed.safetensors");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for pause_ms in [120, 200, 350] {
        let mut child = room.start(&arguments);
        thread::sleep(Duration::from_millis(pause_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    room.ok(&arguments);
    assert!(fs::read(room.path("killed.safetensors")).unwrap() == whole, "the weights differ after kill -9");
    assert!(!room.path("killed.safetensors.partial").exists());

    let mut single = train("single.safetensors").to_vec();
    single.extend(["-j".to_owned(), "1".to_owned()]);
    room.ok(&single.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(fs::read(room.path("single.safetensors")).unwrap() == whole, "the weights depend on the threads");
}

#[test]
fn the_commands_that_look_change_nothing() {
    let room = study();
    let before = room.contents();
    let plan = room.json(&["plan", "--json"]);
    assert_eq!(plan["run"].as_u64().unwrap() + plan["maybe"].as_u64().unwrap(), 21, "{plan}");
    assert!(plan["estimate"]["bytes"].as_u64().unwrap() > 0, "{plan}");
    room.ok(&["status"]);
    assert_eq!(room.run(&["status", "--exit-code"]).code, Some(1));
    let drawn = room.ok(&["dag", "--format", "mermaid"]);
    assert!(drawn.contains("train") && drawn.contains("×"), "{drawn}");
    let schema = room.json(&["schema", "pipeline"]);
    assert!(schema.to_string().contains("epochs"));
    assert!(room.ok(&["show", "train", "--params"]).contains("epochs"));
    assert!(before == room.contents(), "a command that looks wrote something");

    room.ok(&["run"]);
    assert_eq!(room.run(&["status", "--exit-code"]).code, Some(0));
    assert!(room.ok(&["table"]).contains("DSC"));
    assert!(room.ok(&["log"]).lines().count() >= 1);
}

#[test]
fn a_failing_case_does_not_stop_the_others_and_the_table_says_n_of_n() {
    let room = study();
    let strict = PIPELINE.replace("median_mm: 4.0", "median_mm: 1.0e-9");
    room.write("pipelines/small.yaml", strict);
    let said = room.run(&["run"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("align@a") && said.err.contains("does not fit"), "{}", said.err);
    assert!(!room.path("results/small/table1.csv").exists(), "a table of an incomplete study was published");
    let failed = room.ok(&["log", "--failed"]);
    assert!(failed.contains("align@a"), "{failed}");
}
