//! A training that is stopped, killed or finds a damaged checkpoint ends with the same bytes.

use super::*;

/// Stops after a number of looks.
struct StopAfter(AtomicU64);
impl Progress for StopAfter {
    fn step(&self, _: u64, _: u64, _: &str) {}
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 0
    }
}

#[test]
fn a_stopped_training_goes_on_to_the_same_bytes() {
    let whole = fresh(&params());
    for stop in [0, 5, 12, 20, 35] {
        let scratch = tempfile::tempdir().unwrap();
        let fault = run(&params(), scratch.path(), &StopAfter(AtomicU64::new(stop))).unwrap_err();
        assert!(matches!(fault.kind, Kind::Interrupted(_)));
        assert_eq!(run(&params(), scratch.path(), &Silent).unwrap(), whole, "stopped at step {stop}");
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_not_used() {
    let whole = fresh(&params());
    let scratch = tempfile::tempdir().unwrap();
    run(&TrainParams { lr: 0.02, ..params() }, scratch.path(), &Silent).unwrap();
    assert_eq!(run(&params(), scratch.path(), &Silent).unwrap(), whole, "another learning rate");
    let path = scratch.path().join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for at in [0, 9, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(run(&params(), scratch.path(), &Silent).unwrap(), whole, "byte {at}");
    }
    std::fs::write(&path, []).unwrap();
    assert_eq!(run(&params(), scratch.path(), &Silent).unwrap(), whole, "empty");
}

/// All options that add state.
fn rich() -> TrainParams {
    TrainParams {
        augment: true,
        batch: 2,
        validate_last: 1,
        keep: Keep::Best,
        patience: 2,
        digest_every: 3,
        lr_end: Some(1e-3),
        epochs: 6,
        ..params()
    }
}

/// Trains with a checkpoint at every step.
fn every_step(params: &TrainParams, scratch: &Path, progress: &dyn Progress) -> Result<Trained> {
    let cases = cases();
    let cases: Vec<TrainingCase<'_>> = cases.iter().map(|(ct, label)| TrainingCase { ct, label }).collect();
    let seed = Seed([1; 32]);
    let (device, checkpoint_interval) = (Device::Cpu, Duration::ZERO);
    Training { cases: &cases, validation: &[], params, seed, device, scratch, progress, checkpoint_interval }.run()
}

#[test]
fn stopping_again_and_again_changes_nothing() {
    let whole = fresh(&rich());
    let scratch = tempfile::tempdir().unwrap();
    let mut stops = 0;
    let resumed = loop {
        match run(&rich(), scratch.path(), &StopAfter(AtomicU64::new(8))) {
            Ok(trained) => break trained,
            Err(fault) => assert!(matches!(fault.kind, Kind::Interrupted(_)), "{fault}"),
        }
        stops += 1;
        assert!(stops < 100, "each run goes on a little");
    };
    assert!(stops >= 5, "{stops}");
    assert_eq!(resumed, whole);
}

#[test]
fn any_checkpoint_of_a_training_leads_to_its_end() {
    let whole = fresh(&rich());
    let kept = tempfile::tempdir().unwrap();
    /// Copies the checkpoints that a kill at this moment would leave.
    struct Keeper<'a>(&'a Path, &'a Path, AtomicU64);
    impl Progress for Keeper<'_> {
        fn step(&self, _: u64, _: u64, _: &str) {}
        fn cancelled(&self) -> bool {
            let to = self.1.join(self.2.fetch_add(1, Ordering::Relaxed).to_string());
            std::fs::create_dir(&to).unwrap();
            for entry in std::fs::read_dir(self.0).unwrap().map(|entry| entry.unwrap()) {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
            false
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let keeper = Keeper(scratch.path(), kept.path(), AtomicU64::new(0));
    assert_eq!(every_step(&rich(), scratch.path(), &keeper).unwrap(), whole);
    let looks = keeper.2.into_inner();
    assert!(looks > 15, "{looks}");
    for look in (0..looks).step_by(3) {
        let folder = kept.path().join(look.to_string());
        let current = folder.join("checkpoint.safetensors");
        match look % 4 {
            // Killed between the two renames, or while the next file was written.
            0 if current.exists() => std::fs::rename(&current, folder.join("checkpoint.before.safetensors")).unwrap(),
            1 if current.exists() => std::fs::write(&current, b"torn").unwrap(),
            2 => std::fs::write(folder.join("checkpoint.safetensors.new"), b"half").unwrap(),
            _ => {}
        }
        assert_eq!(run(&rich(), &folder, &Silent).unwrap(), whole, "look {look}");
    }
}
