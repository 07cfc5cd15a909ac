//! One row of a comparison: named numbers in a fixed order, ready for JSON and tables.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    columns::{Bounds, Columns, NSD_TOLERANCES_MM, Status},
    defect::Solid,
    overlap::{Overlap, overlap},
    place::Place,
    surface::{Comparison, Setting, compare_surfaces},
};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::Grid,
    volume::Volume,
};

/// The length around the defect that is reported first, when it is among those asked for, mm.
const PRIMARY_NEAR_MM: f64 = 10.0;

/// What is compared. A half that is missing leaves its columns without numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// Label of the prediction.
    pub pred_label: Option<&'a Volume<u8>>,
    /// Gold label, on the same grid.
    pub gold_label: Option<&'a Volume<u8>>,
    /// Surface of the prediction, LPS mm.
    pub pred_mesh: Option<&'a Mesh>,
    /// Gold surface, in the same world.
    pub gold_mesh: Option<&'a Mesh>,
    /// The scan's grid, where surfaces are capped; the labels' grid when absent.
    pub scan: Option<&'a Grid>,
    /// The defect.
    pub defect: Option<&'a Solid>,
    /// Whether the defect was found in the gold label rather than given.
    pub defect_is_auto: bool,
    /// Lengths around the defect, mm. 10 is reported first when listed, else the first.
    pub near_mm: &'a [f64],
    /// Further places whose surroundings are measured.
    pub places: &'a [Place],
    /// Median and 95th percentile of the alignment's residual, mm: it enters the distances one to one.
    pub align_mm: Option<(f64, f64)>,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A number, or `null` where there is none.
    Number(Option<f64>),
    /// A word.
    Word(String),
}

/// Named values in the order in which tables show them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(pub Vec<(String, Value)>);

