//! Streaks of metal, drawn on the slices that contain it: bright and dark rays that fade with distance.

use super::{scanner::Scanner, scene::Scene};
use crate::space::{DVec3, Grid};

/// Orders of the angular pattern: `cos(m angle + phase)`, summed.
const ORDERS: [u32; 3] = [2, 5, 9];
/// Distance at which a streak has lost half of its height, mm.
const HALF_MM: f64 = 22.0;

/// One source of streaks.
#[derive(Clone, Copy, Debug)]
struct Source {
    at_mm: DVec3,
    /// Half extent along z, mm.
    half_z_mm: f64,
    radius_mm: f64,
    height_hu: f64,
    /// Cosine and sine of the pattern's turn.
    turn: (f64, f64),
}

/// All streaks of a scan.
#[derive(Clone, Debug)]
pub(super) struct Streaks {
    sources: Vec<Source>,
}

impl Streaks {
    /// Returns the streaks of the scene's metal, in the world's axes.
    pub(super) fn of(scene: &Scene, scanner: &Scanner) -> Self {
        let source = |(i, piece): (usize, &super::metal::Piece)| {
            let ends = piece.ends_mm.map(|end| scene.world_from_head.apply(end));
            let turn = f64::from(i as u32 % 7) / 7.0;
            Source {
                at_mm: 0.5 * (ends[0] + ends[1]),
                half_z_mm: 0.5 * (ends[0].z - ends[1].z).abs() + piece.radius_mm,
                radius_mm: piece.radius_mm,
                height_hu: scanner.streak_hu * piece.streak,
                turn: ((1.0 - turn * turn) / (1.0 + turn * turn), 2.0 * turn / (1.0 + turn * turn)),
            }
        };
        Self { sources: scene.metal.pieces.iter().enumerate().map(source).collect() }
    }

    /// Returns what the streaks add to a slice, HU.
    pub(super) fn slice(&self, grid: &Grid, z: usize) -> Vec<f64> {
        let [nx, ny, _] = grid.size;
        let mut added = vec![0.0; nx * ny];
        for source in &self.sources {
            let share = overlap(source, grid.world(0, 0, z).z, grid.spacing_mm.z);
            if share <= 0.0 {
                continue;
            }
            for (i, value) in added.iter_mut().enumerate() {
                let to = grid.world(i % nx, i / nx, z) - source.at_mm;
                *value += share * source.height_hu * pattern(source, to.x, to.y);
            }
        }
        added
    }
}

/// Returns the share of a slice's thickness that the metal fills.
fn overlap(source: &Source, slice_mm: f64, thickness_mm: f64) -> f64 {
    let top = (source.at_mm.z + source.half_z_mm).min(slice_mm + 0.5 * thickness_mm);
    let bottom = (source.at_mm.z - source.half_z_mm).max(slice_mm - 0.5 * thickness_mm);
    ((top - bottom) / thickness_mm.min(2.0 * source.half_z_mm)).max(0.0)
}

/// Returns the height at a place in the plane, from -1 to 1 next to the metal, 0 inside it.
fn pattern(source: &Source, x: f64, y: f64) -> f64 {
    let r = (x * x + y * y).sqrt();
    if r < source.radius_mm {
        return 0.0;
    }
    let (mut c, mut s) = (1.0, 0.0);
    let (cosine, sine) = (x / r * source.turn.0 - y / r * source.turn.1, x / r * source.turn.1 + y / r * source.turn.0);
    let (mut sum, mut order) = (0.0, 0);
    for wanted in ORDERS {
        while order < wanted {
            (c, s) = (c * cosine - s * sine, c * sine + s * cosine);
            order += 1;
        }
        sum += c;
    }
    sum / ORDERS.len() as f64 / (1.0 + r / HALF_MM) * (r / (r + source.radius_mm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streaks_stay_in_the_slices_of_the_metal_and_fade() {
        let at_mm = DVec3::new(10.0, 10.0, 5.0);
        let source = Source { at_mm, half_z_mm: 1.0, radius_mm: 1.0, height_hu: 300.0, turn: (1.0, 0.0) };
        let streaks = Streaks { sources: vec![source] };
        let grid = Grid::aligned([40, 20, 3], DVec3::new(1.0, 1.0, 5.0));
        assert!(streaks.slice(&grid, 0).iter().all(|&hu| hu == 0.0));
        let slice = streaks.slice(&grid, 1);
        let along = |x: usize| slice[x + 40 * 10];
        assert_eq!(along(10), 0.0, "metal keeps its own density");
        // On the axis every cosine is 1.
        let expected = 300.0 / (1.0 + 5.0 / HALF_MM) * (5.0 / 6.0);
        assert!((along(15) - expected).abs() < 1e-9, "{} against {expected}", along(15));
        assert!(along(15) > along(35));
        assert!(slice.iter().any(|&hu| hu < -50.0), "there are dark rays too");
    }
}
