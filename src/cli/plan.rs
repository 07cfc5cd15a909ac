//! `calvaria plan`: what `run` would do, and what it would cost.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Context, forecast, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::status::{State, Survey, survey},
};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    #[command(flatten)]
    reach: study::Reach,
    /// Exit with 1 when something would run
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let up_to_date = show_survey(&study, &args.reach, context)?;
    if args.exit_code && !up_to_date {
        return Err(Fault::new(Kind::Differs, "the study is not up to date"));
    }
    Ok(())
}

/// Shows the plan of a study.
pub(super) fn show(study: &Study, reach: &study::Reach, context: &Context) -> Result<()> {
    show_survey(study, reach, context).map(drop)
}

fn show_survey(study: &Study, reach: &study::Reach, context: &Context) -> Result<bool> {
    let only = study.reach(reach)?;
    let found = survey(&study.plan, &study.context(), only.as_ref());
    let open = |index: usize| matches!(found.nodes[index].state, State::Run | State::Maybe);
    let estimate = forecast::estimate(&study.plan, context.jobs, open);
    let totals = found.totals();
    if context.global.json {
        let stages: Vec<_> = by_stage(study, &found)
            .into_iter()
            .map(|(stage, count)| json!({ "stage": stage, "cached": count[0], "run": count[1], "maybe": count[2] }))
            .collect();
        out::json(&json!({
            "pipeline": study.plan.name,
            "overrides": study.plan.overrides,
            "cached": totals.cached,
            "run": totals.run,
            "maybe": totals.maybe,
            "unready": totals.unready,
            "expected_seconds": totals.expected_seconds,
            "estimate": estimate,
            "stages": stages,
        }))?;
        return Ok(found.up_to_date());
    }
    for (name, value) in &study.plan.overrides {
        out::line(format!("override {name} = {value}"))?;
    }
    out::line(format!("{:<16} {:>7} {:>7} {:>7}", "stage", "cached", "run", "maybe"))?;
    for (stage, [cached, run, maybe]) in by_stage(study, &found) {
        out::line(format!("{stage:<16} {cached:>7} {run:>7} {maybe:>7}"))?;
    }
    for (node, status) in study.plan.nodes.iter().zip(&found.nodes) {
        if let State::Unready(fault) = &status.state {
            out::line(format!("{} cannot run: {fault}", node.id))?;
        }
    }
    let cores = if context.jobs == 1 { "core" } else { "cores" };
    out::line(match totals.run + totals.maybe {
        0 => "up to date".to_owned(),
        // What was measured on this machine is a better guide than the forecast, if it was measured on work of this size.
        _ if totals.unknown == 0 && alike(totals.expected_seconds, estimate.core_seconds) => format!(
            "about {} on {} {cores}, as last time; {} of disk",
            forecast::human_seconds(totals.expected_seconds / context.jobs as f64),
            context.jobs,
            forecast::human_bytes(estimate.bytes)
        ),
        _ => format!(
            "about {} on {} {cores} and {} of disk, by forecast",
            forecast::human_seconds(estimate.seconds),
            context.jobs,
            forecast::human_bytes(estimate.bytes)
        ),
    })?;
    Ok(found.up_to_date())
}

/// Whether two durations are of one order; items of other pipelines may have had the same ids and much less to do.
fn alike(measured_s: f64, forecast_s: f64) -> bool {
    measured_s > 0.0 && (0.25..=4.0).contains(&(forecast_s / measured_s))
}

/// Counts of cached, run and maybe by stage, in the order of the plan.
fn by_stage<'a>(study: &'a Study, found: &Survey) -> Vec<(&'a str, [usize; 3])> {
    let mut order: Vec<&str> = Vec::new();
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (node, status) in study.plan.nodes.iter().zip(&found.nodes) {
        let at = match status.state {
            State::Cached => 0,
            State::Run => 1,
            State::Maybe => 2,
            State::Unready(_) | State::NotSelected => continue,
        };
        if !order.contains(&node.stage.as_str()) {
            order.push(&node.stage);
        }
        counts.entry(&node.stage).or_default()[at] += 1;
    }
    order.into_iter().map(|stage| (stage, counts[stage])).collect()
}
