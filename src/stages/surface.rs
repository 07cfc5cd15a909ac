//! `surface`: from a label or a probability to a closed mesh.
//!
//! What changes the surface (choosing pieces, smoothing, decimating) is off by default, because the mesh is measured; each
//! says in the report what it did.

use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{load, save};
use crate::{
    baselines::threshold::Keep,
    fault::{Fault, Result},
    geometry::{
        components::{self, Selected, Selection},
        decimate::{self, Target},
        smooth::{self, Method},
        surface::{self, Border},
    },
    io,
    mesh::{self, Mesh, bvh::Bvh, check},
    numeric::tree_sum,
    pipeline::stage::{Arity, Extent, Forecast, Input, Job, Output, Params, Stage},
    space::DVec3,
    volume::Volume,
};

/// Smoothing, off by default.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothParams {
    /// `taubin` or `sinc`; absent for none.
    pub method: Option<Method>,
    /// Taubin's iterations, or terms of the windowed sinc.
    pub iterations: u32,
    /// Frequency up to which shapes stay, between 0 and 1: 0.1 keeps what is wider than about ten voxels.
    pub pass_band: f64,
}

impl Default for SmoothParams {
    fn default() -> Self {
        Self { method: None, iterations: 20, pass_band: 0.1 }
    }
}

/// Decimation, off by default.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecimateParams {
    /// Stop at so many triangles.
    pub triangles: Option<usize>,
    /// Stop before any vertex of the full mesh would be farther than this from the result, mm.
    pub max_error_mm: Option<f64>,
}

/// Parameters of `surface`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SurfaceParams {
    /// The value on the surface; 0.5 fits labels and probabilities.
    pub iso: f64,
    /// Of an image with several labels, the surface of the voxels of this one; `iso` is then 0.5.
    pub label: Option<u32>,
    /// `cap` closes the mesh where the scan ends; `open` leaves it open there.
    pub border: Border,
    /// Keep every piece, or the one of most voxels, with its cavities.
    pub keep: Keep,
    /// Drop pieces of fewer voxels, connected through faces.
    pub min_voxels: usize,
    /// Drop pieces of fewer voxels than fill this volume, mm³.
    pub min_mm3: f64,
    /// Drop closed shells of fewer triangles, last of all; a small cavity is filled by that.
    pub min_triangles: usize,
    /// Smoothing for looks or printing; the rim and the cap stay where they are.
    pub smooth: SmoothParams,
    /// Decimation for looks or printing.
    pub decimate: DecimateParams,
}

impl Default for SurfaceParams {
    fn default() -> Self {
        Self {
            iso: 0.5,
            label: None,
            border: Border::Cap,
            keep: Keep::All,
            min_voxels: 0,
            min_mm3: 0.0,
            min_triangles: 0,
            smooth: SmoothParams::default(),
            decimate: DecimateParams::default(),
        }
    }
}

impl Params for SurfaceParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if !self.iso.is_finite() {
            return Err(("iso", "must be a finite number".to_owned()));
        }
        if self.label.is_some() && self.iso != 0.5 {
            return Err(("label", "goes with the `iso` of a label, 0.5".to_owned()));
        }
        if !(self.min_mm3 >= 0.0 && self.min_mm3.is_finite()) {
            return Err(("min_mm3", format!("must be a volume, not {}", self.min_mm3)));
        }
        if !(self.smooth.pass_band > 0.0 && self.smooth.pass_band < 1.0) {
            return Err(("smooth.pass_band", format!("must lie between 0 and 1, not {}", self.smooth.pass_band)));
        }
        if !(1..=1000).contains(&self.smooth.iterations) {
            return Err(("smooth.iterations", format!("must be 1 to 1000, not {}", self.smooth.iterations)));
        }
        match self.decimate {
            DecimateParams { triangles: Some(_), max_error_mm: Some(_) } => {
                Err(("decimate", "takes `triangles` or `max_error_mm`, not both".to_owned()))
            }
            DecimateParams { max_error_mm: Some(mm), .. } if !(mm > 0.0 && mm.is_finite()) => {
                Err(("decimate.max_error_mm", format!("must be a positive length, not {mm}")))
            }
            _ => Ok(()),
        }
    }
}

/// The report file: what the surface is, and what was done to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SurfaceReport {
    /// Vertices of the mesh.
    pub vertices: usize,
    /// Triangles of the mesh.
    pub triangles: usize,
    /// Pieces of the mesh; a cavity is a piece.
    pub components: usize,
    /// Whether the mesh has no rim.
    pub closed: bool,
    /// Whether neighbouring triangles agree on which side is out.
    pub oriented: bool,
    /// Whether the mesh is a 2-manifold.
    pub manifold: bool,
    /// Vertices less edges plus triangles.
    pub euler: i64,
    /// Area, mm².
    pub area_mm2: f64,
    /// Enclosed volume, mm³; of no meaning on an open mesh.
    pub volume_mm3: f64,
    /// Volume of the surface as it was cut, after the choice of pieces, mm³.
    pub volume_before_mm3: f64,
    /// What was done, in order; empty for a mesh to be measured.
    pub changes: Vec<Change>,
}

