//! The rims of an open surface, as closed rings.

use std::collections::HashMap;

use super::soup::Point;
use crate::{mesh::edges::Edges, space::DVec3};

/// Rings of points along which triangles are missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Rims {
    /// The points on rims, as the soup numbers them.
    pub(super) points: Vec<u32>,
    /// Rings of numbers into `points`, against the sense of the triangles that are there, so along that of those missing.
    pub(super) rings: Vec<Vec<u32>>,
}

impl Rims {
    /// Finds the rims of triangles, some turned over.
    ///
    /// What the sides leave over is a boundary of a surface, so at every point as many of its edges begin as end, and a walk
    /// along unused edges always closes. A ring is cut off as soon as the walk meets itself.
    pub(super) fn of(edges: &Edges, turned: &[bool]) -> Self {
        let mut open: Vec<(u32, u32)> = Vec::new();
        for (low, high, sides) in edges.iter() {
            let net: i64 =
                sides.iter().map(|side| if side.backward() == turned[side.triangle()] { 1 } else { -1 }).sum();
            let missing = if net > 0 { (high, low) } else { (low, high) };
            open.extend((0..net.abs()).map(|_| missing));
        }
        open.sort_unstable();
        let mut points: Vec<u32> = open.iter().map(|&(from, _)| from).collect();
        points.dedup();
        let number = |point: u32| points.binary_search(&point).unwrap_or(0);
        let mut starts: Vec<usize> = points.iter().map(|&p| open.partition_point(|&(from, _)| from < p)).collect();
        let ends: Vec<usize> = starts.iter().skip(1).copied().chain([open.len()]).collect();
        let to: Vec<usize> = open.iter().map(|&(_, to)| number(to)).collect();
        let mut rings = Vec::new();
        for first in 0..points.len() {
            let (mut path, mut place) = (vec![first], HashMap::from([(first, 0)]));
            while let Some(&at) = path.last().filter(|&&at| starts[at] < ends[at]) {
                let next = to[starts[at]];
                starts[at] += 1;
                if let Some(&met) = place.get(&next) {
                    for left in &path[met + 1..] {
                        place.remove(left);
                    }
                    rings.push(path.drain(met..).map(|point| point as u32).collect());
                    path.push(next);
                } else {
                    place.insert(next, path.len());
                    path.push(next);
                }
            }
        }
        Self { points, rings }
    }

    /// Returns the edges on all rims.
    pub(super) fn edges(&self) -> usize {
        self.rings.iter().map(Vec::len).sum()
    }

    /// Returns the area of all holes: of each the length of its area vector, mm²; a flat hole's own area.
    pub(super) fn area_mm2(&self, points_mm: &[DVec3]) -> f64 {
        let area = |ring: &Vec<u32>| {
            let corner = |i: usize| points_mm[ring[i % ring.len()] as usize] - points_mm[ring[0] as usize];
            0.5 * (0..ring.len()).map(|i| corner(i).cross(corner(i + 1))).fold(DVec3::ZERO, |sum, v| sum + v).length()
        };
        self.rings.iter().map(area).fold(0.0, |sum, area| sum + area)
    }
}

/// Returns for each point the first of its position, so that triangles that meet in space meet in number too.
pub(super) fn welded(points: &[Point]) -> Vec<u32> {
    use rayon::prelude::*;
    let mut order: Vec<(Point, u32)> = points.par_iter().enumerate().map(|(number, &p)| (p, number as u32)).collect();
    order.par_sort_unstable();
    let mut first = vec![0_u32; points.len()];
    for same in order.chunk_by(|a, b| a.0 == b.0) {
        for (_, number) in same {
            first[*number as usize] = same[0].1;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rims_are_cut_into_simple_rings() {
        // a fan of two triangles that touch at point 0 only: two rings, against the triangles' own sense
        let triangles = [[0, 1, 2], [0, 3, 4]];
        let rims = Rims::of(&Edges::of(5, &triangles), &[false, false]);
        assert_eq!((rims.points.as_slice(), rims.edges()), ([0, 1, 2, 3, 4].as_slice(), 6));
        assert_eq!(rims.rings, [[0, 2, 1], [0, 4, 3]]);
        let turned = Rims::of(&Edges::of(5, &triangles), &[false, true]);
        assert_eq!(turned.rings, [[0, 2, 1], [0, 3, 4]]);
        let mm = [DVec3::ZERO, DVec3::X, DVec3::Y, -DVec3::X, -DVec3::Y];
        assert_eq!(rims.area_mm2(&mm), 1.0);
        assert_eq!(Rims::of(&Edges::of(0, &[]), &[]).rings.len(), 0);
        assert_eq!(welded(&[[1, 0, 0], [2, 0, 0], [1, 0, 0]]), [0, 1, 0]);
    }
}
