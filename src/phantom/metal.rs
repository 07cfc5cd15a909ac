//! Metal in the head: fillings, plates at the rim of the hole, staples in the scalp, a clip on an artery.

use super::{
    defect::{Craniotomy, outer_normal, outer_point},
    shape::tube,
    skull::Skull,
};
use crate::{numeric::Stream, space::DVec3};

/// Metal before the scanner clips it, HU.
pub(super) const METAL_HU: f64 = 8000.0;

/// One piece of metal: a wire or a ball.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Ends of the axis, in the head's frame, mm.
    pub(super) ends_mm: [DVec3; 2],
    /// Radius, mm.
    pub(super) radius_mm: f64,
    /// How strongly it streaks: 1 for a large filling.
    pub(super) streak: f64,
    /// Density of the iron that weakens the beam as much, g/cm³.
    pub(super) iron_g_cm3: f64,
}

/// Amalgam (10.9 g/cm³; half mercury, the rest silver, tin and copper) by its attenuation from 60 to 80 keV (NIST).
const AMALGAM: f64 = 44.0;
/// Titanium (4.51 g/cm³) by its attenuation at 60 keV: 0.7661 against iron's 1.205 cm²/g (NIST).
const TITANIUM: f64 = 2.9;
/// Steel.
const STEEL: f64 = 7.8;

/// All metal of a head.
#[derive(Clone, Debug, Default)]
pub(super) struct Metal {
    pub(super) pieces: Vec<Piece>,
    /// How far from the first end of its axis any piece can be, mm.
    reach_mm: f64,
}

impl Metal {
    /// Draws the metal of a head.
    pub(super) fn draw(skull: &Skull, hole: &Craniotomy, stream: &mut Stream) -> Self {
        let mut pieces = fillings(skull, stream);
        pieces.extend(plates(skull, hole, stream));
        pieces.extend(staples(skull, hole, stream));
        if stream.unit() < 0.2 {
            let side = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
            let from = DVec3::new(side * stream.between(6.0, 28.0), -14.0, stream.between(-26.0, -14.0));
            let to = from + DVec3::new(side * 3.0, -4.0, stream.between(3.0, 6.0));
            pieces.push(Piece { ends_mm: [from, to], radius_mm: 1.0, streak: 0.8, iron_g_cm3: TITANIUM });
        }
        let reach = |piece: &Piece| piece.ends_mm[0].distance(piece.ends_mm[1]) + piece.radius_mm;
        let reach_mm = pieces.iter().map(reach).fold(0.0, f64::max);
        Self { pieces, reach_mm }
    }

    /// Returns the distance to the nearest piece, mm, negative inside; a lower bound far away, infinite without metal.
    pub(super) fn distance_mm(&self, p: DVec3) -> f64 {
        let first = |piece: &Piece| p.distance_squared(piece.ends_mm[0]);
        let away = self.pieces.iter().map(first).fold(f64::INFINITY, f64::min).sqrt() - self.reach_mm;
        if away > 6.0 {
            return away;
        }
        let distance = |piece: &Piece| tube(p, piece.ends_mm[0], piece.ends_mm[1], [piece.radius_mm; 2]);
        self.pieces.iter().map(distance).fold(f64::INFINITY, f64::min)
    }
}

impl Metal {
    /// Returns the density of iron that stands for the piece nearest to a point, g/cm³; 0 without metal.
    pub(super) fn iron_g_cm3(&self, p: DVec3) -> f64 {
        let distance = |piece: &Piece| tube(p, piece.ends_mm[0], piece.ends_mm[1], [piece.radius_mm; 2]);
        let nearer = |a: &&Piece, b: &&Piece| distance(a).total_cmp(&distance(b));
        self.pieces.iter().min_by(nearer).map_or(0.0, |piece| piece.iron_g_cm3)
    }
}

fn fillings(skull: &Skull, stream: &mut Stream) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for &tooth in skull.tooth_positions() {
        // Back teeth are filled more often than front teeth; crowns face each other between the jaws.
        let back = if skull.detail.is_some() { 0.3 } else { 0.18 };
        let likely = if tooth.y > -75.0 { back } else { 0.04 };
        let (drawn, radius_mm) = (stream.unit(), stream.between(1.5, 2.6));
        if drawn < likely {
            let crown = tooth + DVec3::Z * if tooth.z > -96.0 { -6.0 } else { 6.0 };
            let end = skull.head_from_face(crown);
            pieces.push(Piece {
                ends_mm: [end, end + DVec3::Z],
                radius_mm,
                streak: radius_mm / 2.6,
                iron_g_cm3: AMALGAM,
            });
        }
    }
    pieces
}

/// Straight plates: over the gap around a piece that was put back, else outside the rim, left from an earlier fixation.
fn plates(skull: &Skull, hole: &Craniotomy, stream: &mut Stream) -> Vec<Piece> {
    // A piece that was put back is held by at least two.
    let held = hole.surgery.as_ref().is_some_and(|surgery| surgery.kerf_mm.is_some());
    let count = stream.below(4).max(if held { 2 } else { 0 });
    (0..count)
        .map(|_| {
            let (x, y) = (stream.between(-1.0, 1.0), stream.between(-1.0, 1.0));
            let rim = DVec3::new(x, y, 0.0).normalize_or(DVec3::X);
            let half_mm = stream.between(5.0, 8.0) / hole.half_mm[0];
            let end = |reach: f64| {
                let p = hole.rim(skull, rim.x * reach, rim.y * reach);
                p + outer_normal(skull, p) * 0.7
            };
            let [from, to] = if held { [-0.7, 0.7] } else { [0.3, 1.7] };
            let ends_mm = [end(1.0 + from * half_mm), end(1.0 + to * half_mm)];
            Piece { ends_mm, radius_mm: 0.7, streak: 0.25, iron_g_cm3: TITANIUM }
        })
        .collect()
}

/// Staples on the skin along the incision, in half of the heads.
fn staples(skull: &Skull, hole: &Craniotomy, stream: &mut Stream) -> Vec<Piece> {
    let count = (stream.below(24) as usize).saturating_sub(10);
    let start = stream.between(-1.0, 1.0);
    (0..count)
        .map(|i| {
            let along = start + 0.16 * i as f64;
            let angle = DVec3::new(1.0 - along * along, 2.0 * along, 0.0) / (1.0 + along * along);
            let p = hole.rim(skull, angle.x * 1.15, angle.y * 1.15);
            let p = outer_point(skull, p.normalize_or(DVec3::Z));
            let on_skin = p + outer_normal(skull, p) * skull.anatomy.scalp_mm;
            Piece { ends_mm: [on_skin, on_skin + DVec3::X], radius_mm: 0.5, streak: 0.08, iron_g_cm3: STEEL }
        })
        .collect()
}
