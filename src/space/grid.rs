//! A regular grid of voxels in the world: size, origin, spacing, direction.

use glam::{DAffine3, DMat3, DVec3};
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Result};

/// A regular, orthogonal voxel grid. `x` varies fastest in memory.
///
/// ```text
/// world = origin + direction * (spacing .* index)        index (0, 0, 0) is the centre of the first voxel
/// ```
/// The convention is ITK's (`itkImageBase.h`): LPS millimetres, direction columns are the axes of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Number of voxels along each grid axis.
    pub size: [usize; 3],
    /// World position of the centre of voxel (0, 0, 0), LPS mm.
    pub origin_mm: DVec3,
    /// Distance between voxel centres along each grid axis, mm.
    pub spacing_mm: DVec3,
    /// Columns are the unit vectors of the grid axes in LPS; may be left-handed.
    pub direction: DMat3,
}

/// How far direction columns may be from orthonormal: headers carry six decimals, some scanners only four.
const ORTHONORMAL_TOLERANCE: f64 = 1e-3;

impl Grid {
    /// Returns the grid, after checking that it is one.
    ///
    /// # Errors
    /// Unfit, with the numbers, when a size is zero, a number is not finite, a spacing is not positive, or the axes are
    /// not orthonormal within 1e-3 (a sheared image must be resampled before it can be a grid).
    pub fn new(size: [usize; 3], origin_mm: DVec3, spacing_mm: DVec3, direction: DMat3) -> Result<Self> {
        if size.contains(&0) {
            return Err(Fault::unfit(format!("the image has no voxels: its size is {size:?}")));
        }
        if !origin_mm.is_finite() || !direction.is_finite() {
            return Err(Fault::unfit("the image's origin or direction is not a finite number"));
        }
        if !(spacing_mm.is_finite() && spacing_mm.min_element() > 0.0) {
            return Err(Fault::unfit(format!(
                "the voxel spacing must be positive, it is {:?} mm",
                spacing_mm.to_array()
            )));
        }
        let gram = direction.transpose() * direction;
        let worst = (gram - DMat3::IDENTITY).to_cols_array().into_iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if worst > ORTHONORMAL_TOLERANCE {
            return Err(Fault::unfit(format!(
                "the image's axes are not perpendicular unit vectors: largest deviation {worst:.4}"
            ))
            .hint("a sheared image (gantry tilt) must be resampled first: `tilt: resample` in the manifest"));
        }
        Ok(Self { size, origin_mm, spacing_mm, direction })
    }

    /// Returns an axis-aligned grid whose first voxel centre is at the world's origin.
    #[must_use]
    pub fn aligned(size: [usize; 3], spacing_mm: DVec3) -> Self {
        Self { size, origin_mm: DVec3::ZERO, spacing_mm, direction: DMat3::IDENTITY }
    }

    /// Returns the number of voxels.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.size[2]
    }

    /// Returns whether the grid has no voxel.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the map from voxel index to world mm (LPS).
    #[must_use]
    pub fn world_from_voxel(&self) -> DAffine3 {
        DAffine3 { matrix3: self.direction * DMat3::from_diagonal(self.spacing_mm), translation: self.origin_mm }
    }

    /// Returns the map from world mm (LPS) to voxel index.
    #[must_use]
    pub fn voxel_from_world(&self) -> DAffine3 {
        self.world_from_voxel().inverse()
    }

    /// Returns the world position of a voxel centre.
    #[must_use]
    pub fn world(&self, x: usize, y: usize, z: usize) -> DVec3 {
        self.world_from_voxel().transform_point3(DVec3::new(x as f64, y as f64, z as f64))
    }

    /// Returns the position of a voxel in memory.
    #[must_use]
    pub const fn index(&self, x: usize, y: usize, z: usize) -> usize {
        x + self.size[0] * (y + self.size[1] * z)
    }

    /// Returns the volume of one voxel in mm³.
    #[must_use]
    pub fn voxel_mm3(&self) -> f64 {
        self.spacing_mm.element_product()
    }

    /// Returns whether two grids put the same voxels at the same places, to a thousandth of a voxel.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        let corner = |grid: &Self| grid.world(grid.size[0] - 1, grid.size[1] - 1, grid.size[2] - 1);
        let tolerance_mm = 1e-3 * self.spacing_mm.min_element();
        self.size == other.size
            && self.origin_mm.distance(other.origin_mm) <= tolerance_mm
            && corner(self).distance(corner(other)) <= tolerance_mm
            && (self.direction.x_axis - other.direction.x_axis).length() * self.spacing_mm.x * self.size[0] as f64
                <= 2.0 * tolerance_mm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_and_voxel_are_inverse() {
        let turn = DMat3::from_cols(DVec3::new(0.0, 1.0, 0.0), DVec3::new(-1.0, 0.0, 0.0), DVec3::new(0.0, 0.0, -1.0));
        let grid = Grid::new([4, 5, 6], DVec3::new(10.0, -20.0, 30.0), DVec3::new(0.5, 1.0, 2.0), turn).unwrap();
        assert_eq!(grid.world(2, 0, 0), DVec3::new(10.0, -19.0, 30.0), "two voxels of 0.5 mm along +P");
        let back = grid.voxel_from_world().transform_point3(grid.world(3, 4, 5));
        assert!((back - DVec3::new(3.0, 4.0, 5.0)).length() < 1e-12);
        assert_eq!(grid.index(1, 2, 3), 1 + 4 * (2 + 5 * 3));
    }

    #[test]
    fn a_sheared_or_flat_grid_is_refused() {
        let shear = DMat3::from_cols(DVec3::X, DVec3::Y, DVec3::new(0.0, 0.3, 0.954));
        assert!(Grid::new([2, 2, 2], DVec3::ZERO, DVec3::ONE, shear).is_err());
        assert!(Grid::new([2, 0, 2], DVec3::ZERO, DVec3::ONE, DMat3::IDENTITY).is_err());
        assert!(Grid::new([2, 2, 2], DVec3::ZERO, DVec3::new(1.0, -1.0, 1.0), DMat3::IDENTITY).is_err());
        assert!(Grid::new([2, 2, 2], DVec3::NAN, DVec3::ONE, DMat3::IDENTITY).is_err());
    }
}
