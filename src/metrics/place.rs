//! Places where segmentation is hard, found in the scan and in the gold model: metal, and thin bone.
//!
//! ```text
//!   scan ─── isosurface of what is denser than any tissue ──▶ metal, a solid
//!   gold ─── a ray into the bone from each triangle ────────▶ thin bone, a sheet: both faces, where they are close
//! ```

use rayon::prelude::*;

use crate::{
    geometry::surface::{Border, isosurface},
    mesh::{Mesh, components, thickness::Walls},
    space::Grid,
    volume::Volume,
};

/// Smaller patches of thin bone are edges and roughness of the model, mm².
const LEAST_PATCH_MM2: f64 = 10.0;

/// A place whose surroundings are measured apart from the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What its columns begin with.
    pub name: &'static str,
    /// Its surface, in the world of the meshes, LPS mm.
    pub surface: Mesh,
    /// Whether the surface is closed, so that what is inside is near it.
    pub is_solid: bool,
    /// How far around it counts as near, mm.
    pub within_mm: f64,
}

impl Place {
    /// Returns the metal of a scan, HU: what is denser than `above_hu`; no surface when there is none.
    ///
    /// Enamel, the densest tissue, has less than 3000 HU (see `phantom::detail`).
    #[must_use]
    pub fn metal(ct: &Volume<f32>, above_hu: f64, within_mm: f64) -> Self {
        let surface =
            around(ct, above_hu as f32).map_or_else(Mesh::default, |part| isosurface(&part, above_hu, Border::Cap));
        Self { name: "metal", surface, is_solid: true, within_mm }
    }

    /// Returns the bone of a gold model that is thinner than `thinner_mm`: the triangles from which a ray into the bone
    /// leaves it within that length, in patches of at least 10 mm²; what is as near to them as they are thin is near.
    #[must_use]
    pub fn thin_bone(gold: &Mesh, thinner_mm: f64) -> Self {
        let walls = Walls::new(gold);
        let is_thin = |triangle: &[u32; 3]| {
            let [a, b, c] = triangle.map(|v| gold.vertices[v as usize]);
            let normal = (b - a).cross(c - a).normalize_or_zero();
            walls.below_mm((a + b + c) / 3.0, normal).is_some_and(|thick_mm| thick_mm <= thinner_mm)
        };
        let triangles = gold.triangles.par_iter().copied().filter(is_thin).collect();
        let thin = Mesh { vertices: gold.vertices.clone(), triangles };
        let surface = components::at_least(&thin, LEAST_PATCH_MM2);
        Self { name: "thin_bone", surface, is_solid: false, within_mm: thinner_mm }
    }
}

/// Returns the part of a scan that holds all voxels above a value, with one voxel around it where there is one.
fn around(ct: &Volume<f32>, above: f32) -> Option<Volume<f32>> {
    let [nx, ny, _] = ct.grid.size;
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for (row, values) in ct.data.chunks_exact(nx).enumerate() {
        let Some(first) = values.iter().position(|&value| value > above) else { continue };
        let last = values.iter().rposition(|&value| value > above).unwrap_or(first);
        for (axis, [from, to]) in [[first, last], [row % ny; 2], [row / ny; 2]].into_iter().enumerate() {
            low[axis] = low[axis].min(from.saturating_sub(1));
            high[axis] = high[axis].max((to + 2).min(ct.grid.size[axis]));
        }
    }
    if low[0] == usize::MAX {
        return None;
    }
    let size = [0, 1, 2].map(|axis| high[axis] - low[axis]);
    let grid = Grid { size, origin_mm: ct.grid.world(low[0], low[1], low[2]), ..ct.grid };
    let row = |i: usize| {
        let start = ct.grid.index(low[0], low[1] + i % size[1], low[2] + i / size[1]);
        &ct.data[start..start + size[0]]
    };
    let data = (0..size[1] * size[2]).flat_map(row).copied().collect();
    Some(Volume { grid, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::quadrature::shapes::{both, cuboid},
        space::DVec3,
    };

    #[test]
    fn metal_is_where_the_scan_says() {
        let mut grid = Grid::aligned([40, 30, 20], DVec3::new(0.5, 0.5, 1.0));
        grid.origin_mm = DVec3::new(-7.0, 3.0, 11.0);
        let mut ct = Volume::filled(grid, 40.0_f32);
        assert!(Place::metal(&ct, 3000.0, 10.0).surface.triangles.is_empty(), "no metal");
        for (x, y, z) in [(10, 12, 5), (11, 12, 5), (10, 12, 6), (39, 29, 19)] {
            let at = grid.index(x, y, z);
            ct.data[at] = 8000.0;
        }
        let whole = isosurface(&ct, 3000.0, Border::Cap);
        let metal = Place::metal(&ct, 3000.0, 10.0);
        assert_eq!(metal.surface.triangles.len(), whole.triangles.len());
        assert!((metal.surface.volume_mm3() - whole.volume_mm3()).abs() < 1e-9 && whole.volume_mm3() > 0.0);
        let ((low, high), (whole_low, whole_high)) = (metal.surface.bounds_mm().unwrap(), whole.bounds_mm().unwrap());
        assert!(low.distance(whole_low) < 1e-9 && high.distance(whole_high) < 1e-9);
    }

    #[test]
    fn thin_bone_is_a_plate_and_not_a_block_nor_a_crumb() {
        let mut all = cuboid(DVec3::ZERO, DVec3::new(20.0, 20.0, 1.2));
        for (low, high) in [(DVec3::splat(40.0), DVec3::splat(60.0)), (DVec3::splat(80.0), DVec3::splat(80.9))] {
            all = both(all, cuboid(low, high));
        }
        let found = Place::thin_bone(&all, 2.0);
        assert!((found.surface.area_mm2() - 800.0).abs() < 1e-6, "{} mm²", found.surface.area_mm2());
        let (low, high) = found.surface.bounds_mm().unwrap();
        assert!(low.distance(DVec3::ZERO) < 1e-9 && high.distance(DVec3::new(20.0, 20.0, 1.2)) < 1e-9);
        assert!(Place::thin_bone(&all, 1.0).surface.triangles.is_empty());
        let mut inside_out = all.clone();
        inside_out.triangles.iter_mut().for_each(|triangle| triangle.swap(0, 1));
        assert_eq!(Place::thin_bone(&inside_out, 2.0).surface.triangles.len(), found.surface.triangles.len());
    }
}
