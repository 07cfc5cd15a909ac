//! Triangles on the lattice of ticks: integer coordinates in which every question has an exact answer.
//!
//! The change from world millimetres to voxel coordinates rounds once, and its result is rounded to a tick, 2^-20 voxel:
//! fine beside any scanner, coarse beside the rounding of the change of coordinates, so that a plane through voxel centres
//! in the world goes through them in ticks too. From there on nothing is rounded: what is decided about crossings and
//! centres is decided about exactly these points.

use rayon::prelude::*;

use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::Grid,
};

/// Binary digits of a voxel.
pub(super) const BITS: u32 = 20;
/// Ticks in a voxel.
pub(super) const TICKS: f64 = (1_u64 << BITS) as f64;
/// Furthest coordinate, voxels: products of three differences of ticks then stay within 127 bits, refined grids included.
const FURTHEST: f64 = (1_u64 << 17) as f64;

/// A point in ticks.
pub(super) type Point = [i64; 3];

/// Corners of triangles in ticks. The centre of voxel (x, y, z) is at (x, y, z) * 2^20.
#[derive(Clone, Debug)]
pub(super) struct Soup {
    pub(super) points: Vec<Point>,
    /// Three point numbers a triangle.
    pub(super) triangles: Vec<[u32; 3]>,
}

impl Soup {
    /// Returns the mesh in ticks of the grid.
    ///
    /// # Errors
    /// Unfit when the mesh reaches more than 2^17 voxels away.
    pub(super) fn of(mesh: &Mesh, grid: &Grid) -> Result<Self> {
        let voxel_from_world = grid.voxel_from_world();
        let points: Vec<Point> = mesh
            .vertices
            .par_iter()
            .with_min_len(1 << 14)
            .map(|&p| {
                let voxel = voxel_from_world.transform_point3(p);
                if voxel.abs().max_element() <= FURTHEST { voxel.to_array().map(to_ticks) } else { [i64::MAX; 3] }
            })
            .collect();
        if points.par_iter().any(|p| p[0] == i64::MAX) {
            return Err(Fault::unfit(format!("the mesh reaches more than {FURTHEST} voxels beyond the image"))
                .hint("check the mesh's unit and look for stray vertices"));
        }
        Ok(Self { points, triangles: mesh.triangles.clone() })
    }

    /// Returns the soup on a grid with `factor` (1, 2, 3 or 4) times as many voxels along each axis in the same place.
    pub(super) fn refined(&self, factor: i64) -> Self {
        let shift = ((factor - 1) << BITS) / 2;
        let points = self.points.par_iter().map(|p| p.map(|t| factor * t + shift)).collect();
        Self { points, triangles: self.triangles.clone() }
    }

    pub(super) fn corners(&self, triangle: [u32; 3]) -> [Point; 3] {
        triangle.map(|p| self.points[p as usize])
    }
}

/// Rounds a coordinate, at most 2^17 voxels, to ticks. Adding and taking away 1.5 * 2^52 rounds to an integer, ties to even.
fn to_ticks(voxels: f64) -> i64 {
    const MAGIC: f64 = 1.5 * (1_u64 << 52) as f64;
    ((voxels * TICKS + MAGIC) - MAGIC) as i64
}

/// Returns the smallest voxel index not below a coordinate in ticks.
#[inline]
pub(super) const fn ceil(ticks: i64) -> i64 {
    (ticks + ((1 << BITS) - 1)) >> BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_round_to_even_and_refine_in_place() {
        assert_eq!(to_ticks(1.0), 1 << BITS);
        assert_eq!(to_ticks(-2.5 / TICKS), -2);
        assert_eq!(to_ticks(-0.0), 0);
        assert_eq!([ceil(0), ceil(1), ceil(-1), ceil(1 << BITS), ceil((1 << BITS) + 1)], [0, 1, 0, 1, 2]);
        // the centre of voxel 0 lies between the second and third of four
        let soup = Soup { points: vec![[0, 1 << BITS, -(1 << (BITS - 3))]], triangles: Vec::new() };
        let fine = soup.refined(4).points[0].map(|t| t as f64 / TICKS);
        assert_eq!(fine, [1.5, 5.5, 1.0]);
    }
}
