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

/// Returns a bar for one stage that runs alone; hidden where nobody looks.
pub(super) fn single(name: &'static str, global: &Global) -> ProgressBar {
    let bar = if shows_bars(global) { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(style());
    bar.set_prefix(name);
    bar
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
    running: Mutex<BTreeMap<String, (ProgressBar, Instant)>>,
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
        bar.set_style(style());
        bar.set_prefix(node.to_owned());
        self.running().insert(node.to_owned(), (bar, Instant::now()));
    }

    fn advance(&self, node: &str, done: u64, total: u64, note: &str) {
        let mut running = self.running();
        let Some((bar, last)) = running.get_mut(node) else { return };
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(note.to_owned());
        if !self.live && last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            drop(running);
            self.say(&format!("  {node}  {done}/{total}  {note}"));
        }
    }

    fn end(&self, node: &str, outcome: &Outcome, done: usize, total: usize) {
        if let Some((bar, _)) = self.running().remove(node) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        match outcome {
            Outcome::Ran { seconds } => self.say(&format!("✓ {node}  {}  [{done}/{total}]", human_seconds(*seconds))),
            Outcome::Failed(fault) => self.say(&format!("✗ {}  [{done}/{total}]", fault.what)),
            Outcome::Cached | Outcome::Skipped { .. } | Outcome::NotSelected => {}
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (ProgressBar, Instant)>> {
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
