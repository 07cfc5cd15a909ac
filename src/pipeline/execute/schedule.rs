//! The walk over the plan: nodes whose inputs are settled are taken in the order of the plan, by as many threads as jobs.
//!
//! The threads are those of one pool, and the parallel loops of a stage run on them too. A thread that finds no node to begin
//! takes pieces of the loops of others, so the last long stage gets all cores; and stages that run side by side do not bring
//! threads of their own, which would only be in each other's way.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use rayon::{ThreadPoolBuilder, Yield};

use super::{Binding, Context, Fields, NodeResult, Options, Outcome, Report, bind, bind::Keyed};
use crate::{
    fault::{Fault, Kind},
    pipeline::{
        events::{Event, Observer},
        plan::{Plan, Source},
        record::Share,
    },
};

/// Stages recurse (trees over millions of triangles), and threads get a fraction of the main thread's stack.
const STACK_BYTES: usize = 16 << 20;
/// How long a thread with nothing to do waits before it looks again for a piece of work: at first, and at most.
const PAUSE: [Duration; 2] = [Duration::from_micros(20), Duration::from_millis(2)];

/// One walk over a plan.
pub(super) struct Pass<'a> {
    pub(super) plan: &'a Plan,
    pub(super) context: &'a Context<'a>,
    pub(super) options: &'a Options,
    pub(super) observer: &'a dyn Observer,
    pub(super) fields: Fields<'a>,
    done: Vec<OnceLock<Done>>,
    roles: Vec<Role>,
    selected: usize,
    board: Mutex<Board>,
    changed: Condvar,
}

struct Done {
    outcome: Outcome,
    result: Option<NodeResult>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// To be brought up to date.
    Selected,
    /// Looked up for those that need it.
    Needed,
    /// Not even looked at.
    Idle,
}

