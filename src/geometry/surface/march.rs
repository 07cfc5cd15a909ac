//! The walk over the cells: positions of the cut edges, and triangles between them.

use super::{
    cases::Case,
    clearance::crossing,
    field::Field,
    lattice::{Lattice, Numbering},
    slots::{Slots, filled},
};
use crate::space::{DAffine3, DVec3};

/// Which way the triangles of the case table are written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Winding {
    /// As in the table: the grid is right-handed.
    Kept,
    /// Turned over: the grid is left-handed.
    Reversed,
}

/// What the positions of the vertices follow from.
pub(super) struct Values<'a, F: Field> {
    /// The values of the volume, x fastest.
    pub(super) data: &'a [F::Value],
    pub(super) field: &'a F,
    pub(super) world_from_voxel: DAffine3,
    /// How far a vertex stays from the ends of its edge.
    pub(super) clearance: f64,
}

impl<F: Field> Values<'_, F> {
    /// Returns the values of a row of lattice points; none in the padding.
    fn row(&self, lattice: &Lattice, y: usize, z: usize) -> &[F::Value] {
        let [width, height, depth] = lattice.size.map(|n| n - 2 * lattice.pad);
        let (y, z) = (y.wrapping_sub(lattice.pad), z.wrapping_sub(lattice.pad));
        if y < height && z < depth { &self.data[width * (y + height * z)..][..width] } else { &[] }
    }

    /// Returns where on an edge the surface crosses. An edge into the padding is cut in the middle: half a voxel outside
    /// the last voxel's centre, at its face.
    fn crossing(&self, low: Option<&F::Value>, high: Option<&F::Value>) -> f64 {
        match (low, high) {
            (Some(&low), Some(&high)) => crossing(self.field.depth(low), self.field.depth(high), self.clearance),
            _ => 0.5,
        }
    }
}

/// Returns the vertex of every cut edge in the world, in the order of numbering.
///
/// An edge is always cut from its low to its high end, and only once, so all triangles around it share one position.
pub(super) fn vertices<F: Field>(lattice: &Lattice, numbering: &Numbering, values: &Values<'_, F>) -> Vec<DVec3> {
    filled(&numbering.vertices, |z, slots| {
        for y in 0..lattice.size[1] {
            vertices_of_row(lattice, values, y, z, slots);
        }
    })
}

fn vertices_of_row<F: Field>(
    lattice: &Lattice,
    values: &Values<'_, F>,
    y: usize,
    z: usize,
    slots: &mut Slots<'_, DVec3>,
) {
    let here = values.row(lattice, y, z);
    let steps = [DVec3::X, DVec3::Y, DVec3::Z];
    for (axis, &step) in steps.iter().enumerate() {
        let (end, ahead) = match axis {
            0 => (here, 1),
            1 => (values.row(lattice, y + 1, z), 0),
            _ => (values.row(lattice, y, z + 1), 0),
        };
        for (word, mut cuts) in lattice.cuts(y, z, axis).enumerate() {
            while cuts != 0 {
                let x = 64 * word + cuts.trailing_zeros() as usize;
                cuts &= cuts - 1;
                let at = x.wrapping_sub(lattice.pad);
                let share = values.crossing(here.get(at), end.get(at.wrapping_add(ahead)));
                let voxel = DVec3::from_array([x, y, z].map(|p| p as f64 - lattice.pad as f64)) + share * step;
                slots.push(values.world_from_voxel.transform_point3(voxel));
            }
        }
    }
}

/// Returns the triangles, cell by cell in memory order.
pub(super) fn triangles(lattice: &Lattice, numbering: &Numbering, winding: Winding) -> Vec<[u32; 3]> {
    filled(&numbering.triangles, |z, slots| {
        for y in 0..lattice.size[1].saturating_sub(1) {
            // rows without triangles are known from the numbering
            let row = y + lattice.size[1] * z;
            let end = numbering.starts.get(row + 1).map_or(usize::MAX, |next| next.triangles);
            if end > numbering.starts[row].triangles && z + 1 < lattice.size[2] {
                triangles_of_row(lattice, numbering, y, z, winding, slots);
            }
        }
    })
}

/// The numbers of the edges around a cell, kept up to date along a row of cells.
///
/// Eight counters, one for each kind of edge around the row, advance past every cut edge. Cells without a cut edge can be
/// skipped because no counter advances in them.
struct Counters {
    along_x: [u32; 4],
    along_y: [u32; 2],
    along_z: [u32; 2],
}

impl Counters {
    /// Returns the numbers of the twelve edges of a cell, and moves on to the next. Numbers of edges not cut are idle.
    fn pass(&mut self, cut: u16) -> [u32; 12] {
        let cut = |edge: usize| u32::from(cut >> edge & 1);
        let mut ids = [0; 12];
        for (edge, next) in self.along_x.iter_mut().enumerate() {
            ids[edge] = *next;
            *next += cut(edge);
        }
        for k in 0..2 {
            ids[4 + 2 * k] = self.along_y[k];
            self.along_y[k] += cut(4 + 2 * k);
            ids[5 + 2 * k] = self.along_y[k];
            ids[8 + 2 * k] = self.along_z[k];
            self.along_z[k] += cut(8 + 2 * k);
            ids[9 + 2 * k] = self.along_z[k];
        }
        ids
    }
}

fn triangles_of_row(
    lattice: &Lattice,
    numbering: &Numbering,
    y: usize,
    z: usize,
    winding: Winding,
    slots: &mut Slots<'_, [u32; 3]>,
) {
    let start =
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dy, dz)| numbering.starts[y + dy + lattice.size[1] * (z + dz)].edges);
    let mut counters = Counters {
        along_x: start.map(|s| s[0]),
        along_y: [start[0][1], start[2][1]],
        along_z: [start[0][2], start[1][2]],
    };
    lattice.for_each_cut_cell(y, z, |case: &Case| {
        let ids = counters.pass(case.cut);
        for &[a, b, c] in &case.triangles[..usize::from(case.count)] {
            let (b, c) = if winding == Winding::Kept { (b, c) } else { (c, b) };
            slots.push([a, b, c].map(|edge| ids[usize::from(edge)]));
        }
    });
}
