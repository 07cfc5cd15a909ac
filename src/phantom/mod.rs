//! A simulated head with a hole in its skull: the scan, the engineer's model, and the truth about both.
//!
//! ```text
//! anatomy ─▶ skull ─┐
//!            defect ├─▶ scene ─▶ scanner  ─▶ CT           (the world of the scan)
//!            metal ─┘      └───▶ engineer ─▶ gold, defect (a frame of their own)
//! ```
//! Real operated patients cannot be shipped; these stand in for them. The vault is as thin as a real one, and what makes
//! real scans hard for a threshold is there: partial volume in thick slices, spongy bone as dull as contrast medium,
//! scanners that disagree about HU, noise, and metal. Two scanners look at it: one draws its artefacts on the slices, the
//! other (`projected`) measures views through them.

mod anatomy;
mod blur;
mod body;
mod choice;
mod defect;
mod detail;
mod engineer;
mod face;
mod metal;
mod nose;
mod params;
mod preview;
mod projected;
mod real;
mod sampling;
mod scanner;
mod scene;
mod shape;
mod skull;
mod solid;
mod streak;
mod surgery;
mod teeth;
mod visage;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use anatomy::Anatomy;
pub use defect::Site;
pub use detail::Detail;
pub use params::{AnatomyKind, DefectKind, GoldFrame, PhantomParams, Preset, ScannerKind};
pub use preview::{Montage, preview};
pub use projected::{Kernel, Machine, Protocol};
pub use real::{Craniotomized, CraniotomyParams, CraniotomyTruth, craniotomy};
pub use scanner::Scanner;

use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    numeric::{Seed, Stream},
    space::{DMat3, DVec3, Grid, Rigid},
    volume::Volume,
};
use body::Body as _;
use defect::Craniotomy;
use metal::Metal;
use scene::Scene;
use skull::Skull;
use solid::Solid;

/// One simulated case.
#[derive(Clone, Debug)]
pub struct Phantom {
    /// The scan, HU, on an axis-aligned grid unless its slices are tilted.
    pub ct: Volume<i16>,
    /// The engineer's model: closed surface of the true bone, in a frame of its own; capped where the scan ends.
    pub gold: Mesh,
    /// The missing bone as a closed solid, in the gold's frame.
    pub defect: Mesh,
    /// True bone at the voxel centres of the scan.
    pub label: Volume<u8>,
    /// Brings the gold and the defect into the scan's world.
    pub ct_from_gold: Rigid,
    /// What was simulated.
    pub truth: Truth,
}

/// What was simulated, for tests and for people; no stage reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Truth {
    /// Mesh (in its own frame) to CT, LPS mm: 4 x 4, row-major.
    pub ct_from_gold: [[f64; 4]; 4],
    /// Where the head lies: skull's frame to CT, LPS mm; 4 x 4, row-major.
    pub ct_from_head: [[f64; 4]; 4],
    /// The hole.
    pub defect: DefectTruth,
    /// Pieces of metal in the scan's field or below it.
    pub metal_pieces: usize,
    /// The head; none when its skull was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anatomy: Option<Anatomy>,
    /// The finer anatomy, when it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// The analytic scanner; of a projected scan only its head-rest.
    pub scanner: Scanner,
    /// Whether the engineer's files are in RAS; `ct_from_gold` starts from LPS all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ras: bool,
    /// The scanner that projects, when it made the scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

/// The hole in the vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DefectTruth {
    /// Where on the vault.
    pub site: Site,
    /// On the left of the patient, or on the right.
    pub left: bool,
    /// Middle of the hole on the outer table, in the scan's world, LPS mm.
    pub centre_mm: [f64; 3],
    /// Length and width of the hole at the outer table, mm.
    pub extent_mm: [f64; 2],
    /// Volume of the missing bone, mm³.
    pub volume_mm3: f64,
}

