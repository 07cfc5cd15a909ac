//! Runs that are killed, interrupted or beside each other: promises 06 and 07.

use std::{
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use super::{NODES, PIPELINE, await_started, counts, edited, executions, lock, manifest, run, study, wait};
use crate::door::{Room, files_below};

/// Forty-one nodes: three for each of nine cases, a model, two more for each of six, and a table.
fn forty(room: &Room) {
    let ids: Vec<String> = (1..=9).map(|n| format!("c{n}")).collect();
    let cases: Vec<(&str, &str)> =
        ids.iter().enumerate().map(|(n, id)| (id.as_str(), if n < 3 { "train" } else { "test" })).collect();
    for id in &ids {
        room.write(&format!("data/{id}.txt"), format!("{id}\nz\ny\nx\n"));
    }
    let more = PIPELINE.replace(
        "  learn:\n",
        "  third:\n    uses: command\n    foreach: cases\n    with: { text: head.text }\n    params:\n      argv: [sort, -r, '{in.text}']\n      \
         outputs: { text: { kind: text, file: text.txt } }\n      stdout: text\n  learn:\n",
    );
    let more = more.replace("collect: head.text", "collect: third.text").replace(
        "text: head.text }\n    params:\n      argv: [cat",
        "text: third.text }\n    params:\n      argv: [cat",
    );
    let more = more.replace(
        "  table:\n",
        "  again:\n    uses: command\n    foreach: test\n    with: { row: apply.row }\n    params:\n      argv: [sort, '{in.row}']\n      \
         outputs: { row: { kind: line, file: row.txt } }\n      stdout: row\n  table:\n",
    );
    let more = more.replace("collect: apply.row", "collect: again.row");
    room.write("pipelines/words.yaml", more);
    room.write("data-manifests/words.yaml", manifest(&cases));
}

#[test]
fn acceptance_06_killed_at_any_time_the_next_run_ends_with_the_same_lock() {
    let trials: usize = std::env::var("CALVARIA_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    let room = Room::new();
    forty(&room);
    // In memory, where there is any: what is tested is not the speed of the disk's sync.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let store = folder.path().join("store");
    let named = store.to_str().unwrap();
    let begun = Instant::now();
    let nodes = counts(&room.json(&["run", "--json", "--store", named]));
    let whole = begun.elapsed();
    assert_eq!(nodes, (9 * 3 + 1 + 6 + 6 + 1, 0));
    let (right, table) = (lock(&room), fs::read(room.path("results/words/table.txt")).unwrap());

    let (mut killed, mut finished, mut draw) = (0, 0, 0x2545_f491_u64);
    while killed < trials {
        for gone in [store.clone(), room.path("results")] {
            fs::remove_dir_all(gone).unwrap();
        }
        fs::remove_file(room.path("pipelines/words.lock")).unwrap();
        // As many kills as it takes to get through: later ones fall upon the later stages.
        for _ in 0..12 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let share = (draw >> 33) as f64 / f64::from(1_u32 << 31);
            let mut child = room.start(&["run", "--store", named]);
            thread::sleep(whole.mul_f64(share));
            if child.try_wait().unwrap().is_some() {
                finished += 1;
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        let said = room.run(&["run", "--store", named]);
        assert_eq!(said.code, Some(0), "after {killed} kills: {}", said.err);
        assert!(lock(&room) == right, "another lock after {killed} kills");
        assert!(fs::read(room.path("results/words/table.txt")).unwrap() == table);
        assert_eq!(room.run(&["verify", "--store", named]).code, Some(0), "after {killed} kills");
        for folder in ["tmp", "locks", "trash"] {
            assert!(files_below(&store.join(folder)).is_empty(), "{folder} after {killed} kills");
        }
    }
    println!("{killed} kills, {finished} runs that were quicker");
}

#[test]
fn acceptance_06_a_store_that_cannot_be_written_is_said_and_left_as_it_is() {
    let room = study();
    room.write("store", "a file");
    let said = room.run(&["run", "--store", "store"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert_eq!(fs::read(room.path("store")).unwrap(), b"a file");
    assert_eq!(run(&room), (NODES, 0));
}

#[test]
fn acceptance_07_two_runs_at_once_execute_each_stage_once() {
    let room = Room::new();
    forty(&room);
    let both = [room.start(&["run"]), room.start(&["run"])];
    assert_eq!(both.map(wait), [0, 0]);
    let nodes = room.json(&["run", "--json"])["cached"].as_u64().unwrap();
    assert_eq!(executions(&room.path(".calvaria")) as u64, nodes, "one record a stage");
}

#[test]
fn acceptance_07_a_first_interrupt_lets_a_program_finish_and_a_second_ends_all() {
    let room = study();
    edited(&room, "argv: [sort, '{in.raw}']", "argv: [sleep, 1]");
    room.write(
        "pipelines/words.yaml",
        PIPELINE
            .replace(
                "argv: [sort, '{in.raw}']\n      outputs: { text: { kind: text, file: text.txt } }\n      stdout: text",
                "argv: [sleep, $s]\n      outputs: { text: { kind: text, file: text.txt, optional: true } }",
            )
            .replace("vars: {", "vars: { s: 1.5,"),
    );
    let send = |child: &Child, signal: &str| {
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    };
    let events = [room.path("one.jsonl"), room.path("two.jsonl")];
    let told = events.each_ref().map(|path| path.to_str().unwrap());
    let mut child = room.start(&["run", "-j", "1", "--events", told[0]]);
    await_started(&events[0], "sorted");
    thread::sleep(Duration::from_millis(300));
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(executions(&room.path(".calvaria")), 1, "the program that ran was waited for, and no other begun");

    room.write(
        "pipelines/words.yaml",
        fs::read_to_string(room.path("pipelines/words.yaml")).unwrap().replace("s: 1.5", "s: 30"),
    );
    let child = room.start(&["run", "-j", "1", "--events", told[1]]);
    await_started(&events[1], "sorted");
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    send(&child, "-TERM");
    thread::sleep(Duration::from_millis(200));
    send(&child, "-TERM");
    assert_eq!(wait(child), 143);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
