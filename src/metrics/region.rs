//! The regions of a surface that are measured: what is near the defect, near other places, and near none of them.
//!
//! Near is every point of a measured surface whose distance to the thing is at most some length, inside a solid counting as
//! 0: a wrongly filled hole is then measured in its middle too.

use super::{defect::Solid, margin::Margin, place::Place, quadrature::Piece, side::Sides, surface::MOST_NEAR};
use crate::{
    mesh::{Mesh, bvh::Bvh},
    space::{DVec3, Grid},
};

/// Distances to a sheet or a solid, 0 inside.
#[derive(Debug)]
enum Near<'a> {
    /// A closed surface has sides, a sheet has none.
    Mesh {
        bvh: Bvh,
        sides: Option<Sides<'a>>,
        bounds_mm: (DVec3, DVec3),
        /// No point inside is deeper.
        deepest_mm: f64,
    },
    Ball {
        centre_mm: DVec3,
        radius_mm: f64,
    },
}

impl<'a> Near<'a> {
    fn new(solid: &'a Solid) -> Self {
        match solid {
            Solid::Mesh(mesh) => Self::mesh(mesh, true, f64::INFINITY),
            Solid::Ball { centre_mm, radius_mm } => Self::Ball { centre_mm: *centre_mm, radius_mm: *radius_mm },
        }
    }

    /// Distances to a place. The largest ball that fits into a solid has no more than its volume.
    fn place(place: &'a Place) -> Self {
        let deepest_mm = libm::cbrt(place.surface.volume_mm3().abs() * (0.75 / std::f64::consts::PI));
        Self::mesh(&place.surface, place.is_solid, 1.01 * deepest_mm)
    }

    fn mesh(mesh: &'a Mesh, is_solid: bool, deepest_mm: f64) -> Self {
        Self::Mesh {
            deepest_mm,
            bvh: Bvh::new(mesh),
            sides: is_solid.then(|| Sides::new(mesh)),
            bounds_mm: mesh.bounds_mm().unwrap_or((DVec3::INFINITY, DVec3::NEG_INFINITY)),
        }
    }

    /// Returns the distance when it is at most `max_mm`.
    fn distance_mm(&self, p: DVec3, max_mm: f64) -> Option<f64> {
        match self {
            Self::Ball { centre_mm, radius_mm } => {
                Some((p.distance(*centre_mm) - radius_mm).max(0.0)).filter(|&d| d <= max_mm)
            }
            Self::Mesh { bvh, sides, bounds_mm: (low, high), deepest_mm } => {
                let outside = (*low - p).max(p - *high).max(DVec3::ZERO);
                if outside.length_squared() > max_mm * max_mm {
                    return None;
                }
                let Some(sides) = sides.as_ref().filter(|_| outside == DVec3::ZERO) else {
                    return bvh.closest_within(p, max_mm).map(|hit| hit.distance_mm);
                };
                // What is farther from the surface than any point inside can be lies outside.
                let hit = if *deepest_mm <= max_mm { bvh.closest_within(p, max_mm) } else { bvh.closest(p) }?;
                let distance_mm = if sides.is_outside(p, hit.triangle) { hit.distance_mm } else { 0.0 };
                Some(distance_mm).filter(|&d| d <= max_mm)
            }
        }
    }
}

/// A set of regions, one bit each.
pub(super) type Bits = u32;

/// What is near one thing, within each of some lengths.
#[derive(Debug)]
struct Zone<'a> {
    near: Near<'a>,
    /// Each length, mm, and its region.
    lengths: Vec<(f64, Bits)>,
    farthest_mm: f64,
}

impl<'a> Zone<'a> {
    fn new(near: Near<'a>, lengths: Vec<(f64, Bits)>) -> Self {
        let farthest_mm = lengths.iter().map(|&(mm, _)| mm).fold(0.0, f64::max);
        Self { near, lengths, farthest_mm }
    }

    fn of(&self, p: DVec3) -> Bits {
        self.nearer_than(self.near.distance_mm(p, self.farthest_mm), 0.0)
    }

    /// Returns which lengths reach a piece: at one of its points, all of it, and perhaps some of it.
    ///
    /// The distance changes by at most the way one goes, so that of the middle settles most pieces.
    fn of_piece(&self, piece: &Piece, point: DVec3) -> Held {
        let middle = piece.centroid();
        let radius_mm = piece.corners.iter().map(|p| p.distance(middle)).fold(0.0, f64::max);
        let distance_mm = self.near.distance_mm(middle, self.farthest_mm + radius_mm);
        let wholly = self.nearer_than(distance_mm, radius_mm);
        let maybe = self.nearer_than(distance_mm, -radius_mm);
        let at = if wholly == maybe { wholly } else { self.of(point) };
        Held { at, wholly, maybe }
    }

