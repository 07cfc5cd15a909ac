//! Distances between the surface of a prediction and the gold surface.
//!
//! Exact point-to-triangle distances, integrated over area. Every mean is an area mean, every percentile an area
//! percentile; MAD, ASSD, HD95 and NSD as in `MeshMetrics` (Podobnik and Vrtovec 2024) and `surface-distance` (Nikolov et
//! al. 2018), on meshes instead of voxel surfaces.

use rayon::prelude::*;

use super::{
    defect::{Bits, Regions, Solid},
    distances::{Sample, Target, measure},
    farthest::farthest_mm,
    quadrature,
    side::Sides,
    weighted::Ordered,
};
use crate::{
    mesh::{Mesh, bvh::Bvh},
    numeric::tree_sum,
    space::Grid,
};

/// Tolerances of the normalised surface distance, mm.
pub const NSD_TOLERANCES_MM: [f64; 3] = [0.5, 1.0, 2.0];

/// A surface at exactly the tolerance counts as within it, also after rounding.
const ROUNDING_MM: f64 = 1e-9;

/// Most lengths around the defect in one comparison.
pub const MOST_NEAR: usize = 16;

/// What is measured besides the whole surface.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting<'a> {
    /// The scan: surfaces within two voxels of its faces are caps and are left out. Without it nothing is.
    pub scan: Option<&'a Grid>,
    /// The defect, in the world of the meshes.
    pub defect: Option<&'a Solid>,
    /// How far around the defect counts as near, mm; at most [`MOST_NEAR`] are used.
    pub near_mm: &'a [f64],
}

/// Whether there was anything to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Both surfaces have area in the region.
    Ok,
    /// Neither mesh has a surface: they agree.
    BothEmpty,
    /// The prediction has no surface here, the gold model has.
    PredEmpty,
    /// The gold model has no surface here, the prediction has.
    GoldEmpty,
    /// There are surfaces, but none in this region.
    RegionEmpty,
    /// No defect was given.
    NoDefect,
}

impl Status {
    /// Returns the word that tables show.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::BothEmpty => "both_empty",
            Self::PredEmpty => "pred_empty",
            Self::GoldEmpty => "gold_empty",
            Self::RegionEmpty => "region_empty",
            Self::NoDefect => "no_defect",
        }
    }
}

/// The numbers of one region. Those that do not exist are nothing, and `status` says why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Columns {
    /// Whether there was anything to measure.
    pub status: Status,
    /// Mean distance from the prediction to the gold surface, mm.
    pub mad_pred_to_gold_mm: Option<f64>,
    /// Mean distance from the gold surface to the prediction, mm.
    pub mad_gold_to_pred_mm: Option<f64>,
    /// Mean distance over both surfaces pooled, mm.
    pub assd_mm: Option<f64>,
    /// Mean of the two directed means, mm.
    pub masd_mm: Option<f64>,
    /// Mean signed distance from the prediction, mm; positive outside the gold surface.
    pub signed_pred_to_gold_mm: Option<f64>,
    /// Median distance from the prediction, mm.
    pub median_pred_to_gold_mm: Option<f64>,
    /// 95th percentile of the distance from the prediction, mm.
    pub p95_pred_to_gold_mm: Option<f64>,
    /// Largest distance from the prediction (Hausdorff, directed), mm.
    pub max_pred_to_gold_mm: Option<f64>,
    /// Larger of the two directed 95th percentiles, mm.
    pub hd95_mm: Option<f64>,
    /// Share of both surfaces that lies within each of [`NSD_TOLERANCES_MM`] of the other.
    pub nsd: [Option<f64>; NSD_TOLERANCES_MM.len()],
}

impl Columns {
    /// No number at all.
    #[must_use]
    pub const fn nothing(status: Status) -> Self {
        Self {
            status,
            mad_pred_to_gold_mm: None,
            mad_gold_to_pred_mm: None,
            assd_mm: None,
            masd_mm: None,
            signed_pred_to_gold_mm: None,
            median_pred_to_gold_mm: None,
            p95_pred_to_gold_mm: None,
            max_pred_to_gold_mm: None,
            hd95_mm: None,
            nsd: [None; NSD_TOLERANCES_MM.len()],
        }
    }

    /// Two empty surfaces agree: distances 0, NSD 1. One empty surface is wholly wrong: NSD 0, no distances.
    fn without_surface(status: Status) -> Self {
        let nothing = Self::nothing(status);
        match status {
            Status::PredEmpty | Status::GoldEmpty => Self { nsd: [Some(0.0); 3], ..nothing },
            Status::BothEmpty => Self {
                mad_pred_to_gold_mm: Some(0.0),
                mad_gold_to_pred_mm: Some(0.0),
                assd_mm: Some(0.0),
                masd_mm: Some(0.0),
                signed_pred_to_gold_mm: Some(0.0),
                median_pred_to_gold_mm: Some(0.0),
                p95_pred_to_gold_mm: Some(0.0),
                max_pred_to_gold_mm: Some(0.0),
                hd95_mm: Some(0.0),
                nsd: [Some(1.0); 3],
                ..nothing
            },
            _ => nothing,
        }
    }
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
}

