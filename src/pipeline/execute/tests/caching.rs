//! What is executed, and what is not.

use super::*;
use crate::pipeline::{
    canonical,
    key::StageKey,
    status::{State, survey},
};

#[test]
fn a_second_run_executes_nothing_and_changes_no_byte() {
    let study = Study::new(&["11", "12", "13"]);
    let (executed, finished) = study.run();
    assert_eq!((executed, finished.fault), ([3, 3, 1], None));
    assert_eq!(study.table(), "p01,1\np02,1\np03,1\n");
    assert_eq!(finished.published, ["table1-notes.md", "table1.csv"]);
    let lock = study.lock();
    let modified = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let (lock_time, table) = (modified(&study.places().lock), study.places().results.join("table1.csv"));
    let table_time = modified(&table);

    let (executed, finished) = study.run();
    assert_eq!(executed, [0, 0, 0]);
    assert_eq!((finished.lock_changed, finished.published.len()), (false, 0));
    assert_eq!(study.lock(), lock);
    assert_eq!((modified(&study.places().lock), modified(&table)), (lock_time, table_time), "not even touched");
}

#[test]
fn names_places_and_threads_are_not_in_the_key() {
    let mut study = Study::new(&["11", "12"]);
    study.run();
    for (i, node) in study.plan.nodes.iter_mut().enumerate() {
        node.id = format!("renamed-{}", node.id);
        node.stage = "renamed".into();
        node.place.line = i;
    }
    study.options.jobs = 4;
    assert_eq!(study.run().0, [0, 0, 0]);
    let elsewhere = study.dir.path().join("moved");
    fs::rename(study.dir.path().join("secret-name"), &elsewhere).unwrap();
    for node in &mut study.plan.nodes {
        if let Some(Source::Field { field, .. }) = node.inputs.get_mut("raw").and_then(|list| list.first_mut()) {
            field.path = Some(elsewhere.join(field.path.as_ref().unwrap().file_name().unwrap()));
        }
    }
    assert_eq!(study.run().0, [0, 0, 0], "the data lies elsewhere and is the same");
}

#[test]
fn a_parameter_executes_what_reads_it_and_equal_bytes_stop_the_wave() {
    let mut study = Study::new(&["11", "13", "15"]);
    study.run();
    for case in ["p01", "p02", "p03"] {
        study.node(&format!("read@{case}")).params = json!({"add": 1});
    }
    assert_eq!(study.run().0, [3, 3, 0], "12, 14, 16: the tens are what they were, so the table is too");
    study.node("read@p01").params = json!({"add": 9});
    assert_eq!(study.run().0, [1, 1, 1], "20: the table changes");
    assert_eq!(study.table(), "p01,2\np02,1\np03,1\n");
    study.node("read@p01").params = json!({"add": 1});
    let (executed, finished) = study.run();
    assert_eq!(executed, [0, 0, 0], "the old results are still stored");
    assert_eq!(finished.published, ["table1.csv"]);
    assert_eq!(study.table(), "p01,1\np02,1\np03,1\n");
}

#[test]
fn an_input_file_executes_its_case_alone() {
    let study = Study::new(&["11", "12", "13"]);
    study.run();
    fs::write(study.raw(2), "42").unwrap();
    assert_eq!(study.run().0, [1, 1, 1]);
    assert_eq!(study.table(), "p01,1\np02,4\np03,1\n");
}

#[test]
fn the_way_to_read_an_input_is_in_the_key() {
    let mut study = Study::new(&["11"]);
    study.run();
    if let Some(Source::Field { field, .. }) =
        study.node("read@p01").inputs.get_mut("raw").and_then(|list| list.first_mut())
    {
        field.options = options_map("2");
    }
    assert_eq!(study.run().0, [1, 0, 0]);
}

