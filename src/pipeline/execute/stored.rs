//! The stored result of a node whose key is known.

use super::{Context, NodeResult, UsedInput, bind::Keyed};
use crate::pipeline::{
    origin::Bound,
    plan::Plan,
    record::{Blob, Outputs},
};

impl Keyed<'_> {
    /// Returns what the store has for this node.
    pub(in crate::pipeline) fn stored(&self, plan: &Plan, index: usize, context: &Context<'_>) -> Option<NodeResult> {
        self.frozen(plan, index, context).or_else(|| {
            let found = context.store.lookup(&self.key)?;
            Some(self.result_with(plan, found.outputs, Some(found.seconds), found.conflict))
        })
    }

    /// Returns the result that the lock file gives a frozen stage whose key has changed since.
    fn frozen(&self, plan: &Plan, index: usize, context: &Context<'_>) -> Option<NodeResult> {
        let node = &plan.nodes[index];
        let entry = context.previous?.entries.get(&node.id).filter(|entry| node.frozen && entry.key != self.key)?;
        let mut outputs = Outputs::new();
        for (port, digest) in &entry.outputs {
            let meta = std::fs::metadata(context.store.blob_path(digest)).ok()?;
            // The lock file knows no lengths; that of a folder is told nowhere.
            let bytes = if meta.is_dir() { 0 } else { meta.len() };
            outputs.insert(port.clone(), Blob { digest: *digest, bytes, folder: meta.is_dir() });
        }
        let result = self.result_with(plan, outputs, None, false);
        Some(NodeResult { key: entry.key, frozen: true, ..result })
    }

    /// Returns the result of this node with these outputs.
    pub(super) fn result_with(
        &self,
        plan: &Plan,
        outputs: Outputs,
        seconds: Option<f64>,
        conflict: bool,
    ) -> NodeResult {
        let used = |(port, list): (&&'static str, &Vec<Bound<'_>>)| {
            let used = |bound: &Bound<'_>| UsedInput { port, digest: bound.digest, source: bound.label(plan) };
            list.iter().map(used).collect::<Vec<_>>()
        };
        NodeResult {
            key: self.key,
            inputs: self.inputs.iter().flat_map(used).collect(),
            outputs,
            incomplete: self.incomplete.clone(),
            conflict,
            frozen: false,
            seconds,
        }
    }
}
