//! The harder cohort through its stages: frames, headers, and a craniotomy whose model `align` brings back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use calvaria::{
    io::mesh::{self, MeshOptions},
    mesh::Mesh,
    numeric::Seed,
    pipeline::stage::{Artifact, Job, Op, Silent},
    stages,
};
use serde_json::{Value, json};

/// Runs a stage into `folder/<name>` and returns its outputs.
fn run(
    folder: &Path,
    name: &str,
    op: &str,
    params: &Value,
    inputs: &[(&str, &str, &Path)],
) -> BTreeMap<String, PathBuf> {
    let op: &dyn Op = stages::find(op).unwrap();
    let place = folder.join(name);
    fs::create_dir_all(place.join("scratch")).unwrap();
    let outputs: BTreeMap<_, _> =
        op.outputs().iter().map(|port| (port.name.to_owned(), place.join(port.file.trim_end_matches('/')))).collect();
    let artifact = |kind: &str, path: &Path| Artifact {
        item: "p01".to_owned(),
        case: Some("p01".to_owned()),
        kind: kind.to_owned(),
        path: Some(path.to_owned()),
        ..Artifact::default()
    };
    let job = Job {
        inputs: inputs.iter().map(|&(port, kind, path)| (port.to_owned(), vec![artifact(kind, path)])).collect(),
        outputs: outputs.clone(),
        case: Some("p01".to_owned()),
        seed: Seed::derive(1, op.name(), "p01", 0),
        scratch: place.join("scratch"),
        device: "cpu".to_owned(),
        progress: &Silent,
    };
    op.run(&op.resolve(params).unwrap(), &job).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    outputs
}

fn gold(outputs: &BTreeMap<String, PathBuf>) -> Mesh {
    mesh::read(&outputs["gold"], &MeshOptions::default()).unwrap().mesh
}

#[test]
fn a_model_in_ras_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let params =
        |frame: &str| json!({ "size": [24, 24, 10], "spacing_mm": [8.0, 8.0, 16.0], "gold_mm": 5.0, "frame": frame });
    let lps = run(folder.path(), "lps", "phantom", &params("lps"), &[]);
    let ras = run(folder.path(), "ras", "phantom", &params("ras"), &[]);
    assert_ne!(fs::read(&lps["gold"]).unwrap(), fs::read(&ras["gold"]).unwrap());
    assert!(fs::read(&ras["gold"]).unwrap().starts_with(b"Calvaria. SPACE=RAS"));
    assert_eq!(gold(&lps), gold(&ras));
}

#[test]
fn a_projected_scan_has_an_honest_header() {
    let folder = tempfile::tempdir().unwrap();
    let params = json!({
        "size": [24, 24, 8], "spacing_mm": [8.0, 8.0, 20.0], "gold_mm": 5.0, "scanner": "projected", "machine": "sparing",
        "kernel": "bone", "thickness_mm": 2.5, "tilt_deg": 6.0,
    });
    let made = run(folder.path(), "phantom", "phantom", &params, &[]);
    let slice = fs::read(made["ct"].join("slice-0001.dcm")).unwrap();
    let holds = |text: &[u8]| slice.windows(text.len()).any(|window| window == text);
    assert!(holds(b"BONE") && holds(b"100") && holds(b"2.5"), "kernel, voltage and thickness are told");
    let ct = calvaria::io::image::read(&made["ct"], &calvaria::io::image::ImageOptions::default()).unwrap().volume;
    assert_eq!(ct.grid.size, [24, 24, 8]);
    assert!(ct.grid.direction.z_axis.y.abs() > 1e-3, "the slices are turned, and say so");
}

#[test]
fn align_brings_the_model_of_a_craniotomy_back() {
    let folder = tempfile::tempdir().unwrap();
    let size = json!({ "size": [64, 64, 24], "spacing_mm": [3.0, 3.0, 7.0], "gold_mm": 4.0, "anatomy": "detailed" });
    let head = run(folder.path(), "head", "phantom", &size, &[]);
    let wish = json!({ "site": "occipital", "extent_mm": [50, 40], "kerf_mm": 0, "frame": "ras" });
    let cut = run(
        folder.path(),
        "cut",
        "craniotomy",
        &wish,
        &[("ct", "ct", &head["ct"]), ("label", "label", &head["label"])],
    );
    let loose = json!({ "accept": { "median_mm": 3.0, "inlier_share": 0.3 } });
    let back =
        run(folder.path(), "align", "align", &loose, &[("ct", "ct", &cut["ct"]), ("mesh", "mesh", &cut["gold"])]);
    let matrix = |path: &Path, key: &str| -> Vec<f64> {
        let json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        json[key]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|v| v.as_f64().unwrap())
            .collect()
    };
    let (found, truth) = (matrix(&back["transform"], "matrix"), matrix(&cut["truth"], "ct_from_gold"));
    let model = gold(&cut);
    let apply = |m: &[f64], v: &[f64; 3]| {
        [0, 1, 2].map(|row| (0..3).map(|i| m[4 * row + i] * v[i]).sum::<f64>() + m[4 * row + 3])
    };
    let off = |v: [f64; 3]| {
        let (a, b) = (apply(&found, &v), apply(&truth, &v));
        (0..3).map(|i| (a[i] - b[i]) * (a[i] - b[i])).sum::<f64>().sqrt()
    };
    let worst = model.vertices.iter().step_by(50).map(|v| off(v.to_array())).fold(0.0, f64::max);
    println!("the model is back within {worst:.2} mm");
    assert!(worst < 3.0, "off by {worst} mm");
}
