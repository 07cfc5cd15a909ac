//! A look at a case: axial slices in rows, then coronal and sagittal ones, with the true bone outlined.

use super::Phantom;

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
const COLUMNS: usize = 4;
/// Axial slices shown; four coronal and four sagittal ones follow.
const AXIAL: usize = 12;
/// Shown from black to white, HU.
const WINDOW_HU: (f64, f64) = (-400.0, 1400.0);
/// Colour of the true bone's outline.
const OUTLINE: [u8; 3] = [235, 80, 60];

/// A plane of the volume to show: two axes, the third fixed.
#[derive(Clone, Copy)]
struct Cut {
    across: usize,
    down: usize,
    fixed: [usize; 3],
}

/// Returns the montage: 12 axial slices from the vertex down (patient's right on the left), 4 coronal, 4 sagittal.
#[must_use]
pub fn preview(phantom: &Phantom) -> Montage {
    let size = phantom.ct.grid.size;
    let spacing_mm = phantom.ct.grid.spacing_mm.to_array();
    // Square pixels of the in-plane spacing; one tile fits every cut.
    let pixel_mm = spacing_mm[0].min(spacing_mm[1]);
    let pixels = |axis: usize| ((size[axis] as f64 * spacing_mm[axis] / pixel_mm).round() as usize).max(1);
    let (wide, high) = (pixels(0).max(pixels(1)), pixels(1).max(pixels(2)));
    let at = |axis: usize, i: usize, of: usize| (2 * i + 1) * size[axis] / (2 * of);
    let axial = (0..AXIAL).map(|i| Cut { across: 0, down: 1, fixed: [0, 0, size[2] - 1 - at(2, i, AXIAL)] });
    // The outermost of these cuts would pass by the head.
    let coronal = (1..=COLUMNS).map(|i| Cut { across: 0, down: 2, fixed: [0, at(1, i, COLUMNS + 2), 0] });
    let sagittal = (1..=COLUMNS).map(|i| Cut { across: 1, down: 2, fixed: [at(0, i, COLUMNS + 2), 0, 0] });
    let cuts: Vec<Cut> = axial.chain(coronal).chain(sagittal).collect();
    let (width, height) = (wide * COLUMNS, high * cuts.len().div_ceil(COLUMNS));
    let mut rgb = vec![0; 3 * width * height];
    for (tile, cut) in cuts.iter().enumerate() {
        let (left, top) = (tile % COLUMNS * wide, tile / COLUMNS * high);
        for y in 0..pixels(cut.down) {
            for x in 0..pixels(cut.across) {
                let start = 3 * (left + x + width * (top + y));
                let step = [pixel_mm / spacing_mm[cut.across], pixel_mm / spacing_mm[cut.down]];
                rgb[start..start + 3].copy_from_slice(&shade(phantom, *cut, [x, y], step));
            }
        }
    }
    Montage { width, height, rgb }
}

/// Returns the colour of one pixel of a cut; z is shown upwards.
fn shade(phantom: &Phantom, cut: Cut, pixel: [usize; 2], step: [f64; 2]) -> [u8; 3] {
    let size = phantom.ct.grid.size;
    let voxel = |[x, y]: [usize; 2]| {
        let mut index = cut.fixed;
        index[cut.across] = (((x as f64 + 0.5) * step[0]) as usize).min(size[cut.across] - 1);
        let down = (((y as f64 + 0.5) * step[1]) as usize).min(size[cut.down] - 1);
        index[cut.down] = if cut.down == 2 { size[2] - 1 - down } else { down };
        index
    };
    let bone = |pixel| {
        let [x, y, z] = voxel(pixel);
        phantom.label.at(x, y, z)
    };
    let [x, y] = pixel;
    if bone(pixel) == 1 && (bone([x + 1, y]) == 0 || bone([x, y + 1]) == 0) {
        return OUTLINE;
    }
    let [x, y, z] = voxel(pixel);
    let share = (f64::from(phantom.ct.at(x, y, z)) - WINDOW_HU.0) / (WINDOW_HU.1 - WINDOW_HU.0);
    [(255.0 * share.clamp(0.0, 1.0)).round() as u8; 3]
}
