//! Distances between the surface of a prediction and the gold surface.
//!
//! Exact point-to-triangle distances, integrated over area. Every mean is an area mean, every percentile an area
//! percentile; MAD, ASSD, HD95 and NSD as in `MeshMetrics` (Podobnik and Vrtovec 2024) and `surface-distance` (Nikolov et
//! al. 2018), on meshes instead of voxel surfaces. How the same surface is cut into triangles changes them by no more than
//! the bounds that stand beside them.

use rayon::prelude::*;

use super::{
    certainty::{Spread, share_error},
    columns::{Bounds, Columns, NSD_TOLERANCES_MM, Status},
    defect::Solid,
    distances::{Measured, Sample, Target, measure},
    farthest::{Farthest, farthest},
    place::Place,
    quadrature,
    region::{Bits, Regions},
    side::Sides,
    weighted::{Ordered, Sorted},
};
use crate::{
    mesh::{Mesh, bvh::Bvh},
    numeric::tree_sum,
    space::Grid,
};

/// A surface at exactly the tolerance counts as within it, also after rounding.
const ROUNDING_MM: f64 = 1e-9;

/// Most lengths around the defect in one comparison.
pub const MOST_NEAR: usize = 16;

/// Most further places in one comparison.
pub const MOST_PLACES: usize = 8;

/// What is measured besides the whole surface.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting<'a> {
    /// The scan: surfaces within two voxels of its faces are caps and are left out. Without it nothing is.
    pub scan: Option<&'a Grid>,
    /// The defect, in the world of the meshes.
    pub defect: Option<&'a Solid>,
    /// How far around the defect counts as near, mm; at most [`MOST_NEAR`] are used.
    pub near_mm: &'a [f64],
    /// Further places whose surroundings are measured, and all that is near none of them; at most [`MOST_PLACES`] are used.
    pub places: &'a [Place],
}

/// A comparison of two surfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Everything outside the caps: the numbers that are reported first.
    pub whole: Columns,
    /// Everything, caps included.
    pub with_caps: Columns,
    /// Near the defect, for each length of the setting.
    pub near: Vec<(f64, Columns)>,
    /// Near each of the setting's places, and last what is near none of them; empty without places.
    pub places: Vec<Columns>,
    /// Signed distance of each vertex of the prediction to the gold surface, mm, positive outside; NaN at vertices that no
    /// triangle with area uses, and everywhere when there is no gold surface.
    pub pred_deviation_mm: Vec<f32>,
}

/// Compares the surface of a prediction with the gold surface; both in the same world, LPS mm.
///
/// The region near the defect is taken on the measured surface: on the prediction for distances from it, on the gold
/// surface for distances from that; distances go to the whole other surface.
#[must_use]
pub fn compare_surfaces(pred: &Mesh, gold: &Mesh, setting: &Setting<'_>) -> Comparison {
    let near_mm = &setting.near_mm[..setting.near_mm.len().min(MOST_NEAR)];
    let places = &setting.places[..setting.places.len().min(MOST_PLACES)];
    let empty = [pred, gold].map(|mesh| quadrature::area_mm2(mesh) <= 0.0);
    let all = |columns: Columns| {
        let near = if setting.defect.is_some() { columns } else { Columns::nothing(Status::NoDefect) };
        let near = near_mm.iter().map(|&mm| (mm, near)).collect();
        let places = if places.is_empty() { Vec::new() } else { vec![columns; places.len() + 1] };
        let pred_deviation_mm = vec![f32::NAN; pred.vertices.len()];
        Comparison { whole: columns, with_caps: columns, near, places, pred_deviation_mm }
    };
    match empty {
        [true, true] => return all(Columns::without_surface(Status::BothEmpty)),
        [true, false] => return all(Columns::without_surface(Status::PredEmpty)),
        [false, true] => return all(Columns::without_surface(Status::GoldEmpty)),
        [false, false] => {}
    }
    let regions = Regions::new(setting.scan, setting.defect, near_mm, places);
    // The sides take one thread, the trees all that are left.
    let trees = || rayon::join(|| Bvh::new(pred), || Bvh::new(gold));
    let (sides, (pred_bvh, gold_bvh)) = rayon::join(|| Sides::new(gold), trees);
    let from_pred = Directed::new(pred, Target { bvh: &gold_bvh, sides: Some(&sides) }, &regions);
    let from_gold = Directed::new(gold, Target { bvh: &pred_bvh, sides: None }, &regions);
    let mut wanted = vec![Regions::WITH_CAPS];
    wanted.extend(regions.has_margin().then_some(Regions::WHOLE));
    let defect = setting.defect.is_some();
    wanted.extend((0..near_mm.len()).filter(|_| defect).map(Regions::near_bit));
    wanted.extend((0..places.len()).map(Regions::place_bit));
    wanted.extend((!places.is_empty()).then_some(Regions::ELSEWHERE));
    let farthest = from_pred.farthest(&wanted);
    let integrals = from_pred.integrals(&wanted).into_par_iter().zip(from_gold.integrals(&wanted));
    let sorted = [&from_pred.sorted, &from_gold.sorted];
    let columns = |((&region, farthest), (pred, gold))| columns(sorted, region, [pred, gold], farthest);
    let found: Vec<Columns> = wanted.par_iter().zip(farthest).zip(integrals).map(columns).collect();
    let whole = usize::from(regions.has_margin());
    let (near_from, places_from) = (whole + 1, whole + 1 + if defect { near_mm.len() } else { 0 });
    let near = |which: usize| if defect { found[near_from + which] } else { Columns::nothing(Status::NoDefect) };
    let deviation = |reading: &Option<_>| reading.map_or(f32::NAN, |r: super::distances::Reading| r.distance_mm as f32);
    Comparison {
        whole: found[whole],
        with_caps: found[0],
        near: near_mm.iter().enumerate().map(|(which, &mm)| (mm, near(which))).collect(),
        places: found[places_from..].to_vec(),
        pred_deviation_mm: from_pred.measured.vertices.iter().map(deviation).collect(),
    }
}

