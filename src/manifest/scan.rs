//! `manifest scan`: from the scans and meshes found below a folder to the text of a manifest.
//!
//! Pure: whoever calls has found and hashed the files. Ids are made, never taken from names; no name, UID or date is
//! written, only paths below the root.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::parse::is_id;
use crate::fault::{Fault, Result};

/// A scan that was found: a series in a folder, or a volume file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundScan {
    /// Path below the root, with `/`.
    pub path: String,
    /// Number of the series, where the folder holds DICOM.
    pub series: Option<u64>,
    /// Number of files of the series.
    pub files: Option<u64>,
    /// blake3 in hex.
    pub digest: String,
}

/// A mesh that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundMesh {
    /// Path below the root, with `/`.
    pub path: String,
    /// blake3 in hex.
    pub digest: String,
}

/// A scan with its gold model, and other meshes that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The scan.
    pub ct: FoundScan,
    /// The one mesh that can be its gold model.
    pub gold: Option<FoundMesh>,
    /// Other meshes beside it: defects, implants, or too many to choose from.
    pub others: Vec<FoundMesh>,
}

/// A folder of DICOM files, or an image, that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Path below the root, with `/`.
    pub path: String,
    /// What is wrong, on one line.
    pub why: String,
}

/// All scans with their meshes, the meshes that belong to none or to several, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Sorted by path and series.
    pub cases: Vec<Found>,
    /// Meshes left over.
    pub left: Vec<FoundMesh>,
    /// What was left out.
    pub unread: Vec<Unread>,
}

/// Words in file names of meshes that are not the gold model of a skull.
const NOT_GOLD: &[&str] = &["defect", "implant", "missing", "hole", "flap"];
/// Digits of a digest in the text.
const DIGITS: usize = 16;

/// Pairs scans with meshes by folder: a mesh belongs to the only scan below the nearest folder above it that holds any.
/// Of several meshes of one scan, the gold is the only one whose name does not speak of a defect or an implant.
#[must_use]
pub fn pair(mut scans: Vec<FoundScan>, mut meshes: Vec<FoundMesh>) -> Pairing {
    scans.sort_by(|a, b| (&a.path, a.series).cmp(&(&b.path, b.series)));
    meshes.sort_by(|a, b| a.path.cmp(&b.path));
    let below = scans_below(&scans);
    let mut of_scan: Vec<Vec<FoundMesh>> = vec![Vec::new(); scans.len()];
    let mut left = Vec::new();
    for mesh in meshes {
        let nearest = Path::new(&mesh.path).ancestors().skip(1).find_map(|folder| below.get(folder));
        match nearest.map(|indices| largest_of_one_path(&scans, indices)) {
            Some(Some(scan)) => of_scan[scan].push(mesh),
            _ => left.push(mesh),
        }
    }
    let cases = scans.into_iter().zip(of_scan).map(|(ct, meshes)| {
        let (mut likely, mut others): (Vec<_>, Vec<_>) = meshes.into_iter().partition(|mesh| may_be_gold(&mesh.path));
        let gold = if likely.len() == 1 { likely.pop() } else { None };
        others.append(&mut likely);
        Found { ct, gold, others }
    });
    Pairing { cases: cases.collect(), left, unread: Vec::new() }
}

/// Returns, for each folder, the scans in it or below it.
fn scans_below(scans: &[FoundScan]) -> BTreeMap<PathBuf, Vec<usize>> {
    let mut below: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (index, scan) in scans.iter().enumerate() {
        for folder in Path::new(&scan.path).ancestors() {
            below.entry(folder.to_owned()).or_default().push(index);
        }
    }
    below
}

/// Returns the scan of a list that has one path: of several series in one folder, the one with the most files.
fn largest_of_one_path(scans: &[FoundScan], indices: &[usize]) -> Option<usize> {
    let first = *indices.first()?;
    if indices.iter().any(|&index| scans[index].path != scans[first].path) {
        return None;
    }
    indices.iter().copied().max_by_key(|&index| (scans[index].files, std::cmp::Reverse(index)))
}

fn may_be_gold(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    !NOT_GOLD.iter().any(|word| name.contains(word))
}

/// Returns the text of a manifest with ids `<prefix>01`, `<prefix>02`, …, every case excluded until a person has given it
/// a split. `root` is the folder of the scans relative to where the text will lie.
///
/// # Errors
/// When the prefix cannot begin an id.
pub fn render(pairing: &Pairing, id_prefix: &str, root: &str) -> Result<String> {
    if !is_id(&format!("{id_prefix}1")) {
        let what = format!("`{}` cannot begin the id of a case", id_prefix.escape_debug());
        return Err(Fault::usage(what).at("--id-prefix").hint("lower-case letters, digits and `-`"));
    }
    let mut out = format!(
        "# Written by `calvaria manifest scan`. Give each case its split, and the defect where there is one:\n\
         #   defect: {{ path: FILE }}, or {{ centre_mm: [x, y, z], radius_mm: r, frame: ct }} in LPS mm of the scan.\n\
         manifest: 1\nroot: {}\ncases:\n",
        scalar(root)
    );
    let width = pairing.cases.len().to_string().len().max(2);
    for (number, found) in (1..).zip(&pairing.cases) {
        let _ = writeln!(out, "  {id_prefix}{number:0width$}:");
        let _ = writeln!(out, "    split: exclude          # train | validation | test | exclude");
        let _ = writeln!(out, "    ct: {}", scan_fields(&found.ct));
        match &found.gold {
            Some(gold) => drop(writeln!(out, "    gold: {}", mesh_fields(gold))),
            None => out.push_str("    # no gold model was found for this scan\n"),
        }
        for other in &found.others {
            let _ = writeln!(out, "    # also found: {}", mesh_fields(other));
        }
    }
    if !pairing.unread.is_empty() {
        out.push_str("# These could not be read, and so are left out:\n");
    }
    for unread in &pairing.unread {
        let _ = writeln!(out, "#   {}: {}", scalar(&unread.path), unread.why);
    }
    if !pairing.left.is_empty() {
        out.push_str("# Meshes that belong to no scan, or to several:\n");
    }
    for mesh in &pairing.left {
        let _ = writeln!(out, "#   {}", mesh_fields(mesh));
    }
    Ok(out)
}

fn scan_fields(scan: &FoundScan) -> String {
    let mut out = format!("{{ path: {}", scalar(&scan.path));
    for (key, value) in [("series", scan.series), ("files", scan.files)] {
        if let Some(value) = value {
            let _ = write!(out, ", {key}: {value}");
        }
    }
    let _ = write!(out, ", blake3: {} }}", shortened(&scan.digest));
    out
}

fn mesh_fields(mesh: &FoundMesh) -> String {
    format!("{{ path: {}, blake3: {} }}", scalar(&mesh.path), shortened(&mesh.digest))
}

/// Returns the first digits of a digest, quoted where they look like a number.
fn shortened(digest: &str) -> String {
    let short: String = digest.chars().take(DIGITS).collect();
    let like_number = !short.contains(['a', 'b', 'c', 'd', 'f']);
    if like_number { format!("\"{short}\"") } else { short }
}

/// Returns text as a YAML scalar: plain where that is safe, else in double quotes as JSON has them.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let word =
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && text.contains(['/', '.']);
    let upwards = text.starts_with("../") && text.chars().all(plain);
    if word || upwards { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
