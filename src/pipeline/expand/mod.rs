//! From the pipeline as written to the plan: every reference looked up, every edge type-checked, every stage laid out over
//! its cases and axes.
//!
//! ```text
//! axes    one table of all axes
//! link    stages -> ops, references -> outputs; kinds, arity, groups, cycles       (per stage)
//! rows    axes travel along edges                                                 (per item)
//! inputs  one artifact or a list for each port                                    (per item)
//! params  `$name` replaced, the op's own check, blame back to the line             (per item)
//! order   topological, depth first per case
//! ```

mod axes;
#[cfg(test)]
pub(super) mod fakes;
#[cfg(test)]
mod faults;
mod inputs;
mod link;
mod order;
mod params;
mod rows;
#[cfg(test)]
mod tests;

use super::{
    plan::{Item, Plan},
    spec::Spec,
    stage::Op,
};
use crate::fault::Result;

/// Expands a pipeline over the items of its manifest, with the ops that `uses:` can name.
///
/// # Errors
/// Usage, with file, line and column, for everything that can be wrong before anything runs: unknown ops, ports, stages,
/// fields, axes, parameters; edges of the wrong kind or arity; empty groups; incomplete collections; cycles.
pub fn expand(spec: &Spec, items: &[Item], ops: &[&'static dyn Op]) -> Result<Plan> {
    let axes = axes::Axes::gather(spec)?;
    let stages = link::link(spec, items, ops, &axes)?;
    let sequence = order::stages(spec, &stages)?;
    let nodes = rows::lay_out(spec, items, &axes, &stages, &sequence)?;
    let nodes = order::depth_first(nodes, items);
    Ok(Plan {
        name: spec.name.clone(),
        seed: spec.seed,
        file: spec.source.file.clone(),
        overrides: spec.overrides.clone(),
        nodes,
    })
}
