//! What operations leave: an irregular opening sawn towards the middle of the head, burr holes, the piece put back, a drain.
//!
//! Chosen by `defect: surgical`. The outline is drawn on the sphere about the head's middle, so the cut stands at a right
//! angle to the skull wherever it goes, as a saw does, and openings of 14 cm do not run out of the bone.

use super::{
    defect::Site,
    shape::{segment, smooth_max},
};
use crate::{numeric::Stream, space::DVec3};

/// How deep below the outer table bone is cut, mm.
const DEPTH_MM: f64 = 16.0;
/// Farther from the cut than this its exact distance is not asked for, mm.
const FAR_MM: f64 = 6.0;
/// How far outside the outer table the cut begins, mm.
const ABOVE_MM: f64 = 25.0;

/// A vault to operate on, in a frame whose origin is the middle of the head: x to the left, y to posterior, z up.
pub(super) trait Vault {
    /// Returns the point of the outer table in a direction.
    fn outer(&self, direction: DVec3) -> DVec3;
    /// Returns the outward unit normal of the outer table near a point.
    fn normal(&self, p: DVec3) -> DVec3;
}

/// What is fixed of an operation; the rest is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    pub(super) site: Option<Site>,
    pub(super) left: Option<bool>,
    /// Length and width of the opening, mm.
    pub(super) extent_mm: Option<[f64; 2]>,
    /// Width of the gap around a piece that was put back; 0 when it was not.
    pub(super) kerf_mm: Option<f64>,
}

/// The shape of one operation.
#[derive(Clone, Debug)]
pub(super) struct Surgery {
    /// Distance of the outer table from the middle of the head where the opening is, mm.
    radius_mm: f64,
    /// Long axis, short axis and direction of the opening, seen from the middle of the head.
    pub(super) axes: [DVec3; 3],
    /// Half lengths along the outer table, mm.
    pub(super) half_mm: [f64; 2],
    /// Waves of the outline with two to five lobes: parts of cosine and sine, as shares of the radius.
    lobes: [[f64; 2]; 4],
    /// By how much the opening narrows inwards, mm per mm.
    bevel: f64,
    /// Width over which the edges of the bone are rounded: little when fresh, more when healed, mm.
    pub(super) edge_mm: f64,
    /// Width of the saw's gap when the piece was put back, mm.
    pub(super) kerf_mm: Option<f64>,
    /// Axis and radius of each burr hole: out of and into the head, mm.
    burrs: Vec<([DVec3; 2], f64)>,
    /// The lowest that bone is cut, mm in the head's frame.
    lowest_mm: f64,
    /// Points of the drain under the scalp, none in most.
    drain: Vec<DVec3>,
}

/// Radius of a drain, mm.
const DRAIN_MM: f64 = 1.7;
/// Silicone with barium sulphate, HU: as dense as thin bone.
pub(super) const DRAIN_HU: f64 = 420.0;

impl Surgery {
    /// Draws an operation on one side of a skull; returns it with the middle of the opening on the outer table.
    ///
    /// Sizes: 3 to 14 cm, of which decompressive craniectomies are the largest (at least 12 cm is advised: N. Carney et al.,
    /// Neurosurgery 80, 2017); perforators of 11 to 14 mm make the burr holes; saws take 1.5 to 3 mm.
    pub(super) fn draw(skull: &dyn Vault, plan: Plan, stream: &mut Stream) -> (Self, Site, DVec3) {
        let drawn = Site::SURGICAL[stream.below(Site::SURGICAL.len() as u64) as usize];
        let (site, left) = (plan.site.unwrap_or(drawn), stream.unit() >= 0.5);
        let side = if plan.left.unwrap_or(left) { 1.0 } else { -1.0 };
        let mut jitter = || stream.between(-0.10, 0.10);
        let direction = site.direction() * DVec3::new(side, 1.0, 1.0) + DVec3::new(jitter(), jitter(), jitter());
        let direction = direction.normalize_or(DVec3::Z);
        let centre_mm = skull.outer(direction);
        let (across, up) = direction.any_orthonormal_pair();
        let turn = DVec3::new(stream.between(-1.0, 1.0), stream.between(-1.0, 1.0), 0.0).normalize_or(DVec3::X);
        let long = across * turn.x + up * turn.y;
        let most = site.most_half_mm();
        let half_long = stream.between(15.0, most);
        let drawn_mm = [half_long, half_long * stream.between(0.6, 1.0)];
        let half_mm = plan.extent_mm.map_or(drawn_mm, |extent| extent.map(|mm| 0.5 * mm));
        let lobes = std::array::from_fn(|i| {
            let height = 0.10 / (i as f64 + 1.5);
            [stream.between(-height, height), stream.between(-height, height)]
        });
        let (healed, put_back) = (stream.unit() < 0.35, stream.unit() < 0.3);
        let (fresh_mm, healed_mm) = (stream.between(0.6, 1.5), stream.between(2.5, 5.0));
        let kerf = stream.between(1.5, 3.0);
        let mut surgery = Self {
            radius_mm: centre_mm.length(),
            axes: [long, direction.cross(long), direction],
            half_mm,
            lobes,
            bevel: stream.between(0.0, 0.5),
            edge_mm: if healed { healed_mm } else { fresh_mm },
            kerf_mm: plan.kerf_mm.or(put_back.then_some(kerf)).filter(|&mm| mm > 0.0),
            burrs: Vec::new(),
            lowest_mm: site.lowest_mm(),
            drain: Vec::new(),
        };
        let burrs = stream.below(6);
        for _ in 0..burrs {
            let outward = DVec3::new(stream.normal(), stream.normal(), 0.0).normalize_or(DVec3::X);
            let rim = skull.outer(surgery.rim(outward.x, outward.y));
            let normal = skull.normal(rim);
            surgery.burrs.push(([rim + normal * ABOVE_MM, rim - normal * DEPTH_MM], stream.between(5.5, 7.0)));
        }
        let outward = DVec3::new(stream.normal(), stream.normal(), 0.0).normalize_or(DVec3::X);
        if stream.unit() < 0.25 {
            // From the middle of the opening over its rim, under the scalp.
            let point = |reach: f64| {
                let p = skull.outer(surgery.towards(reach * outward.x, reach * outward.y));
                p + skull.normal(p) * (DRAIN_MM + 0.3)
            };
            surgery.drain = (0..6).map(|i| point(0.4 + 0.25 * f64::from(i))).collect();
        }
        (surgery, site, centre_mm)
    }

