//! The craniotomy: a rounded prism driven through the vault. What it takes out of the bone is the missing piece.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{shape::rounded_box, skull::Skull};
use crate::{numeric::Stream, space::DVec3};

/// Where on the vault the bone is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Site {
    /// The forehead.
    Frontal,
    /// Between forehead and temple.
    FrontoTemporal,
    /// The temple, above the ear.
    Temporal,
    /// The upper side.
    Parietal,
    /// The back of the head.
    Occipital,
}

impl Site {
    const ALL: [Self; 5] = [Self::Frontal, Self::FrontoTemporal, Self::Temporal, Self::Parietal, Self::Occipital];

    /// Direction from the middle of the cavity, on the left side.
    const fn direction(self) -> DVec3 {
        match self {
            Self::Frontal => DVec3::new(0.40, -0.75, 0.55),
            Self::FrontoTemporal => DVec3::new(0.80, -0.50, 0.35),
            Self::Temporal => DVec3::new(0.95, 0.05, 0.38),
            Self::Parietal => DVec3::new(0.55, 0.30, 0.75),
            Self::Occipital => DVec3::new(0.35, 0.80, 0.42),
        }
    }
}

/// The prism lies above this height of the head, mm: the base is never opened.
const LOWEST_MM: f64 = -14.0;
/// How far the prism reaches inwards, mm: past the wall of the largest hole, short of the other side.
const DEPTH_MM: f64 = 42.0;

/// A hole in the vault.
#[derive(Clone, Debug)]
pub(super) struct Craniotomy {
    pub(super) site: Site,
    /// Middle of the hole on the outer table, in the head's frame, mm.
    pub(super) centre_mm: DVec3,
    /// Long axis, short axis, outward normal; in the head's frame.
    pub(super) axes: [DVec3; 3],
    /// Half lengths along the long and the short axis, at the outer table, mm.
    pub(super) half_mm: [f64; 2],
    /// By how much the hole narrows inwards, mm per mm.
    bevel: f64,
}

impl Craniotomy {
    /// Draws a hole of 3 to 10 cm in a skull.
    pub(super) fn draw(skull: &Skull, stream: &mut Stream) -> Self {
        let site = Site::ALL[stream.below(Site::ALL.len() as u64) as usize];
        let side = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
        let mut jitter = || stream.between(-0.12, 0.12);
        let direction = site.direction() * DVec3::new(side, 1.0, 1.0) + DVec3::new(jitter(), jitter(), jitter());
        let centre_mm = outer_point(skull, direction.normalize_or(DVec3::Z));
        let normal = outer_normal(skull, centre_mm);
        let (across, up) = normal.any_orthonormal_pair();
        let turn = DVec3::new(stream.between(-1.0, 1.0), stream.between(-1.0, 1.0), 0.0).normalize_or(DVec3::X);
        let long = across * turn.x + up * turn.y;
        let half_long = stream.between(15.0, 50.0);
        let half_mm = [half_long, half_long * stream.between(0.65, 1.0)];
        let bevel = stream.between(0.0, 0.3);
        Self { site, centre_mm, axes: [long, normal.cross(long), normal], half_mm, bevel }
    }

    /// Returns the distance to the prism, mm, negative inside.
    pub(super) fn prism(&self, p: DVec3) -> f64 {
        let to = p - self.centre_mm;
        let [u, v, w] = self.axes.map(|axis| to.dot(axis));
        let half = self.half_mm.map(|half| half + self.bevel * w.clamp(-10.0, 0.0));
        let round = 0.45 * half[0].min(half[1]);
        let outline = rounded_box(DVec3::new(u, v, 0.0), DVec3::new(half[0], half[1], 1e3), round);
        outline.max(-DEPTH_MM - w).max(w - 25.0).max(LOWEST_MM - p.z)
    }

    /// Returns a point of the rim on the outer table: the prism's edge in the direction of an angle's cosine and sine.
    pub(super) fn rim(&self, skull: &Skull, cosine: f64, sine: f64) -> DVec3 {
        let away = self.axes[0] * (cosine * self.half_mm[0]) + self.axes[1] * (sine * self.half_mm[1]);
        let p = self.centre_mm + away;
        outer_point(skull, p.normalize_or(DVec3::Z))
    }
}

/// Returns the point of the outer table in a direction from the middle of the head.
pub(super) fn outer_point(skull: &Skull, direction: DVec3) -> DVec3 {
    let (mut inside, mut outside) = (0.0, 150.0);
    for _ in 0..40 {
        let middle = 0.5 * (inside + outside);
        if skull.braincase(direction * middle).outer_mm < 0.0 {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    direction * inside
}

/// Returns the outward unit normal of the outer table near a point, by central differences.
pub(super) fn outer_normal(skull: &Skull, p: DVec3) -> DVec3 {
    let step = |axis: DVec3| skull.braincase(p + axis * 0.05).outer_mm - skull.braincase(p - axis * 0.05).outer_mm;
    DVec3::new(step(DVec3::X), step(DVec3::Y), step(DVec3::Z)).normalize_or(DVec3::Z)
}
