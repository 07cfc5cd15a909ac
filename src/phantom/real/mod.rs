//! A craniotomy in a real scan: bone becomes soft tissue where an operation would cut, and the model is the bone left.
//!
//! ```text
//! scan ─▶ bone (threshold, largest piece) ─▶ middle of the head, outer table ─▶ operation
//!   └──────────────── voxels cut: share by share, with the scan's own noise ◀──┘ └─▶ model, missing piece
//! ```
//! The user's intact scans stay where they are; what comes out has a defect whose truth is known.

mod head;
mod noise;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DefectTruth, GoldFrame, Site, blur, engineer,
    shape::smooth_max,
    surgery::{Plan, Surgery},
};
use crate::{
    fault::{Fault, Result},
    geometry::{
        components,
        decimate::{Target, decimate},
        surface::{Border, isosurface},
    },
    mesh::Mesh,
    numeric::Seed,
    pipeline::stage::Params,
    space::{DVec3, Grid, Rigid},
    volume::Volume,
};
pub(super) use head::{Head, OuterTable};
use noise::Noise;

/// Parameters of a craniotomy in a real scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CraniotomyParams {
    /// Where the skull is opened; drawn when absent.
    pub site: Option<Site>,
    /// On the left of the patient, or on the right; drawn when absent.
    pub left: Option<bool>,
    /// Length and width of the opening along the outer table, mm; drawn from 30 to 140 when absent.
    pub extent_mm: Option<[f64; 2]>,
    /// Width of the gap around a piece that was put back, mm; 0 leaves the skull open; drawn when absent.
    pub kerf_mm: Option<f64>,
    /// What is bone when no label is given, HU.
    pub bone_hu: f64,
    /// What takes the place of bone, HU.
    pub tissue_hu: f64,
    /// Standard deviation of the scanner's blur within a slice, mm: how soft the cut looks.
    pub blur_mm: f64,
    /// Triangles that the model is reduced to; all of them when absent.
    pub gold_triangles: Option<usize>,
    /// Frame that the model is written in; it is stated in the file's header.
    pub frame: GoldFrame,
}

impl Default for CraniotomyParams {
    fn default() -> Self {
        Self {
            site: None,
            left: None,
            extent_mm: None,
            kerf_mm: None,
            bone_hu: 300.0,
            tissue_hu: 35.0,
            blur_mm: 0.5,
            gold_triangles: None,
            frame: GoldFrame::Lps,
        }
    }
}

impl Params for CraniotomyParams {
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let within = |name, value: f64, low: f64, high: f64| {
            let reason = || (name, format!("must be from {low} to {high}, not {value}"));
            if (low..=high).contains(&value) { Ok(()) } else { Err(reason()) }
        };
        for &mm in self.extent_mm.iter().flatten() {
            within("extent_mm", mm, 10.0, 150.0)?;
        }
        within("kerf_mm", self.kerf_mm.unwrap_or(0.0), 0.0, 10.0)?;
        within("bone_hu", self.bone_hu, -500.0, 2000.0)?;
        within("tissue_hu", self.tissue_hu, -200.0, 200.0)?;
        within("blur_mm", self.blur_mm, 0.0, 5.0)?;
        match self.gold_triangles {
            Some(triangles) if triangles < 1000 => {
                Err(("gold_triangles", format!("must be at least 1000, not {triangles}")))
            }
            _ => Ok(()),
        }
    }
}

/// A scan that was operated on.
#[derive(Clone, Debug)]
pub struct Craniotomized {
    /// The scan with the opening, on its own grid, HU.
    pub ct: Volume<i16>,
    /// The bone left, in a frame of its own.
    pub gold: Mesh,
    /// The bone taken, in the same frame.
    pub defect: Mesh,
    /// The bone left at the voxel centres.
    pub label: Volume<u8>,
    /// What was done.
    pub truth: CraniotomyTruth,
}

/// What was done to a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CraniotomyTruth {
    /// Mesh (in its own frame) to CT, LPS mm: 4 x 4, row-major.
    pub ct_from_gold: [[f64; 4]; 4],
    /// The opening.
    pub defect: DefectTruth,
    /// Standard deviation of the noise found in soft tissue and put into what took the bone's place, HU.
    pub noise_hu: f64,
    /// Correlation between neighbouring voxels of that noise.
    pub noise_neighbour: f64,
    /// Whether the engineer's files are in RAS; `ct_from_gold` starts from LPS all the same.
    pub ras: bool,
}

