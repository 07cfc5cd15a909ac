//! The defect as a solid.

use super::side;
use crate::{
    fault::{Fault, Result},
    mesh::{Mesh, check},
    space::{DVec3, Rigid},
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::quadrature::shapes::{self, cuboid};

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
