//! The distance from every piece of one surface to another surface.
//!
//! Between the corners of a piece, where the distance is measured, it is taken as linear; one more measurement at a random
//! place of the piece corrects that. The mean over the piece of (linear) + (distance - linear at a random place) is the
//! true one whatever the distance does, and no randomness is left where the distance is linear. Many small pieces average
//! the corrections out, and how far they may still be off is known (see [`super::certainty`]).
//!
//! Surfaces of few triangles (models from a drawing program, test shapes) are cut further where the corrections are large,
//! each round with new random places, so that no choice depends on what it is judged by.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::{
    certainty::Spread,
    lists::Lists,
    quadrature::{self, BEND, MOST_HALVINGS, Piece},
    region::{Bits, Regions},
    side::Sides,
};
use crate::{
    mesh::{
        Mesh,
        bvh::{Bvh, Near},
    },
    space::DVec3,
};

/// Triangles or pieces that share a counter of random places.
const CHUNK: usize = 1024;
/// Chunks that one task measures together: neighbours in space are searched for at once.
const RUN: usize = 32;
/// The error of a mean that is promised, mm: surfaces are cut until the bound is below.
const PROMISED_MM: f64 = 1e-3;
/// The scatter of a mean that is aimed at where it costs little, mm.
const AIM_MM: f64 = 1e-6;
/// Most pieces that the aim, and that the promise, may lead to.
const CHEAP_PIECES: usize = 1 << 18;
const MOST_PIECES: usize = 1 << 22;
/// Most rounds of cutting.
const ROUNDS: u64 = 16;

/// One piece of the measured surface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Area of the piece, mm².
    pub(super) area_mm2: f64,
    /// Distance at the random place; negative inside the other surface when sides are asked for.
    pub(super) distance_mm: f64,
    /// Unbiased estimate of the mean distance of the piece, without sign.
    pub(super) mean_mm: f64,
    /// Unbiased estimate of the mean signed distance of the piece.
    pub(super) signed_mm: f64,
    /// Distance at the random place less that of the linear function between the corners.
    pub(super) residual_mm: f32,
    /// Largest size that the residual could have had.
    pub(super) bend_mm: f32,
    /// Limits of the distance anywhere on the piece.
    pub(super) at_least_mm: f32,
    pub(super) at_most_mm: f32,
    /// Triangle of the measured mesh.
    pub(super) triangle: u32,
    /// Regions that hold the random place; the whole piece; perhaps some of it.
    pub(super) at: Bits,
    pub(super) wholly: Bits,
    pub(super) maybe: Bits,
}

/// A measured point: signed distance and the triangle that is nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) distance_mm: f64,
    pub(super) nearest: u32,
}

/// The surface that distances are measured to.
pub(super) struct Target<'a> {
    pub(super) bvh: &'a Bvh,
    pub(super) sides: Option<&'a Sides<'a>>,
}

impl Target<'_> {
    /// Returns the distance of a point, faster when `near` is the triangle nearest to a point close by.
    pub(super) fn read(&self, point: DVec3, near: Option<u32>) -> Option<Reading> {
        let hit = self.bvh.closest_from(point, near.map(|triangle| triangle as usize))?;
        Some(self.reading(point, Near { distance_mm: hit.distance_mm, triangle: hit.triangle as u32 }))
    }

    /// Returns the distance of each point.
    fn read_each(&self, points: &[DVec3]) -> Vec<Option<Reading>> {
        let found = self.bvh.closest_each(points);
        found.into_iter().zip(points).map(|(near, &point)| Some(self.reading(point, near?))).collect()
    }

    fn reading(&self, point: DVec3, near: Near) -> Reading {
        let sign = match self.sides {
            Some(sides) if !sides.is_outside(point, near.triangle as usize) => -1.0,
            _ => 1.0,
        };
        Reading { distance_mm: near.distance_mm * sign, nearest: near.triangle }
    }
}

/// A piece whose corners have been measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) piece: Piece,
    pub(super) readings: [Reading; 3],
    pub(super) triangle: u32,
}

