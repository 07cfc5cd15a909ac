//! Executes a plan: what is not in the store is made, in parallel, and nothing else.
//!
//! A node's key is known once the content of its inputs is, so the walk decides node by node: a stage that ran again and
//! gave the same bytes leaves everything after it cached (early cutoff). One that fails takes down what needs it and no more.

mod attempt;
mod bind;
mod commit;
mod fields;
mod report;
mod schedule;
mod stored;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use serde_json::Value;

pub(super) use bind::{Binding, bind};
pub(super) use fields::Fields;
pub use fields::check_inputs;
pub use report::{NodeResult, Outcome, Report, Summary, UsedInput};
pub(super) use schedule::dependents;
pub use schedule::with_sources;

use super::{
    digest::Digest,
    events::Observer,
    lockfile::Lock,
    plan::{Field, Plan},
    statcache::StatCache,
    store::Store,
};
use crate::fault::Result;

/// Says what the content of a manifest's file or folder is. Given from above: the engine knows no image formats.
pub trait Fingerprint: Send + Sync {
    /// Returns the digest of a field's content; `cache` remembers those of files that have not changed.
    ///
    /// # Errors
    /// Usage when the path does not exist, unfit when it cannot be read.
    fn digest(&self, field: &Field, cache: &StatCache) -> Result<Digest>;
}

/// What an execution works with.
pub struct Context<'a> {
    /// The store.
    pub store: &'a Store,
    /// Digests of files by stat.
    pub cache: &'a StatCache,
    /// Digests of the fields of cases.
    pub fingerprint: &'a dyn Fingerprint,
    /// What the bytes of backend-exact stages depend on: backend, architecture, kernel set; and `device`, where stages
    /// compute, which is no part of a key. Null means the processor.
    pub backend: Value,
    /// The lock file as it was before: frozen stages take their results from it.
    pub previous: Option<&'a Lock>,
}

impl Context<'_> {
    /// Returns the device that stages compute on: the backend's, or the processor.
    #[must_use]
    pub fn device(&self) -> &str {
        self.backend.get("device").and_then(Value::as_str).unwrap_or("cpu")
    }
}

/// How to execute.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stages at a time.
    pub jobs: usize,
    /// Whether the first failure stops the run.
    pub fail_fast: bool,
    /// Nodes to execute even if their result is stored; the results are compared.
    pub force: BTreeSet<usize>,
    /// Nodes to bring up to date; none means all. What they need beyond this set must be stored.
    pub only: Option<BTreeSet<usize>>,
    /// Never execute anything (`--frozen`): what is not stored is missing (exit 5).
    pub restore_only: bool,
    /// How long to wait for another process that executes the same stage; none waits for ever.
    pub lock_timeout: Option<Duration>,
    /// Number of the signal that stops the run; zero while there is none.
    pub cancelled: Arc<AtomicUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            jobs: 1,
            fail_fast: false,
            force: BTreeSet::new(),
            only: None,
            restore_only: false,
            lock_timeout: None,
            cancelled: Arc::default(),
        }
    }
}

/// Brings the nodes of a plan up to date.
///
/// # Errors
/// Usage when an input file does not exist: nothing is executed then. What happens to single nodes is in the report.
pub fn execute(plan: &Plan, context: &Context<'_>, options: &Options, observer: &dyn Observer) -> Result<Report> {
    check_inputs(plan, options.only.as_ref())?;
    context.store.prepare()?;
    Ok(schedule::Pass::new(plan, context, options, observer).run())
}
