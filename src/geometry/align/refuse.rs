//! What an alignment must reach, what is said when it does not, and what the likely cause is.

use super::{Accept, Alignment, Hand, Refusal, Start, quality::THIN_MM, sample::Model};
use crate::{
    fault::{Fault, Result},
    space::{DMat3, DQuat, DVec3, Rigid},
};

/// A mesh so many times smaller or larger than the bone in the scan is no skull in millimetres.
const SIZE: f64 = 6.0;
/// Slips of the unit: how much too small the numbers are, and their name.
const UNITS: [(f64, &str); 6] = [
    (1000.0, "metres"),
    (25.4, "inches"),
    (10.0, "centimetres"),
    (1.0 / 1000.0, "micrometres"),
    (1.0 / 25.4, "millimetres scaled as inches"),
    (0.1, "tenths of a millimetre"),
];
/// Less of the mesh wound outwards is a mesh inside out, and less than the second is wound both ways.
const OUTWARDS: (f64, f64) = (0.2, 0.8);
/// A turn that comes nearer than this to a half turn about z looks like a slip of the frame, degrees.
const HALF_TURN_DEG: f64 = 15.0;
/// Largest 95th percentile when none is given: limits of the median, and spacings.
const P95: (f64, f64) = (2.0, 1.2);

const OTHER: &str =
    "check that mesh and scan are of the same patient, that the mesh is the skull, and the mesh's `frame` and `unit`";

/// Refuses a mesh of the wrong size before anything is searched: a small one fits everywhere.
pub(super) fn size(model: &Model, bone_radius_mm: f64) -> Result<()> {
    let ratio = bone_radius_mm / model.radius_mm.max(1e-12);
    if (1.0 / SIZE..=SIZE).contains(&ratio) {
        return Ok(());
    }
    let off = |factor: f64| libm::fabs(libm::log(ratio / factor));
    let likely = UNITS.iter().fold(UNITS[0], |best, &unit| if off(unit.0) < off(best.0) { unit } else { best });
    let fault = Fault::unfit(format!(
        "the mesh does not fit the scan: it has {:.2} % of the size of the bone there, radius {:.4} mm against {:.1} mm",
        100.0 / ratio,
        model.radius_mm,
        bone_radius_mm
    ));
    Err(if off(likely.0) < libm::log(1.6) {
        fault.hint(format!("it looks like {}: give the mesh's `unit`, or scale it by {}", likely.1, likely.0))
    } else {
        fault.hint(OTHER)
    })
}

/// Returns the largest 95th percentile of the distances to bone, mm.
pub(super) fn p95_limit_mm(accept: &Accept, largest_spacing_mm: f64) -> f64 {
    accept.p95_mm.unwrap_or_else(|| (P95.0 * accept.median_mm).max(P95.1 * largest_spacing_mm))
}

/// Returns whether a distance is beyond its limit, or no number.
pub(super) fn far(mm: f64, limit_mm: f64) -> bool {
    mm.is_nan() || mm > limit_mm
}

