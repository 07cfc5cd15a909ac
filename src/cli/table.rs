//! `calvaria table`: print a result table of a study.

use super::{
    Context, out,
    study::{self, Study},
};
use crate::{
    fault::{Fault, Kind, Result},
    pipeline::status::locate,
    report::table::text_from_json,
};

/// Arguments of `table`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let tables = if context.global.json { as_json(&study)? } else { published(&study)? };
    if tables.is_empty() {
        return Err(Fault::new(Kind::Missing, "there is no up-to-date table in the store")
            .hint("`calvaria run` makes it; `calvaria status` says what is missing"));
    }
    tables.iter().try_for_each(out::line)
}

/// Returns every up-to-date table of the study as text for a terminal.
pub(super) fn published(study: &Study) -> Result<Vec<String>> {
    as_json(study)?.iter().map(|json| text_from_json(json)).collect()
}

fn as_json(study: &Study) -> Result<Vec<String>> {
    let only = study.selection()?;
    let chosen = |index: usize| only.as_ref().is_none_or(|only| only.contains(&index));
    let nodes = study.plan.nodes.iter().enumerate().filter(|&(index, node)| node.op.name() == "table" && chosen(index));
    let context = study.context();
    nodes
        .filter_map(|(_, node)| locate(&study.plan, &context, &node.id, "table"))
        .map(|found| {
            let path = found.path.join("table.json");
            std::fs::read_to_string(&path).map_err(|error| Fault::file("read the table", &path, &error))
        })
        .collect()
}
