//! A coarse map of the scan: for every place, the nearest patch of bone surface, in one look-up.

use std::sync::Arc;

use super::fit::Bone;
use crate::space::DVec3;

/// Edge of a cell, mm, unless the bone is so large that the map would grow beyond [`MOST_CELLS`].
const CELL_MM: f64 = 4.0;
const MOST_CELLS: f64 = 2e6;
/// Step of the rough distances, mm.
const ROUGH_MM: f64 = 0.25;
/// How far the map reaches beyond the bone, mm.
const REACH_MM: f64 = 32.0;

/// The map.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) bone: Arc<Bone>,
    origin: DVec3,
    cell_mm: f64,
    size: [usize; 3],
    /// Centroid of the patch nearest to each cell's centre.
    nearest: Vec<[f32; 3]>,
    /// Distance of each cell's centre to the nearest cell with a patch, in steps of [`ROUGH_MM`]: small enough for the
    /// inner cache.
    rough: Vec<u8>,
    /// Mean of all patches, and their root mean square distance from it.
    pub(super) centroid: DVec3,
    pub(super) radius_mm: f64,
}

impl Field {
    pub(super) fn new(bone: Arc<Bone>) -> Self {
        let (low, high) = bone.surface.bounds_mm().unwrap_or((DVec3::ZERO, DVec3::ZERO));
        let (low, high) = (low - REACH_MM, high + REACH_MM);
        let cell_mm = CELL_MM.max(libm::cbrt((high - low).element_product() / MOST_CELLS));
        let size = ((high - low) / cell_mm).to_array().map(|n| n.ceil().max(1.0) as usize);
        let mut field = Self {
            bone,
            origin: low,
            cell_mm,
            size,
            nearest: Vec::new(),
            rough: Vec::new(),
            centroid: DVec3::ZERO,
            radius_mm: 0.0,
        };
        let patches = field.patches();
        field.summarise(&patches);
        field.spread(&patches);
        field
    }

    fn cell(&self, p: DVec3) -> Option<usize> {
        let at = (p - self.origin) / self.cell_mm;
        let [x, y, z] = at.to_array().map(|v| v as usize);
        let inside = at.min_element() >= 0.0 && x < self.size[0] && y < self.size[1] && z < self.size[2];
        inside.then(|| x + self.size[0] * (y + self.size[1] * z))
    }

    /// Returns the centroid of the surface's vertices in each cell that has any.
    fn patches(&self) -> Vec<(usize, DVec3)> {
        let mut sums = vec![(DVec3::ZERO, 0_u32); self.size.iter().product()];
        for &p in &self.bone.surface.vertices {
            if let Some(at) = self.cell(p) {
                sums[at].0 += p - self.origin;
                sums[at].1 += 1;
            }
        }
        let patch = |(at, (sum, n)): (usize, (DVec3, u32))| (n > 0).then(|| (at, self.origin + sum / f64::from(n)));
        sums.into_iter().enumerate().filter_map(patch).collect()
    }

    fn summarise(&mut self, patches: &[(usize, DVec3)]) {
        let n = patches.len().max(1) as f64;
        self.centroid = patches.iter().fold(DVec3::ZERO, |sum, (_, p)| sum + *p) / n;
        self.radius_mm = (patches.iter().map(|(_, p)| p.distance_squared(self.centroid)).sum::<f64>() / n).sqrt();
    }

