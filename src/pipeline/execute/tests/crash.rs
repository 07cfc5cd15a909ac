//! Every operation on the disk that fails, once or for good; every byte of a stored entry that flips.

use std::io::ErrorKind;

use super::*;
use crate::pipeline::store::{
    Verdict,
    disk::faults::{Arm, Mode},
};

/// What an undisturbed run leaves.
fn undisturbed(numbers: &[&str]) -> (String, String, usize) {
    let study = Study::new(numbers);
    let arm = Arm::new(study.dir.path(), usize::MAX, Mode::Once(ErrorKind::Other));
    assert_eq!(study.run().1.fault, None);
    (study.lock(), study.table(), arm.seen())
}

/// Lets the n-th operation fail for every n; afterwards a run ends as if nothing had happened.
fn every_operation_fails(mode: fn(ErrorKind) -> Mode, kind: ErrorKind) {
    let numbers = ["11", "22"];
    let (lock, table, operations) = undisturbed(&numbers);
    assert!(operations > 100, "only {operations} operations went through the store's own layer");
    let mut said = 0;
    for at in 0..operations {
        let study = Study::new(&numbers);
        let arm = Arm::new(study.dir.path(), at, mode(kind));
        // A clean fault, or a run that did not need that operation; never a panic, never a wrong result.
        match study.try_run(&()) {
            Ok(finished) if finished.fault.is_none() => {
                assert_eq!((study.lock(), study.table()), (lock.clone(), table.clone()), "operation {at}");
            }
            Ok(finished) => {
                let fault = finished.fault.unwrap();
                assert!(!fault.what.contains("panicked"), "operation {at}: {fault}");
                said += 1;
            }
            Err(_) => said += 1,
        }
        drop(arm);
        let (_, finished) = study.run();
        assert_eq!(finished.fault, None, "operation {at} left something behind");
        assert_eq!((study.lock(), study.table()), (lock.clone(), table.clone()), "operation {at}");
        let store = study.store();
        for result in finished.report.results.iter().flatten() {
            for blob in result.outputs.values() {
                assert_eq!(store.verify(&blob.digest).unwrap(), Verdict::Good, "operation {at}");
            }
            assert_eq!(store.records(&result.key).len(), 1, "operation {at}: one record an execution that counts");
        }
        for folder in ["tmp", "locks", "trash"] {
            let left = fs::read_dir(store.root().join(folder)).unwrap().count();
            assert_eq!(left, 0, "operation {at}: something is left in {folder}");
        }
    }
    assert!(said > operations / 4, "most failures must be said: {said} of {operations}");
}

#[test]
fn one_operation_that_fails_costs_a_run_at_most() {
    every_operation_fails(Mode::Once, ErrorKind::Other);
}

#[test]
fn a_disk_that_is_full_from_any_point_on_costs_a_run_at_most() {
    every_operation_fails(Mode::FromThereOn, ErrorKind::StorageFull);
}

#[test]
fn a_full_disk_is_named_with_its_remedy() {
    let study = Study::new(&["11"]);
    study.store().prepare().unwrap();
    let arm = Arm::new(&study.dir.path().join(".calvaria/cas"), 0, Mode::FromThereOn(ErrorKind::StorageFull));
    let (_, finished) = study.run();
    drop(arm);
    let fault = finished.report.failures().next().unwrap().1.clone();
    assert_eq!(fault.kind, Kind::Unfit);
    assert!(fault.hint.unwrap().contains("make room on the disk"));
}

#[test]
fn a_store_that_turns_read_only_is_a_clean_fault_and_is_read_all_the_same() {
    let mut study = Study::new(&["11"]);
    study.run();
    let arm = Arm::new(study.dir.path(), 0, Mode::FromThereOn(ErrorKind::ReadOnlyFilesystem));
    let store = study.store();
    let cache = StatCache::in_memory();
    assert!(
        status::survey(&study.plan, &study.context(&store, &cache), None).up_to_date(),
        "looking needs no right to write"
    );
    study.node("read@p01").params = json!({"add": 5});
    let fault = study.try_run(&()).err().or_else(|| study.try_run(&()).unwrap().fault).unwrap();
    assert_eq!(fault.kind, Kind::Unfit);
    assert!(fault.hint.unwrap().contains("cannot be written"), "{}", fault.what);
    drop(arm);
    assert_eq!(study.run().1.fault, None);
}

#[test]
fn every_flipped_byte_of_a_stored_entry_is_found_and_healed() {
    let study = Study::new(&["11"]);
    study.run();
    let (lock, table) = (study.lock(), study.table());
    let root = study.dir.path().join(".calvaria");
    let entries: Vec<PathBuf> = walkdir::WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.into_path())
        .filter(|path| ["cas", "ac", "index"].iter().any(|part| path.starts_with(root.join(part))))
        .collect();
    assert!(entries.len() >= 8, "{entries:?}");
    let published = study.places().results;
    for path in &entries {
        let whole = fs::read(path).unwrap();
        // Long entries are of one make: every byte of them is for a long run.
        let every = std::env::var_os("CALVARIA_TRIALS").is_some() || whole.len() < 64;
        for at in (0..whole.len()).step_by(if every { 1 } else { 17 }) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            make_writable(path);
            fs::write(path, &bytes).unwrap();
            // All that is published is read again from the store, and so is what it takes to make it again.
            fs::remove_dir_all(&published).unwrap();
            let (_, finished) = study.run();
            let shown = format!("{} byte {at}", path.display());
            assert_eq!(finished.fault, None, "{shown}");
            assert_eq!((study.lock(), study.table()), (lock.clone(), table.clone()), "{shown}");
            let store = study.store();
            for result in finished.report.results.iter().flatten() {
                for blob in result.outputs.values() {
                    let verdict = store.verify(&blob.digest).unwrap();
                    let damaged_here = path.starts_with(store.blob_path(&blob.digest));
                    assert!(verdict == Verdict::Good || damaged_here, "{shown}: {verdict:?}");
                }
            }
            // What nothing had to read is found by who reads all, and made again.
            assert_eq!(study.run().1.fault, None, "{shown}");
            assert_eq!(study.lock(), lock, "{shown}");
        }
        if path.exists() {
            make_writable(path);
            fs::write(path, &whole).unwrap();
        }
    }
}

fn make_writable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for one in [path.parent().unwrap(), path] {
        let mode = if one.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(one, fs::Permissions::from_mode(mode)).unwrap();
    }
}
