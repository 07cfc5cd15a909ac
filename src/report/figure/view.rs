//! A view: a rectangle of square pixels in a plane of the world, and what volumes look like there.
//!
//! ```text
//! axial      right = L, down = P      (the reader stands at the patient's feet)
//! coronal    right = L, down = I
//! sagittal   right = P, down = I
//! ```

use rayon::prelude::*;

use super::canvas::Point;
use crate::{
    space::{DVec3, Grid},
    volume::Volume,
};

/// The three planes of a slice figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plane {
    Axial,
    Coronal,
    Sagittal,
}

impl Plane {
    /// Returns the world directions of the picture's right and down.
    pub(super) const fn axes(self) -> [DVec3; 2] {
        match self {
            Self::Axial => [DVec3::X, DVec3::Y],
            Self::Coronal => [DVec3::X, DVec3::NEG_Z],
            Self::Sagittal => [DVec3::Y, DVec3::NEG_Z],
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Axial => "axial",
            Self::Coronal => "coronal",
            Self::Sagittal => "sagittal",
        }
    }

    /// Returns the coordinate that is the same all over the plane, with its name.
    pub(super) const fn position(self, p: DVec3) -> (&'static str, f64) {
        match self {
            Self::Axial => ("z", p.z),
            Self::Coronal => ("y", p.y),
            Self::Sagittal => ("x", p.x),
        }
    }
}

/// A rectangle of square pixels in a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    pub plane: Plane,
    /// World position of the middle of the picture, LPS mm.
    pub centre_mm: DVec3,
    pub mm_per_px: f64,
    pub width: usize,
    pub height: usize,
}

impl View {
    /// Returns the world position of a place on the picture.
    pub(super) fn world(&self, [x, y]: Point) -> DVec3 {
        let [right, down] = self.plane.axes();
        let from_middle = |v: f64, size: usize| (v - 0.5 * (size as f64 - 1.0)) * self.mm_per_px;
        self.centre_mm + right * from_middle(x, self.width) + down * from_middle(y, self.height)
    }

    /// Returns the place on the picture that a world position is seen at, along the normal of the plane.
    pub(super) fn pixel(&self, world_mm: DVec3) -> Point {
        let [right, down] = self.plane.axes();
        let from = world_mm - self.centre_mm;
        let place = |along: DVec3, size: usize| from.dot(along) / self.mm_per_px + 0.5 * (size as f64 - 1.0);
        [place(right, self.width), place(down, self.height)]
    }

    /// Returns the height of a world position over the plane, mm.
    pub(super) fn height_mm(&self, world_mm: DVec3) -> f64 {
        let [right, down] = self.plane.axes();
        (world_mm - self.centre_mm).dot(right.cross(down))
    }

    /// Returns the volume's values at the pixels, interpolated; `outside` where the volume does not reach.
    pub(super) fn sample<T: Copy + Into<f64> + Sync>(&self, volume: &Volume<T>, outside: f64) -> Vec<f64> {
        let voxel_from_world = volume.grid.voxel_from_world();
        let rows = (0..self.height).into_par_iter().flat_map_iter(|y| {
            let value = move |x: usize| {
                let voxel = voxel_from_world.transform_point3(self.world([x as f64, y as f64]));
                trilinear(volume, voxel).unwrap_or(outside)
            };
            (0..self.width).map(value)
        });
        rows.collect()
    }
}

/// Returns the value at a voxel position; the outer half of the border voxels is theirs, beyond is nothing.
fn trilinear<T: Copy + Into<f64>>(volume: &Volume<T>, voxel: DVec3) -> Option<f64> {
    let size = volume.grid.size;
    let mut low = [0; 3];
    let mut share = [0.0; 3];
    for (axis, v) in voxel.to_array().into_iter().enumerate() {
        let last = size[axis] as f64 - 1.0;
        if !(v >= -0.5 && v <= last + 0.5) {
            return None;
        }
        let v = v.clamp(0.0, last);
        low[axis] = v as usize;
        share[axis] = v - low[axis] as f64;
    }
    let high = [0, 1, 2].map(|axis| (low[axis] + 1).min(size[axis] - 1));
    let along_x = |y: usize, z: usize| mix(volume.at(low[0], y, z).into(), volume.at(high[0], y, z).into(), share[0]);
    let along_y = |z: usize| mix(along_x(low[1], z), along_x(high[1], z), share[1]);
    Some(mix(along_y(low[2]), along_y(high[2]), share[2]))
}

fn mix(a: f64, b: f64, share: f64) -> f64 {
    a + (b - a) * share
}

/// An axis-aligned box in the world, LPS mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub low: DVec3,
    pub high: DVec3,
}

impl Bounds {
    pub(super) fn centre(&self) -> DVec3 {
        0.5 * (self.low + self.high)
    }