    /// Returns a direction from the middle of the head: shares of the half axes away from the middle of the opening.
    fn towards(&self, u: f64, v: f64) -> DVec3 {
        let away = self.axes[0] * (u * self.half_mm[0]) + self.axes[1] * (v * self.half_mm[1]);
        (self.axes[2] * self.radius_mm + away).normalize_or(DVec3::Z)
    }

    /// Returns the direction of the rim at an angle's cosine and sine; times a number, so much farther from the middle.
    pub(super) fn rim(&self, cosine: f64, sine: f64) -> DVec3 {
        let times = (cosine * cosine + sine * sine).sqrt().max(1e-9);
        let (cosine, sine) = (cosine / times, sine / times);
        let reach = self.reach_mm(cosine, sine) * times;
        let along = self.axes[0] * cosine + self.axes[1] * sine;
        // A chord of a length stands for an angle: half of it is the half angle's sine.
        let half_sine = (0.5 * reach / self.radius_mm).min(1.0);
        let half_cosine = (1.0 - half_sine * half_sine).sqrt();
        let (s, c) = (2.0 * half_sine * half_cosine, 1.0 - 2.0 * half_sine * half_sine);
        along * s + self.axes[2] * c
    }

    /// Returns the distance from the middle of the opening to its outline along the outer table, mm.
    fn reach_mm(&self, cosine: f64, sine: f64) -> f64 {
        let (x, y) = (cosine / self.half_mm[0], sine / self.half_mm[1]);
        let mut wave = (2.0 * cosine * cosine - 1.0, 2.0 * sine * cosine);
        let mut share = 1.0;
        for [c, s] in self.lobes {
            share += c * wave.0 + s * wave.1;
            wave = (wave.0 * cosine - wave.1 * sine, wave.0 * sine + wave.1 * cosine);
        }
        share / (x * x + y * y).sqrt()
    }

    /// Returns a lower bound of the distance to what is cut away where that is enough: farther than any edge is rounded
    /// from the depths that are cut, or from a ball about the opening's middle.
    pub(super) fn bounded_mm(&self, p: DVec3, outer_mm: f64, centre_mm: DVec3) -> Option<f64> {
        let depth = (-DEPTH_MM - outer_mm).max(outer_mm - ABOVE_MM);
        let bound_mm = self.bound_mm() + FAR_MM;
        if depth > FAR_MM {
            Some(depth)
        } else if p.distance_squared(centre_mm) > bound_mm * bound_mm {
            Some(p.distance(centre_mm) - bound_mm + FAR_MM)
        } else {
            None
        }
    }

