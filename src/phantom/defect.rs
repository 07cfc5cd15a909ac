//! The craniotomy: a rounded prism driven through the vault, or the shape of an operation. What it takes out of the bone
//! is the missing piece.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    shape::rounded_box,
    skull::Skull,
    surgery::{Plan, Surgery, Vault},
};
use crate::{numeric::Stream, space::DVec3};

/// Where on the vault the bone is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Site {
    /// The forehead.
    Frontal,
    /// Between forehead and temple.
    FrontoTemporal,
    /// Behind the orbit, where frontal, parietal, sphenoid and temporal bone meet.
    Pterional,
    /// The temple, above the ear.
    Temporal,
    /// The upper side.
    Parietal,
    /// The back of the head.
    Occipital,
}

impl Site {
    const ALL: [Self; 5] = [Self::Frontal, Self::FrontoTemporal, Self::Temporal, Self::Parietal, Self::Occipital];

    /// Those of operations.
    pub(super) const SURGICAL: [Self; 5] =
        [Self::Frontal, Self::FrontoTemporal, Self::Pterional, Self::Parietal, Self::Occipital];

    /// Half of the longest opening there, mm.
    pub(super) const fn most_half_mm(self) -> f64 {
        match self {
            Self::Pterional => 40.0,
            Self::Occipital => 50.0,
            Self::Frontal => 60.0,
            _ => 70.0,
        }
    }

    /// The lowest that an operation opens the skull there, mm in the head's frame.
    pub(super) const fn lowest_mm(self) -> f64 {
        match self {
            Self::Frontal => -8.0,
            Self::Pterional | Self::FrontoTemporal | Self::Temporal => -26.0,
            _ => -18.0,
        }
    }

    /// Direction from the middle of the cavity, on the left side.
    pub(super) const fn direction(self) -> DVec3 {
        match self {
            Self::Frontal => DVec3::new(0.40, -0.75, 0.55),
            Self::FrontoTemporal => DVec3::new(0.80, -0.50, 0.35),
            Self::Pterional => DVec3::new(0.86, -0.62, 0.10),
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
    /// What takes the place of the prism, when it was an operation.
    pub(super) surgery: Option<Surgery>,
}

/// Width over which the edges of the bone are rounded, as an engineer would, mm.
const EDGE_MM: f64 = 1.5;

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
        Self { site, centre_mm, axes: [long, normal.cross(long), normal], half_mm, bevel, surgery: None }
    }

    /// Draws an operation.
    pub(super) fn operate(skull: &Skull, stream: &mut Stream) -> Self {
        let (surgery, site, centre_mm) = Surgery::draw(skull, Plan::default(), stream);
        let (axes, half_mm) = (surgery.axes, surgery.half_mm);
        Self { site, centre_mm, axes, half_mm, bevel: 0.0, surgery: Some(surgery) }
    }

    /// Returns the distance to what is taken away, mm, negative inside; a lower bound far away. `outer_mm` is the distance
    /// to the outer table.
    pub(super) fn cut_mm(&self, p: DVec3, outer_mm: f64) -> f64 {
        self.surgery.as_ref().map_or_else(
            || self.prism(p),
            |surgery| surgery.bounded_mm(p, outer_mm, self.centre_mm).unwrap_or_else(|| surgery.cut_mm(p, outer_mm)),
        )
    }

    /// Returns the width over which the edges of the bone are rounded, mm.
    pub(super) fn edge_mm(&self) -> f64 {
        self.surgery.as_ref().map_or(EDGE_MM, |surgery| surgery.edge_mm)
    }

    /// Returns how far from its middle anything that is taken away can be, mm.
    pub(super) fn bound_mm(&self) -> f64 {
        // The prism's long half axis, and how far its far corner lies below the middle of the outer table.
        let prism = self.half_mm[0] * std::f64::consts::SQRT_2 + 20.0;
        self.surgery.as_ref().map_or(prism, |surgery| surgery.bound_mm())
    }

    /// Returns the distance to the prism, mm, negative inside.
    fn prism(&self, p: DVec3) -> f64 {
        let to = p - self.centre_mm;
        let [u, v, w] = self.axes.map(|axis| to.dot(axis));
        let half = self.half_mm.map(|half| half + self.bevel * w.clamp(-10.0, 0.0));
        let round = 0.45 * half[0].min(half[1]);
        let outline = rounded_box(DVec3::new(u, v, 0.0), DVec3::new(half[0], half[1], 1e3), round);
        outline.max(-DEPTH_MM - w).max(w - 25.0).max(LOWEST_MM - p.z)
    }

    /// Returns a point of the rim on the outer table: the prism's edge in the direction of an angle's cosine and sine.
    pub(super) fn rim(&self, skull: &Skull, cosine: f64, sine: f64) -> DVec3 {
        if let Some(surgery) = &self.surgery {
            return outer_point(skull, surgery.rim(cosine, sine));
        }
        let away = self.axes[0] * (cosine * self.half_mm[0]) + self.axes[1] * (sine * self.half_mm[1]);
        let p = self.centre_mm + away;
        outer_point(skull, p.normalize_or(DVec3::Z))
    }
}

impl Vault for Skull {
    fn outer(&self, direction: DVec3) -> DVec3 {
        outer_point(self, direction)
    }

    fn normal(&self, p: DVec3) -> DVec3 {
        outer_normal(self, p)
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
