//! A process that measures one row on request: one word a line in, one JSON object a line out.
//!
//! ```text
//! (ready)   {"shape": "512 x 512, depth 100", "flop": 2.4e10, "peer": null}
//! run       {"seconds": 0.31, "peak_gflops": 430.1, "forward_seconds": null}
//! end       {"peak_rss_mb": 250.2}
//! ```
//! Peers in other languages speak the same.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::work::Task;
use crate::{
    cli::{Context, out},
    fault::{Fault, Kind, Result},
    model::kernels,
};

/// What a process says when it is ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) shape: String,
    pub(super) flop: Option<f64>,
    /// What the peer is: name and version.
    pub(super) peer: Option<String>,
}

/// What a process says of one run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) seconds: f64,
    pub(super) peak_gflops: Option<f64>,
    pub(super) forward_seconds: Option<f64>,
}

/// What a process says at its end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) peak_rss_mb: Option<f64>,
}

/// What takes less time is repeated until it takes as much, s.
const LEAST_S: f64 = 0.1;
/// Most repetitions in one run.
const MOST_REPEATS: f64 = 1000.0;

/// Prepares a task, runs it once to warm up, then obeys standard input until that ends.
pub(super) fn serve(task: &Task, context: &Context) -> Result<()> {
    let mut work = task.prepare(context)?;
    let start = Instant::now();
    work.run()?;
    let repeats = (LEAST_S / start.elapsed().as_secs_f64()).clamp(1.0, MOST_REPEATS) as u32;
    let flop = work.flop();
    say(&Ready { shape: work.shape(), flop, peer: None })?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Fault::unfit(format!("cannot read what to do: {error}")))?;
        match line.trim() {
            "run" => {
                let start = Instant::now();
                for _ in 0..repeats {
                    work.run()?;
                }
                let wall = start.elapsed().as_secs_f64() / f64::from(repeats);
                let seconds = work.own_seconds().unwrap_or(wall);
                let peak_gflops =
                    flop.map(|_| 1e-9 * kernels::fma_peak(kernels::active(), rayon::current_num_threads()));
                say(&Run { seconds, peak_gflops, forward_seconds: work.forward_seconds()? })?;
            }
            _ => break,
        }
    }
    say(&End { peak_rss_mb: peak_rss_mb().filter(|_| work.memory_is_ours()) })
}

fn say<T: Serialize>(value: &T) -> Result<()> {
    out::line(serde_json::to_string(value).map_err(|error| Fault::unfit(format!("cannot tell the result: {error}")))?)
}

/// Returns the largest resident memory of this process so far, MB; nothing where the system does not tell.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// A process that measures.
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    what: String,
}

impl Worker {
    /// Starts a process and waits until it is ready.
    ///
    /// # Errors
    /// Usage when there is no such program; unfit when it ends before it is ready.
    pub(super) fn start(mut command: Command, what: &str) -> Result<(Self, Ready)> {
        let cannot = |error: std::io::Error| Fault::usage(format!("cannot start {what}: {error}"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Fault::unfit(format!("cannot talk to {what}")));
        };
        let mut worker = Self { child, input, output: BufReader::new(output), what: what.to_owned() };
        let ready = worker.hear()?;
        Ok((worker, ready))
    }

    /// Asks for one run.
    pub(super) fn run(&mut self) -> Result<Run> {
        self.tell("run")?;
        self.hear()
    }

    /// Ends the process.
    pub(super) fn end(mut self) -> Result<End> {
        self.tell("end")?;
        let end = self.hear()?;
        self.child.wait().map_err(|error| Fault::unfit(format!("{} did not end: {error}", self.what)))?;
        Ok(end)
    }

    fn tell(&mut self, word: &str) -> Result<()> {
        let told = writeln!(self.input, "{word}").and_then(|()| self.input.flush());
        told.map_err(|_| self.gone())
    }

    fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(count) if count > 0 => serde_json::from_str(&line)
                .map_err(|_| Fault::unfit(format!("{} said something else than expected: {}", self.what, line.trim()))),
            _ => Err(self.gone()),
        }
    }

    fn gone(&mut self) -> Fault {
        drop(self.child.kill());
        let code = self.child.wait().ok().and_then(|status| status.code());
        let kind = if code == Some(Kind::Usage.exit_code()) { Kind::Usage } else { Kind::Unfit };
        Fault::new(kind, format!("{} ended before its measurement: see above", self.what))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Has ended already, unless an error stopped the measurement.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
