//! `calvaria schema`: JSON Schemas of the files that people write, and of what each command prints with `--json`.

mod notation;
mod outputs;

use serde_json::json;

use super::{Context, out};
use crate::{
    fault::{Fault, Result, near_miss},
    manifest, pipeline, stages,
};

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `pipeline`, `manifest`, or `output/COMMAND`
    #[arg(default_value = "pipeline")]
    of: String,
    /// Name all that there are
    #[arg(long)]
    list: bool,
}

/// The files that people write.
const FILES: [(&str, &str); 2] = [("pipeline", "a pipeline file"), ("manifest", "a data manifest")];

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    if args.list {
        return list(context);
    }
    match args.of.as_str() {
        "pipeline" => out::json(&pipeline::schema(stages::OPS)),
        "manifest" => out::json(&manifest::schema()),
        name => match name.strip_prefix("output/").and_then(outputs::schema) {
            Some(schema) => out::json(&schema?),
            None => Err(unknown(name)),
        },
    }
}

fn list(context: &Context) -> Result<()> {
    let all = all();
    if context.global.json {
        let schemas: Vec<_> = all.iter().map(|(name, doc)| json!({ "name": name, "doc": doc })).collect();
        return out::json(&json!({ "schemas": schemas }));
    }
    all.iter().try_for_each(|(name, doc)| out::line(format!("{name:<24} {doc}")))
}

fn all() -> Vec<(String, &'static str)> {
    let files = FILES.iter().map(|(name, doc)| ((*name).to_owned(), *doc));
    files.chain(outputs::OUTPUTS.iter().map(|output| (format!("output/{}", output.name), output.doc))).collect()
}

fn unknown(name: &str) -> Fault {
    let all = all();
    let fault = Fault::usage(format!("there is no schema `{name}`"));
    match near_miss(name, all.iter().map(|(name, _)| name.as_str())) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("`calvaria schema --list` names them"),
    }
}
