//! Where the scan ends, surfaces end too: the caps there are no bone, and are not measured.

use crate::space::{DAffine3, DVec3, Grid};

/// Width left out along each face of the scan, voxels.
const MARGIN_VOXELS: f64 = 2.0;

/// The part of a scan that is far enough from its faces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margin {
    voxel_from_world: DAffine3,
    low: DVec3,
    high: DVec3,
}

impl Margin {
    /// Returns the part of a scan at least two voxels inside its faces, which lie half a voxel beyond the outermost voxel
    /// centres. An axis of fewer than six voxels has no margin: too little would be left.
    pub(super) fn new(grid: &Grid) -> Self {
        let range = grid.size.map(|n| match n {
            0..6 => (f64::NEG_INFINITY, f64::INFINITY),
            _ => (MARGIN_VOXELS - 0.5, n as f64 - 0.5 - MARGIN_VOXELS),
        });
        Self {
            voxel_from_world: grid.voxel_from_world(),
            low: DVec3::from_array(range.map(|(low, _)| low)),
            high: DVec3::from_array(range.map(|(_, high)| high)),
        }
    }

    /// Returns whether a triangle is measured wholly, and whether anything of it may be: whether the smallest box of voxels
    /// around its corners reaches inside.
    pub(super) fn keeps_of(&self, corners: &[DVec3; 3]) -> [bool; 2] {
        let corners = corners.map(|p| self.voxel_from_world.transform_point3(p));
        let [a, b, c] = corners;
        let some = a.max(b).max(c).cmpge(self.low).all() && a.min(b).min(c).cmple(self.high).all();
        [corners.iter().all(|&voxel| self.is_inside(voxel)), some]
    }

    /// Returns whether a point is measured.
    pub(super) fn keeps(&self, p: DVec3) -> bool {
        self.is_inside(self.voxel_from_world.transform_point3(p))
    }

    fn is_inside(&self, voxel: DVec3) -> bool {
        voxel.cmpge(self.low).all() && voxel.cmple(self.high).all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_two_voxels() {
        let margin = Margin::new(&Grid::aligned([10, 20, 3], DVec3::new(1.0, 0.5, 4.0)));
        assert!(margin.keeps(DVec3::new(1.5, 0.75, 0.0)) && margin.keeps(DVec3::new(7.5, 8.75, 100.0)));
        let slab = |x: f64| [DVec3::new(x, 0.0, 0.0), DVec3::new(x + 0.3, 5.0, 0.0), DVec3::new(x, 9.0, 1.0)];
        assert_eq!([0.0, 1.1, 1.3, 7.4, 7.6].map(|x| margin.keeps_of(&slab(x))[1]), [false, false, true, true, false]);
        let inner = [DVec3::new(1.5, 5.0, 0.0), DVec3::new(7.5, 5.0, 0.0), DVec3::new(2.0, 8.75, 1.0)];
        assert_eq!((margin.keeps_of(&inner), margin.keeps_of(&slab(2.0))), ([true, true], [false, true]));
        assert!(!margin.keeps(DVec3::new(1.4, 5.0, 0.0)) && !margin.keeps(DVec3::new(5.0, 8.8, 0.0)));
    }
}
