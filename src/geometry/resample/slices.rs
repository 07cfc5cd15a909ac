//! Parallel slices that may lie unevenly or shifted against each other, and the upright, even grid over them.

use rayon::prelude::*;

use super::affordable;
use crate::{
    fault::Result,
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

/// How far a slice may lie from its place on a regular grid, mm, and as a share of the slice spacing.
const EVEN_MM: f64 = 0.01;
/// See [`EVEN_MM`].
const EVEN_SHARE: f64 = 0.01;
/// How far the last slice may be shifted sideways before the stack counts as tilted, mm.
const UPRIGHT_MM: f64 = 0.1;
/// Parallel slices of one size, anywhere along and across their common normal.
///
/// ```text
///   normal ^      ________        A tilted gantry moves each slice sideways by the same amount; a missing slice
///          |     /_______/        leaves a gap. Neither is a grid until it is resampled.
///          |   /_______/
///          +-> row      (column into the page)
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Slices {
    /// Voxels along a row, and rows.
    pub size: [usize; 2],
    /// Distance between voxels along a row, and between rows, mm.
    pub spacing_mm: [f64; 2],
    /// Unit vector along a row (the column index grows), LPS.
    pub row: DVec3,
    /// Unit vector from row to row, LPS; perpendicular to `row`.
    pub column: DVec3,
    /// Centre of the first voxel of each slice, LPS mm, in rising order along `row x column`. Never empty.
    pub positions_mm: Vec<DVec3>,
    /// Slice spacing to state when there is a single slice, mm.
    pub thickness_mm: f64,
}

/// What the positions of a stack say about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Mean distance between slices along the normal, mm.
    pub mean_mm: f64,
    /// Median distance between neighbours, mm.
    pub median_mm: f64,
    /// Smallest and largest distance between neighbours, mm.
    pub range_mm: [f64; 2],
    /// Largest distance of a slice from its place on the even grid between first and last, mm.
    pub uneven_mm: f64,
    /// Largest sideways shift of a slice against the first, mm.
    pub shift_mm: f64,
    /// Angle between the line of first voxels and the normal, degrees.
    pub tilt_deg: f64,
}

impl Fit {
    /// Returns whether the slices are as far apart as a grid needs.
    #[must_use]
    pub fn even(&self) -> bool {
        self.uneven_mm <= EVEN_MM.max(EVEN_SHARE * self.mean_mm)
    }

    /// Returns whether the slices lie above one another.
    #[must_use]
    pub fn upright(&self) -> bool {
        self.shift_mm <= UPRIGHT_MM
    }
}

impl Slices {
    /// Returns the unit normal, LPS.
    #[must_use]
    pub fn normal(&self) -> DVec3 {
        // Adding 0.0 makes -0 plain.
        self.row.cross(self.column) + 0.0
    }

    fn depth_mm(&self, slice: usize) -> f64 {
        (self.positions_mm[slice] - self.positions_mm[0]).dot(self.normal())
    }

    fn shift_mm(&self, slice: usize) -> [f64; 2] {
        let moved = self.positions_mm[slice] - self.positions_mm[0];
        [moved.dot(self.row), moved.dot(self.column)]
    }

    /// Returns the measures of the stack.
    #[must_use]
    pub fn fit(&self) -> Fit {
        let n = self.positions_mm.len();
        let depths: Vec<f64> = (0..n).map(|i| self.depth_mm(i)).collect();
        let mut steps: Vec<f64> = depths.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_by(f64::total_cmp);
        if steps.is_empty() {
            let step = self.thickness_mm;
            return Fit {
                mean_mm: step,
                median_mm: step,
                range_mm: [step; 2],
                uneven_mm: 0.0,
                shift_mm: 0.0,
                tilt_deg: 0.0,
            };
        }
        let total_mm = depths[n - 1];
        let mean_mm = total_mm / (n - 1) as f64;
        let uneven_mm = depths.iter().enumerate().fold(0.0_f64, |m, (i, d)| m.max((d - mean_mm * i as f64).abs()));
        let length = |[u, v]: [f64; 2]| (u * u + v * v).sqrt();
        let shift_mm = (0..n).fold(0.0_f64, |m, i| m.max(length(self.shift_mm(i))));
        Fit {
            mean_mm,
            median_mm: steps[steps.len() / 2],
            range_mm: [steps[0], steps[steps.len() - 1]],
            uneven_mm,
            shift_mm,
            tilt_deg: libm::atan2(length(self.shift_mm(n - 1)), total_mm).to_degrees(),
        }
    }

