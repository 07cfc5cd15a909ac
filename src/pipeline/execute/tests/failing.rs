//! Failures of single nodes, and of everything.

use super::*;
use crate::pipeline::{record::Share, runs};

#[test]
fn a_failing_case_takes_down_what_needs_it_and_no_more() {
    let study = Study::new(&["11", "bad", "13"]);
    let (executed, finished) = study.run();
    assert_eq!(executed, [3, 2, 0]);
    assert_eq!(kind_of(&finished), Some(Kind::Unfit));
    let outcome = |id: &str| finished.report.outcomes[study.index(id)].clone();
    let Outcome::Failed(fault) = outcome("read@p02") else { panic!("it failed") };
    assert_eq!(fault.what, "read@p02: the file holds no number");
    assert!(matches!(outcome("tens@p02"), Outcome::Skipped { .. }));
    let why = "tens@p02 has no result, and only 2 of 3 are there";
    assert_eq!(outcome("join"), Outcome::Skipped { why: why.into() });
    assert!(!study.places().lock.exists(), "no lock of what never was complete");
    assert!(!study.places().results.exists());

    fs::write(study.raw(2), "12").unwrap();
    let (executed, finished) = study.run();
    assert_eq!((executed, finished.fault), ([1, 1, 1], None), "the others were kept");
}

#[test]
fn a_table_of_fewer_says_so() {
    let mut study = Study::new(&["11", "bad", "13"]);
    study.node("join").allow_missing = 1;
    let (executed, finished) = study.run();
    assert_eq!((executed, kind_of(&finished)), ([3, 2, 1], Some(Kind::Unfit)), "still a failed run");
    let result = finished.report.results[study.index("join")].clone().unwrap();
    assert_eq!(result.incomplete["rows"], Share { have: 2, of: 3 });
    assert_eq!(study.store().records(&result.key)[&1].incomplete["rows"], Share { have: 2, of: 3 });
    assert_eq!(study.table(), "p01,1\np02,-\np03,1\n", "who is missing is told");
}

#[test]
fn fail_fast_begins_nothing_more() {
    let mut study = Study::new(&["bad", "12", "13"]);
    study.options.fail_fast = true;
    assert_eq!(study.run().0, [1, 0, 0]);
}

#[test]
fn a_path_that_does_not_exist_stops_everything_before_it_begins() {
    let study = Study::new(&["11", "12"]);
    fs::remove_file(study.raw(2)).unwrap();
    let fault = study.try_run(&()).unwrap_err();
    assert_eq!(fault.kind.exit_code(), 2);
    assert_eq!(fault.what, "case p02: `raw`: cannot read: no such file or folder");
    assert!(fault.place.unwrap().ends_with("2.txt"));
    assert_eq!(study.ops.counts(), [0, 0, 0]);
    assert!(!study.dir.path().join(".calvaria").exists(), "nothing is written");
}

#[test]
fn content_that_is_not_as_declared_is_refused_with_both_digests() {
    let mut study = Study::new(&["11"]);
    let declare = |study: &mut Study, digest: &str| {
        let sources = study.node("read@p01").inputs.get_mut("raw").unwrap();
        if let Some(Source::Field { field, .. }) = sources.first_mut() {
            field.declared = Some(digest.to_owned());
            field.place.file = "cohort.yaml".into();
        }
    };
    declare(&mut study, "5f0c6a");
    let (executed, finished) = study.run();
    assert_eq!(executed, [0, 0, 0]);
    let found = Digest::of_bytes(b"11").to_string();
    let (_, fault) = finished.report.failures().next().unwrap();
    let what = format!("read@p01: case p01: `raw` is not what the manifest declares: {}, not 5f0c6a", &found[..6]);
    assert_eq!(fault.what, what);
    assert_eq!(fault.place.as_deref(), Some("cohort.yaml:0:0"));
    assert!(fault.hint.as_ref().unwrap().contains(&found[..6]));
    declare(&mut study, &found[..8]);
    assert_eq!(study.run().1.fault, None);
}

