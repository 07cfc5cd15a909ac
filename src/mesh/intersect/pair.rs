//! Whether two triangles have more in common than the corners they share.

use crate::{
    mesh::exact::{side, side_roughly, turn},
    space::DVec3,
};

/// Relative margin that a separation must keep in double precision to be believed.
const MARGIN: f64 = 1e-9;

/// Returns whether two triangles with area meet anywhere but in corners at equal positions (and the side between two such).
///
/// Touching counts. Three equal corners are a copy, which is another fault and does not count.
pub(super) fn meet(one: &[DVec3; 3], two: &[DVec3; 3]) -> bool {
    let shared = |corner: &DVec3, other: &[DVec3; 3]| other.contains(corner);
    let first = one.map(|corner| shared(&corner, two));
    match first.iter().filter(|&&shared| shared).count() {
        0 => !apart(one, two) && apart_sides_meet(one, two),
        1 => {
            let (one, two) = (led_by(one, |c| shared(c, two)), led_by(two, |c| shared(c, one)));
            !wedges_apart(&one, &two) && (reaches(one[1], one[2], &two) || reaches(two[1], two[2], &one))
        }
        2 => folded(&led_by(one, |c| !shared(c, two)), &led_by(two, |c| !shared(c, one))),
        _ => false,
    }
}

/// Returns the corners, rotated so that the first satisfies the test.
fn led_by(corners: &[DVec3; 3], test: impl Fn(&DVec3) -> bool) -> [DVec3; 3] {
    let first = corners.iter().position(test).unwrap_or(0);
    [0, 1, 2].map(|i| corners[(first + i) % 3])
}

/// Returns whether two triangles with a common side lie on each other. Each is led by the corner it has alone.
fn folded(one: &[DVec3; 3], two: &[DVec3; 3]) -> bool {
    let [own, a, b] = *one;
    let other = two[0];
    let normals = [own, other].map(|p| (b - a).cross(p - a));
    if normals[0].dot(normals[1]) < -MARGIN * normals[0].length() * normals[1].length() {
        return false;
    }
    side(a, b, own, other) == 0 && {
        let drop = flat_axis(one);
        let [a, b, own, other] = [a, b, own, other].map(|p| without(p, drop));
        turn(a, b, own) == turn(a, b, other)
    }
}

/// Returns whether a plane through the common first corner surely has the rest of the triangles on its two sides.
fn wedges_apart(one: &[DVec3; 3], two: &[DVec3; 3]) -> bool {
    let apex = one[0];
    let [a, b, c, d] = [one[1], one[2], two[1], two[2]].map(|p| (p - apex) / (p - apex).length());
    let across = a + b - c - d;
    a.dot(across).min(b.dot(across)) > MARGIN && c.dot(across).max(d.dot(across)) < -MARGIN
}

/// Returns whether triangles without a common corner are surely apart: on one side of a plane, or along a direction across
/// a side in its triangle's plane.
fn apart(one: &[DVec3; 3], two: &[DVec3; 3]) -> bool {
    [(one, two), (two, one)].into_iter().any(|(one, two)| {
        let [a, b, c] = *one;
        let sides = two.map(|p| side_roughly(a, b, c, p));
        if sides[0].is_some_and(|side| side != 0) && sides[0] == sides[1] && sides[1] == sides[2] {
            return true;
        }
        let normal = (b - a).cross(c - a);
        [(a, b, c), (b, c, a), (c, a, b)].into_iter().any(|(from, to, third)| {
            let across = normal.cross(to - from);
            let inner = across.dot(third - from).max(0.0);
            let reach = two.iter().map(|&p| (p - from).length()).fold((third - from).length(), f64::max);
            let margin = MARGIN * across.length() * reach;
            let depths = two.map(|p| across.dot(p - from));
            let (low, high) = (depths[0].min(depths[1]).min(depths[2]), depths[0].max(depths[1]).max(depths[2]));
            high < -margin || low > inner + margin
        })
    })
}