/// Returns the first limit that is not met, with the numbers and the likely cause.
pub(super) fn refusal(found: &Alignment, start: &Start, largest_spacing_mm: f64, accept: &Accept) -> Option<Refusal> {
    let refuse = |what: String, cause: &str| Some(Refusal { what, cause: cause.to_owned() });
    let percent = |share: f64| 100.0 * share;
    // A given start that did not lead home loses to the mirror image's own search, and is yet not mirrored.
    let mirrored = mirrored(found);
    if *start == Start::Auto && mirrored.is_some() {
        return mirrored;
    }
    if found.outwards_share < OUTWARDS.0 && found.inlier_share > 0.0 {
        return refuse(
            format!("the mesh is inside out: {:.0} % of it faces outwards", percent(found.outwards_share)),
            "flip the triangles' winding (in 3D Slicer: Surface Toolbox, flip normals)",
        );
    }
    if found.overlap_share < accept.overlap_share {
        return refuse(
            format!(
                "only {:.0} % of the mesh lies inside the scan (limit {:.0} %)",
                percent(found.overlap_share),
                percent(accept.overlap_share)
            ),
            "the scan shows another part of the body, or the start is wrong",
        );
    }
    let p95_limit_mm = p95_limit_mm(accept, largest_spacing_mm);
    if far(found.median_residual_mm, accept.median_mm)
        || far(found.p95_thick_residual_mm.unwrap_or(found.p95_residual_mm), p95_limit_mm)
        || far(accept.inlier_share, found.inlier_share)
    {
        return refuse(
            format!(
                "median distance to bone {:.2} mm (limit {}), 95th percentile {:.2} mm{} (limit {:.2}), {:.0} % of the \
                 surface on bone (limit {:.0} %)",
                found.median_residual_mm,
                accept.median_mm,
                found.p95_residual_mm,
                found.p95_thick_residual_mm.map_or_else(String::new, |mm| format!(", {mm:.2} mm without thin bone")),
                p95_limit_mm,
                percent(found.inlier_share),
                percent(accept.inlier_share)
            ),
            OTHER,
        );
    }
    let edge_limit = accept.edge_share.unwrap_or(accept.inlier_share);
    if let Some(edges) = found.edge_share.filter(|&edges| far(edge_limit, edges)) {
        return refuse(
            format!(
                "the image shows an edge of bone at only {:.0} % of the mesh (limit {:.0} %)",
                percent(edges),
                percent(edge_limit)
            ),
            OTHER,
        );
    }
    if let Some(ambiguity) = found.ambiguity.filter(|&ambiguity| ambiguity > accept.ambiguity) {
        return refuse(
            format!("a second place fits nearly as well: residual ratio {ambiguity:.3} (limit {})", accept.ambiguity),
            "the mesh shows too little of the skull to place it: give a start or landmarks",
        );
    }
    if let Some(weakest) = found.weakest.filter(|weakest| weakest.slide_mm > accept.slide_mm) {
        return refuse(
            format!(
                "the mesh can slide {:.1} mm while distances change by 0.1 mm (limit {} mm)",
                weakest.slide_mm, accept.slide_mm
            ),
            "the mesh is too smooth or too small a part to be placed",
        );
    }
    mirrored
}

fn mirrored(found: &Alignment) -> Option<Refusal> {
    let handed = found.handed.filter(|handed| handed.hand == Hand::Mirrored)?;
    Some(Refusal {
        what: format!(
            "the mirror image of the mesh fits the scan better ({:.0} % of the distance, {:.1} standard errors)",
            100.0 / handed.ratio.max(1e-9),
            handed.standard_errors
        ),
        cause: "the mesh is mirrored: one axis was flipped on its way; RAS and LPS differ by two".to_owned(),
    })
}

/// Returns what is odd but no reason to refuse.
pub(super) fn notes(found: &Alignment, start: &Start) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(handed) = found.handed.filter(|handed| handed.hand == Hand::Unclear) {
        notes.push(format!(
            "cannot tell left from right: the mesh and its mirror image fit alike (ratio {:.3}, {:.1} standard errors)",
            handed.ratio, handed.standard_errors
        ));
    }
    if (OUTWARDS.0..OUTWARDS.1).contains(&found.outwards_share) && found.inlier_share > 0.0 {
        notes.push(format!("the mesh is wound both ways: {:.0} % of it faces outwards", 100.0 * found.outwards_share));
    }
    if let Some(thick_mm) = found.p95_thick_residual_mm {
        notes.push(format!(
            "the scan does not show thin bone of the mesh: 95th percentile of the distances to bone {:.2} mm, {thick_mm:.2} \
             mm without bone thinner than {THIN_MM} mm",
            found.p95_residual_mm
        ));
    }
    if *start == Start::Auto && near_half_turn(&found.world_from_mesh.rotation) {
        notes.push("the motion is nearly a half turn about z: the mesh may be in RAS, read as LPS".to_owned());
    }
    notes
}

/// Returns what to say when a given start fails and a search does not.
pub(super) fn wrong_start(model: &Model, given: &Rigid, found: &Alignment) -> String {
    let relative = found.world_from_mesh.after(&given.inverse());
    let slip = if near_half_turn(&relative.rotation) { "; half a turn about z: RAS read as LPS?" } else { "" };
    format!(
        "the start is wrong: a search finds a place {:.0} mm and {:.0} degrees away with a median of {:.2} mm{slip}",
        model.apart_mm(given, &found.world_from_mesh),
        angle_deg(&relative.rotation),
        found.median_residual_mm
    )
}

fn near_half_turn(rotation: &DMat3) -> bool {
    angle_deg(&(*rotation * DMat3::from_diagonal(DVec3::new(-1.0, -1.0, 1.0)))) < HALF_TURN_DEG
}

fn angle_deg(rotation: &DMat3) -> f64 {
    let w = DQuat::from_mat3(rotation).normalize().w.abs().min(1.0);
    2.0 * libm::acos(w) * 180.0 / std::f64::consts::PI
}
