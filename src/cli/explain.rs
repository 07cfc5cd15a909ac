//! `calvaria explain`: why an item would run, down to the line that was edited.

use serde_json::{Value, json};

use super::{
    Context, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        change::Change,
        explain::{Explanation, Root, explain, overview},
        lockfile::Lock,
        status::State,
    },
};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let lock = study.lock()?;
    let Some(nodes) = study.named()? else { return summary(&study, &lock, context) };
    let found = explain(&study.plan, &study.context(), &lock, &nodes);
    if context.global.json {
        let items: Vec<Value> = found.iter().map(|one| document(&study, one)).collect();
        return out::json(&json!({ "pipeline": study.plan.name, "items": items }));
    }
    found.iter().try_for_each(|one| tell(&study, one))
}

/// Of a whole study each cause once, with how much hangs on it.
fn summary(study: &Study, lock: &Lock, context: &Context) -> Result<()> {
    let (stale, roots) = overview(&study.plan, &study.context(), lock);
    if context.global.json {
        let roots: Vec<Value> = roots.iter().map(|root| root_document(study, root)).collect();
        return out::json(&json!({ "pipeline": study.plan.name, "stale": stale, "roots": roots }));
    }
    if stale == 0 {
        return out::line("everything is up to date");
    }
    out::line(format!("{stale} of {} items would run, or might", study.plan.nodes.len()))?;
    for root in &roots {
        out::line(format!("  {}", root_line(study, root)))?;
        out::line(format!("    {}", reach(root)))?;
    }
    Ok(())
}

fn tell(study: &Study, one: &Explanation) -> Result<()> {
    let node = &study.plan.nodes[one.node];
    out::line(format!("{}  {}", node.id, sentence(one)))?;
    if let State::Unready(fault) = &one.state {
        out::line(format!("  {fault}"))?;
    }
    for change in &one.changes {
        out::line(format!("  {}", describe(change)))?;
    }
    for root in &one.roots {
        if root.nodes == [one.node] {
            if let Some(place) = place(study, root) {
                out::line(format!("    {place}"))?;
            }
            continue;
        }
        out::line(format!("  └─ root cause   {}", root_line(study, root)))?;
        out::line(format!("     {}", reach(root)))?;
    }
    Ok(())
}

fn sentence(one: &Explanation) -> &'static str {
    match (&one.state, one.changes.is_empty()) {
        (State::Cached | State::NotSelected, true) => "is up to date",
        (State::Cached | State::NotSelected, false) => "has changed, and its result is in the store",
        (State::Run, _) => "would run",
        (State::Maybe, _) => "might run: it depends on what comes out before it",
        (State::Unready(_), _) => "cannot run",
    }
}

fn reach(root: &Root) -> String {
    match root.stale {
        0 => "nothing would run because of it".to_owned(),
        1 => "one item is stale for this reason".to_owned(),
        n => format!("{n} items are stale for this one reason"),
    }
}

fn root_line(study: &Study, root: &Root) -> String {
    let first = &study.plan.nodes[root.nodes[0]];
    let who = match root.nodes.len() {
        1 => first.id.clone(),
        n => format!("{} ×{n}", first.stage),
    };
    let place = place(study, root).map(|place| format!("   ({place})")).unwrap_or_default();
    format!("{who}: {}{place}", describe(&root.change))
}

/// Where a person made the change, as far as that can be told.
fn place(study: &Study, root: &Root) -> Option<String> {
    let node = &study.plan.nodes[root.nodes[0]];
    match &root.change {
        Change::Param { name, .. } => Some(match study.spec.edit_place(&node.stage, name) {
            Some(place) => place.to_string(),
            None => format!("--set {}.{name}", node.stage),
        }),
        Change::Seed { .. } => Some(format!("seed: in {}", study.plan.file.display())),
        Change::New => Some(node.place.to_string()),
        _ => None,
    }
}

/// Says one difference in words.
pub(super) fn describe(change: &Change) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    match change {
        Change::New => "is not in the lock file".to_owned(),
        Change::Op { before, now } => format!("op {before} -> {now}"),
        Change::Param { name, before, now } => format!("params.{name} {} -> {}", value(before), value(now)),
        Change::Seed { before, now } => format!("seed {before} -> {now}"),
        Change::Input { port, source, before, now, from } => {
            let absent = if from.is_some() { "not known yet" } else { "nothing" };
            let before = before.map_or_else(|| "nothing".to_owned(), |digest| digest.short());
            let now = now.map_or_else(|| absent.to_owned(), |digest| digest.short());
            format!("input {port}  {before} -> {now}   from {source}")
        }
        Change::Hidden => "how the manifest says to read an input, or the device".to_owned(),
        Change::Lost => "its result is not in the store".to_owned(),
    }
}

fn document(study: &Study, one: &Explanation) -> Value {
    let roots: Vec<Value> = one.roots.iter().map(|root| root_document(study, root)).collect();
    json!({
        "item": study.plan.nodes[one.node].id,
        "state": one.state.name(),
        "changes": one.changes,
        "roots": roots,
    })
}

fn root_document(study: &Study, root: &Root) -> Value {
    let items: Vec<&str> = root.nodes.iter().map(|&node| study.plan.nodes[node].id.as_str()).collect();
    json!({ "items": items, "change": root.change, "place": place(study, root), "stale": root.stale })
}

/// Returns the fault of a study that has no lock file where one is needed.
pub(super) fn no_lock(study: &Study) -> Fault {
    Fault::usage("there is no lock file to compare with")
        .at(study.places(crate::pipeline::session::LockRule::Check).lock.display())
        .hint("`calvaria run` writes it after a success")
}
