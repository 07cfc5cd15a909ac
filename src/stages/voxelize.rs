//! `voxelize`: from a mesh to the label of the scan's grid.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    fault::Result,
    geometry::voxelize::{self, Rule},
    io::image,
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
};

/// Parameters of `voxelize`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VoxelizeParams {
    /// `even-odd`: inside after an odd number of surfaces, as 3D Slicer's mesh-to-label does; `nonzero`: overlapping
    /// shells are a union.
    pub rule: Rule,
    /// Also keep the share of each voxel that is inside, from 4 x 4 x 4 sub-voxels (four bytes a voxel).
    pub fraction: bool,
}
impl Params for VoxelizeParams {}

/// Labels the voxels whose centre lies inside a mesh.
#[derive(Debug)]
pub struct Voxelize;

impl Stage for Voxelize {
    const NAME: &'static str = "voxelize";
    const VERSION: u32 = 2;
    const DOC: &'static str = "Label a scan's voxels from a mesh: a voxel is bone when its centre is inside.";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "mesh",
            kinds: &["mesh"],
            arity: Arity::One,
            doc: "a mesh in the scan's world, closed or nearly so",
        },
        Input {
            name: "like",
            kinds: &["ct", "label", "probability"],
            arity: Arity::One,
            doc: "the image whose grid to use",
        },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output { name: "label", kind: "label", file: "label.nrrd", optional: false, doc: "1 inside, 0 outside" },
        Output {
            name: "fraction",
            kind: "probability",
            file: "fraction.nrrd",
            optional: true,
            doc: "share of the voxel inside, 0 to 1",
        },
        Output {
            name: "report",
            kind: "report",
            file: "report.json",
            optional: true,
            doc: "whether the mesh was closed, and what was mended",
        },
    ];
    type Params = VoxelizeParams;

    fn run(params: &VoxelizeParams, job: &Job<'_>) -> Result<()> {
        let grid = load::ct(job.one("like")?)?.grid;
        let mesh = load::mesh(job.one("mesh")?)?;
        let found = voxelize::voxelize_reported(&mesh, &grid, params.rule)?;
        if params.fraction {
            let (shares, _) = voxelize::fraction(&mesh, &grid, params.rule)?;
            image::write_f32(job.output("fraction")?, &shares)?;
        }
        save::json(job.output("report")?, &found.report)?;
        image::write_label(job.output("label")?, &found.label)
    }

    fn forecast(params: &VoxelizeParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let first = |port: &str| given.get(port).and_then(|list| list.first()).copied().unwrap_or_default();
        let voxels = first("like").size.iter().product::<usize>() as u64;
        let label = Extent { size: first("like").size, triangles: 0, bytes: voxels };
        let fraction = Extent { bytes: if params.fraction { 4 * voxels } else { 0 }, ..label };
        let report = Extent { size: [0; 3], triangles: 0, bytes: 512 };
        Forecast {
            core_seconds: 1e-6 * first("mesh").triangles as f64 + 2e-8 * voxels as f64,
            outputs: [("label", label), ("fraction", fraction), ("report", report)].into(),
        }
    }
}
