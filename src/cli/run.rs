//! `calvaria run`: bring a study up to date.

use std::{
    collections::BTreeSet,
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use super::{
    Context, forecast, out,
    progress::Watch,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        events::{Both, JsonLines, Observer},
        execute::{Options, Outcome, Summary},
        session::{self, Finished, LockRule},
    },
    report::table::text_from_json,
};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    #[command(flatten)]
    reach: study::Reach,
    /// Show what would be done and stop (the same as `calvaria plan`)
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Execute the targets again, not what they need, and compare the results with the stored ones
    #[arg(short, long)]
    force: bool,
    /// Fail if the lock file would change
    #[arg(long)]
    locked: bool,
    /// Never execute, only restore from the store
    #[arg(long)]
    frozen: bool,
    /// Give up when another process holds a stage for this long, in seconds
    #[arg(long, value_name = "SECONDS")]
    lock_timeout: Option<u64>,
    /// Write every event as a line of JSON
    #[arg(long, value_name = "FILE.jsonl")]
    events: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    if args.dry_run {
        return super::plan::show(&study, &args.reach, context);
    }
    study.check_data()?;
    let only = study.reach(&args.reach)?;
    let options = Options {
        jobs: context.jobs,
        fail_fast: args.fail_fast,
        force: if args.force { forced(&study, only.as_ref())? } else { BTreeSet::new() },
        only,
        restore_only: args.frozen,
        lock_timeout: args.lock_timeout.map(Duration::from_secs),
        cancelled: Arc::clone(&context.cancelled),
    };
    let places = study.places(if args.locked || args.frozen { LockRule::Check } else { LockRule::Write });
    let watch = Watch::new(&context.global);
    let file = args.events.as_ref().map(events_file).transpose()?;
    let observer: &dyn Observer = match &file {
        Some(lines) => &Both(&watch, lines),
        None => &watch,
    };
    let finished = listening(context, || session::run(&study.plan, &study.context(), &options, &places, observer))?;
    watch.close();
    tell(&study, &finished, context)?;
    finished.fault.map_or(Ok(()), Err)
}

/// Does the work, and says once that a signal was heard: what runs may take its time to finish.
fn listening<T>(context: &Context, work: impl FnOnce() -> T) -> T {
    let (working, work_is_over) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = work_is_over.recv_timeout(Duration::from_millis(100)) {
                if context.cancelled.load(Ordering::Relaxed) != 0 {
                    if !context.global.quiet {
                        out::talk("stopping when the stages that run have finished; once more ends them at once");
                    }
                    return;
                }
            }
        });
        let done = work();
        // Wakes the listener.
        drop(working);
        done
    })
}

/// What `--force` executes again: the targets where there are any, else all that is selected.
fn forced(study: &Study, only: Option<&BTreeSet<usize>>) -> Result<BTreeSet<usize>> {
    let all = (0..study.plan.nodes.len()).collect();
    let chosen = only.unwrap_or(&all);
    Ok(match study.named()? {
        Some(named) => named.intersection(chosen).copied().collect(),
        None => chosen.clone(),
    })
}

fn events_file(path: &PathBuf) -> Result<JsonLines<File>> {
    File::create(path).map(JsonLines::new).map_err(|error| Fault::file("write the events", path, &error))
}

fn tell(study: &Study, finished: &Finished, context: &Context) -> Result<()> {
    let summary = finished.report.summary();
    for (node, outcome) in finished.report.ids.iter().zip(&finished.report.outcomes) {
        match outcome {
            Outcome::Failed(fault) => out::talk(format!("failed: {fault}")),
            Outcome::Skipped { why } if context.global.verbose > 0 => out::talk(format!("{node} skipped: {why}")),
            _ => {}
        }
    }
    for name in &finished.stale {
        out::talk(format!("stale: no stage publishes `{name}` any more; delete it if nobody needs it"));
    }
    if context.global.json {
        let failed: Vec<_> = finished
            .report
            .failures()
            .map(|(node, fault)| json!({ "node": node, "what": fault.what, "exit": fault.kind.exit_code() }))
            .collect();
        return out::json(&json!({
            "pipeline": study.plan.name,
            "run_id": finished.run,
            "run": summary.ran,
            "cached": summary.cached,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "conflicts": summary.conflicts,
            "seconds": summary.seconds,
            "published": finished.published,
            "stale": finished.stale,
            "lock_changed": finished.lock_changed,
            "failures": failed,
        }));
    }
    if finished.report.complete() {
        for text in tables(study, finished)? {
            out::line(text)?;
        }
    }
    if !context.global.quiet {
        out::talk(sentence(&summary));
    }
    Ok(())
}

/// Returns every table of the run as text for a terminal; its results say where they are.
fn tables(study: &Study, finished: &Finished) -> Result<Vec<String>> {
    let nodes = study.plan.nodes.iter().zip(&finished.report.results).zip(&finished.report.outcomes);
    let asked = nodes.filter(|((node, _), outcome)| node.op.name() == "table" && **outcome != Outcome::NotSelected);
    asked
        .filter_map(|((_, result), _)| result.as_ref()?.outputs.get("table"))
        .map(|blob| {
            let path = study.store.blob_path(&blob.digest).join("table.json");
            let json = std::fs::read_to_string(&path).map_err(|error| Fault::file("read the table", &path, &error))?;
            text_from_json(&json)
        })
        .collect()
}

fn sentence(summary: &Summary) -> String {
    let mut text = format!("run {} · cached {} · failed {}", summary.ran, summary.cached, summary.failed);
    if summary.skipped > 0 {
        text.push_str(&format!(" · skipped {}", summary.skipped));
    }
    if summary.conflicts > 0 {
        text.push_str(&format!(" · conflicts {}", summary.conflicts));
    }
    format!("{text} · {}", forecast::human_seconds(summary.seconds))
}
