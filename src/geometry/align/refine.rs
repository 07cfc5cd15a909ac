//! The last fit, below a voxel: against the scan itself, not against a surface drawn through it.
//!
//! Every point of the mesh asks the image where the wall of bone stands on its normal ([`profile`](super::profile)), and how
//! sure that is. One number more than the six of the motion is solved for and thrown away: how much thicker the scan shows
//! all bone than the mesh. A level, a blur or a window that is a little wrong moves all faces outwards alike, and without
//! this unknown an open shape, a vault without a base, would be pulled to one side by it.

use rayon::prelude::*;

use super::{
    fit::{Bone, TUKEY, quantile},
    level::trilinear,
    profile::{Edge, Kernel, SAMPLES, Wall, edge, place},
    sample::{Model, Point},
    solve::{Normal, proper},
};
use crate::{
    mesh::{Mesh, bvh::Bvh},
    space::{DMat3, DVec3, Rigid},
    volume::Volume,
};

/// Rounds, and where they end, mm.
const ROUNDS: usize = 8;
const SETTLED_MM: f64 = 5e-4;
/// Rounds of the robust solution for the same edges.
const ROBUST: usize = 4;
/// Points that choose the blur.
const BLURRED: usize = 1024;
/// Blur of scanner and reconstruction that are tried, standard deviation, mm.
const BLUR_MM: [f64; 6] = [0.0, 0.3, 0.5, 0.7, 0.9, 1.2];
/// Fewer edges than this, or than this share of the points in the scan, do not refine.
const FEWEST: usize = 200;
const SHARE: f64 = 0.2;
/// The refined motion may differ from the fit by this much, in largest spacings and at least mm.
const MOST: (f64, f64) = (0.5, 0.75);
/// Walls are looked for so far, mm.
const WALL_MM: f64 = 40.0;
/// A step off the surface, mm: rays start there.
const OFF_MM: f64 = 1e-3;
const CHUNK: usize = 128;

/// What the refinement saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Refined {
    pub(super) motion: Rigid,
    /// Points whose edge was found, as a share of those inside the scan.
    pub(super) edge_share: f64,
    /// How much farther out the scan shows all faces, mm.
    pub(super) swell_mm: f64,
}

/// Returns the motion refined against the image; nothing when too few edges are seen, or they lead too far away.
pub(super) fn refine(mesh: &Mesh, model: &Model, ct: &Volume<f32>, bone: &Bone, start: &Rigid) -> Option<Refined> {
    let image = Image::new(ct);
    let points: Vec<Point> =
        model.points(usize::MAX).iter().filter(|point| bone.holds(start.apply(point.position))).copied().collect();
    let walls = walls(mesh, &points);
    let kernel = Kernel::new();
    let blur_mm = image.blur_mm(&kernel, &points, &walls, start);
    let mut motion = *start;
    let mut seen = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let edges = image.edges(&kernel, &points, &walls, &motion, blur_mm);
        seen.0 = edges.len() as f64 / points.len().max(1) as f64;
        if edges.len() < FEWEST || seen.0 < SHARE {
            return None;
        }
        let (step, swell_mm) = step(&edges, motion.apply(model.centroid))?;
        seen.1 = swell_mm;
        let next = proper(&step.after(&motion));
        let moved_mm = model.apart_mm(&motion, &next);
        motion = next;
        if moved_mm < SETTLED_MM {
            break;
        }
    }
    let most_mm = (MOST.0 * ct.grid.spacing_mm.max_element()).max(MOST.1);
    (model.apart_mm(&motion, start) <= most_mm).then_some(Refined { motion, edge_share: seen.0, swell_mm: seen.1 })
}

/// Returns the wall behind every point, along its normal.
fn walls(mesh: &Mesh, points: &[Point]) -> Vec<Wall> {
    let tree = Bvh::new(mesh);
    let wall = |point: &Point| {
        let hit = |from_mm: f64, direction: DVec3| {
            let ray = tree.ray(point.position + direction * from_mm, direction)?;
            Some(from_mm + ray.t).filter(|&t| t < WALL_MM)
        };
        let thickness_mm = hit(OFF_MM, -point.normal);
        Wall {
            thickness_mm,
            behind_mm: thickness_mm.and_then(|mm| hit(mm + OFF_MM, -point.normal)),
            ahead_mm: hit(OFF_MM, point.normal),
        }
    };
    points.par_iter().with_min_len(CHUNK).map(wall).collect()
}

/// An edge, and where it was asked for.
struct Seen {
    p: DVec3,
    normal: DVec3,
    edge: Edge,
}

struct Image<'a> {
    ct: &'a Volume<f32>,
    voxel_from_world: crate::space::DAffine3,
    /// Variance of the blur by voxel and interpolation along each world direction: a quadratic form.
    voxel_blur: DMat3,
}

impl<'a> Image<'a> {
    fn new(ct: &'a Volume<f32>) -> Self {
        // A box of the spacing (the voxel) and a triangle of twice that (the interpolation): 1/12 and 1/6 of its square.
        let variance = ct.grid.spacing_mm * ct.grid.spacing_mm * 0.25;
        let axes = ct.grid.direction;
        let voxel_blur = axes * DMat3::from_diagonal(variance) * axes.transpose();
        Self { ct, voxel_from_world: ct.grid.voxel_from_world(), voxel_blur }
    }

