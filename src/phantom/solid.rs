//! A skull given as a label: real bone in a simulated scanner, with soft tissue made around it and an opening cut into it.
//!
//! ```text
//! label ─▶ shares of bone, blurred within a voxel ─▶ bone: where they pass one half, less the opening
//!   └────▶ closed, filled, grown on a coarse grid ─▶ skin; between skin and bone fat, else soft tissue
//! ```

use super::{
    body::{Body, Sample},
    real::{Head, OuterTable, smoothed},
    scene::rest,
    shape::smooth_max,
    surgery::{Plan, Surgery},
};
use crate::{
    fault::Result,
    geometry::{components, morphology},
    numeric::Seed,
    space::{DAffine3, DMat3, DVec3, Grid, Rigid},
    volume::Volume,
};

/// Edge of the coarse grid's voxels, mm.
const COARSE_MM: f64 = 4.0;
/// Room around the label on the coarse grid, mm.
const ROOM_MM: f64 = 24.0;
/// A ball of this radius that reaches a place from outside the bone has it outside the head, mm.
const CLOSED_MM: f64 = 50.0;
/// Thickness of the scalp, mm, and of the fat in it.
const SCALP_MM: f64 = 7.0;
const FAT_MM: f64 = 4.0;
/// Densities, HU.
const BONE_HU: f64 = 1150.0;
const SOFT_HU: f64 = 35.0;
const FAT_HU: f64 = -95.0;
const AIR_HU: f64 = -1000.0;

/// A head around a given skull.
pub(super) struct Solid {
    /// Shares of bone at the label's voxels.
    shares: Volume<f32>,
    voxel_from_label: DAffine3,
    /// First-order distance for a share off one half, mm.
    scale_mm: f64,
    /// On the coarse grid: distance to the skin, mm, negative inside; distance to the nearest voxel that touches bone.
    skin_mm: Volume<f32>,
    bone_away_mm: Volume<f32>,
    coarse_from_label: DAffine3,
    label_from_world: Rigid,
    /// Middle of the head, in the label's world and in the scan's.
    middle_mm: DVec3,
    /// Highest bone above the middle, mm.
    pub(super) top_mm: f64,
    pub(super) surgery: Surgery,
    pub(super) site: super::Site,
    /// Middle of the opening about the middle of the head, in the label's axes, mm.
    centre_mm: DVec3,
    table: OuterTable,
    rest_hu: f64,
}

impl Solid {
    /// Returns the head of a label's largest piece, with an opening and in a pose drawn from the seed.
    ///
    /// # Errors
    /// Unfit when the label holds no vault that stands upright in LPS.
    pub(super) fn new(label: &Volume<u8>, rest_hu: f64, seed: Seed) -> Result<Self> {
        let bone = components::largest(label);
        let head = Head::find(&bone)?;
        let (surgery, site, centre_mm) = Surgery::draw(&head, Plan::default(), &mut seed.stream("surgery", 0));
        let table = OuterTable::new(&head, &surgery);
        let reach_mm = 0.7 * bone.grid.spacing_mm.x;
        let (skin_mm, bone_away_mm) = coarse(&bone);
        let mut pose = seed.stream("pose", 0);
        let turn = DVec3::new(pose.between(-0.10, 0.10), pose.between(-0.05, 0.05), pose.between(-0.06, 0.06));
        let world_from_label = Rigid::about(head.middle_mm, turn, DVec3::ZERO);
        let [nx, ny, _] = bone.grid.size;
        let filled = bone.data.iter().enumerate().filter(|&(_, &bone)| bone != 0);
        let top_mm = filled
            .map(|(i, _)| world_from_label.apply(bone.grid.world(i % nx, i / nx % ny, i / nx / ny)).z)
            .fold(f64::NEG_INFINITY, f64::max);
        Ok(Self {
            shares: smoothed(&bone, reach_mm),
            voxel_from_label: bone.grid.voxel_from_world(),
            // A blurred step is steepest in its middle: one over √(2π) of its width.
            scale_mm: reach_mm * (2.0 * std::f64::consts::PI).sqrt(),
            coarse_from_label: skin_mm.grid.voxel_from_world(),
            skin_mm,
            bone_away_mm,
            label_from_world: world_from_label.inverse(),
            middle_mm: head.middle_mm,
            top_mm: top_mm - head.middle_mm.z,
            surgery,
            site,
            centre_mm,
            table,
            rest_hu,
        })
    }

    /// Returns the middle of the head in the scan's world, mm.
    pub(super) const fn middle_mm(&self) -> DVec3 {
        self.middle_mm
    }

    /// Returns where the label lies in the scan's world.
    pub(super) fn world_from_label(&self) -> Rigid {
        self.label_from_world.inverse()
    }

    /// Returns whether the opening is on the left of the patient.
    pub(super) fn is_left(&self) -> bool {
        self.centre_mm.x > 0.0
    }

    /// Returns the distance to the given skull, mm, negative inside: near its surface to first order.
    fn skull_mm(&self, label: DVec3) -> f64 {
        let share = interpolated(&self.shares, self.voxel_from_label.transform_point3(label), 0.0);
        (0.5 - share) * self.scale_mm
    }

    /// Returns the distance to what was cut away, mm, negative inside.
    fn cut_mm(&self, label: DVec3) -> f64 {
        let p = label - self.middle_mm;
        let beyond = p.distance(self.centre_mm) - self.surgery.bound_mm();
        if beyond > 4.0 { beyond } else { self.table.cut_mm(&self.surgery, p) }
    }