/// Runs one op alone and returns its fault.
fn fault_of(file: &'static str, act: fn(&Fake, &Value, &Job<'_>) -> Result<()>) -> Fault {
    let mut study = Study::new(&["11"]);
    study.node("read@p01").op = fake("odd", input("raw", Arity::One), output("text", file), act);
    let finished = study.try_run(&()).unwrap();
    assert_eq!(fs::read_dir(study.dir.path().join(".calvaria/tmp")).unwrap().count(), 0, "nothing is left");
    assert!(!study.places().lock.exists());
    let (id, fault) = finished.report.failures().next().unwrap();
    assert_eq!((id, fault.kind), ("read@p01", Kind::Unfit));
    fault.clone()
}

#[test]
fn outputs_are_exactly_what_is_declared() {
    let missing = fault_of("text.txt", |_, _, _| Ok(()));
    assert_eq!(missing.what, "read@p01: the stage did not write its output `text`");
    let empty = fault_of("text.txt", |_, _, job| write(job, "text", ""));
    assert_eq!(empty.what, "read@p01: the output `text` is empty");
    let folder = fault_of("text/", |_, _, job| write(job, "text", "a file"));
    assert_eq!(folder.what, "read@p01: the output `text` is a file, declared as a folder");
    let more = fault_of("text.txt", |_, _, job| {
        fs::write(job.output("text")?.with_file_name("more"), "x").unwrap();
        write(job, "text", "x")
    });
    assert_eq!(more.what, "read@p01: the stage wrote a file that it does not declare");
    let link = fault_of("text.txt", |_, _, job| {
        std::os::unix::fs::symlink("/etc/hostname", job.output("text")?).unwrap();
        Ok(())
    });
    assert!(link.what.contains("neither a file nor a folder"));
}

#[test]
fn a_panic_is_the_failure_of_its_stage() {
    let fault = fault_of("text.txt", |_, _, _| panic!("index 7 out of range"));
    assert_eq!(fault.what, "read@p01: the stage panicked");
    assert_eq!(fault.snippet.as_deref(), Some("index 7 out of range"));
}

#[test]
fn a_signal_stops_the_run_and_the_next_goes_on() {
    let mut study = Study::new(&["11", "12"]);
    study.node("tens@p01").op = fake("stop", input("text", Arity::One), output("tens", "tens.txt"), |_, _, job| {
        assert!(job.progress.cancelled());
        Err(Fault::new(Kind::Interrupted(2), "stopped"))
    });
    let cancelled = Arc::clone(&study.options.cancelled);
    struct Signal(Arc<AtomicUsize>);
    impl Observer for Signal {
        fn event(&self, event: &Event<'_>) {
            if matches!(event, Event::Started { node: "tens@p01", .. }) {
                self.0.store(2, Ordering::SeqCst);
            }
        }
    }
    let finished = study.try_run(&Signal(cancelled)).unwrap();
    assert_eq!(kind_of(&finished).unwrap().exit_code(), 130);
    assert_eq!(study.ops.counts(), [1, 0, 0], "nothing was begun after it");
    study.options.cancelled.store(0, Ordering::SeqCst);
    study.node("tens@p01").op = study.ops.tens;
    assert_eq!(study.run().0, [1, 2, 1]);
}

#[test]
fn a_log_tells_runs_and_failures_but_no_path() {
    let study = Study::new(&["11", "bad"]);
    let (_, finished) = study.run();
    study.run();
    let store = study.store();
    let runs = runs::list(&store);
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1].run, finished.run);
    assert_eq!(runs[1].exit, Some(3));
    assert_eq!(runs[1].failed[0].node, "read@p02");
    assert_eq!((runs[1].summary.ran, runs[1].summary.failed, runs[1].summary.skipped), (2, 1, 2));
    let log = runs::stage_log(&store, &finished.run, "read@p02").unwrap();
    assert!(log.contains("failed: read@p02: the file holds no number"), "{log}");
    assert!(runs::stage_log(&store, "../..", "read@p02").is_none());
    let mut files = 0;
    search(study.dir.path(), &mut files);
    assert!(files > 15, "{files} files were searched");
}

/// No file that was written holds the name of the folder of the inputs.
fn search(folder: &std::path::Path, files: &mut usize) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, files);
        } else {
            *files += 1;
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("secret-name"), "{}", path.display());
        }
    }
}