impl Part {
    /// Calls `give` with parts whose area times longest edge is at most `largest_mm3`, by halving the longest edge: slivers
    /// stay few.
    fn halve(&self, target: &Target<'_>, largest_mm3: f64, left: u32, give: &mut impl FnMut(Self)) {
        let (i, length_mm) = self.piece.longest();
        if left == 0 || self.piece.area_mm2() * length_mm <= largest_mm3 {
            return give(*self);
        }
        let order = [i, (i + 1) % 3, (i + 2) % 3];
        let ([from, to, apex], [at_from, at_to, at_apex]) =
            (order.map(|k| self.piece.corners[k]), order.map(|k| self.readings[k]));
        let middle = 0.5 * (from + to);
        let Some(at_middle) = target.read(middle, Some(at_from.nearest)) else { return };
        let halves =
            [([from, middle, apex], [at_from, at_middle, at_apex]), ([middle, to, apex], [at_middle, at_to, at_apex])];
        for (corners, readings) in halves {
            Self { piece: Piece { corners }, readings, ..*self }.halve(target, largest_mm3, left - 1, give);
        }
    }

    /// Returns the four parts by the middles of the edges.
    pub(super) fn quarters(&self, target: &Target<'_>) -> Option<[Self; 4]> {
        let ([a, b, c], [ab, bc, ca]) = (self.piece.corners, self.piece.middles());
        let [ra, rb, rc] = self.readings;
        let read = |p, near: Reading| target.read(p, Some(near.nearest));
        let (rab, rbc, rca) = (read(ab, ra)?, read(bc, rb)?, read(ca, rc)?);
        let part = |corners, readings| Self { piece: Piece { corners }, readings, ..*self };
        Some([
            part([a, ab, ca], [ra, rab, rca]),
            part([ab, b, bc], [rab, rb, rbc]),
            part([ca, bc, c], [rca, rbc, rc]),
            part([bc, ca, ab], [rbc, rca, rab]),
        ])
    }

    /// Returns the limits of the distance on the part that follow from its corners.
    pub(super) fn limits_mm(&self) -> (f64, f64) {
        let bend_mm = BEND * self.piece.longest().1;
        let [a, b, c] = self.readings.map(|reading| reading.distance_mm.abs());
        ((a.min(b).min(c) - bend_mm).max(0.0), a.max(b).max(c) + bend_mm)
    }

    /// Returns the point with these barycentric coordinates.
    fn point(&self, shares: [f64; 3]) -> DVec3 {
        let [a, b, c] = self.piece.corners;
        a + (b - a) * shares[1] + (c - a) * shares[2]
    }

    /// Returns the sample of a part that was measured at one place more.
    fn sample(&self, shares: [f64; 3], point: DVec3, distance_mm: f64, regions: &Regions<'_>) -> Sample {
        let weigh = |of: [f64; 3]| shares[0] * of[0] + shares[1] * of[1] + shares[2] * of[2];
        let (signed, plain) = (self.readings.map(|r| r.distance_mm), self.readings.map(|r| r.distance_mm.abs()));
        let residual_mm = distance_mm.abs() - weigh(plain);
        let held = regions.of_piece(&self.piece, point);
        let (at_least_mm, at_most_mm) = self.limits_mm();
        Sample {
            area_mm2: self.piece.area_mm2(),
            distance_mm,
            mean_mm: plain.iter().sum::<f64>() / 3.0 + residual_mm,
            signed_mm: signed.iter().sum::<f64>() / 3.0 + distance_mm - weigh(signed),
            residual_mm: residual_mm as f32,
            bend_mm: (BEND * self.piece.longest().1) as f32,
            at_least_mm: (at_least_mm as f32).next_down(),
            at_most_mm: (at_most_mm as f32).next_up(),
            triangle: self.triangle,
            at: held.at,
            wholly: held.wholly,
            maybe: held.maybe,
        }
    }
}

