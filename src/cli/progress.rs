//! What a person sees while a study runs: bars on a terminal, plain lines elsewhere.

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Global, forecast::human_seconds, out};
use crate::pipeline::{
    events::{Event, Observer},
    execute::Outcome,
};

/// In a log, a long stage says how far it is this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// One stage on its way: a bar, or a line now and then.
struct Stage {
    name: String,
    bar: ProgressBar,
    /// Where and when the first step was seen: a resumed training does not begin at zero.
    first: Option<(u64, Instant)>,
    said: Instant,
}

impl Stage {
    fn new(name: &str, bar: ProgressBar) -> Self {
        bar.set_style(style());
        bar.set_prefix(name.to_owned());
        Self { name: name.to_owned(), bar, first: None, said: Instant::now() }
    }

    /// Moves on; returns the line that a log should have, when it is time for one.
    fn advance(&mut self, done: u64, total: u64, note: &str) -> Option<String> {
        self.bar.set_length(total);
        self.bar.set_position(done);
        let (first, since) = *self.first.get_or_insert_with(|| {
            // What was done before is not to count as done in no time.
            self.bar.reset_eta();
            (done, Instant::now())
        });
        self.bar.set_message(note.to_owned());
        if self.said.elapsed() < LINE_EVERY {
            return None;
        }
        self.said = Instant::now();
        let left = remaining_s(done - done.min(first), total - total.min(done), since.elapsed().as_secs_f64());
        let left = left.map_or_else(String::new, |left| format!("  {} left", human_seconds(left)));
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        Some(format!("  {}  {done}/{total}{note}{left}", self.name))
    }
}

/// Returns the seconds that are left when `done` took `elapsed_s` and `to_do` is to be done; none before the first is done.
fn remaining_s(done: u64, to_do: u64, elapsed_s: f64) -> Option<f64> {
    (done > 0).then(|| elapsed_s / done as f64 * to_do as f64)
}

/// The progress of one stage that runs alone: a bar on a terminal, else a line now and then.
pub(super) struct Single {
    stage: Mutex<Stage>,
    quiet: bool,
}

impl Single {
    /// Returns the progress of a stage that has not begun.
    pub(super) fn new(name: &str, global: &Global) -> Self {
        let live = shows_bars(global);
        let bar = if live { ProgressBar::new(0) } else { ProgressBar::hidden() };
        Self { stage: Mutex::new(Stage::new(name, bar)), quiet: global.quiet || live }
    }

    /// Shows how far it is.
    pub(super) fn advance(&self, done: u64, total: u64, note: &str) {
        let line = self.stage().advance(done, total, note);
        if let Some(line) = line.filter(|_| !self.quiet) {
            out::talk(line);
        }
    }

    /// Takes the bar off the terminal.
    pub(super) fn close(&self) {
        self.stage().bar.finish_and_clear();
    }

    fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        // Nothing of it is half-changed after a panic that a person would notice.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shows_bars(global: &Global) -> bool {
    std::io::stderr().is_terminal() && !global.no_progress && !global.quiet && std::env::var_os("CI").is_none()
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:<24} {bar:28} {pos}/{len}  {eta}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The observer of a run.
pub(super) struct Watch {
    bars: MultiProgress,
    quiet: bool,
    live: bool,
    running: Mutex<BTreeMap<String, Stage>>,
}

impl Watch {
    /// Returns an observer that suits the terminal and the options.
    pub(super) fn new(global: &Global) -> Self {
        let live = shows_bars(global);
        let bars = MultiProgress::with_draw_target(if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        Self { bars, quiet: global.quiet, live, running: Mutex::default() }
    }

    /// Takes the bars off the terminal.
    pub(super) fn close(&self) {
        drop(self.bars.clear());
    }

    fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        if self.live {
            drop(self.bars.println(line));
        } else {
            out::talk(line);
        }
    }

    fn begin(&self, node: &str) {
        let bar = self.bars.add(ProgressBar::new(0));
        self.running().insert(node.to_owned(), Stage::new(node, bar));
    }

    fn advance(&self, node: &str, done: u64, total: u64, note: &str) {
        let line = self.running().get_mut(node).and_then(|stage| stage.advance(done, total, note));
        if let Some(line) = line.filter(|_| !self.live) {
            self.say(&line);
        }
    }

    fn end(&self, node: &str, outcome: &Outcome, done: usize, total: usize) {
        if let Some(Stage { bar, .. }) = self.running().remove(node) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        match outcome {
            Outcome::Ran { seconds } => self.say(&format!("✓ {node}  {}  [{done}/{total}]", human_seconds(*seconds))),
            Outcome::Failed(fault) => self.say(&format!("✗ {}  [{done}/{total}]", fault.what)),
            Outcome::Cached | Outcome::Skipped { .. } | Outcome::NotSelected => {}
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Stage>> {
        // The map is whole after any panic: each change is one insertion or removal.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Started { node, .. } => self.begin(node),
            Event::Progress { node, done, total, note } => self.advance(node, *done, *total, note),
            Event::Waiting { node, holder } => {
                let holder = holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                self.say(&format!("waiting for {node}{holder}"));
            }
            Event::Healing { node, port } => {
                self.say(&format!("the stored {port} of {node} is damaged: it is made again"));
            }
            Event::Conflict { node } => {
                self.say(&format!("conflict: {node} gave other bytes than before; the first result is kept"));
            }
            Event::Finished { node, outcome, done, total } => self.end(node, outcome, *done, *total),
            Event::Published { name } => self.say(&format!("→ {name}")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resumed_stage_did_before_does_not_count() {
        let mut stage = Stage::new("train", ProgressBar::hidden());
        assert_eq!(stage.advance(500, 1000, "loss 0.1"), None, "too early for a line");
        stage.said -= LINE_EVERY;
        stage.first = stage.first.map(|(done, at)| (done, at - Duration::from_secs(100)));
        let line = stage.advance(600, 1000, "loss 0.1").unwrap();
        assert!(line.contains("train  600/1000  loss 0.1  7 min left"), "{line}");
        assert_eq!(remaining_s(0, 10, 5.0), None);
    }
}
