//! `calvaria check`: do pipeline, manifest and lock file agree? Needs no data and no store.

use serde_json::json;

use super::{
    Context, explain, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::{
        check::{Disagreement, check},
        lockfile::Lock,
        session::LockRule,
    },
};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let path = study.places(LockRule::Check).lock;
    let Some(lock) = Lock::read(&path)? else { return Err(explain::no_lock(&study)) };
    let found = check(&study.plan, &study.context(), &lock);
    let lines: Vec<(String, Vec<String>)> = found.iter().map(|one| words(&study, one)).collect();
    if context.global.json {
        let differences: Vec<_> =
            lines.iter().map(|(item, changes)| json!({ "item": item, "changes": changes })).collect();
        out::json(&json!({
            "pipeline": study.plan.name,
            "items": study.plan.nodes.len(),
            "agrees": found.is_empty(),
            "differences": differences,
        }))?;
    } else {
        for (item, changes) in &lines {
            for change in changes {
                out::line(format!("{item}  {change}"))?;
            }
        }
    }
    if found.is_empty() {
        if !context.global.json && !context.global.quiet {
            out::talk(format!("{} items agree with {}", study.plan.nodes.len(), path.display()));
        }
        return Ok(());
    }
    Err(Fault::new(Kind::Differs, format!("{} differ from the lock file", items(found.len())))
        .at(path.display())
        .hint("`calvaria run` brings it up to date; commit it then"))
}

fn items(count: usize) -> String {
    if count == 1 { "one item".to_owned() } else { format!("{count} items") }
}

fn words(study: &Study, one: &Disagreement) -> (String, Vec<String>) {
    let id = |node: usize| study.plan.nodes[node].id.clone();
    match one {
        Disagreement::Head(what) => ("head".to_owned(), vec![what.clone()]),
        Disagreement::Node { node, changes } => (id(*node), changes.iter().map(explain::describe).collect()),
        Disagreement::Stale(item) => (item.clone(), vec!["is no longer in the pipeline".to_owned()]),
        Disagreement::Open { node, why } => (id(*node), vec![why.clone()]),
    }
}
