//! The tasks that a worker can measure, and what a worker holds while it does.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{geometry, msdnet, readers, runner};
use crate::{
    cli::Context,
    fault::{Fault, Result},
};

/// One row, told to a worker on its command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Task {
    /// One slice from image to logits.
    Forward { side: usize, depth: usize },
    /// One training step: forward, loss, backward, Adam.
    Step { side: usize, depth: usize },
    /// A whole scan: read, infer, write.
    Ct { side: usize, depth: usize, slices: usize, folder: PathBuf },
    /// One of the geometry rows on prepared files.
    Geometry { name: String, files: PathBuf },
    /// A command on a synthetic study.
    Runner { action: runner::Action, stages: usize, folder: PathBuf },
    /// One image from disk.
    Readers { path: PathBuf },
}

/// Something prepared, to be run again and again.
pub(super) trait Work {
    /// The size of the work in words.
    fn shape(&self) -> String;
    /// Floating-point operations of one run, where that is known.
    fn flop(&self) -> Option<f64> {
        None
    }
    /// Runs once.
    fn run(&mut self) -> Result<()>;
    /// Runs the network's part of the work alone and returns the seconds that all of it takes.
    fn forward_seconds(&mut self) -> Result<Option<f64>> {
        Ok(None)
    }
    /// Returns what the last run took, where that is not the time from its beginning to its end.
    fn own_seconds(&self) -> Option<f64> {
        None
    }
    /// Whether the memory of this process is that of the work.
    fn memory_is_ours(&self) -> bool {
        true
    }
}

impl Task {
    /// Returns the task of a command line.
    pub(super) fn from_text(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Fault::usage(format!("no task: {error}")))
    }

    /// Returns the text for a command line.
    pub(super) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Fault::unfit(format!("the task cannot be told: {error}")))
    }

    /// Returns the row's name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Forward { .. } => "msdnet.forward".to_owned(),
            Self::Step { .. } => "msdnet.step".to_owned(),
            Self::Ct { .. } => "msdnet.ct".to_owned(),
            Self::Geometry { name, .. } => format!("geometry.{name}"),
            Self::Runner { action, .. } => action.name().to_owned(),
            Self::Readers { path } => {
                format!("readers.{}", path.file_name().unwrap_or_default().to_string_lossy())
            }
        }
    }

    /// Prepares the task.
    pub(super) fn prepare<'a>(&self, context: &'a Context) -> Result<Box<dyn Work + 'a>> {
        Ok(match self {
            Self::Forward { side, depth } => Box::new(msdnet::Forward::new(*side, *depth)?),
            Self::Step { side, depth } => Box::new(msdnet::Step::new(*side, *depth)?),
            Self::Ct { side, depth, slices, folder } => {
                Box::new(msdnet::Ct::new(*side, *depth, *slices, folder, context)?)
            }
            Self::Geometry { name, files } => geometry::prepare(name, files)?,
            Self::Runner { action, stages, folder } => Box::new(runner::Study::new(*action, *stages, folder, context)?),
            Self::Readers { path } => Box::new(readers::Read::new(path)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_survives_the_command_line() {
        let task = Task::Ct { side: 64, depth: 3, slices: 2, folder: "/tmp/a b".into() };
        assert_eq!(Task::from_text(&task.to_text().unwrap()), Ok(task));
        assert!(Task::from_text("{}").is_err());
    }
}
