//! The largest distance of a surface to another, found by narrowing down.
//!
//! The distance to one triangle is convex, so over a piece it is largest at a corner; the distance to the surface is at
//! most that. Pieces that could be farther than the best so far are cut in four until none is left.

use rayon::prelude::*;

use super::{
    defect::{Bits, Regions},
    distances::{Measured, Part, Target},
    quadrature,
};
use crate::mesh::{Mesh, bvh::closest_on_triangle};

/// How far the answer may be from the largest distance, mm, unless that takes too many pieces.
const CLOSE_MM: f64 = 1e-4;
/// Most pieces that are looked at, and rounds.
const MOST_PIECES: usize = 1 << 16;
const ROUNDS: usize = 24;

/// The largest distance, and how much larger it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Farthest {
    pub(super) distance_mm: f64,
    pub(super) bound_mm: f64,
}

/// Returns the largest distance within one region; nothing when no sample lies there.
pub(super) fn farthest(
    mesh: &Mesh,
    measured: &Measured,
    target: &Target<'_>,
    regions: &Regions<'_>,
    region: Bits,
) -> Option<Farthest> {
    let inside = measured.samples.iter().filter(|sample| sample.at & region != 0);
    let mut best_mm = inside.map(|sample| sample.distance_mm.abs()).reduce(f64::max)?;
    for (p, reading) in mesh.vertices.iter().zip(&measured.vertices) {
        let Some(reading) = reading.filter(|reading| reading.distance_mm.abs() > best_mm) else { continue };
        if regions.of(*p) & region != 0 {
            best_mm = reading.distance_mm.abs();
        }
    }
    let may_be_farther = |at_most_mm: f64, best_mm: f64| at_most_mm > best_mm + CLOSE_MM;
    let mut triangles: Vec<u32> = measured
        .samples
        .iter()
        .filter(|s| s.maybe & region != 0 && may_be_farther(f64::from(s.at_most_mm), best_mm))
        .map(|s| s.triangle)
        .collect();
    triangles.sort_unstable();
    triangles.dedup();
    let part = |&triangle: &u32| {
        let [a, b, c] = mesh.triangles[triangle as usize].map(|v| measured.vertices[v as usize]);
        Some(Part { piece: quadrature::whole(mesh, triangle as usize)?, readings: [a?, b?, c?], triangle })
    };
    // A part that is certain to be no farther goes at once: the best only grows.
    let limited = |part: Part, best_mm: f64| {
        let at_most_mm = at_most_mm(&part, target, best_mm + CLOSE_MM);
        may_be_farther(at_most_mm, best_mm).then_some((part, at_most_mm))
    };
    let mut open: Vec<(Part, f64)> =
        triangles.par_iter().filter_map(part).filter_map(|part| limited(part, best_mm)).collect();
    let mut looked_at = 0;
    for _ in 0..ROUNDS {
        looked_at += 4 * open.len();
        if open.is_empty() || looked_at > MOST_PIECES {
            break;
        }
        let quarters: Vec<[Part; 4]> = open.par_iter().filter_map(|(part, _)| part.quarters(target)).collect();
        let here = |part: &Part| regions.of_piece(&part.piece, part.piece.centroid()).maybe & region != 0;
        let quarters: Vec<Part> = quarters.into_iter().flatten().filter(here).collect();
        for part in &quarters {
            for (p, reading) in part.piece.corners.iter().zip(part.readings) {
                if reading.distance_mm.abs() > best_mm && regions.of(*p) & region != 0 {
                    best_mm = reading.distance_mm.abs();
                }
            }
        }
        open = quarters.into_par_iter().filter_map(|part| limited(part, best_mm)).collect();
    }
    let at_most_mm = open.iter().map(|(_, at_most_mm)| *at_most_mm).fold(best_mm + CLOSE_MM, f64::max);
    Some(Farthest { distance_mm: best_mm, bound_mm: at_most_mm - best_mm })
}

/// Returns a distance that no point of the part exceeds: the least that is known, or any that is not above `enough_mm`.
fn at_most_mm(part: &Part, target: &Target<'_>, enough_mm: f64) -> f64 {
    let mut least_mm = part.limits_mm().1;
    for reading in part.readings {
        if least_mm <= enough_mm {
            break;
        }
        let Some(corners) = target.bvh.corners(reading.nearest as usize) else { continue };
        let distance_mm = |p| closest_on_triangle(p, &corners).0.distance(p);
        least_mm = least_mm.min(part.piece.corners.map(distance_mm).into_iter().fold(0.0, f64::max));
    }
    least_mm
}
