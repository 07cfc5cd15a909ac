//! From the pipeline as written to the plan: every reference looked up, every edge type-checked, every stage laid out over
//! its cases and axes.
//!
//! ```text
//! folds   cases parted for cross-validation; nobody on both sides
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
#[cfg(test)]
mod fold_tests;
mod folds;
mod inputs;
mod leaks;
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
    leaks::check(items)?;
    let folds = folds::Folds::of(spec, items)?;
    let axes = axes::Axes::gather(spec, folds.axis.as_ref())?;
    let stages = link::link(spec, items, ops, &axes, &folds)?;
    let sequence = order::stages(spec, &stages)?;
    let nodes = rows::lay_out(spec, items, &axes, &folds, &stages, &sequence)?;
    let nodes = order::depth_first(nodes, items);
    Ok(Plan {
        name: spec.name.clone(),
        seed: spec.seed,
        file: spec.source.file.clone(),
        overrides: spec.overrides.clone(),
        folds: folds.told(items),
        nodes,
    })
}
