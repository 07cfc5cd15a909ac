//! Closed rims, spanned by triangles in a hierarchy of arcs, and how often the spans wind around a point or a ball.
//!
//! ```text
//!        m                an arc from..to is spanned by the triangle (from, m, to), m its middle, and the spans of its
//!      .' '.              two halves. So an arc and all it is spanned with stay close together, and seen from further
//!    .'     '.            off than its own size it is one dipole: its area vector at its centre.
//!  from ---- to
//! ```

use std::f64::consts::PI;

use super::share;
use crate::{mesh::bvh::closest_on_triangle, space::DVec3};

/// Part of a span: an arc of a rim, or several rims.
#[derive(Clone, Debug)]
struct Node {
    /// Centre of area; where the dipole stands.
    centre: DVec3,
    /// Nothing of the part is further from the centre.
    radius: f64,
    low: DVec3,
    high: DVec3,
    /// Sum of the triangles' area vectors.
    vector: DVec3,
    /// Sum of their areas.
    area: f64,
    /// Number of its own triangle, `u32::MAX` for none.
    triangle: u32,
    children: [u32; 2],
}

/// Triangles that span rims.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    points: Vec<DVec3>,
    triangles: Vec<[u32; 3]>,
    nodes: Vec<Node>,
}

/// A winding number and what it may be off by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

/// No child, no triangle.
const NONE: u32 = u32::MAX;

impl Spans {
    /// Returns the spans of rims, each a closed ring of point numbers; the triangles run along the rims as they are given.
    pub(crate) fn new(points: Vec<DVec3>, rims: &[Vec<u32>]) -> Self {
        let mut spans = Self { points, ..Self::default() };
        let mut level: Vec<u32> = rims.iter().filter_map(|rim| spans.arc(rim, 0, rim.len())).collect();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| if pair.len() == 2 { spans.add(NONE, [pair[0], pair[1]]) } else { pair[0] })
                .collect();
        }
        spans
    }

    /// Returns the triangles, as point numbers.
    pub(crate) fn triangles(&self) -> &[[u32; 3]] {
        &self.triangles
    }

    /// Spans an arc; from its first point around to the first again, it is the whole rim.
    fn arc(&mut self, rim: &[u32], from: usize, to: usize) -> Option<u32> {
        if to - from < 2 {
            return None;
        }
        let middle = usize::midpoint(from, to);
        let mut triangle = NONE;
        if to - from < rim.len() {
            triangle = self.triangles.len() as u32;
            self.triangles.push([rim[from], rim[middle], rim[to % rim.len()]]);
        }
        let halves = [self.arc(rim, from, middle), self.arc(rim, middle, to)];
        if triangle == NONE && halves == [None; 2] {
            return None;
        }
        Some(self.add(triangle, halves.map(|half| half.unwrap_or(NONE))))
    }

    fn corners(&self, triangle: u32) -> [DVec3; 3] {
        self.triangles[triangle as usize].map(|p| self.points[p as usize])
    }

    fn add(&mut self, triangle: u32, children: [u32; 2]) -> u32 {
        let mut node = Node {
            centre: DVec3::ZERO,
            radius: 0.0,
            low: DVec3::INFINITY,
            high: DVec3::NEG_INFINITY,
            vector: DVec3::ZERO,
            area: 0.0,
            triangle,
            children,
        };
        let mut moment = DVec3::ZERO;
        if triangle != NONE {
            let [a, b, c] = self.corners(triangle);
            node.vector = 0.5 * (b - a).cross(c - a);
            node.area = node.vector.length();
            (node.low, node.high) = (a.min(b).min(c), a.max(b).max(c));
            moment = (a + b + c) / 3.0 * node.area;
        }
        for child in children.into_iter().filter(|&child| child != NONE) {
            let child = &self.nodes[child as usize];
            node.vector += child.vector;
            node.area += child.area;
            (node.low, node.high) = (node.low.min(child.low), node.high.max(child.high));
            moment += child.centre * child.area;
        }
        node.centre = if node.area > 0.0 { moment / node.area } else { (node.low + node.high) / 2.0 };
        node.radius = (node.high - node.centre).max(node.centre - node.low).length();
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    /// Returns how often the spans wind around a point. Parts that a dipole stands for to within `tolerance` are not looked
    /// into; with 0 the sum is over all triangles. `side` tells on which side of a triangle a point in its plane counts.
    pub(crate) fn around(&self, p: DVec3, tolerance: f64, side: impl Fn(u32) -> i32) -> Estimate {
        let mut found = Estimate::default();
        let mut waiting: Vec<u32> = self.nodes.len().checked_sub(1).map(|root| root as u32).into_iter().collect();
        while let Some(node) = waiting.pop() {
            let node = &self.nodes[node as usize];
            if let Some(dipole) = node.dipole(p, 0.0).filter(|dipole| dipole.error < tolerance) {
                found.value += dipole.value;
                found.error += dipole.error;
                continue;
            }
            if node.triangle != NONE {
                found.value += share(&self.corners(node.triangle).map(|corner| corner - p), || side(node.triangle));
            }
            waiting.extend(node.children.into_iter().filter(|&child| child != NONE));
        }
        found
    }

    /// Returns the winding number at the centre of a ball, and by how much it may differ anywhere in the ball; nothing when
    /// a span cuts the ball or the difference may exceed 1.
    pub(crate) fn across_ball(&self, centre: DVec3, radius: f64, tolerance: f64) -> Option<Estimate> {
        let mut found = Estimate::default();
        let mut waiting: Vec<u32> = self.nodes.len().checked_sub(1).map(|root| root as u32).into_iter().collect();
        while let Some(node) = waiting.pop() {
            let node = &self.nodes[node as usize];
            if let Some(dipole) = node.dipole(centre, radius).filter(|dipole| dipole.error < tolerance) {
                found.value += dipole.value;
                found.error += dipole.error;
                continue;
            }
            if node.triangle != NONE {
                let corners = self.corners(node.triangle);
                let gap = closest_on_triangle(centre, &corners).0.distance(centre) - radius * (1.0 + 1e-9);
                if gap <= 0.0 {
                    return None;
                }
                let [a, b, c] = corners;
                let area = 0.5 * (b - a).cross(c - a).length();
                let rim = a.distance(b) + b.distance(c) + c.distance(a);
                // the gradient of the share is at most area / (2 pi gap^3), and at most rim / (4 pi gap^2) (Biot and Savart)
                found.error += radius * (area / (2.0 * PI * gap.powi(3))).min(rim / (4.0 * PI * gap * gap));
                found.value += share(&corners.map(|corner| corner - centre), || 0);
            }
            if found.error > 1.0 {
                return None;
            }
            waiting.extend(node.children.into_iter().filter(|&child| child != NONE));
        }
        Some(found)
    }
}

