//! Cross-validation: which cases each fold learns from and is measured on.
//!
//! `fold` is an axis as any other: a stage that runs over a side of the folds, or collects over one, has it, and so have
//! all that take its results. The folds of a plan are told with it, so that a scan on both sides of one can be refused.

use std::collections::{BTreeMap, BTreeSet};

use super::link::{attribute_missing, members};
use crate::{
    fault::{Fault, Result},
    pipeline::{
        diagnose::Mark,
        digest::Digest,
        plan::{Fold, Item},
        spec::{
            Axis, AxisValue, FOLD_AXIS, Spec, StageSpec, Word,
            folds::{FoldRule, FoldSpec, in_ids},
            reference::{Binding, Group, Side},
        },
    },
};

/// More folds than this are a mistake in `leave_out`.
const MAX_FOLDS: usize = 10_000;

/// The folds of a pipeline; none where it has none.
#[derive(Default)]
pub(super) struct Folds {
    /// The axis `fold`, its values in order.
    pub(super) axis: Option<Axis>,
    /// All cases that are parted.
    all: BTreeSet<usize>,
    /// The cases that each fold is measured on, by the value of the axis.
    tests: BTreeMap<String, BTreeSet<usize>>,
}

impl Folds {
    /// Parts the cases.
    pub(super) fn of(spec: &Spec, items: &[Item]) -> Result<Self> {
        let Some(folds) = &spec.folds else { return Ok(Self::default()) };
        let cases = members(spec, items, &folds.of.0, folds.of.1)?;
        let fault = |what: String| spec.source.fault(folds.mark, what);
        let named = match &folds.rule {
            FoldRule::Field(field) => by_field(items, &cases, field)
                .map_err(|case| attribute_missing(spec, items, field, &items[case].id, folds.mark))?,
            FoldRule::Count(k) => deal(&units(spec, items, folds, &cases)?, *k).map_err(fault)?,
            FoldRule::LeaveOut(k) => choices(&units(spec, items, folds, &cases)?, *k).map_err(fault)?,
        };
        if named.len() < 2 {
            return Err(fault("cross-validation needs at least two folds".to_owned()));
        }
        if let Some((name, _)) = named.iter().find(|(name, _)| !in_ids(name)) {
            return Err(fault(format!("`{}` cannot name a fold", name.escape_debug()))
                .hint("it becomes part of item ids: letters, digits, `.`, `_`, `+` and `-`, 64 at most"));
        }
        let value = |text: &String| AxisValue {
            text: text.clone(),
            value: text.clone().into(),
            reference: None,
            mark: folds.mark,
        };
        let axis = Axis {
            name: Word { text: FOLD_AXIS.to_owned(), mark: folds.mark },
            values: named.iter().map(|(name, _)| value(name)).collect(),
        };
        let found = Self { axis: Some(axis), all: cases.into_iter().collect(), tests: named.into_iter().collect() };
        found.subjects_stay_together(spec, items, folds)?;
        Ok(found)
    }

    /// Returns the folds as a plan tells them.
    pub(super) fn told(&self, items: &[Item]) -> Vec<Fold> {
        let ids = |cases: &BTreeSet<usize>| cases.iter().map(|&case| items[case].id.clone()).collect();
        let fold = |value: &AxisValue| {
            let test = self.tests.get(&value.text).cloned().unwrap_or_default();
            let train = self.all.difference(&test).copied().collect();
            Fold { name: value.text.clone(), train: ids(&train), test: ids(&test) }
        };
        self.axis.iter().flat_map(|axis| &axis.values).map(fold).collect()
    }

    /// Returns the folds that an item of a stage may be of: for a stage over a side, those in which the case is on it.
    pub(super) fn of_item(&self, stage: &StageSpec, case: Option<usize>) -> Option<Vec<&str>> {
        let axis = self.axis.as_ref()?;
        let side = match &stage.foreach {
            Some((Group::Fold(side), _)) => Some(*side),
            _ if stage.with.iter().any(|edge| over_fold(&edge.binding)) => None,
            _ => return None,
        };
        let has = |value: &&AxisValue| match (side, case) {
            (Some(side), Some(case)) => self.has(side, &value.text, case),
            _ => true,
        };
        Some(axis.values.iter().filter(has).map(|value| value.text.as_str()).collect())
    }

    /// Returns whether a case is on a side of a fold.
    pub(super) fn has(&self, side: Side, fold: &str, case: usize) -> bool {
        let tested = self.tests.get(fold).is_some_and(|cases| cases.contains(&case));
        self.all.contains(&case) && (side == Side::Test) == tested
    }

    /// Returns the cases that are on a side of any fold.
    pub(super) fn members(&self, side: Side) -> Vec<usize> {
        let on_it = |&case: &usize| self.tests.keys().any(|fold| self.has(side, fold, case));
        self.all.iter().copied().filter(on_it).collect()
    }

