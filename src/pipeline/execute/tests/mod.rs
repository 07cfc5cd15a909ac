//! Tests of the executor on ops that count their executions, and the small study that they share.
//!
//! ```text
//! case pNN.raw ─▶ read@pNN (+ add) ─▶ tens@pNN (/ 10) ─▶ join (a table of all, published)
//! ```

mod caching;
#[cfg(unix)]
mod crash;
mod explaining;
mod failing;
mod helping;
mod locking;
mod safety;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    fault::{Fault, Kind},
    numeric::Seed,
    pipeline::{
        events::Event,
        plan::{Node, Place, Source},
        session::{Finished, LockRule, Places, run},
        stage::{Arity, Artifact, Extent, Forecast, Input, Job, NumericClass, Op, Output, ParamFault},
        status,
    },
};

/// An op that counts.
pub(super) struct Fake {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) inputs: &'static [Input],
    pub(super) outputs: &'static [Output],
    pub(super) random: bool,
    pub(super) count: AtomicUsize,
    pub(super) act: fn(&Self, &Value, &Job<'_>) -> Result<()>,
}

impl Op for Fake {
    fn name(&self) -> &'static str {
        self.name
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn doc(&self) -> &'static str {
        ""
    }
    fn inputs(&self) -> &'static [Input] {
        self.inputs
    }
    fn outputs(&self) -> &'static [Output] {
        self.outputs
    }
    fn class(&self) -> NumericClass {
        NumericClass::BitExact
    }
    fn random(&self) -> bool {
        self.random
    }
    fn schema(&self) -> Value {
        Value::Null
    }
    fn resolve(&self, written: &Value) -> std::result::Result<Value, ParamFault> {
        Ok(written.clone())
    }
    fn run(&self, params: &Value, job: &Job<'_>) -> Result<()> {
        self.count.fetch_add(1, Ordering::SeqCst);
        (self.act)(self, params, job)
    }
    fn forecast(&self, _: &Value, _: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        Forecast::default()
    }
}

const fn input(name: &'static str, arity: Arity) -> Input {
    Input { name, kinds: &["text"], arity, doc: "" }
}

const fn output(name: &'static str, file: &'static str) -> Output {
    Output { name, kind: "text", file, optional: false, doc: "" }
}

/// Writes the number that a file holds, plus `add`.
fn read_act(_: &Fake, params: &Value, job: &Job<'_>) -> Result<()> {
    let number = number_in(job, "raw")? + params["add"].as_i64().unwrap_or(0);
    write(job, "text", &number.to_string())
}

fn tens_act(_: &Fake, _: &Value, job: &Job<'_>) -> Result<()> {
    write(job, "tens", &(number_in(job, "text")? / 10).to_string())
}

fn join_act(_: &Fake, params: &Value, job: &Job<'_>) -> Result<()> {
    let folder = job.output("table")?;
    fs::create_dir(folder).map_err(|error| Fault::file("write", folder, &error))?;
    let line = |artifact: &Artifact| {
        let text = artifact.path.as_ref().map_or("-".into(), |path| fs::read_to_string(path).unwrap());
        format!("{},{text}\n", artifact.item)
    };
    let rows: String = job.many("rows").iter().map(line).collect();
    fs::write(folder.join("table.csv"), rows).unwrap();
    fs::write(folder.join("notes.md"), params.to_string()).unwrap();
    Ok(())
}

pub(super) fn number_in(job: &Job<'_>, port: &str) -> Result<i64> {
    let path = job.one(port)?.path.clone().unwrap();
    let text = fs::read_to_string(&path).map_err(|error| Fault::file("read", &path, &error))?;
    text.trim().parse().map_err(|_| Fault::unfit("the file holds no number").at(path.display()))
}

pub(super) fn write(job: &Job<'_>, port: &str, text: &str) -> Result<()> {
    fs::write(job.output(port)?, text).map_err(|error| Fault::unfit(error.to_string()))
}

pub(super) fn fake(
    name: &'static str,
    input: Input,
    output: Output,
    act: fn(&Fake, &Value, &Job<'_>) -> Result<()>,
) -> &'static Fake {
    let inputs: &[Input] = Box::leak(Box::new([input]));
    let outputs: &[Output] = Box::leak(Box::new([output]));
    Box::leak(Box::new(Fake { name, version: 1, inputs, outputs, random: false, count: AtomicUsize::new(0), act }))
}

struct Files;

impl Fingerprint for Files {
    fn digest(&self, field: &Field, cache: &StatCache) -> Result<Digest> {
        cache.digest(field.path.as_deref().unwrap())
    }
}

/// The ops of the small study.
#[derive(Clone, Copy)]
pub(super) struct Ops {
    pub(super) read: &'static Fake,
    pub(super) tens: &'static Fake,
    pub(super) join: &'static Fake,
}

impl Ops {
    pub(super) fn new() -> Self {
        Self {
            read: fake("read", input("raw", Arity::One), output("text", "text.txt"), read_act),
            tens: fake("tens", input("text", Arity::One), output("tens", "tens.txt"), tens_act),
            join: fake("join", input("rows", Arity::Labelled), output("table", "table/"), join_act),
        }
    }

    /// Executions of read, tens and join.
    pub(super) fn counts(&self) -> [usize; 3] {
        [self.read, self.tens, self.join].map(|op| op.count.load(Ordering::SeqCst))
    }
}

