//! `phantom`: a simulated head with a craniotomy, its scan, and the engineer's model of it.

use std::collections::BTreeMap;

use super::{load, save};
pub use crate::phantom::PhantomParams;
use crate::{
    fault::Result,
    io::{dicom, image, mesh},
    phantom::{self, ScannerKind, Truth},
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Stage},
};

/// Core seconds for a view and a pixel of a slice, projected and back again.
const PROJECTED_S: f64 = 4e-9;
/// Core seconds for a pixel of a slice's maps of materials.
const MAPS_S: f64 = 2e-6;

/// Simulates one case from the study seed and the case id.
#[derive(Debug)]
pub struct Phantom;

impl Stage for Phantom {
    const NAME: &'static str = "phantom";
    const VERSION: u32 = 6;
    const DOC: &'static str =
        "Simulate a head with a skull defect: CT series, gold mesh in its own frame, defect solid.";
    const INPUTS: &'static [Input] = &[Input {
        name: "skull",
        kinds: &["label"],
        arity: Arity::Optional,
        doc: "a skull to simulate a head around, in place of a drawn one; needs `scanner: projected`",
    }];
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
        let simulated = match job.optional("skull") {
            Some(skull) => phantom::simulate_skull(params, &load::label(skull)?, job.seed)?,
            None => phantom::simulate(params, job.seed)?,
        };
        dicom::write_series(job.output("ct")?, &simulated.ct, &header(&simulated.truth))?;
        for (port, solid) in [("gold", &simulated.gold), ("defect", &simulated.defect)] {
            let path = job.output(port)?;
            mesh::write(path, solid)?;
            if simulated.truth.ras {
                save::into_ras(path)?;
            }
        }
        image::write_label(job.output("label")?, &simulated.label)?;
        save::json(job.output("truth")?, &simulated.truth)
    }

    fn forecast(params: &PhantomParams, _: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let size = params.expected_size();
        let voxels = size.iter().product::<usize>() as u64;
        let surface = (voxels as f64).powf(2.0 / 3.0) as u64;
        let ct = Extent { size, triangles: 0, bytes: 2 * voxels };
        let gold = Extent { size: [0; 3], triangles: 12 * surface, bytes: 600 * surface };
        let label = Extent { size, triangles: 0, bytes: voxels };
        Forecast {
            core_seconds: match params.scanner {
                ScannerKind::Analytic => 2e-6 * voxels as f64,
                ScannerKind::Projected => {
                    // Views go with the detector's bins, at most 900; each is read once per pixel and once per map's pixel.
                    let side = size[0].max(size[1]).max(256) as f64;
                    let views = params.views.map_or((1.7 * side).clamp(180.0, 900.0), |views| views as f64);
                    size[2] as f64 * (PROJECTED_S * views * side * side + MAPS_S * side * side)
                }
            },
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

/// Returns what the header says of a scan: nothing of the analytic scanner, which has no tube.
fn header(truth: &Truth) -> dicom::SeriesHeader {
    let Some(protocol) = &truth.protocol else {
        return dicom::SeriesHeader::default();
    };
    dicom::SeriesHeader {
        thickness_mm: protocol.thickness_mm,
        tube_kv: Some(protocol.kvp),
        kernel: Some(format!("{:?}", protocol.kernel).to_uppercase()),
        ..dicom::SeriesHeader::default()
    }
}