    /// Fills every cell with the patch of the nearest cell that has one: one exact pass along each axis, lower envelopes
    /// of parabolas (Felzenszwalb and Huttenlocher 2012) that carry their patch along.
    fn spread(&mut self, patches: &[(usize, DVec3)]) {
        let mut squared = vec![f32::INFINITY; self.size.iter().product()];
        let mut owner = vec![0_u32; squared.len()];
        for (patch, &(at, _)) in patches.iter().enumerate() {
            squared[at] = 0.0;
            owner[at] = patch as u32;
        }
        let [nx, ny, nz] = self.size;
        let mut pass = Pass::default();
        for (n, stride, starts) in [
            (nx, 1, lines(ny * nz, |i| i * nx)),
            (ny, nx, lines(nx * nz, |i| i % nx + i / nx * nx * ny)),
            (nz, nx * ny, lines(nx * ny, |i| i)),
        ] {
            for start in starts {
                pass.run(&mut squared, &mut owner, start, stride, n);
            }
        }
        let centroid =
            |&patch: &u32| patches.get(patch as usize).map_or([f32::MAX; 3], |(_, p)| p.as_vec3().to_array());
        self.nearest = owner.iter().map(centroid).collect();
        let steps = (self.cell_mm / ROUGH_MM) as f32;
        self.rough = squared.iter().map(|squared| (squared.sqrt() * steps) as u8).collect();
    }

    /// Returns a place in units of cells, for [`rough_mm`](Self::rough_mm).
    pub(super) fn in_cells(&self, p: DVec3) -> DVec3 {
        (p - self.origin) / self.cell_mm
    }

    /// Returns a length in units of cells.
    pub(super) fn length_in_cells(&self, mm: f64) -> f64 {
        mm / self.cell_mm
    }

    /// Returns the mean distance of places (in cells, shifted) to bone, to about a cell and cut off, mm; a place outside
    /// the map costs three quarters of the cut.
    pub(super) fn rough_mm(&self, places: &[[f32; 3]], shift: [f32; 3], cut_mm: f64) -> f64 {
        let cut = (cut_mm / ROUGH_MM) as u32;
        let [nx, ny, nz] = self.size.map(|n| n as u32);
        let mut sum = 0_u32;
        for place in places {
            // A negative number becomes a huge one, so that one comparison an axis tells inside from outside. Truncation
            // instead of `floor` (a function call on plain x86-64) makes the map one cell wider, no more.
            let [x, y, z] = [0, 1, 2].map(|axis| (place[axis] + shift[axis]) as i32 as u32);
            let inside = x < nx && y < ny && z < nz;
            let at = (x + nx * (y + ny * z)) as usize;
            sum += if inside { u32::from(self.rough[at]).min(cut) } else { 3 * cut / 4 };
        }
        f64::from(sum) * ROUGH_MM / places.len().max(1) as f64
    }

    /// Returns the patch of bone near a place, or nothing when the place lies outside the map or the scan.
    pub(super) fn nearest(&self, p: DVec3) -> Option<DVec3> {
        let [x, y, z] = self.nearest[self.cell(p)?];
        Some(DVec3::new(x.into(), y.into(), z.into()))
    }
}

fn lines(n: usize, start: impl Fn(usize) -> usize) -> Vec<usize> {
    (0..n).map(start).collect()
}

/// Room for one line's lower envelope.
#[derive(Default)]
struct Pass {
    /// (position, height, owner, where it begins to be lowest)
    parabolas: Vec<(usize, f32, u32, f32)>,
}

impl Pass {
    fn run(&mut self, squared: &mut [f32], owner: &mut [u32], start: usize, stride: usize, n: usize) {
        self.parabolas.clear();
        for q in 0..n {
            let (height, patch) = (squared[start + q * stride], owner[start + q * stride]);
            if height == f32::INFINITY {
                continue;
            }
            let mut begin = f32::NEG_INFINITY;
            while let Some(&(v, low, _, from)) = self.parabolas.last() {
                let (qf, vf) = (q as f32, v as f32);
                begin = ((height + qf * qf) - (low + vf * vf)) / (2.0 * (qf - vf));
                if begin > from {
                    break;
                }
                self.parabolas.pop();
                begin = f32::NEG_INFINITY;
            }
            self.parabolas.push((q, height, patch, begin));
        }
        let mut k = 0;
        if self.parabolas.is_empty() {
            return;
        }
        for q in 0..n {
            while k + 1 < self.parabolas.len() && self.parabolas[k + 1].3 < q as f32 {
                k += 1;
            }
            let (v, height, patch, _) = self.parabolas[k];
            let away = q as f32 - v as f32;
            squared[start + q * stride] = away * away + height;
            owner[start + q * stride] = patch;
        }
    }
}
