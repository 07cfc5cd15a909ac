//! Open surfaces: rims are spanned, and what the spans add is taken off again by the generalised winding number.
//!
//! ```text
//! patches face out ─▶ rims ─▶ spans ─▶ crossings of surface + spans (whole numbers, exact)
//!                               └────▶ share of the spans at each voxel ─▶ whole number nearest to the difference
//! ```
//! Surface and spans together are closed, so no row leaks; the winding number that is left decides where an open region
//! ends, and does not depend on how the rims were spanned.

use rayon::prelude::*;

use super::{
    Rule, VoxelizeReport,
    exact::side_of,
    patches::Patches,
    rims::{Rims, welded},
    rows::Rows,
    soup::{BITS, Point, Soup, TICKS},
};
use crate::{geometry::winding::Spans, mesh::edges::Edges, space::DVec3};

/// Slices that are settled together, and the side of the largest block.
const SLAB: usize = 16;
/// Largest error of a part of the spans that is taken as a dipole: for a block, and for a single voxel.
const COARSE: f64 = 3e-3;
const FINE: f64 = 1e-4;
/// Winding numbers this close to half between two whole numbers count as half: inside.
const TIE: f64 = 1e-9;

/// A surface with its rims spanned.
pub(super) struct Mended {
    surface: Rows,
    closed: Rows,
    /// Spans in mm, from the centre of voxel 0, axes of the grid.
    spans: Spans,
    /// Corners of the spans, in ticks.
    corners: Vec<[Point; 3]>,
    size: [usize; 3],
    spacing_mm: DVec3,
    rule: Rule,
}

/// What was found voxel by voxel.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    summed: usize,
    doubtful: usize,
    flipped: usize,
    leaking: usize,
}

impl Mended {
    /// Turns, spans and crosses; notes in the report what was mended.
    pub(super) fn new(
        soup: &Soup,
        size: [usize; 3],
        spacing_mm: DVec3,
        rule: Rule,
        report: &mut VoxelizeReport,
    ) -> Self {
        let first = welded(&soup.points);
        let mut triangles: Vec<[u32; 3]> = soup.triangles.iter().map(|t| t.map(|p| first[p as usize])).collect();
        triangles.retain(|[a, b, c]| a != b && b != c && c != a);
        let edges = Edges::of(soup.points.len(), &triangles);
        let mut patches = Patches::of(&triangles, &edges);
        patches.face_out(soup, &triangles, size, rule);
        let rims = Rims::of(&edges, &patches.turned);
        for (triangle, _) in triangles.iter_mut().zip(&patches.turned).filter(|(_, turned)| **turned) {
            triangle.swap(1, 2);
        }
        let points_mm: Vec<DVec3> = rims
            .points
            .iter()
            .map(|&p| DVec3::from_array(soup.points[p as usize].map(|t| t as f64 / TICKS)) * spacing_mm)
            .collect();
        report.patches = patches.count;
        report.turned_triangles = patches.turned.iter().filter(|&&turned| turned).count();
        report.boundary_loops = rims.rings.len();
        report.boundary_edges = rims.edges();
        report.hole_area_mm2 = rims.area_mm2(&points_mm);
        let spans = Spans::new(points_mm, &rims.rings);
        let surface = Rows::of(soup, &triangles, size);
        let spanned: Vec<[u32; 3]> = spans.triangles().iter().map(|t| t.map(|p| rims.points[p as usize])).collect();
        let corners = spanned.iter().map(|&triangle| soup.corners(triangle)).collect();
        triangles.extend(spanned);
        let closed = Rows::of(soup, &triangles, size);
        Self { surface, closed, spans, corners, size, spacing_mm, rule }
    }

    /// Labels the voxels.
    pub(super) fn label(&self, report: &mut VoxelizeReport) -> Vec<u8> {
        let mut label = vec![0_u8; self.size.iter().product()];
        self.label_into(&mut label, self.size[0] * self.size[1], 1, report, |from, to| to.copy_from_slice(from));
        label
    }

    /// Labels slabs of slices and pours each into its part of `out`, of which `area` entries stand for `slices` slices.
    pub(super) fn label_into<T: Send>(
        &self,
        out: &mut [T],
        area: usize,
        slices: usize,
        report: &mut VoxelizeReport,
        pour: impl Fn(&[u8], &mut [T]) + Sync,
    ) {
        let tallies: Vec<Tally> = out
            .par_chunks_mut(area * (SLAB / slices))
            .enumerate()
            .map(|(slab, out)| {
                let (label, tally) = self.slab(slab * SLAB);
                pour(&label, out);
                tally
            })
            .collect();
        for tally in tallies {
            report.winding_voxels += tally.summed;
            report.doubtful_voxels += tally.doubtful;
            report.flipped_voxels += tally.flipped;
            report.leaking_rows += tally.leaking;
        }
    }

