//! `calvaria man`: a manual page a command.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use serde_json::json;

use super::{Cli, Context, out};
use crate::fault::{Fault, Result};

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for the pages, made if it is not there
    folder: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    std::fs::create_dir_all(&args.folder).map_err(|error| Fault::file("create the folder", &args.folder, &error))?;
    let mut command = Cli::command();
    command.build();
    let mut written = Vec::new();
    page(&command, "calvaria", &args.folder, &mut written)?;
    if context.global.json { out::json(&json!({ "pages": written })) } else { written.iter().try_for_each(out::line) }
}

fn page(command: &clap::Command, name: &str, folder: &Path, written: &mut Vec<String>) -> Result<()> {
    let file = format!("{name}.1");
    let path = folder.join(&file);
    let title = name.to_uppercase();
    // No date: the pages of one version are the same bytes whenever they are made.
    let man = Man::new(command.clone()).title(title).date("").source(format!("calvaria {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text).map_err(|error| Fault::unfit(format!("the page of `{name}` cannot be made: {error}")))?;
    std::fs::write(&path, text).map_err(|error| Fault::file("write the page", &path, &error))?;
    written.push(file);
    let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help");
    for inner in inner {
        page(inner, &format!("{name}-{}", inner.get_name()), folder, written)?;
    }
    Ok(())
}
