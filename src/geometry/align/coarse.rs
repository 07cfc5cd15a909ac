//! The scan with voxels averaged in blocks: enough to find the place, and a tenth of the surface to search.

use rayon::prelude::*;

use crate::{space::DMat3, space::DVec3, space::Grid, volume::Volume};

/// Blocks are no larger than this, mm.
const BLOCK_MM: f64 = 1.3;
/// Fewest voxels along an axis.
const FEWEST: usize = 48;

/// Returns the scan averaged over blocks of voxels, or nothing when its voxels are coarse already.
pub(super) fn coarse(ct: &Volume<f32>) -> Option<Volume<f32>> {
    let fit = |mm: f64, n: usize| ((BLOCK_MM / mm) as usize).min(n / FEWEST).max(1);
    let spacing = ct.grid.spacing_mm.to_array();
    let block: [usize; 3] = std::array::from_fn(|axis| fit(spacing[axis], ct.grid.size[axis]));
    if block == [1, 1, 1] {
        return None;
    }
    let size: [usize; 3] = std::array::from_fn(|axis| ct.grid.size[axis] / block[axis]);
    let step = DVec3::from_array(block.map(|n| n as f64));
    let scale = DMat3::from_diagonal(ct.grid.spacing_mm);
    let grid = Grid {
        size,
        origin_mm: ct.grid.origin_mm + ct.grid.direction * (scale * (0.5 * (step - 1.0))),
        spacing_mm: ct.grid.spacing_mm * step,
        direction: ct.grid.direction,
    };
    let share = 1.0 / (block[0] * block[1] * block[2]) as f32;
    let slice = |z: usize| {
        let mut sums = vec![0.0_f32; size[0] * size[1]];
        for from in (z * block[2]..(z + 1) * block[2]).map(|z| ct.slice(z)) {
            for (y, sums) in sums.chunks_exact_mut(size[0]).enumerate() {
                for row in from.chunks_exact(ct.grid.size[0]).skip(y * block[1]).take(block[1]) {
                    for (sum, values) in sums.iter_mut().zip(row.chunks_exact(block[0])) {
                        *sum += values.iter().sum::<f32>();
                    }
                }
            }
        }
        sums.iter_mut().for_each(|sum| *sum *= share);
        sums
    };
    let slices: Vec<Vec<f32>> = (0..size[2]).into_par_iter().map(slice).collect();
    Some(Volume { grid, data: slices.concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_averaged_where_they_stand() {
        let grid = Grid {
            origin_mm: DVec3::new(5.0, -3.0, 100.0),
            ..Grid::aligned([101, 200, 50], DVec3::new(0.6, 0.4, 1.0))
        };
        let mut ct = Volume::filled(grid, 0.0_f32);
        for z in 0..50 {
            for y in 0..200 {
                for x in 0..101 {
                    let at = grid.index(x, y, z);
                    ct.data[at] = grid.world(x, y, z).dot(DVec3::new(1.0, 2.0, 3.0)) as f32;
                }
            }
        }
        let found = coarse(&ct).unwrap();
        assert_eq!(found.grid.size, [50, 66, 50]);
        for at in [[0, 0, 0], [49, 65, 49], [7, 11, 3]] {
            // The mean of a linear function is its value in the middle.
            let expected = found.grid.world(at[0], at[1], at[2]).dot(DVec3::new(1.0, 2.0, 3.0));
            assert!((f64::from(found.at(at[0], at[1], at[2])) - expected).abs() < 1e-2);
        }
        assert!(coarse(&Volume::filled(Grid::aligned([96, 96, 32], DVec3::new(2.0, 2.0, 5.0)), 0.0)).is_none());
    }
}