/// HU per mm at the edge of bone, by which differences of HU become first-order distances.
const EDGE_HU_PER_MM: f64 = 400.0;
/// Distances are not told apart beyond this, mm.
const FAR_MM: f64 = 4.0;
/// Points along each axis of a voxel that a share is counted over.
const POINTS: usize = 3;

/// Cuts an opening into a scan of an intact head; `bone` is its true bone where there is one.
///
/// # Errors
/// Unfit when the scan shows no skull, or `bone` is not on its grid.
pub fn craniotomy(
    ct: &Volume<f32>,
    bone: Option<&Volume<u8>>,
    params: &CraniotomyParams,
    seed: Seed,
) -> Result<Craniotomized> {
    let (mask, bone_mm) = bone_distance(ct, bone, params)?;
    let head = Head::find(&mask)?;
    let plan = Plan { site: params.site, left: params.left, extent_mm: params.extent_mm, kerf_mm: params.kerf_mm };
    let (surgery, site, centre_mm) = Surgery::draw(&head, plan, &mut seed.stream("surgery", 0));
    let table = OuterTable::new(&head, &surgery);
    let cut = |world: DVec3| {
        let p = world - head.middle_mm;
        if p.distance(centre_mm) > surgery.bound_mm() + FAR_MM { FAR_MM } else { table.cut_mm(&surgery, p) }
    };
    let cut_mm = voxels(&ct.grid, &|world| cut(world).min(FAR_MM) as f32);
    let noise = Noise::measure(ct);
    let opened = replace(ct, &cut_mm, &cut, params, &noise, seed);
    let edge_mm = surgery.edge_mm;
    let left = |(&bone, &cut): (&f32, &f32)| -smooth_max(f64::from(bone), -f64::from(cut), edge_mm) as f32;
    let pairs = || bone_mm.data.par_iter().zip(&cut_mm.data);
    let remains = Volume { grid: ct.grid, data: pairs().map(left).collect() };
    let taken = Volume { grid: ct.grid, data: pairs().map(|(&bone, &cut)| -bone.max(cut)).collect() };
    let mut gold = isosurface(&remains, 0.0, Border::Cap);
    let defect = isosurface(&taken, 0.0, Border::Cap);
    if defect.triangles.is_empty() {
        return Err(Fault::unfit("the opening meets no bone").hint("choose another `site` or a lower `bone_hu`"));
    }
    if let Some(triangles) = params.gold_triangles {
        gold = decimate(&gold, Target::Triangles(triangles));
    }
    let ct_from_gold = engineer::draw_frame(head.middle_mm, &mut seed.stream("frame", 0));
    let truth = CraniotomyTruth {
        ct_from_gold: ct_from_gold.to_rows(),
        defect: DefectTruth {
            site,
            left: centre_mm.x > 0.0,
            centre_mm: (head.middle_mm + centre_mm).to_array(),
            extent_mm: surgery.half_mm.map(|half| 2.0 * half),
            volume_mm3: defect.volume_mm3(),
        },
        noise_hu: noise.sd_hu,
        noise_neighbour: noise.neighbour(),
        ras: params.frame.draw(&mut seed.stream("ras", 0)),
    };
    let gold_from_ct: Rigid = ct_from_gold.inverse();
    Ok(Craniotomized {
        ct: opened,
        gold: gold.moved(&gold_from_ct),
        defect: defect.moved(&gold_from_ct),
        label: remains.map(|inside| u8::from(inside > 0.0)),
        truth,
    })
}

/// Returns the bone, and first-order signed distances to it at the voxels, mm, negative inside.
fn bone_distance(
    ct: &Volume<f32>,
    bone: Option<&Volume<u8>>,
    params: &CraniotomyParams,
) -> Result<(Volume<u8>, Volume<f32>)> {
    let far = FAR_MM as f32;
    if let Some(bone) = bone {
        if !bone.grid.same_place(&ct.grid) {
            return Err(Fault::unfit("the label is not on the scan's grid"));
        }
        let mask = components::largest(bone);
        let reach = params.blur_mm.max(0.6 * ct.grid.spacing_mm.x);
        let soft = smoothed(&mask, reach);
        // A blurred step is steepest in its middle: one over √(2π) of its width.
        let scale = (reach * (2.0 * std::f64::consts::PI).sqrt()) as f32;
        let distance = soft.map(|share| ((0.5 - share) * scale).clamp(-far, far));
        return Ok((mask, distance));
    }
    let iso = params.bone_hu as f32;
    let mask = components::largest(&ct.map(|hu| u8::from(hu >= iso)));
    let distance = |(&hu, &bone): (&f32, &u8)| {
        let mm = (f64::from(iso - hu) / EDGE_HU_PER_MM).clamp(-FAR_MM, FAR_MM) as f32;
        // Dense pieces that are not the skull are no bone of the model.
        if hu >= iso && bone == 0 { far } else { mm }
    };
    let data = ct.data.par_iter().zip(&mask.data).map(distance).collect();
    Ok((mask, Volume { grid: ct.grid, data }))
}

