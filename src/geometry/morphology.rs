//! Exact Euclidean distance on anisotropic grids, and the growing, shrinking and closing of labels by balls in mm.

use rayon::prelude::*;

use crate::{
    space::{DVec3, Grid},
    volume::Volume,
};

/// Returns the squared distance, mm², from every voxel centre to that of the nearest non-zero voxel; infinite for an empty label.
///
/// Exact up to the rounding to `f32` between axes. Source: Felzenszwalb and Huttenlocher, Distance transforms of sampled
/// functions, 2012: along each axis in turn, the lower envelope of one parabola a voxel; along the first, where all
/// parabolas start at 0 or nowhere, two sweeps find the nearest.
#[must_use]
pub fn distance_mm2(label: &Volume<u8>) -> Volume<f32> {
    distance_up_to_mm2(label, |v| v != 0, f32::INFINITY)
}

/// Returns the squared distances to the voxels that `inside` names where they are at most `limit_mm2`; farther ones are
/// infinite, or right.
fn distance_up_to_mm2(label: &Volume<u8>, inside: impl Fn(u8) -> bool + Sync, limit_mm2: f32) -> Volume<f32> {
    let [nx, ny, nz] = label.grid.size;
    let spacing = label.grid.spacing_mm;
    let mut data = vec![f32::INFINITY; label.data.len()];
    let slices = data.par_chunks_mut(nx * ny).zip(label.data.par_chunks(nx * ny));
    slices.for_each(|(slice, label)| {
        let squares: Vec<f32> = (0..nx).map(|step| (step as f64 * spacing.x).powi(2) as f32).collect();
        for (row, label) in slice.chunks_exact_mut(nx).zip(label.chunks_exact(nx)) {
            sweep(row, label, &inside, &squares, limit_mm2);
        }
        let mut envelope = Envelope::new(spacing.y, ny, limit_mm2);
        for x in 0..nx {
            envelope.replace(&mut slice[x..], nx, ny);
        }
    });
    // along z a plane of fixed y is gathered, done, and put back, so that memory is read in rows
    let planes: Vec<Vec<f32>> = (0..ny)
        .into_par_iter()
        .map(|y| {
            let mut plane = Vec::with_capacity(nx * nz);
            (0..nz).for_each(|z| plane.extend_from_slice(&data[nx * (y + ny * z)..][..nx]));
            let mut envelope = Envelope::new(spacing.z, nz, limit_mm2);
            for x in 0..nx {
                envelope.replace(&mut plane[x..], nx, nz);
            }
            plane
        })
        .collect();
    data.par_chunks_mut(nx).enumerate().for_each(|(row, values)| {
        let (y, z) = (row % ny, row / ny);
        values.copy_from_slice(&planes[y][nx * z..][..nx]);
    });
    Volume { grid: label.grid, data }
}

/// Writes the squared distance along a row to the nearest voxel that counts.
fn sweep(row: &mut [f32], label: &[u8], inside: impl Fn(u8) -> bool, squares: &[f32], limit_mm2: f32) {
    let mut since = None;
    for (value, &label) in row.iter_mut().zip(label) {
        since = if inside(label) { Some(0) } else { since.map(|steps: usize| steps + 1) };
        *value = since.map_or(f32::INFINITY, |steps| squares[steps]);
    }
    let mut until = None;
    for (value, &label) in row.iter_mut().zip(label).rev() {
        until = if inside(label) { Some(0) } else { until.map(|steps: usize| steps + 1) };
        *value = until.map_or(*value, |steps| squares[steps].min(*value));
        *value = if *value > limit_mm2 { f32::INFINITY } else { *value };
    }
}

/// Returns the label grown by a ball: voxels at most `radius_mm` from a non-zero voxel, as 0 and 1.
#[must_use]
pub fn dilate(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
    within(label, |v| v != 0, radius_mm)
}

/// Returns the label shrunk by a ball: voxels farther than `radius_mm` from every zero voxel, as 0 and 1.
///
/// What lies beyond the grid is not counted as zero.
#[must_use]
pub fn erode(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
    within(label, |v| v == 0, radius_mm).map(|near| 1 - near)
}

