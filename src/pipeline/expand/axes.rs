//! The table of all axes. An axis has one set of values in a pipeline; a stage may declare it again, with the same ones.

use std::collections::BTreeMap;

use crate::{
    fault::Result,
    pipeline::{
        diagnose::{Mark, suggest},
        spec::{Axis, AxisValue, Spec, StageSpec},
    },
};

/// Axis -> value as text: a point of the product of axes.
pub(super) type Point = BTreeMap<String, String>;

/// All axes of a pipeline by name.
pub(super) struct Axes<'a> {
    by_name: BTreeMap<&'a str, &'a Axis>,
}

impl<'a> Axes<'a> {
    /// Gathers the axes of all stages, and refuses one that is declared again with other values.
    pub(super) fn gather(spec: &'a Spec, fold: Option<&'a Axis>) -> Result<Self> {
        let mut by_name: BTreeMap<&str, &Axis> = fold.map(|axis| (axis.name.text.as_str(), axis)).into_iter().collect();
        for axis in spec.stages.iter().flat_map(StageSpec::own_axes) {
            let Some(first) = by_name.insert(&axis.name.text, axis) else { continue };
            if !same_values(first, axis) {
                let what = format!("the axis `{}` is declared again with other values", axis.name.text);
                return Err(spec
                    .source
                    .fault_between(first.name.mark, axis.name.mark, what)
                    .hint("axes travel along edges and need not be repeated; give a second axis another name"));
            }
        }
        Ok(Self { by_name })
    }

    /// Returns an axis, or the fault that there is none, at a mark.
    pub(super) fn get(&self, name: &str, mark: Mark, spec: &Spec) -> Result<&'a Axis> {
        self.by_name.get(name).copied().ok_or_else(|| {
            spec.source
                .fault(mark, format!("there is no axis `{name}`"))
                .hint(suggest(name, self.by_name.keys().copied()))
        })
    }

    /// Returns the names of all axes.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.by_name.keys().copied()
    }

    /// Returns the value of an axis at a point.
    pub(super) fn value(&self, name: &str, point: &Point) -> Option<&'a AxisValue> {
        let text = point.get(name)?;
        self.by_name.get(name)?.values.iter().find(|value| value.text == *text)
    }
}

fn same_values(a: &Axis, b: &Axis) -> bool {
    let sorted = |axis: &Axis| {
        axis.values.iter().map(|value| (value.text.clone(), value.reference.clone())).collect::<BTreeMap<_, _>>()
    };
    sorted(a) == sorted(b)
}

/// Returns all points of a stage's own axes: those of `matrix` each with each, the last varying fastest, and with each of
/// them those of `zip`, which go together.
pub(super) fn product(stage: &StageSpec) -> Vec<Point> {
    let points = stage.matrix.iter().fold(vec![Point::new()], |points, axis| {
        let extend = |point: &Point| {
            let point = point.clone();
            axis.values.iter().map(move |value| {
                let mut wider = point.clone();
                wider.insert(axis.name.text.clone(), value.text.clone());
                wider
            })
        };
        points.iter().flat_map(extend).collect()
    });
    let Some(length) = stage.zip.first().map(|axis| axis.values.len()) else { return points };
    let together = |i: usize| -> Point {
        let pair = |axis: &Axis| Some((axis.name.text.clone(), axis.values.get(i)?.text.clone()));
        stage.zip.iter().filter_map(pair).collect()
    };
    let zipped: Vec<Point> = (0..length).map(together).collect();
    points.iter().flat_map(|point| zipped.iter().filter_map(|other| join(point, other))).collect()
}

/// Returns both points as one, or none where they differ on an axis that both have.
pub(super) fn join(a: &Point, b: &Point) -> Option<Point> {
    if !agree(a, b) {
        return None;
    }
    let mut both = a.clone();
    both.extend(b.iter().map(|(axis, value)| (axis.clone(), value.clone())));
    Some(both)
}

/// Returns whether two points have the same value on every axis that both have.
pub(super) fn agree(a: &Point, b: &Point) -> bool {
    a.iter().all(|(axis, value)| b.get(axis).is_none_or(|other| other == value))
}

/// Returns the id of an item: `p16,method=msdnet,seed=2`; empty for the only item of a stage without cases and axes.
pub(super) fn item_id(case: Option<&str>, point: &Point) -> String {
    let axes = point.iter().map(|(axis, value)| format!("{axis}={value}"));
    case.map(str::to_owned).into_iter().chain(axes).collect::<Vec<_>>().join(",")
}
