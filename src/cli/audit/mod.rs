//! `calvaria audit`: execute again under other conditions, compare the bits, and name the first element that differs.
//!
//! ```text
//! store ──copies──▶ second store ◀── this program again: 1 thread,  scalar, another temporary folder, another locale
//!    └────────── compare ──────────┘                     3 threads, AVX2,   …
//! ```

mod element;
mod round;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;

pub(super) use self::element::{Element, first_difference};
use self::round::{Axis, Round};
use super::{
    Context, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        audit::{self, Finding, Subject, Verdict},
        execute::{self, Options},
        store::Store,
    },
};

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// Only so many items, spread evenly over those chosen
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// What to vary
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Axis::ALL)]
    vary: Vec<Axis>,
    /// Executions of each item [default: as many as there are vector widths here, and at least two]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Execute the items of this list in the store and obey
    #[arg(long, hide = true)]
    worker: Option<PathBuf>,
}

/// What is known of one output in the end.
#[derive(Clone, Debug, Serialize)]
struct Row {
    item: String,
    output: String,
    /// `equal`, `differs` or `absent`.
    verdict: &'static str,
    rounds: usize,
    /// The first round in which it was not equal, in words.
    conditions: Option<String>,
    /// Which condition alone is enough to make it differ.
    cause: Option<String>,
    /// File inside an output that is a folder.
    file: Option<String>,
    first: Option<Element>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    if let Some(list) = &args.worker {
        return work(&study, list, context);
    }
    study.check_data()?;
    let named = study.named()?;
    study.store.prepare()?;
    let _in_use = study.store.use_shared()?;
    let subjects = sample(audit::subjects(&study.plan, &study.context(), named.as_ref())?, args.sample);
    let folder = tempfile::tempdir().map_err(|error| Fault::unfit(format!("no temporary folder: {error}")))?;
    let root = folder.path().join("store");
    let second = audit::second_store(&study.plan, &study.context(), &subjects, &root)?;
    drop(second);
    let rounds = Round::plan(&args.vary, args.rounds.map(|rounds| rounds as usize), context.jobs);
    let bench = Bench { study: &study, folder: folder.path(), arguments: study.again()? };
    let mut rows = bench.rows(&subjects, &rounds, context)?;
    let differing: Vec<Subject> = subjects
        .iter()
        .filter(|subject| rows.iter().any(|row| row.verdict == "differs" && row.item == bench.id(subject)))
        .cloned()
        .collect();
    bench.find_causes(&differing, &args.vary, context, &mut rows)?;
    tell(&study, &rows, &rounds, context)?;
    judge(&rows)
}

/// An audit going on.
struct Bench<'a> {
    study: &'a Study,
    folder: &'a Path,
    arguments: Vec<OsString>,
}

impl Bench<'_> {
    fn id(&self, subject: &Subject) -> &str {
        self.study.plan.nodes.get(subject.node).map_or("", |node| node.id.as_str())
    }

    fn rows(&self, subjects: &[Subject], rounds: &[Round], context: &Context) -> Result<Vec<Row>> {
        let mut rows: BTreeMap<(usize, String), Row> = BTreeMap::new();
        for (number, round) in rounds.iter().enumerate() {
            if !context.global.quiet {
                out::talk(format!("round {} of {}: {round} …", number + 1, rounds.len()));
            }
            let verdicts = self.round(subjects, round, number, context)?;
            for verdict in verdicts {
                let place = (verdict.node, verdict.port.clone());
                let fresh = self.row(&verdict, round)?;
                let row = rows.entry(place).or_insert_with(|| fresh.clone());
                row.rounds = number + 1;
                if row.verdict == "equal" && fresh.verdict != "equal" {
                    *row = Row { rounds: number + 1, ..fresh };
                }
            }
        }
        Ok(rows.into_values().collect())
    }

    /// Executes the subjects once, and compares.
    fn round(&self, subjects: &[Subject], round: &Round, number: usize, context: &Context) -> Result<Vec<Verdict>> {
        // Another name, so that no result can hold the place where it was made.
        let place = round.place(self.folder, number);
        let store = Store::open(&place)?;
        let seen = audit::records_of(subjects, &store);
        drop(store);
        let items: Vec<&str> = subjects.iter().map(|subject| self.id(subject)).collect();
        round.execute(&place, &items, &self.arguments, self.folder, context)?;
        let store = Store::open(&place)?;
        audit::verdicts(subjects, &self.study.store, &store, &seen)
    }

    fn row(&self, verdict: &Verdict, round: &Round) -> Result<Row> {
        let node = self.study.plan.nodes.get(verdict.node);
        let mut row = Row {
            item: node.map_or_else(String::new, |node| node.id.clone()),
            output: verdict.port.clone(),
            verdict: "equal",
            rounds: 1,
            conditions: None,
            cause: None,
            file: None,
            first: None,
        };
        match &verdict.finding {
            Finding::Equal => return Ok(row),
            Finding::Absent => row.verdict = "absent",
            Finding::Differs { file, stored, made } => {
                row.verdict = "differs";
                row.file = (!file.is_empty()).then(|| file.clone());
                let outputs = node.map_or(&[][..], |node| node.op.outputs());
                let declared =
                    outputs.iter().find(|output| output.name == verdict.port).map_or("", |output| output.file);
                let name = if file.is_empty() { declared } else { file.as_str() };
                if let (Some(stored), Some(made)) = (stored, made) {
                    row.first = first_difference(name, &read(stored)?, &read(made)?);
                }
            }
        }
        row.conditions = Some(round.to_string());
        Ok(row)
    }

    /// Executes what differed under the conditions of this process, and then with one condition changed at a time.
    fn find_causes(&self, subjects: &[Subject], vary: &[Axis], context: &Context, rows: &mut [Row]) -> Result<()> {
        if subjects.is_empty() {
            return Ok(());
        }
        let trials = std::iter::once(None).chain(vary.iter().copied().map(Some));
        for (number, trial) in (1000..).zip(trials) {
            let round = Round::one(trial, context.jobs);
            let verdicts = self.round(subjects, &round, number, context)?;
            let word =
                trial.map_or_else(|| "none: it differs under equal conditions too".to_owned(), |axis| axis.to_string());
            for verdict in verdicts.iter().filter(|verdict| verdict.finding != Finding::Equal) {
                let id = self.study.plan.nodes.get(verdict.node).map_or("", |node| node.id.as_str());
                let row = rows.iter_mut().find(|row| row.item == id && row.output == verdict.port);
                if let Some(row) = row.filter(|row| row.verdict == "differs") {
                    row.cause.get_or_insert_with(|| word.clone());
                }
            }
        }
        Ok(())
    }
}

