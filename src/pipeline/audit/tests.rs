//! A stage that is not deterministic is found, by name and file; one that is passes; a forced run tells the conflict.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::atomic::{AtomicU8, Ordering},
};

use super::{Finding, again, records_of, second_store, subjects, verdicts};
use crate::{
    fault::{Kind, Result},
    pipeline::{
        self,
        diagnose::Source,
        digest::Digest,
        execute::{Context, Fingerprint, Options, execute},
        plan::{Field, Plan},
        spec::Spec,
        stage::{Arity, Input, Job, NoParams, Op, Output, Stage, Typed},
        statcache::StatCache,
        store::Store,
    },
};

/// Writes its number of calls: other bytes each time.
struct Dice;
static ROLLS: AtomicU8 = AtomicU8::new(1);

impl Stage for Dice {
    const NAME: &'static str = "dice";
    const VERSION: u32 = 1;
    const DOC: &'static str = "not deterministic";
    const INPUTS: &'static [Input] = &[];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "rolls", kind: "rolls", file: "rolls/", optional: false, doc: "" }];
    type Params = NoParams;
    fn run(_: &NoParams, job: &Job<'_>) -> Result<()> {
        let folder = job.output("rolls")?;
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("always.bin"), [0; 8]).unwrap();
        fs::write(folder.join("roll.bin"), [7, 7, ROLLS.fetch_add(1, Ordering::SeqCst), 7]).unwrap();
        Ok(())
    }
}

/// Copies what it is given, and then spoils its input.
struct Copy;

impl Stage for Copy {
    const NAME: &'static str = "copy";
    const VERSION: u32 = 1;
    const DOC: &'static str = "deterministic";
    const INPUTS: &'static [Input] = &[Input { name: "rolls", kinds: &["rolls"], arity: Arity::One, doc: "" }];
    const OUTPUTS: &'static [Output] =
        &[Output { name: "copy", kind: "text", file: "copy.bin", optional: false, doc: "" }];
    type Params = NoParams;
    fn run(_: &NoParams, job: &Job<'_>) -> Result<()> {
        let given = job.one("rolls")?.path.clone().unwrap_or_default();
        fs::write(job.output("copy")?, fs::read(given.join("roll.bin")).unwrap()).unwrap();
        Ok(())
    }
}

static OPS: &[&dyn Op] = &[&Typed::<Dice>::new(), &Typed::<Copy>::new()];

struct NoFields;
impl Fingerprint for NoFields {
    fn digest(&self, _: &Field, _: &StatCache) -> Result<Digest> {
        unreachable!("the plan has no field")
    }
}

fn plan() -> Plan {
    let text = "calvaria: 1\nname: p\nseed: 1\nmanifest: m.yaml\nstages:\n  dice: { uses: dice }\n  \
                copy: { uses: copy, with: { rolls: dice.rolls } }\n";
    let spec = Spec::parse(Source::new("p.yaml", text), &[], None).unwrap();
    pipeline::expand(&spec, &[], OPS).unwrap()
}

fn context<'a>(store: &'a Store, cache: &'a StatCache) -> Context<'a> {
    Context { store, cache, fingerprint: &NoFields, backend: serde_json::Value::Null, previous: None }
}

fn bytes_below(folder: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn acceptance_10_a_stage_that_is_not_deterministic_is_named_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, cache) = (plan(), StatCache::in_memory());
    let store = Store::open(&dir.path().join("first")).unwrap();
    let none = subjects(&plan, &context(&store, &cache), None).unwrap_err();
    assert_eq!(none.kind, Kind::Missing, "nothing is stored yet");
    execute(&plan, &context(&store, &cache), &Options::default(), &()).unwrap();
    let before = bytes_below(store.root());

    let found = subjects(&plan, &context(&store, &cache), None).unwrap();
    assert_eq!(found.len(), 2);
    let second = second_store(&plan, &context(&store, &cache), &found, &dir.path().join("second")).unwrap();
    let seen = records_of(&found, &second);
    let all: BTreeSet<usize> = [0, 1].into();
    let report = again(&plan, &context(&second, &cache), &all, Options::default()).unwrap();
    assert_eq!((report.summary().ran, report.summary().failed), (2, 0), "{report:?}");
    let verdicts = verdicts(&found, &store, &second, &seen).unwrap();
    let dice = verdicts.iter().find(|verdict| plan.nodes[verdict.node].id == "dice").unwrap();
    let Finding::Differs { file, stored: Some(stored), made: Some(made) } = &dice.finding else { panic!("{dice:?}") };
    assert_eq!((dice.port.as_str(), file.as_str()), ("rolls", "roll.bin"));
    let (stored, made) = (fs::read(stored).unwrap(), fs::read(made).unwrap());
    assert!(stored[..2] == made[..2] && stored[2] != made[2], "at byte 2");
    let copy = verdicts.iter().find(|verdict| plan.nodes[verdict.node].id == "copy").unwrap();
    assert_eq!(copy.finding, Finding::Equal, "judged on the stored input, not on the new one");
    assert_eq!(bytes_below(store.root()), before, "the audit changed the store");

    let forced = Options { force: [0].into(), ..Options::default() };
    let report = execute(&plan, &context(&store, &cache), &forced, &()).unwrap();
    let fault = report.fault().expect("a forced run tells the conflict");
    assert!(fault.kind == Kind::Mismatch && fault.what.contains("dice"), "{fault}");
}