/// Returns the case of a seed: the same bytes for any number of threads.
///
/// # Errors
/// Usage when the chosen field holds no bone, or the samples are too coarse to see the missing piece.
pub fn simulate(params: &PhantomParams, seed: Seed) -> Result<Phantom> {
    let scanner = Scanner::draw(&mut seed.stream("scanner", 0)).with_rest(params.scanner);
    let scene = draw_scene(seed, scanner.rest_hu, params);
    let protocol = params.protocol(&mut seed.stream("protocol", 0));
    let machine = protocol.as_ref().map(|protocol| protocol.machine);
    let (size, spacing_mm) = params.sampling(machine, &mut seed.stream("sampling", 0));
    let tilt = params.tilt(&mut seed.stream("tilt", 0));
    let grid = field(&scene, size, DVec3::from_array(spacing_mm), tilt, &mut seed.stream("field", 0))?;
    let ct_from_gold = engineer::draw_frame(scene.world_from_head.translation_mm, &mut seed.stream("frame", 0));
    let gold = params.reduced(engineer::gold(&scene, &grid, params.gold_mm())?);
    let defect = engineer::missing(&scene, params.gold_mm())?;
    let truth = Truth {
        ct_from_gold: ct_from_gold.to_rows(),
        ct_from_head: scene.world_from_head.to_rows(),
        defect: DefectTruth {
            site: scene.hole.site,
            left: scene.hole.centre_mm.x > 0.0,
            centre_mm: scene.world_from_head.apply(scene.hole.centre_mm).to_array(),
            extent_mm: scene.hole.half_mm.map(|half| 2.0 * half),
            volume_mm3: defect.volume_mm3(),
        },
        metal_pieces: scene.metal.pieces.len(),
        anatomy: Some(scene.anatomy().clone()),
        detail: scene.skull.detail.clone(),
        scanner: scanner.clone(),
        ras: params.frame.draw(&mut seed.stream("ras", 0)),
        protocol,
    };
    let ct = match &truth.protocol {
        Some(protocol) => projected::acquire(&scene, protocol, grid, seed)?,
        None => scanner::acquire(&scene, &scanner, grid, seed),
    };
    Ok(Phantom {
        ct,
        gold: gold.moved(&ct_from_gold.inverse()),
        defect: defect.moved(&ct_from_gold.inverse()),
        label: sampling::label(&scene, grid),
        ct_from_gold,
        truth,
    })
}

/// Returns the case of a seed whose skull is given as a label that stands upright in LPS: real bone in a simulated scanner.
///
/// # Errors
/// Usage when the scanner is not the one that projects; unfit when the label holds no vault; as [`simulate`].
pub fn simulate_skull(params: &PhantomParams, skull: &Volume<u8>, seed: Seed) -> Result<Phantom> {
    let Some(protocol) = params.protocol(&mut seed.stream("protocol", 0)) else {
        return Err(Fault::usage("a skull given as a label needs `scanner: projected`"));
    };
    let scanner = Scanner::draw(&mut seed.stream("scanner", 0)).with_rest(params.scanner);
    let body = Solid::new(skull, scanner.rest_hu, seed)?;
    let (size, spacing_mm) = params.sampling(Some(protocol.machine), &mut seed.stream("sampling", 0));
    let spacing_mm = DVec3::from_array(spacing_mm);
    let mut jitter = seed.stream("field", 0);
    let half = 0.5 * spacing_mm * DVec3::from_array(size.map(|n| n as f64 - 1.0));
    let top = body.top_mm + 12.0 + jitter.between(-3.0, 3.0);
    let low = DVec3::new(jitter.between(-2.0, 2.0) - half.x, jitter.between(-2.0, 2.0) - half.y, top - 2.0 * half.z);
    let direction = turned(params.tilt(&mut seed.stream("tilt", 0)));
    let grid = Grid::new(size, body.middle_mm() + direction * low, spacing_mm, direction)?;
    let ct_from_gold = engineer::draw_frame(body.middle_mm(), &mut seed.stream("frame", 0));
    let gold = params.reduced(engineer::gold(&body, &grid, params.gold_mm())?);
    let defect = engineer::missing(&body, params.gold_mm())?;
    let truth = Truth {
        ct_from_gold: ct_from_gold.to_rows(),
        ct_from_head: body.world_from_label().to_rows(),
        defect: DefectTruth {
            site: body.site,
            left: body.is_left(),
            centre_mm: body.opening().0.to_array(),
            extent_mm: body.surgery.half_mm.map(|half| 2.0 * half),
            volume_mm3: defect.volume_mm3(),
        },
        metal_pieces: 0,
        anatomy: None,
        detail: None,
        scanner,
        ras: params.frame.draw(&mut seed.stream("ras", 0)),
        protocol: Some(protocol.clone()),
    };
    Ok(Phantom {
        ct: projected::acquire(&body, &protocol, grid, seed)?,
        gold: gold.moved(&ct_from_gold.inverse()),
        defect: defect.moved(&ct_from_gold.inverse()),
        label: sampling::label(&body, grid),
        ct_from_gold,
        truth,
    })
}

