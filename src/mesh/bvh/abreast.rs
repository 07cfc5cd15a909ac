//! The distances of a point to several triangles at once.

use super::{lanes::Lanes, triangle::FLAT};

/// Points or vectors side by side, by axis.
pub(super) type Lanes3<L> = [L; 3];

#[inline(always)]
fn sub<L: Lanes>(a: Lanes3<L>, b: Lanes3<L>) -> Lanes3<L> {
    [a[0].sub(b[0]), a[1].sub(b[1]), a[2].sub(b[2])]
}

#[inline(always)]
fn dot<L: Lanes>(a: Lanes3<L>, b: Lanes3<L>) -> L {
    a[0].mul(b[0]).add(a[1].mul(b[1])).add(a[2].mul(b[2]))
}

/// Returns `a + b * share`.
#[inline(always)]
fn step<L: Lanes>(a: Lanes3<L>, b: Lanes3<L>, share: L) -> Lanes3<L> {
    [a[0].add(b[0].mul(share)), a[1].add(b[1].mul(share)), a[2].add(b[2].mul(share))]
}

#[inline(always)]
fn pick<L: Lanes>(mask: L::Mask, one: Lanes3<L>, other: Lanes3<L>) -> Lanes3<L> {
    [L::pick(mask, one[0], other[0]), L::pick(mask, one[1], other[1]), L::pick(mask, one[2], other[2])]
}

/// The nearest point as base + along * (share / whole) + ac * (second / whole).
struct Foot<L> {
    base: Lanes3<L>,
    along: Lanes3<L>,
    share: L,
    second: L,
    whole: L,
}

impl<L: Lanes> Foot<L> {
    /// Returns the foot, on an edge or corner where the mask says yes.
    #[inline(always)]
    fn or(self, here: L::Mask, base: Lanes3<L>, along: Lanes3<L>, share: L, whole: L) -> Self {
        Self {
            base: pick(here, base, self.base),
            along: pick(here, along, self.along),
            share: L::pick(here, share, self.share),
            second: L::pick(here, L::splat(0.0), self.second),
            whole: L::pick(here, whole, self.whole),
        }
    }
}

/// Returns where the nearest point lies on an edge: outside by its area, past its first end and before its second.
#[inline(always)]
fn on_edge<L: Lanes>(area: L, past_first: L, past_second: L) -> L::Mask {
    let zero = L::splat(0.0);
    L::both(area.up_to(zero), L::both(zero.below(past_first), past_second.below(zero)))
}

/// Returns the squared distances of a point without a branch: bit for bit what
/// [`closest_on_triangle`](super::closest_on_triangle) leads to, and no number where that has to look closer (a triangle
/// without area, an overflow).
#[inline(always)]
pub(super) fn squared_distances<L: Lanes>(p: Lanes3<L>, [a, b, c]: [Lanes3<L>; 3]) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let (ab, ac) = (sub(b, a), sub(c, a));
    let (ap, bp, cp) = (sub(p, a), sub(p, b), sub(p, c));
    let (ab_ap, ac_ap) = (dot(ab, ap), dot(ac, ap));
    let (ab_bp, ac_bp) = (dot(ab, bp), dot(ac, bp));
    let (ab_cp, ac_cp) = (dot(ab, cp), dot(ac, cp));
    let area_ab = ab_ap.mul(ac_bp).sub(ab_bp.mul(ac_ap));
    let area_ca = ab_cp.mul(ac_ap).sub(ab_ap.mul(ac_cp));
    let area_bc = ab_bp.mul(ac_cp).sub(ab_cp.mul(ac_bp));
    let (from_b, from_c) = (ac_bp.sub(ab_bp), ab_cp.sub(ac_cp));
    let area = area_ab.add(area_bc).add(area_ca);
    let least = L::splat(FLAT).mul(dot(ab, ab)).mul(dot(ac, ac));
    let whole = L::pick(least.below(area), area, L::splat(f64::NAN));
    // What is asked last wins.
    let foot = Foot { base: a, along: ab, share: area_ca, second: area_ab, whole }
        .or(on_edge(area_bc, from_b, zero.sub(from_c)), b, sub(c, b), from_b, from_b.add(from_c))
        .or(on_edge(area_ca, ac_ap, ac_cp), a, ac, ac_ap, ac_ap.sub(ac_cp))
        .or(on_edge(area_ab, ab_ap, ab_bp), a, ab, ab_ap, ab_ap.sub(ab_bp))
        .or(L::both(zero.up_to(ac_cp), ab_cp.up_to(ac_cp)), c, ab, zero, one)
        .or(L::both(zero.up_to(ab_bp), ac_bp.up_to(ab_bp)), b, ab, zero, one)
        .or(L::both(ab_ap.up_to(zero), ac_ap.up_to(zero)), a, ab, zero, one);
    let along = step(foot.base, foot.along, foot.share.div(foot.whole));
    let nearest = step(along, ac, foot.second.div(foot.whole));
    let apart = sub(nearest, p);
    dot(apart, apart)
}
