//! How much of the sky each vertex sees: the soft shading that makes holes and folds readable.

use rayon::prelude::*;

use super::{raster, solid::Solid};
use crate::space::DVec3;

/// Samples along a side of the depth buffer of one direction.
const SIDE: usize = 192;

/// How far behind the buffer a vertex may lie and still count as seen, in samples: the surface's own slope.
const BIAS_SAMPLES: f64 = 2.5;

/// Returns the share of its half sky that each vertex sees, weighted by the cosine to its normal: 0 to 1.
///
/// The mesh is drawn from many directions around it; a vertex is seen from one when nothing is nearer there.
pub(super) fn open_sky(solid: &Solid) -> Vec<f32> {
    let Some((low, high)) = solid.mesh.bounds_mm() else { return Vec::new() };
    let (centre, radius_mm) = (0.5 * (low + high), 0.5 * (high - low).length());
    // Large meshes are drawn from fewer sides: the picture is no larger for them.
    let directions = directions((2_000_000 / solid.mesh.triangles.len().max(1)).clamp(12, 28));
    let seen: Vec<Vec<u8>> = directions.par_iter().map(|&toward| seen_from(solid, toward, centre, radius_mm)).collect();
    let share = |(v, normal): (usize, &DVec3)| {
        let (mut open, mut all) = (0.0, 0.0);
        for (toward, seen) in directions.iter().zip(&seen) {
            let cosine = normal.dot(*toward).max(0.0);
            open += cosine * f64::from(seen[v]) / 4.0;
            all += cosine;
        }
        if all > 0.0 { (open / all) as f32 } else { 1.0 }
    };
    solid.normals.iter().enumerate().map(share).collect()
}

/// Returns points spread evenly over the unit sphere (a spiral by the golden angle).
fn directions(n: usize) -> Vec<DVec3> {
    let golden_angle = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    let point = |i: usize| {
        let z = 1.0 - (2.0 * i as f64 + 1.0) / n as f64;
        let (sine, cosine) = libm::sincos(golden_angle * i as f64);
        let radius = (1.0 - z * z).sqrt();
        DVec3::new(radius * cosine, radius * sine, z)
    };
    (0..n).map(point).collect()
}

/// Returns for each vertex how many of the four samples around it show nothing nearer.
fn seen_from(solid: &Solid, toward: DVec3, centre: DVec3, radius_mm: f64) -> Vec<u8> {
    let right = toward.any_orthonormal_vector();
    let down = toward.cross(right);
    let samples_per_mm = (SIDE as f64 - 4.0) / (2.0 * radius_mm).max(f64::MIN_POSITIVE);
    let bias_mm = BIAS_SAMPLES / samples_per_mm;
    let middle = 0.5 * SIDE as f64;
    let project = |&p: &DVec3| {
        let from = p - centre;
        [middle + from.dot(right) * samples_per_mm, middle + from.dot(down) * samples_per_mm, -from.dot(toward)]
    };
    let projected: Vec<[f64; 3]> = solid.mesh.vertices.iter().map(project).collect();
    let depths = raster::fill(&projected, &solid.mesh.triangles, SIDE, SIDE);
    let seen = |&[x, y, depth]: &[f64; 3]| {
        let (x, y) = ((x as usize).min(SIDE - 2), (y as usize).min(SIDE - 2));
        let around = [x + SIDE * y, x + 1 + SIDE * y, x + SIDE * (y + 1), x + 1 + SIDE * (y + 1)];
        around.iter().filter(|&&at| f64::from(depths.depth[at]) >= depth - bias_mm).count() as u8
    };
    projected.iter().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Mesh;

    #[test]
    fn directions_are_unit_and_balanced() {
        let directions = directions(40);
        assert!(directions.iter().all(|d| (d.length() - 1.0).abs() < 1e-12));
        assert!(directions.iter().sum::<DVec3>().length() < 1.0);
    }

    #[test]
    fn a_lid_hides_what_lies_under_it() {
        let square = |z: f64, half: f64| {
            [(-half, -half), (half, -half), (half, half), (-half, half)].map(|(x, y)| DVec3::new(x, y, z))
        };
        let vertices = square(0.0, 1.0).into_iter().chain(square(3.0, 40.0)).collect();
        let mesh = Mesh { vertices, triangles: vec![[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]] };
        let solid = Solid::new(&mesh);
        let sky = open_sky(&solid);
        let of_given = |v: usize| sky[solid.from_given[v] as usize];
        assert!((0..4).all(|v| of_given(v) < 0.2), "{sky:?}");
        assert!((4..8).all(|v| of_given(v) > 0.98), "{sky:?}");
    }
}