/// All measurements of one surface.
struct Directed<'a> {
    mesh: &'a Mesh,
    target: Target<'a>,
    regions: &'a Regions<'a>,
    measured: Measured,
    sorted: Sorted,
}

/// Integrals over a region, and what is known of their errors.
#[derive(Clone, Copy, Debug, Default)]
struct Integrals {
    area_mm2: f64,
    /// Distance, and signed distance, times area, mm³.
    plain_mm3: f64,
    signed_mm3: f64,
    plain: Spread,
    area: Spread,
    /// Sum of the squared areas of all pieces, and of those that each tolerance may part.
    squared_mm4: f64,
    parted_mm4: [f64; NSD_TOLERANCES_MM.len()],
}

impl Integrals {
    fn add(&mut self, s: &Sample, region: Bits) {
        if s.maybe & region == 0 {
            return;
        }
        let (wholly, at) = (s.wholly & region != 0, s.at & region != 0);
        self.squared_mm4 += s.area_mm2 * s.area_mm2;
        for (parted, tolerance) in self.parted_mm4.iter_mut().zip(NSD_TOLERANCES_MM) {
            let tolerance = tolerance + ROUNDING_MM;
            if !wholly || (f64::from(s.at_least_mm) <= tolerance && f64::from(s.at_most_mm) > tolerance) {
                *parted += s.area_mm2 * s.area_mm2;
            }
        }
        if wholly {
            self.area_mm2 += s.area_mm2;
            self.plain_mm3 += s.area_mm2 * s.mean_mm;
            self.signed_mm3 += s.area_mm2 * s.signed_mm;
            self.plain.add(s.area_mm2 * f64::from(s.residual_mm), s.area_mm2 * f64::from(s.bend_mm));
            return;
        }
        // A piece that a region's border parts counts by its one random place.
        let part = if at { s.area_mm2 } else { 0.0 };
        self.area_mm2 += part;
        self.plain_mm3 += part * s.distance_mm.abs();
        self.signed_mm3 += part * s.distance_mm;
        self.plain.add(part * s.distance_mm.abs(), s.area_mm2 * f64::from(s.at_most_mm));
        self.area.add(part, s.area_mm2);
    }

    /// Returns the sums over chunks that stand in order.
    fn total(chunks: &[Self]) -> Self {
        let sum = |of: &dyn Fn(&Self) -> f64| tree_sum(&chunks.iter().map(of).collect::<Vec<_>>());
        Self {
            area_mm2: sum(&|c| c.area_mm2),
            plain_mm3: sum(&|c| c.plain_mm3),
            signed_mm3: sum(&|c| c.signed_mm3),
            plain: chunks.iter().fold(Spread::default(), |all, c| all.join(c.plain)),
            area: chunks.iter().fold(Spread::default(), |all, c| all.join(c.area)),
            squared_mm4: sum(&|c| c.squared_mm4),
            parted_mm4: [0, 1, 2].map(|i| sum(&|c| c.parted_mm4[i])),
        }
    }

    /// Returns how far the mean distance may be from the true one, mm; nothing when the region may be empty.
    fn mean_error_mm(&self) -> Option<f64> {
        let area_error = self.area.error();
        let sure_mm2 = self.area_mm2 - area_error;
        (sure_mm2 > 0.0).then(|| (self.plain.error() + self.plain_mm3.abs() / self.area_mm2 * area_error) / sure_mm2)
    }
}

