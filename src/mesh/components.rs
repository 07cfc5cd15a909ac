//! The pieces of a mesh: triangles connected through shared vertices.

use super::{Mesh, forest::Forest};
use crate::numeric::tree_sum;

/// Returns the piece number of every triangle, in order of first appearance, and how many there are.
#[must_use]
pub fn label(mesh: &Mesh) -> (Vec<u32>, usize) {
    let mut forest = Forest::new(mesh.vertices.len());
    for &[a, b, c] in &mesh.triangles {
        forest.join(a, b);
        forest.join(b, c);
    }
    let mut numbers = vec![u32::MAX; mesh.vertices.len()];
    let mut count = 0;
    let labels = mesh
        .triangles
        .iter()
        .map(|triangle| {
            let number = &mut numbers[forest.root(triangle[0]) as usize];
            if *number == u32::MAX {
                *number = count;
                count += 1;
            }
            *number
        })
        .collect();
    (labels, count as usize)
}

/// Returns the piece of largest area, with the vertices it uses; of equal ones the first.
#[must_use]
pub fn largest(mesh: &Mesh) -> Mesh {
    let (labels, areas) = areas_mm2(mesh);
    let best = areas.iter().enumerate().fold(0, |best, (piece, &area)| if area > areas[best] { piece } else { best });
    kept(mesh, &labels, |piece| piece == best)
}

/// Returns the pieces of at least an area, mm², with the vertices they use.
#[must_use]
pub fn at_least(mesh: &Mesh, area_mm2: f64) -> Mesh {
    let (labels, areas) = areas_mm2(mesh);
    kept(mesh, &labels, |piece| areas[piece] >= area_mm2)
}

fn areas_mm2(mesh: &Mesh) -> (Vec<u32>, Vec<f64>) {
    let (labels, count) = label(mesh);
    let mut areas = vec![Vec::new(); count];
    for (triangle, &piece) in labels.iter().enumerate() {
        let [a, b, c] = mesh.corners(triangle);
        areas[piece as usize].push(0.5 * (b - a).cross(c - a).length());
    }
    (labels, areas.iter().map(|areas| tree_sum(areas)).collect())
}

fn kept(mesh: &Mesh, labels: &[u32], keep: impl Fn(usize) -> bool) -> Mesh {
    let triangles: Vec<[u32; 3]> =
        mesh.triangles.iter().zip(labels).filter(|&(_, &piece)| keep(piece as usize)).map(|(&t, _)| t).collect();
    let mut used = vec![false; mesh.vertices.len()];
    for &v in triangles.iter().flatten() {
        used[v as usize] = true;
    }
    let mut numbers = vec![0_u32; mesh.vertices.len()];
    let mut vertices = Vec::new();
    for (v, _) in used.iter().enumerate().filter(|&(_, &used)| used) {
        numbers[v] = vertices.len() as u32;
        vertices.push(mesh.vertices[v]);
    }
    Mesh { vertices, triangles: triangles.into_iter().map(|t| t.map(|v| numbers[v as usize])).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::DVec3;

    #[test]
    fn the_largest_piece_is_kept_with_its_own_vertices() {
        let small = [DVec3::ZERO, DVec3::X, DVec3::Y];
        let large = small.map(|p| 3.0 * p);
        let vertices = [small, large].concat();
        let mesh = Mesh { vertices, triangles: vec![[0, 1, 2], [5, 3, 4], [2, 1, 0]] };
        assert_eq!(label(&mesh), (vec![0, 1, 0], 2));
        let expected = Mesh { vertices: large.to_vec(), triangles: vec![[2, 0, 1]] };
        assert_eq!(largest(&mesh), expected, "4.5 mm² against twice 0.5");
        assert_eq!(at_least(&mesh, 1.5), expected);
        assert_eq!(at_least(&mesh, 0.5), mesh);
        assert_eq!(largest(&Mesh::default()), Mesh::default());
    }
}