    pub(super) fn extent(&self) -> DVec3 {
        self.high - self.low
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn grown(self, margin_mm: f64) -> Self {
        Self { low: self.low - DVec3::splat(margin_mm), high: self.high + DVec3::splat(margin_mm) }
    }

    /// Returns the box around voxels `low` to `high` of a grid, borders included.
    fn of_voxels(grid: &Grid, low: [usize; 3], high: [usize; 3]) -> Self {
        let map = grid.world_from_voxel();
        let corner = |i: usize| {
            let at = |axis: usize| if i >> axis & 1 == 0 { low[axis] as f64 - 0.5 } else { high[axis] as f64 + 0.5 };
            map.transform_point3(DVec3::new(at(0), at(1), at(2)))
        };
        let start = Self { low: corner(0), high: corner(0) };
        (1..8).map(corner).fold(start, |all, p| all.union(Self { low: p, high: p }))
    }

    /// Returns the box around a whole grid.
    pub(super) fn of_grid(grid: &Grid) -> Self {
        Self::of_voxels(grid, [0; 3], grid.size.map(|n| n.saturating_sub(1)))
    }

    /// Returns the box around the voxels that are not 0, or nothing when all are.
    pub(super) fn of_label(label: &Volume<u8>) -> Option<Self> {
        let [nx, ny, nz] = label.grid.size;
        let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
        for (y, z) in (0..nz).flat_map(|z| (0..ny).map(move |y| (y, z))) {
            let row = &label.data[label.grid.index(0, y, z)..][..nx];
            let (Some(first), Some(last)) = (row.iter().position(|&v| v != 0), row.iter().rposition(|&v| v != 0))
            else {
                continue;
            };
            for (axis, (from, to)) in [(first, last), (y, y), (z, z)].into_iter().enumerate() {
                low[axis] = low[axis].min(from);
                high[axis] = high[axis].max(to);
            }
        }
        (low[0] != usize::MAX).then(|| Self::of_voxels(&label.grid, low, high))
    }
}

/// Returns the anatomical letter of the world direction that is nearest to `direction`.
pub(super) fn letter(direction: DVec3) -> &'static str {
    let [x, y, z] = direction.to_array();
    let largest = x.abs().max(y.abs()).max(z.abs());
    match () {
        () if x.abs() >= largest => ["R", "L"][usize::from(x > 0.0)],
        () if y.abs() >= largest => ["A", "P"][usize::from(y > 0.0)],
        () => ["I", "S"][usize::from(z > 0.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::DMat3;

    fn ramp(grid: Grid) -> Volume<f32> {
        let mut ramp = Volume::filled(grid, 0.0);
        for i in 0..grid.len() {
            let (x, y, z) = (i % grid.size[0], i / grid.size[0] % grid.size[1], i / (grid.size[0] * grid.size[1]));
            let p = grid.world(x, y, z);
            ramp.data[i] = (p.x + 10.0 * p.y + 100.0 * p.z) as f32;
        }
        ramp
    }

    #[test]
    fn a_linear_field_is_met_exactly_on_any_grid() {
        let turned = DMat3::from_cols(DVec3::NEG_Y, DVec3::X, DVec3::NEG_Z);
        for direction in [DMat3::IDENTITY, turned] {
            let origin = direction * DVec3::new(-3.0, -4.0, -5.0);
            let volume = ramp(Grid::new([7, 5, 6], origin, DVec3::new(1.0, 2.0, 2.0), direction).unwrap());
            let view = View { plane: Plane::Coronal, centre_mm: DVec3::ZERO, mm_per_px: 0.5, width: 5, height: 5 };
            let seen = view.sample(&volume, f64::NAN);
            assert!((seen[12] - 0.0).abs() < 1e-5);
            assert!((seen[14] - 1.0).abs() < 1e-5, "right of a coronal view is +x");
            assert!((seen[22] + 100.0).abs() < 1e-4, "down is -z");
        }
    }

    #[test]
    fn pixel_and_world_are_inverse_and_letters_follow_lps() {
        let view = View {
            plane: Plane::Sagittal,
            centre_mm: DVec3::new(1.0, 2.0, 3.0),
            mm_per_px: 0.25,
            width: 40,
            height: 30,
        };
        let [x, y] = view.pixel(view.world([3.0, 4.0]));
        assert!((x - 3.0).abs() < 1e-12 && (y - 4.0).abs() < 1e-12);
        assert_eq!(Plane::Axial.axes().map(letter), ["L", "P"]);
        assert_eq!(Plane::Sagittal.axes().map(letter), ["P", "I"]);
    }

    #[test]
    fn bounds_of_one_voxel_are_its_box() {
        let grid = Grid::aligned([4, 4, 4], DVec3::new(1.0, 2.0, 3.0));
        let mut label = Volume::filled(grid, 0_u8);
        assert_eq!(Bounds::of_label(&label), None);
        label.data[grid.index(1, 2, 3)] = 1;
        let bounds = Bounds::of_label(&label).unwrap();
        assert_eq!((bounds.low, bounds.high), (DVec3::new(0.5, 3.0, 7.5), DVec3::new(1.5, 5.0, 10.5)));
    }
}
