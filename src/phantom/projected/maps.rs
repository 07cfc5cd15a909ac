//! From the scene to maps of materials: mean densities over small voxels as thick as the slice.

use super::{material::Tissue, slice::Map};
use crate::{
    phantom::{
        body::{Body, Sample},
        metal::METAL_HU,
    },
    space::{DVec3, Grid},
};

/// Pixels along the edge of the block that is first asked for one density.
const BLOCK: usize = 32;
/// Most cubes that a voxel is cut into across the slice.
const MOST_CUBES: usize = 8;
/// Distance between sample points that is fine enough about metal, mm, and most of them across a slice.
const POINT_SPACING_MM: f64 = 1.0;
const MOST_POINTS: usize = 4;

/// Densities at a point, g/cm³: water, cortical bone, iron.
type Densities = [f64; 3];

/// Returns the maps of slice `z` of a grid of small voxels, which are means over the slice's thickness.
pub(super) fn maps(body: &dyn Body, grid: &Grid, thickness_mm: f64, z: usize) -> [Map; 3] {
    let mut painter = Painter::new(body, grid, thickness_mm, z);
    let side = grid.size[0];
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

impl<'a> Painter<'a> {
    fn new(body: &'a dyn Body, grid: &'a Grid, thickness_mm: f64, z: usize) -> Self {
        let pixels = grid.size[0] * grid.size[0];
        let planes = std::array::from_fn(|_| vec![0.0; pixels]);
        Self { body, grid, thickness_mm, z, tissue: Tissue::new(), planes }
    }

    /// Fills a block: at once when no boundary is near, else its quarters.
    fn fill(&mut self, x: usize, y: usize, edge: usize) {
        let side = self.grid.size[0];
        if x >= side || y >= side {
            return;
        }
        if edge == 1 {
            let densities = self.pixel(x, y);
            for (plane, value) in self.planes.iter_mut().zip(densities) {
                plane[y * side + x] = value as f32;
            }
            return;
        }
        let half = 0.5 * (edge as f64 - 1.0);
        let middle = DVec3::new(x as f64 + half, y as f64 + half, self.z as f64);
        let sample = self.body.sample(self.world(middle));
        if sample.clear_mm > self.reach_mm(edge) {
            let densities = self.densities(middle, sample.hu);
            for row in y..(y + edge).min(side) {
                for (plane, value) in self.planes.iter_mut().zip(densities) {
                    plane[row * side + x..row * side + (x + edge).min(side)].fill(value as f32);
                }
            }
        } else {
            let half = edge / 2;
            for (right, down) in [(0, 0), (half, 0), (0, half), (half, half)] {
                self.fill(x + right, y + down, half);
            }
        }
    }

    /// Returns the densities of one pixel: with none but soft tissues near, those of its middle; else the mean over it.
    fn pixel(&self, x: usize, y: usize) -> Densities {
        let middle = DVec3::new(x as f64, y as f64, self.z as f64);
        let sample = self.body.sample(self.world(middle));
        let reach_mm = self.reach_mm(1);
        if sample.even_mm > reach_mm {
            self.densities(middle, sample.hu)
        } else if self.body.is_metal_near(self.world(middle), reach_mm) {
            self.average_of_points(middle)
        } else {
            self.average_of_cubes(middle, sample)
        }
    }

    /// Returns the mean over a voxel, cut into cubes, or what comes nearest to them; `middle` is what its middle holds.
    fn average_of_cubes(&self, index: DVec3, middle: Sample) -> Densities {
        let pixel_mm = self.grid.spacing_mm.x;
        let count = ((self.thickness_mm / pixel_mm).round() as usize).clamp(1, MOST_CUBES);
        let height_mm = self.thickness_mm / count as f64;
        // A box and a cube whose projections vary alike in the mean over all directions.
        let edge_mm = ((2.0 * pixel_mm * pixel_mm + height_mm * height_mm) / 3.0).sqrt();
        let [mut water, mut bone] = [0.0; 2];
        let mut add = |share: f64, hu: f64| {
            let densities = self.tissue.densities(hu);
            water += share * densities[0];
            bone += share * densities[1];
        };
        for level in 0..count {
            let up_mm = (level as f64 + 0.5) * height_mm - 0.5 * self.thickness_mm;
            // Nothing but soft tissues from the middle to the far corners of this cube.
            let corner_mm = DVec3::new(0.5 * pixel_mm, 0.5 * pixel_mm, up_mm.abs() + 0.5 * height_mm);
            if middle.even_mm > corner_mm.length() {
                add(1.0, middle.hu);
                continue;
            }
            self.body.mix(self.world(index + DVec3::Z * (up_mm / self.grid.spacing_mm.z)), edge_mm, &mut add);
        }
        [water / count as f64, bone / count as f64, 0.0]
    }

    /// Returns the mean over a voxel by points, 2 x 2 columns with heights of their own: wires are thinner than cubes.
    fn average_of_points(&self, index: DVec3) -> Densities {
        let heights = ((self.thickness_mm / POINT_SPACING_MM).ceil() as usize).clamp(2, MOST_POINTS);
        let count = 4 * heights;
        let mut sum = [0.0; 3];
        for i in 0..count {
            let (column, level) = (i % 4, i / 4);
            let across = DVec3::new((column % 2) as f64 - 0.5, (column / 2) as f64 - 0.5, 0.0) * 0.5;
            let up = (level as f64 + (column as f64 + 0.5) / 4.0) / heights as f64 - 0.5;
            let at = index + across + DVec3::Z * (up * self.thickness_mm / self.grid.spacing_mm.z);
            for (total, part) in sum.iter_mut().zip(self.densities(at, self.body.sample(self.world(at)).hu)) {
                *total += part;
            }
        }
        sum.map(|total| total / count as f64)
    }

    /// Returns how far the corners of a block are from its middle, mm.
    fn reach_mm(&self, edge: usize) -> f64 {
        let block = DVec3::new(self.grid.spacing_mm.x, self.grid.spacing_mm.y, 0.0) * edge as f64;
        0.5 * (block + DVec3::Z * self.thickness_mm).length()
    }

    fn world(&self, index: DVec3) -> DVec3 {
        self.grid.world_from_voxel().transform_point3(index)
    }

    /// Returns the densities of what is at a place.
    fn densities(&self, index: DVec3, hu: f64) -> Densities {
        if hu >= METAL_HU {
            return [0.0, 0.0, self.body.iron_g_cm3(self.world(index))];
        }
        let [water, bone] = self.tissue.densities(hu);
        [water, bone, 0.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        numeric::Seed,
        phantom::{AnatomyKind, DefectKind, PhantomParams, draw_scene, scene::Scene},
        space::DMat3,
    };

    fn head(case: u64) -> Scene {
        let params =
            PhantomParams { anatomy: AnatomyKind::Detailed, defect: DefectKind::Surgical, ..Default::default() };
        draw_scene(Seed::derive(2019, "phantom", &format!("p{case:02}"), 0), 300.0, &params)
    }

    fn around(scene: &Scene, side: usize, spacing_mm: f64) -> Grid {
        let half = 0.5 * (side - 1) as f64 * spacing_mm;
        let low = scene.world_from_head.translation_mm - DVec3::new(half, half, 95.0);
        Grid::new([side, side, 7], low, DVec3::new(spacing_mm, spacing_mm, 25.0), DMat3::IDENTITY).unwrap()
    }

    #[test]
    fn blocks_have_the_bits_that_each_of_their_pixels_has() {
        for case in [16, 18] {
            let scene = head(case);
            let grid = around(&scene, 125, 2.0);
            for z in 0..7 {
                let fast = maps(&scene, &grid, 5.0, z);
                let plain = Painter::new(&scene, &grid, 5.0, z);
                for (y, x) in (0..125).flat_map(|y| (0..125).map(move |x| (y, x))) {
                    let one = plain.pixel(x, y).map(|density| density as f32);
                    assert_eq!(fast.each_ref().map(|map| map.at(x, y)), one, "case {case}, slice {z}, {x} {y}");
                }
            }
        }
    }

    #[test]
    fn cubes_hold_what_a_thousand_points_find() {
        let scene = head(16);
        let grid = around(&scene, 167, 1.25);
        let (mut squares, mut old, mut bias, mut count) = (0.0, 0.0, 0.0, 0);
        let bone = |densities: Densities| densities[1];
        for z in 0..7 {
            let painter = Painter::new(&scene, &grid, 5.0, z);
            for i in (0..167 * 167).step_by(37) {
                let index = DVec3::new(f64::from(i % 167), f64::from(i / 167), z as f64);
                let world = painter.world(index);
                if painter.body.is_metal_near(world, 3.0) || painter.body.sample(world).even_mm > 2.7 {
                    continue;
                }
                let lattice = |k: usize, n: usize| (k as f64 + 0.5) / n as f64 - 0.5;
                let points = (0..8 * 8 * 16).map(|k| {
                    let away = DVec3::new(lattice(k % 8, 8), lattice(k / 8 % 8, 8), lattice(k / 64, 16) * 0.2);
                    bone(painter.densities(index, painter.body.sample(painter.world(index + away)).hu))
                });
                let truth = points.sum::<f64>() / 1024.0;
                let off = bone(painter.average_of_cubes(index, painter.body.sample(world))) - truth;
                let off_by_points = bone(painter.average_of_points(index)) - truth;
                (squares, old, bias, count) =
                    (squares + off * off, old + off_by_points * off_by_points, bias + off, count + 1);
            }
        }
        let [cubes, points] = [squares, old].map(|sum: f64| (sum / f64::from(count)).sqrt());
        println!(
            "bone in {count} voxels: off by {cubes:.4} g/cm3, 16 points by {points:.4}; mean {:.5}",
            bias / f64::from(count)
        );
        assert!(count > 500 && cubes < 0.08 && (bias / f64::from(count)).abs() < 0.01);
    }
}
