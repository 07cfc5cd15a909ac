//! The defect found in a label: what the vault lacks.
//!
//! ```text
//!  bone       closed by a big ball     its outer layer      minus bone
//!  .---.           .---.                  .---.
//! /            /#######\              /       \                  \
//! |        --> |#######|  -->         |       |       -->        |   largest piece
//! ```

use super::defect::Solid;
use crate::{
    fault::{Fault, Result},
    geometry::{
        components, morphology,
        surface::{self, Border},
    },
    space::{DVec3, Grid},
    volume::Volume,
};

/// Voxels up to this size are joined into larger ones, mm: the solid only says what is near it.
const VOXEL_MM: f64 = 1.0;
/// Radius of the closing ball: half of the widest defect that is still bridged, mm.
const BRIDGE_MM: f64 = 60.0;
/// Thickness of the layer in which bone is missed: a thick vault, mm.
const LAYER_MM: f64 = 7.0;
/// Missing bone thinner than twice this is no defect (sutures, rims), mm.
const RIM_MM: f64 = 2.0;
/// Smallest defect: a ball of 1 cm, mm³.
const SMALLEST_MM3: f64 = 500.0;

/// Returns the missing bone of a skull label (non-zero is bone) as a closed mesh, LPS mm.
///
/// Only the vault is searched: the part above the centre of the bone, where a whole skull has no opening.
///
/// # Errors
/// Unfit when the label is empty, or no piece of half a cubic centimetre is missing.
pub fn missing_bone(bone: &Volume<u8>) -> Result<Solid> {
    let bone = &coarse(bone);
    let grid = bone.grid;
    let superior = |index: usize| {
        let (x, rest) = (index % grid.size[0], index / grid.size[0]);
        grid.world(x, rest % grid.size[1], rest / grid.size[1]).z
    };
    let heights_mm: Vec<f64> =
        bone.data.iter().enumerate().filter(|&(_, &value)| value != 0).map(|(index, _)| superior(index)).collect();
    if heights_mm.is_empty() {
        return Err(Fault::unfit("the defect cannot be found: the gold label is empty"));
    }
    let centre_mm = crate::numeric::tree_sum(&heights_mm) / heights_mm.len() as f64;
    let closed = morphology::close(&components::largest(bone), BRIDGE_MM);
    let inner = morphology::erode(&closed, LAYER_MM);
    let near_bone = morphology::dilate(bone, RIM_MM);
    let mut missing = bone.clone();
    for (index, value) in missing.data.iter_mut().enumerate() {
        let layer = closed.data[index] != 0 && inner.data[index] == 0;
        *value = u8::from(layer && near_bone.data[index] == 0 && superior(index) > centre_mm);
    }
    // Grown back by what the rim took, so that the solid reaches the bone's edge.
    let largest = morphology::dilate(&components::largest(&missing), RIM_MM);
    let voxels = largest.data.iter().filter(|&&value| value != 0).count();
    if (voxels as f64) * grid.voxel_mm3() < SMALLEST_MM3 {
        return Err(Fault::unfit("the defect cannot be found: no piece of the vault is missing")
            .hint("give the defect as a closed mesh or as a ball `x,y,z,radius`"));
    }
    Ok(Solid::Mesh(surface::label_surface(&largest, Border::Cap)))
}

/// Returns the label on voxels of about a millimetre, with bone wherever one of the joined voxels is bone.
fn coarse(bone: &Volume<u8>) -> Volume<u8> {
    let times = bone.grid.spacing_mm.to_array().map(|spacing| ((VOXEL_MM / spacing) as usize).max(1));
    let size = [0, 1, 2].map(|axis| bone.grid.size[axis].div_ceil(times[axis]));
    let factors = DVec3::from_array(times.map(|n| n as f64));
    let origin_mm = bone.grid.world_from_voxel().transform_point3(0.5 * (factors - DVec3::ONE));
    let grid = Grid { size, origin_mm, spacing_mm: bone.grid.spacing_mm * factors, ..bone.grid };
    let mut joined = Volume::filled(grid, 0_u8);
    let [nx, ny, _] = bone.grid.size;
    for (row, values) in bone.data.chunks_exact(nx).enumerate() {
        let first = grid.index(0, row % ny / times[1], row / ny / times[2]);
        for (value, blocks) in joined.data[first..first + size[0]].iter_mut().zip(values.chunks(times[0])) {
            *value |= u8::from(blocks.iter().any(|&v| v != 0));
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell of 60 mm radius and 6 mm thickness, open below 20 mm, with a hole of the given radius on its left side.
    fn skull(hole_mm: f64) -> Volume<u8> {
        let mut grid = Grid::aligned([70, 70, 50], DVec3::splat(2.0));
        grid.origin_mm = DVec3::new(-70.0, -70.0, -30.0);
        let mut bone = Volume::filled(grid, 0);
        let hole_centre = DVec3::new(42.0, 0.0, 42.0);
        for z in 0..50 {
            for y in 0..70 {
                for x in 0..70 {
                    let p = grid.world(x, y, z);
                    let shell = (54.0..=60.0).contains(&p.length());
                    bone.data[grid.index(x, y, z)] = u8::from(shell && p.distance(hole_centre) > hole_mm);
                }
            }
        }
        bone
    }

    #[test]
    fn the_hole_is_found_where_it_is() {
        let Solid::Mesh(solid) = missing_bone(&skull(20.0)).unwrap() else { panic!("a mesh is expected") };
        let (low, high) = solid.bounds_mm().unwrap();
        let centre = (low + high) / 2.0;
        assert!(centre.distance(DVec3::new(40.0, 0.0, 40.0)) < 8.0, "{centre}");
        // The piece cut out of the shell: a disc of 20 mm radius and 6 mm thickness, 7540 mm³, up to a voxel all around.
        let volume = solid.volume_mm3();
        assert!((4500.0..13000.0).contains(&volume), "{volume}");
    }

    #[test]
    fn fine_voxels_are_joined_in_place() {
        let mut grid = Grid::aligned([5, 4, 3], DVec3::new(0.4, 0.5, 1.5));
        grid.origin_mm = DVec3::new(1.0, 2.0, 3.0);
        let mut bone = Volume::filled(grid, 0_u8);
        bone.data[grid.index(4, 3, 1)] = 7;
        let joined = coarse(&bone);
        assert_eq!((joined.grid.size, joined.grid.spacing_mm), ([3, 2, 3], DVec3::new(0.8, 1.0, 1.5)));
        assert!((joined.grid.origin_mm - DVec3::new(1.2, 2.25, 3.0)).length() < 1e-12);
        assert_eq!(joined.data.iter().sum::<u8>(), 1);
        assert_eq!(joined.data[joined.grid.index(2, 1, 1)], 1);
    }

    #[test]
    fn a_whole_vault_has_no_defect() {
        assert!(missing_bone(&skull(0.0)).unwrap_err().what.contains("no piece"));
    }
}
