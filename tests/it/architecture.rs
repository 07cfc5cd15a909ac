//! Holds the module table in `src/lib.rs` true: arrows between modules only go down, and every file says what it is for.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Rank by module; a module may use modules of lower rank only.
const RANKS: &[(&str, u32)] = &[
    ("fault", 0),
    ("space", 0),
    ("numeric", 0),
    ("volume", 1),
    ("mesh", 1),
    ("pipeline", 1),
    ("geometry", 2),
    ("manifest", 2),
    ("io", 3),
    ("metrics", 3),
    ("model", 3),
    ("phantom", 3),
    ("baselines", 3),
    ("report", 4),
    ("stages", 5),
    ("cli", 6),
];

/// The one arrow within a rank: every fault is made of words, and a grid must be able to refuse.
const WITHIN_RANK_0: &[(&str, &str)] = &[("space", "fault")];

fn rank(module: &str) -> Option<u32> {
    RANKS.iter().find(|(name, _)| *name == module).map(|&(_, rank)| rank)
}

fn sources() -> Vec<PathBuf> {
    rust_files("src")
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs"))
        .collect();
    files.sort();
    files
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Modules named after `crate::`, also inside `use crate::{a::…, b::…}` over several lines.
fn modules_used(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            used.extend(heads_of_group(group));
        } else {
            used.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    used
}

/// First path segment of each member at the outermost level of a brace group.
fn heads_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut word) = (0, Vec::new(), String::new());
    let mut in_head = true;
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(std::mem::take(&mut word));
                in_head = true;
            }
            ':' if depth == 0 => in_head = false,
            c if depth == 0 && in_head && (c.is_alphanumeric() || c == '_') => word.push(c),
            _ => {}
        }
    }
    heads.push(word);
    heads.into_iter().filter(|head| !head.is_empty()).collect()
}

#[test]
fn arrows_only_go_down() {
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for path in sources() {
        let from = module_of(&path);
        let Some(from_rank) = rank(&from) else {
            assert!(from == "lib" || from == "main", "{} belongs to no module of the table", path.display());
            continue;
        };
        for to in modules_used(&fs::read_to_string(&path).unwrap()) {
            let Some(to_rank) = rank(&to) else { continue };
            arrows += 1;
            let inside = to == from || WITHIN_RANK_0.contains(&(from.as_str(), to.as_str()));
            if !inside && to_rank >= from_rank {
                wrong.push(format!("{}: {from} (rank {from_rank}) uses {to} (rank {to_rank})", path.display()));
            }
        }
    }
    assert!(arrows > 100, "the test reads `use` lines: it found only {arrows}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    for path in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with `//!`", path.display());
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines: more than one concept", path.display());
    }
}

#[test]
fn only_model_knows_burn_and_only_report_knows_polars() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let module = module_of(&path);
        let names = |krate: &str| text.contains(&format!("use {krate}::")) || text.contains(&format!(" {krate}::"));
        assert!(module == "model" || !names("burn"), "{} names burn", path.display());
        assert!(module == "report" || !names("polars"), "{} names polars", path.display());
    }
}

#[test]
fn the_reader_of_use_lines_reads_them() {
    let text = "use crate::{\n    fault::{Fault, Result},\n    io::image::{self, ImageOptions},\n    space::DVec3,\n};\nuse crate::mesh::Mesh;\n// crate::cli\n";
    assert_eq!(modules_used(text), ["fault", "io", "space", "mesh"]);
}