    /// Returns the distance to what is cut away, mm, negative inside; `outer_mm` is the distance to the outer table.
    pub(super) fn cut_mm(&self, p: DVec3, outer_mm: f64) -> f64 {
        let length = p.length().max(1e-9);
        let d = p / length;
        let [u, v, w] = self.axes.map(|axis| d.dot(axis));
        let beside = (u * u + v * v).sqrt();
        if w < -0.5 || beside == 0.0 && w < 0.0 {
            return self.radius_mm;
        }
        // The chord over the angle from the middle of the opening, at the radius of the outer table.
        let chord = self.radius_mm * beside * (2.0 / (1.0 + w)).sqrt();
        let (cosine, sine) = if beside > 0.0 { (u / beside, v / beside) } else { (1.0, 0.0) };
        let slant = self.bevel * outer_mm.clamp(-10.0, 0.0);
        let outline = (chord - self.reach_mm(cosine, sine) - slant) * (length / self.radius_mm).min(1.0);
        let opening = self.kerf_mm.map_or(outline, |kerf| outline.abs() - 0.5 * kerf);
        let burr = |(ends, radius): &([DVec3; 2], f64)| segment(p, ends[0], ends[1]).0 - radius;
        let cut = self.burrs.iter().map(burr).fold(opening, f64::min);
        smooth_max(cut, -DEPTH_MM - outer_mm, 1.0).max(outer_mm - ABOVE_MM).max(self.lowest_mm - p.z)
    }

    /// Returns the chord from the middle of the opening to a direction along the long and the short axis, mm at the outer
    /// table; none behind the head.
    pub(super) fn across_mm(&self, direction: DVec3) -> Option<[f64; 2]> {
        let [u, v, w] = self.axes.map(|axis| direction.dot(axis));
        let stretch = self.radius_mm * (2.0 / (1.0 + w)).sqrt();
        (w > -0.5).then_some([u * stretch, v * stretch])
    }

    /// Undoes [`Surgery::across_mm`], for chords up to the radius.
    pub(super) fn direction_at(&self, [u, v]: [f64; 2]) -> DVec3 {
        let share = ((u * u + v * v) / (self.radius_mm * self.radius_mm)).min(3.0);
        // |chord|² = 2 r² (1 - w)
        let w = 1.0 - 0.5 * share;
        let stretch = self.radius_mm * (2.0 / (1.0 + w)).sqrt();
        (self.axes[0] * (u / stretch) + self.axes[1] * (v / stretch) + self.axes[2] * w).normalize_or(DVec3::Z)
    }

    /// Returns the distance to the drain, mm, negative inside; infinite without one.
    pub(super) fn drain_mm(&self, p: DVec3) -> f64 {
        self.drain.windows(2).fold(f64::INFINITY, |near, ends| near.min(segment(p, ends[0], ends[1]).0 - DRAIN_MM))
    }

    /// Returns the distance of the outer table from the middle of the head where the opening is, mm.
    pub(super) const fn radius_mm(&self) -> f64 {
        self.radius_mm
    }

    /// Returns how far from its middle anything of the opening can be, mm.
    pub(super) fn bound_mm(&self) -> f64 {
        1.35 * self.half_mm[0] + 12.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        numeric::Seed,
        phantom::{Anatomy, skull::Skull},
    };

    fn all() -> Vec<(Surgery, Site, DVec3)> {
        let skull = Skull::new(Anatomy::draw(&mut Seed([5; 32]).stream("anatomy", 0)));
        (0..60).map(|case| Surgery::draw(&skull, Plan::default(), &mut Seed([5; 32]).stream("surgery", case))).collect()
    }

    #[test]
    fn the_outline_runs_where_the_cut_is_zero() {
        for (surgery, _, _) in all().iter().filter(|(surgery, ..)| surgery.kerf_mm.is_none()) {
            for (cosine, sine) in [(1.0, 0.0), (0.0, 1.0), (-0.6, 0.8), (0.8, -0.6)] {
                let p = surgery.rim(cosine, sine) * surgery.radius_mm;
                let bare = Surgery { burrs: Vec::new(), lowest_mm: -200.0, ..surgery.clone() };
                assert!(bare.cut_mm(p, 0.0).abs() < 1e-6, "{}", bare.cut_mm(p, 0.0));
            }
            assert!(surgery.cut_mm(-surgery.axes[2] * 80.0, 0.0) > 50.0, "the other side stays");
        }
    }

    #[test]
    fn operations_differ_as_they_should() {
        let all = all();
        let share = |has: &dyn Fn(&Surgery) -> bool| all.iter().filter(|(s, ..)| has(s)).count() as f64 / 60.0;
        assert!((0.1..0.5).contains(&share(&|s| s.kerf_mm.is_some())));
        assert!((0.1..0.45).contains(&share(&|s| !s.drain.is_empty())));
        assert!((0.6..1.0).contains(&share(&|s| !s.burrs.is_empty())));
        let longest = all.iter().map(|(s, ..)| 2.0 * s.half_mm[0]).fold(0.0, f64::max);
        assert!((100.0..=140.0).contains(&longest), "{longest} mm");
    }
}
