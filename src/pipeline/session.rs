//! A whole `run`: execute, publish, write the lock file, and keep a log of it.

use std::path::PathBuf;

use super::{
    digest::Digest,
    events::{Both, Event, Observer},
    execute::{Context, Options, Outcome, Report, check_inputs, execute},
    lockfile::Lock,
    plan::Plan,
    publish,
    runs::RunFolder,
    stale,
    store::Wait,
};
use crate::fault::{Fault, Result};

/// What becomes of the lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockRule {
    /// It is written when it changes.
    Write,
    /// A change is a fault (`--locked`, exit 1), and nothing is published then.
    Check,
}

/// Files that a run writes outside of the store.
#[derive(Clone, Debug)]
pub struct Places {
    /// `pipelines/<name>.lock`.
    pub lock: PathBuf,
    /// `results/<name>/`.
    pub results: PathBuf,
    /// What becomes of the lock file.
    pub rule: LockRule,
}

/// What a run left.
#[derive(Debug)]
pub struct Finished {
    /// Name of the run, for `log`.
    pub run: String,
    /// Node by node.
    pub report: Report,
    /// Result files that were written, by name under `results/<name>/`.
    pub published: Vec<String>,
    /// Result files of earlier runs that no stage publishes any more; told after a full run.
    pub stale: Vec<String>,
    /// Whether the lock file was written.
    pub lock_changed: bool,
    /// What decides the exit code, if the run did not succeed.
    pub fault: Option<Fault>,
}

/// Brings a plan up to date, publishes its results, and writes its lock file after success.
///
/// `context.previous` is not looked at: the lock file is read here, when it is needed.
///
/// # Errors
/// When nothing could be begun: an input does not exist, the store or the lock file cannot be used.
pub fn run(
    plan: &Plan,
    context: &Context<'_>,
    options: &Options,
    places: &Places,
    observer: &dyn Observer,
) -> Result<Finished> {
    check_inputs(plan, options.only.as_ref())?;
    // A full run replaces the lock file whole, so it need not understand the old one.
    let frozen = plan.nodes.iter().any(|node| node.frozen);
    let needs_old = frozen || options.only.is_some() || places.rule == LockRule::Check;
    let previous = if needs_old { Lock::read(&places.lock)? } else { None };
    let context = &Context { previous: previous.as_ref(), backend: context.backend.clone(), ..*context };

    context.store.prepare()?;
    let _in_use = context.store.use_shared()?;
    let log = RunFolder::create(context.store, plan)?;
    let observer = &Both(&log, observer);
    observer.event(&Event::RunStarted { run: log.id(), pipeline: &plan.name, nodes: plan.nodes.len() });
    let mut report = execute(plan, context, options, observer)?;
    let mut fault = report.fault();
    let done = conclude(plan, context, options, places, observer, &mut report);
    let (published, lock_changed, lock) = done.unwrap_or_else(|late| {
        fault.get_or_insert(late);
        (Vec::new(), false, None)
    });
    let stale = if fault.is_none() && options.only.is_none() {
        let current = publish::items(plan, context, &report)?.into_iter().map(|item| item.name).collect();
        stale::stale(context.store, &plan.name, &places.results, &current)
    } else {
        Vec::new()
    };
    // Without it the next run hashes more; no reason to fail.
    drop(context.cache.save());
    observer.event(&Event::RunFinished { summary: &report.summary() });
    log.finish(&report, fault.as_ref(), lock.as_ref());
    Ok(Finished { run: log.id().to_owned(), report, published, stale, lock_changed, fault })
}

/// Publishes and locks, alone among the runs of this pipeline.
fn conclude(
    plan: &Plan,
    context: &Context<'_>,
    options: &Options,
    places: &Places,
    observer: &dyn Observer,
    report: &mut Report,
) -> Result<(Vec<String>, bool, Option<Lock>)> {
    let name = format!("results-{}.lock", Digest::of_bytes(plan.name.as_bytes()).short());
    let told = |holder| observer.event(&Event::Waiting { node: "results", holder });
    let wait = Wait { timeout: options.lock_timeout, cancelled: &options.cancelled, told: &told };
    let _lease = context.store.lease(&name, &wait)?;
    if places.rule == LockRule::Check {
        let old = context.previous.cloned().unwrap_or_default();
        let new = Lock::of(plan, report, context.previous)?;
        if let Some(difference) = old.first_difference(&new, plan) {
            return Err(difference.fault());
        }
    }
    let published = publish_all(plan, context, options, places, observer, report)?;
    let lock = Lock::of(plan, report, context.previous)?;
    let write_lock = places.rule == LockRule::Write && report.complete();
    let changed = write_lock && lock.write(&places.lock)?;
    Ok((published, changed, Some(lock)))
}

fn publish_all(
    plan: &Plan,
    context: &Context<'_>,
    options: &Options,
    places: &Places,
    observer: &dyn Observer,
    report: &mut Report,
) -> Result<Vec<String>> {
    publish::sweep(&places.results);
    let mut published = Vec::new();
    let mut mended = false;
    let mut queue = publish::items(plan, context, report)?;
    queue.reverse();
    while let Some(item) = queue.pop() {
        if !publish::is_due(&item, &places.results, context)? {
            continue;
        }
        if publish::write(&item, &places.results, context)? {
            observer.event(&Event::Published { name: &item.name });
            published.push(item.name);
        } else if mended {
            return Err(Fault::unfit(format!("`{}` is damaged in the store again and again", item.name))
                .hint("the disk may be failing"));
        } else {
            // The damaged bytes are in the trash: another walk makes them again and finds all else in place.
            mended = true;
            let options = Options { force: std::collections::BTreeSet::new(), ..options.clone() };
            merge(report, execute(plan, context, &options, observer)?);
            queue = publish::items(plan, context, report)?;
            queue.reverse();
        }
    }
    Ok(published)
}

/// Takes over the results of a second walk; what the first executed stays told as executed.
fn merge(first: &mut Report, second: Report) {
    for (i, outcome) in second.outcomes.into_iter().enumerate() {
        if outcome != Outcome::Cached {
            first.outcomes[i] = outcome;
        }
    }
    first.results = second.results;
    first.seconds += second.seconds;
}
