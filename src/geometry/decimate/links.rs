//! The triangles around each vertex while edges collapse, and which collapses keep a surface a surface.

use crate::{geometry::smooth::rings::Rings, mesh::Mesh, space::DVec3};

/// No corner follows.
const END: u32 = u32::MAX;

/// A mesh under collapse. A corner is 3 x triangle + place; the corners of a vertex form a list.
pub(super) struct Links {
    pub(super) points: Vec<DVec3>,
    pub(super) triangles: Vec<[u32; 3]>,
    pub(super) alive: Vec<bool>,
    /// Vertices on the rim of an open mesh, or where the mesh is no manifold.
    pub(super) rim: Vec<bool>,
    first: Vec<u32>,
    next: Vec<u32>,
}

impl Links {
    /// Returns the links of a mesh whose triangles use known vertices only, each three different ones.
    pub(super) fn of(mesh: &Mesh) -> Self {
        let mut first = vec![END; mesh.vertices.len()];
        let mut next = vec![END; 3 * mesh.triangles.len()];
        // from the back, so that each list runs forward
        for (corner, &v) in mesh.triangles.as_flattened().iter().enumerate().rev() {
            next[corner] = first[v as usize];
            first[v as usize] = corner as u32;
        }
        Self {
            points: mesh.vertices.clone(),
            triangles: mesh.triangles.clone(),
            alive: vec![true; mesh.triangles.len()],
            rim: Rings::of(mesh).rim,
            first,
            next,
        }
    }

    /// Returns the corners of a triangle.
    pub(super) fn corners(&self, triangle: u32) -> [DVec3; 3] {
        self.triangles[triangle as usize].map(|v| self.points[v as usize])
    }

    /// Fills the list with the living triangles around a vertex.
    pub(super) fn star(&self, vertex: u32, star: &mut Vec<u32>) {
        star.clear();
        let mut corner = self.first[vertex as usize];
        while corner != END {
            if self.alive[corner as usize / 3] {
                star.push(corner / 3);
            }
            corner = self.next[corner as usize];
        }
    }

    /// Fills the list with the neighbours of a vertex, sorted.
    pub(super) fn neighbours(&self, vertex: u32, star: &[u32], neighbours: &mut Vec<u32>) {
        neighbours.clear();
        neighbours.extend(star.iter().flat_map(|&t| self.triangles[t as usize]).filter(|&v| v != vertex));
        neighbours.sort_unstable();
        neighbours.dedup();
    }

    /// Puts the corners of `b` at `a`, whose place becomes `p`; the triangles of both die.
    pub(super) fn collapse(&mut self, a: u32, b: u32, p: DVec3) {
        let mut corner = self.first[b as usize];
        let mut kept = END;
        while corner != END {
            let following = self.next[corner as usize];
            let (triangle, place) = (corner as usize / 3, corner as usize % 3);
            if self.alive[triangle] && self.triangles[triangle].contains(&a) {
                self.alive[triangle] = false;
            }
            if self.alive[triangle] {
                self.triangles[triangle][place] = a;
                self.next[corner as usize] = kept;
                kept = corner;
            }
            corner = following;
        }
        // the corners of `a`, without the dead, after those of `b`
        corner = self.first[a as usize];
        while corner != END {
            let following = self.next[corner as usize];
            if self.alive[corner as usize / 3] {
                self.next[corner as usize] = kept;
                kept = corner;
            }
            corner = following;
        }
        self.first[a as usize] = kept;
        self.first[b as usize] = END;
        self.rim[a as usize] |= self.rim[b as usize];
        self.points[a as usize] = p;
    }

    /// Returns what is left, vertices and triangles in their old order.
    pub(super) fn into_mesh(self) -> Mesh {
        let triangles: Vec<[u32; 3]> =
            self.triangles.iter().zip(&self.alive).filter(|&(_, &alive)| alive).map(|(&t, _)| t).collect();
        let mut numbers = vec![END; self.points.len()];
        triangles.as_flattened().iter().for_each(|&v| numbers[v as usize] = 0);
        let mut vertices = Vec::new();
        for (number, &p) in numbers.iter_mut().zip(&self.points).filter(|(number, _)| **number == 0) {
            *number = vertices.len() as u32;
            vertices.push(p);
        }
        Mesh { vertices, triangles: triangles.into_iter().map(|t| t.map(|v| numbers[v as usize])).collect() }
    }
}

/// What is around an edge; the lists are kept from one edge to the next.
#[derive(Default)]
pub(super) struct Around {
    pub(super) star_a: Vec<u32>,
    pub(super) star_b: Vec<u32>,
    near_a: Vec<u32>,
    near_b: Vec<u32>,
    opposite: Vec<u32>,
}

impl Around {
    /// Looks at an edge; returns whether collapsing it leaves a manifold a manifold of the same topology.
    ///
    /// The link condition (Dey, Edelsbrunner, Guha and Nekhayev 1999): the vertices next to both ends are just those
    /// opposite the edge; an edge across the inside never joins two rims; and no opposite vertex is left without a ring.
    pub(super) fn look(&mut self, links: &Links, a: u32, b: u32) -> bool {
        links.star(a, &mut self.star_a);
        links.star(b, &mut self.star_b);
        self.opposite.clear();
        for &t in &self.star_a {
            let corners = links.triangles[t as usize];
            if corners.contains(&b) {
                self.opposite.extend(corners.into_iter().filter(|&v| v != a && v != b));
            }
        }
        let both_on_rim = links.rim[a as usize] && links.rim[b as usize];
        let expected = match self.opposite.len() {
            1 => both_on_rim,
            2 => !both_on_rim,
            _ => false,
        };
        if !expected {
            return false;
        }
        links.neighbours(a, &self.star_a, &mut self.near_a);
        links.neighbours(b, &self.star_b, &mut self.near_b);
        let common = self.near_a.iter().filter(|v| self.near_b.binary_search(v).is_ok()).count();
        let mut star = Vec::new();
        common == self.opposite.len()
            && self.opposite.iter().all(|&c| {
                links.star(c, &mut star);
                star.len() >= if links.rim[c as usize] { 2 } else { 4 }
            })
    }

    /// Returns the neighbours of both ends, sorted, the ends among them.
    pub(super) fn neighbours_after(&mut self, a: u32, b: u32) -> &[u32] {
        self.near_a.extend_from_slice(&self.near_b);
        self.near_a.retain(|&v| v != a && v != b);
        self.near_a.sort_unstable();
        self.near_a.dedup();
        &self.near_a
    }
}
