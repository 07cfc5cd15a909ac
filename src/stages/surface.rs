//! `surface`: from a label or a probability to a closed mesh.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load;
use crate::{
    baselines::threshold::Keep,
    fault::{Fault, Result},
    geometry::surface::{self, Border},
    io,
    mesh::components,
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
};

/// Parameters of `surface`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SurfaceParams {
    /// The value on the surface; 0.5 fits labels and probabilities.
    pub iso: f64,
    /// `cap` closes the mesh where the scan ends; `open` leaves it open there.
    pub border: Border,
    /// Keep every piece, or the largest one.
    pub keep: Keep,
}

impl Default for SurfaceParams {
    fn default() -> Self {
        Self { iso: 0.5, border: Border::Cap, keep: Keep::All }
    }
}

impl Params for SurfaceParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.iso.is_finite() { Ok(()) } else { Err(("iso", "must be a finite number".to_owned())) }
    }
}

/// Extracts the surface of a volume.
#[derive(Debug)]
pub struct Surface;

impl Stage for Surface {
    const NAME: &'static str = "surface";
    const VERSION: u32 = 1;
    const DOC: &'static str = "Extract a closed, oriented surface from a label or probability, without smoothing.";
    const INPUTS: &'static [Input] = &[Input {
        name: "volume",
        kinds: &["label", "probability", "ct"],
        arity: Arity::One,
        doc: "what to cut at `iso`",
    }];
    const OUTPUTS: &'static [Output] = &[Output {
        name: "mesh",
        kind: "mesh",
        file: "mesh.ply",
        optional: false,
        doc: "LPS mm, counter-clockwise from outside",
    }];
    type Params = SurfaceParams;

    fn run(params: &SurfaceParams, job: &Job<'_>) -> Result<()> {
        let mut volume = load::ct(job.one("volume")?)?;
        if let Some(at) = volume.data.iter().position(|value| !value.is_finite()) {
            return Err(Fault::unfit(format!("voxel {at} of the volume is not a finite number")));
        }
        // A label's mesh is measured, and an empty prediction is a result (its distances are null), not an error.
        let mut mesh = surface::isosurface(&volume, params.iso, params.border);
        volume.data.clear();
        if params.keep == Keep::Largest {
            mesh = components::largest(&mesh);
        }
        io::mesh::write(job.output("mesh")?, &mesh)
    }

    fn forecast(_: &SurfaceParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let size = given.get("volume").and_then(|list| list.first()).copied().unwrap_or_default().size;
        let voxels = size.iter().product::<usize>() as f64;
        let triangles = (12.0 * voxels.powf(2.0 / 3.0)) as u64;
        let mesh = Extent { size: [0; 3], triangles, bytes: 25 * triangles };
        Forecast { core_seconds: 3e-8 * voxels, outputs: [("mesh", mesh)].into() }
    }
}