/// Returns a label blurred within its slices, as shares.
pub(super) fn smoothed(mask: &Volume<u8>, sigma_mm: f64) -> Volume<f32> {
    let [nx, _, nz] = mask.grid.size;
    let spacing_mm = [mask.grid.spacing_mm.x, mask.grid.spacing_mm.y];
    let slices: Vec<Vec<f32>> = (0..nz)
        .into_par_iter()
        .map(|z| {
            let mut values: Vec<f64> = mask.slice(z).iter().map(|&v| f64::from(v.min(1))).collect();
            if values.iter().any(|&v| v > 0.0) {
                blur::blur_slice(&mut values, nx, spacing_mm, sigma_mm);
            }
            values.into_iter().map(|v| v as f32).collect()
        })
        .collect();
    Volume { grid: mask.grid, data: slices.concat() }
}

/// Returns a function of the world at the voxel centres.
fn voxels(grid: &Grid, value: &(dyn Fn(DVec3) -> f32 + Sync)) -> Volume<f32> {
    let [nx, ny, nz] = grid.size;
    let world_from_voxel = grid.world_from_voxel();
    let slices: Vec<Vec<f32>> = (0..nz)
        .into_par_iter()
        .map(|z| {
            let at = |i: usize| DVec3::new((i % nx) as f64, (i / nx) as f64, z as f64);
            (0..nx * ny).map(|i| value(world_from_voxel.transform_point3(at(i)))).collect()
        })
        .collect();
    Volume { grid: *grid, data: slices.concat() }
}

/// Returns the scan with soft tissue where bone is cut: by the share of each voxel that the cut takes, blurred as the
/// scanner blurs, with noise as in the scan's own soft tissue. What is not denser than soft tissue stays as it is.
fn replace(
    ct: &Volume<f32>,
    cut_mm: &Volume<f32>,
    cut: &(dyn Fn(DVec3) -> f64 + Sync),
    params: &CraniotomyParams,
    noise: &Noise,
    seed: Seed,
) -> Volume<i16> {
    let [nx, _, nz] = ct.grid.size;
    let spacing_mm = [ct.grid.spacing_mm.x, ct.grid.spacing_mm.y];
    let stored = |hu: f64| hu.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    let slices: Vec<Vec<i16>> = (0..nz)
        .into_par_iter()
        .map(|z| {
            let hu = ct.slice(z);
            let mut shares: Vec<f64> =
                (0..hu.len()).map(|i| share(&ct.grid, cut_mm, cut, [i % nx, i / nx, z])).collect();
            if shares.iter().all(|&share| share == 0.0) {
                return hu.iter().map(|&hu| stored(f64::from(hu))).collect();
            }
            blur::blur_slice(&mut shares, nx, spacing_mm, params.blur_mm.max(1e-3));
            let noise = noise.slice(hu.len(), nx, &mut seed.stream("noise", z as u64));
            let mixed = |i: usize| {
                let (hu, tissue) = (f64::from(hu[i]), params.tissue_hu + noise[i]);
                if hu > params.tissue_hu { hu + shares[i].clamp(0.0, 1.0) * (tissue.min(hu) - hu) } else { hu }
            };
            (0..hu.len()).map(|i| stored(mixed(i))).collect()
        })
        .collect();
    Volume { grid: ct.grid, data: slices.concat() }
}

/// Returns the share of a voxel that the cut takes.
fn share(grid: &Grid, cut_mm: &Volume<f32>, cut: &dyn Fn(DVec3) -> f64, [x, y, z]: [usize; 3]) -> f64 {
    let middle = f64::from(cut_mm.at(x, y, z));
    if middle.abs() > grid.spacing_mm.length() {
        return f64::from(u8::from(middle < 0.0));
    }
    let world_from_voxel = grid.world_from_voxel();
    let offset = |i: usize| (i as f64 + 0.5) / POINTS as f64 - 0.5;
    let inside = |i: usize| {
        let within = DVec3::new(offset(i % POINTS), offset(i / POINTS % POINTS), offset(i / POINTS / POINTS));
        cut(world_from_voxel.transform_point3(DVec3::new(x as f64, y as f64, z as f64) + within)) < 0.0
    };
    let count = POINTS * POINTS * POINTS;
    (0..count).filter(|&i| inside(i)).count() as f64 / count as f64
}

#[cfg(test)]
mod tests;