    /// Refuses folds that part the scans of one person.
    fn subjects_stay_together(&self, spec: &Spec, items: &[Item], folds: &FoldSpec) -> Result<()> {
        for field in super::leaks::PERSON {
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            for &case in &self.all {
                let Some(person) = items[case].attributes.get(*field) else { continue };
                let first = *seen.entry(person).or_insert(case);
                let apart = self.tests.values().any(|test| test.contains(&first) != test.contains(&case));
                if apart {
                    let (a, b) = (&items[first].id, &items[case].id);
                    let what = format!(
                        "the cases `{a}` and `{b}` are of one {field}, and a fold learns from one of them and is measured on the other"
                    );
                    return Err(spec.source.fault(folds.mark, what).hint(format!("write `together: {field}`")));
                }
            }
        }
        Ok(())
    }
}

fn over_fold(binding: &Binding) -> bool {
    matches!(binding, Binding::Collect { over: Some((Group::Fold(_), _)), .. })
}

type Named = Vec<(String, BTreeSet<usize>)>;

/// Returns the folds that a field of the manifest names, in order; or the first case that lacks it.
fn by_field(items: &[Item], cases: &[usize], field: &str) -> std::result::Result<Named, usize> {
    let mut folds: BTreeMap<(u64, String), BTreeSet<usize>> = BTreeMap::new();
    for &case in cases {
        let value = items[case].attributes.get(field).ok_or(case)?;
        // 2 before 10.
        let rank = value.parse().unwrap_or(u64::MAX);
        folds.entry((rank, value.clone())).or_default().insert(case);
    }
    Ok(folds.into_iter().map(|((_, name), cases)| (name, cases)).collect())
}

/// A unit that no fold parts: its name, and its cases.
type Unit = (String, Vec<usize>);

/// Returns the units in the order in which they are dealt.
fn units(spec: &Spec, items: &[Item], folds: &FoldSpec, cases: &[usize]) -> Result<Vec<Unit>> {
    let mut units: Vec<Unit> = Vec::new();
    for &case in cases {
        let name = match &folds.together {
            None => items[case].id.clone(),
            Some((field, mark)) => {
                let value = items[case].attributes.get(field);
                let id = &items[case].id;
                value.cloned().ok_or_else(|| -> Fault { attribute_missing(spec, items, field, id, *mark) })?
            }
        };
        match units.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cases)) => cases.push(case),
            None => units.push((name, vec![case])),
        }
    }
    if let Some(shuffle) = folds.shuffle {
        // By a digest of its own for each, so that one more case moves few others.
        units.sort_by_cached_key(|(name, _)| {
            Digest::derive("calvaria v1 folds", format!("{shuffle} {name}").as_bytes())
        });
    }
    Ok(units)
}

/// Deals units out in turn into `k` folds.
fn deal(units: &[Unit], k: u64) -> std::result::Result<Named, String> {
    let k = usize::try_from(k).unwrap_or(usize::MAX);
    if k > units.len() {
        return Err(format!("{k} folds need at least as many cases, there are {}", units.len()));
    }
    let cases = |fold: usize| units.iter().skip(fold).step_by(k).flat_map(|(_, cases)| cases).copied().collect();
    Ok((0..k).map(|fold| ((fold + 1).to_string(), cases(fold))).collect())
}

/// Returns a fold for each choice of `k` units, named after them.
fn choices(units: &[Unit], k: u64) -> std::result::Result<Named, String> {
    let k = usize::try_from(k).unwrap_or(usize::MAX);
    if k >= units.len() {
        return Err(format!("leaving {k} out of {} leaves nothing to learn from", units.len()));
    }
    let mut found: Named = Vec::new();
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        let name = chosen.iter().map(|&unit| units[unit].0.as_str()).collect::<Vec<_>>().join("+");
        found.push((name, chosen.iter().flat_map(|&unit| &units[unit].1).copied().collect()));
        if found.len() > MAX_FOLDS {
            return Err(format!("leaving {k} out of {} makes more than {MAX_FOLDS} folds", units.len()));
        }
        // The last place that can still move on does, and those after it follow at its heels.
        let Some(place) = (0..k).rev().find(|&place| chosen[place] < units.len() - k + place) else {
            return Ok(found);
        };
        chosen[place] += 1;
        for after in place + 1..k {
            chosen[after] = chosen[after - 1] + 1;
        }
    }
}

/// Returns the fault of a pipeline that speaks of folds and has none.
pub(super) fn no_folds(spec: &Spec, group: &Group, mark: Mark) -> Fault {
    spec.source
        .fault(mark, format!("`{group}` speaks of folds, and the pipeline has none"))
        .hint("write `folds: { k: 5 }` beside `stages`")
}
