//! From where a surface is looked at, and how much of the world that shows.

use super::solid::Solid;
use crate::space::DVec3;

/// Where the eye is: a direction from the scene towards it, and what is right and down in the picture.
#[derive(Clone, Copy)]
pub(super) struct Eye {
    pub name: &'static str,
    pub toward: DVec3,
    pub right: DVec3,
    pub down: DVec3,
}

impl Eye {
    /// Superior is up, as far as the direction allows.
    pub(super) fn new(name: &'static str, toward: DVec3) -> Self {
        let toward = toward / toward.length();
        let across = DVec3::Z.cross(toward);
        let right = if across.length() > 1e-6 { across / across.length() } else { DVec3::X };
        Self { name, toward, right, down: right.cross(toward) }
    }
}

/// Returns the three sides to look from. LPS: anterior is -y, left is +x.
pub(super) fn eyes(solids: &[Solid; 2], focus_mm: Option<DVec3>) -> [Eye; 3] {
    let middle =
        solids[0].mesh.bounds_mm().or_else(|| solids[1].mesh.bounds_mm()).map(|(low, high)| 0.5 * (low + high));
    let out =
        focus_mm.zip(middle).map(|(focus, middle)| focus - middle).filter(|out| out.is_finite() && out.length() > 1.0);
    let left = out.is_none_or(|out| out.x >= 0.0);
    let side = if left { 1.0 } else { -1.0 };
    let names = if left { ["left anterior", "right lateral"] } else { ["right anterior", "left lateral"] };
    let last = out.map_or_else(
        || Eye::new("superior posterior", DVec3::new(-0.5, 1.0, 1.1)),
        // Never quite from below or above: the skull should stay recognisable.
        |out| {
            let out = out / out.length();
            Eye::new("defect side", DVec3::new(out.x, out.y, out.z.clamp(-0.25, 0.75)).normalize_or(DVec3::NEG_Y))
        },
    );
    [Eye::new(names[0], DVec3::new(0.75 * side, -1.0, 0.35)), Eye::new(names[1], DVec3::new(-side, -0.12, 0.1)), last]
}

/// The middle and the larger side of what an eye sees.
pub(super) struct Frame {
    pub middle: [f64; 2],
    pub extent_mm: f64,
}

pub(super) fn frame(solids: &[Solid; 2], eye: &Eye) -> Frame {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in solids.iter().flat_map(|solid| &solid.mesh.vertices) {
        for (i, v) in [p.dot(eye.right), p.dot(eye.down)].into_iter().enumerate() {
            low[i] = low[i].min(v);
            high[i] = high[i].max(v);
        }
    }
    if low[0] > high[0] {
        return Frame { middle: [0.0; 2], extent_mm: 1.0 };
    }
    let middle = [0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1])];
    Frame { middle, extent_mm: (high[0] - low[0]).max(high[1] - low[1]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Mesh;

    fn tetrahedron(size: f64) -> Mesh {
        let vertices = vec![DVec3::ZERO, DVec3::X * size, DVec3::Y * size, DVec3::Z * size];
        Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]] }
    }

    #[test]
    fn an_eye_sees_the_patient_s_left_on_the_right_from_the_front() {
        let front = Eye::new("front", DVec3::NEG_Y);
        assert_eq!((front.right, front.down), (DVec3::X, DVec3::NEG_Z));
        let above = Eye::new("above", DVec3::Z);
        assert!(above.right.is_finite() && above.right.dot(above.toward) == 0.0);
    }

    #[test]
    fn views_follow_the_side_of_the_defect() {
        let solids = [Solid::new(&tetrahedron(10.0)), Solid::new(&tetrahedron(10.0))];
        let names = |focus| eyes(&solids, focus).map(|eye| eye.name);
        assert_eq!(names(Some(DVec3::new(30.0, 0.0, 5.0))), ["left anterior", "right lateral", "defect side"]);
        assert_eq!(names(Some(DVec3::new(-30.0, 0.0, 5.0))), ["right anterior", "left lateral", "defect side"]);
        assert_eq!(names(None)[2], "superior posterior");
    }
}
