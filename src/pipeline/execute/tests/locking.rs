//! The lock file.

use super::*;
use crate::pipeline::lockfile::Lock;

#[test]
fn the_lock_is_the_same_for_any_number_of_jobs_and_in_any_folder() {
    let numbers = ["11", "22", "33", "44", "55", "66"];
    let locks: Vec<(String, String)> = [1, 4]
        .into_iter()
        .map(|jobs| {
            let mut study = Study::new(&numbers);
            study.options.jobs = jobs;
            assert_eq!(study.run().1.fault, None);
            (study.lock(), study.table())
        })
        .collect();
    assert_eq!(locks[0], locks[1]);
}

#[test]
fn the_lock_reads_back_and_its_chain_is_closed() {
    let mut study = Study::new(&["11", "22"]);
    study.plan.overrides.insert("vars.add".into(), json!(0));
    study.run();
    let text = study.lock();
    let lock = Lock::read(&study.places().lock).unwrap().unwrap();
    assert_eq!(lock.to_text(), text);
    assert_eq!(lock.overrides["vars.add"], "0");
    let join = &lock.entries["join"];
    assert_eq!(join.inputs[1].source, "tens@p02.tens");
    assert_eq!(join.inputs[1].digest, lock.entries["tens@p02"].outputs["tens"]);
    assert_eq!(lock.entries["read@p01"].inputs[0].source, "case p01.raw");
    let ids: Vec<&str> = text.lines().filter(|line| line.contains('@') && !line.starts_with(' ')).collect();
    assert!(ids.is_sorted());
    assert!(text.ends_with('\n'));
}

#[test]
fn every_damaged_line_is_refused_with_its_number_or_changes_the_lock() {
    let study = Study::new(&["11"]);
    study.run();
    let path = study.places().lock;
    let text = study.lock();
    let lock = Lock::read(&path).unwrap().unwrap();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty()) {
        fs::write(&path, text.replacen(line, "<<<<<<< HEAD", 1)).unwrap();
        let fault = Lock::read(&path).map(|read| assert_ne!(read, Some(lock.clone()), "{line}"));
        if let Err(fault) = fault {
            assert_eq!(fault.kind, Kind::Usage);
            assert!(fault.place.is_some(), "line {number}");
        }
    }
}

#[test]
fn locked_runs_refuse_a_change_and_name_its_cause() {
    let mut study = Study::new(&["11", "12"]);
    study.run();
    let (lock, table) = (study.lock(), study.table());
    study.rule = LockRule::Check;
    assert_eq!(study.run().1.fault, None);
    study.node("read@p02").params = json!({"add": 30});
    let finished = study.run().1;
    let fault = finished.fault.unwrap();
    assert_eq!(fault.kind.exit_code(), 1);
    assert_eq!(fault.what, r#"the lock file would change: read@p02: params {"add":0} -> {"add":30}"#);
    assert_eq!((study.lock(), study.table()), (lock, table), "nothing was written");
}

#[test]
fn stages_that_are_gone_leave_the_lock() {
    let mut study = Study::new(&["11", "12"]);
    study.run();
    study.plan.nodes.pop();
    study.run();
    assert!(!study.lock().contains("\njoin\n"));
}
