//! The distance from every piece of one surface to another surface.
//!
//! Surfaces of few triangles (models from a drawing program, test shapes) are cut further where the distance is not
//! linear, until the integral of the distance is settled to about a millionth of a millimetre a unit of area; surfaces
//! of many triangles are already finer than the shapes they describe.

use rayon::prelude::*;

use super::{
    quadrature::{self, Piece},
    side::Sides,
};
use crate::{
    mesh::{
        Mesh,
        bvh::{Bvh, Hit},
    },
    space::DVec3,
};

/// Triangles that one task measures in a row, each starting from the hit before it.
const CHUNK: usize = 1024;
/// Surfaces up to this many triangles are cut where the distance bends.
const FEW_TRIANGLES: usize = 4096;
/// Most samples that this may lead to.
const MOST_SAMPLES: usize = 1 << 19;
/// Error of the integral that is aimed at, mm times area, and the number of pieces that it is shared out to.
const AIM_MM: f64 = 1e-6;
const SHARED_BY: f64 = 16_384.0;

/// One piece of the measured surface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Centroid of the piece, LPS mm.
    pub(super) point: DVec3,
    /// Area of the piece, mm².
    pub(super) area_mm2: f64,
    /// Distance of the centroid to the other surface; negative inside it when sides are asked for.
    pub(super) distance_mm: f64,
    /// Triangle of the measured mesh.
    pub(super) triangle: u32,
}

/// The surface that distances are measured to.
pub(super) struct Target<'a> {
    pub(super) bvh: &'a Bvh,
    pub(super) sides: Option<&'a Sides<'a>>,
}

impl Target<'_> {
    fn sample(&self, piece: &Piece, near: &mut Option<usize>) -> Option<Sample> {
        let point = piece.centroid();
        let hit = self.bvh.closest_from(point, *near)?;
        *near = Some(hit.triangle);
        let distance_mm = hit.distance_mm * self.sign(point, &hit);
        Some(Sample { point, area_mm2: piece.area_mm2(), distance_mm, triangle: piece.triangle })
    }

    fn sign(&self, point: DVec3, hit: &Hit) -> f64 {
        match self.sides {
            Some(sides) if !sides.is_outside(point, hit) => -1.0,
            _ => 1.0,
        }
    }
}

/// Returns the samples of a surface, in an order that depends on the meshes alone; none when either has no area.
pub(super) fn measure(mesh: &Mesh, target: &Target<'_>) -> Vec<Sample> {
    let longest_mm = quadrature::longest_mm(mesh);
    if mesh.triangles.len() <= FEW_TRIANGLES {
        return refine(&quadrature::pieces(mesh, 0..mesh.triangles.len(), longest_mm), target);
    }
    let chunks: Vec<Vec<Sample>> = (0..mesh.triangles.len().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let range = chunk * CHUNK..mesh.triangles.len().min((chunk + 1) * CHUNK);
            let mut near = None;
            quadrature::pieces(mesh, range, longest_mm).iter().filter_map(|p| target.sample(p, &mut near)).collect()
        })
        .collect();
    chunks.concat()
}

/// Cuts pieces into quarters, round by round, while their corners disagree with their middle.
///
/// Three quarters of the centroid's distance and one quarter of the corners' mean are exact to second order; their
/// difference to the centroid alone tells how far the distance is from linear, and it sees every straight kink, which
/// always parts the corners.
fn refine(pieces: &[Piece], target: &Target<'_>) -> Vec<Sample> {
    let area_mm2: f64 = pieces.iter().map(Piece::area_mm2).sum();
    let limit = AIM_MM * area_mm2 / SHARED_BY;
    let mut open: Vec<Judged> = collect(pieces, |piece, near| Judged::new(piece, target, near));
    let mut done = Vec::new();
    while !open.is_empty() {
        let total = done.len() + 4 * open.len();
        let (rough, settled): (Vec<_>, Vec<_>) = open.into_iter().partition(|piece| piece.error > limit);
        done.extend(settled.iter().map(|piece| piece.sample));
        if total > MOST_SAMPLES {
            done.extend(rough.iter().map(|piece| piece.sample));
            break;
        }
        let quarters: Vec<Piece> = rough.iter().flat_map(|piece| piece.piece.quarters()).collect();
        open = collect(&quarters, |piece, near| Judged::new(piece, target, near));
    }
    done
}

/// A piece with its sample, and how wrong the sample may be for the whole piece.
struct Judged {
    piece: Piece,
    sample: Sample,
    /// mm³: distance times area.
    error: f64,
}

impl Judged {
    fn new(piece: &Piece, target: &Target<'_>, near: &mut Option<usize>) -> Option<Self> {
        let sample = target.sample(piece, near)?;
        let mut corners = 0.0;
        for corner in piece.corners {
            corners += target.bvh.closest_from(corner, *near)?.distance_mm / 3.0;
        }
        let middle = sample.distance_mm.abs();
        let error = 0.25 * sample.area_mm2 * (corners - middle).abs();
        let distance_mm = (0.75 * middle + 0.25 * corners).copysign(sample.distance_mm);
        Some(Self { piece: *piece, sample: Sample { distance_mm, ..sample }, error })
    }
}

/// Maps all items in parallel, in order; each task carries the last hit along.
fn collect<T: Sync, U: Send>(items: &[T], map: impl Fn(&T, &mut Option<usize>) -> Option<U> + Sync) -> Vec<U> {
    let chunks: Vec<Vec<U>> = items
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut near = None;
            chunk.iter().filter_map(|item| map(item, &mut near)).collect()
        })
        .collect();
    chunks.into_iter().flatten().collect()
}
