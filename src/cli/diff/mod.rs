//! `calvaria diff A B`: how two runs of a study differ: parameters, results case by case, and where it begins.

mod bisect;
mod metrics;
mod side;

use serde_json::json;

use self::{bisect::Bisection, metrics::Metric, side::Side};
use super::{Context, out};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::diff::{LockDiff, NodeDiff, diff},
};

/// Nodes of one stage that are told one by one; of more, only how many there are.
const TOLD: usize = 3;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A lock file, a pipeline file (its lock file is meant), or a run of `calvaria log`
    before: String,
    /// The same, to compare with it
    after: String,
    /// Numbers of the results to show case by case; `all` for every one
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "dsc,mad_pred_to_gold_mm,defect_mad_pred_to_gold_mm"
    )]
    metric: Vec<String>,
    /// Look into trainings that differ, down to the first step
    #[arg(long)]
    bisect: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let (before, after) = (Side::open(&args.before, context)?, Side::open(&args.after, context)?);
    let found = diff(&before.lock, &after.lock);
    let wanted = |name: &str| args.metric.iter().any(|word| word == "all" || word == name);
    let metrics = metrics::paired(&before, &after)?;
    let bisections = if args.bisect { bisect::trainings(&before, &after, &found)? } else { Vec::new() };
    if context.global.json {
        out::json(&json!({
            "before": before.name,
            "after": after.name,
            "equal": found.is_empty(),
            "locks": found,
            "metrics": metrics,
            "bisect": bisections,
        }))?;
    } else {
        tell_locks(&found)?;
        metrics.iter().filter(|metric| wanted(&metric.name)).try_for_each(tell_metric)?;
        bisections.iter().try_for_each(tell_bisection)?;
    }
    if found.is_empty() {
        return if context.global.json { Ok(()) } else { out::line("no difference") };
    }
    Err(Fault::new(Kind::Differs, format!("{} and {} differ", before.name, after.name)))
}

fn tell_locks(found: &LockDiff) -> Result<()> {
    found.head.iter().try_for_each(out::line)?;
    for (ids, where_) in [(&found.only_before, "the first"), (&found.only_after, "the second")] {
        match ids.as_slice() {
            [] => {}
            ids if ids.len() <= TOLD => {
                ids.iter().try_for_each(|id| out::line(format!("{id}  is only in {where_}")))?;
            }
            [first, ..] => out::line(format!("{first} and {} more items are only in {where_}", ids.len() - 1))?,
        }
    }
    for item in found.items.iter().filter(|item| item.why.is_some()) {
        tell_item(item)?;
    }
    if let Some(first) = &found.first {
        let after = found.items.iter().filter(|item| item.why.is_none()).count();
        out::line(format!("first other result: {first}; {after} items differ for what came before them only"))?;
    }
    Ok(())
}

fn tell_item(item: &NodeDiff) -> Result<()> {
    let outputs = if item.outputs.is_empty() { "with the same results".to_owned() } else { item.outputs.join(", ") };
    out::line(format!("{}  {}   {outputs}", item.item, item.why.as_deref().unwrap_or_default()))?;
    for param in item.params.iter().skip(1) {
        out::line(format!("    params.{} {} -> {}", param.name, param.before, param.after))?;
    }
    Ok(())
}

fn tell_metric(metric: &Metric) -> Result<()> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    out::line(format!("\n{:<44} {:>10} {:>10} {:>10}", metric.name, "before", "after", "difference"))?;
    for case in &metric.cases {
        out::line(format!(
            "  {:<42} {:>10} {:>10} {:>10}",
            case.item,
            number(case.before),
            number(case.after),
            case.difference.map_or_else(|| "-".to_owned(), |value| format!("{value:+.4}"))
        ))?;
    }
    let Some(test) = &metric.test else { return Ok(()) };
    out::line(format!(
        "  {} pairs, mean difference {:+.4}, p {:.3} (paired permutation)",
        test.n, test.mean_difference, test.p
    ))
}

fn tell_bisection(found: &Bisection) -> Result<()> {
    out::line(format!("\n{}: {}", found.item, found.sentence()))
}
