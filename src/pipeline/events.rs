//! What a run tells while it goes on: data first; progress bars, lines and logs are made from it elsewhere.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde_json::{Value, json};

use super::execute::{Outcome, Summary};

/// Something that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run began.
    RunStarted {
        /// Run id.
        run: &'a str,
        /// Name of the pipeline.
        pipeline: &'a str,
        /// Nodes in the plan.
        nodes: usize,
    },
    /// A stage began to execute; cached ones do not.
    Started {
        /// Node id.
        node: &'a str,
        /// How long it may take, if it ran before.
        expected_seconds: Option<f64>,
    },
    /// A stage says how far it is.
    Progress {
        /// Node id.
        node: &'a str,
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
        /// A short note.
        note: &'a str,
    },
    /// A program that a stage runs wrote a line. It may hold anything, so it goes into the log of the stage and nowhere
    /// else.
    Log {
        /// Node id.
        node: &'a str,
        /// The line.
        line: &'a str,
    },
    /// Another process executes this stage: its result is waited for.
    Waiting {
        /// Node id.
        node: &'a str,
        /// Number of that process, if known.
        holder: Option<u32>,
    },
    /// Stored bytes were not those of their digest; the stage that made them executes again.
    Healing {
        /// Node id.
        node: &'a str,
        /// Output port.
        port: &'a str,
    },
    /// Executions of one key gave different bytes; the first result is used.
    Conflict {
        /// Node id.
        node: &'a str,
    },
    /// A node is done, in whatever way.
    Finished {
        /// Node id.
        node: &'a str,
        /// How it ended.
        outcome: &'a Outcome,
        /// Nodes done, with this one.
        done: usize,
        /// Nodes in all.
        total: usize,
    },
    /// A result file was written.
    Published {
        /// Name under `results/<pipeline>/`.
        name: &'a str,
    },
    /// The run is over.
    RunFinished {
        /// Counts.
        summary: &'a Summary,
    },
}

/// Somebody who is told. Called from several threads.
pub trait Observer: Send + Sync {
    /// Takes note of an event; must be quick.
    fn event(&self, event: &Event<'_>);
}

/// Nobody.
impl Observer for () {
    fn event(&self, _: &Event<'_>) {}
}

/// Two observers, told in order.
pub struct Both<'a>(pub &'a dyn Observer, pub &'a dyn Observer);

impl Observer for Both<'_> {
    fn event(&self, event: &Event<'_>) {
        self.0.event(event);
        self.1.event(event);
    }
}

impl Event<'_> {
    /// Returns the event as it may be stored: no path, no text of an input file, nothing but ids, numbers and messages.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::RunStarted { run, pipeline, nodes } => {
                json!({"event": "run_started", "run": run, "pipeline": pipeline, "nodes": nodes})
            }
            Self::Started { node, expected_seconds } => {
                json!({"event": "started", "node": node, "expected_seconds": expected_seconds})
            }
            Self::Progress { node, done, total, note } => {
                json!({"event": "progress", "node": node, "done": done, "total": total, "note": note})
            }
            Self::Log { node, line } => json!({"event": "log", "node": node, "line": line}),
            Self::Waiting { node, holder } => json!({"event": "waiting", "node": node, "pid": holder}),
            Self::Healing { node, port } => json!({"event": "healing", "node": node, "port": port}),
            Self::Conflict { node } => json!({"event": "conflict", "node": node}),
            Self::Finished { node, outcome, done, total } => {
                let mut document = json!({"event": "finished", "node": node, "done": done, "total": total});
                outcome.describe(&mut document);
                document
            }
            Self::Published { name } => json!({"event": "published", "name": name}),
            Self::RunFinished { summary } => json!({"event": "run_finished", "summary": summary}),
        }
    }
}

/// Writes each event as a line of JSON, whole and at once, with the seconds since it began to watch under `at_s`.
#[derive(Debug)]
pub struct JsonLines<W: Write + Send> {
    sink: Mutex<W>,
    begun: Instant,
}

impl<W: Write + Send> JsonLines<W> {
    /// Returns an observer that writes to `sink`.
    pub fn new(sink: W) -> Self {
        Self { sink: Mutex::new(sink), begun: Instant::now() }
    }

    /// Returns the sink.
    pub fn into_inner(self) -> W {
        self.sink.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write + Send> Observer for JsonLines<W> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Log { .. }) {
            return;
        }
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut document = event.to_json();
        document["at_s"] = self.begun.elapsed().as_secs_f64().into();
        // A full disk must not stop a run over its log.
        drop(sink.write_all(format!("{document}\n").as_bytes()).and_then(|()| sink.flush()));
    }
}
