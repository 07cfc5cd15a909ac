//! The largest distance of a surface to another, found by narrowing down.
//!
//! The distance to one triangle is convex, so over a piece it is largest at a corner; the distance to the surface is at
//! most that. Pieces that could be farther than the best so far are cut in four until none is left.

use rayon::prelude::*;

use super::{
    distances::{Measured, Part, Reading, Target},
    quadrature,
    region::{Bits, Regions},
};
use crate::{
    mesh::{Mesh, bvh::closest_on_triangle},
    space::DVec3,
};

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

/// Returns the largest distance within each of some regions; nothing where no sample lies.
pub(super) fn farthest(
    mesh: &Mesh,
    measured: &Measured,
    target: &Target<'_>,
    regions: &Regions<'_>,
    wanted: &[Bits],
) -> Vec<Option<Farthest>> {
    let bests = bests_mm(mesh, measured, regions, wanted);
    // The regions overlap: what may be farther in any of them is looked at once.
    let in_which = |at_most_mm: f64, maybe: Bits| {
        let open = |(&region, best_mm): (&Bits, &Option<f64>)| {
            if best_mm.is_some_and(|best_mm| may_be_farther(at_most_mm, best_mm)) { region & maybe } else { 0 }
        };
        wanted.iter().zip(&bests).map(open).fold(0, |all, region| all | region)
    };
    let mut triangles: Vec<(u32, Bits)> = measured
        .samples
        .par_iter()
        .map(|s| (s.triangle, in_which(f64::from(s.at_most_mm), s.maybe)))
        .filter(|&(_, which)| which != 0)
        .collect();
    triangles.sort_unstable_by_key(|&(triangle, _)| triangle);
    triangles.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 |= if same { next.1 } else { 0 };
        same
    });
    let enough_mm = bests.iter().flatten().fold(f64::INFINITY, |least, &best_mm| least.min(best_mm)) + CLOSE_MM;
    let limited = |&(triangle, which): &(u32, Bits)| {
        let [a, b, c] = mesh.triangles[triangle as usize].map(|v| measured.vertices[v as usize]);
        let part = Part { piece: quadrature::whole(mesh, triangle as usize)?, readings: [a?, b?, c?], triangle };
        let at_most_mm = at_most_mm(&part, target, enough_mm);
        let which = in_which(at_most_mm, which);
        (which != 0).then_some((part, at_most_mm, which))
    };
    let open: Vec<(Part, f64, Bits)> = triangles.par_iter().filter_map(limited).collect();
    let narrowed = |(&region, best_mm): (&Bits, &Option<f64>)| {
        let here = open.iter().filter(|(_, _, which)| which & region != 0);
        let open = here.map(|&(part, at_most_mm, _)| (part, at_most_mm)).collect();
        best_mm.map(|best_mm| narrow(open, best_mm, target, regions, region))
    };
    wanted.par_iter().zip(&bests).map(narrowed).collect()
}

fn may_be_farther(at_most_mm: f64, best_mm: f64) -> bool {
    at_most_mm > best_mm + CLOSE_MM
}

/// Returns the largest distance that was measured within each of some regions; nothing where no sample lies.
fn bests_mm(mesh: &Mesh, measured: &Measured, regions: &Regions<'_>, wanted: &[Bits]) -> Vec<Option<f64>> {
    let none = || vec![None; wanted.len()];
    let join = |mut one: Vec<Option<f64>>, other: Vec<Option<f64>>| {
        one.iter_mut().zip(other).for_each(|(one, other)| *one = larger(*one, other));
        one
    };
    // All regions in one pass: the samples take long to read.
    let of_samples = measured.samples.par_chunks(4096).map(|samples| {
        let mut bests = none();
        for sample in samples {
            for (best, _) in bests.iter_mut().zip(wanted).filter(|(_, region)| sample.at & **region != 0) {
                *best = larger(*best, Some(sample.distance_mm.abs()));
            }
        }
        bests
    });
    let of_samples = of_samples.reduce(none, join);
    let farther = |which: usize, best_mm: f64| {
        let farther = |(p, reading): (&DVec3, &Option<Reading>)| {
            let distance_mm = reading.as_ref()?.distance_mm.abs();
            (distance_mm > best_mm && regions.of(*p) & wanted[which] != 0).then_some(distance_mm)
        };
        mesh.vertices.par_iter().zip(&measured.vertices).filter_map(farther).reduce_with(f64::max)
    };
    let best = |(which, best_mm): (usize, Option<f64>)| larger(best_mm, farther(which, best_mm?));
    of_samples.into_iter().enumerate().map(best).collect()
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    if other > one { other } else { one }
}

/// Cuts the parts that may be farther than the best until none is left.
fn narrow(
    mut open: Vec<(Part, f64)>,
    mut best_mm: f64,
    target: &Target<'_>,
    regions: &Regions<'_>,
    region: Bits,
) -> Farthest {
    // A part that is certain to be no farther goes at once: the best only grows.
    let limited = |part: Part, best_mm: f64| {
        let at_most_mm = at_most_mm(&part, target, best_mm + CLOSE_MM);
        may_be_farther(at_most_mm, best_mm).then_some((part, at_most_mm))
    };
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
    Farthest { distance_mm: best_mm, bound_mm: at_most_mm - best_mm }
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
