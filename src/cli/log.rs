//! `calvaria log`: past runs, and what failed in them.

use serde_json::json;

use super::{
    Context, forecast, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Result},
    pipeline::runs::{self, RunInfo},
};

/// Arguments of `log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// Only the last run
    #[arg(long)]
    last: bool,
    /// Only what failed, in the last run unless `--run` names one
    #[arg(long)]
    failed: bool,
    /// Show the log of one item: `train,seed=1`
    #[arg(long, value_name = "ITEM")]
    item: Option<String>,
    /// Of this run [default: the last one]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let mut past = runs::list(&study.store);
    past.retain(|run| run.pipeline == study.plan.name);
    if let Some(id) = &args.run {
        past.retain(|run| run.run == *id);
        if past.is_empty() {
            return Err(Fault::usage(format!("there is no run `{id}`")).hint("`calvaria log` lists them"));
        }
    }
    if args.last || args.failed || args.item.is_some() {
        // The newest stands first.
        past.truncate(1);
    }
    if let (Some(item), Some(run)) = (&args.item, past.first()) {
        return match runs::stage_log(&study.store, &run.run, item) {
            Some(text) if context.global.json => {
                out::json(&json!({ "run": run.run, "item": item, "lines": text.lines().collect::<Vec<_>>() }))
            }
            Some(text) => out::line(text),
            None => Err(Fault::usage(format!("`{item}` did not execute in run {}", run.run))
                .hint("a cached item has no log in that run; try an earlier `--run`")),
        };
    }
    if args.item.is_some() {
        return Err(Fault::usage("there is no run of this pipeline yet").hint("`calvaria run` makes one"));
    }
    if context.global.json {
        return out::json(&json!({ "runs": past }));
    }
    for run in &past {
        if !args.failed {
            out::line(line(run))?;
        }
        for failed in &run.failed {
            out::line(format!("  {} failed (exit {}): {}", failed.node, failed.exit, failed.what))?;
        }
    }
    Ok(())
}

fn line(run: &RunInfo) -> String {
    let end = run.exit.map_or_else(|| "unfinished".to_owned(), |code| format!("exit {code}"));
    let s = &run.summary;
    let time = forecast::human_seconds(s.seconds);
    format!("{}  {end:<10}  run {:>4}  cached {:>4}  failed {:>3}  {time}", run.run, s.ran, s.cached, s.failed)
}
