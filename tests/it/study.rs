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

#[test]
fn acceptance_08_training_in_the_store_killed_at_any_step_ends_with_the_same_bytes() {
    let part = PIPELINE.split_once("  infer:").unwrap().0.replace("depth: 3", "depth: 8");
    let part = part.replace("epochs: 1", "epochs: 6").replace("seed: [1, 2]", "seed: [1]");
    let room = |text: &str| {
        let room = Room::new();
        room.write("pipelines/small.yaml", text);
        room.write("data-manifests/small.yaml", MANIFEST);
        room
    };
    let whole = room(&part);
    whole.ok(&["run"]);
    let lock = fs::read(whole.path("pipelines/small.lock")).unwrap();
    let killed = room(&part);
    killed.ok(&["run", "phantom", "align", "voxelize"]);
    let mut checkpoints = 0;
    for pause_ms in [150, 250, 400, 300, 200] {
        let mut child = killed.start(&["run"]);
        thread::sleep(Duration::from_millis(pause_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        checkpoints += usize::from(!crate::door::files_below(&killed.path(".calvaria/partial")).is_empty());
    }
    killed.ok(&["run"]);
    assert!(fs::read(killed.path("pipelines/small.lock")).unwrap() == lock, "another model after kill -9");
    assert!(crate::door::files_below(&killed.path(".calvaria/partial")).is_empty(), "checkpoints are left");
    println!("{checkpoints} of 5 kills left checkpoints");
}

/// Five rows that were measured elsewhere, and a table of them.
const ROWS: &str = "calvaria: 1
name: small
seed: 7
manifest: ../data-manifests/small.yaml
stages:
  measured:
    uses: command
    foreach: test
    with: { row: case.label }
    params:
      argv: [cp, '{in.row}', '{out.row}']
      outputs: { row: { kind: row, file: row.json } }
  table1:
    uses: table
    with: { rows: { collect: measured.row } }
    publish: table1
";

#[test]
fn acceptance_15_a_table_of_four_of_five_says_so() {
    let room = Room::new();
    room.write("pipelines/small.yaml", ROWS);
    let case = |n: usize| format!("  p{n}: {{ split: test, label: {{ path: p{n}.json }} }}\n");
    room.write(
        "data-manifests/small.yaml",
        format!("manifest: 1\nroot: ../data\ncases:\n{}", (1..6).map(case).collect::<String>()),
    );
    for n in 1..6 {
        room.write(&format!("data/p{n}.json"), format!("{{\"status\": \"ok\", \"dsc\": 0.9{n}}}\n"));
    }
    room.write("data/p4.json", "no row");
    let said = room.run(&["run"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("measured@p4") && said.err.contains("is no row"), "{}", said.err);
    assert!(!room.path("results/small/table1.md").exists(), "a table of an incomplete set");
    room.write("pipelines/small.yaml", format!("{ROWS}    allow_missing: 1\n"));
    assert_eq!(room.run(&["run"]).code, Some(3), "the case has failed all the same");
    let table = fs::read_to_string(room.path("results/small/table1.md")).unwrap();
    assert!(table.contains("4 of 5") && table.contains("p4"), "{table}");
    room.write("data/p4.json", "{\"status\": \"ok\", \"dsc\": 0.94}\n");
    room.ok(&["run"]);
    let table = fs::read_to_string(room.path("results/small/table1.md")).unwrap();
    assert!(table.contains("5 of 5") && !table.contains("4 of 5"), "{table}");
}

#[test]
fn a_table_of_a_cross_validation_has_one_row_a_case() {
    let room = Room::new();
    let case = |n: usize| format!("  p{n}: {{ split: train, label: {{ path: p{n}.json }} }}\n");
    let cases: String = (1..5).map(case).collect();
    room.write("data-manifests/small.yaml", format!("manifest: 1\nroot: ../data\ncases:\n{cases}"));
    for n in 1..5 {
        room.write(&format!("data/p{n}.json"), format!("{{\"status\": \"ok\", \"dsc\": 0.9{n}}}\n"));
    }
    let mut tables = Vec::new();
    for folds in ["{ k: 2 }", "{ leave_out: 1 }", "{ leave_out: 2 }"] {
        let text = ROWS.replace("foreach: test", "foreach: fold.test");
        room.write("pipelines/small.yaml", text.replace("stages:\n", &format!("folds: {folds}\nstages:\n")));
        room.ok(&["run"]);
        let table = fs::read_to_string(room.path("results/small/table1.md")).unwrap();
        assert!(table.contains("4 of 4") && !table.contains("fold"), "{folds}: {table}");
        tables.push(table);
    }
    assert_eq!(tables[0], tables[1], "the same rows by other folds");
    assert!(tables[2].contains("mean of 6 seeds"), "a case is measured three times: {}", tables[2]);
}