/// Returns the axes of slices turned about the left-right axis, radians.
fn turned(tilt: f64) -> DMat3 {
    let (sine, cosine) = libm::sincos(tilt);
    DMat3::from_cols(DVec3::X, DVec3::new(0.0, cosine, sine), DVec3::new(0.0, -sine, cosine))
}

/// Draws who lies in the scanner, and how.
fn draw_scene(seed: Seed, rest_hu: f64, params: &PhantomParams) -> Scene {
    let detail = (params.anatomy == AnatomyKind::Detailed)
        .then(|| Detail::draw(&mut seed.stream("detail", 0)).held_by(params.gold_mm()));
    let skull = Skull::new(Anatomy::draw(&mut seed.stream("anatomy", 0))).refined(detail);
    let hole = match params.defect {
        DefectKind::Simple => Craniotomy::draw(&skull, &mut seed.stream("defect", 0)),
        DefectKind::Surgical => Craniotomy::operate(&skull, &mut seed.stream("surgery", 0)),
    };
    let metal = Metal::draw(&skull, &hole, &mut seed.stream("metal", 0));
    let mut pose = seed.stream("pose", 0);
    // Nodding a little more than turning or leaning, radians; the head's place against the table is any.
    let turn = DVec3::new(pose.between(-0.10, 0.10), pose.between(-0.05, 0.05), pose.between(-0.06, 0.06));
    let middle_mm = DVec3::new(pose.between(-20.0, 20.0), pose.between(-220.0, -120.0), pose.between(-1200.0, 1200.0));
    let world_from_head = Rigid::about(DVec3::ZERO, turn, middle_mm);
    Scene { skull, hole, metal, world_from_head, rest_hu }
}

/// Returns the grid of the scan: the head in the middle of the slices, the first slices from above a little over it.
///
/// `tilt` turns the slices about the left-right axis, radians, to either side.
fn field(scene: &Scene, size: [usize; 3], spacing_mm: DVec3, tilt: f64, stream: &mut Stream) -> Result<Grid> {
    let a = scene.anatomy();
    let middle_mm = scene.world_from_head.translation_mm;
    let mut jitter = |mm: f64| stream.between(-mm, mm);
    let in_plane = DVec3::new(jitter(2.0), (0.5 - a.front_share) * a.length_mm - 3.0 + jitter(2.0), 0.0);
    // The highest point of a rotated ellipsoid is the length of its axes' third components.
    let up = scene.world_from_head.rotation.row(2) * DVec3::new(0.5 * a.breadth_mm, 0.5 * a.length_mm, a.height_mm);
    let top = up.length() + a.scalp_mm + 6.0 + jitter(3.0);
    let half = 0.5 * spacing_mm * DVec3::from_array(size.map(|n| n as f64 - 1.0));
    let low = DVec3::new(-half.x, -half.y, top - 2.0 * half.z);
    if tilt == 0.0 {
        return Grid::new(size, middle_mm + in_plane + low, spacing_mm, DMat3::IDENTITY);
    }
    let direction = turned(tilt);
    Grid::new(size, middle_mm + direction * (in_plane + low), spacing_mm, direction)
}

#[cfg(test)]
mod tests;