/// One thing done to the surface, with what it cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// `pieces`, `smooth`, `decimate` or `shells`.
    pub what: String,
    /// Numbers by name: counts, mm, mm³.
    pub numbers: BTreeMap<String, f64>,
}

impl Change {
    fn new<const N: usize>(what: &str, numbers: [(&str, f64); N]) -> Self {
        Self { what: what.to_owned(), numbers: numbers.map(|(name, value)| (name.to_owned(), value)).into() }
    }
}

/// Extracts the surface of a volume.
#[derive(Debug)]
pub struct Surface;

impl Stage for Surface {
    const NAME: &'static str = "surface";
    const VERSION: u32 = 2;
    const DOC: &'static str =
        "Extract a closed, oriented surface from a label or probability; as it is, unless asked to change it.";
    const INPUTS: &'static [Input] = &[Input {
        name: "volume",
        kinds: &["label", "probability", "ct"],
        arity: Arity::One,
        doc: "what to cut at `iso`",
    }];
    const OUTPUTS: &'static [Output] = &[
        Output {
            name: "mesh",
            kind: "mesh",
            file: "mesh.ply",
            optional: false,
            doc: "LPS mm, counter-clockwise from outside",
        },
        Output {
            name: "report",
            kind: "report",
            file: "report.json",
            optional: false,
            doc: "size, pieces, and what each change did",
        },
    ];
    type Params = SurfaceParams;

    fn run(params: &SurfaceParams, job: &Job<'_>) -> Result<()> {
        let mut volume = load::ct(job.one("volume")?)?;
        let unfit = volume.data.par_iter().position_first(|value| !value.is_finite());
        if let Some(at) = unfit {
            return Err(Fault::unfit(format!("voxel {at} of the volume is not a finite number")));
        }
        if let Some(label) = params.label {
            let label = label as f32;
            volume.data.par_iter_mut().for_each(|value| *value = if *value == label { 1.0 } else { 0.0 });
        }
        let (mesh, report) = extract(&mut volume, params);
        // A label's mesh is measured, and an empty prediction is a result (its distances are null), not an error.
        io::mesh::write(job.output("mesh")?, &mesh)?;
        save::json(job.output("report")?, &report)
    }

    fn forecast(params: &SurfaceParams, given: &BTreeMap<&str, Vec<Extent>>) -> Forecast {
        let size = given.get("volume").and_then(|list| list.first()).copied().unwrap_or_default().size;
        let voxels = size.iter().product::<usize>() as f64;
        let cut = (12.0 * voxels.powf(2.0 / 3.0)) as u64;
        let triangles = params.decimate.triangles.map_or(cut, |goal| cut.min(goal as u64));
        let smoothing = params.smooth.method.map_or(0.0, |_| f64::from(params.smooth.iterations) * 1e-7);
        let decimating =
            if params.decimate.triangles.or(params.decimate.max_error_mm.map(|_| 0)).is_some() { 1e-5 } else { 0.0 };
        let core_seconds = 1e-8 * voxels + (1e-6 + smoothing + decimating) * cut as f64;
        let mesh = Extent { size: [0; 3], triangles, bytes: 25 * triangles };
        let report = Extent { bytes: 1000, ..Extent::default() };
        Forecast { core_seconds, outputs: [("mesh", mesh), ("report", report)].into() }
    }
}

/// Cuts the volume and does what the parameters ask, in this order: pieces, cut, shells, smooth, decimate.
fn extract(volume: &mut Volume<f32>, params: &SurfaceParams) -> (Mesh, SurfaceReport) {
    let mut changes = Vec::new();
    changes.extend(choose_pieces(volume, params));
    let mut mesh = surface::isosurface(volume, params.iso, params.border);
    let volume_before_mm3 = mesh.volume_mm3();
    if params.min_triangles > 0 {
        let (kept, change) = drop_shells(&mesh, params.min_triangles);
        changes.push(change);
        mesh = kept;
    }
    if let Some(method) = params.smooth.method {
        let held = surface::on_cap(&mesh, &volume.grid);
        let smoothed = smooth::smooth(&mesh, method, params.smooth.iterations, params.smooth.pass_band, &held);
        changes.push(smoothing(&mesh, &smoothed));
        mesh = smoothed;
    }
    let target = match params.decimate {
        DecimateParams { triangles: Some(goal), .. } => Some(Target::Triangles(goal)),
        DecimateParams { max_error_mm: Some(mm), .. } => Some(Target::MaxErrorMm(mm)),
        _ => None,
    };
    if let Some(target) = target {
        let small = decimate::decimate(&mesh, target);
        changes.push(decimation(&mesh, &small));
        mesh = small;
    }
    let report = report(&mesh, volume_before_mm3, changes);
    (mesh, report)
}

