//! Voxels on a [`Grid`](crate::space::Grid).

use crate::{
    fault::{Fault, Result},
    space::Grid,
};

/// A value for every voxel of a grid; `x` varies fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume<T> {
    /// Where the voxels are.
    pub grid: Grid,
    /// One value per voxel, `grid.len()` of them.
    pub data: Vec<T>,
}

impl<T: Copy> Volume<T> {
    /// Returns the volume.
    ///
    /// # Errors
    /// Unfit when the number of values is not the number of voxels.
    pub fn new(grid: Grid, data: Vec<T>) -> Result<Self> {
        if data.len() != grid.len() {
            return Err(Fault::unfit(format!(
                "the image has {} values for {} voxels ({:?})",
                data.len(),
                grid.len(),
                grid.size
            )));
        }
        Ok(Self { grid, data })
    }

    /// Returns a volume with one value everywhere.
    #[must_use]
    pub fn filled(grid: Grid, value: T) -> Self {
        Self { data: vec![value; grid.len()], grid }
    }

    /// Returns the value of a voxel.
    #[must_use]
    pub fn at(&self, x: usize, y: usize, z: usize) -> T {
        self.data[self.grid.index(x, y, z)]
    }

    /// Returns one slice across `z`, rows of `x`.
    #[must_use]
    pub fn slice(&self, z: usize) -> &[T] {
        let area = self.grid.size[0] * self.grid.size[1];
        &self.data[z * area..(z + 1) * area]
    }

    /// Returns the volume with every value mapped.
    #[must_use]
    pub fn map<U>(&self, f: impl Fn(T) -> U) -> Volume<U> {
        Volume { grid: self.grid, data: self.data.iter().map(|&value| f(value)).collect() }
    }
}
