//! `calvaria dag`: draw the graph of stages.

use clap::ValueEnum;

use super::{
    Context, out,
    study::{self, Study},
};
use crate::{
    fault::Result,
    pipeline::{
        graph::{self, Detail},
        status::survey,
    },
};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Mermaid,
    Dot,
    Json,
}

/// Arguments of `dag`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    study: study::Args,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Draw every item, not `infer ×15`
    #[arg(long)]
    expand: bool,
    /// Also show what is stored and what would run
    #[arg(long)]
    status: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let study = Study::open(&args.study, context)?;
    let detail = if args.expand { Detail::Items } else { Detail::Stages };
    let format = match args.format {
        _ if context.global.json => graph::Format::Json,
        Format::Text => graph::Format::Text,
        Format::Mermaid => graph::Format::Mermaid,
        Format::Dot => graph::Format::Dot,
        Format::Json => graph::Format::Json,
    };
    let survey = args.status.then(|| survey(&study.plan, &study.context(), None));
    out::line(graph::graph(&study.plan, detail, survey.as_ref()).render(format))
}