/// What the process of one round does.
fn work(study: &Study, list: &Path, context: &Context) -> Result<()> {
    let text = std::fs::read_to_string(list).map_err(|error| Fault::file("read", list, &error))?;
    let items: BTreeSet<&str> = text.lines().collect();
    let nodes: BTreeSet<usize> = study
        .plan
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| items.contains(node.id.as_str()))
        .map(|(i, _)| i)
        .collect();
    let options = Options { jobs: context.jobs, cancelled: Arc::clone(&context.cancelled), ..Options::default() };
    let lock = study.lock()?;
    let engine = execute::Context { previous: Some(&lock), ..study.context() };
    let report = audit::again(&study.plan, &engine, &nodes, options)?;
    for (item, fault) in report.failures() {
        out::line(format!("{item}\t{}", fault.what.replace('\n', " ")))?;
    }
    if report.signal == 0 { Ok(()) } else { report.fault().map_or(Ok(()), Err) }
}

fn sample(subjects: Vec<Subject>, count: Option<usize>) -> Vec<Subject> {
    let Some(count) = count.filter(|count| *count < subjects.len()) else { return subjects };
    let count = count.max(1);
    // Evenly, so that every kind of stage has its chance, and the same ones each time.
    (0..count).filter_map(|i| subjects.get(i * subjects.len() / count).cloned()).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Fault::file("read", path, &error))
}

fn tell(study: &Study, rows: &[Row], rounds: &[Round], context: &Context) -> Result<()> {
    if context.global.json {
        let rounds: Vec<String> = rounds.iter().map(ToString::to_string).collect();
        return out::json(&serde_json::json!({ "pipeline": study.plan.name, "rounds": rounds, "outputs": rows }));
    }
    for row in rows {
        let output = format!("{}.{}", row.item, row.output);
        out::line(format!("{output:<44} {:<8} {} rounds", row.verdict, row.rounds))?;
        if let Some(conditions) = &row.conditions {
            out::line(format!("    with {conditions}"))?;
        }
        if let Some(file) = &row.file {
            out::line(format!("    in {file}"))?;
        }
        if let Some(first) = &row.first {
            out::line(format!("    {first}"))?;
        }
        if let Some(cause) = &row.cause {
            out::line(format!("    cause: {cause}"))?;
        }
    }
    if !context.global.quiet {
        let equal = rows.iter().filter(|row| row.verdict == "equal").count();
        out::talk(format!("{equal} of {} outputs equal in {} rounds", rows.len(), rounds.len()));
    }
    Ok(())
}

fn judge(rows: &[Row]) -> Result<()> {
    let Some(first) = rows.iter().find(|row| row.verdict != "equal") else { return Ok(()) };
    let count = rows.iter().filter(|row| row.verdict != "equal").count();
    let what = match first.verdict {
        "absent" => format!("{} was not written again for `{}`", first.item, first.output),
        _ => format!("{} gave other bytes for `{}`", first.item, first.output),
    };
    let more = if count > 1 { format!(", and {} more outputs are not equal", count - 1) } else { String::new() };
    Err(Fault::new(Kind::Mismatch, format!("{what}{more}")))
}