    /// Returns the grid of an even, upright stack.
    ///
    /// # Errors
    /// Unfit when size, spacing or axes make no grid.
    pub fn grid(&self) -> Result<Grid> {
        let [nx, ny] = self.size;
        let [sx, sy] = self.spacing_mm;
        Grid::new(
            [nx, ny, self.positions_mm.len()],
            self.positions_mm[0],
            DVec3::new(sx, sy, self.fit().mean_mm),
            DMat3::from_cols(self.row, self.column, self.normal()),
        )
    }

    /// Returns the stack on an upright, even grid that covers every slice.
    ///
    /// In-plane axes and spacing stay; each slice is moved within its own plane (bilinear), and where the slices are
    /// uneven, values between two of them are linear in the depth. An even stack keeps its slice depths, so that a
    /// tilt costs interpolation in one direction only. Outside the slices the value is `fill`.
    ///
    /// # Errors
    /// Unfit when the stack makes no grid, or one larger than 4 GiB.
    pub fn straighten(&self, values: &[f32], fill: f32) -> Result<Volume<f32>> {
        let n = self.positions_mm.len();
        let fit = self.fit();
        let (first, cells) = self.cover();
        let depth =
            if fit.even() { n } else { ((self.depth_mm(n - 1) / fit.median_mm).round() as usize).saturating_add(1) };
        affordable([cells[0] as f64, cells[1] as f64, depth as f64])?;
        let step_mm = if depth > 1 { self.depth_mm(n - 1) / (depth - 1) as f64 } else { fit.mean_mm };
        let [sx, sy] = self.spacing_mm;
        let grid = Grid::new(
            [cells[0], cells[1], depth],
            self.positions_mm[0] + self.row * (first[0] * sx) + self.column * (first[1] * sy),
            DVec3::new(sx, sy, step_mm),
            DMat3::from_cols(self.row, self.column, self.normal()),
        )?;
        let mut data = vec![0.0_f32; grid.len()];
        data.par_chunks_mut(cells[0] * cells[1]).enumerate().for_each(|(z, out)| {
            let (low, share) = if fit.even() { (z, 0.0) } else { self.bracket(z as f64 * step_mm) };
            self.draw(values, low, first, cells, fill, out);
            if share > 0.0 {
                let mut above = vec![0.0_f32; out.len()];
                self.draw(values, low + 1, first, cells, fill, &mut above);
                for (value, next) in out.iter_mut().zip(above) {
                    *value = (f64::from(*value) * (1.0 - share) + f64::from(next) * share) as f32;
                }
            }
        });
        Volume::new(grid, data)
    }

    /// Returns the first column and row (in voxels from the first slice's) and the number of columns and rows that cover
    /// all slices. A shift below a thousandth of a voxel adds none.
    fn cover(&self) -> ([f64; 2], [usize; 2]) {
        let mut first = [0.0; 2];
        let mut cells = self.size;
        for axis in 0..2 {
            let shifts = (0..self.positions_mm.len()).map(|i| self.shift_mm(i)[axis] / self.spacing_mm[axis]);
            let (low, high) = shifts.fold((0.0_f64, 0.0_f64), |(low, high), s| (low.min(s), high.max(s)));
            first[axis] = (low + 1e-3).floor();
            cells[axis] = cells[axis].saturating_add(((high - 1e-3).ceil() - first[axis]) as usize);
        }
        (first, cells)
    }

    /// Returns the slice at or below a depth, and how far the depth is towards the next one, 0 to 1.
    fn bracket(&self, depth_mm: f64) -> (usize, f64) {
        let n = self.positions_mm.len();
        let above = (1..n).find(|&i| self.depth_mm(i) > depth_mm).unwrap_or(n);
        let low = above - 1;
        if low + 1 == n {
            return (low, 0.0);
        }
        let share = (depth_mm - self.depth_mm(low)) / (self.depth_mm(low + 1) - self.depth_mm(low));
        match share {
            share if share < 1e-6 => (low, 0.0),
            share if share > 1.0 - 1e-6 => (low + 1, 0.0),
            share => (low, share),
        }
    }

