//! `align`: bring the engineer's model, and the defect with it, to the scan.

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    fault::{Fault, Result},
    geometry::align::{
        self, AlignOptions, Alignment, Effort, Handed, Refusal, Start, Weakest, itk,
        landmarks::{self, Landmark},
    },
    io::mesh,
    mesh::Mesh,
    metrics::defect::Solid,
    pipeline::stage::{Arity, Artifact, Extent, Forecast, Input, Job, Output, Params, Stage},
    report::figure,
    space::Rigid,
    volume::Volume,
};

pub use crate::geometry::align::Accept;

/// Picture of a refused alignment, in the job's scratch folder.
pub const PICTURE: &str = "refused.png";
/// Stands in the hint of a refusal between the likely cause and the path of the picture.
pub const SEE: &str = "; where it came to lie: ";

/// Where the alignment starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Search all rotations.
    #[default]
    Auto,
    /// Trust that the mesh already lies near its place.
    Identity,
}

/// Parameters of `align`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlignParams {
    /// `auto` searches all rotations; `identity` trusts the mesh to lie near its place. Landmarks win over this, and a
    /// `start` input over both.
    pub init: Init,
    /// Pairs of points, mesh and scan, LPS mm: at least three, not on one line. Empty: no landmarks.
    pub landmarks: Vec<Landmark>,
    /// Whether a given start (identity, landmarks, `start`) is refined; else it is only judged.
    pub refine: bool,
    /// Limits of acceptance; a case outside them is an error that says what was reached.
    pub accept: Accept,
    /// Intensity of the bone surface, HU; chosen from the histogram when absent.
    pub bone_hu: Option<f64>,
}

impl Default for AlignParams {
    fn default() -> Self {
        Self { init: Init::Auto, landmarks: Vec::new(), refine: true, accept: Accept::default(), bone_hu: None }
    }
}

impl Params for AlignParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let accept = &self.accept;
        let length = |name, mm: f64| {
            if mm > 0.0 && mm.is_finite() {
                Ok(())
            } else {
                Err((name, format!("must be a positive length, not {mm}")))
            }
        };
        let share = |name, value: f64| {
            if (0.0..=1.0).contains(&value) { Ok(()) } else { Err((name, format!("must lie in [0, 1], not {value}"))) }
        };
        length("accept.median_mm", accept.median_mm)?;
        accept.p95_mm.map_or(Ok(()), |mm| length("accept.p95_mm", mm))?;
        length("accept.slide_mm", accept.slide_mm)?;
        share("accept.inlier_share", accept.inlier_share)?;
        accept.edge_share.map_or(Ok(()), |value| share("accept.edge_share", value))?;
        share("accept.overlap_share", accept.overlap_share)?;
        share("accept.ambiguity", accept.ambiguity)?;
        if !self.landmarks.is_empty() {
            landmarks::motion(&self.landmarks).map_err(|fault| ("landmarks", fault.what))?;
        }
        Ok(())
    }
}

/// The transform file: a contract with scripts elsewhere. Fields are added, never renamed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransformFile {
    /// 4 x 4, row-major: mesh as given in its frame -> scan, LPS mm.
    pub matrix: [[f64; 4]; 4],
    /// Share of the mesh surface that lies on bone.
    pub inlier_share: f64,
    /// Median distance of mesh to bone surface, mm.
    pub median_residual_mm: f64,
    /// 95th percentile of that distance, mm.
    pub p95_residual_mm: f64,
    /// Whether the limits of acceptance were met.
    pub accepted: bool,
    /// Further measures of quality; absent in files from elsewhere.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// What was odd.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// How well the motion is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quality {
    /// Share of the mesh surface that lies inside the scan.
    pub overlap_share: f64,
    /// Root mean square of the distances that count as on bone, mm.
    pub rms_residual_mm: f64,
    /// Residual of this place over that of the second best; absent when every start led here.
    pub ambiguity: Option<f64>,
    /// The mesh against its mirror image.
    pub handed: Option<Handed>,
    /// Square root of the ratio of the extreme eigenvalues of the normal matrix.
    pub condition: f64,
    /// The motion that the scan fixes worst.
    pub weakest: Option<Weakest>,
    /// Share of the mesh on bone that is wound outwards.
    pub outwards_share: f64,
    /// 95th percentile of the distances without bone thinner than 2 mm, mm; present where it was judged in place of the one
    /// of all bone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_thick_residual_mm: Option<f64>,
    /// Share of the mesh inside the scan at which the image shows an edge of bone.
    pub edge_share: Option<f64>,
    /// How much farther out than the mesh the image shows all faces of bone, mm.
    pub swell_mm: Option<f64>,
    /// Level of the bone surface that distances are measured to, HU.
    pub bone_hu: f64,
    /// Starts that were fitted.
    pub starts: usize,
}

