//! `calvaria compare`: measure a prediction against the gold standard.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Context, alone::Alone, info, out, set};
use crate::{
    fault::{Fault, Result},
    io,
    pipeline::stage::Artifact,
    stages::{Compare, load},
};

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Predicted label
    #[arg(long, value_name = "LABEL")]
    pred_label: Option<PathBuf>,
    /// Predicted mesh
    #[arg(long, value_name = "MESH")]
    pred_mesh: Option<PathBuf>,
    /// Gold label
    #[arg(long, value_name = "LABEL")]
    gold_label: Option<PathBuf>,
    /// Gold mesh
    #[arg(long, value_name = "MESH")]
    gold_mesh: Option<PathBuf>,
    /// Predicted label or mesh, by kind of file
    #[arg(long, value_name = "FILE")]
    pred: Option<PathBuf>,
    /// Gold label or mesh, by kind of file
    #[arg(long, value_name = "FILE")]
    gold: Option<PathBuf>,
    /// The defect: a closed mesh, or a ball `x,y,z,radius` in LPS mm, or `auto`
    #[arg(long, value_name = "MESH|x,y,z,radius|auto", allow_hyphen_values = true)]
    defect: Option<String>,
    /// How near is near the defect, mm
    #[arg(long, value_name = "MM", default_value_t = 10.0)]
    near_mm: f64,
    /// The scan: surfaces near its metal get columns of their own
    #[arg(long, value_name = "SCAN")]
    ct: Option<PathBuf>,
    /// Surfaces near bone that is thinner than this get columns of their own, mm
    #[arg(long, value_name = "MM")]
    thin_mm: Option<f64>,
    /// Write the predicted mesh with its signed distance to the gold mesh, and a colour, at each vertex
    #[arg(long, value_name = "PLY")]
    deviation: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<()> {
    let pred_label = pick("--pred", &args.pred, &args.pred_label, false)?;
    let pred_mesh = pick("--pred", &args.pred, &args.pred_mesh, true)?;
    let gold_label = pick("--gold", &args.gold, &args.gold_label, false)?;
    let gold_mesh = pick("--gold", &args.gold, &args.gold_mesh, true)?;
    let halves = [(pred_label.is_some(), gold_label.is_some()), (pred_mesh.is_some(), gold_mesh.is_some())];
    if !halves.contains(&(true, true)) {
        return Err(Fault::usage("there is nothing to compare").hint(
            "give two labels (`--pred-label`, `--gold-label`), two meshes (`--pred-mesh`, `--gold-mesh`), or both",
        ));
    }
    if let Some(path) = &args.deviation {
        if halves[1] != (true, true) {
            return Err(Fault::usage("`--deviation` needs both meshes (`--pred-mesh`, `--gold-mesh`)"));
        }
        if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("ply")) {
            return Err(Fault::usage("`--deviation` writes a .ply file").at(path.display()));
        }
    }
    let mut overrides =
        vec![format!("near_mm=[{:?}]", args.near_mm), format!("deviation={}", args.deviation.is_some())];
    let places = [args.ct.as_ref().map(|_| "metal"), args.thin_mm.map(|_| "thin-bone")];
    overrides.push(format!("places=[{}]", places.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    overrides.extend(args.thin_mm.map(|mm| format!("thin_mm={mm:?}")));
    let mut comparison = Alone::new()
        .maybe("ct", "ct", args.ct.as_deref())?
        .maybe("pred_label", "label", pred_label)?
        .maybe("pred_mesh", "mesh", pred_mesh)?
        .maybe("gold_label", "label", gold_label)?
        .maybe("gold_mesh", "mesh", gold_mesh)?;
    match args.defect.as_deref() {
        None => {}
        Some("auto") => overrides.push("auto_defect=true".to_owned()),
        Some(text) => comparison = comparison.artifact("defect", defect(text)?),
    }
    let params = set::params::<Compare>(&overrides)?;
    let beside = args.deviation.clone().unwrap_or_else(|| std::env::temp_dir().join("row"));
    let outputs = comparison.run::<Compare>(&params, &beside, context)?;
    let row: Value = load::json(outputs.path("row")?)?;
    if let Some(wanted) = &args.deviation {
        outputs.as_is("deviation", wanted)?;
    }
    if context.global.json { out::json(&row) } else { out::line(info::lines(&row)) }
}

/// The file of one half: the long option, or the short one when its file is of the right kind.
fn pick<'a>(
    option: &str,
    short: &'a Option<PathBuf>,
    long: &'a Option<PathBuf>,
    mesh: bool,
) -> Result<Option<&'a Path>> {
    let short = short.as_deref().filter(|path| io::mesh::is_mesh_name(path) == mesh);
    if short.is_some() && long.is_some() {
        return Err(Fault::usage(format!(
            "`{option}` and its long form both name a {}",
            if mesh { "mesh" } else { "label" }
        )));
    }
    Ok(long.as_deref().or(short))
}

fn defect(text: &str) -> Result<Artifact> {
    let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let kind = "solid".to_owned();
    if let [x, y, z, radius] = numbers[..] {
        let mut options = Map::new();
        options.insert("centre_mm".into(), Value::from(vec![x, y, z]));
        options.insert("radius_mm".into(), Value::from(radius));
        return Ok(Artifact { kind, options, ..Artifact::default() });
    }
    let path = PathBuf::from(text);
    if !path.exists() {
        return Err(Fault::usage("no such defect mesh")
            .at(path.display())
            .hint("`--defect` takes a mesh file, a ball `x,y,z,radius` in LPS mm, or `auto`"));
    }
    Ok(Artifact { kind, path: Some(path), ..Artifact::default() })
}
