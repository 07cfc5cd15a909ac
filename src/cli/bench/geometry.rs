//! The geometry rows, on files that were prepared beforehand; reading them is not measured.

use std::path::Path;

use super::work::Work;
use crate::{
    fault::{Fault, Result},
    geometry::{
        align::{self, AlignOptions, Start},
        surface::{self, Border},
        voxelize::{self, Rule},
    },
    io::{
        self,
        image::{ImageOptions, read_label},
        mesh::MeshOptions,
    },
    mesh::{Mesh, check},
    metrics::surface::{Setting, compare_surfaces},
    space::Grid,
    volume::Volume,
};

/// A prepared row.
struct Row<F> {
    shape: String,
    run: F,
}

impl<F: FnMut() -> Result<()>> Work for Row<F> {
    fn shape(&self) -> String {
        self.shape.clone()
    }

    fn run(&mut self) -> Result<()> {
        (self.run)()
    }
}

/// Reads what a row needs.
pub(super) fn prepare(name: &str, files: &Path) -> Result<Box<dyn Work>> {
    let mesh = |name: &str| io::mesh::read(&files.join(name), &MeshOptions::default()).map(|file| file.mesh);
    let label = || read_label(&files.join("label.nrrd"));
    Ok(match name {
        "surface" => surface_row(label()?),
        "voxelize" => voxelize_row(mesh("gold.ply")?, label()?.grid),
        "compare" => compare_row(mesh("pred.ply")?, mesh("gold.ply")?, label()?.grid),
        "align" => {
            let ct = io::image::read(&files.join("ct.nrrd"), &ImageOptions::default())?.volume;
            align_row(mesh("apart.ply")?, ct)
        }
        "check" => check_row(mesh("pred.ply")?),
        _ => return Err(Fault::usage(format!("there is no geometry row `{name}`"))),
    })
}

fn voxels(grid: &Grid) -> String {
    grid.size.map(|n| n.to_string()).join(" x ")
}

fn triangles(mesh: &Mesh) -> String {
    format!("{} triangles", mesh.triangles.len())
}

fn surface_row(label: Volume<u8>) -> Box<dyn Work> {
    let found = surface::label_surface(&label, Border::Cap);
    let shape = format!("{} to {}", voxels(&label.grid), triangles(&found));
    let run = move || {
        std::hint::black_box(surface::label_surface(&label, Border::Cap));
        Ok(())
    };
    Box::new(Row { shape, run })
}

fn voxelize_row(mesh: Mesh, grid: Grid) -> Box<dyn Work> {
    let shape = format!("{} to {}", triangles(&mesh), voxels(&grid));
    Box::new(Row { shape, run: move || voxelize::voxelize(&mesh, &grid, Rule::EvenOdd).map(drop) })
}

fn compare_row(pred: Mesh, gold: Mesh, grid: Grid) -> Box<dyn Work> {
    let shape = format!("{} to {}, both ways", triangles(&pred), triangles(&gold));
    let run = move || {
        let setting = Setting { scan: Some(&grid), ..Setting::default() };
        std::hint::black_box(compare_surfaces(&pred, &gold, &setting));
        Ok(())
    };
    Box::new(Row { shape, run })
}

fn align_row(mesh: Mesh, ct: Volume<f32>) -> Box<dyn Work> {
    let shape = format!("{} in {}", triangles(&mesh), voxels(&ct.grid));
    Box::new(Row { shape, run: move || align::align(&mesh, &ct, &Start::Auto, &AlignOptions::default()).map(drop) })
}

fn check_row(mesh: Mesh) -> Box<dyn Work> {
    let shape = triangles(&mesh);
    let run = move || {
        std::hint::black_box(check::check(&mesh));
        Ok(())
    };
    Box::new(Row { shape, run })
}
