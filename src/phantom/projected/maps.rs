//! From the scene to maps of materials: mean densities over small voxels as thick as the slice.

use super::{material::Tissue, slice::Map};
use crate::{
    phantom::{body::Body, metal::METAL_HU},
    space::{DVec3, Grid},
};

/// Pixels along the edge of the block that is first asked for one density.
const BLOCK: usize = 32;
/// Distance between sample points that is fine enough, mm.
const POINT_SPACING_MM: f64 = 1.0;
/// Most sample points across a slice.
const MOST_POINTS: usize = 4;

/// Densities at a point, g/cm³: water, cortical bone, iron.
type Densities = [f64; 3];

/// Returns the maps of slice `z` of a grid of small voxels, which are means over the slice's thickness.
pub(super) fn maps(body: &dyn Body, grid: &Grid, thickness_mm: f64, z: usize) -> [Map; 3] {
    let side = grid.size[0];
    let mut painter = Painter { body, grid, thickness_mm, z, tissue: Tissue::new(), planes: [const { Vec::new() }; 3] };
    painter.planes = std::array::from_fn(|_| vec![0.0; side * side]);
    for y in (0..side).step_by(BLOCK) {
        for x in (0..side).step_by(BLOCK) {
            painter.fill(x, y, BLOCK);
        }
    }
    painter.planes.map(|plane| Map::new(side, plane))
}

struct Painter<'a> {
    body: &'a dyn Body,
    grid: &'a Grid,
    thickness_mm: f64,
    z: usize,
    tissue: Tissue,
    planes: [Vec<f32>; 3],
}

impl Painter<'_> {
    /// Fills a block: at once when no boundary is near, else its quarters. One pixel with none but soft tissues near has the
    /// density of its middle.
    fn fill(&mut self, x: usize, y: usize, edge: usize) {
        let side = self.grid.size[0];
        if x >= side || y >= side {
            return;
        }
        let spacing_mm = self.grid.spacing_mm;
        let half = 0.5 * (edge as f64 - 1.0);
        let middle = DVec3::new(x as f64 + half, y as f64 + half, self.z as f64);
        let sample = self.body.sample(self.grid.world_from_voxel().transform_point3(middle));
        let block_mm = DVec3::new(edge as f64 * spacing_mm.x, edge as f64 * spacing_mm.y, self.thickness_mm);
        let reach = 0.5 * block_mm.length();
        if sample.clear_mm > reach || (edge == 1 && sample.even_mm > reach) {
            let densities = self.densities(middle, sample.hu);
            for row in y..(y + edge).min(side) {
                for (plane, value) in self.planes.iter_mut().zip(densities) {
                    plane[row * side + x..row * side + (x + edge).min(side)].fill(value as f32);
                }
            }
        } else if edge > 1 {
            let half = edge / 2;
            for (right, down) in [(0, 0), (half, 0), (0, half), (half, half)] {
                self.fill(x + right, y + down, half);
            }
        } else {
            let densities = self.average(DVec3::new(x as f64, y as f64, self.z as f64));
            for (plane, value) in self.planes.iter_mut().zip(densities) {
                plane[y * side + x] = value as f32;
            }
        }
    }

    /// Returns the mean over a voxel: 2 x 2 columns, each with heights of its own.
    fn average(&self, index: DVec3) -> Densities {
        let heights = ((self.thickness_mm / POINT_SPACING_MM).ceil() as usize).clamp(2, MOST_POINTS);
        let count = 4 * heights;
        let mut sum = [0.0; 3];
        for i in 0..count {
            let (column, level) = (i % 4, i / 4);
            let across = DVec3::new((column % 2) as f64 - 0.5, (column / 2) as f64 - 0.5, 0.0) * 0.5;
            let up = (level as f64 + (column as f64 + 0.5) / 4.0) / heights as f64 - 0.5;
            let at = index + across + DVec3::Z * (up * self.thickness_mm / self.grid.spacing_mm.z);
            let hu = self.body.sample(self.grid.world_from_voxel().transform_point3(at)).hu;
            for (total, part) in sum.iter_mut().zip(self.densities(at, hu)) {
                *total += part;
            }
        }
        sum.map(|total| total / count as f64)
    }

    /// Returns the densities of what is at a place.
    fn densities(&self, index: DVec3, hu: f64) -> Densities {
        if hu >= METAL_HU {
            let world = self.grid.world_from_voxel().transform_point3(index);
            return [0.0, 0.0, self.body.iron_g_cm3(world)];
        }
        let [water, bone] = self.tissue.densities(hu);
        [water, bone, 0.0]
    }
}
