//! The engine's rows: `calvaria run` of a pipeline of which everything is up to date, from start to exit.
//!
//! Half of the stages threshold one scan of 4 x 4 x 4 voxels, each at another intensity; the others extract the surfaces.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::work::Work;
use crate::{
    cli::Context,
    fault::{Fault, Result},
    io::image::write_i16,
    space::{DVec3, Grid},
    volume::Volume,
};

const MANIFEST: &str = "manifest: 1\nroot: .\ncases:\n  one:\n    split: test\n    ct: { path: ct.nrrd }\n";

/// `runner.noop`.
pub(super) struct Noop {
    stages: usize,
    folder: PathBuf,
    jobs: usize,
}

impl Noop {
    /// Writes the pipeline; the first run, which does everything, is the one that warms up.
    pub(super) fn new(stages: usize, folder: &Path, context: &Context) -> Result<Self> {
        let pipelines = folder.join("pipelines");
        std::fs::create_dir_all(&pipelines).map_err(|error| Fault::file("create the folder", &pipelines, &error))?;
        let grid = Grid::aligned([4, 4, 4], DVec3::ONE);
        write_i16(&folder.join("ct.nrrd"), &Volume::new(grid, (0..64).map(|voxel| 100 * voxel).collect())?)?;
        write(&folder.join("manifest.yaml"), MANIFEST)?;
        write(&pipelines.join("noop.yaml"), &pipeline(stages / 2))?;
        let noop = Self { stages, folder: folder.to_owned(), jobs: context.jobs };
        noop.start()?;
        Ok(noop)
    }

    fn start(&self) -> Result<()> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| Fault::unfit(format!("this program does not find itself: {error}")))?;
        let mut command = Command::new(program);
        command.args(["--jobs", &self.jobs.to_string(), "--quiet", "run", "pipelines/noop.yaml"]);
        command.current_dir(&self.folder).env_remove("CALVARIA_JOBS").env_remove("CALVARIA_STORE");
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        let status = status.map_err(|error| Fault::unfit(format!("cannot start the run: {error}")))?;
        status.success().then_some(()).ok_or_else(|| Fault::unfit("the run of the synthetic pipeline failed"))
    }
}

fn pipeline(thresholds: usize) -> String {
    let levels: Vec<String> = (1..=thresholds).map(|level| level.to_string()).collect();
    format!(
        "calvaria: 1\nname: noop\nseed: 1\nmanifest: ../manifest.yaml\nstages:\n\
         \x20 threshold:\n    uses: threshold\n    foreach: cases\n    matrix: {{ hu: [{}] }}\n\
         \x20   with: {{ ct: case.ct }}\n    params: {{ hu: $hu }}\n\
         \x20 surface:\n    uses: surface\n    foreach: cases\n    with: {{ volume: threshold.label }}\n",
        levels.join(", ")
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Fault::file("write", path, &error))
}

impl Work for Noop {
    fn shape(&self) -> String {
        format!("{} stages", self.stages)
    }

    fn run(&mut self) -> Result<()> {
        self.start()
    }

    /// The work is done by a process of its own, whose memory is not seen here.
    fn memory_is_ours(&self) -> bool {
        false
    }
}
