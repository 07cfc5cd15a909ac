//! A look at a case: axial, coronal and sagittal slices in a bone and in a soft window, with the true bone outlined.

use crate::volume::Volume;

/// A picture: 8-bit RGB, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Montage {
    /// Pixels along a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `3 * width * height` bytes.
    pub rgb: Vec<u8>,
}

/// Tiles along a row of the montage.
const COLUMNS: usize = 6;
/// Pixels along an edge of a tile.
const TILE: usize = 220;
/// Shown from black to white in the two windows, HU.
const BONE_HU: (f64, f64) = (-400.0, 1600.0);
const SOFT_HU: (f64, f64) = (-70.0, 130.0);
/// Colour of the true bone's outline.
const OUTLINE: [u8; 3] = [235, 80, 60];

/// How a tile shows its slice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Bone,
    Soft,
    /// The bone window, with the true bone's outline.
    Outlined,
}

/// A plane of the volume to show: two axes, the third fixed.
#[derive(Clone, Copy)]
struct Cut {
    across: usize,
    down: usize,
    /// Where along the third axis: the share of its length.
    share: f64,
    look: Look,
}

/// Returns the montage: axial slices from the vertex down (patient's right on the left) in the bone window, some outlined,
/// then in the soft window; coronal and sagittal slices in both. Both volumes are on one grid whose third axis goes up.
#[must_use]
pub fn preview(ct: &Volume<f32>, label: &Volume<u8>) -> Montage {
    let axial = |share: f64, look| Cut { across: 0, down: 1, share, look };
    let upright = |look| {
        let coronal = [0.28, 0.45, 0.62].map(|share| Cut { across: 0, down: 2, share, look });
        let sagittal = [0.36, 0.5, 0.6].map(|share| Cut { across: 1, down: 2, share, look });
        coronal.into_iter().chain(sagittal)
    };
    let level = |i: usize, of: usize| 1.0 - (i as f64 + 0.5) / of as f64;
    let cuts: Vec<Cut> = (0..12)
        .map(|i| axial(level(i, 12), Look::Bone))
        .chain((0..6).map(|i| axial(level(i, 6), Look::Outlined)))
        .chain((0..6).map(|i| axial(level(i, 6), Look::Soft)))
        .chain(upright(Look::Bone))
        .chain(upright(Look::Soft))
        .collect();
    let (width, height) = (TILE * COLUMNS, TILE * cuts.len().div_ceil(COLUMNS));
    let mut rgb = vec![0; 3 * width * height];
    for (tile, cut) in cuts.iter().enumerate() {
        let (left, top) = (tile % COLUMNS * TILE, tile / COLUMNS * TILE);
        for y in 0..TILE {
            for x in 0..TILE {
                let start = 3 * (left + x + width * (top + y));
                rgb[start..start + 3].copy_from_slice(&shade(ct, label, *cut, [x, y]));
            }
        }
    }
    Montage { width, height, rgb }
}

/// Returns the voxel under a pixel of a tile; z is shown upwards. Tiles are as wide as the longest side of the volume.
fn voxel(ct: &Volume<f32>, cut: Cut, pixel: [usize; 2]) -> Option<[usize; 3]> {
    let (size, spacing_mm) = (ct.grid.size, ct.grid.spacing_mm.to_array());
    let longest = (0..3).map(|axis| size[axis] as f64 * spacing_mm[axis]).fold(0.0, f64::max);
    let pixel_mm = longest / TILE as f64;
    let third = 3 - cut.across - cut.down;
    let mut index = [0; 3];
    index[third] = ((cut.share * size[third] as f64) as usize).min(size[third] - 1);
    for (axis, at) in [(cut.across, pixel[0]), (cut.down, pixel[1])] {
        // The volume stands in the middle of the tile.
        let from_middle = (at as f64 + 0.5 - 0.5 * TILE as f64) * pixel_mm / spacing_mm[axis];
        let along = if axis == 2 { -from_middle } else { from_middle } + 0.5 * size[axis] as f64;
        if along < 0.0 || along >= size[axis] as f64 {
            return None;
        }
        index[axis] = along as usize;
    }
    Some(index)
}

/// Returns the colour of one pixel of a tile.
fn shade(ct: &Volume<f32>, label: &Volume<u8>, cut: Cut, pixel: [usize; 2]) -> [u8; 3] {
    let Some([x, y, z]) = voxel(ct, cut, pixel) else {
        return [0; 3];
    };
    let bone = |pixel| voxel(ct, cut, pixel).is_some_and(|[x, y, z]| label.at(x, y, z) != 0);
    let [across, down] = pixel;
    if cut.look == Look::Outlined && bone(pixel) && !(bone([across + 1, down]) && bone([across, down + 1])) {
        return OUTLINE;
    }
    let (low, high) = if cut.look == Look::Soft { SOFT_HU } else { BONE_HU };
    let share = (f64::from(ct.at(x, y, z)) - low) / (high - low);
    [(255.0 * share.clamp(0.0, 1.0)).round() as u8; 3]
}
