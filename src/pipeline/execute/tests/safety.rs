//! Killed runs, damaged bytes, two processes at once, stages that are not deterministic.

use std::time::Duration;

use super::*;
use crate::pipeline::key::StageKey;

#[test]
fn what_a_killed_run_left_is_removed_and_its_checkpoints_are_found() {
    let mut study = Study::new(&["11"]);
    study.node("read@p01").op = fake("read", input("raw", Arity::One), output("text", "text.txt"), |_, _, job| {
        fs::write(job.scratch.join("epoch-1"), "x").unwrap();
        Err(Fault::unfit("killed"))
    });
    study.try_run(&()).unwrap();
    let root = study.dir.path().join(".calvaria");
    let key = fs::read_dir(root.join("partial")).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    // As after a kill: a workspace with a half-written output, a record that was not renamed, a lock file, a torn index.
    fs::create_dir_all(root.join("tmp").join(format!("{key}.1.0/out/text"))).unwrap();
    fs::write(root.join("tmp").join(format!("{key}.1.0/out/text/text.txt")), "1").unwrap();
    fs::write(root.join("tmp").join(format!("{key}.1.1")), "{").unwrap();
    fs::write(root.join("locks").join(format!("{key}.lock")), "1").unwrap();
    fs::write(root.join("index/records"), "0123456789abcdef {\"key\":").unwrap();

    let resumed = |_: &Fake, _: &Value, job: &Job<'_>| {
        assert!(job.scratch.join("epoch-1").exists(), "checkpoints survive");
        write(job, "text", "11")
    };
    study.node("read@p01").op = fake("read", input("raw", Arity::One), output("text", "text.txt"), resumed);
    assert_eq!(study.run().1.fault, None);
    for folder in ["tmp", "partial", "locks"] {
        assert_eq!(fs::read_dir(root.join(folder)).unwrap().count(), 0, "{folder}");
    }
    // Killed between the record and the removal of the checkpoints.
    fs::create_dir_all(root.join("partial").join(&key)).unwrap();
    fs::write(root.join("partial").join(&key).join("epoch-2"), "x").unwrap();
    assert_eq!(study.run().1.report.summary().cached, 3);
    assert_eq!(fs::read_dir(root.join("partial")).unwrap().count(), 0);
}

#[test]
fn the_work_of_a_living_process_is_left_alone() {
    let study = Study::new(&["11"]);
    study.run();
    let store = study.store();
    let key = StageKey(Digest::of_bytes(b"another stage"));
    let lease = store.try_lease(&format!("{key}.lock")).unwrap().unwrap();
    let workspace = store.workspace(&key).unwrap();
    study.run();
    assert!(workspace.path().exists());
    drop(lease);
    study.run();
    assert!(!workspace.path().exists(), "now it is dead");
}

#[test]
fn a_flipped_byte_is_found_when_it_is_read_and_made_again() {
    let mut study = Study::new(&["11", "12"]);
    study.run();
    let table = study.table();
    let blob = study.blob("tens@p01", "tens");
    flip(&blob);
    assert_eq!(study.run().0, [0, 0, 0], "nothing reads it");
    study.node("join").params = json!({"title": "other"});
    let heard = Heard::default();
    let before = study.ops.counts();
    assert_eq!(study.try_run(&heard).unwrap().fault, None);
    assert_eq!(study.ops.counts()[1] - before[1], 1, "made again from its input");
    assert_eq!(heard.count("healing"), 1);
    assert_eq!(fs::read(&blob).unwrap(), b"1");
    assert_eq!(study.table(), table);
    assert_eq!(fs::read_dir(study.dir.path().join(".calvaria/trash")).unwrap().count(), 1);
}

#[test]
fn damage_goes_up_the_chain_as_far_as_it_must() {
    let mut study = Study::new(&["11"]);
    study.run();
    flip(&study.blob("read@p01", "text"));
    flip(&study.blob("tens@p01", "tens"));
    study.node("join").params = json!({});
    assert_eq!(study.run().0, [1, 1, 1]);
    fs::remove_file(study.blob("tens@p01", "tens")).unwrap();
    assert_eq!(study.run().0, [0, 1, 0], "a missing blob is seen without reading");
}

#[test]
fn a_damaged_result_is_not_published() {
    let study = Study::new(&["11"]);
    study.run();
    flip(&study.blob("join", "table").join("table.csv"));
    let published = study.places().results.join("table1.csv");
    fs::remove_file(&published).unwrap();
    let (executed, finished) = study.run();
    assert_eq!((executed, finished.fault), ([0, 0, 1], None));
    assert_eq!(study.table(), "p01,1\n");
    fs::write(&published, "edited").unwrap();
    assert_eq!(study.run().1.published, ["table1.csv"], "an edited result is put right");
}

