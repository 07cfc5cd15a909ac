//! The version guard: every built-in stage runs on a tiny case, and its bytes must be those on record for its version.
//!
//! When a digest changes on purpose, raise the stage's `VERSION`, say so in the changelog, and write the new digests with
//! `CALVARIA_BLESS=1 cargo test --release golden`. The digests are one list for all machines: that is the claim.

use std::{collections::BTreeMap, fs, path::Path};

use calvaria::{
    numeric::Seed,
    pipeline::stage::{Artifact, Job, Op, Silent},
    stages,
};
use serde_json::{Value, json};

/// Where the digests stand: `stage version output blake3`.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden.txt");

/// Runs a stage into `folder/<name>` and returns its outputs as artifacts.
fn run(
    folder: &Path,
    name: &str,
    op: &str,
    params: &Value,
    inputs: &[(&str, &[&Artifact])],
) -> BTreeMap<String, Artifact> {
    let op: &dyn Op = stages::find(op).unwrap();
    let place = folder.join(name);
    fs::create_dir_all(place.join("scratch")).unwrap();
    let outputs: BTreeMap<_, _> =
        op.outputs().iter().map(|port| (port.name.to_owned(), place.join(port.file.trim_end_matches('/')))).collect();
    let inputs =
        inputs.iter().map(|(port, list)| ((*port).to_owned(), list.iter().map(|a| (*a).clone()).collect())).collect();
    let job = Job {
        inputs,
        outputs,
        case: Some("p01".to_owned()),
        seed: Seed::derive(1, op.name(), "p01", 0),
        scratch: place.join("scratch"),
        device: "cpu".to_owned(),
        progress: &Silent,
    };
    let params = op.resolve(params).unwrap_or_else(|fault| panic!("{name}: {}", fault.why));
    op.run(&params, &job).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let ports = op.outputs().iter();
    ports
        .filter(|port| job.outputs[port.name].exists())
        .map(|port| {
            let artifact = Artifact {
                item: "p01".to_owned(),
                case: Some("p01".to_owned()),
                axes: BTreeMap::from([("method".to_owned(), "msdnet".to_owned())]),
                kind: port.kind.to_owned(),
                path: Some(job.outputs[port.name].clone()),
                ..Artifact::default()
            };
            (port.name.to_owned(), artifact)
        })
        .collect()
}

/// blake3 over the sorted files of an output, names and contents.
fn digest(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            hasher.update(entry.path().strip_prefix(path).unwrap().as_os_str().as_encoded_bytes());
            hasher.update(&fs::read(entry.path()).unwrap());
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The whole chain on one small head.
fn outputs_of_every_stage(folder: &Path) -> BTreeMap<&'static str, BTreeMap<String, Artifact>> {
    let mut all = BTreeMap::new();
    let size = json!({ "size": [40, 40, 16], "spacing_mm": [5.0, 5.0, 10.0], "gold_mm": 4.0 });
    let phantom = run(folder, "phantom", "phantom", &size, &[]);
    let (ct, gold) = (&phantom["ct"], &phantom["gold"]);
    let site = json!({ "site": "parietal", "extent_mm": [60, 50], "kerf_mm": 0 });
    let craniotomy = run(folder, "craniotomy", "craniotomy", &site, &[("ct", &[ct])]);
    let displace = run(folder, "displace", "displace", &json!({ "rotation_deg": [10, 0, 5] }), &[("mesh", &[gold])]);
    let loose = json!({ "accept": { "median_mm": 5.0, "inlier_share": 0.1 } });
    let align =
        run(folder, "align", "align", &loose, &[("ct", &[ct]), ("mesh", &[gold]), ("defect", &[&phantom["defect"]])]);
    let voxelize = run(folder, "voxelize", "voxelize", &json!({}), &[("mesh", &[&align["mesh"]]), ("like", &[ct])]);
    let label = &voxelize["label"];
    let resample = run(folder, "resample", "resample", &json!({ "spacing_mm": 6.0 }), &[("ct", &[ct])]);
    let tiny = json!({ "depth": 4, "epochs": 2 });
    let train = run(folder, "train", "train", &tiny, &[("ct", &[ct]), ("label", &[label])]);
    let both = json!({ "probability": true });
    let infer = run(folder, "infer", "infer", &both, &[("model", &[&train["model"]]), ("ct", &[ct])]);
    let fit = run(folder, "fit", "fit-threshold", &json!({}), &[("ct", &[ct]), ("label", &[label])]);
    let threshold = run(folder, "threshold", "threshold", &json!({}), &[("ct", &[ct]), ("fit", &[&fit["fit"]])]);
    let surface = run(folder, "surface", "surface", &json!({}), &[("volume", &[&threshold["label"]])]);
    let compare = run(
        folder,
        "compare",
        "compare",
        &json!({}),
        &[
            ("pred_label", &[&threshold["label"]]),
            ("pred_mesh", &[&surface["mesh"]]),
            ("gold_label", &[label]),
            ("gold_mesh", &[&align["mesh"]]),
            ("defect", &[&align["defect"]]),
            ("align", &[&align["transform"]]),
        ],
    );
    let table = run(folder, "table", "table", &json!({ "beside": "paper" }), &[("rows", &[&compare["row"]])]);
    let figure = run(
        folder,
        "figure",
        "figure",
        &json!({}),
        &[
            ("ct", &[ct]),
            ("gold_label", &[label]),
            ("pred_label", &[&threshold["label"]]),
            ("gold_mesh", &[&align["mesh"]]),
            ("defect", &[&align["defect"]]),
        ],
    );
    for (op, made) in [
        ("phantom", phantom),
        ("craniotomy", craniotomy),
        ("displace", displace),
        ("align", align),
        ("voxelize", voxelize),
        ("resample", resample),
        ("train", train),
        ("infer", infer),
        ("fit-threshold", fit),
        ("threshold", threshold),
        ("surface", surface),
        ("compare", compare),
        ("table", table),
        ("figure", figure),
    ] {
        all.insert(op, made);
    }
    all
}

