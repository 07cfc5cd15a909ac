//! Smoothing of a surface for looks or printing, never before a measurement: it moves the surface on purpose.
//!
//! Both methods are low-pass filters of the vertex positions over the mesh's own connections, so that details vanish and
//! large shapes stay, without the shrinking of plain averaging. With L p = (mean of the neighbours) - p, whose modes have
//! frequencies k in [0, 2]:
//! - Taubin 1995, lambda|mu: p += lambda L p, then p += mu L p, with transfer ((1 - lambda k)(1 - mu k))^N;
//! - windowed sinc, Taubin, Zhang and Golub 1996: a Chebyshev series of the ideal low-pass filter under a Hamming window,
//!   one multiplication with L a term, scaled to leave k = 0 exactly as it is.
//!
//! The rim of an open mesh stays where it is, and so do vertices that the caller holds, such as those of the cap where a
//! scan ends. Topology never changes. The same bytes for any number of threads: each vertex sums its own neighbours in order.

pub(super) mod rings;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{mesh::Mesh, space::DVec3};
use rings::Rings;

/// How to smooth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Two opposed averaging steps an iteration.
    Taubin,
    /// A windowed sinc of as many terms as iterations.
    Sinc,
}

/// Step of Taubin's averaging; 0.5 damps the highest frequency, k = 2, at once.
const LAMBDA: f64 = 0.5;

/// Returns the mesh with smoothed positions.
///
/// `pass_band` in (0, 1) is the frequency k up to which shapes stay: about 0.1 keeps what is wider than ten edges. `held`
/// has one entry a vertex, or is empty. A mesh whose triangles use unknown vertices is returned as it is.
///
/// Cost: `iterations` passes over the mesh (twice that for Taubin).
#[must_use]
pub fn smooth(mesh: &Mesh, method: Method, iterations: u32, pass_band: f64, held: &[bool]) -> Mesh {
    let known = mesh.vertices.len();
    if mesh.triangles.iter().flatten().any(|&v| v as usize >= known) {
        return mesh.clone();
    }
    let rings = Rings::of(mesh);
    let free: Vec<bool> = (0..known)
        .map(|v| !rings.rim[v] && !held.get(v).copied().unwrap_or(false) && !rings.around(v).is_empty())
        .collect();
    let filter = Filter { rings: &rings, free: &free };
    let vertices = match method {
        Method::Taubin => filter.taubin(&mesh.vertices, iterations, pass_band),
        Method::Sinc => filter.sinc(&mesh.vertices, iterations, pass_band),
    };
    Mesh { vertices, triangles: mesh.triangles.clone() }
}

struct Filter<'a> {
    rings: &'a Rings,
    free: &'a [bool],
}

impl Filter<'_> {
    /// Returns L p at every vertex; zero where a vertex is held.
    fn laplacian(&self, points: &[DVec3]) -> Vec<DVec3> {
        (0..points.len())
            .into_par_iter()
            .with_min_len(4096)
            .map(|v| {
                if !self.free[v] {
                    return DVec3::ZERO;
                }
                let around = self.rings.around(v);
                let sum = around.iter().fold(DVec3::ZERO, |sum, &n| sum + (points[n as usize] - points[v]));
                sum / around.len() as f64
            })
            .collect()
    }

    fn taubin(&self, points: &[DVec3], iterations: u32, pass_band: f64) -> Vec<DVec3> {
        // 1 / lambda + 1 / mu is the frequency of transfer 1, which the pass band names
        let mu = 1.0 / (pass_band - 1.0 / LAMBDA);
        let mut points = points.to_vec();
        for step in (0..iterations).flat_map(|_| [LAMBDA, mu]) {
            let change = self.laplacian(&points);
            points.par_iter_mut().zip(&change).for_each(|(p, &change)| *p += step * change);
        }
        points
    }

    /// The series of `c_n T_n(x)` with x = 1 - k / 2, so that x p = p + L p / 2 and `T_(n+1) = 2 x T_n - T_(n-1)`.
    fn sinc(&self, points: &[DVec3], iterations: u32, pass_band: f64) -> Vec<DVec3> {
        let coefficients = coefficients(iterations, pass_band);
        let mut before = points.to_vec();
        let change = self.laplacian(points);
        let mut at: Vec<DVec3> = points.par_iter().zip(&change).map(|(&p, &change)| p + 0.5 * change).collect();
        let mut sum: Vec<DVec3> = points.par_iter().map(|&p| coefficients[0] * p).collect();
        for &coefficient in &coefficients[1..] {
            sum.par_iter_mut().zip(&at).for_each(|(sum, &p)| *sum += coefficient * p);
            let change = self.laplacian(&at);
            // the next term takes the place of the one before the last
            before.par_iter_mut().zip(at.par_iter().zip(&change)).for_each(|(old, (&p, &change))| {
                *old = 2.0 * p + change - *old;
            });
            std::mem::swap(&mut before, &mut at);
        }
        // what is held stays to the bit, not to rounding
        sum.par_iter().zip(points).zip(self.free).map(|((&sum, &p), &free)| if free { sum } else { p }).collect()
    }
}

