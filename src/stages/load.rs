//! From an artifact to the thing itself. What the manifest says of a file (`series`, `frame`, `tilt`, …) travels with the
//! artifact as options, so every stage reads it the same way.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    fault::{Fault, Result},
    io::{
        image::{self, ImageOptions},
        mesh::{self, MeshOptions},
    },
    mesh::Mesh,
    metrics::defect::Solid,
    pipeline::stage::Artifact,
    space::{DVec3, Frame, Rigid},
    volume::Volume,
};

/// File in the folder of an aligned defect that is a mesh.
pub const SOLID_MESH: &str = "solid.ply";
/// File in the folder of an aligned defect that is a ball.
pub const SOLID_BALL: &str = "ball.json";

/// Returns the scan, intensity in HU.
///
/// # Errors
/// As [`image::read`].
pub fn ct(artifact: &Artifact) -> Result<Volume<f32>> {
    let options: ImageOptions = options(&artifact.options)?;
    Ok(image::read(path(artifact)?, &options)?.volume)
}

/// Returns the label, 0 or 1.
///
/// # Errors
/// As [`image::read_mask`].
pub fn label(artifact: &Artifact) -> Result<Volume<u8>> {
    image::read_mask(path(artifact)?)
}

/// Returns a label or probability as numbers.
///
/// # Errors
/// As [`image::read`].
pub fn values(artifact: &Artifact) -> Result<Volume<f32>> {
    Ok(image::read(path(artifact)?, &ImageOptions::default())?.volume)
}

/// Returns the mesh, LPS mm.
///
/// # Errors
/// As [`mesh::read`].
pub fn mesh(artifact: &Artifact) -> Result<Mesh> {
    let options: MeshOptions = options(&artifact.options)?;
    Ok(mesh::read(path(artifact)?, &options)?.mesh)
}

/// Returns the mesh of a prediction, LPS mm; one that found nothing has no triangles.
///
/// # Errors
/// As [`mesh::read`], but for the empty mesh.
pub fn predicted_mesh(artifact: &Artifact) -> Result<Mesh> {
    let options = MeshOptions { may_be_empty: true, ..options(&artifact.options)? };
    Ok(mesh::read(path(artifact)?, &options)?.mesh)
}

/// A ball-shaped defect, as the manifest writes it and as an aligned one is kept.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, serde::Serialize)]
pub struct Ball {
    /// Centre, mm, in the frame that `frame` names.
    pub centre_mm: DVec3,
    /// Radius, mm.
    pub radius_mm: f64,
}

/// Returns the defect and whether it already stands in the scan's world (`frame: ct`).
///
/// # Errors
/// When the file is unfit, or the numbers of a ball are not a ball.
pub fn solid(artifact: &Artifact) -> Result<(Solid, bool)> {
    let frame = artifact.options.get("frame").and_then(Value::as_str);
    let in_scan = frame == Some("ct");
    let mut rest = artifact.options.clone();
    if in_scan {
        rest.remove("frame");
    }
    let Some(path) = &artifact.path else {
        let ball: Ball = options(&without_frame(&rest))?;
        let to_lps = if frame == Some("RAS") { Frame::Ras } else { Frame::Lps };
        return Ok((ball_solid(Ball { centre_mm: to_lps.to_lps(ball.centre_mm), ..ball })?, in_scan));
    };
    if path.is_dir() {
        return Ok((kept_solid(path)?, true));
    }
    let options: MeshOptions = options(&rest)?;
    Ok((Solid::Mesh(mesh::read(path, &options)?.mesh), in_scan))
}

/// Returns a motion kept as JSON with a `matrix` key.
///
/// # Errors
/// When the file is not such JSON, or the matrix is not rigid.
pub fn rigid(path: &Path) -> Result<Rigid> {
    #[derive(Deserialize)]
    struct File {
        matrix: [[f64; 4]; 4],
    }
    let file: File = json(path)?;
    Rigid::from_rows(file.matrix).ok_or_else(|| {
        Fault::unfit("the matrix is not a rigid motion: its rotation part must be orthonormal with determinant +1")
            .at(path.display())
    })
}

/// Returns the contents of a JSON file.
///
/// # Errors
/// When the file cannot be read or has another shape.
pub fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|error| Fault::file("read the file", path, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| Fault::unfit(format!("not the expected JSON: {error}")).at(path.display()))
}

/// Returns the file or folder of an artifact.
///
/// # Errors
/// When the artifact is a value of the manifest alone.
pub fn path(artifact: &Artifact) -> Result<&Path> {
    artifact.path.as_deref().ok_or_else(|| Fault::unfit(format!("a {} with a file is needed here", artifact.kind)))
}

fn kept_solid(folder: &Path) -> Result<Solid> {
    let ball = folder.join(SOLID_BALL);
    if ball.exists() {
        return ball_solid(json(&ball)?);
    }
    Ok(Solid::Mesh(mesh::read(&folder.join(SOLID_MESH), &MeshOptions::default())?.mesh))
}

fn ball_solid(ball: Ball) -> Result<Solid> {
    if !(ball.centre_mm.is_finite() && ball.radius_mm.is_finite() && ball.radius_mm > 0.0) {
        return Err(Fault::usage(format!("a defect ball needs a positive radius, not {} mm", ball.radius_mm)));
    }
    Ok(Solid::Ball { centre_mm: ball.centre_mm, radius_mm: ball.radius_mm })
}

fn without_frame(options: &Map<String, Value>) -> Map<String, Value> {
    let mut rest = options.clone();
    rest.remove("frame");
    rest.remove("unit");
    rest
}

fn options<T: DeserializeOwned>(map: &Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(map.clone()))
        .map_err(|error| Fault::usage(format!("options of the file in the manifest: {error}")))
}
