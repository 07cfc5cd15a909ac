//! That the table gives closed, oriented 2-manifolds of the right topology for any values: shown over all 256 cells.
//!
//! The argument, for a capped lattice:
//! 1. On every face the two cells draw the same segments, in opposite directions (`cells_agree_on_every_face`).
//! 2. Within a cell, every side of a triangle either is such a segment, and then of one triangle only, or lies in no face,
//!    so that no other cell can use it, and is run through once each way (`cases`' own test). With 1: every edge of the
//!    mesh is in exactly two triangles, opposite ways. Closed and oriented.
//! 3. At a cut edge the triangles of a cell form one fan, from a segment in one of the two faces at that edge to one in the
//!    other (`one_fan_at_every_cut_edge`). With 1, the fans of the four cells around the edge join to one ring. 2-manifold.
//! 4. The Euler number is a sum over cells, a vertex counting a quarter in each of four cells, a segment half in each of
//!    two; the object's likewise. In every one of the 256 cells the one is twice the other (`euler_number_of_every_case`).
//!
//! Shown by sampling, not proven: wherever the vertices lie on their edges, no two triangles of a cell cross. Cells are
//! convex and meet in their faces only, so the whole mesh does not cross itself.

use super::cases::{CASES, Case};
use crate::{numeric::Seed, space::DVec3};

/// The two points of an edge, corner numbers.
fn ends(edge: u8) -> [u8; 2] {
    let low = match edge >> 2 {
        0 => (edge & 3) << 1,
        1 => (edge & 1) | (edge >> 1 & 1) << 2,
        _ => edge & 3,
    };
    [low, low | 1 << (edge >> 2)]
}

/// The side (0 low, 1 high) on which an edge lies in the face across an axis, if it lies in one.
fn side(edge: u8, axis: u8) -> Option<u8> {
    let [a, b] = ends(edge);
    (a >> axis & 1 == b >> axis & 1).then_some(a >> axis & 1)
}

/// The edge moved along an axis to the opposite face.
fn across(edge: u8, axis: u8) -> u8 {
    let moved = ends(edge).map(|corner| corner ^ 1 << axis);
    (0..12).find(|&e| ends(e) == [moved[0].min(moved[1]), moved[0].max(moved[1])]).unwrap()
}

/// Sides of triangles that no other triangle of the cell runs through backwards: what the cell draws on its faces.
fn rim(case: &Case) -> Vec<[u8; 2]> {
    let triangles = &case.triangles[..usize::from(case.count)];
    let sides: Vec<[u8; 2]> = triangles.iter().flat_map(|&[a, b, c]| [[a, b], [b, c], [c, a]]).collect();
    sides.iter().copied().filter(|&[a, b]| !sides.contains(&[b, a])).collect()
}

/// The segments in one face, sorted.
fn drawn(case: &Case, axis: u8, at: u8) -> Vec<[u8; 2]> {
    let in_face = |&[a, b]: &[u8; 2]| side(a, axis) == Some(at) && side(b, axis) == Some(at);
    let mut segments: Vec<[u8; 2]> = rim(case).into_iter().filter(in_face).collect();
    segments.sort_unstable();
    segments
}

#[test]
fn cells_agree_on_every_face() {
    for axis in 0..3 {
        let corners: Vec<u8> = (0..8).filter(|c| c >> axis & 1 == 1).collect();
        for below in 0..=255_u8 {
            let mut seen: Vec<[u8; 2]> = drawn(&CASES[usize::from(below)], axis, 1)
                .into_iter()
                .map(|[a, b]| [across(b, axis), across(a, axis)])
                .collect();
            seen.sort_unstable();
            let neighbours =
                (0..=255_u8).filter(|above| corners.iter().all(|&c| below >> c & 1 == above >> (c ^ 1 << axis) & 1));
            assert_eq!(neighbours.clone().count(), 16);
            for above in neighbours {
                let segments = drawn(&CASES[usize::from(above)], axis, 0);
                assert_eq!(segments, seen, "cells {below} and {above} across axis {axis}");
            }
        }
    }
    // and everything a cell draws on its rim lies in a face
    for case in CASES.iter() {
        let in_faces: usize = (0..3).flat_map(|axis| [0, 1].map(|at| drawn(case, axis, at).len())).sum();
        assert_eq!(in_faces, rim(case).len());
    }
}

