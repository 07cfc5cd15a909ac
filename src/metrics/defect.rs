//! The defect as a solid, and the region near it.
//!
//! The region is every point of a measured surface whose distance to the solid is at most some length, inside counting as
//! 0: a wrongly filled hole is then measured in its middle too.

use super::{
    margin::Margin,
    quadrature::Piece,
    side::{self, Sides},
};
use crate::{
    fault::{Fault, Result},
    mesh::{Mesh, bvh::Bvh, check},
    space::{DVec3, Grid, Rigid},
};

/// A closed solid: the missing bone.
#[derive(Clone, Debug, PartialEq)]
pub enum Solid {
    /// The inside of a closed surface, LPS mm.
    Mesh(Mesh),
    /// A ball.
    Ball {
        /// Centre, LPS mm.
        centre_mm: DVec3,
        /// Radius, mm.
        radius_mm: f64,
    },
}

impl Solid {
    /// Returns the solid, after checking that there is something to measure a distance to.
    ///
    /// # Errors
    /// Unfit when the mesh has no triangle, is open, or is wound both ways, or the ball has no finite centre and positive
    /// radius: what is inside would then be a guess.
    pub fn checked(self) -> Result<Self> {
        match &self {
            Self::Mesh(mesh) if mesh.triangles.is_empty() => Err(Fault::unfit("the defect's mesh has no triangle")),
            Self::Mesh(mesh) => closed(mesh).map(|()| self),
            Self::Ball { centre_mm, radius_mm }
                if !(centre_mm.is_finite() && *radius_mm > 0.0 && radius_mm.is_finite()) =>
            {
                Err(Fault::unfit(format!("the defect's ball needs a centre and a positive radius, not {radius_mm} mm")))
            }
            _ => Ok(self),
        }
    }

    /// Returns the solid after a rigid motion.
    #[must_use]
    pub fn moved(&self, motion: &Rigid) -> Self {
        match self {
            Self::Mesh(mesh) => Self::Mesh(mesh.moved(motion)),
            Self::Ball { centre_mm, radius_mm } => {
                Self::Ball { centre_mm: motion.apply(*centre_mm), radius_mm: *radius_mm }
            }
        }
    }
}

fn closed(mesh: &Mesh) -> Result<()> {
    // Corners at the same place count as one vertex, as they do where sides are told apart.
    let same = side::first_at_same_place(&mesh.vertices);
    let weld = |v: &u32| same.get(*v as usize).copied().unwrap_or(*v);
    let triangles = mesh.triangles.iter().map(|triangle| triangle.each_ref().map(weld)).collect();
    let report = check::check(&Mesh { vertices: mesh.vertices.clone(), triangles });
    let remedy = "close it in the program that made it, or give the defect as a ball `x,y,z,radius`";
    if report.non_finite + report.dangling > 0 || !report.closed {
        let rim = report.open_edges + report.crowded_edges;
        return Err(
            Fault::unfit(format!("the defect's mesh is not a closed solid: {rim} edges have no partner")).hint(remedy)
        );
    }
    if !report.oriented {
        return Err(Fault::unfit("the defect's mesh is wound both ways: its inside cannot be told").hint(remedy));
    }
    Ok(())
}

/// Distances to a solid, 0 inside.
#[derive(Debug)]
enum Near<'a> {
    Mesh { bvh: Bvh, sides: Sides<'a>, bounds_mm: (DVec3, DVec3) },
    Ball { centre_mm: DVec3, radius_mm: f64 },
}

impl<'a> Near<'a> {
    fn new(solid: &'a Solid) -> Self {
        match solid {
            Solid::Mesh(mesh) => Self::Mesh {
                bvh: Bvh::new(mesh),
                sides: Sides::new(mesh),
                bounds_mm: mesh.bounds_mm().unwrap_or((DVec3::INFINITY, DVec3::NEG_INFINITY)),
            },
            Solid::Ball { centre_mm, radius_mm } => Self::Ball { centre_mm: *centre_mm, radius_mm: *radius_mm },
        }
    }

    /// Returns the distance when it is at most `max_mm`.
    fn distance_mm(&self, p: DVec3, max_mm: f64) -> Option<f64> {
        match self {
            Self::Ball { centre_mm, radius_mm } => {
                Some((p.distance(*centre_mm) - radius_mm).max(0.0)).filter(|&d| d <= max_mm)
            }
            Self::Mesh { bvh, sides, bounds_mm: (low, high) } => {
                let outside = (*low - p).max(p - *high).max(DVec3::ZERO);
                if outside.length_squared() > max_mm * max_mm {
                    return None;
                }
                if outside != DVec3::ZERO {
                    return bvh.closest_within(p, max_mm).map(|hit| hit.distance_mm);
                }
                let hit = bvh.closest(p)?;
                let distance_mm = if sides.is_outside(p, hit.triangle) { hit.distance_mm } else { 0.0 };
                Some(distance_mm).filter(|&d| d <= max_mm)
            }
        }
    }
}

/// A set of regions, one bit each.
pub(super) type Bits = u32;

/// The regions that a comparison measures, each a bit: everything, what is inside the scan's margin, what is near the
/// defect (also inside the margin) for each length.
#[derive(Debug)]
pub(super) struct Regions<'a> {
    margin: Option<Margin>,
    near: Option<Near<'a>>,
    near_mm: &'a [f64],
}

impl<'a> Regions<'a> {
    /// Everything, caps included.
    pub(super) const WITH_CAPS: Bits = 1;
    /// What is inside the margin: the surface that is reported first.
    pub(super) const WHOLE: Bits = 2;

