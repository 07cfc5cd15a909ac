//! One row: our worker and the peers take turns until there are enough rounds.

use std::{path::Path, process::Command, time::Instant};

use super::{
    Args, peer,
    process::{Run, Worker},
    row::{Row, median},
    work::Task,
};
use crate::{
    cli::Context,
    fault::{Fault, Result},
};

/// A row's rounds end early when they have taken this long, s; each side has run at least once by then.
const LONGEST_S: f64 = 120.0;
const LONGEST_QUICK_S: f64 = 20.0;

/// Measures a task, alone or in turn with each of its peers: one row without peers, else one row a peer.
pub(super) fn rows(task: &Task, args: &Args, context: &Context, scratch: &Path) -> Result<Vec<Row>> {
    super::talk(context, &format!("{} …", task.name()));
    let (mut ours, ready) = Worker::start(again(task, context)?, "the worker")?;
    let mut peers = Vec::new();
    for command in peer::commands(task, args, context, scratch)? {
        let (worker, ready) = Worker::start(command, "the peer")?;
        peers.push((worker, ready.peer.unwrap_or_default(), Vec::new()));
    }
    let (start, longest) = (Instant::now(), if args.quick { LONGEST_QUICK_S } else { LONGEST_S });
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..args.rounds() {
        runs.push(ours.run()?);
        for (worker, _, seconds) in &mut peers {
            seconds.push(worker.run()?.seconds);
        }
        if start.elapsed().as_secs_f64() > longest {
            break;
        }
    }
    let of = |value: fn(&Run) -> Option<f64>| median(&runs.iter().filter_map(value).collect::<Vec<_>>());
    let seconds = of(|run| Some(run.seconds)).ok_or_else(|| Fault::unfit("nothing was measured"))?;
    let gflops = ready.flop.map(|flop| flop / seconds * 1e-9);
    let row = Row {
        name: task.name(),
        shape: ready.shape,
        threads: context.jobs,
        seconds,
        gflops,
        peak_share: gflops.zip(of(|run| run.peak_gflops)).map(|(gflops, peak)| gflops / peak),
        peak_rss_mb: ours.end()?.peak_rss_mb,
        over_forward: of(|run| run.forward_seconds.map(|forward| run.seconds / forward)),
        peer: None,
        peer_seconds: None,
        ratio: None,
        peer_rss_mb: None,
    };
    if peers.is_empty() {
        return Ok(vec![row]);
    }
    peers
        .into_iter()
        .map(|(worker, name, times)| {
            let peer_seconds = median(&times);
            Ok(Row {
                peer: Some(name),
                peer_seconds,
                ratio: peer_seconds.map(|theirs| theirs / seconds),
                peer_rss_mb: worker.end()?.peak_rss_mb,
                ..row.clone()
            })
        })
        .collect()
}

/// Returns the command that is this program as a worker.
fn again(task: &Task, context: &Context) -> Result<Command> {
    let program =
        std::env::current_exe().map_err(|error| Fault::unfit(format!("this program does not find itself: {error}")))?;
    let mut command = Command::new(program);
    command.args(["--jobs", &context.jobs.to_string(), "--quiet", "bench", "--worker", &task.to_text()?]);
    command.env_remove("CALVARIA_JOBS");
    Ok(command)
}