    /// Returns the standard deviation of the blur along a direction, mm; the scanner blurs in the slice only.
    fn sigma_mm(&self, along: DVec3, blur_mm: f64) -> f64 {
        let across = along.dot(self.ct.grid.direction.z_axis);
        let in_slice = (1.0 - across * across).max(0.0);
        (along.dot(self.voxel_blur * along) + blur_mm * blur_mm * in_slice).sqrt()
    }

    fn samples(&self, p: DVec3, along: DVec3, sigma_mm: f64) -> [f32; SAMPLES] {
        std::array::from_fn(|k| {
            let at = self.voxel_from_world.transform_point3(p + along * (place(k) * sigma_mm));
            trilinear(self.ct, at).unwrap_or(f32::NAN)
        })
    }

    /// Returns the edges that are seen, in the order of the points.
    fn edges(&self, kernel: &Kernel, points: &[Point], walls: &[Wall], motion: &Rigid, blur_mm: f64) -> Vec<Seen> {
        let one = |(point, wall): (&Point, &Wall)| {
            let (p, normal) = (motion.apply(point.position), motion.rotation * point.normal);
            let sigma_mm = self.sigma_mm(normal, blur_mm);
            let edge = edge(kernel, &self.samples(p, normal, sigma_mm), wall, sigma_mm)?;
            Some(Seen { p, normal, edge })
        };
        let seen: Vec<Option<Seen>> = points.par_iter().zip(walls).with_min_len(CHUNK).map(one).collect();
        seen.into_iter().flatten().collect()
    }

    /// Returns the blur of the scanner with which the model explains the image best.
    fn blur_mm(&self, kernel: &Kernel, points: &[Point], walls: &[Wall], motion: &Rigid) -> f64 {
        let n = points.len().min(BLURRED);
        let unexplained = |blur_mm: f64| {
            let edges = self.edges(kernel, &points[..n], &walls[..n], motion, blur_mm);
            let share = |seen: &Seen| seen.edge.variance / (seen.edge.contrast_hu * seen.edge.contrast_hu);
            let mut shares: Vec<f64> = edges.iter().map(share).collect();
            // Few edges with little unexplained are no better than many.
            quantile(&mut shares, 0.5).map_or(f64::INFINITY, |median| median * n as f64 / edges.len() as f64)
        };
        let tried = BLUR_MM.map(|blur_mm| (unexplained(blur_mm), blur_mm));
        tried.into_iter().fold((f64::INFINITY, BLUR_MM[0]), |best, one| if one.0 < best.0 { one } else { best }).1
    }
}

/// Returns the small motion, and the common swelling in mm, that bring the edges together: weighted by their information,
/// and by Tukey's biweight.
fn step(edges: &[Seen], centre: DVec3) -> Option<(Rigid, f64)> {
    const FLOOR_MM: f64 = 0.02;
    // No edge counts for more than this many middling ones.
    const MOST: f64 = 8.0;
    let noise = quantile(&mut edges.iter().map(|seen| seen.edge.variance).collect::<Vec<_>>(), 0.5)?.max(1.0);
    let sure: Vec<f64> = edges.iter().map(|seen| seen.edge.information / (seen.edge.variance + noise)).collect();
    let most = MOST * quantile(&mut sure.clone(), 0.5)?;
    let mut away: Vec<f64> = edges.iter().map(|seen| seen.edge.shift_mm).collect();
    let mut found = (Rigid::IDENTITY, 0.0);
    for round in 0..ROBUST {
        let middle = if round == 0 { quantile(&mut away.clone(), 0.5)? } else { 0.0 };
        let spread = quantile(&mut away.iter().map(|mm| (mm - middle).abs()).collect::<Vec<_>>(), 0.5)?;
        let scale_mm = TUKEY * (1.4826 * spread).max(FLOOR_MM);
        let weigh = |(mm, sure): (&f64, &f64)| {
            let share = (mm - middle) / scale_mm;
            let kept = (1.0 - share * share).max(0.0);
            sure.min(most) * kept * kept
        };
        let weights: Vec<f64> = away.iter().zip(&sure).map(weigh).collect();
        let rows: Vec<([f64; 6], f64)> =
            edges.iter().map(|seen| (Normal::row(seen.p - centre, seen.normal), seen.edge.shift_mm)).collect();
        // The common swelling is eliminated: rows and shifts are taken from their weighted means.
        let total: f64 = weights.iter().sum();
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            values.zip(&weights).map(|(value, weight)| weight * value).sum::<f64>() / total
        };
        let mean_row: [f64; 6] = std::array::from_fn(|i| mean(&mut rows.iter().map(|row| row.0[i])));
        let mean_shift = mean(&mut rows.iter().map(|row| row.1));
        let mut normal = Normal::new(centre);
        for ((row, shift), weight) in rows.iter().zip(&weights) {
            normal.add_row(std::array::from_fn(|i| row[i] - mean_row[i]), shift - mean_shift, *weight);
        }
        let x = normal.unknowns()?;
        let dot = |row: &[f64; 6]| (0..6).map(|i| row[i] * x[i]).sum::<f64>();
        let swell_mm = mean_shift - dot(&mean_row);
        found = (normal.motion(x)?, swell_mm);
        for (away, (row, shift)) in away.iter_mut().zip(&rows) {
            *away = shift - dot(row) - swell_mm;
        }
    }
    Some(found)
}
