//! What runs again after a change, and what does not: promises 01 to 05.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{NODES, PIPELINE, counts, edited, lock, manifest, run, study, words};
use crate::door::{Room, copy, files_below};

#[test]
fn acceptance_01_what_is_up_to_date_executes_nothing_and_reads_no_result() {
    let room = study();
    assert_eq!(run(&room), (NODES, 0));
    // Nothing of what is stored needs to be read to see that all is done: garbage of the right length is not noticed.
    let blobs = files_below(&room.path(".calvaria/cas"));
    let (path, bytes) = blobs.into_iter().find(|(_, bytes)| bytes == b"five\none\nthree\n").unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, vec![b'#'; bytes.len()]).unwrap();
    assert_eq!(run(&room), (0, NODES));
    let plan = room.json(&["plan", "--json"]);
    assert_eq!((plan["run"].as_u64(), plan["maybe"].as_u64()), (Some(0), Some(0)), "{plan}");
    assert_eq!(room.run(&["status", "--exit-code"]).code, Some(0));
    assert!(room.ok(&["explain"]).contains("up to date"));
}

#[test]
fn acceptance_02_touched_checked_out_again_and_copied_runs_nothing() {
    let room = study();
    assert_eq!(run(&room), (NODES, 0));
    let before = lock(&room);
    words(&room);
    assert_eq!(run(&room), (0, NODES), "the same bytes with other times");
    let other = Room::new();
    copy(&room.path("."), &other.path("moved"));
    let there = other.json(&["-C", "moved", "run", "--json"]);
    assert_eq!(counts(&there), (0, NODES), "in another folder");
    assert!(fs::read(other.path("moved/pipelines/words.lock")).unwrap() == before);
}

#[test]
fn acceptance_03_only_what_reads_a_change_runs() {
    let room = study();
    run(&room);
    edited(
        &room,
        "  head:\n    uses: command\n    foreach: cases\n",
        "  # why\n  head:\n    foreach: cases\n    uses: command\n",
    );
    assert_eq!(run(&room), (0, NODES), "a comment and another order of keys");
    room.write("pipelines/words.yaml", PIPELINE.replace("head:", "first:").replace("head.", "first."));
    assert_eq!(run(&room), (0, NODES), "another name of a stage");
    room.write("pipelines/words.yaml", PIPELINE);
    assert_eq!(counts(&room.json(&["run", "--json", "-j", "1"])).0, 0, "another number of threads");
    // Three lines are all that there are: nothing after `head` can tell 4 from 3.
    edited(&room, "lines: 2", "lines: 3");
    assert_eq!(run(&room).0, 3 + 1 + 1 + 1);
    edited(&room, "lines: 2", "lines: 4");
    assert_eq!(run(&room), (3, NODES - 3), "early cutoff");
}

#[test]
fn acceptance_04_a_reverted_parameter_restores_and_executes_nothing() {
    let room = study();
    run(&room);
    let (before, table) = (lock(&room), fs::read(room.path("results/words/table.txt")).unwrap());
    edited(&room, "lines: 2", "lines: 1");
    assert!(run(&room).0 > 0);
    assert!(fs::read(room.path("results/words/table.txt")).unwrap() != table);
    room.write("pipelines/words.yaml", PIPELINE);
    assert_eq!(run(&room), (0, NODES));
    assert!(lock(&room) == before && fs::read(room.path("results/words/table.txt")).unwrap() == table);
}

#[test]
fn acceptance_05_one_more_test_case_runs_its_own_stages_and_the_table() {
    let room = study();
    run(&room);
    let before = room.json(&["status", "--json"]);
    room.write("data/d.txt", "ten\neleven\n");
    room.write("data-manifests/words.yaml", manifest(&[("a", "train"), ("b", "train"), ("c", "test"), ("d", "test")]));
    assert_eq!(run(&room), (4, NODES - 1), "sorted, head and apply of d, and the table");
    let keys = |status: &Value| -> BTreeMap<String, String> {
        let items = status["items"].as_array().unwrap().iter();
        items.map(|item| (item["item"].as_str().unwrap().to_owned(), item["key"].to_string())).collect()
    };
    let after = keys(&room.json(&["status", "--json"]));
    for (item, key) in keys(&before).into_iter().filter(|(item, _)| item != "table") {
        assert_eq!(after[&item], key, "{item}");
    }
    room.write("data/e.txt", "twelve\n");
    room.write(
        "data-manifests/words.yaml",
        manifest(&[("a", "train"), ("b", "train"), ("c", "test"), ("d", "test"), ("e", "train")]),
    );
    assert_eq!(run(&room).0, 2 + 1 + 2 + 1, "a training case changes the model and what follows");
}
