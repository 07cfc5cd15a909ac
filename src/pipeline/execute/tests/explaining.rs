//! Why something would run, whether the lock file agrees, whether the bytes do, and what nobody needs.

use super::*;
use crate::pipeline::{
    change::Change,
    check::{Disagreement, check},
    explain::{Explanation, explain, overview},
    status::State,
    store::Keep,
    verify::{Finding, Verified, verify},
};

impl Study {
    fn locked(&self) -> Lock {
        Lock::read(&self.places().lock).unwrap().unwrap()
    }

    fn explained(&self, id: &str) -> Explanation {
        let (store, cache) = (self.store(), StatCache::in_memory());
        let nodes = BTreeSet::from([self.index(id)]);
        explain(&self.plan, &self.context(&store, &cache), &self.locked(), &nodes).remove(0)
    }

    fn checked(&self) -> Vec<Disagreement> {
        let (store, cache) = (self.store(), StatCache::in_memory());
        check(&self.plan, &self.context(&store, &cache), &self.locked())
    }

    fn verified(&self) -> Verified {
        let (store, cache) = (self.store(), StatCache::in_memory());
        verify(&self.plan, &self.context(&store, &cache), &self.locked(), &self.places().results).unwrap()
    }
}

fn added(before: i64, now: i64) -> Change {
    Change::Param { name: "add".into(), before: Some(json!(before)), now: Some(json!(now)) }
}

#[test]
fn an_edit_is_traced_from_the_table_to_the_parameter() {
    let mut study = Study::new(&["11", "12", "13"]);
    study.run();
    assert_eq!(study.explained("join").state, State::Cached);
    assert!(study.explained("join").changes.is_empty() && study.explained("join").roots.is_empty());
    for case in ["p01", "p02"] {
        study.node(&format!("read@{case}")).params = json!({"add": 9});
    }
    let join = study.explained("join");
    assert_eq!(join.state, State::Maybe);
    let [root] = join.roots.as_slice() else { panic!("{:?}", join.roots) };
    assert_eq!((&root.change, root.stale), (&added(0, 9), 5), "two reads, two tens, one table");
    assert_eq!(root.nodes, [study.index("read@p01"), study.index("read@p02")]);
    assert_eq!(study.explained("read@p01").changes, [added(0, 9)]);
    assert_eq!(study.explained("read@p03").state, State::Cached);
    let (store, cache) = (study.store(), StatCache::in_memory());
    let (stale, roots) = overview(&study.plan, &study.context(&store, &cache), &study.locked());
    assert_eq!((stale, roots.len()), (5, 1));
}

#[test]
fn a_changed_file_and_a_lost_result_are_causes_too() {
    let study = Study::new(&["11", "12"]);
    study.run();
    fs::write(study.raw(1), "31").unwrap();
    let tens = study.explained("tens@p01");
    let [root] = tens.roots.as_slice() else { panic!("{:?}", tens.roots) };
    assert!(matches!(&root.change, Change::Input { source, from: None, .. } if source == "case p01.raw"));
    let store = study.store();
    let lost = study.locked().entries["tens@p02"].outputs["tens"];
    fs::remove_file(store.blob_path(&lost)).unwrap();
    assert_eq!(study.explained("tens@p02").changes, [Change::Lost]);
}

#[test]
fn a_lock_file_is_checked_without_data() {
    let mut study = Study::new(&["11", "12"]);
    study.run();
    fs::remove_dir_all(study.dir.path().join("secret-name")).unwrap();
    assert_eq!(study.checked(), [], "no file of the data is there, and none is needed");
    study.node("read@p02").params = json!({"add": 1});
    let node = study.index("read@p02");
    assert_eq!(study.checked(), [Disagreement::Node { node, changes: vec![added(0, 1)] }]);
}

#[test]
fn a_digest_that_was_tampered_with_breaks_the_chain() {
    let study = Study::new(&["11", "12"]);
    study.run();
    let path = study.places().lock;
    let text = fs::read_to_string(&path).unwrap();
    let out = study.locked().entries["read@p01"].outputs["text"].to_string();
    let other = Digest::of_bytes(b"other").to_string();
    fs::write(&path, text.replacen(&format!("out text {out}"), &format!("out text {other}"), 1)).unwrap();
    let found = study.checked();
    let node = study.index("tens@p01");
    assert!(matches!(found.as_slice(), [Disagreement::Node { node: at, .. }] if *at == node), "{found:?}");
    fs::write(&path, text.replace("  params {\"add\":0}", "  params {\"add\":2}")).unwrap();
    assert_eq!(study.checked().len(), 2, "both reads");
    fs::write(&path, text.replace("\ntens@p02\n", "\ntens@p03\n")).unwrap();
    let found = study.checked();
    assert!(found.contains(&Disagreement::Stale("tens@p03".into())), "{found:?}");
}

#[test]
fn every_flipped_byte_is_found() {
    let study = Study::new(&["11", "22"]);
    study.run();
    let whole = study.verified();
    assert_eq!((whole.inputs, whole.outputs, whole.published, whole.findings), (2, 5, 2, vec![]));
    flip(&study.places().results.join("table1.csv"));
    flip(&study.blob("tens@p02", "tens"));
    flip(&study.raw(1));
    let found = study.verified().findings;
    assert!(matches!(&found[0], Finding::Input { source, .. } if source == "case p01.raw"), "{found:?}");
    assert_eq!(
        found[1..],
        [
            Finding::Damaged { output: "tens@p02.tens".into() },
            Finding::Published { name: "table1.csv".into(), there: true },
        ]
    );
    flip(&study.raw(1));
    assert_eq!(study.run().0, [0, 1, 0], "a run makes the damaged output again and publishes the table again");
    assert_eq!(study.verified().findings, []);
}

#[test]
fn garbage_is_what_no_lock_needs_and_nothing_else() {
    let mut study = Study::new(&["11", "12"]);
    study.run();
    study.node("read@p01").params = json!({"add": 5});
    study.run();
    let store = study.store();
    let lock = study.locked();
    let keep = Keep { keys: lock.entries.values().map(|entry| entry.key).collect(), ..Keep::default() };
    let garbage = store.garbage(&keep).unwrap();
    // 11 + 5 is another text; the tens of it have another key, and the bytes that they had.
    assert_eq!((garbage.keys.len(), garbage.blobs.len()), (2, 1), "{garbage:?}");
    {
        let _run = store.use_shared().unwrap();
        assert_eq!(store.use_alone().unwrap_err().kind, Kind::LockTimeout, "never during a run");
    }
    let alone = store.use_alone().unwrap();
    store.collect(&garbage).unwrap();
    drop(alone);
    assert_eq!(study.verified().findings, []);
    assert_eq!(study.run().0, [0, 0, 0]);
    assert_eq!(study.store().garbage(&keep).unwrap().blobs, []);
    study.node("read@p01").params = json!({"add": 0});
    assert_eq!(study.run().0, [1, 1, 0], "what was collected is made again");
}