#[test]
fn golden_digests_hold_for_every_stage() {
    let folder = tempfile::tempdir().unwrap();
    let made = outputs_of_every_stage(folder.path());
    // The bytes of a command are its program's.
    for op in stages::OPS.iter().filter(|op| op.name() != "command") {
        assert!(made.contains_key(op.name()), "`{}` has no golden digest", op.name());
    }
    let mut lines = Vec::new();
    for (name, outputs) in &made {
        let version = stages::find(name).unwrap().version();
        for (port, artifact) in outputs {
            lines.push(format!("{name} {version} {port} {}\n", digest(artifact.path.as_ref().unwrap())));
        }
    }
    let found = lines.concat();
    if std::env::var_os("CALVARIA_BLESS").is_some() {
        fs::write(GOLDEN, &found).unwrap();
        return;
    }
    let recorded = fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(complaint(&recorded, &found), None);
}

/// Says what is wrong with digests that are not those on record; none when they are.
fn complaint(recorded: &str, found: &str) -> Option<String> {
    if recorded == found {
        return None;
    }
    // (stage, port) -> (version, digest)
    let read = |text: &str| -> BTreeMap<(String, String), (String, String)> {
        let words = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        words.map(|w| ((w[0].clone(), w[2].clone()), (w[1].clone(), w[3].clone()))).collect()
    };
    let (before, now) = (read(recorded), read(found));
    let same_version = now.iter().filter(|(port, (version, digest))| {
        before.get(*port).is_some_and(|(old, bytes)| old == version && bytes != digest)
    });
    let stages: Vec<String> = same_version.map(|((stage, port), _)| format!("{stage}.{port}")).collect();
    Some(match stages.as_slice() {
        [] => "versions or ports changed: note it in the changelog, and bless the new digests".to_owned(),
        _ => format!("other bytes under the same version: {}: raise VERSION", stages.join(", ")),
    })
}

#[test]
fn acceptance_12_other_bytes_under_the_same_version_are_refused() {
    let recorded = fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(complaint(&recorded, &recorded), None);
    for line in recorded.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [stage, version, port, digest] = words[..] else { panic!("{line}") };
        let other = format!("{}{}", if digest.starts_with('0') { "1" } else { "0" }, &digest[1..]);
        let changed = recorded.replace(line, &format!("{stage} {version} {port} {other}"));
        let said = complaint(&recorded, &changed).unwrap();
        assert!(said.contains(&format!("{stage}.{port}")) && said.contains("raise VERSION"), "{said}");
        let raised = recorded.replace(line, &format!("{stage} 99 {port} {other}"));
        assert!(complaint(&recorded, &raised).unwrap().contains("bless"));
    }
}