    fn opened_mm(&self, label: DVec3) -> f64 {
        smooth_max(self.skull_mm(label), -self.cut_mm(label), self.surgery.edge_mm)
    }
}

impl Body for Solid {
    fn sample(&self, world: DVec3) -> Sample {
        let label = self.label_from_world.apply(world);
        let place = self.coarse_from_label.transform_point3(label);
        // Distances between voxels of the coarse grid are off by its voxel's diagonal at most.
        let slack = COARSE_MM * 1.75;
        let skin = interpolated(&self.skin_mm, place, ROOM_MM);
        let bone_away = interpolated(&self.bone_away_mm, place, ROOM_MM) - slack;
        if bone_away < 0.0 && self.opened_mm(label) < 0.0 {
            return Sample { hu: BONE_HU, clear_mm: 0.0, even_mm: 0.0 };
        }
        if skin > 0.0 {
            let shell = rest(world - self.middle_mm);
            let hu = if shell < 0.0 { self.rest_hu } else { AIR_HU };
            let clear_mm = 0.6 * shell.abs().min(skin).min(bone_away.max(0.0));
            return Sample { hu, clear_mm, even_mm: clear_mm };
        }
        let edge = (skin + FAT_MM).abs().min(-skin);
        let hu = if skin > -FAT_MM { FAT_HU } else { SOFT_HU };
        let clear_mm = 0.6 * edge.min(bone_away.max(0.0));
        Sample { hu, clear_mm, even_mm: clear_mm }
    }

    fn mix(&self, world: DVec3, edge_mm: f64, found: &mut dyn FnMut(f64, f64)) {
        // A label's distance is known within a voxel or two only: points, at every second corner of a smaller cube.
        for corner in [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]] {
            found(0.25, self.sample(world + DVec3::from_array(corner) * (0.25 * edge_mm)).hu);
        }
    }

    fn is_metal_near(&self, _: DVec3, _: f64) -> bool {
        false
    }

    fn iron_g_cm3(&self, _: DVec3) -> f64 {
        0.0
    }

    fn bone_mm(&self, world: DVec3) -> f64 {
        let label = self.label_from_world.apply(world);
        let away = interpolated(&self.bone_away_mm, self.coarse_from_label.transform_point3(label), ROOM_MM);
        // Far away a lower bound will do; near by the share decides, which knows no farther than a voxel or two.
        if away > 2.0 * COARSE_MM { away - 1.75 * COARSE_MM } else { self.opened_mm(label) }
    }

    fn missing_mm(&self, world: DVec3) -> f64 {
        let label = self.label_from_world.apply(world);
        self.skull_mm(label).max(self.cut_mm(label))
    }

    fn opening(&self) -> (DVec3, f64) {
        (self.world_from_label().apply(self.middle_mm + self.centre_mm), self.surgery.bound_mm())
    }
}

/// Returns distances to the skin and to bone on a coarse grid around a label.
fn coarse(bone: &Volume<u8>) -> (Volume<f32>, Volume<f32>) {
    let corners = (0..8).map(|i: usize| {
        let at = |axis: usize| (i >> axis & 1) * (bone.grid.size[axis] - 1);
        bone.grid.world(at(0), at(1), at(2))
    });
    let bounds = corners.fold((DVec3::INFINITY, DVec3::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)));
    let low = bounds.0 - DVec3::splat(ROOM_MM);
    let size = ((bounds.1 + DVec3::splat(ROOM_MM) - low) / COARSE_MM).ceil().to_array().map(|n| n as usize + 1);
    let grid = Grid { size, origin_mm: low, spacing_mm: DVec3::splat(COARSE_MM), direction: DMat3::IDENTITY };
    let mut touched = Volume::filled(grid, 0_u8);
    let [nx, ny, _] = bone.grid.size;
    for (i, _) in bone.data.iter().enumerate().filter(|&(_, &bone)| bone != 0) {
        let index = ((bone.grid.world(i % nx, i / nx % ny, i / nx / ny) - low) / COARSE_MM).round();
        touched.data[grid.index(index.x as usize, index.y as usize, index.z as usize)] = 1;
    }
    let closed = components::fill_holes(&morphology::close(&touched, CLOSED_MM));
    let head = morphology::dilate(&closed, SCALP_MM);
    let away = |label: &Volume<u8>| morphology::distance_mm2(label).map(f32::sqrt);
    let (from_head, from_air) = (away(&head), away(&head.map(|inside| 1 - inside)));
    let room = ROOM_MM as f32;
    let signed = |(&out, &inside): (&f32, &f32)| (out - inside).clamp(-room, room);
    let skin = Volume { grid, data: from_head.data.iter().zip(&from_air.data).map(signed).collect() };
    (skin, away(&touched).map(|mm| mm.min(room)))
}

/// Returns the value between voxels, linearly; `outside` beyond the outermost voxel centres.
fn interpolated(volume: &Volume<f32>, place: DVec3, outside: f64) -> f64 {
    let size = volume.grid.size;
    let low = place.floor();
    if low.min_element() < 0.0 || (0..3).any(|axis| low[axis] + 1.0 >= size[axis] as f64) {
        return outside;
    }
    let share = place - low;
    let start = volume.grid.index(low.x as usize, low.y as usize, low.z as usize);
    let along = |offset: usize| {
        let (a, b) = (f64::from(volume.data[start + offset]), f64::from(volume.data[start + offset + 1]));
        a + share.x * (b - a)
    };
    let plane = |offset: usize| {
        let (a, b) = (along(offset), along(offset + size[0]));
        a + share.y * (b - a)
    };
    let (a, b) = (plane(0), plane(size[0] * size[1]));
    a + share.z * (b - a)
}
