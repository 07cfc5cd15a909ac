//! The numbers of one file as JSON: the keys of `calvaria info`, which scripts rely on.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    image::{self, Image, ImageOptions},
    mesh::{self, MeshFile, MeshOptions},
    sniff::sniff,
};
use crate::{fault::Result, mesh::check, numeric::tree_sum, space::DVec3};

/// Returns what `info` prints for an image or a mesh, by content.
///
/// # Errors
/// As reading it.
pub fn info(path: &Path) -> Result<Value> {
    if sniff(path)?.is_mesh() { mesh_info(path) } else { image_info(path) }
}

/// Returns what `info` prints for an image: geometry, type, and statistics of the values after rescaling.
///
/// # Errors
/// As [`image::read`].
pub fn image_info(path: &Path) -> Result<Value> {
    image_info_with(path, &ImageOptions::default())
}

/// Returns the same for an image read in a certain way.
///
/// # Errors
/// As [`image::read`].
pub fn image_info_with(path: &Path, options: &ImageOptions) -> Result<Value> {
    Ok(image_value(&image::read(path, options)?))
}

fn image_value(image: &Image) -> Value {
    let grid = &image.volume.grid;
    let values: Vec<f64> = image.volume.data.iter().map(|&v| f64::from(v)).collect();
    let (low, high) = image::range(&image.volume.data);
    let rows = grid.direction.transpose();
    json!({
        "kind": "volume",
        "size": grid.size,
        "spacing_mm": plain(grid.spacing_mm),
        "origin_mm": plain(grid.origin_mm),
        // `transpose` turns columns to rows: the nine numbers are row-major.
        "direction": rows.to_cols_array().map(|v| v + 0.0),
        "dtype": image.dtype,
        "min": low,
        "max": high,
        "mean": tree_sum(&values) / values.len() as f64,
        "notes": image.notes,
    })
}

/// Returns what `info` prints for a mesh: counts, topology, bounds, area, volume.
///
/// # Errors
/// As [`mesh::read`].
pub fn mesh_info(path: &Path) -> Result<Value> {
    let MeshFile { mesh, notes } = mesh::read(path, &MeshOptions::default())?;
    let report = check::check(&mesh);
    let bounds = mesh.bounds_mm().map(|(low, high)| [plain(low), plain(high)]);
    Ok(json!({
        "kind": "mesh",
        "vertices": report.vertices,
        "triangles": report.triangles,
        "components": report.components,
        "closed": report.closed,
        "oriented": report.oriented,
        "manifold": report.manifold,
        "bounds_mm": bounds,
        "area_mm2": report.area_mm2,
        "volume_mm3": report.volume_mm3,
        "notes": notes,
    }))
}

/// Returns the numbers with -0 made plain.
fn plain(v: DVec3) -> [f64; 3] {
    (v + 0.0).to_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        space::{DMat3, Grid},
        volume::Volume,
    };

    #[test]
    fn direction_is_row_major_and_the_mean_is_exact() {
        let turn = DMat3::from_cols(DVec3::Y, -DVec3::X, DVec3::Z);
        let grid = Grid::new([2, 2, 1], DVec3::ZERO, DVec3::ONE, turn).unwrap();
        let volume = Volume::new(grid, vec![1.0, 2.0, 3.0, 6.0]).unwrap();
        let value = image_value(&Image { volume, dtype: "int16".to_owned(), notes: Vec::new() });
        assert_eq!(value["direction"], json!([0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]));
        assert_eq!((value["mean"].as_f64(), value["kind"].as_str()), (Some(3.0), Some("volume")));
        assert_eq!(value["size"], json!([2, 2, 1]));
    }
}