#[test]
fn the_seed_is_in_the_key_of_random_ops_only() {
    let mut study = Study::new(&["11"]);
    study.run();
    study.node("read@p01").seed = Seed([8; 32]);
    assert_eq!(study.run().0, [0, 0, 0]);
    let dice: &'static Fake = Box::leak(Box::new(Fake {
        name: "dice",
        version: 1,
        inputs: study.ops.read.inputs,
        outputs: study.ops.read.outputs,
        random: true,
        count: AtomicUsize::new(0),
        act: |_, _, job| write(job, "text", &format!("{:?} {:?}", job.seed, job.case)),
    }));
    study.node("read@p01").op = dice;
    for seed in [1, 2, 1] {
        study.node("read@p01").seed = Seed([seed; 32]);
        study.try_run(&()).unwrap();
    }
    assert_eq!(dice.count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_record_keeps_the_whole_pre_image_of_its_key() {
    let study = Study::new(&["11"]);
    let (_, finished) = study.run();
    let result = finished.report.results[study.index("join")].clone().unwrap();
    let records = study.store().records(&result.key);
    let record = &records[&1];
    let member = &record.pre_image["inputs"]["rows"][0];
    assert_eq!(member["item"], "p01", "a table prints the ids, so they are in its key");
    assert_eq!(record.pre_image["params"], json!({"title": "T"}));
    assert_eq!(StageKey::of(&record.pre_image).unwrap(), record.key);
    assert_eq!(record.outputs, result.outputs);
}

/// A change of this digest throws away every stored study: only with a new `key_schema`.
#[test]
fn the_key_of_a_known_document_is_known_for_ever() {
    let study = Study::new(&["11"]);
    let (_, finished) = study.run();
    let key = |id: &str| finished.report.results[study.index(id)].as_ref().unwrap().key.to_string();
    let records = study.store().records(&finished.report.results[study.index("read@p01")].as_ref().unwrap().key);
    let text = canonical::encode(&records[&1].pre_image).unwrap();
    let raw = Digest::of_bytes(b"11");
    let expected = r#"{"inputs":{"raw":"RAW"},"key_schema":1,"numeric_class":"bit-exact","op":"read","op_version":1,"params":{"add":0}}"#;
    assert_eq!(text, expected.replace("RAW", &raw.to_string()));
    assert_eq!(key("read@p01"), "c2a36ea1d8263f550ea47ff02089b3b1478ef10a762f509181cb9cdbb8256edf");
    assert_eq!(key("join"), "49dc227871774d31b1a66397b2784492f581ffc59ec39713e42b61f13930fb50");
}

#[test]
fn status_says_what_a_run_would_do() {
    let mut study = Study::new(&["11", "12"]);
    let states = |study: &Study| {
        let store = study.store();
        let cache = StatCache::in_memory();
        let survey = survey(&study.plan, &study.context(&store, &cache), None);
        (survey.totals(), survey.nodes.into_iter().map(|node| node.state).collect::<Vec<_>>())
    };
    let (totals, _) = states(&study);
    assert_eq!((totals.run, totals.maybe, totals.unknown), (2, 3, 5));
    assert!(!study.dir.path().join(".calvaria").exists(), "looking creates nothing");
    study.run();
    study.node("read@p02").params = json!({"add": 1});
    let (totals, after) = states(&study);
    assert_eq!(after, [State::Cached, State::Cached, State::Run, State::Maybe, State::Maybe]);
    assert_eq!(totals.unknown, 0);
    fs::remove_file(study.raw(1)).unwrap();
    assert!(matches!(states(&study).1[0], State::Unready(_)));
}

#[test]
fn only_what_was_asked_for_is_executed() {
    let mut study = Study::new(&["11", "12"]);
    study.options.only = Some([study.index("read@p01")].into());
    let (executed, finished) = study.run();
    assert_eq!((executed, finished.fault), ([1, 0, 0], None));
    assert_eq!(study.lock().matches("\n  op ").count(), 1);
    study.options.only = Some([study.index("tens@p01")].into());
    assert_eq!(study.run().0, [0, 1, 0], "what it needs is stored");
    assert_eq!(study.lock().matches("\n  op ").count(), 2, "blocks of other nodes stay");
    study.options.only = Some([study.index("tens@p02")].into());
    let (executed, finished) = study.run();
    assert_eq!((executed, kind_of(&finished)), ([0, 0, 0], Some(Kind::Missing)));
    let with_sources = with_sources(&study.plan, study.options.only.as_ref().unwrap());
    assert_eq!(with_sources, [study.index("read@p02"), study.index("tens@p02")].into());
}

#[test]
fn a_frozen_stage_keeps_its_result() {
    let mut study = Study::new(&["11"]);
    study.run();
    let node = study.node("read@p01");
    node.frozen = true;
    node.params = json!({"add": 100});
    let (executed, finished) = study.run();
    assert_eq!((executed, finished.fault), ([0, 0, 0], None));
    assert!(study.lock().contains("\n  frozen\n"));
    assert!(study.lock().contains(r#"params {"add":0}"#), "the block says what the bytes came from");
    study.node("read@p01").frozen = false;
    assert_eq!(study.run().0, [1, 1, 1]);
}

#[test]
fn restoring_never_executes() {
    let mut study = Study::new(&["11"]);
    study.options.restore_only = true;
    let (executed, finished) = study.run();
    assert_eq!((executed, kind_of(&finished)), ([0, 0, 0], Some(Kind::Missing)));
    study.options.restore_only = false;
    study.run();
    study.options.restore_only = true;
    assert_eq!(study.run().1.fault, None);
}

#[test]
fn equal_work_under_two_names_is_done_once() {
    let mut study = Study::new(&["11", "11"]);
    study.options.jobs = 4;
    assert_eq!(study.run().0, [1, 1, 1]);
}