    /// Returns the lengths that reach a point at this distance with `spare_mm` left.
    fn nearer_than(&self, distance_mm: Option<f64>, spare_mm: f64) -> Bits {
        let Some(distance_mm) = distance_mm else { return 0 };
        let reaches = |&(near_mm, bit): &(f64, Bits)| if distance_mm + spare_mm <= near_mm { bit } else { 0 };
        self.lengths.iter().map(reaches).fold(0, |bits, bit| bits | bit)
    }
}

/// The regions that a comparison measures, each a bit: everything, what is inside the scan's margin, and, also inside the
/// margin, what is near the defect for each length, near each place, and near none of the places.
#[derive(Debug)]
pub(super) struct Regions<'a> {
    margin: Option<Margin>,
    zones: Vec<Zone<'a>>,
    /// All places.
    places: Bits,
}

impl<'a> Regions<'a> {
    /// Everything, caps included.
    pub(super) const WITH_CAPS: Bits = 1;
    /// What is inside the margin: the surface that is reported first.
    pub(super) const WHOLE: Bits = 2;
    /// What is near none of the places.
    pub(super) const ELSEWHERE: Bits = 1 << 31;

    pub(super) fn new(scan: Option<&Grid>, defect: Option<&'a Solid>, near_mm: &[f64], places: &'a [Place]) -> Self {
        let around = |solid| {
            let lengths = near_mm.iter().enumerate().map(|(which, &mm)| (mm, Self::near_bit(which))).collect();
            Zone::new(Near::new(solid), lengths)
        };
        let at = |(which, place): (usize, &'a Place)| {
            Zone::new(Near::place(place), vec![(place.within_mm, Self::place_bit(which))])
        };
        Self {
            margin: scan.map(Margin::new),
            zones: defect.map(around).into_iter().chain(places.iter().enumerate().map(at)).collect(),
            places: (0..places.len()).map(Self::place_bit).fold(0, |all, bit| all | bit),
        }
    }

    /// Returns the bit of the region near the defect for one of the lengths.
    pub(super) const fn near_bit(which: usize) -> Bits {
        4 << which
    }

    /// Returns the bit of the region near one of the places.
    pub(super) const fn place_bit(which: usize) -> Bits {
        1 << (2 + MOST_NEAR + which)
    }

    /// Returns the regions that hold a point.
    pub(super) fn of(&self, p: DVec3) -> Bits {
        if self.margin.as_ref().is_some_and(|margin| !margin.keeps(p)) {
            return Self::WITH_CAPS;
        }
        let near = self.zones.iter().map(|zone| zone.of(p)).fold(0, |all, bits| all | bits);
        Self::WITH_CAPS | Self::WHOLE | near | self.elsewhere(near)
    }

    /// Returns which regions hold a piece: at one of its points, wholly, and perhaps in part.
    ///
    /// The part inside the margin is convex, so it holds what it holds the corners of.
    pub(super) fn of_piece(&self, piece: &Piece, point: DVec3) -> Held {
        let margin = match &self.margin {
            None => [true; 3],
            Some(margin) => {
                let [wholly, some] = margin.keeps_of(&piece.corners);
                [margin.keeps(point), wholly, some]
            }
        };
        let held = self.zones.iter().map(|zone| zone.of_piece(piece, point));
        let near = held.fold(Held::default(), |all, held| Held {
            at: all.at | held.at,
            wholly: all.wholly | held.wholly,
            maybe: all.maybe | held.maybe,
        });
        let inside = |kept: bool| if kept { Bits::MAX } else { Self::WITH_CAPS };
        let all = Self::WITH_CAPS | Self::WHOLE;
        // What is wholly near a place has no part elsewhere, and what may be near one is not wholly elsewhere.
        Held {
            at: (all | near.at | self.elsewhere(near.at)) & inside(margin[0]),
            wholly: (all | near.wholly | self.elsewhere(near.maybe)) & inside(margin[1]),
            maybe: (all | near.maybe | self.elsewhere(near.wholly)) & inside(margin[2]),
        }
    }

    /// Returns the bit of what is near no place, if there are places and these regions hold none.
    const fn elsewhere(&self, near: Bits) -> Bits {
        if self.places != 0 && near & self.places == 0 { Self::ELSEWHERE } else { 0 }
    }

