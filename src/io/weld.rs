//! Triangle soup to an indexed mesh: corners at exactly the same position become one vertex.

use rayon::prelude::*;

use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::DVec3,
};

/// Returns the mesh of a list of corners, three a triangle. Vertices are numbered in the order in which they first
/// appear. Sorting, rather than hashing, keeps hostile input from being slow.
///
/// # Errors
/// Unfit when there are more corners than a `u32` can number.
pub(super) fn weld(corners: &[DVec3]) -> Result<Mesh> {
    let count = u32::try_from(corners.len())
        .map_err(|_| Fault::unfit(format!("the mesh has {} corners, more than can be numbered", corners.len())))?;
    // Adding 0.0 makes -0 equal to 0.
    let key = |corner: u32| (corners[corner as usize] + 0.0).to_array().map(f64::to_bits);
    let mut order: Vec<([u64; 3], u32)> = (0..count).into_par_iter().map(|corner| (key(corner), corner)).collect();
    order.par_sort_unstable();

    // Every corner points to the first corner at its position.
    let mut first: Vec<u32> = (0..count).collect();
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        for (_, corner) in group {
            first[*corner as usize] = group[0].1;
        }
    }
    let mut vertices = Vec::new();
    let mut number = vec![0_u32; corners.len()];
    for (corner, &of) in first.iter().enumerate() {
        if of as usize == corner {
            number[corner] = vertices.len() as u32;
            vertices.push(corners[corner]);
        }
    }
    let (triples, _) = first.as_chunks::<3>();
    let triangles = triples.iter().map(|triple| triple.map(|corner| number[corner as usize])).collect();
    Ok(Mesh { vertices, triangles })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_corners_become_one_vertex_in_order_of_appearance() {
        let [a, b, c, d] = [DVec3::Z, DVec3::X, DVec3::Y, DVec3::ZERO];
        let minus_zero = DVec3::new(-0.0, 0.0, -0.0);
        let mesh = weld(&[a, b, c, a, c, d, minus_zero, c, b]).unwrap();
        assert_eq!(mesh.vertices, [a, b, c, d]);
        assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 3], [3, 2, 1]]);
        assert_eq!(weld(&[]).unwrap(), Mesh::default());
    }
}
