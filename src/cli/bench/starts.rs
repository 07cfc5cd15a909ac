//! `calvaria bench geometry --starts N`: one mesh, displaced anyhow N times, and how often it comes back to its scan.

use std::{path::Path, time::Instant};

use serde::Serialize;

use super::sample;
use crate::{
    cli::{Context, out},
    fault::Result,
    geometry::align::{
        AlignOptions, Scan, Start,
        trial::{Summary, Trials, align_starts},
    },
    io::{self, image::ImageOptions, mesh::MeshOptions},
    space::Rigid,
};

#[derive(Serialize)]
struct Told {
    tried: usize,
    found: usize,
    accepted: usize,
    accepted_wrongly: usize,
    median_error_mm: f64,
    largest_error_mm: f64,
    largest_error_deg: f64,
    largest_median_residual_mm: f64,
    largest_p95_residual_mm: f64,
    median_seconds: f64,
    largest_seconds: f64,
}

/// Which starts, and where they should end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) starts: u32,
    /// Starts that are passed over before.
    pub(super) first: u32,
    /// Whether the mesh is of another scan of the same head: the truth is then where it ends without being displaced.
    pub(super) apart: bool,
}

/// Aligns the prepared mesh from many starts; the mesh lies on its scan unless told otherwise, so the truth is known. A
/// start is found when it ends within a voxel of the truth.
pub(super) fn run(asked: Asked, files: &Path, context: &Context) -> Result<()> {
    let ct = io::image::read(&files.join(sample::CT), &ImageOptions::default())?.volume;
    let mesh = io::mesh::read(&files.join(sample::GOLD), &MeshOptions::default())?.mesh;
    let scan = Scan::new(&ct, None)?;
    let truth = if asked.apart {
        scan.align(&mesh, &Start::Auto, &AlignOptions::default())?.world_from_mesh
    } else {
        Rigid::IDENTITY
    };
    let trials = Trials {
        starts: asked.starts as usize,
        first: asked.first as usize,
        found_mm: ct.grid.spacing_mm.max_element(),
        ..Trials::default()
    };
    let (mut seconds, mut begun) = (Vec::with_capacity(trials.starts), Instant::now());
    let summary = align_starts(&mesh, &scan, &truth, &trials, &AlignOptions::default(), |i, trial| {
        let took = begun.elapsed().as_secs_f64();
        seconds.push(took);
        if !context.global.quiet {
            let verdict = if trial.alignment.accepted() { "accepted" } else { "refused" };
            let (mm, deg) = (trial.error_mm, trial.error_deg);
            let (median, p95) = (trial.alignment.median_residual_mm, trial.alignment.p95_residual_mm);
            out::talk(format!(
                "start {:>3}: {mm:.4} mm, {deg:.4} degrees, residuals {median:.3} and {p95:.3} mm, {verdict}, {took:.1} s",
                i + 1
            ));
        }
        begun = Instant::now();
    })?;
    let told = told(&summary, seconds);
    if context.global.json { out::json(&told) } else { out::line(text(&told)) }
}

fn told(summary: &Summary, mut seconds: Vec<f64>) -> Told {
    seconds.sort_by(f64::total_cmp);
    Told {
        tried: summary.tried,
        found: summary.found,
        accepted: summary.accepted,
        accepted_wrongly: summary.wrong,
        median_error_mm: summary.error_mm.0,
        largest_error_mm: summary.error_mm.1,
        largest_error_deg: summary.error_deg,
        largest_median_residual_mm: summary.residual_mm.0,
        largest_p95_residual_mm: summary.residual_mm.1,
        median_seconds: seconds.get(seconds.len() / 2).copied().unwrap_or(0.0),
        largest_seconds: seconds.last().copied().unwrap_or(0.0),
    }
}

fn text(told: &Told) -> String {
    format!(
        "{} of {} starts found, {} accepted ({} of them wrong)\nerror: median {:.4} mm, largest {:.4} mm and {:.4} degrees\n\
         residuals: median up to {:.3} mm, 95th percentile up to {:.3} mm\ntime: median {:.2} s, largest {:.2} s",
        told.found,
        told.tried,
        told.accepted,
        told.accepted_wrongly,
        told.median_error_mm,
        told.largest_error_mm,
        told.largest_error_deg,
        told.largest_median_residual_mm,
        told.largest_p95_residual_mm,
        told.median_seconds,
        told.largest_seconds,
    )
}