/// Aligns a mesh with a scan.
#[derive(Debug)]
pub struct Align;

impl Stage for Align {
    const NAME: &'static str = "align";
    const VERSION: u32 = 2;
    const DOC: &'static str =
        "Find the rigid motion that brings a mesh onto the bone of a scan; refuse when it does not fit.";
    const INPUTS: &'static [Input] = &[
        Input { name: "ct", kinds: &["ct"], arity: Arity::One, doc: "the scan" },
        Input { name: "mesh", kinds: &["mesh"], arity: Arity::One, doc: "the model, in any rigid frame" },
        Input { name: "defect", kinds: &["solid"], arity: Arity::Optional, doc: "the defect, moves along" },
        Input {
            name: "start",
            kinds: &["transform"],
            arity: Arity::Optional,
            doc: "a known start (JSON with `matrix`, or ITK text)",
        },
    ];
    const OUTPUTS: &'static [Output] = &[
        Output { name: "mesh", kind: "mesh", file: "mesh.ply", optional: false, doc: "the model in the scan's world" },
        Output {
            name: "transform",
            kind: "transform",
            file: "transform.json",
            optional: false,
            doc: "motion and quality",
        },
        Output {
            name: "itk",
            kind: "itk-transform",
            file: "transform.tfm",
            optional: false,
            doc: "the motion for 3D Slicer and ITK",
        },
        Output {
            name: "defect",
            kind: "solid",
            file: "defect/",
            optional: true,
            doc: "the defect in the scan's world",
        },
    ];
    type Params = AlignParams;

    fn run(params: &AlignParams, job: &Job<'_>) -> Result<()> {
        let start = start(params, job)?;
        let ct = load::ct(job.one("ct")?)?;
        let model = load::mesh(job.one("mesh")?)?;
        let effort = if params.refine { Effort::Refine } else { Effort::Verify };
        let options =
            AlignOptions { bone_hu: params.bone_hu, accept: params.accept, effort, ..AlignOptions::default() };
        let found = align::align(&model, &ct, &start, &options)?;
        let moved = model.moved(&found.world_from_mesh);
        if let Some(refusal) = &found.refusal {
            return Err(refused(&found, refusal, &ct, &moved, &job.scratch));
        }
        mesh::write(job.output("mesh")?, &moved)?;
        save::json(job.output("transform")?, &transform_file(&found))?;
        save::bytes(job.output("itk")?, itk::to_text(&found.world_from_mesh).as_bytes())?;
        job.optional("defect").map_or(Ok(()), |defect| move_defect(defect, &found.world_from_mesh, job))
    }

    fn forecast(_: &AlignParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let first = |port: &str| given.get(port).and_then(|list| list.first()).copied().unwrap_or_default();
        let voxels = first("ct").size.iter().product::<usize>() as f64;
        let mesh = Extent { size: [0; 3], triangles: first("mesh").triangles, bytes: 25 * first("mesh").triangles };
        Forecast { core_seconds: 1.0 + 2e-7 * voxels, outputs: [("mesh", mesh), ("defect", first("defect"))].into() }
    }
}