#[test]
fn one_fan_at_every_cut_edge() {
    for (inside, case) in CASES.iter().enumerate() {
        let triangles = &case.triangles[..usize::from(case.count)];
        for edge in (0..12).filter(|&e| case.cut >> e & 1 == 1) {
            // in the link of the edge's vertex every triangle is an arrow; a fan is one path
            let arrows: Vec<[u8; 2]> = triangles
                .iter()
                .filter_map(|t| t.iter().position(|&e| e == edge).map(|at| [t[(at + 1) % 3], t[(at + 2) % 3]]))
                .collect();
            let start: Vec<u8> = arrows.iter().map(|a| a[0]).filter(|&p| arrows.iter().all(|a| a[1] != p)).collect();
            assert_eq!(start.len(), 1, "case {inside}, edge {edge}: one path has one start");
            let mut at = start[0];
            let mut length = 0;
            while let Some(next) = arrows.iter().find(|a| a[0] == at) {
                (at, length) = (next[1], length + 1);
            }
            assert_eq!(length, arrows.len(), "case {inside}, edge {edge}: the path is all there is");
            let face_of =
                |other: u8| (0..3).find(|&axis| side(edge, axis).is_some() && side(edge, axis) == side(other, axis));
            assert!(face_of(start[0]).is_some() && face_of(at).is_some() && face_of(at) != face_of(start[0]));
        }
    }
}

#[test]
fn euler_number_of_every_case() {
    for (inside, case) in CASES.iter().enumerate() {
        let triangles = i64::from(case.count);
        let rim = rim(case).len() as i64;
        let inner = (3 * triangles - rim) / 2;
        // in quarters: vertices 1/4, segments 1/2, inner edges and triangles 1
        let mesh = i64::from(case.cut.count_ones()) - 2 * rim - 4 * inner + 4 * triangles;
        // in eighths: voxels 1/8, adjacent pairs 1/4, full squares 1/2, the full cube 1; so equal numbers are the claim
        let is_in = |corners: &[usize]| i64::from(corners.iter().all(|&c| inside >> c & 1 == 1));
        let mut object = 8 * -is_in(&[0, 1, 2, 3, 4, 5, 6, 7]);
        for c in 0..8 {
            object += is_in(&[c]);
            for axis in [1, 2, 4] {
                object -= if c & axis == 0 { 2 * is_in(&[c, c | axis]) } else { 0 };
                let (u, v) = if axis == 1 {
                    (2, 4)
                } else if axis == 2 {
                    (1, 4)
                } else {
                    (1, 2)
                };
                object += if c & (u | v) == 0 { 4 * is_in(&[c, c | u, c | v, c | u | v]) } else { 0 };
            }
        }
        assert_eq!(mesh, object, "case {inside}: the mesh's share is twice the object's");
    }
}

/// Six times the signed volume of a tetrahedron.
fn volume6([a, b, c, d]: [DVec3; 4]) -> f64 {
    (b - a).dot((c - a).cross(d - a))
}

/// Returns whether the inside of a segment passes through the inside of a triangle.
fn crosses([p, q]: [DVec3; 2], [a, b, c]: [DVec3; 3]) -> bool {
    const ROUNDING: f64 = 1e-12;
    let ends = [p, q].map(|end| volume6([a, b, c, end]));
    let sides = [[a, b], [b, c], [c, a]].map(|[from, to]| volume6([p, q, from, to]));
    ends[0] * ends[1] < 0.0
        && ends.iter().all(|v| v.abs() > ROUNDING)
        && (sides.iter().all(|&v| v > ROUNDING) || sides.iter().all(|&v| v < -ROUNDING))
}

#[test]
fn triangles_of_a_cell_do_not_cross() {
    let across = [DVec3::new(-1.0, -1.0, 0.0), DVec3::new(2.0, -1.0, 0.0), DVec3::new(0.0, 2.0, 0.0)];
    assert!(crosses([DVec3::Z, -DVec3::Z], across) && !crosses([DVec3::Z, 2.0 * DVec3::Z], across));
    let mut stream = Seed([6; 32]).stream("crossings", 0);
    for round in 0..100 {
        let places: [DVec3; 12] = std::array::from_fn(|edge| {
            let share = match (round % 3, stream.below(3)) {
                (0, _) | (1, 2) => 1e-3 + 0.998 * stream.unit(),
                (_, 0) => 1e-3,
                (2, 2) => 0.5,
                _ => 0.999,
            };
            let [low, high] =
                ends(edge as u8).map(|c| DVec3::new(f64::from(c & 1), f64::from(c >> 1 & 1), f64::from(c >> 2)));
            low + share * (high - low)
        });
        for (inside, case) in CASES.iter().enumerate() {
            let triangles = &case.triangles[..usize::from(case.count)];
            for (one, other) in triangles.iter().flat_map(|one| triangles.iter().map(move |other| (one, other))) {
                for side in [[one[0], one[1]], [one[1], one[2]], [one[2], one[0]]] {
                    let apart = !side.iter().any(|edge| other.contains(edge));
                    let place = |edge: u8| places[usize::from(edge)];
                    assert!(!(apart && crosses(side.map(place), other.map(place))), "case {inside}, round {round}");
                }
            }
        }
    }
}
