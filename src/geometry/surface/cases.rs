//! The 256 ways a surface can cut a cell, generated from two rules instead of copied from a table.
//!
//! ```text
//!        6--------7        corner c = dx + 2 dy + 4 dz
//!       /|       /|        edges 0..4   along x, edge      dy + 2 dz
//!      4--------5 |        edges 4..8   along y, edge  4 + dx + 2 dz
//!      | |      | |        edges 8..12  along z, edge  8 + dx + 2 dy
//!      | 2------|-3
//!      |/       |/         z up, x right, y into the page
//!      0--------1
//! ```
//! 1. On a face, every run of inside corners is cut off by one segment. Where two inside corners face each other across the
//!    diagonal, both are cut off: a tie separates the foreground. The rule sees the face alone, so the two cells that share
//!    a face agree on it and the surface has no hole, whatever the values.
//! 2. The segments of a cell close into loops. Each loop becomes a disc whose inner edges never lie in a cell face, because
//!    the cell across that face might use the same edge too. Two outside corners at opposite ends of the body diagonal are
//!    joined by a tunnel instead of capped by two discs.
//!
//! With these, the surface is that of the 6-connected foreground and the 26-connected background.

use std::sync::LazyLock;

/// Most triangles a case has.
pub(super) const MOST: usize = 6;

/// How the surface runs through a cell, for one choice of inside corners.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Case {
    /// Bit `e` is set when edge `e` is cut.
    pub(super) cut: u16,
    /// Number of triangles.
    pub(super) count: u8,
    /// The three edges of each triangle, counter-clockwise seen from outside the object on a right-handed grid.
    pub(super) triangles: [[u8; 3]; MOST],
}

/// All cases; bit `c` of the index is set when corner `c` is inside.
pub(super) static CASES: LazyLock<[Case; 256]> = LazyLock::new(|| std::array::from_fn(|inside| case(inside as u8)));

/// Corners of the six faces, counter-clockwise seen from outside the cell.
const FACES: [[u8; 4]; 6] = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];

/// Returns the edge between two neighbouring corners.
const fn edge(a: u8, b: u8) -> u8 {
    let low = if a < b { a } else { b };
    match a ^ b {
        1 => low >> 1,
        2 => 4 + (low & 1) + ((low >> 2) << 1),
        _ => 8 + low,
    }
}

/// Returns the middle of an edge, in half cells.
const fn middle(edge: u8) -> [i32; 3] {
    let (a, b) = ((edge & 1) as i32 * 2, (edge >> 1 & 1) as i32 * 2);
    match edge >> 2 {
        0 => [1, a, b],
        1 => [a, 1, b],
        _ => [a, b, 1],
    }
}

/// Returns whether two edges bound a common face.
fn share_a_face(e: u8, f: u8) -> bool {
    let (p, q) = (middle(e), middle(f));
    (0..3).any(|axis| p[axis] == q[axis] && p[axis] != 1)
}

fn case(inside: u8) -> Case {
    let mut case = Case::default();
    let outside = !inside;
    let loops = loops(inside);
    case.cut = loops.iter().flatten().fold(0, |cut, &e| cut | 1 << e);
    let triangles = if outside.count_ones() == 2 && outside.reverse_bits() == outside && loops.len() == 2 {
        tunnel(&loops[0], &loops[1])
    } else {
        loops.iter().flat_map(|polygon| disc(polygon)).collect()
    };
    case.count = triangles.len() as u8;
    case.triangles[..triangles.len()].copy_from_slice(&triangles);
    case
}

/// Returns the closed polygons in which the surface meets the faces of the cell, by rule 1.
fn loops(inside: u8) -> Vec<Vec<u8>> {
    let is_inside = |corner: u8| inside >> corner & 1 == 1;
    let mut next = [None; 12];
    for face in FACES {
        for i in 0..4 {
            let corner = |step: usize| face[(i + step) % 4];
            if !is_inside(corner(0)) && is_inside(corner(1)) {
                let end = (1..4).take_while(|&step| is_inside(corner(step))).count();
                next[usize::from(edge(corner(0), corner(1)))] = Some(edge(corner(end), corner(end + 1)));
            }
        }
    }
    let mut loops = Vec::new();
    for first in 0..12 {
        let mut polygon = Vec::new();
        let mut at = first;
        while let Some(following) = next[at].take() {
            polygon.push(at as u8);
            at = usize::from(following);
        }
        if !polygon.is_empty() {
            loops.push(polygon);
        }
    }
    loops
}

/// Returns a disc bounded by the polygon, without inner edges in a face: of all such, the one of shortest inner edges.
fn disc(polygon: &[u8]) -> Vec<[u8; 3]> {
    fan(polygon).map_or_else(Vec::new, |(_, triangles)| triangles)
}

