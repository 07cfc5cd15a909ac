//! The neighbours of every vertex of a mesh, and which vertices lie on its rim.

use crate::mesh::Mesh;

/// Neighbours by vertex, in the order of the triangles.
pub(in crate::geometry) struct Rings {
    starts: Vec<u32>,
    neighbours: Vec<u32>,
    /// Vertices whose triangles do not close to rings: on the rim of an open mesh, or where a mesh is no manifold.
    pub(in crate::geometry) rim: Vec<bool>,
}

impl Rings {
    /// Returns the rings of a mesh whose triangles use known vertices only.
    ///
    /// At an inner vertex of an oriented mesh each neighbour follows once and precedes once in the triangles around it.
    pub(in crate::geometry) fn of(mesh: &Mesh) -> Self {
        let (starts, neighbours) = corners(mesh, 1);
        let (_, mut before) = corners(mesh, 2);
        let mut after = neighbours.clone();
        let rim = starts
            .windows(2)
            .map(|range| {
                let range = range[0] as usize..range[1] as usize;
                let (after, before) = (&mut after[range.clone()], &mut before[range]);
                after.sort_unstable();
                before.sort_unstable();
                after != before || after.windows(2).any(|pair| pair[0] == pair[1])
            })
            .collect();
        Self { starts, neighbours, rim }
    }

    /// Returns the neighbours of a vertex that is not on the rim, each once.
    pub(in crate::geometry) fn around(&self, vertex: usize) -> &[u32] {
        &self.neighbours[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }
}

/// Returns, for each corner of each vertex, the corner that lies `step` on in its triangle, grouped by vertex.
fn corners(mesh: &Mesh, step: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; mesh.vertices.len() + 1];
    for &v in mesh.triangles.iter().flatten() {
        starts[v as usize + 1] += 1;
    }
    for v in 1..starts.len() {
        starts[v] += starts[v - 1];
    }
    let mut next = starts.clone();
    let mut list = vec![0_u32; 3 * mesh.triangles.len()];
    for triangle in &mesh.triangles {
        for (at, &v) in triangle.iter().enumerate() {
            list[next[v as usize] as usize] = triangle[(at + step) % 3];
            next[v as usize] += 1;
        }
    }
    (starts, list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::DVec3;

    #[test]
    fn a_fan_has_an_inner_vertex_and_a_rim() {
        let vertices = [DVec3::ZERO, DVec3::X, DVec3::Y, -DVec3::X, -DVec3::Y].to_vec();
        let triangles = vec![[0, 1, 2], [0, 2, 3], [3, 4, 0], [0, 4, 1]];
        let mut mesh = Mesh { vertices, triangles };
        let rings = Rings::of(&mesh);
        assert_eq!(rings.rim, [false, true, true, true, true]);
        assert_eq!(rings.around(0), [1, 2, 3, 4]);
        mesh.triangles.pop();
        assert!(Rings::of(&mesh).rim[0]);
    }
}