/// Returns where to start: a `start` input, else landmarks, else what `init` says.
fn start(params: &AlignParams, job: &Job<'_>) -> Result<Start> {
    if let Some(known) = job.optional("start") {
        return Ok(Start::Known(motion(load::path(known)?)?));
    }
    if !params.landmarks.is_empty() {
        return Ok(Start::Known(landmarks::motion(&params.landmarks)?));
    }
    Ok(match params.init {
        Init::Auto => Start::Auto,
        Init::Identity => Start::Identity,
    })
}

/// Returns the motion of a transform file: JSON with `matrix`, or ITK text, told apart by their first words.
fn motion(path: &Path) -> Result<Rigid> {
    let bytes = std::fs::read(path).map_err(|error| Fault::file("read the file", path, &error))?;
    if !bytes.starts_with(itk::MAGIC.as_bytes()) {
        return load::rigid(path);
    }
    itk::from_text(&String::from_utf8_lossy(&bytes)).map_err(|fault| fault.at(path.display()))
}

fn transform_file(found: &Alignment) -> TransformFile {
    TransformFile {
        matrix: found.world_from_mesh.to_rows(),
        inlier_share: found.inlier_share,
        median_residual_mm: found.median_residual_mm,
        p95_residual_mm: found.p95_residual_mm,
        accepted: found.accepted(),
        quality: Some(Quality {
            overlap_share: found.overlap_share,
            rms_residual_mm: found.rms_residual_mm,
            ambiguity: found.ambiguity,
            handed: found.handed,
            condition: found.condition,
            weakest: found.weakest,
            outwards_share: found.outwards_share,
            p95_thick_residual_mm: found.p95_thick_residual_mm,
            edge_share: found.edge_share,
            swell_mm: found.swell_mm,
            bone_hu: found.bone_hu,
            starts: found.starts,
        }),
        notes: found.notes.clone(),
    }
}

/// Refuses what the aligner would not use, with the numbers that it reached, and leaves a picture in the scratch folder.
fn refused(found: &Alignment, refusal: &Refusal, ct: &Volume<f32>, moved: &Mesh, scratch: &Path) -> Fault {
    let what = format!(
        "the mesh does not fit the scan: {}; reached: median {:.2} mm, p95 {:.2} mm, {:.0} % of the surface on bone",
        refusal.what,
        found.median_residual_mm,
        found.p95_residual_mm,
        100.0 * found.inlier_share,
    );
    let path = scratch.join(PICTURE);
    let drawn = save::bytes(&path, &overlay(ct, moved, "refused"));
    // A picture that cannot be written must not hide why the mesh was refused. A hint is shown, never stored.
    let see = if drawn.is_ok() { format!("{SEE}{}", path.display()) } else { String::new() };
    Fault::unfit(what).hint(format!("{}{see}", refusal.cause))
}

/// Returns the picture of a mesh on a scan, PNG: three slices with the mesh's cross-sections.
#[must_use]
pub fn overlay(ct: &Volume<f32>, mesh: &Mesh, title: &str) -> Vec<u8> {
    figure::alignment(ct, mesh, None, title).to_png()
}

fn move_defect(defect: &Artifact, world_from_mesh: &Rigid, job: &Job<'_>) -> Result<()> {
    let (solid, in_scan) = load::solid(defect)?;
    let motion = if in_scan { Rigid::IDENTITY } else { *world_from_mesh };
    let folder = job.output("defect")?;
    save::folder(folder)?;
    match solid {
        Solid::Mesh(solid) => mesh::write(&folder.join(load::SOLID_MESH), &solid.moved(&motion)),
        Solid::Ball { centre_mm, radius_mm } => {
            let ball = load::Ball { centre_mm: motion.apply(centre_mm), radius_mm };
            save::json(&folder.join(load::SOLID_BALL), &ball)
        }
    }
}