/// Compares the surface of a prediction with the gold surface; both in the same world, LPS mm.
///
/// The region near the defect is taken on the measured surface: on the prediction for distances from it, on the gold
/// surface for distances from that; distances go to the whole other surface.
#[must_use]
pub fn compare_surfaces(pred: &Mesh, gold: &Mesh, setting: &Setting<'_>) -> Comparison {
    let near_mm = &setting.near_mm[..setting.near_mm.len().min(MOST_NEAR)];
    let empty = [pred, gold].map(|mesh| quadrature::area_mm2(mesh) <= 0.0);
    let all = |columns: Columns| {
        let near = if setting.defect.is_some() { columns } else { Columns::nothing(Status::NoDefect) };
        Comparison { whole: columns, with_caps: columns, near: near_mm.iter().map(|&mm| (mm, near)).collect() }
    };
    match empty {
        [true, true] => return all(Columns::without_surface(Status::BothEmpty)),
        [true, false] => return all(Columns::without_surface(Status::PredEmpty)),
        [false, true] => return all(Columns::without_surface(Status::GoldEmpty)),
        [false, false] => {}
    }
    let regions = Regions::new(setting.scan, setting.defect, near_mm);
    let (pred_bvh, gold_bvh) = rayon::join(|| Bvh::new(pred), || Bvh::new(gold));
    let sides = Sides::new(gold);
    let from_pred = Directed::new(pred, &Target { bvh: &gold_bvh, sides: Some(&sides) }, &regions);
    let from_gold = Directed::new(gold, &Target { bvh: &pred_bvh, sides: None }, &regions);
    let columns = |region| columns(&from_pred, &from_gold, region);
    let near = |which| {
        if setting.defect.is_some() { columns(Regions::near_bit(which)) } else { Columns::nothing(Status::NoDefect) }
    };
    Comparison {
        whole: columns(Regions::WHOLE),
        with_caps: columns(Regions::WITH_CAPS),
        near: near_mm.iter().enumerate().map(|(which, &mm)| (mm, near(which))).collect(),
    }
}

/// All samples of one surface, with the regions that hold them.
struct Directed<'a> {
    mesh: &'a Mesh,
    to: &'a Bvh,
    regions: &'a Regions<'a>,
    samples: Vec<Sample>,
    bits: Vec<Bits>,
}

impl<'a> Directed<'a> {
    fn new(mesh: &'a Mesh, target: &Target<'a>, regions: &'a Regions<'a>) -> Self {
        let samples = measure(mesh, target);
        let bits = samples.par_iter().map(|sample| regions.of(sample.point)).collect();
        Self { mesh, to: target.bvh, regions, samples, bits }
    }

    fn within(&self, region: Bits) -> impl Iterator<Item = &Sample> {
        self.samples.iter().zip(&self.bits).filter(move |&(_, &bits)| bits & region != 0).map(|(sample, _)| sample)
    }

    /// Returns the area integral of a function of the distance, mm² times its unit.
    fn integral(&self, region: Bits, of: impl Fn(f64) -> f64) -> f64 {
        tree_sum(&self.within(region).map(|s| s.area_mm2 * of(s.distance_mm)).collect::<Vec<_>>())
    }

    fn ordered(&self, region: Bits) -> Ordered {
        Ordered::new(self.within(region).map(|s| (s.distance_mm.abs(), s.area_mm2)).collect())
    }

    fn farthest_mm(&self, region: Bits) -> Option<f64> {
        farthest_mm(self.mesh, &self.samples, &self.bits, self.to, self.regions, region)
    }
}

fn columns(from_pred: &Directed<'_>, from_gold: &Directed<'_>, region: Bits) -> Columns {
    let ordered = [from_pred.ordered(region), from_gold.ordered(region)];
    let areas = [from_pred, from_gold].map(|from| from.integral(region, |_| 1.0));
    let integrals = [from_pred, from_gold].map(|from| from.integral(region, f64::abs));
    let mean = |sum: f64, area: f64| (area > 0.0).then(|| sum / area);
    let means = [mean(integrals[0], areas[0]), mean(integrals[1], areas[1])];
    let p95 = [ordered[0].percentile(0.95), ordered[1].percentile(0.95)];
    let both = |pair: [Option<f64>; 2], join: fn(f64, f64) -> f64| Some(join(pair[0]?, pair[1]?));
    let within = |tolerance: f64| {
        let close = ordered.each_ref().map(|ordered| ordered.weight_up_to(tolerance + ROUNDING_MM));
        mean(close[0] + close[1], ordered[0].weight() + ordered[1].weight())
    };
    Columns {
        status: match areas.map(|area| area > 0.0) {
            [true, true] => Status::Ok,
            [false, true] => Status::PredEmpty,
            [true, false] => Status::GoldEmpty,
            [false, false] => Status::RegionEmpty,
        },
        mad_pred_to_gold_mm: means[0],
        mad_gold_to_pred_mm: means[1],
        assd_mm: mean(integrals[0] + integrals[1], areas[0] + areas[1]),
        masd_mm: both(means, |a, b| 0.5 * (a + b)),
        signed_pred_to_gold_mm: mean(from_pred.integral(region, |d| d), areas[0]),
        median_pred_to_gold_mm: ordered[0].percentile(0.5),
        p95_pred_to_gold_mm: p95[0],
        max_pred_to_gold_mm: from_pred.farthest_mm(region),
        hd95_mm: both(p95, f64::max),
        nsd: NSD_TOLERANCES_MM.map(within),
    }
}

#[cfg(test)]
mod tests;
