//! Whether triangles enclose something, found without a table of edges, by position rather than vertex number.

use rayon::prelude::*;

use super::rays::Soup;

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
pub(super) fn closure(soup: &Soup<'_>) -> Closure {
    let hashes: Vec<u64> = soup.points.par_iter().map(|p| hash(&p.map(f64::to_bits))).collect();
    let (odd, sum) = soup
        .triangles
        .par_iter()
        .map(|corners| {
            let [a, b, c] = corners.map(|p| hashes[p as usize]);
            [(a, b), (b, c), (c, a)].iter().fold((0, 0_u64), |(odd, sum), &(from, to)| match from.cmp(&to) {
                std::cmp::Ordering::Less => (odd ^ hash(&[from, to]), sum.wrapping_add(hash(&[from, to]))),
                std::cmp::Ordering::Equal => (odd, sum),
                std::cmp::Ordering::Greater => (odd ^ hash(&[to, from]), sum.wrapping_sub(hash(&[to, from]))),
            })
        })
        .reduce(|| (0, 0), |a, b| (a.0 ^ b.0, a.1.wrapping_add(b.1)));
    Closure { even: odd == 0, balanced: sum == 0 }
}

/// Mixes words (Steele, Lea and Flood's `SplitMix64` finaliser).
fn hash(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Returns the triangles without those that repeat an earlier one, same corners in the same sense, by position.
///
/// Two copies of a wall would cancel and leave a hole. Back-to-back copies stay: they are where two bodies touch.
pub(super) fn without_copies(soup: &Soup<'_>) -> Vec<[u32; 3]> {
    let mut keys: Vec<([[u64; 3]; 3], usize)> = soup
        .triangles
        .par_iter()
        .enumerate()
        .map(|(number, corners)| {
            let mut key = corners.map(|p| soup.points[p as usize].map(f64::to_bits));
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

    const POINTS: [[f64; 3]; 4] = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    const FACES: [[u32; 3]; 4] = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];

    fn of(triangles: &[[u32; 3]]) -> (bool, bool) {
        let found = closure(&Soup { points: &POINTS, triangles });
        (found.even, found.balanced)
    }

    #[test]
    fn a_tetrahedron_is_closed_until_a_face_is_lost_turned_or_doubled() {
        assert_eq!(of(&FACES), (true, true));
        assert_eq!(of(&FACES[1..]), (false, false));
        assert_eq!(of(&[[0, 1, 2], FACES[1], FACES[2], FACES[3]]), (true, false), "turned over");
        let doubled = [FACES[0], FACES[1], FACES[2], FACES[3], [2, 1, 0]];
        assert_eq!(of(&doubled), (false, false));
        let soup = Soup { points: &POINTS, triangles: &doubled };
        assert_eq!(without_copies(&soup), FACES);
        assert_eq!(of(&[[0, 0, 1], [1, 2, 2]]), (true, true), "degenerate triangles leave nothing");
    }
}