/// Measures each part at a random place of its own; each comes with what the place depends on.
fn draw(parts: &[(Part, u64)], target: &Target<'_>, regions: &Regions<'_>) -> Vec<Sample> {
    let shares: Vec<[f64; 3]> = parts.iter().map(|&(_, key)| random_place(key)).collect();
    let points: Vec<DVec3> = parts.iter().zip(&shares).map(|((part, _), &shares)| part.point(shares)).collect();
    let readings = target.read_each(&points);
    let places = shares.into_iter().zip(points).zip(readings);
    let sample = |((part, _), ((shares, point), reading)): (&(Part, _), ((_, _), Option<Reading>))| {
        Some(part.sample(shares, point, reading?.distance_mm, regions))
    };
    let mut samples = Vec::with_capacity(parts.len());
    samples.extend(parts.iter().zip(places).filter_map(sample));
    samples
}

/// Returns barycentric coordinates, uniform over the triangle, that depend on the key alone.
fn random_place(key: u64) -> [f64; 3] {
    // SplitMix64 (Steele, Lea and Flood 2014): 2 x 32 bits of one mixed counter.
    let mut bits = key.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    let unit = |bits: u64| ((bits & 0xFFFF_FFFF) as f64 + 0.5) / 4_294_967_296.0;
    let (u, v) = (unit(bits), unit(bits >> 32));
    let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
    [1.0 - u - v, u, v]
}

/// The measurements of one surface.
pub(super) struct Measured {
    /// One a vertex; nothing at vertices that no triangle with area uses.
    pub(super) vertices: Vec<Option<Reading>>,
    /// In an order that depends on the meshes alone.
    pub(super) samples: Lists<Sample>,
}

/// Measures a surface; no samples when either surface has no area.
pub(super) fn measure(mesh: &Mesh, target: &Target<'_>, regions: &Regions<'_>) -> Measured {
    let area_mm2 = quadrature::area_mm2(mesh);
    let vertices = at_vertices(mesh, target);
    let pieces = Pieces { mesh, vertices: &vertices, target, largest_mm3: quadrature::largest_mm3(area_mm2) };
    let runs = mesh.triangles.len().div_ceil(RUN * CHUNK);
    if mesh.triangles.len() > CHEAP_PIECES {
        let drawn: Vec<Vec<Sample>> =
            (0..runs).into_par_iter().map(|run| draw(&pieces.run(run), target, regions)).collect();
        let samples = Lists::new(drawn);
        if error_mm(&samples, area_mm2) <= PROMISED_MM || samples.len() > MOST_PIECES / 4 {
            return Measured { vertices, samples };
        }
    }
    let whole = |run| pieces.run(run).into_iter().map(|(part, _)| part).collect::<Vec<_>>();
    let mut all: Vec<Part> = (0..runs).into_par_iter().map(whole).collect::<Vec<_>>().concat();
    for round in 1..ROUNDS {
        let keyed = |run: usize, parts: &[Part]| {
            let key = |at: usize| place_key(round, run * RUN + at / CHUNK, at % CHUNK);
            parts.iter().enumerate().map(|(at, part)| (*part, key(at))).collect::<Vec<_>>()
        };
        let drawn: Vec<Vec<Sample>> = all
            .par_chunks(RUN * CHUNK)
            .enumerate()
            .map(|(run, parts)| draw(&keyed(run, parts), target, regions))
            .collect();
        let samples = Lists::new(drawn);
        let most = if error_mm(&samples, area_mm2) > PROMISED_MM { MOST_PIECES } else { CHEAP_PIECES };
        // Every sample stands for the part at its place: a reading can only fail for a tree without triangles.
        let rough = if samples.len() == all.len() { rough(&samples, area_mm2) } else { Vec::new() };
        let added = 3 * rough.iter().filter(|&&rough| rough).count();
        if added == 0 || all.len() + added > most || round + 1 == ROUNDS {
            return Measured { vertices, samples };
        }
        all = cut(&all, &rough, target);
    }
    Measured { vertices, samples: Lists::new(Vec::new()) }
}

/// Returns what the random place of a part depends on: the round, the chunk, its number in the chunk.
const fn place_key(round: u64, chunk: usize, at: usize) -> u64 {
    round << 58 | (chunk as u64) << 26 | at as u64
}

