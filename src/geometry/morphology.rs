//! Exact Euclidean distance on anisotropic grids, and the growing, shrinking and closing of labels by balls in mm.

use rayon::prelude::*;

use crate::{
    space::{DVec3, Grid},
    volume::Volume,
};

/// Returns the squared distance, mm², from every voxel centre to that of the nearest non-zero voxel; infinite for an empty label.
///
/// Exact up to the rounding to `f32` between axes. Source: Felzenszwalb and Huttenlocher, Distance transforms of sampled
/// functions, 2012: along each axis in turn, the lower envelope of one parabola a voxel.
#[must_use]
pub fn distance_mm2(label: &Volume<u8>) -> Volume<f32> {
    let [nx, ny, nz] = label.grid.size;
    let spacing = label.grid.spacing_mm;
    let mut data: Vec<f32> = label.data.iter().map(|&v| if v == 0 { f32::INFINITY } else { 0.0 }).collect();
    data.par_chunks_mut(nx * ny).for_each(|slice| {
        let mut envelope = Envelope::default();
        for row in slice.chunks_exact_mut(nx) {
            envelope.replace(row, 1, nx, spacing.x);
        }
        for x in 0..nx {
            envelope.replace(&mut slice[x..], nx, ny, spacing.y);
        }
    });
    // along z a plane of fixed y is gathered, done, and put back, so that memory is read in rows
    let planes: Vec<Vec<f32>> = (0..ny)
        .into_par_iter()
        .map(|y| {
            let mut plane: Vec<f32> = (0..nz).flat_map(|z| &data[nx * (y + ny * z)..][..nx]).copied().collect();
            let mut envelope = Envelope::default();
            for x in 0..nx {
                envelope.replace(&mut plane[x..], nx, nz, spacing.z);
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

/// Returns the label grown by a ball: voxels at most `radius_mm` from a non-zero voxel, as 0 and 1.
#[must_use]
pub fn dilate(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
    within(&distance_mm2(label), radius_mm)
}

/// Returns the label shrunk by a ball: voxels farther than `radius_mm` from every zero voxel, as 0 and 1.
///
/// What lies beyond the grid is not counted as zero.
#[must_use]
pub fn erode(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
    let background = label.map(|v| u8::from(v == 0));
    within(&distance_mm2(&background), radius_mm).map(|near| 1 - near)
}

/// Returns the label closed by a ball, as 0 and 1: gaps that no ball of the radius fits into are filled.
///
/// Worked on a grid with room for the grown label, so the border changes nothing; contains the label, and closing again
/// changes nothing.
#[must_use]
pub fn close(label: &Volume<u8>, radius_mm: f64) -> Volume<u8> {
    let pad = label.grid.spacing_mm.to_array().map(|spacing| (radius_mm.max(0.0) / spacing).ceil() as usize + 1);
    let padded = padded(label, pad);
    let closed = erode(&dilate(&padded, radius_mm), radius_mm);
    let [nx, ny, nz] = label.grid.size;
    let rows = (0..nz).flat_map(|z| (0..ny).map(move |y| (y, z)));
    let data = rows.flat_map(|(y, z)| &closed.data[closed.grid.index(pad[0], y + pad[1], z + pad[2])..][..nx]);
    Volume { grid: label.grid, data: data.copied().collect() }
}

fn within(distance_mm2: &Volume<f32>, radius_mm: f64) -> Volume<u8> {
    // a hair beyond, so that a distance of exactly the radius is within in spite of rounding
    let limit_mm2 = (radius_mm * radius_mm * (1.0 + 1e-6)) as f32;
    let near = |d: f32| u8::from(radius_mm >= 0.0 && d <= limit_mm2);
    distance_mm2.map(near)
}

fn padded(label: &Volume<u8>, pad: [usize; 3]) -> Volume<u8> {
    let size = [0, 1, 2].map(|axis| label.grid.size[axis] + 2 * pad[axis]);
    let shift = DVec3::from_array(pad.map(|p| -(p as f64)));
    let grid = Grid { size, origin_mm: label.grid.world_from_voxel().transform_point3(shift), ..label.grid };
    let mut wide = Volume::filled(grid, 0_u8);
    let [nx, ny, _] = label.grid.size;
    for (row, values) in label.data.chunks_exact(nx).enumerate() {
        let at = grid.index(pad[0], row % ny + pad[1], row / ny + pad[2]);
        wide.data[at..at + nx].copy_from_slice(values);
    }
    wide
}

/// The lower envelope of parabolas over a line, with room kept between lines.
#[derive(Default)]
struct Envelope {
    /// Place and height of each parabola that is lowest somewhere.
    parabolas: Vec<(f64, f64)>,
    /// Where each becomes the lowest.
    from: Vec<f64>,
}

impl Envelope {
    /// Replaces the values of a line by min over q of value(q) + (distance to q)².
    fn replace(&mut self, line: &mut [f32], stride: usize, count: usize, spacing_mm: f64) {
        self.parabolas.clear();
        self.from.clear();
        for q in 0..count {
            let height = f64::from(line[q * stride]);
            if height < f64::INFINITY {
                self.add(q as f64 * spacing_mm, height);
            }
        }
        if self.parabolas.is_empty() {
            return;
        }
        let mut lowest = 0;
        for q in 0..count {
            let at = q as f64 * spacing_mm;
            while lowest + 1 < self.parabolas.len() && self.from[lowest + 1] <= at {
                lowest += 1;
            }
            let (place, height) = self.parabolas[lowest];
            line[q * stride] = ((at - place) * (at - place) + height) as f32;
        }
    }

    fn add(&mut self, place: f64, height: f64) {
        while let (Some(&(last_place, last_height)), Some(&last_from)) = (self.parabolas.last(), self.from.last()) {
            let meet = 0.5 * (place + last_place + (height - last_height) / (place - last_place));
            if meet > last_from {
                self.from.push(meet);
                self.parabolas.push((place, height));
                return;
            }
            self.parabolas.pop();
            self.from.pop();
        }
        self.from.push(f64::NEG_INFINITY);
        self.parabolas.push((place, height));
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
