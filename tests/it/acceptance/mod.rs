//! What the runner promises, promise by promise: the number in each name is that of the list in the documentation of the
//! runner. Counts, never seconds. `CALVARIA_TRIALS=1000` makes the trials of 06 as many.

mod killed;
mod programs;
mod rerun;

use std::{fs, path::Path, process::Child, thread, time::Duration};

use serde_json::Value;

use crate::door::{Room, copy, files_below};

/// Three cases through programs that every system has: `sort`, `head`, `cat`.
const PIPELINE: &str = "calvaria: 1
name: words
seed: 1
manifest: ../data-manifests/words.yaml
vars: { lines: 2 }
stages:
  sorted:
    uses: command
    foreach: cases
    with: { raw: case.label }
    params:
      argv: [sort, '{in.raw}']
      outputs: { text: { kind: text, file: text.txt } }
      stdout: text
  head:
    uses: command
    foreach: cases
    with: { text: sorted.text }
    params:
      argv: [head, -n, $lines, '{in.text}']
      outputs: { text: { kind: text, file: text.txt } }
      stdout: text
  learn:
    uses: command
    with: { texts: { collect: head.text, over: train } }
    params:
      argv: [cat, '{in.texts}']
      outputs: { model: { kind: words, file: model.txt } }
      stdout: model
  apply:
    uses: command
    foreach: test
    with: { model: learn.model, text: head.text }
    params:
      argv: [cat, '{in.text}', '{in.model}']
      outputs: { row: { kind: line, file: row.txt } }
      stdout: row
  table:
    uses: command
    with: { rows: { collect: apply.row } }
    params:
      argv: [cat, '{in.rows}']
      outputs: { table: { kind: text, file: table.txt } }
      stdout: table
    publish: table
";

/// Nodes of [`PIPELINE`] with two cases to learn from and one to test on.
const NODES: u64 = 3 + 3 + 1 + 1 + 1;

fn manifest(cases: &[(&str, &str)]) -> String {
    let case = |(id, split): &(&str, &str)| format!("  {id}: {{ split: {split}, label: {{ path: {id}.txt }} }}\n");
    format!("manifest: 1\nroot: ../data\ncases:\n{}", cases.iter().map(case).collect::<String>())
}

fn words(room: &Room) {
    room.write("pipelines/words.yaml", PIPELINE);
    room.write("data-manifests/words.yaml", manifest(&[("a", "train"), ("b", "train"), ("c", "test")]));
    for (case, text) in [("a", "one\nthree\nfive\n"), ("b", "two\nfour\nsix\n"), ("c", "seven\neight\nnine\n")] {
        room.write(&format!("data/{case}.txt"), text);
    }
}

fn study() -> Room {
    let room = Room::new();
    words(&room);
    room
}

/// How many nodes ran and how many came from the store.
fn counts(summary: &Value) -> (u64, u64) {
    (summary["run"].as_u64().unwrap(), summary["cached"].as_u64().unwrap())
}

fn run(room: &Room) -> (u64, u64) {
    counts(&room.json(&["run", "--json"]))
}

fn lock(room: &Room) -> Vec<u8> {
    fs::read(room.path("pipelines/words.lock")).unwrap()
}

fn edited(room: &Room, from: &str, to: &str) {
    assert!(PIPELINE.contains(from), "{from}");
    room.write("pipelines/words.yaml", PIPELINE.replace(from, to));
}

/// How many records of executions a store holds.
fn executions(store: &Path) -> usize {
    files_below(&store.join("ac")).len()
}

fn wait(mut child: Child) -> i32 {
    child.wait().unwrap().code().unwrap_or(-1)
}