fn report(mesh: &Mesh, volume_before_mm3: f64, changes: Vec<Change>) -> SurfaceReport {
    let found = check::check(mesh);
    SurfaceReport {
        vertices: found.vertices,
        triangles: found.triangles,
        components: found.components,
        closed: found.closed,
        oriented: found.oriented,
        manifold: found.manifold,
        euler: found.euler,
        area_mm2: found.area_mm2,
        volume_mm3: found.volume_mm3,
        volume_before_mm3,
        changes,
    }
}

fn choose_pieces(volume: &mut Volume<f32>, params: &SurfaceParams) -> Option<Change> {
    let voxels_of_mm3 = (params.min_mm3 / volume.grid.voxel_mm3()).ceil() as usize;
    let at_least_voxels = params.min_voxels.max(voxels_of_mm3);
    let largest = params.keep == Keep::Largest;
    (largest || at_least_voxels > 1).then(|| {
        let Selected { pieces, kept, kept_voxels, dropped_voxels } =
            components::select(volume, params.iso, Selection { largest, at_least_voxels });
        let voxel_mm3 = volume.grid.voxel_mm3();
        Change::new(
            "pieces",
            [
                ("found", pieces as f64),
                ("kept", kept as f64),
                ("kept_voxels", kept_voxels as f64),
                ("dropped_voxels", dropped_voxels as f64),
                ("dropped_mm3", dropped_voxels as f64 * voxel_mm3),
            ],
        )
    })
}

fn drop_shells(mesh: &Mesh, min_triangles: usize) -> (Mesh, Change) {
    let (labels, count) = mesh::components::label(mesh);
    let mut sizes = vec![0_usize; count];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    let triangles: Vec<[u32; 3]> = mesh
        .triangles
        .iter()
        .zip(&labels)
        .filter(|&(_, &label)| sizes[label as usize] >= min_triangles)
        .map(|(&triangle, _)| triangle)
        .collect();
    let kept = with_used_vertices(mesh, triangles);
    let change = Change::new(
        "shells",
        [
            ("found", count as f64),
            ("kept", sizes.iter().filter(|&&size| size >= min_triangles).count() as f64),
            ("dropped_triangles", (mesh.triangles.len() - kept.triangles.len()) as f64),
            ("volume_before_mm3", mesh.volume_mm3()),
            ("volume_after_mm3", kept.volume_mm3()),
        ],
    );
    (kept, change)
}

fn with_used_vertices(mesh: &Mesh, mut triangles: Vec<[u32; 3]>) -> Mesh {
    let mut numbers = vec![u32::MAX; mesh.vertices.len()];
    triangles.as_flattened().iter().for_each(|&v| numbers[v as usize] = 0);
    let mut vertices = Vec::new();
    for (number, &p) in numbers.iter_mut().zip(&mesh.vertices).filter(|(number, _)| **number == 0) {
        *number = vertices.len() as u32;
        vertices.push(p);
    }
    triangles.as_flattened_mut().iter_mut().for_each(|v| *v = numbers[*v as usize]);
    Mesh { vertices, triangles }
}

fn smoothing(before: &Mesh, after: &Mesh) -> Change {
    let squares: Vec<f64> =
        before.vertices.par_iter().zip(&after.vertices).map(|(p, q)| p.distance_squared(*q)).collect();
    let mean = if squares.is_empty() { 0.0 } else { tree_sum(&squares) / squares.len() as f64 };
    Change::new(
        "smooth",
        [
            ("volume_before_mm3", before.volume_mm3()),
            ("volume_after_mm3", after.volume_mm3()),
            ("rms_displacement_mm", mean.sqrt()),
            ("max_displacement_mm", squares.iter().fold(0.0_f64, |most, &d| most.max(d)).sqrt()),
        ],
    )
}

fn decimation(before: &Mesh, after: &Mesh) -> Change {
    Change::new(
        "decimate",
        [
            ("triangles_before", before.triangles.len() as f64),
            ("triangles_after", after.triangles.len() as f64),
            ("volume_before_mm3", before.volume_mm3()),
            ("volume_after_mm3", after.volume_mm3()),
            ("max_old_to_new_mm", farthest_mm(before, after)),
            ("max_new_to_old_mm", farthest_mm(after, before)),
        ],
    )
}

/// Returns the largest distance of a vertex of one mesh to the surface of the other; zero where either is empty.
fn farthest_mm(from: &Mesh, to: &Mesh) -> f64 {
    let bvh = Bvh::new(to);
    let distance = |p: &DVec3| bvh.closest(*p).map_or(0.0, |hit| hit.distance_mm);
    from.vertices.par_iter().map(distance).reduce(|| 0.0, f64::max)
}
