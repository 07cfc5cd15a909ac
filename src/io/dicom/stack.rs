//! The slices of one series to a stack in space, and the verdict whether it is a grid.

use super::header::SliceHeader;
use crate::{
    fault::{Fault, Result},
    geometry::resample::{Fit, Slices},
    io::image::{ImageOptions, Repair, short},
    space::DVec3,
};

/// Axes of a slice may be this far from perpendicular unit vectors.
const PERPENDICULAR: f64 = 1e-3;
/// Slices nearer than this are at the same place, mm.
const SAME_PLACE_MM: f64 = 1e-3;

/// Returns the stack of a sorted series.
///
/// # Errors
/// Unfit when positions, orientation or spacing are missing or senseless, or slices lie at the same place.
pub(super) fn stack(series: &[SliceHeader]) -> Result<Slices> {
    let Some(first) = series.first() else { return Err(Fault::unfit("the series has no slices")) };
    let (Some([row, column]), Some(spacing_mm)) = (first.axes, first.spacing_mm) else {
        return Err(unplaced("ImageOrientationPatient or PixelSpacing", series.len(), series.len()));
    };
    let positions_mm: Vec<DVec3> = series.iter().filter_map(|slice| slice.position_mm).collect();
    if positions_mm.len() < series.len() {
        return Err(unplaced("ImagePositionPatient", series.len() - positions_mm.len(), series.len()));
    }
    let [r, c] = [row.length(), column.length()];
    if !((r - 1.0).abs() <= PERPENDICULAR && (c - 1.0).abs() <= PERPENDICULAR && row.dot(column).abs() <= PERPENDICULAR)
    {
        return Err(Fault::unfit(format!(
            "the slice axes are not perpendicular unit vectors: lengths {r:.4} and {c:.4}, cosine {:.4}",
            row.dot(column)
        )));
    }
    if !(spacing_mm[0] > 0.0 && spacing_mm[1] > 0.0) {
        return Err(Fault::unfit(format!("the pixel spacing {} x {} mm is impossible", spacing_mm[0], spacing_mm[1])));
    }
    let row = row / r;
    let column = column - row * column.dot(row);
    let column = column / column.length();
    let size = [first.format.columns, first.format.rows];
    let slices =
        Slices { size, spacing_mm, row, column, positions_mm, thickness_mm: first.thickness_mm.unwrap_or(1.0) };
    distinct(&slices)?;
    Ok(slices)
}

fn unplaced(tag: &str, lacking: usize, of: usize) -> Fault {
    Fault::unfit(format!("{lacking} of {of} slices lack {tag}, so where they lie is not known"))
        .hint("export the original slices; derived pictures and screen captures have no place in space")
}

fn distinct(slices: &Slices) -> Result<()> {
    let normal = slices.normal();
    let depths: Vec<f64> = slices.positions_mm.iter().map(|p| p.dot(normal)).collect();
    let same = depths.windows(2).filter(|pair| pair[1] - pair[0] < SAME_PLACE_MM).count();
    if same == 0 {
        return Ok(());
    }
    let at = depths.windows(2).find(|pair| pair[1] - pair[0] < SAME_PLACE_MM).map_or(0.0, |pair| pair[0]);
    let places = depths.len() - same;
    Err(Fault::unfit(format!(
        "{} slices lie at {places} places: {same} share a place with another, the first at {} mm along the normal",
        depths.len(),
        short(at)
    ))
    .hint("the series holds two acquisitions or copies of slices: keep one of each place in the folder"))
}

/// Returns the measures of a stack that is a grid, or may be made one as the options ask, with a note for each repair.
///
/// # Errors
/// Unfit, with the numbers and the option that repairs it, when the stack is tilted or uneven.
pub(super) fn judge(slices: &Slices, options: &ImageOptions, notes: &mut Vec<String>) -> Result<Fit> {
    let fit = slices.fit();
    let (mut faults, mut remedies) = (Vec::new(), Vec::new());
    if !fit.upright() {
        if options.tilt == Repair::Refuse {
            faults.push(format!(
                "the slices shift sideways by {:.2} mm over the volume, a gantry tilt of {:.2} degrees",
                fit.shift_mm, fit.tilt_deg
            ));
            remedies.push("`tilt: resample` moves them within their planes onto an upright grid");
        } else {
            notes.push(crate::io::image::tilt_note(&fit));
        }
    }
    if !fit.even() {
        let numbers = uneven(slices, &fit);
        if options.gaps == Repair::Refuse {
            faults.push(format!("the slices are unevenly spaced: {numbers}"));
            remedies.push("copy the missing slices, or `gaps: resample` fills in linearly between neighbours");
        } else {
            notes.push(format!(
                "the slices were unevenly spaced ({numbers}); they were resampled linearly along the normal"
            ));
        }
    }
    if faults.is_empty() { Ok(fit) } else { Err(Fault::unfit(faults.join("; and ")).hint(remedies.join("; and "))) }
}

fn uneven(slices: &Slices, fit: &Fit) -> String {
    let n = slices.positions_mm.len();
    let places = fit.mean_mm * (n - 1) as f64 / fit.median_mm;
    let missing = places.round() + 1.0 - n as f64;
    let lacking = if missing >= 1.0 { format!(", about {missing} missing") } else { String::new() };
    format!(
        "{n} slices {} to {} mm apart, median {} mm{lacking}",
        short(fit.range_mm[0]),
        short(fit.range_mm[1]),
        short(fit.median_mm)
    )
}
