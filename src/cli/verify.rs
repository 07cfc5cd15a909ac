//! `calvaria verify`: are the bytes those of the lock file, and do the stages give them again?

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Context, explain, out,
    progress::Watch,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        execute::{self, Options, execute},
        lockfile::Lock,
        select::named_by,
        session::LockRule,
        statcache::StatCache,
        verify::{Finding, Verified, verify},
    },
};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// Execute again and compare: `all`, a number of items spread over the plan, a stage or an item
    #[arg(long, value_name = "N|all|STAGE", num_args = 0..=1, default_missing_value = "5")]
    rerun: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let places = study.places(LockRule::Check);
    let Some(lock) = Lock::read(&places.lock)? else { return Err(explain::no_lock(&study)) };
    study.store.prepare()?;
    let _in_use = study.store.use_shared()?;
    // A memory of digests would only say what the files once were.
    let cache = StatCache::in_memory();
    let reading = execute::Context { cache: &cache, ..study.context() };
    let found = verify(&study.plan, &reading, &lock, &places.results)?;
    let rerun = args.rerun.as_deref().map(|which| again(which, &study, &lock, context)).transpose()?;
    if context.global.json {
        out::json(&document(&study, &found, rerun.as_deref()))?;
    } else {
        for line in lines(&found) {
            out::line(line)?;
        }
        if !context.global.quiet {
            out::talk(format!(
                "{} inputs, {} outputs and {} published files read",
                found.inputs, found.outputs, found.published
            ));
            if let Some(rerun) = &rerun {
                out::talk(format!("{} items executed again, to the same bytes", rerun.len()));
            }
        }
    }
    judge(&found)
}

fn judge(found: &Verified) -> Result<()> {
    if found.findings.is_empty() {
        return Ok(());
    }
    let differs = found.findings.iter().filter(|finding| finding.differs()).count();
    let heal = "`calvaria run` makes again what can be made; an input has to be restored by hand";
    Err(if differs > 0 {
        Fault::new(Kind::Mismatch, format!("{differs} of the files read hold other bytes than the lock file says"))
            .hint(heal)
    } else {
        Fault::new(Kind::Missing, format!("{} files are not there", found.findings.len())).hint(heal)
    })
}

/// A line a finding; what is absent is counted by stage, for after `gc` that may be most of a study.
fn lines(found: &Verified) -> Vec<String> {
    let mut absent: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for finding in &found.findings {
        match finding {
            Finding::Absent { output } => {
                *absent.entry(output.split(['@', '.']).next().unwrap_or(output)).or_default() += 1;
            }
            _ => lines.push(sentence(finding)),
        }
    }
    let outputs = |count: usize| if count == 1 { "output is" } else { "outputs are" };
    lines.extend(absent.into_iter().map(|(stage, n)| format!("{stage}  {n} {} not in the store", outputs(n))));
    lines
}

fn sentence(finding: &Finding) -> String {
    match finding {
        Finding::Input { source, why } => format!("{source}  differs: {why}"),
        Finding::Damaged { output } => format!("{output}  was damaged in the store, and is in the trash now"),
        Finding::Absent { output } => format!("{output}  is not in the store"),
        Finding::Published { name, there: true } => format!("{name}  was changed after it was published"),
        Finding::Published { name, there: false } => format!("{name}  is not published"),
    }
}

fn document(study: &Study, found: &Verified, rerun: Option<&[String]>) -> Value {
    let findings: Vec<Value> = found
        .findings
        .iter()
        .map(|finding| json!({ "differs": finding.differs(), "what": sentence(finding) }))
        .collect();
    json!({
        "pipeline": study.plan.name,
        "inputs": found.inputs,
        "outputs": found.outputs,
        "published": found.published,
        "findings": findings,
        "rerun": rerun,
    })
}

/// Executes items again and compares them with what is stored; returns their ids.
fn again(which: &str, study: &Study, lock: &Lock, context: &Context) -> Result<Vec<String>> {
    let chosen = choose(which, study)?;
    let options = Options {
        jobs: context.jobs,
        only: Some(execute::with_sources(&study.plan, &chosen)),
        force: chosen.clone(),
        cancelled: Arc::clone(&context.cancelled),
        ..Options::default()
    };
    let watch = Watch::new(&context.global);
    let study_context = execute::Context { previous: Some(lock), ..study.context() };
    let report = execute(&study.plan, &study_context, &options, &watch)?;
    watch.close();
    if let Some(fault) = report.fault() {
        return Err(fault);
    }
    for &node in &chosen {
        let id = &study.plan.nodes[node].id;
        let (Some(entry), Some(result)) = (lock.entries.get(id), &report.results[node]) else { continue };
        let differs = result.outputs.iter().find(|(port, blob)| entry.outputs.get(*port) != Some(&blob.digest));
        if let Some((port, _)) = differs.filter(|_| entry.key == result.key) {
            return Err(Fault::new(
                Kind::Mismatch,
                format!("{id} gave other bytes for `{port}` than the lock file says"),
            ));
        }
    }
    Ok(chosen.iter().map(|&node| study.plan.nodes[node].id.clone()).collect())
}

fn choose(which: &str, study: &Study) -> Result<BTreeSet<usize>> {
    let nodes = &study.plan.nodes;
    if which == "all" {
        return Ok((0..nodes.len()).collect());
    }
    if let Ok(count) = which.parse::<usize>() {
        let count = count.clamp(1, nodes.len().max(1));
        // Evenly over the plan, so that every kind of stage has its chance, and the same ones each time.
        return Ok((0..count).map(|i| i * nodes.len() / count).collect());
    }
    let chosen = named_by(&study.plan, which);
    if chosen.is_empty() {
        return Err(Fault::usage(format!("`--rerun {which}` names no stage or item"))
            .hint("give `all`, a number, a stage such as `infer`, or an item such as `infer@p16`"));
    }
    Ok(chosen)
}
