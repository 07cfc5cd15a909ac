//! A head in a real scan: where its middle is, and how far out its outer table lies.

use crate::{
    fault::{Fault, Result},
    phantom::surgery::{Surgery, Vault},
    space::{DAffine3, DVec3},
    volume::Volume,
};

/// The vault is looked for this far below the vertex, mm.
const VAULT_MM: f64 = 90.0;
/// The middle of the head lies this far below the vertex, mm.
const MIDDLE_MM: f64 = 72.0;
/// The farthest that an outer table is looked for, mm from the middle.
const FARTHEST_MM: f64 = 140.0;
/// The nearest, mm.
const NEAREST_MM: f64 = 25.0;
/// Step of the search along a ray, mm.
const STEP_MM: f64 = 0.4;

/// A skull in a scan, in axes of the world about the middle of the head.
pub(in crate::phantom) struct Head<'a> {
    bone: &'a Volume<u8>,
    voxel_from_world: DAffine3,
    /// Middle of the head in the world, LPS mm.
    pub(in crate::phantom) middle_mm: DVec3,
}

impl<'a> Head<'a> {
    /// Returns the head of a skull that stands upright in LPS, as scans of patients do.
    ///
    /// # Errors
    /// Unfit when there is no bone, or too little of it for a vault.
    pub(in crate::phantom) fn find(bone: &'a Volume<u8>) -> Result<Self> {
        let places = || {
            let [nx, ny, _] = bone.grid.size;
            let filled = bone.data.iter().enumerate().filter(|&(_, &bone)| bone != 0);
            filled.map(move |(i, _)| bone.grid.world(i % nx, i / nx % ny, i / nx / ny))
        };
        let top = places().map(|p| p.z).fold(f64::NEG_INFINITY, f64::max);
        let (mut low, mut high) = (DVec3::INFINITY, DVec3::NEG_INFINITY);
        for p in places().filter(|p| p.z > top - VAULT_MM) {
            (low, high) = (low.min(p), high.max(p));
        }
        let extent = high - low;
        if !extent.is_finite() || extent.x < 80.0 || extent.y < 80.0 || extent.z < 40.0 {
            let said = if extent.is_finite() { extent.to_array().map(f64::round) } else { [0.0; 3] };
            return Err(Fault::unfit(format!("the scan shows no vault: its bone measures {said:?} mm"))
                .hint("the head must stand upright in LPS; `bone_hu` decides what is bone"));
        }
        let middle = 0.5 * (low + high);
        let z = (top - MIDDLE_MM).max(low.z + 8.0);
        Ok(Self { bone, voxel_from_world: bone.grid.voxel_from_world(), middle_mm: DVec3::new(middle.x, middle.y, z) })
    }

    /// Returns whether the voxel at a point about the middle is bone.
    fn is_bone(&self, p: DVec3) -> bool {
        let index = self.voxel_from_world.transform_point3(p + self.middle_mm).round();
        let size = self.bone.grid.size;
        let inside = index.min_element() >= 0.0 && (0..3).all(|axis| index[axis] < size[axis] as f64);
        inside && self.bone.at(index.x as usize, index.y as usize, index.z as usize) != 0
    }

    /// Returns how far out the outermost bone lies in a direction, mm.
    fn radius_mm(&self, direction: DVec3) -> Option<f64> {
        let steps = ((FARTHEST_MM - NEAREST_MM) / STEP_MM) as usize;
        (0..steps).map(|i| FARTHEST_MM - STEP_MM * i as f64).find(|&radius| self.is_bone(direction * radius))
    }
}

impl Vault for Head<'_> {
    fn outer(&self, direction: DVec3) -> DVec3 {
        direction * self.radius_mm(direction).unwrap_or(MIDDLE_MM)
    }

    fn normal(&self, p: DVec3) -> DVec3 {
        // Seen from the middle of the head; the true one turns away from it by 20 degrees at most.
        p.normalize_or(DVec3::Z)
    }
}

/// Distance between the directions of the table, mm on the outer table.
const CELL_MM: f64 = 1.5;

/// The outer table around an opening: its distance from the middle of the head by place along it.
pub(in crate::phantom) struct OuterTable {
    cells: usize,
    radii_mm: Vec<f64>,
}

impl OuterTable {
    /// Returns the outer table around an operation. Where a ray meets no bone, or bone far from that beside it (ear,
    /// nose, a tube), the mean of the other rays around stands.
    pub(in crate::phantom) fn new(head: &Head<'_>, surgery: &Surgery) -> Self {
        let cells = 2 * (surgery.bound_mm() / CELL_MM).ceil() as usize + 1;
        let place = |i: usize| CELL_MM * (i as f64 - (cells / 2) as f64);
        let found: Vec<Option<f64>> = (0..cells * cells)
            .map(|i| head.radius_mm(surgery.direction_at([place(i % cells), place(i / cells)])))
            .collect();
        let around = |i: usize| {
            let (x, y) = ((i % cells) as i64, (i / cells) as i64);
            let side = cells as i64;
            let beside = (-3..=3_i64).flat_map(|dy| (-3..=3_i64).map(move |dx| (x + dx, y + dy)));
            let inside = beside.filter(|&(x, y)| (0..side).contains(&x) && (0..side).contains(&y));
            let mut radii: Vec<f64> = inside.filter_map(|(x, y)| found[(x + side * y) as usize]).collect();
            radii.sort_by(f64::total_cmp);
            // The median of 49 rays: smooth, and blind to what sticks out.
            radii.get(radii.len() / 2).copied().unwrap_or_else(|| surgery.radius_mm())
        };
        Self { cells, radii_mm: (0..cells * cells).map(around).collect() }
    }

    /// Returns the distance to the cut at a point about the middle of the head, mm, negative inside.
    pub(in crate::phantom) fn cut_mm(&self, surgery: &Surgery, p: DVec3) -> f64 {
        let length = p.length();
        let Some(place) = surgery.across_mm(p / length.max(1e-9)) else {
            return surgery.radius_mm();
        };
        let last = (self.cells - 1) as f64;
        let [x, y] = place.map(|mm| (mm / CELL_MM + (self.cells / 2) as f64).clamp(0.0, last - 1e-6));
        let (i, j, u, v) = (x as usize, y as usize, x - x.floor(), y - y.floor());
        let at = |i: usize, j: usize| self.radii_mm[i + self.cells * j];
        let low = at(i, j) + u * (at(i + 1, j) - at(i, j));
        let high = at(i, j + 1) + u * (at(i + 1, j + 1) - at(i, j + 1));
        surgery.cut_mm(p, length - (low + v * (high - low)))
    }
}