/// Waits until a stage executes, however long the machine takes to begin, but not for ever.
fn await_started(events: &Path, stage: &str) {
    let started = || {
        let told = fs::read_to_string(events).unwrap_or_default();
        told.lines().any(|line| line.contains("\"started\"") && line.contains(stage))
    };
    for _ in 0..1500 {
        if started() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("`{stage}` does not begin");
}

#[test]
fn acceptance_10_a_stage_that_is_not_deterministic_is_a_conflict() {
    let room = study();
    edited(&room, "argv: [head, -n, $lines, '{in.text}']", "argv: [date, '+%N']");
    run(&room);
    let before = lock(&room);
    let said = room.run(&["run", "--force", "head@c"]);
    assert_eq!(said.code, Some(4), "{}", said.err);
    assert!(said.err.contains("head@c") && said.err.contains("not deterministic"), "{}", said.err);
    assert!(lock(&room) == before, "the first result is kept");
    let told = room.json(&["run", "--json"]);
    assert_eq!((counts(&told).0, told["conflicts"].as_u64()), (0, Some(1)), "{told}");
    let said = room.run(&["verify", "--rerun=head"]);
    assert_eq!(said.code, Some(4), "{}", said.err);
    assert_eq!(room.run(&["run", "--force", "sorted"]).code, Some(0), "a deterministic stage may be forced");
}

#[test]
fn acceptance_11_a_flipped_byte_is_found_by_verify_and_healed_by_run() {
    let room = study();
    run(&room);
    let before = lock(&room);
    for path in files_below(&room.path(".calvaria/cas")).into_keys() {
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let said = room.run(&["verify"]);
        assert_eq!(said.code, Some(4), "{} {}", said.out, said.err);
        assert!(said.out.contains("damaged"), "{}", said.out);
        assert!(run(&room).0 >= 1, "made again");
        assert_eq!(room.run(&["verify"]).code, Some(0));
    }
    room.write("results/words/table.txt", "edited");
    assert_eq!(room.run(&["verify"]).code, Some(4));
    assert_eq!(run(&room).0, 0);
    assert_eq!(room.run(&["verify"]).code, Some(0), "an edited result is put right");
    room.write("data/a.txt", "other\n");
    assert_eq!(room.run(&["verify"]).code, Some(4), "an input");
    assert!(lock(&room) == before);
}

#[test]
fn acceptance_13_check_needs_no_data() {
    let room = study();
    run(&room);
    let clone = Room::new();
    for folder in ["pipelines", "data-manifests"] {
        copy(&room.path(folder), &clone.path(folder));
    }
    assert_eq!(clone.run(&["check"]).code, Some(0), "{}", clone.run(&["check"]).err);
    edited(&clone, "lines: 2", "lines: 3");
    let said = clone.run(&["check"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.contains("head@a"), "{}", said.out);
    clone.write("pipelines/words.yaml", "stages: [");
    assert_eq!(clone.run(&["check"]).code, Some(2));
    assert!(!clone.path(".calvaria").exists());
}

#[test]
fn acceptance_14_one_person_on_both_sides_is_refused_with_both_names() {
    let room = study();
    run(&room);
    let text = manifest(&[("a", "train"), ("b", "train"), ("c", "test")]);
    let text =
        text.replace("{ split: train, label: { path: b.txt", "{ split: train, subject: s7, label: { path: b.txt");
    room.write("data-manifests/words.yaml", text.replace("{ split: test", "{ split: test, subject: s7"));
    room.refuses(&["run"], 2, &["`b` (train)", "`c` (test)", "`s7`"]);
    let folds = "folds: { k: 3 }\nstages:\n";
    room.write("pipelines/words.yaml", PIPELINE.replace("stages:\n", folds));
    let text = manifest(&[("a", "train"), ("b", "train"), ("c", "train")]);
    room.write("data-manifests/words.yaml", text.replace("{ split: train", "{ split: train, subject: s7"));
    room.refuses(&["run"], 2, &["`a`", "`b`", "together: subject"]);
}

#[test]
fn acceptance_15_a_failed_case_stops_the_table_or_is_counted() {
    let room = study();
    let many = manifest(&[("a", "train"), ("b", "test"), ("c", "test"), ("d", "test")]);
    room.write("data-manifests/words.yaml", many);
    room.write("data/d.txt", "");
    let said = room.run(&["run"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("sorted@d"), "{}", said.err);
    assert!(!room.path("results/words").exists() && !room.path("pipelines/words.lock").exists());
    edited(&room, "    publish: table\n", "    publish: table\n    allow_missing: 1\n");
    assert_eq!(room.run(&["run"]).code, Some(3), "the case still failed");
    assert_eq!(fs::read_to_string(room.path("results/words/table.txt")).unwrap().lines().count(), 2 * 4);
    let failed = room.ok(&["log", "--failed"]);
    assert!(failed.contains("sorted@d"), "{failed}");
}

#[test]
fn acceptance_18_collecting_garbage_never_takes_what_a_run_or_another_project_needs() {
    let (one, two) = (study(), study());
    two.write("pipelines/words.yaml", PIPELINE.replace("lines: 2", "lines: 1"));
    let store = one.path("shared");
    let store = store.to_str().unwrap();
    one.ok(&["run", "--store", store]);
    let shared = two.json(&["run", "--json", "--store", store]);
    assert_eq!(counts(&shared).1, 3, "the sorted texts are shared");
    // The second changes its mind: what only its old state needed is garbage, what the first needs is not.
    two.write("pipelines/words.yaml", PIPELINE.replace("lines: 2", "lines: 3"));
    two.ok(&["run", "--store", store]);
    let its = one.path("pipelines/words.lock");
    let gone = two.json(&["gc", "--yes", "--json", "--store", store, "--lock", its.to_str().unwrap()]);
    assert!(gone["records"].as_u64().unwrap() > 0, "{gone}");
    for room in [&one, &two] {
        assert_eq!(counts(&room.json(&["run", "--json", "--store", store])), (0, NODES));
        assert_eq!(room.run(&["verify", "--store", store]).code, Some(0));
    }

    let slow = Room::new();
    words(&slow);
    let sleeper = PIPELINE.replace("  learn:\n", "  nap:\n    uses: command\n    params: { argv: [sleep, 5], outputs: { none: { kind: none, file: none.txt, optional: true } } }\n  learn:\n");
    slow.write("pipelines/words.yaml", sleeper);
    let events = slow.path("events.jsonl");
    let child = slow.start(&["run", "--store", store, "--events", events.to_str().unwrap()]);
    await_started(&events, "nap");
    let said = two.run(&["gc", "--yes", "--store", store]);
    assert_eq!(said.code, Some(6), "a run uses the store: {}", said.err);
    assert_eq!(wait(child), 0);
}