#[test]
fn damaged_records_and_index_cost_work_at_most() {
    let study = Study::new(&["11"]);
    study.run();
    let lock = study.lock();
    let index = study.dir.path().join(".calvaria/index/records");
    for at in (0..fs::read(&index).unwrap().len()).step_by(97) {
        let mut bytes = fs::read(&index).unwrap();
        bytes[at] ^= 4;
        fs::write(&index, &bytes).unwrap();
        assert_eq!(study.run().0, [0, 0, 0], "the record itself is whole");
    }
    fs::remove_file(&index).unwrap();
    for folder in fs::read_dir(study.dir.path().join(".calvaria/ac")).unwrap().flatten() {
        flip(&folder.path().join("1.json"));
    }
    assert_eq!(study.run().0, [1, 1, 1]);
    assert_eq!(study.lock(), lock);
}

#[test]
fn two_runs_at_once_execute_each_stage_once() {
    let mut study = Study::new(&["11", "12", "13", "14"]);
    for case in ["p01", "p02", "p03", "p04"] {
        study.node(&format!("read@{case}")).params = json!({"add": 0, "name": case});
    }
    let slow = fake("slow", input("raw", Arity::One), output("text", "text.txt"), |_, params, job| {
        std::thread::sleep(Duration::from_millis(30));
        write(job, "text", &format!("{}0", params["name"].as_str().unwrap().trim_start_matches("p0")))
    });
    for i in 0..study.plan.nodes.len() {
        if study.plan.nodes[i].stage == "read" {
            study.plan.nodes[i].op = slow;
        }
    }
    let heard = Heard::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(study.try_run(&heard).unwrap().fault, None));
        }
    });
    assert_eq!(slow.count.load(Ordering::SeqCst), 4);
    assert_eq!(study.ops.counts(), [0, 4, 1]);
    assert!(heard.count("waiting") > 0);
}

#[test]
fn a_lock_that_is_not_free_in_time_is_exit_6() {
    let mut study = Study::new(&["11"]);
    study.options.lock_timeout = Some(Duration::ZERO);
    let (_, finished) = study.run();
    let key = finished.report.results[0].as_ref().unwrap().key;
    let store = study.store();
    let _lease = store.try_lease(&format!("{key}.lock")).unwrap().unwrap();
    study.options.force = [0].into();
    assert_eq!(kind_of(&study.run().1).unwrap().exit_code(), 6);
}

#[test]
fn a_stage_that_is_not_deterministic_is_told_and_its_first_result_kept() {
    let mut study = Study::new(&["11"]);
    let clock = fake("clock", input("raw", Arity::One), output("text", "text.txt"), |fake, _, job| {
        write(job, "text", &format!("{}0", fake.count.load(Ordering::SeqCst)))
    });
    study.node("read@p01").op = clock;
    let (_, finished) = study.run();
    let first = finished.report.results[0].clone().unwrap();
    study.options.force = [0].into();
    let heard = Heard::default();
    let finished = study.try_run(&heard).unwrap();
    assert_eq!(clock.count.load(Ordering::SeqCst), 2);
    assert_eq!(heard.count("conflict"), 1);
    assert_eq!(kind_of(&finished).unwrap().exit_code(), 4);
    assert_eq!(finished.report.results[0].as_ref().unwrap().outputs, first.outputs, "the first counts");
    assert_eq!(study.store().records(&first.key).len(), 2, "both are kept");
    study.options.force.clear();
    let finished = study.try_run(&()).unwrap();
    assert_eq!((finished.fault, finished.report.summary().conflicts), (None, 1), "and still told");
    study.options.force = [1].into();
    assert_eq!(study.run().1.fault, None, "a deterministic stage may be forced");
}

#[test]
fn a_store_that_cannot_be_written_is_a_clean_fault() {
    let study = Study::new(&["11"]);
    fs::write(study.dir.path().join(".calvaria"), "a file").unwrap();
    let fault = Store::open(&study.dir.path().join(".calvaria")).unwrap_err();
    assert_eq!(fault.kind, Kind::Unfit);
    fs::remove_file(study.dir.path().join(".calvaria")).unwrap();
    fs::create_dir(study.dir.path().join(".calvaria")).unwrap();
    fs::write(study.dir.path().join(".calvaria/format"), "calvaria store 9\n").unwrap();
    let fault = Store::open(&study.dir.path().join(".calvaria")).unwrap_err();
    assert_eq!(fault.kind, Kind::Usage);
    fs::write(study.dir.path().join(".calvaria/format"), "calvaria store 1\n").unwrap();
    // A file in place of the folder of blobs: every commit fails, also for root, whom no permission stops.
    study.store().prepare().unwrap();
    fs::remove_dir(study.dir.path().join(".calvaria/cas")).unwrap();
    fs::write(study.dir.path().join(".calvaria/cas"), "").unwrap();
    let fault = study.try_run(&()).unwrap_err();
    assert_eq!(fault.kind, Kind::Unfit);
    assert!(fault.place.is_some());
}