    pub(super) fn new(scan: Option<&Grid>, defect: Option<&'a Solid>, near_mm: &'a [f64]) -> Self {
        Self { margin: scan.map(Margin::new), near: defect.map(Near::new), near_mm }
    }

    /// Returns the bit of the region near the defect for one of the lengths.
    pub(super) const fn near_bit(which: usize) -> Bits {
        4 << which
    }

    /// Returns the regions that hold a point.
    pub(super) fn of(&self, p: DVec3) -> Bits {
        if self.margin.as_ref().is_some_and(|margin| !margin.keeps(p)) {
            return Self::WITH_CAPS;
        }
        let distance_mm = self.near.as_ref().and_then(|near| near.distance_mm(p, self.farthest_mm()));
        Self::WITH_CAPS | Self::WHOLE | self.nearer_than(distance_mm, 0.0)
    }

    /// Returns which regions hold a piece: at one of its points, wholly, and perhaps in part.
    ///
    /// The part inside the margin is convex, so it holds what it holds the corners of. The distance to the defect changes
    /// by at most the way one goes, so that of the middle settles most pieces.
    pub(super) fn of_piece(&self, piece: &Piece, point: DVec3) -> Held {
        let margin = match &self.margin {
            None => [true; 3],
            Some(margin) => {
                let [wholly, some] = margin.keeps_of(&piece.corners);
                [margin.keeps(point), wholly, some]
            }
        };
        let inside = |kept: bool| if kept { Bits::MAX } else { Self::WITH_CAPS };
        let all = Self::WITH_CAPS | Self::WHOLE;
        let Some(near) = &self.near else {
            return Held {
                at: all & inside(margin[0]),
                wholly: all & inside(margin[1]),
                maybe: all & inside(margin[2]),
            };
        };
        let middle = piece.centroid();
        let radius_mm = piece.corners.iter().map(|p| p.distance(middle)).fold(0.0, f64::max);
        let distance_mm = near.distance_mm(middle, self.farthest_mm() + radius_mm);
        let wholly = all | self.nearer_than(distance_mm, radius_mm);
        let maybe = all | self.nearer_than(distance_mm, -radius_mm);
        let at = if wholly == maybe {
            wholly
        } else {
            all | self.nearer_than(near.distance_mm(point, self.farthest_mm()), 0.0)
        };
        Held { at: at & inside(margin[0]), wholly: wholly & inside(margin[1]), maybe: maybe & inside(margin[2]) }
    }

    /// Returns the bits of the lengths that reach a point at this distance with `spare_mm` left.
    fn nearer_than(&self, distance_mm: Option<f64>, spare_mm: f64) -> Bits {
        let Some(distance_mm) = distance_mm else { return 0 };
        let reaches = |(which, &near_mm)| if distance_mm + spare_mm <= near_mm { Self::near_bit(which) } else { 0 };
        self.near_mm.iter().enumerate().map(reaches).fold(0, |bits, bit| bits | bit)
    }

    fn farthest_mm(&self) -> f64 {
        self.near_mm.iter().copied().fold(0.0, f64::max)
    }

    /// Returns whether surfaces near the scan's faces are told apart.
    pub(super) const fn has_margin(&self) -> bool {
        self.margin.is_some()
    }
}

/// The regions that hold a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    use crate::metrics::quadrature::shapes::{self, cuboid};

    #[test]
    fn inside_counts_as_near_and_the_margin_comes_first() {
        let solid = Solid::Mesh(cuboid(DVec3::ZERO, DVec3::splat(40.0)));
        let regions = Regions::new(None, Some(&solid), &[5.0, 10.0]);
        let near = |x| regions.of(DVec3::new(x, 20.0, 20.0));
        assert_eq!(near(20.0), 0b1111, "the middle, 20 mm from the solid's surface");
        assert_eq!(near(44.9), 0b1111);
        assert_eq!(near(49.0), 0b1011);
        assert_eq!(near(51.0), 0b0011);
        let ball = Solid::Ball { centre_mm: DVec3::splat(20.0), radius_mm: 20.0 };
        let regions = Regions::new(None, Some(&ball), &[5.0, 10.0]);
        assert_eq!(regions.of(DVec3::splat(20.0)), 0b1111);
        assert_eq!(regions.of(DVec3::new(47.0, 20.0, 20.0)), 0b1011);
        let scan = Grid::aligned([40, 40, 40], DVec3::ONE);
        let regions = Regions::new(Some(&scan), Some(&ball), &[5.0]);
        assert_eq!(regions.of(DVec3::new(1.0, 20.0, 20.0)), Regions::WITH_CAPS);
    }

    #[test]
    fn a_solid_without_extent_is_refused() {
        assert!(Solid::Mesh(Mesh::default()).checked().is_err());
        assert!(Solid::Ball { centre_mm: DVec3::ZERO, radius_mm: 0.0 }.checked().is_err());
        assert!(Solid::Ball { centre_mm: DVec3::ZERO, radius_mm: 45.0 }.checked().is_ok());
        let mut solid = cuboid(DVec3::ZERO, DVec3::ONE);
        assert!(Solid::Mesh(solid.clone()).checked().is_ok());
        assert!(Solid::Mesh(shapes::finer(&solid, 1)).checked().is_ok(), "corners that are not shared");
        solid.triangles[3].swap(0, 1);
        assert!(Solid::Mesh(solid.clone()).checked().unwrap_err().what.contains("both ways"));
        solid.triangles.pop();
        let fault = Solid::Mesh(solid).checked().unwrap_err();
        assert!(fault.what.contains("3 edges") && fault.hint.is_some(), "{}", fault.what);
    }
}
