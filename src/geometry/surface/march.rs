//! The walk over the cells: positions of the cut edges, and triangles between them.

use rayon::prelude::*;

use super::{
    cases::CASES,
    lattice::{Lattice, Starts, shifted},
};
use crate::space::{DAffine3, DVec3};

/// How far a vertex stays from the ends of its grid edge, in edges.
///
/// A value equal to the iso-value would put the vertices of several edges on one grid point; kept apart, every triangle has
/// an area, no two vertices coincide even in single precision, and no vertex lies on a voxel centre.
const OFF_THE_ENDS: f64 = 1e-3;

/// Returns the vertex of every cut edge in the world, in the order of numbering.
///
/// `depth` is how far a value lies above the iso-value. An edge is always cut from its low to its high end, and only once,
/// so all triangles around it share one position bit for bit. Edges into the padding are cut in the middle: half a voxel
/// outside the last voxel's centre, at its face.
pub(super) fn vertices<T: Copy + Sync>(
    lattice: &Lattice,
    data: &[T],
    world_from_voxel: &DAffine3,
    depth: impl Fn(T) -> f64 + Sync,
) -> Vec<DVec3> {
    let [width, height, slices] = lattice.size;
    let grid_size = lattice.size.map(|n| n - 2 * lattice.pad);
    let depth_at = |point: [usize; 3]| -> Option<f64> {
        let [x, y, z] = point.map(|p| p.wrapping_sub(lattice.pad));
        (x < grid_size[0] && y < grid_size[1] && z < grid_size[2])
            .then(|| depth(data[x + grid_size[0] * (y + grid_size[1] * z)]))
    };
    let vertex = |point: [usize; 3], axis: usize| -> DVec3 {
        let mut end = point;
        end[axis] += 1;
        let share = match (depth_at(point), depth_at(end)) {
            (Some(low), Some(high)) => low / (low - high),
            _ => 0.5,
        };
        // the values of a volume may be infinite or not a number
        let share = if share.is_finite() { share.clamp(OFF_THE_ENDS, 1.0 - OFF_THE_ENDS) } else { 0.5 };
        let mut voxel = DVec3::from_array(point.map(|p| p as f64 - lattice.pad as f64));
        voxel[axis] += share;
        world_from_voxel.transform_point3(voxel)
    };
    let slabs: Vec<Vec<DVec3>> = (0..slices)
        .into_par_iter()
        .map(|z| {
            let mut slab = Vec::new();
            for y in 0..height {
                for axis in 0..3 {
                    for word in 0..lattice.words() {
                        let mut cuts = lattice.cuts(y, z, word)[axis];
                        while cuts != 0 {
                            let x = 64 * word + cuts.trailing_zeros() as usize;
                            debug_assert!(x < width);
                            slab.push(vertex([x, y, z], axis));
                            cuts &= cuts - 1;
                        }
                    }
                }
            }
            slab
        })
        .collect();
    slabs.concat()
}

/// Which way the triangles of the case table are written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Winding {
    /// As in the table: the grid is right-handed.
    Kept,
    /// Turned over: the grid is left-handed.
    Reversed,
}

/// Returns the triangles, cell by cell in memory order.
pub(super) fn triangles(lattice: &Lattice, starts: &[Starts], winding: Winding) -> Vec<[u32; 3]> {
    let [_, height, depth] = lattice.size;
    let slabs: Vec<Vec<[u32; 3]>> = (0..depth.saturating_sub(1))
        .into_par_iter()
        .map(|z| {
            let mut slab = Vec::new();
            for y in 0..height.saturating_sub(1) {
                march_row(lattice, starts, y, z, winding, &mut slab);
            }
            slab
        })
        .collect();
    slabs.concat()
}

/// Appends the triangles of a row of cells.
///
/// The numbers of the cell's edges run along with x: eight counters, one for each kind of edge around the row, that advance
/// past every cut edge. Cells without a cut edge can be skipped because no counter advances in them.
fn march_row(
    lattice: &Lattice,
    starts: &[Starts],
    y: usize,
    z: usize,
    winding: Winding,
    triangles: &mut Vec<[u32; 3]>,
) {
    let near = [(0, 0), (1, 0), (0, 1), (1, 1)];
    let rows = near.map(|(dy, dz)| lattice.row(y + dy, z + dz));
    let start = near.map(|(dy, dz)| starts[y + dy + lattice.size[1] * (z + dz)]);
    let mut along_x = start.map(|s| s[0]);
    let mut along_y = [start[0][1], start[2][1]];
    let mut along_z = [start[0][2], start[1][2]];
    let cases = &**CASES;
    for word in 0..lattice.words() {
        let here = rows.map(|row| row[word]);
        let beyond = rows.map(|row| shifted(row, word));
        let any = here.iter().chain(&beyond).fold(0, |any, bits| any | bits);
        let all = here.iter().chain(&beyond).fold(u64::MAX, |all, bits| all & bits);
        let mut mixed = any & !all & lattice.edge_mask(word);
        while mixed != 0 {
            let x = mixed.trailing_zeros();
            mixed &= mixed - 1;
            let corners = |k: usize| ((here[k] >> x & 1) | (beyond[k] >> x & 1) << 1) << (2 * k);
            let case = &cases[(corners(0) | corners(1) | corners(2) | corners(3)) as usize];
            let cut = |edge: usize| u32::from(case.cut >> edge & 1);
            let mut ids = [0; 12];
            ids[..4].copy_from_slice(&along_x);
            for (edge, next) in along_x.iter_mut().enumerate() {
                *next += cut(edge);
            }
            for k in 0..2 {
                ids[4 + 2 * k] = along_y[k];
                along_y[k] += cut(4 + 2 * k);
                ids[5 + 2 * k] = along_y[k];
                ids[8 + 2 * k] = along_z[k];
                along_z[k] += cut(8 + 2 * k);
                ids[9 + 2 * k] = along_z[k];
            }
            triangles.extend(case.triangles[..usize::from(case.count)].iter().map(|&[a, b, c]| {
                let (b, c) = if winding == Winding::Kept { (b, c) } else { (c, b) };
                [a, b, c].map(|edge| ids[usize::from(edge)])
            }));
        }
    }
}