/// The triangles of a surface as parts that are small enough.
struct Pieces<'a> {
    mesh: &'a Mesh,
    vertices: &'a [Option<Reading>],
    target: &'a Target<'a>,
    largest_mm3: f64,
}

impl Pieces<'_> {
    /// Returns the parts of a run of chunks, with the keys of round 0.
    fn run(&self, run: usize) -> Vec<(Part, u64)> {
        let mut parts = Vec::with_capacity(RUN * CHUNK);
        for chunk in run * RUN..(run + 1) * RUN {
            let first = parts.len();
            for triangle in chunk * CHUNK..self.mesh.triangles.len().min((chunk + 1) * CHUNK) {
                let Some(part) = whole(self.mesh, self.vertices, triangle) else { continue };
                part.halve(self.target, self.largest_mm3, MOST_HALVINGS, &mut |part| {
                    parts.push((part, place_key(0, chunk, parts.len() - first)));
                });
            }
        }
        parts
    }
}

fn cut(parts: &[Part], rough: &[bool], target: &Target<'_>) -> Vec<Part> {
    let cut = |(parts, rough): (&[Part], &[bool])| {
        let mut finer = Vec::with_capacity(2 * CHUNK);
        for (part, &rough) in parts.iter().zip(rough) {
            match if rough { part.quarters(target) } else { None } {
                Some(quarters) => finer.extend(quarters),
                None => finer.push(*part),
            }
        }
        finer
    };
    parts.par_chunks(CHUNK).zip(rough.par_chunks(CHUNK)).map(cut).collect::<Vec<_>>().concat()
}

/// Returns which pieces add more than their part to the scatter that is aimed at.
fn rough(samples: &Lists<Sample>, area_mm2: f64) -> Vec<bool> {
    let limit = AIM_MM * area_mm2 / (samples.len() as f64).sqrt();
    samples.iter().map(|s| s.area_mm2 * f64::from(s.residual_mm).abs() > limit).collect()
}

/// Returns how far the mean over the whole surface may be from the true one, mm.
fn error_mm(samples: &Lists<Sample>, area_mm2: f64) -> f64 {
    let add = |mut spread: Spread, s: &Sample| {
        spread.add(s.area_mm2 * f64::from(s.residual_mm), s.area_mm2 * f64::from(s.bend_mm));
        spread
    };
    let chunks: Vec<Spread> = samples.par_chunks(4096).map(|chunk| chunk.fold(Spread::default(), add)).collect();
    chunks.into_iter().fold(Spread::default(), Spread::join).error() / area_mm2
}

fn whole(mesh: &Mesh, vertices: &[Option<Reading>], triangle: usize) -> Option<Part> {
    let piece = quadrature::whole(mesh, triangle)?;
    let [a, b, c] = mesh.triangles[triangle].map(|v| vertices[v as usize]);
    Some(Part { piece, readings: [a?, b?, c?], triangle: triangle as u32 })
}

/// Measures the vertices of triangles with area.
fn at_vertices(mesh: &Mesh, target: &Target<'_>) -> Vec<Option<Reading>> {
    let used: Vec<AtomicBool> = mesh.vertices.iter().map(|_| AtomicBool::new(false)).collect();
    (0..mesh.triangles.len()).into_par_iter().filter(|&t| quadrature::whole(mesh, t).is_some()).for_each(|t| {
        mesh.triangles[t].iter().for_each(|&v| used[v as usize].store(true, Ordering::Relaxed));
    });
    let read = |(vertices, used): (&[DVec3], &[AtomicBool])| {
        let used = || used.iter().map(|used| used.load(Ordering::Relaxed));
        let points: Vec<DVec3> = vertices.iter().zip(used()).filter(|(_, used)| *used).map(|(&p, _)| p).collect();
        let mut readings = target.read_each(&points).into_iter();
        used().map(|used| if used { readings.next().flatten() } else { None }).collect::<Vec<_>>()
    };
    mesh.vertices.par_chunks(RUN * CHUNK).zip(used.par_chunks(RUN * CHUNK)).map(read).collect::<Vec<_>>().concat()
}
