//! `craniotomy`: an opening cut into the skull of a real scan, with the model of what is left.

use std::collections::BTreeMap;

use super::{load, save};
pub use crate::phantom::CraniotomyParams;
use crate::{
    fault::Result,
    io::{dicom, image, mesh},
    phantom,
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Stage},
};

/// Cuts an opening into the skull of a scan.
#[derive(Debug)]
pub struct Craniotomy;

impl Stage for Craniotomy {
    const NAME: &'static str = "craniotomy";
    const VERSION: u32 = 2;
    const DOC: &'static str =
        "Cut an opening into the skull of an intact scan: the new scan, the model of the bone left, the piece taken.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "a scan of an intact head" },
        Input {
            name: "label",
            kinds: &["label"],
            arity: Arity::Optional,
            doc: "its bone, on its grid; without one, what is denser than `bone_hu`",
        },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output {
            name: "ct",
            kind: "ct",
            file: "ct/",
            optional: false,
            doc: "the scan with the opening, a DICOM series",
        },
        Output {
            name: "gold",
            kind: "mesh",
            file: "gold.stl",
            optional: false,
            doc: "the bone that is left, in a frame of its own",
        },
        Output {
            name: "defect",
            kind: "solid",
            file: "defect.stl",
            optional: false,
            doc: "the bone that was taken, in the model's frame",
        },
        Output {
            name: "label",
            kind: "label",
            file: "label.nrrd",
            optional: false,
            doc: "the bone that is left at voxel centres (for tests)",
        },
        Output {
            name: "truth",
            kind: "truth",
            file: "truth.json",
            optional: false,
            doc: "what was cut, and the true transform",
        },
    ];
    const RANDOM: bool = true;
    type Params = CraniotomyParams;

    fn run(params: &CraniotomyParams, job: &Job<'_>) -> Result<()> {
        let ct = load::ct(job.one("ct")?)?;
        let bone = job.optional("label").map(load::label).transpose()?;
        let done = phantom::craniotomy(&ct, bone.as_ref(), params, job.seed)?;
        dicom::write_series(job.output("ct")?, &done.ct, &dicom::SeriesHeader::default())?;
        for (port, solid) in [("gold", &done.gold), ("defect", &done.defect)] {
            let path = job.output(port)?;
            mesh::write(path, solid)?;
            if done.truth.ras {
                save::into_ras(path)?;
            }
        }
        image::write_label(job.output("label")?, &done.label)?;
        save::json(job.output("truth")?, &done.truth)
    }

    fn forecast(_: &CraniotomyParams, inputs: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let ct = inputs.get("ct").and_then(|list| list.first()).copied().unwrap_or_default();
        let voxels = ct.size.iter().product::<usize>() as u64;
        let surface = (voxels as f64).powf(2.0 / 3.0) as u64;
        let gold = Extent { size: [0; 3], triangles: 12 * surface, bytes: 600 * surface };
        Forecast {
            core_seconds: 4e-7 * voxels as f64,
            outputs: [
                ("ct", Extent { bytes: 2 * voxels, ..ct }),
                ("gold", gold),
                ("defect", Extent { triangles: 0, bytes: 100_000, ..gold }),
                ("label", Extent { bytes: voxels, ..ct }),
            ]
            .into(),
        }
    }
}
