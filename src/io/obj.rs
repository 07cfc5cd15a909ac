//! Wavefront OBJ: `v` and `f` lines; materials, normals, textures and groups are skipped.

use std::{fmt::Write as _, path::Path};

use super::{
    file,
    mesh::{Parsed, fan, finite, stated_frame},
};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::DVec3,
};

/// Returns the mesh with the file's own coordinates.
///
/// # Errors
/// Unfit, with the line, when a number is missing or not finite, or an index points to no vertex.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let mut joined = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        // A backslash at its end continues a line on the next.
        let line = match line.trim_ascii_end().strip_suffix(b"\\") {
            Some(part) => {
                joined.extend_from_slice(part);
                joined.push(b' ');
                continue;
            }
            None => [std::mem::take(&mut joined).as_slice(), line].concat(),
        };
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_ascii_whitespace();
        let read = match words.next() {
            Some("v") => vertex(words).map(|p| parsed.mesh.vertices.push(p)),
            Some("f") => face(words, &mut parsed.mesh),
            Some(word) if word.starts_with('#') => {
                parsed.frame = parsed.frame.or(stated_frame(line.as_bytes()));
                Ok(())
            }
            _ => Ok(()),
        };
        read.map_err(|fault| fault.at(format!("line {}", index + 1)))?;
    }
    if !joined.is_empty() {
        return Err(Fault::unfit("the last line goes on after the end of the file")
            .hint("the file is truncated: export it again"));
    }
    Ok(parsed)
}

fn vertex<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<DVec3> {
    let mut next = || words.next().and_then(|word| word.parse::<f64>().ok());
    match (next(), next(), next()) {
        (Some(x), Some(y), Some(z)) => finite(DVec3::new(x, y, z), || "an OBJ vertex".to_owned()),
        _ => Err(Fault::unfit("a vertex needs three numbers")),
    }
}

/// A corner is `v`, `v/t`, `v//n` or `v/t/n`; indices count from 1, or back from the last vertex when negative.
fn face<'a>(words: impl Iterator<Item = &'a str>, mesh: &mut Mesh) -> Result<()> {
    let count = mesh.vertices.len() as i64;
    let corners = words
        .map(|word| {
            let number: i64 = word.split('/').next().and_then(|v| v.parse().ok()).unwrap_or(0);
            let index = if number < 0 { count.saturating_add(number) } else { number - 1 };
            let valid = (0..count).contains(&index) && u32::try_from(index).is_ok();
            if valid { Ok(index as u32) } else { Err(Fault::unfit("a face points to a vertex that does not exist")) }
        })
        .collect::<Result<Vec<u32>>>()?;
    if corners.len() < 3 {
        return Err(Fault::unfit(format!("a face has {} corners, three are needed", corners.len())));
    }
    fan(&corners, &mut mesh.triangles);
    Ok(())
}

/// Writes `v` and `f` lines, LPS mm, every coordinate with as many digits as it needs.
///
/// # Errors
/// Unfit when writing fails.
pub(super) fn write(path: &Path, mesh: &Mesh) -> Result<()> {
    let mut text = String::from("# SPACE=LPS\n");
    // Writing to a String cannot fail.
    for p in &mesh.vertices {
        let _infallible = writeln!(text, "v {} {} {}", p.x + 0.0, p.y + 0.0, p.z + 0.0);
    }
    for [a, b, c] in &mesh.triangles {
        let _infallible = writeln!(text, "f {} {} {}", u64::from(*a) + 1, u64::from(*b) + 1, u64::from(*c) + 1);
    }
    file::write(path, &[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_index_are_understood() {
        let text = "# made by hand\nv 0 0 0\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1/1 2//1 3/1/1 4\nf -4 -3 \\\r\n -2\n";
        let mesh = parse(text.as_bytes()).unwrap().mesh;
        assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 3], [0, 1, 2]]);
    }

    #[test]
    fn faults_have_lines() {
        let fault = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert!(fault("v 0 0 0\nf 1 2 3\n").place.unwrap().contains("line 2"));
        assert!(fault("v 0 nan 0\n").what.contains("not finite"));
        assert!(fault("v 0 0\n").what.contains("three numbers"));
        assert!(fault("v 0 0 0\nf 1 1\n").what.contains("2 corners"));
        assert!(fault("v 0 0 0\nf 0 1 1\n").what.contains("does not exist"));
    }
}
