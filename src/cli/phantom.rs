//! `calvaria phantom`: simulate cases as plain files, with a manifest beside them.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{Context, alone::Alone, alone::whole, out, set};
use crate::{
    fault::{Fault, Result},
    stages::Phantom,
};

/// Cases up to this number train, the others test, as in the study.
const TRAINING_CASES: u32 = 15;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// 96 x 96 x 32 voxels
    Quick,
    /// 512 x 512, 100-250 slices
    Paper,
}

/// Arguments of `phantom`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Size of the simulated scan
    #[arg(long, value_enum, default_value = "quick")]
    preset: Preset,
    /// Case number, or several: 1,2,16
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u32).range(1..=99))]
    case: Vec<u32>,
    /// Study seed
    #[arg(long, default_value_t = 2019)]
    seed: u64,
    /// A parameter of the stage, `size=[64,64,24]`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Also write a picture of each case: DIR/<id>/preview.png
    #[arg(long)]
    preview: bool,
    /// Folder for the cases and their manifest
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let preset = if matches!(args.preset, Preset::Quick) { "quick" } else { "paper" };
    let mut overrides = vec![format!("preset={preset}")];
    overrides.extend(args.overrides.iter().cloned());
    let params = set::params::<Phantom>(&overrides)?;
    create(&args.output)?;
    for number in &args.case {
        let id = format!("p{number:02}");
        let folder = args.output.join(&id);
        let made = Alone::new().random("phantom", &id, args.seed, 0).run::<Phantom>(&params, &folder, context)?;
        create(&folder)?;
        replace_folder(&folder.join("ct"))?;
        made.as_is("ct", &folder.join("ct"))?;
        for (port, name) in [("gold", "gold.stl"), ("defect", "defect.stl"), ("truth", "truth.json")] {
            made.as_is(port, &folder.join(name))?;
        }
        made.image("label", &folder.join("label.nii.gz"))?;
        if args.preview {
            preview(&folder)?;
        }
        out::talk(format!("{id}: {}", folder.display()));
    }
    write_manifest(&args.output)?;
    out::written(context, &[&args.output])
}

/// Writes the picture of a case: slices in a bone and in a soft window, and under them the true surface from three sides.
fn preview(folder: &Path) -> Result<()> {
    use crate::{
        io::image::{self, ImageOptions},
        io::mesh::{self, MeshOptions},
        mesh::Mesh,
        phantom::preview,
        report::figure::{Picture, SurfaceOptions, surfaces},
        space::Rigid,
    };
    let ct = image::read(&folder.join("ct"), &ImageOptions::default())?.volume;
    let label = image::read_label(&folder.join("label.nii.gz"))?;
    let slices = preview(&ct, &label);
    let gold = mesh::read(&folder.join("gold.stl"), &MeshOptions::default())?.mesh;
    let truth: serde_json::Value = crate::stages::load::json(&folder.join("truth.json"))?;
    let matrix = serde_json::from_value(truth["ct_from_gold"].clone()).ok().and_then(Rigid::from_rows);
    let gold = gold.moved(&matrix.ok_or_else(|| Fault::unfit("truth.json holds no transform"))?);
    // The figure's lower row is for a prediction: there is none here.
    let seen =
        surfaces(&gold, &Mesh::default(), &SurfaceOptions { gold: "true bone".to_owned(), ..Default::default() });
    let rows = seen.height / 2;
    let (width, height) = (slices.width.max(seen.width), slices.height + rows);
    let mut picture = Picture { width, height, rgb: vec![255; 3 * width * height] };
    for (from, wide, top, count) in
        [(&slices.rgb, slices.width, 0, slices.height), (&seen.rgb, seen.width, slices.height, rows)]
    {
        for (y, row) in from.chunks_exact(3 * wide).take(count).enumerate() {
            let start = 3 * width * (top + y);
            picture.rgb[start..start + row.len()].copy_from_slice(row);
        }
    }
    let wanted = folder.join("preview.png");
    whole(&wanted, |part| std::fs::write(part, picture.to_png()).map_err(|error| Fault::file("write", &wanted, &error)))
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Fault::file("create the folder", folder, &error))
}

/// Makes way for a folder output of an earlier call.
fn replace_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::file("replace the folder", folder, &error))
        }
        _ => Ok(()),
    }
}

/// Lists every case that stands in the folder, also from earlier calls.
fn write_manifest(folder: &Path) -> Result<()> {
    let mut ids: Vec<u32> = std::fs::read_dir(folder)
        .map_err(|error| Fault::file("read the folder", folder, &error))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix('p')?.parse().ok())
        .filter(|number| folder.join(format!("p{number:02}")).join("truth.json").exists())
        .collect();
    ids.sort_unstable();
    let mut text = String::from(
        "# Simulated cases. The models stand in frames of their own: `calvaria align` brings them to the scans.\nmanifest: 1\nroot: .\ncases:\n",
    );
    for number in ids {
        let id = format!("p{number:02}");
        let split = if number <= TRAINING_CASES { "train" } else { "test" };
        text.push_str(&format!(
            "  {id}:\n    split: {split}\n    ct: {{ path: {id}/ct }}\n    gold: {{ path: {id}/gold.stl }}\n    label: {{ path: {id}/label.nii.gz }}\n    defect: {{ path: {id}/defect.stl }}\n"
        ));
    }
    let wanted = folder.join("manifest.yaml");
    whole(&wanted, |part| std::fs::write(part, &text).map_err(|error| Fault::file("write", &wanted, &error)))
}