impl Node {
    /// Returns the winding number as of a dipole at p, and its largest error in a ball around p; nothing when the ball may
    /// touch the part. Moving an area element by s changes its share by at most 2 s / (4 pi gap^3) times its area.
    fn dipole(&self, p: DVec3, radius: f64) -> Option<Estimate> {
        let towards = self.centre - p;
        let distance = towards.length();
        let gap = distance - self.radius - radius;
        (gap > 0.0).then(|| Estimate {
            value: self.vector.dot(towards) / (4.0 * PI * distance * distance * distance),
            error: self.area * (self.radius + radius) / (2.0 * PI * gap * gap * gap),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    fn wavy_rings() -> (Vec<DVec3>, Vec<Vec<u32>>) {
        let rings = 5_u32;
        let points = (0..rings)
            .flat_map(|ring| {
                (0..50 + ring).map(move |i| {
                    let angle = std::f64::consts::TAU * f64::from(i) / f64::from(50 + ring);
                    let (s, c) = (libm::sin(angle), libm::cos(angle));
                    DVec3::new(9.0 * c, 7.0 * s, libm::sin(5.0 * angle)) + 15.0 * f64::from(ring) * DVec3::X
                })
            })
            .collect();
        let mut next = 0;
        let rims = (0..rings).map(|ring| (0..50 + ring).map(|_| (next, next += 1).0).collect()).collect();
        (points, rims)
    }

    #[test]
    fn the_hierarchy_keeps_its_promises() {
        let (points, rims) = wavy_rings();
        let spans = Spans::new(points, &rims);
        assert_eq!(spans.triangles().len(), rims.iter().map(|rim| rim.len() - 2).sum::<usize>());
        let mut stream = Seed([3; 32]).stream("spans", 0);
        let mut worth = 0;
        for _ in 0..300 {
            let p = DVec3::new(stream.between(-30.0, 90.0), stream.between(-30.0, 30.0), stream.between(-20.0, 20.0));
            let exact = spans.around(p, 0.0, |_| 0);
            assert_eq!(exact.error, 0.0);
            let fast = spans.around(p, 1e-4, |_| 0);
            assert!((fast.value - exact.value).abs() <= fast.error + 1e-14, "{p} {fast:?} {exact:?}");
            worth += u32::from(fast.error > 0.0);
            let radius = stream.between(0.1, 4.0);
            let Some(ball) = spans.across_ball(p, radius, 1e-2) else { continue };
            for _ in 0..10 {
                let step = [0; 3].map(|_| stream.between(-1.0, 1.0));
                let near = p + radius * DVec3::from_array(step).clamp_length_max(1.0);
                let there = spans.around(near, 0.0, |_| 0).value;
                assert!((there - ball.value).abs() <= ball.error + 1e-12, "{p} {near} {there} {ball:?}");
            }
        }
        assert!(worth > 200);
        assert_eq!(Spans::default().around(DVec3::ZERO, 1e-4, |_| 0), Estimate::default());
    }
}