impl<'a> Directed<'a> {
    fn new(mesh: &'a Mesh, target: Target<'a>, regions: &'a Regions<'a>) -> Self {
        let measured = measure(mesh, &target, regions);
        let sorted = Sorted::new(&measured.samples);
        Self { mesh, target, regions, measured, sorted }
    }

    /// Returns the integrals over each of some regions: all in one pass, for the samples take long to read.
    fn integrals(&self, wanted: &[Bits]) -> Vec<Integrals> {
        let chunks = self.measured.samples.par_chunks(256).map(|samples| {
            let mut all = vec![Integrals::default(); wanted.len()];
            for sample in samples {
                for (integrals, &region) in all.iter_mut().zip(wanted) {
                    integrals.add(sample, region);
                }
            }
            all
        });
        let chunks: Vec<Vec<Integrals>> = chunks.collect();
        let total = |which: usize| Integrals::total(&chunks.iter().map(|all| all[which]).collect::<Vec<_>>());
        (0..wanted.len()).map(total).collect()
    }

    fn farthest(&self, wanted: &[Bits]) -> Vec<Option<Farthest>> {
        farthest(self.mesh, &self.measured, &self.target, self.regions, wanted)
    }
}

fn columns(sorted: [&Sorted; 2], region: Bits, [pred, gold]: [Integrals; 2], farthest: Option<Farthest>) -> Columns {
    let ordered = sorted.map(|sorted| sorted.within(region));
    let mean = |sum: f64, area: f64| (area > 0.0).then(|| sum / area);
    let means = [mean(pred.plain_mm3, pred.area_mm2), mean(gold.plain_mm3, gold.area_mm2)];
    let both = |pair: [Option<f64>; 2], join: fn(f64, f64) -> f64| Some(join(pair[0]?, pair[1]?));
    let within = |tolerance: f64| {
        let close = ordered.each_ref().map(|ordered| ordered.weight_up_to(tolerance + ROUNDING_MM));
        mean(close[0] + close[1], ordered[0].weight() + ordered[1].weight())
    };
    Columns {
        status: match [&pred, &gold].map(|integrals| integrals.area_mm2 > 0.0) {
            [true, true] => Status::Ok,
            [false, true] => Status::PredEmpty,
            [true, false] => Status::GoldEmpty,
            [false, false] => Status::RegionEmpty,
        },
        mad_pred_to_gold_mm: means[0],
        mad_gold_to_pred_mm: means[1],
        assd_mm: mean(pred.plain_mm3 + gold.plain_mm3, pred.area_mm2 + gold.area_mm2),
        masd_mm: both(means, |a, b| 0.5 * (a + b)),
        signed_pred_to_gold_mm: mean(pred.signed_mm3, pred.area_mm2),
        median_pred_to_gold_mm: ordered[0].percentile(0.5),
        p95_pred_to_gold_mm: ordered[0].percentile(0.95),
        max_pred_to_gold_mm: farthest.map(|farthest| farthest.distance_mm),
        hd95_mm: both(ordered.each_ref().map(|ordered| ordered.percentile(0.95)), f64::max),
        nsd: NSD_TOLERANCES_MM.map(within),
        bounds: bounds(&ordered, &[pred, gold], farthest),
    }
}

fn bounds(ordered: &[Ordered; 2], integrals: &[Integrals; 2], farthest: Option<Farthest>) -> Bounds {
    let larger = |pair: [Option<f64>; 2]| Some(pair[0]?.max(pair[1]?));
    let percentile = |which: usize, share: f64| {
        let error = share_error(integrals[which].squared_mm4, ordered[which].weight());
        ordered[which].percentile_error(share, error)
    };
    let weight = ordered[0].weight() + ordered[1].weight();
    let parted = |i: usize| integrals[0].parted_mm4[i] + integrals[1].parted_mm4[i];
    let nsd = (0..NSD_TOLERANCES_MM.len()).map(|i| share_error(parted(i), weight)).fold(0.0, f64::max);
    Bounds {
        mad_mm: larger(integrals.each_ref().map(Integrals::mean_error_mm)),
        median_mm: percentile(0, 0.5),
        p95_mm: percentile(0, 0.95),
        hd95_mm: larger([percentile(0, 0.95), percentile(1, 0.95)]),
        max_mm: farthest.map(|farthest| farthest.bound_mm),
        nsd: (weight > 0.0).then_some(nsd),
    }
}

#[cfg(test)]
mod tests;
