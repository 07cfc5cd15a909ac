//! Whether triangles enclose something, found without a table of edges, by position rather than vertex number.

use rayon::prelude::*;

use super::soup::Soup;

/// What the sides of all triangles leave over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closure {
    /// Every side occurs an even number of times: parity is the same for every ray between two voxels.
    pub(super) even: bool,
    /// Every side is run through as often one way as the other: so is the winding number.
    pub(super) balanced: bool,
}

/// Returns whether the surface is closed.
///
/// Each side gets a 64-bit hash of its end positions. Sides that occur twice vanish from the exclusive or of all hashes,
/// sides that occur both ways vanish from the signed sum; something left over is a rim. That a rim leaves nothing has a
/// chance of 2^-64. Needs no shared vertices, and is independent of order.
pub(super) fn closure(soup: &Soup) -> Closure {
    let hashes: Vec<u64> = soup
        .points
        .par_iter()
        .with_min_len(1 << 14)
        .map(|p| fold(fold(p[0] as u64, p[1] as u64), p[2] as u64))
        .collect();
    let (odd, sum) = soup
        .triangles
        .par_iter()
        .with_min_len(1 << 14)
        .map(|corners| {
            let [a, b, c] = corners.map(|p| hashes[p as usize]);
            let sides = [(a, b), (b, c), (c, a)].map(|(from, to)| {
                // a side of no length comes out as 0
                let hash = if from == to { 0 } else { fold(from.min(to), from.max(to)) };
                (hash, if from < to { hash } else { hash.wrapping_neg() })
            });
            sides.iter().fold((0, 0_u64), |(odd, sum), side| (odd ^ side.0, sum.wrapping_add(side.1)))
        })
        .reduce(|| (0, 0), |a, b| (a.0 ^ b.0, a.1.wrapping_add(b.1)));
    Closure { even: odd == 0, balanced: sum == 0 }
}

/// Mixes two words: both halves of the product of the words, each scattered by bits of its own.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let scatter = |x: u64, by: u64| (x ^ (x >> 32)).wrapping_mul(by);
    let (a, b) = (scatter(a, 0x9e37_79b9_7f4a_7c15) ^ 0x243f_6a88_85a3_08d3, scatter(b, 0xbf58_476d_1ce4_e5b9));
    let wide = u128::from(a ^ b.rotate_left(23)) * u128::from(b | 1);
    (wide >> 64) as u64 ^ (wide as u64).wrapping_add(a)
}

/// Returns the triangles without those that repeat an earlier one, same corners in the same sense, by position.
///
/// Two copies of a wall would cancel and leave a hole. Back-to-back copies stay: they are where two bodies touch.
pub(super) fn without_copies(soup: &Soup) -> Vec<[u32; 3]> {
    let mut keys: Vec<([[i64; 3]; 3], usize)> = soup
        .triangles
        .par_iter()
        .enumerate()
        .map(|(number, &corners)| {
            let mut key = soup.corners(corners);
            let least = (0..3).min_by_key(|&i| key[i]).unwrap_or(0);
            key.rotate_left(least);
            (key, number)
        })
        .collect();
    keys.par_sort_unstable();
    keys.dedup_by(|later, earlier| later.0 == earlier.0);
    let mut kept: Vec<usize> = keys.into_iter().map(|(_, number)| number).collect();
    kept.sort_unstable();
    kept.into_iter().map(|number| soup.triangles[number]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACES: [[u32; 3]; 4] = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];

    fn soup(triangles: &[[u32; 3]]) -> Soup {
        Soup { points: vec![[0; 3], [1, 0, 0], [0, 1, 0], [0, 0, 1]], triangles: triangles.to_vec() }
    }

    fn of(triangles: &[[u32; 3]]) -> (bool, bool) {
        let found = closure(&soup(triangles));
        (found.even, found.balanced)
    }

    #[test]
    fn a_tetrahedron_is_closed_until_a_face_is_lost_turned_or_doubled() {
        assert_eq!(of(&FACES), (true, true));
        assert_eq!(of(&FACES[1..]), (false, false));
        assert_eq!(of(&[[0, 1, 2], FACES[1], FACES[2], FACES[3]]), (true, false), "turned over");
        let doubled = [FACES[0], FACES[1], FACES[2], FACES[3], [2, 1, 0]];
        assert_eq!(of(&doubled), (false, false));
        assert_eq!(without_copies(&soup(&doubled)), FACES);
        assert_eq!(of(&[[0, 0, 1], [1, 2, 2]]), (true, true), "degenerate triangles leave nothing");
    }
}