    /// Returns whether surfaces near the scan's faces are told apart.
    pub(super) const fn has_margin(&self) -> bool {
        self.margin.is_some()
    }
}

/// The regions that hold a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Those that hold the asked point.
    pub(super) at: Bits,
    /// Those that are certain to hold all of it.
    pub(super) wholly: Bits,
    /// Those that may hold some of it.
    pub(super) maybe: Bits,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::quadrature::shapes::{both, cuboid};

    #[test]
    fn inside_counts_as_near_and_the_margin_comes_first() {
        let solid = Solid::Mesh(cuboid(DVec3::ZERO, DVec3::splat(40.0)));
        let regions = Regions::new(None, Some(&solid), &[5.0, 10.0], &[]);
        let near = |x| regions.of(DVec3::new(x, 20.0, 20.0));
        assert_eq!(near(20.0), 0b1111, "the middle, 20 mm from the solid's surface");
        assert_eq!(near(44.9), 0b1111);
        assert_eq!(near(49.0), 0b1011);
        assert_eq!(near(51.0), 0b0011);
        let ball = Solid::Ball { centre_mm: DVec3::splat(20.0), radius_mm: 20.0 };
        let regions = Regions::new(None, Some(&ball), &[5.0, 10.0], &[]);
        assert_eq!(regions.of(DVec3::splat(20.0)), 0b1111);
        assert_eq!(regions.of(DVec3::new(47.0, 20.0, 20.0)), 0b1011);
        let scan = Grid::aligned([40, 40, 40], DVec3::ONE);
        let regions = Regions::new(Some(&scan), Some(&ball), &[5.0], &[]);
        assert_eq!(regions.of(DVec3::new(1.0, 20.0, 20.0)), Regions::WITH_CAPS);
    }

    #[test]
    fn small_solids_are_near_in_their_middle_and_between_them_nothing_is() {
        let grain = |low: f64| cuboid(DVec3::splat(low), DVec3::splat(low + 4.0));
        let grains = both(grain(0.0), grain(60.0));
        let places = [Place { name: "grains", surface: grains, is_solid: true, within_mm: 10.0 }];
        let regions = Regions::new(None, None, &[], &places);
        let is_near = |x: f64| regions.of(DVec3::new(x, 2.0, 2.0)) & Regions::place_bit(0) != 0;
        assert_eq!([2.0, 3.9, 13.9, 14.1, 30.0].map(is_near), [true, true, true, false, false]);
        assert_eq!(regions.of(DVec3::splat(30.0)) & Regions::ELSEWHERE, Regions::ELSEWHERE, "between the two");
    }

    #[test]
    fn a_sheet_has_no_inside_and_elsewhere_is_the_rest() {
        let plate = cuboid(DVec3::ZERO, DVec3::splat(40.0));
        let place = |name, is_solid| Place { name, surface: plate.clone(), is_solid, within_mm: 3.0 };
        let places = [place("solid", true), place("sheet", false)];
        let regions = Regions::new(None, None, &[], &places);
        let [solid, sheet] = [0, 1].map(Regions::place_bit);
        let all = Regions::WITH_CAPS | Regions::WHOLE;
        let at = |x| DVec3::new(x, 20.0, 20.0);
        assert_eq!(regions.of(at(20.0)), all | solid, "the middle of the solid is far from the sheet");
        assert_eq!(regions.of(at(42.0)), all | solid | sheet);
        assert_eq!(regions.of(at(43.5)), all | Regions::ELSEWHERE);
        let piece = |low: f64, high: f64| Piece {
            corners: [at(low), at(high), DVec3::new(low, 20.0 + 0.1 * (high - low), 20.0)],
        };
        let held = |low, high| regions.of_piece(&piece(low, high), at(low));
        assert_eq!(
            (held(50.0, 51.0).wholly, held(50.0, 51.0).maybe),
            (all | Regions::ELSEWHERE, all | Regions::ELSEWHERE)
        );
        assert_eq!((held(41.0, 42.0).wholly, held(41.0, 42.0).maybe), (all | solid | sheet, all | solid | sheet));
        let across = held(42.0, 45.0);
        assert_eq!((across.at, across.wholly), (all | solid | sheet, all));
        assert_eq!(across.maybe, all | solid | sheet | Regions::ELSEWHERE);
        let none = Regions::new(None, None, &[], &[]);
        assert_eq!(none.of(at(50.0)), all, "without places nothing is elsewhere");
    }
}
