//! Programs as stages, parts of a study, results that are left.

use std::fs;

use super::{NODES, PIPELINE, counts, edited, lock, run, study};

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