/// Returns whether a side of one triangle reaches the other.
fn apart_sides_meet(one: &[DVec3; 3], two: &[DVec3; 3]) -> bool {
    [(one, two), (two, one)].into_iter().any(|(one, two)| (0..3).any(|i| reaches(one[i], one[(i + 1) % 3], two)))
}

/// Returns whether a segment and a triangle with area have a point in common.
fn reaches(p: DVec3, q: DVec3, triangle: &[DVec3; 3]) -> bool {
    let [a, b, c] = *triangle;
    let (from, to) = (side(a, b, c, p), side(a, b, c, q));
    if from * to > 0 {
        return false;
    }
    if (from, to) == (0, 0) {
        return reaches_in_plane(p, q, triangle);
    }
    let turns = [side(p, q, a, b), side(p, q, b, c), side(p, q, c, a)];
    turns.iter().all(|&turn| turn >= 0) || turns.iter().all(|&turn| turn <= 0)
}

/// The same for a segment in the plane of the triangle.
fn reaches_in_plane(p: DVec3, q: DVec3, triangle: &[DVec3; 3]) -> bool {
    let drop = flat_axis(triangle);
    let corners = triangle.map(|corner| without(corner, drop));
    let (p, q) = (without(p, drop), without(q, drop));
    let within = |p: [f64; 2]| {
        let turns = [0, 1, 2].map(|i| turn(corners[i], corners[(i + 1) % 3], p));
        turns.iter().all(|&turn| turn >= 0) || turns.iter().all(|&turn| turn <= 0)
    };
    within(p) || within(q) || (0..3).any(|i| segments_cross(p, q, corners[i], corners[(i + 1) % 3]))
}

/// Returns whether two segments of a plane, ends not in a triangle between, cross or overlap.
fn segments_cross(p: [f64; 2], q: [f64; 2], a: [f64; 2], b: [f64; 2]) -> bool {
    let across = [turn(p, q, a), turn(p, q, b), turn(a, b, p), turn(a, b, q)];
    if across == [0; 4] {
        return (0..2).all(|i| p[i].max(q[i]) >= a[i].min(b[i]) && a[i].max(b[i]) >= p[i].min(q[i]));
    }
    across[0] * across[1] <= 0 && across[2] * across[3] <= 0
}

/// Returns an axis along which the triangle, seen in projection, keeps an area.
fn flat_axis(&[a, b, c]: &[DVec3; 3]) -> usize {
    let normal = (b - a).cross(c - a).abs().to_array();
    let mut axes = [0, 1, 2];
    axes.sort_unstable_by(|&i, &j| normal[j].total_cmp(&normal[i]));
    axes.into_iter().find(|&axis| turn(without(a, axis), without(b, axis), without(c, axis)) != 0).unwrap_or(2)
}

const fn without(p: DVec3, axis: usize) -> [f64; 2] {
    match axis {
        0 => [p.y, p.z],
        1 => [p.z, p.x],
        _ => [p.x, p.y],
    }
}