/// The small study in a folder of its own.
pub(super) struct Study {
    pub(super) dir: TempDir,
    pub(super) ops: Ops,
    pub(super) plan: Plan,
    pub(super) options: Options,
    pub(super) rule: LockRule,
}

impl Study {
    /// Case `p01` holds the first of the numbers.
    pub(super) fn new(numbers: &[&str]) -> Self {
        // Memory where there is any: what is tested is not the speed of the disk's sync.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let ops = Ops::new();
        fs::create_dir(dir.path().join("secret-name")).unwrap();
        for (i, number) in numbers.iter().enumerate() {
            fs::write(dir.path().join(format!("secret-name/{}.txt", i + 1)), number).unwrap();
        }
        let mut study = Self {
            plan: Plan {
                name: "small".into(),
                seed: 1,
                file: "small.yaml".into(),
                overrides: BTreeMap::new(),
                folds: Vec::new(),
                nodes: Vec::new(),
            },
            dir,
            ops,
            options: Options::default(),
            rule: LockRule::Write,
        };
        study.build(numbers.len());
        study
    }

    fn build(&mut self, cases: usize) {
        for i in 1..=cases {
            let field = Field { kind: "text".into(), path: Some(self.raw(i)), ..Field::default() };
            let source = Source::Field { case: format!("p{i:02}"), name: "raw".into(), field };
            let read = self.add("read", self.ops.read, Some(i), json!({"add": 0}), "raw", vec![source]);
            let source = Source::Output { node: read, port: "text" };
            self.add("tens", self.ops.tens, Some(i), json!({}), "text", vec![source]);
        }
        let rows = (0..cases).map(|i| Source::Output { node: 2 * i + 1, port: "tens" }).collect();
        let join = self.add("join", self.ops.join, None, json!({"title": "T"}), "rows", rows);
        self.plan.nodes[join].publish = Some("table1".into());
    }

    pub(super) fn add(
        &mut self,
        stage: &str,
        op: &'static dyn Op,
        case: Option<usize>,
        params: Value,
        port: &'static str,
        sources: Vec<Source>,
    ) -> usize {
        let case = case.map(|i| format!("p{i:02}"));
        self.plan.nodes.push(Node {
            id: case.as_ref().map_or_else(|| stage.to_owned(), |case| format!("{stage}@{case}")),
            stage: stage.to_owned(),
            op,
            case,
            axes: BTreeMap::new(),
            params,
            seed: Seed([7; 32]),
            inputs: BTreeMap::from([(port, sources)]),
            publish: None,
            frozen: false,
            allow_missing: 0,
            timeout: None,
            place: Place::default(),
        });
        self.plan.nodes.len() - 1
    }

    pub(super) fn raw(&self, case: usize) -> PathBuf {
        self.dir.path().join(format!("secret-name/{case}.txt"))
    }

    pub(super) fn node(&mut self, id: &str) -> &mut Node {
        self.plan.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }

    pub(super) fn index(&self, id: &str) -> usize {
        self.plan.nodes.iter().position(|node| node.id == id).unwrap()
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.dir.path().join(".calvaria")).unwrap()
    }

    pub(super) fn places(&self) -> Places {
        let lock = self.dir.path().join("small.lock");
        Places { lock, results: self.dir.path().join("results/small"), rule: self.rule }
    }

    /// Runs as a process of its own would.
    pub(super) fn try_run(&self, observer: &dyn Observer) -> Result<Finished> {
        let store = self.store();
        let cache = StatCache::open(store.root());
        run(&self.plan, &self.context(&store, &cache), &self.options, &self.places(), observer)
    }

    pub(super) fn context<'a>(&self, store: &'a Store, cache: &'a StatCache) -> Context<'a> {
        Context { store, cache, fingerprint: &Files, backend: Value::Null, previous: None }
    }

    /// Runs, and returns what was executed by it: read, tens, join.
    pub(super) fn run(&self) -> ([usize; 3], Finished) {
        let before = self.ops.counts();
        let finished = self.try_run(&()).unwrap();
        let after = self.ops.counts();
        ([0, 1, 2].map(|i| after[i] - before[i]), finished)
    }

    pub(super) fn lock(&self) -> String {
        fs::read_to_string(self.places().lock).unwrap()
    }

    pub(super) fn table(&self) -> String {
        fs::read_to_string(self.places().results.join("table1.csv")).unwrap()
    }

    /// Returns the path of a stored output.
    pub(super) fn blob(&self, id: &str, port: &str) -> PathBuf {
        let store = self.store();
        let cache = StatCache::in_memory();
        status::locate(&self.plan, &self.context(&store, &cache), id, port).unwrap().path
    }
}

/// Changes one bit of a file, without changing its length.
pub(super) fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::remove_file(path)
        .or_else(|_| {
            fs::set_permissions(path.parent().unwrap(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            fs::remove_file(path)
        })
        .unwrap();
    fs::write(path, bytes).unwrap();
}

/// Remembers the names of events.
#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<String>>);

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        let name = event.to_json()["event"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().push(name);
    }
}

impl Heard {
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|heard| *heard == name).count()
    }
}

pub(super) fn kind_of(finished: &Finished) -> Option<Kind> {
    finished.fault.as_ref().map(|fault| fault.kind)
}

pub(super) fn options_map(text: &str) -> Map<String, Value> {
    Map::from_iter([("series".to_owned(), Value::from(text))])
}
