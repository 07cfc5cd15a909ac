//! The largest distance of a surface to another: pieces are sampled in their middle, but the farthest points are
//! corners.
//!
//! The distance to a surface changes by at most the way one goes, so a corner can only beat the best so far when some
//! piece nearby comes near it: few corners are ever measured.

use super::{
    defect::{Bits, Regions},
    distances::Sample,
};
use crate::mesh::{Mesh, bvh::Bvh};

/// A corner of the measured mesh that may be farther than all samples.
struct Corner {
    vertex: u32,
    at_most_mm: f64,
    regions: Bits,
}

/// Returns the largest distance within one region, over samples and corners; nothing when the region is empty.
pub(super) fn farthest_mm(
    mesh: &Mesh,
    samples: &[Sample],
    bits: &[Bits],
    to: &Bvh,
    regions: &Regions<'_>,
    region: Bits,
) -> Option<f64> {
    let inside = || samples.iter().zip(bits).filter(|&(_, &bits)| bits & region != 0).map(|(sample, _)| sample);
    let mut best_mm = inside().map(|sample| sample.distance_mm.abs()).reduce(f64::max)?;
    let mut bounds = vec![f64::INFINITY; mesh.vertices.len()];
    for sample in inside() {
        for v in mesh.triangles[sample.triangle as usize] {
            let at_most_mm = sample.distance_mm.abs() + mesh.vertices[v as usize].distance(sample.point);
            bounds[v as usize] = bounds[v as usize].min(at_most_mm);
        }
    }
    let mut corners: Vec<Corner> = bounds
        .into_iter()
        .enumerate()
        .filter(|&(_, at_most_mm)| at_most_mm.is_finite() && at_most_mm > best_mm)
        .map(|(vertex, at_most_mm)| Corner { vertex: vertex as u32, at_most_mm, regions: region })
        .collect();
    corners.sort_by(|a, b| b.at_most_mm.total_cmp(&a.at_most_mm).then(a.vertex.cmp(&b.vertex)));
    for corner in corners {
        if corner.at_most_mm <= best_mm {
            break;
        }
        let p = mesh.vertices[corner.vertex as usize];
        if regions.of(p) & corner.regions != 0 {
            best_mm = to.closest(p).map_or(best_mm, |hit| best_mm.max(hit.distance_mm));
        }
    }
    Some(best_mm)
}