/// Returns whether the corners of a triangle span an area; exact.
pub(super) fn has_area(&[a, b, c]: &[DVec3; 3]) -> bool {
    (0..3).any(|axis| turn(without(a, axis), without(b, axis), without(c, axis)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(x: f64, y: f64, z: f64) -> DVec3 {
        DVec3::new(x, y, z)
    }

    const FLOOR: [DVec3; 3] = [DVec3::ZERO, DVec3::new(4.0, 0.0, 0.0), DVec3::new(0.0, 4.0, 0.0)];

    /// Asks in every order of corners and triangles, and after a turn of the axes.
    fn check(two: [DVec3; 3], expected: bool) {
        for turned in 0..3 {
            let spin = |q: DVec3| [q, p(q.y, q.z, q.x), p(q.z, q.x, q.y)][turned];
            for order in 0..6 {
                let pick = |c: [DVec3; 3]| {
                    let mut c = c;
                    c.rotate_left(order % 3);
                    if order > 2 {
                        c.swap(0, 1);
                    }
                    c.map(spin)
                };
                assert_eq!(meet(&FLOOR.map(spin), &pick(two)), expected, "{two:?}");
                assert_eq!(meet(&pick(two), &FLOOR.map(spin)), expected, "{two:?}");
            }
        }
    }

    #[test]
    fn strangers_meet_when_they_cross_or_touch() {
        check([p(1.0, 1.0, -1.0), p(1.0, 1.0, 1.0), p(9.0, 9.0, 1.0)], true);
        check([p(1.0, 1.0, 0.0), p(1.0, 2.0, 1.0), p(2.0, 1.0, 1.0)], true);
        check([p(1.0, 1.0, 1e-300), p(1.0, 2.0, 1.0), p(2.0, 1.0, 1.0)], false);
        check([p(2.0, 2.0, -1.0), p(2.0, 2.0, 1.0), p(9.0, 9.0, 0.0)], true);
        check([p(3.0, 3.0, -1.0), p(3.0, 3.0, 1.0), p(9.0, 9.0, 0.0)], false);
        check([p(2.0, 2.0 + 4.0 * f64::EPSILON, -1.0), p(2.0, 2.0 + 4.0 * f64::EPSILON, 1.0), p(9.0, 9.0, 0.0)], false);
    }

    #[test]
    fn triangles_in_a_plane_meet_when_they_overlap_or_touch() {
        check([p(1.0, 1.0, 0.0), p(1.5, 1.0, 0.0), p(1.0, 1.5, 0.0)], true);
        check([p(-9.0, -9.0, 0.0), p(30.0, -9.0, 0.0), p(-9.0, 30.0, 0.0)], true);
        check([p(2.0, 2.0, 0.0), p(3.0, 2.0, 0.0), p(3.0, 3.0, 0.0)], true);
        check([p(2.1, 2.1, 0.0), p(3.0, 2.0, 0.0), p(3.0, 3.0, 0.0)], false);
        check([p(1.0, -1.0, 0.0), p(2.0, -1.0, 0.0), p(1.5, 0.0, 0.0)], true);
        check([p(1.0, 0.0, 0.0), p(3.0, 0.0, 0.0), p(2.0, -1.0, 0.0)], true);
    }

    #[test]
    fn neighbours_meet_only_when_folded_or_pierced() {
        // a common side
        check([p(0.0, 0.0, 0.0), p(4.0, 0.0, 0.0), p(0.0, -4.0, 0.0)], false);
        check([p(0.0, 0.0, 0.0), p(4.0, 0.0, 0.0), p(0.0, 1.0, 3.0)], false);
        check([p(0.0, 0.0, 0.0), p(4.0, 0.0, 0.0), p(1.0, 1.0, 0.0)], true);
        check([p(0.0, 0.0, 0.0), p(4.0, 0.0, 0.0), p(-9.0, 9.0, 0.0)], true);
        // a common corner
        check([p(0.0, 0.0, 0.0), p(-1.0, 0.0, 0.0), p(0.0, -1.0, 0.0)], false);
        check([p(0.0, 0.0, 0.0), p(-1.0, 3.0, 1.0), p(3.0, -1.0, 1.0)], false);
        check([p(0.0, 0.0, 0.0), p(1.0, 1.0, 1.0), p(1.0, 1.0, -1.0)], true);
        check([p(0.0, 0.0, 0.0), p(1.0, 1.0, 0.0), p(2.0, 1.0, 0.0)], true);
        check([p(0.0, 0.0, 0.0), p(9.0, 9.0, 0.0), p(9.0, 8.0, 5.0)], true);
        check([p(0.0, 0.0, 0.0), p(-9.0, 1.0, 0.0), p(9.0, -2.0, 0.0)], false);
        check([p(0.0, 0.0, 0.0), p(2.0, 0.0, 0.0), p(2.0, -3.0, 0.0)], true);
        // a copy
        check(FLOOR, false);
    }
}
