//! Which way the triangles of an untidy mesh face: neighbours agree within a patch, and rays tell which side of it is out.

use rayon::prelude::*;

use super::{
    Rule,
    rows::{AXES, cross},
    soup::Soup,
};
use crate::mesh::edges::Edges;

/// Most triangles in a patch of which one is known by a number; the highest bit of a neighbour tells its sense.
const NONE: u32 = u32::MAX;
const AGREES: u32 = 1 << 31;

/// Triangles connected over edges that two of them share, and whether each must be turned over.
#[derive(Debug)]
pub(super) struct Patches {
    /// Patch of each triangle.
    patch: Vec<u32>,
    /// Whether the triangle must be turned over.
    pub(super) turned: Vec<bool>,
    pub(super) count: usize,
}

impl Patches {
    /// Makes the triangles of each patch face the same side; which, is what most of them did.
    ///
    /// A patch that cannot (a Möbius strip) is left with an inner seam, which later counts as a rim.
    pub(super) fn of(triangles: &[[u32; 3]], edges: &Edges) -> Self {
        let neighbours = neighbours(triangles, edges);
        let mut patches = Self { patch: vec![NONE; triangles.len()], turned: vec![false; triangles.len()], count: 0 };
        let (mut members, mut waiting) = (Vec::new(), Vec::new());
        for first in 0..triangles.len() {
            if patches.patch[first] != NONE {
                continue;
            }
            members.clear();
            patches.patch[first] = patches.count as u32;
            waiting.push(first);
            while let Some(triangle) = waiting.pop() {
                members.push(triangle);
                for &neighbour in neighbours[triangle].iter().filter(|&&neighbour| neighbour != NONE) {
                    let other = (neighbour & !AGREES) as usize;
                    if patches.patch[other] == NONE {
                        patches.patch[other] = patches.count as u32;
                        patches.turned[other] = patches.turned[triangle] ^ (neighbour & AGREES == 0);
                        waiting.push(other);
                    }
                }
            }
            let turned = members.iter().filter(|&&triangle| patches.turned[triangle]).count();
            if 2 * turned > members.len() {
                members.iter().for_each(|&triangle| patches.turned[triangle] ^= true);
            }
            patches.count += 1;
        }
        patches
    }

    /// Turns over the patches that most rays along the three axes enter where they should leave.
    ///
    /// Under even-odd a ray that is crossed an even number of times enters at its first, third, … crossing, so that cavities
    /// come to face inwards. Where overlapping shells are a union only its first and last crossing are sure. Crossings
    /// between the same two voxel centres have no known order and no vote.
    pub(super) fn face_out(&mut self, soup: &Soup, triangles: &[[u32; 3]], size: [usize; 3], rule: Rule) {
        let mut votes = vec![0_i64; self.count];
        for axes in AXES {
            let crossings = self.crossings(soup, triangles, size, axes);
            for row in crossings.chunk_by(|a, b| a.0 == b.0) {
                if rule == Rule::EvenOdd && row.len() % 2 == 1 {
                    continue;
                }
                let mut before = 0;
                for place in row.chunk_by(|a, b| a.1 == b.1) {
                    let sure = rule == Rule::EvenOdd || before == 0 || before + place.len() == row.len();
                    if let ([(_, _, patch, leaves)], true) = (place, sure) {
                        let should_leave = if rule == Rule::EvenOdd { before % 2 == 1 } else { before > 0 };
                        votes[*patch as usize] += if *leaves == should_leave { 1 } else { -1 };
                    }
                    before += place.len();
                }
            }
        }
        for (turned, &patch) in self.turned.iter_mut().zip(&self.patch) {
            *turned ^= votes[patch as usize] < 0;
        }
    }

    /// Returns (ray, index, patch, leaves) of every crossing, in order along each ray.
    fn crossings(
        &self,
        soup: &Soup,
        triangles: &[[u32; 3]],
        size: [usize; 3],
        axes: [usize; 3],
    ) -> Vec<(u32, u32, u32, bool)> {
        let size = axes.map(|axis| size[axis]);
        let mut crossings: Vec<_> = triangles
            .par_iter()
            .enumerate()
            .with_min_len(1 << 14)
            .flat_map_iter(|(number, &triangle)| {
                let corners = soup.corners(triangle).map(|p| axes.map(|axis| p[axis]));
                let mut found = Vec::new();
                let (patch, turned) = (self.patch[number], self.turned[number]);
                cross(&corners, size, |c| found.push((c.row, c.index, patch, c.leaves ^ turned)));
                found
            })
            .collect();
        crossings.par_sort_unstable();
        crossings
    }
}

/// Returns, for every side of every triangle, the one other triangle there and whether the two agree.
fn neighbours(triangles: &[[u32; 3]], edges: &Edges) -> Vec<[u32; 3]> {
    let mut neighbours = vec![[NONE; 3]; triangles.len()];
    for (low, high, sides) in edges.iter() {
        let [one, two] = sides else { continue };
        let agrees = if one.backward() == two.backward() { 0 } else { AGREES };
        for (side, other) in [(one, two), (two, one)] {
            let corners = triangles[side.triangle()];
            let from = if side.backward() { high } else { low };
            let at = corners.iter().position(|&corner| corner == from).unwrap_or(0);
            neighbours[side.triangle()][at] = other.triangle() as u32 | agrees;
        }
    }
    neighbours
}
