//! The numbers of one region, and how sure they are.

/// Tolerances of the normalised surface distance, mm.
pub const NSD_TOLERANCES_MM: [f64; 3] = [0.5, 1.0, 2.0];

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
    /// How far these may be from the numbers of the two surfaces themselves.
    pub bounds: Bounds,
}

/// Bounds on the error of sampling: each holds with a confidence of 1 - 1e-9 over the places of the samples, whatever the
/// surfaces are, but that of the largest distance, which is certain.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Of both directed means, mm.
    pub mad_mm: Option<f64>,
    /// Of the median, mm.
    pub median_mm: Option<f64>,
    /// Of the 95th percentile of the prediction, mm.
    pub p95_mm: Option<f64>,
    /// Of the larger of the two 95th percentiles, mm.
    pub hd95_mm: Option<f64>,
    /// By which the largest distance may be larger than stated, mm.
    pub max_mm: Option<f64>,
    /// Of the share within any one of the tolerances.
    pub nsd: Option<f64>,
}

impl Bounds {
    const NOTHING: Self = Self { mad_mm: None, median_mm: None, p95_mm: None, hd95_mm: None, max_mm: None, nsd: None };
    const EXACT: Self = Self {
        mad_mm: Some(0.0),
        median_mm: Some(0.0),
        p95_mm: Some(0.0),
        hd95_mm: Some(0.0),
        max_mm: Some(0.0),
        nsd: Some(0.0),
    };
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
            bounds: Bounds::NOTHING,
        }
    }

    /// Two empty surfaces agree: distances 0, NSD 1. One empty surface is wholly wrong: NSD 0, no distances.
    pub(super) fn without_surface(status: Status) -> Self {
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
                bounds: Bounds::EXACT,
                ..nothing
            },
            _ => nothing,
        }
    }
}