    fn slab(&self, first: usize) -> (Vec<u8>, Tally) {
        let [nx, ny, nz] = self.size;
        let slices = SLAB.min(nz - first);
        let (mut tally, mut taken) = (Tally::default(), vec![0_i16; nx * ny * slices]);
        for y in (0..ny).step_by(SLAB) {
            for x in (0..nx).step_by(SLAB) {
                let size = [SLAB.min(nx - x), SLAB.min(ny - y), slices];
                self.settle([x, y, first], size, first, &mut taken, &mut tally);
            }
        }
        let mut label = vec![0_u8; taken.len()];
        self.decide(first * ny, &taken, &mut label, &mut tally);
        (label, tally)
    }

    /// Finds, for a block of voxels, the whole number next to the share of the spans.
    fn settle(&self, low: [usize; 3], size: [usize; 3], slab: usize, taken: &mut [i16], tally: &mut Tally) {
        let voxels = size[0] * size[1] * size[2];
        let known = if voxels == 1 { Some(self.at_voxel(low, tally)) } else { self.at_block(low, size) };
        if let Some((whole, doubtful)) = known {
            tally.doubtful += if doubtful { voxels } else { 0 };
            if whole != 0 {
                for z in low[2]..low[2] + size[2] {
                    for y in low[1]..low[1] + size[1] {
                        let at = low[0] + self.size[0] * (y + self.size[1] * (z - slab));
                        taken[at..at + size[0]].fill(whole);
                    }
                }
            }
            return;
        }
        for octant in 0..8 {
            let half = |axis: usize| size[axis] - size[axis] / 2;
            let (mut at, mut part) = (low, size);
            for axis in 0..3 {
                let second = octant >> axis & 1 == 1;
                at[axis] += if second { half(axis) } else { 0 };
                part[axis] = if second { size[axis] / 2 } else { half(axis) };
            }
            if !part.contains(&0) {
                self.settle(at, part, slab, taken, tally);
            }
        }
    }

    /// Returns the whole number, and whether it is more than a quarter off, where both are the same in all of the block.
    fn at_block(&self, low: [usize; 3], size: [usize; 3]) -> Option<(i16, bool)> {
        let half = DVec3::from_array(size.map(|n| (n - 1) as f64 / 2.0));
        let centre = (DVec3::from_array(low.map(|n| n as f64)) + half) * self.spacing_mm;
        let found = self.spans.across_ball(centre, (half * self.spacing_mm).length(), COARSE)?;
        let whole = found.value.round();
        let (off, error) = ((found.value - whole).abs(), found.error + TIE);
        if off + error < 0.25 {
            return Some((whole as i16, false));
        }
        (off - error > 0.25 && off + error < 0.5).then_some((whole as i16, true))
    }

    fn at_voxel(&self, at: [usize; 3], tally: &mut Tally) -> (i16, bool) {
        let p = DVec3::from_array(at.map(|n| n as f64)) * self.spacing_mm;
        let ticks = at.map(|n| (n as i64) << BITS);
        let side = |triangle: u32| side_of(&ticks, &self.corners[triangle as usize]);
        let mut found = self.spans.around(p, FINE, side);
        let near = |share: f64, error: f64| {
            [0.25, 0.5].iter().any(|line| ((share - share.round()).abs() - line).abs() <= error)
        };
        if near(found.value, found.error + TIE) {
            found = self.spans.around(p, 0.0, side);
        }
        tally.summed += 1;
        // taking off less at a tie leaves the larger winding number
        let whole = (found.value + 0.5 - TIE).floor();
        (whole as i16, (found.value - found.value.round()).abs() > 0.25)
    }

    /// Labels a slab whose first row is given, and compares with what plain counting of crossings would say.
    fn decide(&self, first: usize, taken: &[i16], label: &mut [u8], tally: &mut Tally) {
        let length = self.size[0];
        let (mut winding, mut plain) = (vec![0_i32; length], vec![0_u8; length]);
        for (row, (label, taken)) in label.chunks_exact_mut(length).zip(taken.chunks_exact(length)).enumerate() {
            winding.fill(0);
            self.closed.runs(first + row, |from, to, number| winding[from..to].fill(number));
            for ((voxel, winding), taken) in label.iter_mut().zip(&winding).zip(taken) {
                *voxel = u8::from(self.rule.inside(winding - i32::from(*taken)));
            }
            plain.fill(0);
            let rest = self.surface.runs(first + row, |from, to, number| {
                plain[from..to].fill(u8::from(self.rule.inside(number)));
            });
            tally.leaking += usize::from(self.rule.inside(rest));
            tally.flipped += label.iter().zip(&plain).filter(|(a, b)| a != b).count();
        }
    }
}