/// Returns the label closed by a ball, as 0 and 1: gaps that no ball of the radius fits into are filled.
///
/// Worked on a grid with room for the grown label, so the border changes nothing; contains the label, and closing again
/// changes nothing. The closed label fits into the label's box, so that room is counted from there.
#[must_use]
pub fn close(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
    let mut closed = Volume::filled(label.grid, 0_u8);
    let Some((low, high)) = extent(label) else { return closed };
    let pad = label.grid.spacing_mm.to_array().map(|spacing| (radius_mm.max(0.0) / spacing).ceil() as usize + 1);
    let cut = [0, 1, 2].map(|axis| high[axis] - low[axis] + 1);
    let size = [0, 1, 2].map(|axis| cut[axis] + 2 * pad[axis]);
    let shift = DVec3::from_array([0, 1, 2].map(|axis| low[axis] as f64 - pad[axis] as f64));
    let grid = Grid { size, origin_mm: label.grid.world_from_voxel().transform_point3(shift), ..label.grid };
    let mut wide = Volume::filled(grid, 0_u8);
    let rows: Vec<[usize; 2]> = (0..cut[2]).flat_map(|z| (0..cut[1]).map(move |y| [y, z])).collect();
    let here = |[y, z]: [usize; 2]| label.grid.index(low[0], low[1] + y, low[2] + z);
    let there = |[y, z]: [usize; 2]| grid.index(pad[0], pad[1] + y, pad[2] + z);
    for &row in &rows {
        wide.data[there(row)..][..cut[0]].copy_from_slice(&label.data[here(row)..][..cut[0]]);
    }
    let wide = erode(&dilate(&wide, radius_mm), radius_mm);
    for &row in &rows {
        closed.data[here(row)..][..cut[0]].copy_from_slice(&wide.data[there(row)..][..cut[0]]);
    }
    closed
}

/// Returns the first and last voxel of the label on each axis.
fn extent(label: &Volume<u8>) -> Option<([usize; 3], [usize; 3])> {
    let [nx, ny, _] = label.grid.size;
    let mut found: Option<([usize; 3], [usize; 3])> = None;
    for (row, values) in label.data.chunks_exact(nx).enumerate() {
        let first = values.iter().position(|&v| v != 0);
        let (Some(first), Some(last)) = (first, values.iter().rposition(|&v| v != 0)) else { continue };
        let (low, high) = ([first, row % ny, row / ny], [last, row % ny, row / ny]);
        found =
            Some(found.map_or((low, high), |(l, h)| {
                ([0, 1, 2].map(|i| l[i].min(low[i])), [0, 1, 2].map(|i| h[i].max(high[i])))
            }));
    }
    found
}

/// Returns 1 where a voxel that `inside` names is at most `radius_mm` away.
fn within(label: &Volume<u8>, inside: impl Fn(u8) -> bool + Sync, radius_mm: f64) -> Volume<u8> {
    // a hair beyond, so that a distance of exactly the radius is within in spite of rounding
    let limit_mm2 = (radius_mm * radius_mm * (1.0 + 1e-6)) as f32;
    let near = |d: f32| u8::from(radius_mm >= 0.0 && d <= limit_mm2);
    distance_up_to_mm2(label, inside, limit_mm2).map(near)
}

/// The lower envelope of parabolas over a line, with room kept between lines.
struct Envelope {
    spacing_mm: f64,
    /// What is higher cannot bring anything below the limit.
    limit_mm2: f32,
    /// 1 / (2 n spacing²) for parabolas n voxels apart.
    halves: Vec<f64>,
    /// Voxel and height of each parabola that is lowest somewhere, and the voxels (as a real number) from which on it is.
    parabolas: Vec<(usize, f64, f64)>,
}

impl Envelope {
    fn new(spacing_mm: f64, count: usize, limit_mm2: f32) -> Self {
        let halves = (0..count).map(|n| 1.0 / (2.0 * n as f64 * spacing_mm * spacing_mm)).collect();
        Self { spacing_mm, limit_mm2, halves, parabolas: Vec::with_capacity(count) }
    }

    /// Replaces the values of a line by min over q of value(q) + (distance to q)².
    fn replace(&mut self, line: &mut [f32], stride: usize, count: usize) {
        self.parabolas.clear();
        for q in 0..count {
            let height = line[q * stride];
            if height <= self.limit_mm2 && height < f32::INFINITY {
                self.add(q, f64::from(height));
            }
        }
        let mut lowest = self.parabolas.iter().copied().peekable();
        let Some(mut current) = lowest.next() else { return };
        for q in 0..count {
            while let Some(next) = lowest.next_if(|&(_, _, from)| from <= q as f64) {
                current = next;
            }
            let away_mm = q.abs_diff(current.0) as f64 * self.spacing_mm;
            line[q * stride] = (away_mm * away_mm + current.1) as f32;
        }
    }