impl Row {
    /// Returns a number of the row, if it is there and exists.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => *number,
            Value::Word(_) => None,
        }
    }

    /// Returns a value of the row.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn number_of(&mut self, name: impl Into<String>, number: Option<f64>) {
        self.0.push((name.into(), Value::Number(number)));
    }

    fn word_of(&mut self, name: impl Into<String>, word: impl Into<String>) {
        self.0.push((name.into(), Value::Word(word.into())));
    }

    fn columns(&mut self, prefix: &str, columns: &Columns) {
        let mut push = |name: &str, number| self.number_of(format!("{prefix}{name}"), number);
        push("mad_pred_to_gold_mm", columns.mad_pred_to_gold_mm);
        push("mad_gold_to_pred_mm", columns.mad_gold_to_pred_mm);
        push("assd_mm", columns.assd_mm);
        push("masd_mm", columns.masd_mm);
        push("signed_pred_to_gold_mm", columns.signed_pred_to_gold_mm);
        push("median_pred_to_gold_mm", columns.median_pred_to_gold_mm);
        push("p95_pred_to_gold_mm", columns.p95_pred_to_gold_mm);
        push("max_pred_to_gold_mm", columns.max_pred_to_gold_mm);
        push("hd95_mm", columns.hd95_mm);
        for (tolerance, nsd) in NSD_TOLERANCES_MM.iter().zip(columns.nsd) {
            push(&format!("nsd_{tolerance}mm"), nsd);
        }
    }

    /// Adds what is near each place, and what is near none.
    fn places(&mut self, places: &[Place], surfaces: Option<&Comparison>) {
        let elsewhere = (!places.is_empty()).then_some(("elsewhere", None));
        let names = places.iter().map(|place| (place.name, Some(place.within_mm))).chain(elsewhere);
        for (which, (name, within_mm)) in names.enumerate() {
            let found = surfaces.and_then(|surfaces| surfaces.places.get(which));
            self.word_of(format!("{name}_status"), found.map_or("no_mesh", |columns| columns.status.word()));
            if within_mm.is_some() {
                self.number_of(format!("{name}_near_mm"), within_mm);
            }
            self.columns(&format!("{name}_"), found.unwrap_or(&Columns::nothing(Status::Ok)));
        }
    }

    fn bounds(&mut self, prefix: &str, bounds: &Bounds) {
        let mut push = |name: &str, number| self.number_of(format!("{prefix}{name}"), number);
        push("mad_bound_mm", bounds.mad_mm);
        push("median_bound_mm", bounds.median_mm);
        push("p95_bound_mm", bounds.p95_mm);
        push("max_bound_mm", bounds.max_mm);
        push("hd95_bound_mm", bounds.hd95_mm);
        push("nsd_bound", bounds.nsd);
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Compares what is there, and returns the row.
///
/// Order: `status`; overlap; surface distances outside the caps; the alignment; `defect_…` for the first length, its
/// status, length and origin; `defect_<length>mm_…` for the others; `metal_…`, `thin_bone_…` with what counts as near, and
/// `elsewhere_…`, when places are given; `with_caps_…`; the bounds on the error of sampling, all
/// over and near the defect ([`Bounds`]). `status` is `ok`, or says in words joined by
/// `,` which half is missing (`no_label`, `no_mesh`) or empty (`both_empty`, `pred_empty`, `gold_empty`,
/// `region_empty`: nothing outside the caps).
///
/// # Errors
/// Unfit when the labels are on different grids, usage when a length is not positive or only one of a pair is given.
pub fn row(inputs: &Inputs<'_>) -> Result<Row> {
    row_and_deviation(inputs).map(|(row, _)| row)
}

/// Returns the [`row`], and the signed distance of each vertex of the prediction, mm, when there are meshes.
///
/// # Errors
/// Those of [`row`].
pub fn row_and_deviation(inputs: &Inputs<'_>) -> Result<(Row, Option<Vec<f32>>)> {
    let near_mm = lengths(inputs.near_mm)?;
    let found = match pair("label", inputs.pred_label, inputs.gold_label)? {
        Some((pred, gold)) => Some(overlap(pred, gold)?),
        None => None,
    };
    let labels_grid = inputs.gold_label.or(inputs.pred_label).map(|label| &label.grid);
    let scan = inputs.scan.or(labels_grid);
    let setting = Setting { scan, defect: inputs.defect, near_mm: &near_mm, places: inputs.places };
    let surfaces =
        pair("mesh", inputs.pred_mesh, inputs.gold_mesh)?.map(|(pred, gold)| compare_surfaces(pred, gold, &setting));
    let row = write(found.as_ref(), surfaces.as_ref(), inputs, &near_mm);
    Ok((row, surfaces.map(|surfaces| surfaces.pred_deviation_mm)))
}

fn write(found: Option<&Overlap>, surfaces: Option<&Comparison>, inputs: &Inputs<'_>, near_mm: &[f64]) -> Row {
    let nothing = Columns::nothing(Status::Ok);
    let (whole, with_caps) = surfaces.map_or((nothing, nothing), |s| (s.whole, s.with_caps));
    let mut row = Row::default();
    row.word_of("status", status(found, surfaces));
    row.number_of("dsc", found.map(|o| o.dsc));
    row.number_of("precision", found.and_then(|o| o.precision));
    row.number_of("recall", found.and_then(|o| o.recall));
    row.number_of("volume_similarity", found.map(|o| o.volume_similarity));
    row.columns("", &whole);
    row.number_of("align_median_mm", inputs.align_mm.map(|(median, _)| median));
    row.number_of("align_p95_mm", inputs.align_mm.map(|(_, p95)| p95));
    for (which, length) in near_mm.iter().enumerate() {
        let columns = surfaces.and_then(|s| s.near.get(which)).map_or(nothing, |&(_, columns)| columns);
        let status = if surfaces.is_none() { "no_mesh" } else { columns.status.word() };
        let prefix = if which == 0 { "defect_".to_owned() } else { format!("defect_{length}mm_") };
        row.word_of(format!("{prefix}status"), status);
        if which == 0 {
            row.number_of("defect_near_mm", Some(*length));
            row.word_of("defect_from", defect_from(inputs));
        }
        row.columns(&prefix, &columns);
    }
    row.places(inputs.places, surfaces);
    row.columns("with_caps_", &with_caps);
    row.bounds("", &whole.bounds);
    row.bounds("defect_", &surfaces.and_then(|s| s.near.first()).map_or(nothing, |&(_, columns)| columns).bounds);
    row
}

/// Returns where the defect is known from.
fn defect_from(inputs: &Inputs<'_>) -> &'static str {
    match inputs.defect {
        None => "none",
        Some(_) if inputs.defect_is_auto => "auto",
        Some(Solid::Mesh(_)) => "mesh",
        Some(Solid::Ball { .. }) => "ball",
    }
}

fn status(found: Option<&Overlap>, surfaces: Option<&Comparison>) -> String {
    let label = match found.map(|o| (o.pred_voxels == 0, o.gold_voxels == 0)) {
        None => "no_label",
        Some((true, true)) => Status::BothEmpty.word(),
        Some((true, false)) => Status::PredEmpty.word(),
        Some((false, true)) => Status::GoldEmpty.word(),
        Some((false, false)) => "ok",
    };
    let mesh = surfaces.map_or("no_mesh", |s| s.whole.status.word());
    match (label, mesh) {
        ("ok", other) | (other, "ok") => other.to_owned(),
        (one, two) if one == two => one.to_owned(),
        (one, two) => format!("{one},{two}"),
    }
}

/// Returns the lengths without repeats, the primary one first.
fn lengths(near_mm: &[f64]) -> Result<Vec<f64>> {
    if let Some(bad) = near_mm.iter().find(|mm| !(mm.is_finite() && **mm > 0.0)) {
        return Err(Fault::usage(format!("a length around the defect must be positive, not {bad} mm")));
    }
    let all = if near_mm.is_empty() { &[PRIMARY_NEAR_MM] } else { near_mm };
    let primary = if all.contains(&PRIMARY_NEAR_MM) { PRIMARY_NEAR_MM } else { all[0] };
    let mut lengths = vec![primary];
    for &length in all {
        if !lengths.contains(&length) {
            lengths.push(length);
        }
    }
    Ok(lengths)
}

fn pair<'a, T>(what: &str, pred: Option<&'a T>, gold: Option<&'a T>) -> Result<Option<(&'a T, &'a T)>> {
    match (pred, gold) {
        (Some(pred), Some(gold)) => Ok(Some((pred, gold))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Fault::usage(format!("the prediction has a {what}, the gold standard has none"))),
        (None, Some(_)) => Err(Fault::usage(format!("the gold standard has a {what}, the prediction has none"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::quadrature::shapes::cuboid, space::DVec3};

    #[test]
    fn a_full_row_has_the_promised_keys_in_order() {
        let label = Volume::filled(Grid::aligned([8, 8, 8], DVec3::splat(10.0)), 1_u8);
        let mesh = cuboid(DVec3::splat(30.0), DVec3::splat(50.0));
        let ball = Solid::Ball { centre_mm: DVec3::splat(40.0), radius_mm: 5.0 };
        let inputs = Inputs {
            pred_label: Some(&label),
            gold_label: Some(&label),
            pred_mesh: Some(&mesh),
            gold_mesh: Some(&mesh),
            defect: Some(&ball),
            near_mm: &[5.0, 10.0, 20.0],
            align_mm: Some((0.1, 0.2)),
            places: &[Place { name: "metal", surface: Mesh::default(), is_solid: true, within_mm: 10.0 }],
            ..Inputs::default()
        };
        let row = row(&inputs).unwrap();
        let keys: Vec<&str> = row.0.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys[..19],
            [
                "status",
                "dsc",
                "precision",
                "recall",
                "volume_similarity",
                "mad_pred_to_gold_mm",
                "mad_gold_to_pred_mm",
                "assd_mm",
                "masd_mm",
                "signed_pred_to_gold_mm",
                "median_pred_to_gold_mm",
                "p95_pred_to_gold_mm",
                "max_pred_to_gold_mm",
                "hd95_mm",
                "nsd_0.5mm",
                "nsd_1mm",
                "nsd_2mm",
                "align_median_mm",
                "align_p95_mm"
            ]
        );
        for key in [
            "defect_mad_pred_to_gold_mm",
            "defect_5mm_mad_pred_to_gold_mm",
            "defect_20mm_nsd_0.5mm",
            "metal_near_mm",
            "metal_assd_mm",
            "elsewhere_nsd_1mm",
            "with_caps_hd95_mm",
            "mad_bound_mm",
            "defect_nsd_bound",
        ] {
            assert!(keys.contains(&key), "{key}");
        }
        assert_eq!(
            (row.number("dsc"), row.number("nsd_1mm"), row.number("defect_near_mm")),
            (Some(1.0), Some(1.0), Some(10.0))
        );
        assert_eq!(row.get("status"), Some(&Value::Word("ok".to_owned())));
        assert_eq!(row.get("defect_from"), Some(&Value::Word("ball".to_owned())));
        let status = |name: &str| row.get(name).cloned();
        assert_eq!(status("metal_status"), Some(Value::Word("region_empty".to_owned())), "a scan without metal");
        assert_eq!(status("elsewhere_status"), Some(Value::Word("ok".to_owned())));
        assert_eq!(row.number("elsewhere_assd_mm"), row.number("assd_mm"));
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.starts_with(r#"{"status":"ok","dsc":1.0,"#), "{text}");
    }

    #[test]
    fn a_missing_half_is_null_and_half_a_pair_is_an_error() {
        let mesh = cuboid(DVec3::ZERO, DVec3::ONE);
        let inputs = Inputs { pred_mesh: Some(&mesh), gold_mesh: Some(&mesh), ..Inputs::default() };
        let found = row(&inputs).unwrap();
        assert_eq!(found.get("status"), Some(&Value::Word("no_label".to_owned())));
        assert_eq!(found.get("dsc"), Some(&Value::Number(None)));
        assert_eq!(found.get("defect_status"), Some(&Value::Word("no_defect".to_owned())));
        assert!(row(&Inputs { gold_mesh: None, ..inputs }).is_err());
        assert!(row(&Inputs { near_mm: &[0.0], ..inputs }).is_err());
    }
}
