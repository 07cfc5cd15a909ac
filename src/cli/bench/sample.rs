//! The files that the geometry rows and their peers work on: a scan, its bone as a label, meshes, a mesh to align.
//!
//! ```text
//! ct.nrrd  label.nrrd    gold.ply  the bone's model, on the scan     pred.ply  the label's surface
//! apart.ply  the model in a frame of its own, where there is one
//! ```

use std::path::Path;

use crate::{
    fault::{Fault, Result},
    geometry::surface::{self, Border},
    io::{
        self,
        image::{ImageOptions, Repair, write_f32, write_label},
        mesh::MeshOptions,
    },
    mesh::Mesh,
    numeric::Seed,
    phantom::{self, PhantomParams},
    space::{DVec3, Rigid},
    volume::Volume,
};

/// The scan, and the model on it.
pub(super) const CT: &str = "ct.nrrd";
pub(super) const GOLD: &str = "gold.ply";
/// A scan's bone without a label of its own, HU.
const BONE_HU: f32 = 300.0;

/// Writes the files of a simulated head.
pub(super) fn simulated(quick: bool, folder: &Path) -> Result<()> {
    let (size, spacing) = if quick { ([128, 128, 48], [1.8, 1.8, 3.0]) } else { ([256, 256, 120], [0.9, 0.9, 1.5]) };
    let params = PhantomParams { size: Some(size), spacing_mm: Some(spacing), ..PhantomParams::default() };
    let case = phantom::simulate(&params, Seed([4; 32]))?;
    write(folder, &case.ct.map(f32::from), &case.label, &case.gold.moved(&case.ct_from_gold), &case.gold)
}

/// Writes the files of a user's scan and mesh; bone is what is at least 300 HU.
pub(super) fn from_files(ct: &Path, mesh: &Path, folder: &Path) -> Result<()> {
    // A tilted gantry is made upright.
    let ct = io::image::read(ct, &ImageOptions { tilt: Repair::Resample, ..ImageOptions::default() })?.volume;
    let label = ct.map(|hu| u8::from(hu >= BONE_HU));
    if label.data.iter().all(|&class| class == 0) {
        return Err(Fault::unfit(format!("the scan has nothing of {BONE_HU} HU or more")));
    }
    let mesh = io::mesh::read(mesh, &MeshOptions::default())?.mesh;
    // Turned by half a radian and moved away, so that there is something to align.
    let apart = Rigid::about(DVec3::ZERO, DVec3::new(0.3, -0.2, 0.35), DVec3::new(40.0, -60.0, 80.0));
    write(folder, &ct, &label, &mesh, &mesh.moved(&apart))
}

fn write(folder: &Path, ct: &Volume<f32>, label: &Volume<u8>, gold: &Mesh, apart: &Mesh) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Fault::file("create the folder", folder, &error))?;
    write_f32(&folder.join(CT), ct)?;
    write_label(&folder.join("label.nrrd"), label)?;
    io::mesh::write(&folder.join("pred.ply"), &surface::label_surface(label, Border::Cap))?;
    io::mesh::write(&folder.join(GOLD), gold)?;
    io::mesh::write(&folder.join("apart.ply"), apart)
}