    fn add(&mut self, place: usize, height: f64) {
        while let Some(&(last, last_height, last_from)) = self.parabolas.last() {
            let meet = 0.5 * (place + last) as f64 + (height - last_height) * self.halves[place - last];
            if meet > last_from {
                return self.parabolas.push((place, height, meet));
            }
            self.parabolas.pop();
        }
        self.parabolas.push((place, height, f64::NEG_INFINITY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{numeric::Seed, space::DMat3};

    fn random(density: f64) -> Volume<u8> {
        let mut stream = Seed([5; 32]).stream("morphology", 0);
        let grid = Grid::new([11, 8, 9], DVec3::ONE, DVec3::new(0.45, 0.7, 1.3), -DMat3::IDENTITY).unwrap();
        Volume::new(grid, (0..grid.len()).map(|_| u8::from(stream.unit() < density)).collect()).unwrap()
    }

    fn points(grid: &Grid) -> Vec<DVec3> {
        let [nx, ny, nz] = grid.size;
        let indices = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (x, y, z))));
        indices.map(|(x, y, z)| grid.world(x, y, z)).collect()
    }

    #[test]
    fn distances_agree_with_trying_every_pair() {
        for density in [0.005, 0.1, 0.6] {
            let label = random(density);
            let points = points(&label.grid);
            let found = distance_mm2(&label);
            for (&p, &distance_mm2) in points.iter().zip(&found.data) {
                let others = points.iter().zip(&label.data).filter(|&(_, &v)| v != 0);
                let least = others.map(|(q, _)| p.distance_squared(*q)).fold(f64::INFINITY, f64::min);
                assert!((f64::from(distance_mm2) - least).abs() < 1e-5 * (1.0 + least), "{distance_mm2} {least}");
            }
        }
        assert!(distance_mm2(&random(0.0)).data.iter().all(|&d| d == f32::INFINITY));
    }

    /// The plain closing: on the whole grid with room all around, distances to every voxel.
    fn close_plainly(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
        let pad = label.grid.spacing_mm.to_array().map(|spacing| (radius_mm / spacing).ceil() as usize + 1);
        let size = [0, 1, 2].map(|axis| label.grid.size[axis] + 2 * pad[axis]);
        let mut wide = Volume::filled(Grid { size, ..label.grid }, 0_u8);
        let [nx, ny, nz] = label.grid.size;
        let voxels = || (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [x, y, z])));
        for [x, y, z] in voxels() {
            let at = wide.grid.index(x + pad[0], y + pad[1], z + pad[2]);
            wide.data[at] = label.data[label.grid.index(x, y, z)];
        }
        let limit_mm2 = (radius_mm * radius_mm * (1.0 + 1e-6)) as f32;
        let near = |label: &Volume<u8>| distance_mm2(label).map(|d| u8::from(d <= limit_mm2));
        let closed = near(&near(&wide).map(|v| 1 - v)).map(|v| 1 - v);
        let data = voxels().map(|[x, y, z]| closed.data[closed.grid.index(x + pad[0], y + pad[1], z + pad[2])]);
        Volume { grid: label.grid, data: data.collect() }
    }

    #[test]
    fn the_fast_closing_is_the_plain_one() {
        for density in [0.0, 0.003, 0.02, 0.1, 0.6] {
            for radius_mm in [0.3, 1.0, 2.5, 6.0] {
                let label = random(density);
                assert_eq!(close(&label, radius_mm), close_plainly(&label, radius_mm), "{density} {radius_mm}");
            }
        }
    }

    #[test]
    fn a_ball_grows_a_voxel_to_the_radius_inclusive() {
        let grid = Grid::aligned([7, 7, 7], DVec3::new(1.0, 1.0, 2.0));
        let mut label = Volume::filled(grid, 0_u8);
        label.data[grid.index(3, 3, 3)] = 1;
        let grown = dilate(&label, 2.0);
        // x² + y² + 4 z² <= 4: 13 in the plane, and one above and below
        assert_eq!(grown.data.iter().filter(|&&v| v == 1).count(), 15);
        assert_eq!(erode(&grown, 1.0).data.iter().filter(|&&v| v == 1).count(), 5);
        assert_eq!(dilate(&label, 0.0), label);
    }

    #[test]
    fn closing_contains_the_label_fills_gaps_and_repeats_to_itself() {
        let label = random(0.2);
        for radius_mm in [0.0, 0.5, 1.5] {
            let closed = close(&label, radius_mm);
            assert!(closed.data.iter().zip(&label.data).all(|(c, v)| c >= v));
            assert_eq!(close(&closed, radius_mm), closed);
        }
        let grid = Grid::aligned([9, 9, 3], DVec3::ONE);
        let mut plate = Volume::filled(grid, 1_u8);
        for z in 0..3 {
            plate.data[grid.index(4, 4, z)] = 0;
        }
        // a ball of radius 1.5 mm has no room in the hole; the plate's own faces, at the border of the grid, stay
        assert_eq!(close(&plate, 1.5), Volume::filled(grid, 1));
        assert_eq!(close(&plate, 0.4), plate);
    }
}