/// What threads share under one lock.
struct Board {
    /// Nodes that can be taken, lowest first: that is depth first, as the plan is ordered.
    ready: BTreeSet<usize>,
    /// Unsettled sources of each node.
    waiting: Vec<usize>,
    /// Nodes that are not settled.
    left: usize,
    /// Selected nodes that are settled.
    finished: usize,
    /// Nothing new is begun.
    stopped: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        context: &'a Context<'a>,
        options: &'a Options,
        observer: &'a dyn Observer,
    ) -> Self {
        let waiting: Vec<usize> = (0..plan.nodes.len()).map(|index| sources_of(plan, index).len()).collect();
        let ready = (0..plan.nodes.len()).filter(|&index| waiting[index] == 0).collect();
        let roles = roles(plan, options.only.as_ref());
        Self {
            plan,
            context,
            options,
            observer,
            fields: Fields::new(context),
            done: plan.nodes.iter().map(|_| OnceLock::new()).collect(),
            selected: roles.iter().filter(|role| **role == Role::Selected).count(),
            roles,
            board: Mutex::new(Board { ready, waiting, left: plan.nodes.len(), finished: 0, stopped: false }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn run(self) -> Report {
        let begun = Instant::now();
        let dependents = dependents(self.plan);
        match ThreadPoolBuilder::new().num_threads(self.options.jobs.max(1)).stack_size(STACK_BYTES).build() {
            Ok(pool) => drop(pool.broadcast(|_| self.work(&dependents))),
            // The system gives no threads: this one does the work.
            Err(_) => self.work(&dependents),
        }
        let signal = self.options.cancelled.load(Ordering::Relaxed);
        let skipped = || Done { outcome: Outcome::Skipped { why: "never reached".into() }, result: None };
        let done: Vec<Done> = self.done.into_iter().map(|slot| slot.into_inner().unwrap_or_else(skipped)).collect();
        let (outcomes, results) = done.into_iter().map(|done| (done.outcome, done.result)).unzip();
        let ids = self.plan.nodes.iter().map(|node| node.id.clone()).collect();
        Report { outcomes, results, ids, signal, seconds: begun.elapsed().as_secs_f64() }
    }

    /// Returns the result of a node that is settled and has one.
    pub(super) fn result_of(&self, index: usize) -> Option<&NodeResult> {
        self.done[index].get()?.result.as_ref()
    }

    /// Returns the key of a node all of whose inputs are settled.
    pub(super) fn keyed(&self, index: usize) -> Option<Box<Keyed<'a>>> {
        match self.binding(index) {
            Binding::Ready(keyed) => Some(keyed),
            _ => None,
        }
    }

    fn binding(&self, index: usize) -> Binding<'a> {
        bind(self.plan, index, &self.fields, &self.context.backend, &|node| self.result_of(node))
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // No code that can panic runs while the board is held.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, dependents: &[Vec<usize>]) {
        while let Some(index) = self.take() {
            let done = self.settle_caught(index);
            let failed = matches!(done.outcome, Outcome::Failed(_));
            let settled = self.done[index].get_or_init(|| done);
            let mut board = self.board();
            board.left -= 1;
            board.stopped |= failed && self.options.fail_fast;
            board.finished += usize::from(self.roles[index] == Role::Selected);
            for &next in &dependents[index] {
                board.waiting[next] -= 1;
                if board.waiting[next] == 0 {
                    board.ready.insert(next);
                }
            }
            let finished = board.finished;
            drop(board);
            self.changed.notify_all();
            if self.roles[index] == Role::Selected {
                let node = &self.plan.nodes[index].id;
                let outcome = &settled.outcome;
                self.observer.event(&Event::Finished { node, outcome, done: finished, total: self.selected });
            }
        }
    }

    /// Waits for a node to become ready, and helps with loops of others meanwhile; none when all are settled.
    fn take(&self) -> Option<usize> {
        let [mut pause, longest] = PAUSE;
        let mut board = self.board();
        loop {
            if board.left == 0 {
                return None;
            }
            if let Some(index) = board.ready.pop_first() {
                return Some(index);
            }
            drop(board);
            let helped = rayon::yield_now() == Some(Yield::Executed);
            pause = if helped { PAUSE[0] } else { longest.min(2 * pause) };
            board = self.board();
            if !helped && board.ready.is_empty() && board.left > 0 {
                board = self.changed.wait_timeout(board, pause).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// A panic in a stage, or in a reader that hashes its input, is the failure of that node: others go on.
    fn settle_caught(&self, index: usize) -> Done {
        catch_unwind(AssertUnwindSafe(|| self.settle(index))).unwrap_or_else(|payload| {
            // The message may quote an input, so it goes where it is shown and not stored.
            let fault = Fault::unfit("the stage panicked")
                .snippet(panic_message(payload.as_ref()))
                .hint("this is a defect of the program, please report it");
            self.failed(index, fault)
        })
    }

    /// Decides what becomes of a node, and executes it if that is it.
    fn settle(&self, index: usize) -> Done {
        let skipped = |why: String| Done { outcome: Outcome::Skipped { why }, result: None };
        let selected = match self.roles[index] {
            Role::Idle => return Done { outcome: Outcome::NotSelected, result: None },
            role => role == Role::Selected,
        };
        if selected && self.options.cancelled.load(Ordering::Relaxed) != 0 {
            return skipped("the run was stopped".into());
        }
        if selected && self.board().stopped {
            return skipped("another stage failed first".into());
        }
        let keyed = match self.binding(index) {
            Binding::Ready(keyed) => keyed,
            _ if !selected => return Done { outcome: Outcome::NotSelected, result: None },
            Binding::Faulty(fault) => return self.failed(index, fault),
            Binding::Blocked { by, share } => return self.blocked(index, by, share),
        };
        let forced = selected && self.options.force.contains(&index);
        if !forced && let Some(result) = keyed.stored(self.plan, index, self.context) {
            let outcome = if selected { Outcome::Cached } else { Outcome::NotSelected };
            return Done { outcome, result: Some(result) };
        }
        if !selected {
            return Done { outcome: Outcome::NotSelected, result: None };
        }
        if self.options.restore_only {
            return self.failed(index, Fault::new(Kind::Missing, "its result is not in the store"));
        }
        match self.attempt(index, &keyed, forced) {
            Ok((outcome, result)) => Done { outcome, result: Some(result) },
            Err(fault) if matches!(fault.kind, Kind::Interrupted(_)) => skipped("the run was stopped".into()),
            Err(fault) => self.failed(index, fault),
        }
    }

    fn failed(&self, index: usize, fault: Fault) -> Done {
        Done { outcome: Outcome::Failed(fault.within(&self.plan.nodes[index].id)), result: None }
    }

    /// A node without its input is skipped; but if that was only not asked for, the command is at fault.
    fn blocked(&self, index: usize, by: usize, share: Option<Share>) -> Done {
        let id = &self.plan.nodes[by].id;
        if self.done[by].get().is_some_and(|done| done.outcome == Outcome::NotSelected) {
            let fault = Fault::new(Kind::Missing, format!("it needs {id}, which is not in the store"))
                .hint(format!("run {id} too"));
            return self.failed(index, fault);
        }
        let counted = share.map(|share| format!(", and only {} of {} are there", share.have, share.of));
        let why = format!("{id} has no result{}", counted.unwrap_or_default());
        Done { outcome: Outcome::Skipped { why }, result: None }
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Returns the distinct nodes whose outputs a node takes.
fn sources_of(plan: &Plan, index: usize) -> BTreeSet<usize> {
    let node_of = |source: &Source| match source {
        Source::Output { node, .. } => Some(*node),
        Source::Field { .. } => None,
    };
    plan.nodes[index].inputs.values().flatten().filter_map(node_of).collect()
}

/// Returns the nodes with all that they need, directly or not.
#[must_use]
pub fn with_sources(plan: &Plan, targets: &BTreeSet<usize>) -> BTreeSet<usize> {
    (0..plan.nodes.len())
        .zip(roles(plan, Some(targets)))
        .filter(|(_, role)| *role != Role::Idle)
        .map(|(i, _)| i)
        .collect()
}

/// Returns for each node the nodes that take its outputs.
pub(in crate::pipeline) fn dependents(plan: &Plan) -> Vec<Vec<usize>> {
    let mut dependents = vec![Vec::new(); plan.nodes.len()];
    for index in 0..plan.nodes.len() {
        for source in sources_of(plan, index) {
            dependents[source].push(index);
        }
    }
    dependents
}

fn roles(plan: &Plan, only: Option<&BTreeSet<usize>>) -> Vec<Role> {
    let Some(only) = only else { return vec![Role::Selected; plan.nodes.len()] };
    let mut roles = vec![Role::Idle; plan.nodes.len()];
    // Sources stand before what needs them, so one pass from the end reaches them all.
    for index in (0..plan.nodes.len()).rev() {
        if only.contains(&index) {
            roles[index] = Role::Selected;
        }
        if roles[index] != Role::Idle {
            for source in sources_of(plan, index) {
                if roles[source] == Role::Idle {
                    roles[source] = Role::Needed;
                }
            }
        }
    }
    roles
}
