//! `calvaria completions`: what a shell needs to complete commands and options.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, out};
use crate::fault::{Fault, Result};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "calvaria", &mut script);
    out::line(String::from_utf8(script).map_err(|_| Fault::unfit("the completions are not text"))?)
}