    /// Draws one slice, shifted within its plane, onto a slice of the target.
    fn draw(&self, values: &[f32], slice: usize, first: [f64; 2], cells: [usize; 2], fill: f32, out: &mut [f32]) {
        let [nx, ny] = self.size;
        let source = &values[slice * nx * ny..(slice + 1) * nx * ny];
        let shift = self.shift_mm(slice);
        // Voxel (i, j) of the target is voxel (i + whole + part) of this slice.
        let split = |axis: usize| {
            let offset = first[axis] - shift[axis] / self.spacing_mm[axis];
            let whole = (offset + 1e-6).floor();
            let part = offset - whole;
            (whole as i64, if part < 1e-6 { 0.0 } else { part })
        };
        let ((wx, px), (wy, py)) = (split(0), split(1));
        let at = |x: i64, y: i64| {
            let inside = x >= 0 && y >= 0 && x < nx as i64 && y < ny as i64;
            f64::from(if inside { source[x as usize + nx * y as usize] } else { fill })
        };
        for (j, line) in out.chunks_mut(cells[0]).enumerate() {
            let y = j as i64 + wy;
            for (i, value) in line.iter_mut().enumerate() {
                let x = i as i64 + wx;
                let along = |y: i64| if px == 0.0 { at(x, y) } else { at(x, y) * (1.0 - px) + at(x + 1, y) * px };
                *value = if py == 0.0 { along(y) } else { along(y) * (1.0 - py) + along(y + 1) * py } as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that is linear in the world, so that linear interpolation must give it back.
    fn field(p: DVec3) -> f64 {
        3.0 + 2.0 * p.x - 1.5 * p.y + 0.5 * p.z
    }

    fn stack(positions_mm: Vec<DVec3>) -> (Slices, Vec<f32>) {
        let slices = Slices {
            size: [6, 8],
            spacing_mm: [1.0, 2.0],
            row: DVec3::X,
            column: DVec3::Y,
            positions_mm,
            thickness_mm: 1.0,
        };
        let mut values = Vec::new();
        for &p in &slices.positions_mm {
            for y in 0..8 {
                values.extend((0..6).map(|x| field(p + DVec3::new(f64::from(x), 2.0 * f64::from(y), 0.0)) as f32));
            }
        }
        (slices, values)
    }

    fn worst_inside(volume: &Volume<f32>, fill: f32) -> (f64, usize) {
        let [nx, ny, nz] = volume.grid.size;
        let mut worst = (0.0_f64, 0);
        for z in 0..nz {
            // Voxels that a slice's border cuts mix with the fill: look at the inner ones.
            for y in 2..ny - 2 {
                for x in 1..nx - 1 {
                    let near = [volume.at(x, y, z), volume.at(x, y - 1, z), volume.at(x, y + 1, z)];
                    if !near.contains(&fill) && (2..ny - 2).contains(&y) {
                        let error = (f64::from(near[0]) - field(volume.grid.world(x, y, z))).abs();
                        worst = (worst.0.max(error), worst.1 + 1);
                    }
                }
            }
        }
        worst
    }

    #[test]
    fn an_even_upright_stack_is_a_grid() {
        let (slices, values) = stack((0..5).map(|z| DVec3::new(7.0, 8.0, 3.0 * f64::from(z))).collect());
        let fit = slices.fit();
        assert!(fit.even() && fit.upright());
        let grid = slices.grid().unwrap();
        assert_eq!((grid.size, grid.spacing_mm.z), ([6, 8, 5], 3.0));
        let same = slices.straighten(&values, -9.0).unwrap();
        assert_eq!((same.grid, same.data), (grid, values));
    }

    #[test]
    fn a_tilted_stack_straightens_to_the_same_world() {
        let (slices, values) =
            stack((0..6).map(|z| DVec3::new(0.0, -0.7 * f64::from(z), 2.0 * f64::from(z))).collect());
        let fit = slices.fit();
        assert!(fit.even() && !fit.upright());
        assert!((fit.tilt_deg - 19.29).abs() < 0.01, "atan(0.7 / 2): {}", fit.tilt_deg);
        let upright = slices.straighten(&values, -999.0).unwrap();
        assert_eq!(upright.grid.size, [6, 10, 6], "3.5 mm of shift are two more rows of 2 mm");
        assert_eq!(upright.grid.origin_mm, DVec3::new(0.0, -4.0, 0.0));
        let [nx, ny, nz] = upright.grid.size;
        let mut checked = 0;
        for (z, y, x) in (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (z, y, x)))) {
            let p = upright.grid.world(x, y, z);
            let row = (p.y + 0.7 * z as f64) / 2.0;
            if (0.0..=7.0).contains(&row) {
                assert!((f64::from(upright.at(x, y, z)) - field(p)).abs() < 1e-4, "at {x} {y} {z}");
                checked += 1;
            }
        }
        assert!(checked > 200);
    }

    #[test]
    fn a_gap_is_filled_linearly_and_the_slices_stay() {
        let (slices, values) = stack([0.0, 5.0, 10.0, 20.0].map(|z| DVec3::new(0.0, 0.0, z)).to_vec());
        let fit = slices.fit();
        assert!(!fit.even() && fit.upright());
        assert_eq!((fit.median_mm, fit.range_mm), (5.0, [5.0, 10.0]));
        let even = slices.straighten(&values, 0.0).unwrap();
        assert_eq!((even.grid.size[2], even.grid.spacing_mm.z), (5, 5.0));
        let (worst, checked) = worst_inside(&even, f32::NAN);
        assert!(worst < 1e-4 && checked > 20, "{worst} {checked}");
        assert_eq!(even.slice(4), &values[3 * 48..]);
    }
}
