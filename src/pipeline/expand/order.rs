//! Two orders: of stages, so that sources are laid out first and a cycle is found; and of nodes, so that the first full
//! row of a table appears early.

use std::collections::BTreeMap;

use super::link::Linked;
use crate::{
    fault::Result,
    pipeline::{
        diagnose::Mark,
        plan::{Item, Node, Source},
        spec::{
            Spec, StageSpec,
            reference::{Binding, Reference},
        },
    },
};

/// Returns the stages so that each stands after those that it refers to.
pub(super) fn stages(spec: &Spec, stages: &[Linked<'_>]) -> Result<Vec<usize>> {
    let needs: Vec<Vec<(usize, Mark)>> = stages.iter().map(|linked| needs(spec, linked)).collect();
    let mut state = vec![State::New; stages.len()];
    let mut sequence = Vec::with_capacity(stages.len());
    for start in 0..stages.len() {
        if state[start] != State::New {
            continue;
        }
        // A path of (stage, next need to look at), in place of recursion.
        let mut path = vec![(start, 0)];
        state[start] = State::Open;
        while let Some(&mut (stage, ref mut next)) = path.last_mut() {
            let Some(&(need, mark)) = needs[stage].get(*next) else {
                state[stage] = State::Done;
                sequence.push(stage);
                path.pop();
                continue;
            };
            *next += 1;
            match state[need] {
                State::Done => {}
                State::New => {
                    state[need] = State::Open;
                    path.push((need, 0));
                }
                State::Open => {
                    let from = path.iter().position(|&(open, _)| open == need).unwrap_or(0);
                    let ring = path[from..].iter().map(|&(open, _)| open).chain([need]);
                    let ring: Vec<&str> = ring.map(|open| spec.stages[open].name.text.as_str()).collect();
                    let what = format!("the stages need each other in a circle: {}", ring.join(" <- "));
                    return Err(spec.source.fault(mark, what));
                }
            }
        }
    }
    Ok(sequence)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

/// Returns the stages that a stage refers to, by any of its references or those of an axis that it names.
fn needs(spec: &Spec, linked: &Linked<'_>) -> Vec<(usize, Mark)> {
    let mut needs = Vec::new();
    let mut add = |reference: &Reference, mark: Mark| {
        if let Reference::Output { stage, .. } = reference
            && let Some(index) = spec.stages.iter().position(|candidate| candidate.name.text == *stage)
        {
            needs.push((index, mark));
        }
    };
    for edge in &linked.stage.with {
        match edge.binding.reference() {
            Reference::Axis(name) => {
                let axes = spec.stages.iter().flat_map(StageSpec::own_axes).filter(|axis| axis.name.text == *name);
                for value in axes.flat_map(|axis| &axis.values) {
                    if let Some(reference) = &value.reference {
                        add(reference, edge.mark);
                    }
                }
            }
            reference => add(reference, edge.mark),
        }
    }
    needs
}

/// Returns whether an edge binds one artifact, so that axes travel along it.
pub(super) fn carries_axes(binding: &Binding) -> bool {
    matches!(binding, Binding::One(_))
}

/// Sorts nodes so that sources come first and the nodes of one case stand together: a walk from the last results back,
/// each node after what it needs, needs of the first case first.
pub(super) fn depth_first(nodes: Vec<Node>, items: &[Item]) -> Vec<Node> {
    let ranks: BTreeMap<&str, usize> = (0..).zip(items).map(|(rank, item)| (item.id.as_str(), rank)).collect();
    let rank = |node: &Node| node.case.as_deref().and_then(|case| ranks.get(case)).copied().unwrap_or(usize::MAX);
    let needs: Vec<Vec<usize>> = nodes
        .iter()
        .map(|node| {
            let mut needs: Vec<usize> = sources(node).collect();
            needs.sort_by_key(|&need| (rank(&nodes[need]), need));
            needs.dedup();
            needs
        })
        .collect();
    let mut needed = vec![false; nodes.len()];
    needs.iter().flatten().for_each(|&need| needed[need] = true);

    let mut seen = vec![false; nodes.len()];
    let mut sequence = Vec::with_capacity(nodes.len());
    for last in (0..nodes.len()).filter(|&index| !needed[index]) {
        let mut path = vec![(last, 0)];
        seen[last] = true;
        while let Some(&mut (node, ref mut next)) = path.last_mut() {
            match needs[node].get(*next) {
                None => {
                    sequence.push(node);
                    path.pop();
                }
                Some(&need) => {
                    *next += 1;
                    if !seen[need] {
                        seen[need] = true;
                        path.push((need, 0));
                    }
                }
            }
        }
    }
    renumber(nodes, &sequence)
}

/// Returns the nodes that a node takes its inputs from.
fn sources(node: &Node) -> impl Iterator<Item = usize> {
    node.inputs.values().flatten().filter_map(|source| match source {
        Source::Output { node, .. } => Some(*node),
        Source::Field { .. } => None,
    })
}

fn renumber(nodes: Vec<Node>, sequence: &[usize]) -> Vec<Node> {
    let mut position = vec![0; nodes.len()];
    for (new, &old) in sequence.iter().enumerate() {
        position[old] = new;
    }
    let mut placed: Vec<(usize, Node)> =
        nodes.into_iter().enumerate().map(|(old, node)| (position[old], node)).collect();
    placed.sort_by_key(|(new, _)| *new);
    let mut nodes: Vec<Node> = placed.into_iter().map(|(_, node)| node).collect();
    for source in nodes.iter_mut().flat_map(|node| node.inputs.values_mut()).flatten() {
        if let Source::Output { node, .. } = source {
            *node = position[*node];
        }
    }
    nodes
}
