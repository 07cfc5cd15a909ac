//! The voxel-to-world map that NIfTI, NRRD and MetaImage headers state, and what to do when it is sheared.

use super::image::{Repair, straightenable, tilt_note};
use crate::{
    fault::{Fault, Result},
    geometry::resample::Slices,
    space::{DMat3, DVec3, Grid},
    volume::Volume,
};

/// An image's place as a header states it: any three columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    /// Voxels along each axis.
    pub(super) size: [usize; 3],
    /// Centre of the first voxel, LPS mm.
    pub(super) origin_mm: DVec3,
    /// Steps from voxel to voxel along each axis, LPS mm.
    pub(super) columns_mm: [DVec3; 3],
}

impl Affine {
    /// Returns the values on a grid: as they are where the columns are perpendicular, straightened where they are
    /// sheared and `tilt` asks for it.
    ///
    /// # Errors
    /// Unfit when the columns make no grid, with the angle when they are sheared.
    pub(super) fn place(&self, values: Vec<f32>, tilt: Repair, notes: &mut Vec<String>) -> Result<Volume<f32>> {
        let [x, y, z] = self.columns_mm;
        let spacing_mm = DVec3::new(x.length(), y.length(), z.length());
        let direction = DMat3::from_cols(x / spacing_mm.x, y / spacing_mm.y, z / spacing_mm.z);
        match Grid::new(self.size, self.origin_mm, spacing_mm, direction) {
            Ok(grid) => Volume::new(grid, values),
            Err(fault) => {
                let flat = spacing_mm.min_element() <= 0.0 || !direction.is_finite() || !self.origin_mm.is_finite();
                let skewed_in_plane = direction.x_axis.dot(direction.y_axis).abs() > 1e-3;
                if flat || skewed_in_plane {
                    return Err(Fault { hint: None, ..fault });
                }
                self.straighten(values, tilt, notes)
            }
        }
    }

    fn straighten(&self, mut values: Vec<f32>, tilt: Repair, notes: &mut Vec<String>) -> Result<Volume<f32>> {
        let [x, y, z] = self.columns_mm;
        let row = x / x.length();
        let across = y - row * y.dot(row);
        let column = across / across.length();
        let [nx, ny, nz] = self.size;
        let mut positions_mm: Vec<DVec3> = (0..nz).map(|k| self.origin_mm + z * k as f64).collect();
        if z.dot(row.cross(column)) < 0.0 {
            positions_mm.reverse();
            values = values.chunks(nx * ny).rev().flatten().copied().collect();
        }
        let spacing_mm = [x.length(), y.length()];
        let slices = Slices { size: [nx, ny], spacing_mm, row, column, positions_mm, thickness_mm: z.length() };
        let fit = slices.fit();
        if tilt == Repair::Refuse {
            return Err(Fault::unfit(format!(
                "the image is sheared: its slices shift by {:.2} mm over the volume, an angle of {:.2} degrees",
                fit.shift_mm, fit.tilt_deg
            ))
            .hint("set `tilt: resample` (the slices are then moved within their planes onto an upright grid)"));
        }
        straightenable(&slices, &fit)?;
        notes.push(tilt_note(&fit));
        slices.straighten(&values, super::image::fill(&values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perpendicular_columns_are_a_grid_of_either_hand() {
        let affine = Affine {
            size: [2, 1, 2],
            origin_mm: DVec3::new(1.0, 2.0, 3.0),
            columns_mm: [DVec3::new(-0.5, 0.0, 0.0), DVec3::Y, DVec3::new(0.0, 0.0, 2.0)],
        };
        let volume = affine.place(vec![1.0, 2.0, 3.0, 4.0], Repair::Refuse, &mut Vec::new()).unwrap();
        assert_eq!(volume.grid.spacing_mm, DVec3::new(0.5, 1.0, 2.0));
        assert_eq!(volume.grid.world(1, 0, 1), DVec3::new(0.5, 2.0, 5.0));
    }

    #[test]
    fn a_shear_is_refused_with_its_angle_or_straightened() {
        let affine = Affine {
            size: [3, 4, 3],
            origin_mm: DVec3::ZERO,
            columns_mm: [DVec3::X, DVec3::Y, DVec3::new(0.0, 1.0, -1.0)],
        };
        let values: Vec<f32> = (0..36_u8).map(f32::from).collect();
        let fault = affine.place(values.clone(), Repair::Refuse, &mut Vec::new()).unwrap_err();
        assert!(fault.what.contains("45.00 degrees"), "{fault}");
        let mut notes = Vec::new();
        let upright = affine.place(values, Repair::Resample, &mut notes).unwrap();
        assert_eq!((upright.grid.size, notes.len()), ([3, 6, 3], 1));
        // The first voxel of the last slice of the file lies at (0, 2, -2).
        let index = upright.grid.voxel_from_world().transform_point3(DVec3::new(0.0, 2.0, -2.0)).round();
        assert_eq!(upright.at(index.x as usize, index.y as usize, index.z as usize), 24.0);
    }

    #[test]
    fn flat_or_skewed_columns_are_no_image() {
        let affine = |columns_mm| Affine { size: [1, 1, 1], origin_mm: DVec3::ZERO, columns_mm };
        for columns in [[DVec3::X, DVec3::ZERO, DVec3::Z], [DVec3::X, DVec3::new(0.5, 1.0, 0.0), DVec3::Z]] {
            assert!(affine(columns).place(vec![0.0], Repair::Resample, &mut Vec::new()).is_err());
        }
    }
}