/// Returns the best triangulation of a chain of edges closed by its last-to-first side, with the sum of squared lengths.
fn fan(chain: &[u8]) -> Option<(i32, Vec<[u8; 3]>)> {
    let (first, last) = (*chain.first()?, *chain.last()?);
    if chain.len() == 2 {
        return Some((0, Vec::new()));
    }
    let mut best: Option<(i32, Vec<[u8; 3]>)> = None;
    for apex in 1..chain.len() - 1 {
        let (Some(before), Some(after)) = (side(&chain[..=apex]), side(&chain[apex..])) else { continue };
        let cost = before.0 + after.0;
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            let mut triangles = vec![[first, chain[apex], last]];
            triangles.extend(before.1.into_iter().chain(after.1));
            best = Some((cost, triangles));
        }
    }
    best
}

/// Returns the part of a triangulation behind an inner edge, or nothing when that edge would lie in a face.
fn side(chain: &[u8]) -> Option<(i32, Vec<[u8; 3]>)> {
    let (p, q) = (chain[0], chain[chain.len() - 1]);
    if chain.len() == 2 {
        return Some((0, Vec::new()));
    }
    if share_a_face(p, q) {
        return None;
    }
    let length2: i32 = middle(p).iter().zip(middle(q)).map(|(a, b)| (a - b) * (a - b)).sum();
    fan(chain).map(|(cost, triangles)| (cost + length2, triangles))
}

/// Returns the tube between the triangles around two opposite corners: an antiprism of six triangles.
///
/// The two loops run opposite ways about the diagonal. Each edge of one loop is parallel to one of the other and nearer to
/// the remaining two.
fn tunnel(near: &[u8], far: &[u8]) -> Vec<[u8; 3]> {
    let parallel_to = |e: u8, ring: &[u8]| ring.iter().copied().find(|f| f >> 2 == e >> 2).unwrap_or(e);
    let mut triangles = Vec::new();
    for (here, there) in [(near, far), (far, near)] {
        for i in 0..3 {
            let (a, b, c) = (here[i], here[(i + 1) % 3], here[(i + 2) % 3]);
            triangles.push([a, b, parallel_to(c, there)]);
        }
    }
    triangles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_uses_its_cut_edges_and_no_diagonal_in_a_face() {
        for (inside, case) in CASES.iter().enumerate() {
            let is_inside = |corner: u8| inside >> corner & 1 == 1;
            for a in 0..8_u8 {
                for axis in [1, 2, 4] {
                    let cut = is_inside(a) != is_inside(a ^ axis);
                    assert_eq!(case.cut >> edge(a, a ^ axis) & 1 == 1, cut, "case {inside}");
                }
            }
            let triangles = &case.triangles[..usize::from(case.count)];
            let used = triangles.iter().flatten().fold(0_u16, |used, &e| used | 1 << e);
            assert_eq!(used, case.cut, "case {inside}: every vertex is used");
            let boundary: Vec<(u8, u8)> = loops(inside as u8)
                .iter()
                .flat_map(|ring| (0..ring.len()).map(|i| (ring[i], ring[(i + 1) % ring.len()])).collect::<Vec<_>>())
                .collect();
            let sides: Vec<(u8, u8)> = triangles.iter().flat_map(|&[a, b, c]| [(a, b), (b, c), (c, a)]).collect();
            for &(a, b) in &sides {
                let on_boundary = boundary.contains(&(a, b));
                assert_eq!(sides.iter().filter(|&&s| s == (a, b)).count(), 1, "case {inside}: a side once each way");
                assert_ne!(on_boundary, sides.contains(&(b, a)), "case {inside}: an inner edge has two triangles");
                assert!(on_boundary || !share_a_face(a, b), "case {inside}: edge {a}-{b} lies in a face");
            }
            assert!(boundary.iter().all(|segment| sides.contains(segment)), "case {inside}: no hole");
        }
    }

    #[test]
    fn known_cases_have_their_triangles() {
        assert_eq!((CASES[0].count, CASES[255].count), (0, 0));
        assert_eq!(CASES[1].triangles[0], [0, 4, 8], "outward from the corner at the origin");
        assert_eq!(CASES[0b0000_1111].count, 2, "a flat cut");
        assert_eq!(CASES[0b1000_0001].count, 2, "two inside corners across the body diagonal stay apart");
        assert_eq!(CASES[0b0111_1110].count, 6, "two outside corners across the body diagonal are joined");
        assert!(CASES.iter().any(|case| usize::from(case.count) == MOST));
    }
}
