//! Why a node would run: its own differences from the lock file, and the causes further up that reach it.

use std::collections::BTreeSet;

use super::{
    change::{Change, changes},
    digest::Digest,
    execute::{Context, Fields},
    lockfile::Lock,
    plan::{Plan, Source},
    status::{State, Survey, survey},
};

/// Why a node is in the state that it is in.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Index into the plan.
    pub node: usize,
    /// What a run would do.
    pub state: State,
    /// Its differences from the lock file.
    pub changes: Vec<Change>,
    /// Where they began, the nearest to the start of the plan first.
    pub roots: Vec<Root>,
}

/// A cause that came from no other node.
#[derive(Clone, Debug)]
pub struct Root {
    /// Nodes of one stage that it struck.
    pub nodes: Vec<usize>,
    /// What it is.
    pub change: Change,
    /// Nodes that would run, or might, because of it.
    pub stale: usize,
}

/// Explains nodes against a lock file; without one everything is new.
#[must_use]
pub fn explain(plan: &Plan, context: &Context<'_>, lock: &Lock, nodes: &BTreeSet<usize>) -> Vec<Explanation> {
    let found = survey(plan, context, None);
    let causes = Causes::new(plan, context, lock, &found);
    let one = |&node: &usize| Explanation {
        node,
        state: found.nodes[node].state.clone(),
        changes: causes.changes[node].clone(),
        roots: causes.roots(vec![node]),
    };
    nodes.iter().map(one).collect()
}

/// Returns the causes of all that would run, or might, each once, and how many nodes that are.
#[must_use]
pub fn overview(plan: &Plan, context: &Context<'_>, lock: &Lock) -> (usize, Vec<Root>) {
    let causes = Causes::new(plan, context, lock, &survey(plan, context, None));
    let stale: Vec<usize> = (0..plan.nodes.len()).filter(|&node| causes.stale[node]).collect();
    (stale.len(), causes.roots(stale))
}

/// The differences of every node.
struct Causes<'a> {
    plan: &'a Plan,
    changes: Vec<Vec<Change>>,
    stale: Vec<bool>,
}

impl<'a> Causes<'a> {
    fn new(plan: &'a Plan, context: &'a Context<'a>, lock: &Lock, survey: &Survey) -> Self {
        let fields = Fields::new(context);
        let digest_of = |source: &'a Source| -> Option<Digest> {
            match source {
                Source::Field { case, name, field } => fields.digest(case, name, field).ok(),
                Source::Output { node, port } => Some(survey.nodes[*node].result.as_ref()?.outputs.get(*port)?.digest),
            }
        };
        let stale: Vec<bool> = survey
            .nodes
            .iter()
            .map(|node| matches!(node.state, State::Run | State::Maybe | State::Unready(_)))
            .collect();
        let own = |index: usize| {
            let known = &survey.nodes[index];
            let mut found = changes(plan, index, lock, &digest_of, known.key.as_ref());
            if found.is_empty() && known.state == State::Run {
                found.push(Change::Lost);
            }
            found
        };
        Self { plan, changes: (0..plan.nodes.len()).map(own).collect(), stale }
    }

    /// Walks up from nodes along what changed, and gathers what changed by itself.
    fn roots(&self, mut open: Vec<usize>) -> Vec<Root> {
        let mut seen = BTreeSet::new();
        while let Some(index) = open.pop() {
            if !seen.insert(index) {
                continue;
            }
            let fresh = self.changes[index].contains(&Change::New);
            open.extend(self.changes[index].iter().filter_map(Change::inherited));
            // A new node says nothing of its inputs, so all of them that would run are looked at.
            open.extend(sources(self.plan, index).filter(|&source| fresh && self.stale[source]));
        }
        let mut roots: Vec<Root> = Vec::new();
        for index in seen {
            for change in self.changes[index].iter().filter(|change| change.inherited().is_none()) {
                let stage = &self.plan.nodes[index].stage;
                let same = roots
                    .iter_mut()
                    .find(|root| root.change == *change && self.plan.nodes[root.nodes[0]].stage == *stage);
                match same {
                    Some(root) => root.nodes.push(index),
                    None => roots.push(Root { nodes: vec![index], change: change.clone(), stale: 0 }),
                }
            }
        }
        for root in &mut roots {
            root.stale = self.reached(&root.nodes);
        }
        roots
    }

    /// Counts the nodes that would run, or might, among those that hang on the given ones.
    fn reached(&self, from: &[usize]) -> usize {
        let mut reached = vec![false; self.plan.nodes.len()];
        for index in 0..reached.len() {
            reached[index] = from.contains(&index) || sources(self.plan, index).any(|source| reached[source]);
        }
        reached.iter().zip(&self.stale).filter(|(reached, stale)| **reached && **stale).count()
    }
}

fn sources(plan: &Plan, index: usize) -> impl Iterator<Item = usize> + '_ {
    plan.nodes[index].inputs.values().flatten().filter_map(|source| match source {
        Source::Output { node, .. } => Some(*node),
        Source::Field { .. } => None,
    })
}
