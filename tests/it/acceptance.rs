//! What the runner promises, promise by promise: the number in each name is that of the list in the documentation of the
//! runner. Counts, never seconds. `CALVARIA_TRIALS=1000` makes the trials of 06 as many.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::door::{Room, files_below};

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

/// Copies a folder with all in it.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files_below(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

/// How many records of executions a store holds.
fn executions(store: &Path) -> usize {
    files_below(&store.join("ac")).len()
}

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

fn wait(mut child: Child) -> i32 {
    child.wait().unwrap().code().unwrap_or(-1)
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
    let mut child = room.start(&["run", "-j", "1"]);
    thread::sleep(Duration::from_millis(700));
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(executions(&room.path(".calvaria")), 1, "the program that ran was waited for, and no other begun");

    room.write(
        "pipelines/words.yaml",
        fs::read_to_string(room.path("pipelines/words.yaml")).unwrap().replace("s: 1.5", "s: 30"),
    );
    let child = room.start(&["run", "-j", "1"]);
    thread::sleep(Duration::from_millis(700));
    let begun = Instant::now();
    send(&child, "-TERM");
    thread::sleep(Duration::from_millis(200));
    send(&child, "-TERM");
    assert_eq!(wait(child), 143);
    assert!(begun.elapsed() < Duration::from_secs(10));
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
    // However long the machine takes to begin, but not for ever.
    let began = || fs::read_to_string(&events).is_ok_and(|events| events.contains("\"started\""));
    for _ in 0..1500 {
        if began() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(began(), "the run does not begin");
    let said = two.run(&["gc", "--yes", "--store", store]);
    assert_eq!(said.code, Some(6), "a run uses the store: {}", said.err);
    assert_eq!(wait(child), 0);
}

#[test]
fn commands_see_what_they_declare_and_nothing_else() {
    let room = study();
    room.write("data/secret.txt", "secret");
    let path = room.path("data/secret.txt");
    let text = PIPELINE.replace("argv: [sort, '{in.raw}']", &format!("argv: [cat, '{}']", path.display()));
    room.write("pipelines/words.yaml", text);
    let said = room.run(&["run"]);
    if said.code == Some(0) {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("ended with exit code 1") && said.err.contains("Permission denied"), "{}", said.err);
    let log = room.ok(&["log", "--item", "sorted@a"]);
    assert!(log.contains("Permission denied"), "{log}");
    edited(&room, "argv: [sort, '{in.raw}']", "argv: [env]");
    run(&room);
    let environment = fs::read_to_string(room.path("results/words/table.txt")).unwrap();
    assert!(!environment.contains("CARGO") && !environment.contains("USER="), "{environment}");
}

#[test]
fn commands_that_fail_say_how() {
    for (argv, words) in [
        ("[no-such-program-here]", &["no-such-program-here", "PATH"][..]),
        ("['false']", &["`false` ended with exit code 1"]),
        ("['true']", &["is empty"]),
    ] {
        let room = study();
        edited(&room, "argv: [sort, '{in.raw}']", &format!("argv: {argv}"));
        let said = room.run(&["run"]);
        assert!(matches!(said.code, Some(2 | 3)), "{}", said.err);
        for word in words {
            assert!(said.err.contains(word), "{argv}: `{word}` is missing in {}", said.err);
        }
    }
    let room = study();
    edited(&room, "    publish: table\n", "    publish: table\n    resources: { timeout_s: 0.3 }\n");
    let text = fs::read_to_string(room.path("pipelines/words.yaml")).unwrap();
    room.write("pipelines/words.yaml", text.replace("argv: [cat, '{in.rows}']", "argv: [sleep, 60]"));
    let said = room.run(&["run"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("not done after 0.3 s"), "{}", said.err);
    for (from, to, words) in [
        ("'{in.raw}'", "'{in.ram}'", &["`{in.ram}` is not declared", "did you mean `raw`"][..]),
        ("argv: [sort,", "argv: [/usr/bin/sort,", &["absolute path"]),
        ("stdout: text\n  head", "stdout: txet\n  head", &["there is no output `txet`"]),
        ("file: model.txt", "file: ../model.txt", &["plain file name"]),
    ] {
        edited(&room, from, to);
        room.refuses(&["run"], 2, words);
    }
}

#[test]
fn a_script_and_a_program_are_part_of_the_key() {
    let room = study();
    let program = room.path("pipelines/tool");
    let script = "#!/bin/sh\nexec sort \"$@\"\n";
    room.write("pipelines/tool", script);
    let executable = || {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    };
    executable();
    edited(
        &room,
        "argv: [sort, '{in.raw}']",
        "argv: [./tool, '{in.raw}', '{file.extra}']\n      files: { extra: extra.txt }",
    );
    room.write("pipelines/extra.txt", "zero\n");
    assert_eq!(run(&room), (NODES, 0));
    let text = String::from_utf8(lock(&room)).unwrap();
    assert!(text.contains("file ./tool") && text.contains("file extra.txt"), "{text}");
    assert!(!text.contains(room.path("").to_str().unwrap()), "no absolute path");
    assert_eq!(run(&room).0, 0);
    room.write("pipelines/extra.txt", "aaa\n");
    assert_eq!(run(&room).0, NODES);
    room.write("pipelines/tool", format!("{script}# changed\n"));
    executable();
    assert_eq!(run(&room).0, 3, "another program, the same bytes");
    assert_eq!(room.run(&["check"]).code, Some(0));
}

#[test]
fn parts_of_a_study_are_run_as_asked() {
    let room = study();
    let only = room.run(&["run", "apply", "--only"]);
    assert_eq!(only.code, Some(5), "what it needs is not there: {}", only.err);
    assert_eq!(counts(&room.json(&["run", "head@c", "--json"])), (2, 0));
    assert_eq!(counts(&room.json(&["run", "--until", "learn", "--json"])).0, 2 + 2 + 1);
    let plan = room.json(&["run", "-n", "--json", "--from", "learn"]);
    assert_eq!(
        (plan["cached"].as_u64(), plan["run"].as_u64(), plan["maybe"].as_u64()),
        (Some(1), Some(1), Some(1)),
        "{plan}"
    );
    assert_eq!(counts(&room.json(&["run", "--from", "apply", "--json"])).0, 2);
    assert!(room.path("results/words/table.txt").exists());
    assert_eq!(counts(&room.json(&["run", "results/words/table.txt", "--only", "--force", "--json"])), (1, 0));
    assert_eq!(counts(&room.json(&["run", "'s*'".trim_matches('\''), "--force", "--json"])), (3, 0));
    room.refuses(&["status", "tabl"], 2, &["did you mean `table`?"]);
    room.ok(&["run", "--locked"]);
    assert_eq!(room.run(&["run", "--frozen"]).code, Some(0));
    fs::remove_dir_all(room.path(".calvaria/ac")).unwrap();
    fs::remove_file(room.path(".calvaria/index/records")).unwrap();
    assert_eq!(room.run(&["run", "--frozen"]).code, Some(5));
}

#[test]
fn a_result_that_no_stage_publishes_is_told_and_left() {
    let room = study();
    room.ok(&["run"]);
    edited(&room, "publish: table", "publish: other");
    let said = room.run(&["run"]);
    assert!(said.err.contains("stale: no stage publishes `table.txt`"), "{}", said.err);
    assert!(room.path("results/words/table.txt").exists());
}
