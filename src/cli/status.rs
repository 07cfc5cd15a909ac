//! `calvaria status`: the state of every item, one a line.

use serde_json::json;

use super::{
    Context, forecast, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::status::{State, survey},
};

/// Arguments of `status`.
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
    let only = study.reach(&args.reach)?;
    let found = survey(&study.plan, &study.context(), only.as_ref());
    let rows = || study.plan.nodes.iter().zip(&found.nodes).filter(|(_, status)| status.state != State::NotSelected);
    if context.global.json {
        let items: Vec<_> = rows()
            .map(|(node, status)| {
                let key = status.result.as_ref().map(|result| result.key.to_string());
                json!({ "item": node.id, "state": status.state.name(), "key": key, "seconds": status.expected_seconds })
            })
            .collect();
        out::json(&json!({ "pipeline": study.plan.name, "items": items, "totals": found.totals() }))?;
    } else {
        for (node, status) in rows() {
            let time = status.expected_seconds.map(forecast::human_seconds).unwrap_or_default();
            let line = format!("{:<8} {:<44} {time}", status.state.name(), node.id);
            out::line(line.trim_end())?;
            if let State::Unready(fault) = &status.state {
                out::line(format!("         {fault}"))?;
            }
        }
    }
    if args.exit_code && !found.up_to_date() {
        return Err(Fault::new(Kind::Differs, "the study is not up to date"));
    }
    Ok(())
}
