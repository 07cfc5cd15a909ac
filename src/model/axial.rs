//! The order in which the network sees a scan: nearest-LPS axial slices, whatever order the file has.
//!
//! Rows run to posterior, columns to left, slices to superior. The grid is only permuted and flipped, never resampled, so
//! the same scan as DICOM, NIfTI or a flipped NRRD gives the same slices, and results go back voxel by voxel.

use super::kernels::Size;
use crate::space::Grid;

/// A scan's grid axes in the order left, posterior, superior.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axial {
    size: [usize; 3],
    /// Memory index of the first pixel of the first slice.
    start: usize,
    /// Memory steps along left, posterior, superior.
    step: [isize; 3],
}

impl Axial {
    /// Returns the order for a grid: the assignment of grid axes to left, posterior, superior that fits best.
    #[must_use]
    pub fn new(grid: &Grid) -> Self {
        const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let along = |world: usize, axis: usize| grid.direction.col(axis)[world];
        let fit = |order: [usize; 3]| (0..3).map(|world| along(world, order[world]).abs()).sum::<f64>();
        // Of equal fits the first wins.
        let order = ORDERS.into_iter().fold(ORDERS[0], |best, order| if fit(order) > fit(best) { order } else { best });
        let strides = [1, grid.size[0], grid.size[0] * grid.size[1]];
        let flipped = |world: usize| along(world, order[world]) < 0.0;
        let start = (0..3).filter(|&w| flipped(w)).map(|w| (grid.size[order[w]] - 1) * strides[order[w]]).sum();
        let step = std::array::from_fn(|w| strides[order[w]] as isize * if flipped(w) { -1 } else { 1 });
        Self { size: order.map(|axis| grid.size[axis]), start, step }
    }

    /// Returns the size of a slice.
    #[must_use]
    pub const fn slice_size(&self) -> Size {
        Size { rows: self.size[1], columns: self.size[0] }
    }

    /// Returns the number of slices.
    #[must_use]
    pub const fn slices(&self) -> usize {
        self.size[2]
    }

    /// Returns the memory index of each pixel of a slice, row by row.
    pub fn indices(self, slice: usize) -> impl Iterator<Item = usize> {
        (0..self.size[1]).flat_map(move |row| {
            let first = self.row_start(slice, row);
            (0..self.size[0] as isize).map(move |column| (first + column * self.step[0]) as usize)
        })
    }

    /// Appends the values of a slice, row by row, each through `f`.
    pub fn gather<T: Copy, U>(self, data: &[T], slice: usize, f: impl Fn(T) -> U, pixels: &mut Vec<U>) {
        let columns = self.size[0];
        pixels.reserve(self.slice_size().pixels());
        for row in 0..self.size[1] {
            let first = self.row_start(slice, row);
            // Scans whose rows run to the left are the rule, and their rows are one piece of memory.
            if self.step[0] == 1 {
                pixels.extend(data[first as usize..][..columns].iter().map(|&value| f(value)));
            } else {
                let at = |column: isize| data[(first + column * self.step[0]) as usize];
                pixels.extend((0..columns as isize).map(|column| f(at(column))));
            }
        }
    }

    /// Puts the values of a slice, row by row, where they belong in the scan's memory.
    pub fn scatter<T: Copy>(self, pixels: &[T], slice: usize, data: &mut [T]) {
        for (row, pixels) in pixels.chunks_exact(self.size[0]).enumerate() {
            let first = self.row_start(slice, row);
            if self.step[0] == 1 {
                data[first as usize..][..pixels.len()].copy_from_slice(pixels);
            } else {
                for (column, &value) in pixels.iter().enumerate() {
                    data[(first + column as isize * self.step[0]) as usize] = value;
                }
            }
        }
    }

    /// Returns the memory index of the first pixel of a row.
    const fn row_start(&self, slice: usize, row: usize) -> isize {
        self.start as isize + slice as isize * self.step[2] + row as isize * self.step[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DMat3, DVec3};

    #[test]
    fn a_permuted_and_flipped_grid_gives_the_same_slices() {
        let plain = Grid::aligned([3, 4, 2], DVec3::ONE);
        let value = |p: DVec3| p.x + 10.0 * p.y + 100.0 * p.z;
        // Grid axes: superior to inferior, left to right reversed, posterior.
        let direction = DMat3::from_cols(DVec3::NEG_Z, DVec3::NEG_X, DVec3::Y);
        let turned = Grid::new([2, 3, 4], DVec3::new(2.0, 0.0, 1.0), DVec3::ONE, direction).unwrap();
        let slices = |grid: &Grid| -> Vec<f64> {
            let axial = Axial::new(grid);
            let world = |i: usize| {
                let [nx, ny, _] = grid.size;
                value(grid.world(i % nx, i / nx % ny, i / (nx * ny)))
            };
            (0..axial.slices()).flat_map(|slice| axial.indices(slice)).map(world).collect()
        };
        assert_eq!(slices(&plain), slices(&turned));
        assert_eq!(slices(&plain)[..4], [0.0, 1.0, 2.0, 10.0]);
        assert_eq!(Axial::new(&turned).slice_size(), Size { rows: 4, columns: 3 });
    }

    #[test]
    fn what_is_gathered_goes_back_to_its_place() {
        let direction = DMat3::from_cols(DVec3::NEG_Z, DVec3::NEG_X, DVec3::Y);
        let turned = Grid::new([2, 3, 4], DVec3::ZERO, DVec3::ONE, direction).unwrap();
        for grid in [Grid::aligned([3, 4, 2], DVec3::ONE), turned] {
            let (axial, data) = (Axial::new(&grid), (0..24).collect::<Vec<usize>>());
            let mut back = vec![99; 24];
            for slice in 0..axial.slices() {
                let mut pixels = Vec::new();
                axial.gather(&data, slice, |value| value, &mut pixels);
                assert_eq!(pixels, axial.indices(slice).collect::<Vec<_>>());
                axial.scatter(&pixels, slice, &mut back);
            }
            assert_eq!(back, data);
        }
    }
}