/// Returns the coefficients of the windowed sinc, of sum 1.
fn coefficients(terms: u32, pass_band: f64) -> Vec<f64> {
    let pi = std::f64::consts::PI;
    let angle = libm::acos(1.0 - pass_band / 2.0);
    let list: Vec<f64> = (0..=terms)
        .map(|n| {
            let window = 0.54 + 0.46 * libm::cos(f64::from(n) * pi / (f64::from(terms) + 1.0));
            let ideal = if n == 0 { angle / pi } else { 2.0 * libm::sin(f64::from(n) * angle) / (f64::from(n) * pi) };
            window * ideal
        })
        .collect();
    let sum: f64 = list.iter().sum();
    list.iter().map(|c| c / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        geometry::surface::{Border, isosurface, on_cap},
        mesh::check::check,
        space::Grid,
        volume::Volume,
    };

    /// A ball of 8 mm as a label: stairs everywhere.
    fn stairs(size: [usize; 3], border: Border) -> (Mesh, Grid) {
        let mut grid = Grid::aligned(size, DVec3::splat(0.5));
        grid.origin_mm = DVec3::splat(-10.0);
        let inside = |i: usize| {
            let [x, y, z] = [i % size[0], i / size[0] % size[1], i / (size[0] * size[1])];
            f32::from(u8::from(grid.world(x, y, z).length() < 8.0))
        };
        let volume = Volume::new(grid, (0..grid.len()).map(inside).collect()).unwrap();
        (isosurface(&volume, 0.5, border), grid)
    }

    /// Spread of the distances from the centre about their mean.
    fn roughness_mm(mesh: &Mesh) -> f64 {
        let count = mesh.vertices.len() as f64;
        let mean = mesh.vertices.iter().map(|p| p.length()).sum::<f64>() / count;
        (mesh.vertices.iter().map(|p| (p.length() - mean).powi(2)).sum::<f64>() / count).sqrt()
    }

    #[test]
    fn stairs_vanish_and_the_ball_keeps_its_volume() {
        let (mesh, _) = stairs([41; 3], Border::Cap);
        for (method, iterations) in [(Method::Taubin, 20), (Method::Sinc, 20), (Method::Sinc, 50)] {
            let smoothed = smooth(&mesh, method, iterations, 0.1, &[]);
            let report = check(&smoothed);
            assert!(report.closed && report.oriented && report.manifold && report.euler == 2);
            let change = smoothed.volume_mm3() / mesh.volume_mm3() - 1.0;
            assert!(change.abs() < 0.015, "{method:?} {iterations}: {change}");
            let (before, after) = (roughness_mm(&mesh), roughness_mm(&smoothed));
            assert!(after < 0.6 * before, "{method:?} {iterations}: {before} to {after} mm");
        }
        assert_eq!(smooth(&mesh, Method::Taubin, 0, 0.1, &[]), mesh);
    }

    #[test]
    fn rims_and_what_is_held_stay_to_the_bit() {
        let (open, _) = stairs([41, 41, 20], Border::Open);
        let (capped, grid) = stairs([41, 41, 20], Border::Cap);
        let cap = on_cap(&capped, &grid);
        let rim = Rings::of(&open).rim;
        assert!(rim.iter().any(|&r| r) && cap.iter().any(|&c| c));
        for method in [Method::Taubin, Method::Sinc] {
            for (mesh, held, stays) in [(&open, &[][..], &rim), (&capped, &cap[..], &cap)] {
                let smoothed = smooth(mesh, method, 15, 0.1, held);
                let moved = |v: usize| smoothed.vertices[v] != mesh.vertices[v];
                assert!((0..mesh.vertices.len()).all(|v| !(stays[v] && moved(v))));
                assert!((0..mesh.vertices.len()).filter(|&v| moved(v)).count() > mesh.vertices.len() / 2);
            }
        }
    }

    #[test]
    fn the_filters_pass_and_stop_what_they_should() {
        let coefficients = coefficients(40, 0.1);
        // T_n(cos a) = cos(n a) with cos a = 1 - k / 2
        let transfer = |k: f64| -> f64 {
            let angle = (1.0 - k / 2.0).acos();
            coefficients.iter().enumerate().map(|(n, c)| c * (n as f64 * angle).cos()).sum()
        };
        assert!((transfer(0.0) - 1.0).abs() < 1e-12);
        assert!((transfer(0.1) - 0.5).abs() < 0.05, "{}: half at the end of the pass band", transfer(0.1));
        assert!((1..=100).all(|i| transfer(0.25 + 0.0175 * f64::from(i)).abs() < 0.01));
    }

    #[test]
    fn threads_do_not_matter() {
        let (mesh, _) = stairs([41; 3], Border::Cap);
        let run = |threads, method| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| smooth(&mesh, method, 7, 0.1, &[]))
        };
        for method in [Method::Taubin, Method::Sinc] {
            assert_eq!(run(1, method), run(7, method));
        }
    }
}
