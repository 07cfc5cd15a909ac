//! `phantom`: a simulated head with a craniotomy, its scan, and the engineer's model of it.

use std::collections::BTreeMap;

pub use crate::phantom::PhantomParams;
use crate::{
    fault::Result,
    io::{dicom, image, mesh},
    phantom::{self, Preset},
    pipeline::stage::{Extent, Forecast, Input, Job, Output, Stage},
};

/// Simulates one case from the study seed and the case id.
#[derive(Debug)]
pub struct Phantom;

impl Stage for Phantom {
    const NAME: &'static str = "phantom";
    const VERSION: u32 = 1;
    const DOC: &'static str =
        "Simulate a head with a skull defect: CT series, gold mesh in its own frame, defect solid.";
    const INPUTS: &'static [Input] = &[];
    const OUTPUTS: &'static [Output] = &[
        Output { name: "ct", kind: "ct", file: "ct/", optional: false, doc: "the scan, a DICOM series" },
        Output {
            name: "gold",
            kind: "mesh",
            file: "gold.stl",
            optional: false,
            doc: "the engineer's model, in its own frame",
        },
        Output {
            name: "defect",
            kind: "solid",
            file: "defect.stl",
            optional: false,
            doc: "the missing bone, in the model's frame",
        },
        Output {
            name: "label",
            kind: "label",
            file: "label.nrrd",
            optional: false,
            doc: "true bone at voxel centres (for tests)",
        },
        Output {
            name: "truth",
            kind: "truth",
            file: "truth.json",
            optional: false,
            doc: "what was simulated, and the true transform",
        },
    ];
    const RANDOM: bool = true;
    type Params = PhantomParams;

    fn run(params: &PhantomParams, job: &Job<'_>) -> Result<()> {
        let simulated = phantom::simulate(params, job.seed)?;
        dicom::write_series(job.output("ct")?, &simulated.ct, &dicom::SeriesHeader::default())?;
        mesh::write(job.output("gold")?, &simulated.gold)?;
        mesh::write(job.output("defect")?, &simulated.defect)?;
        image::write_label(job.output("label")?, &simulated.label)?;
        super::save::json(job.output("truth")?, &simulated.truth)
    }

    fn forecast(params: &PhantomParams, _: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let size = params.size.unwrap_or(match params.preset {
            Preset::Quick => [96, 96, 32],
            Preset::Paper => [512, 512, 175],
        });
        let voxels = size.iter().product::<usize>() as u64;
        let surface = (voxels as f64).powf(2.0 / 3.0) as u64;
        let ct = Extent { size, triangles: 0, bytes: 2 * voxels };
        let gold = Extent { size: [0; 3], triangles: 12 * surface, bytes: 600 * surface };
        let label = Extent { size, triangles: 0, bytes: voxels };
        Forecast {
            core_seconds: 2e-6 * voxels as f64,
            outputs: [
                ("ct", ct),
                ("gold", gold),
                ("defect", Extent { triangles: 0, bytes: 100_000, ..gold }),
                ("label", label),
            ]
            .into(),
        }
    }
}
