//! STL, binary and ASCII. Corners at equal positions are welded to one vertex.
//!
//! Whether a file is binary is told by its length, 84 + 50 n, never by the word `solid`, with which binary headers of some
//! programs begin.

use std::path::Path;

use rayon::prelude::*;

use super::{
    file,
    mesh::{Parsed, finite, stated_frame},
    weld::weld,
};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::DVec3,
};

/// Bytes before the first triangle: 80 of header, 4 of count.
const PREFIX: usize = 84;
/// Bytes of a triangle: normal, three corners, attribute.
const TRIANGLE: usize = 50;

/// Returns the mesh with the file's own coordinates.
///
/// # Errors
/// Unfit when truncated (with the counts), or a corner is not finite (with triangle and byte offset).
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let declared = bytes.get(80..84).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize);
    let expected = declared.map(|count| PREFIX + TRIANGLE * count);
    if expected == Some(bytes.len()) {
        return binary(bytes);
    }
    let text = bytes.trim_ascii_start();
    if text.first_chunk::<5>().is_some_and(|word| word.eq_ignore_ascii_case(b"solid")) && looks_ascii(bytes) {
        return ascii(bytes);
    }
    match (declared, expected) {
        (Some(count), Some(expected)) if expected < bytes.len() => {
            let mut parsed = binary(&bytes[..expected])?;
            let more = bytes.len() - expected;
            parsed
                .notes
                .push(format!("{more} bytes follow the {count} triangles that the file declares; they are left out"));
            Ok(parsed)
        }
        (Some(count), Some(expected)) => Err(Fault::unfit(format!(
            "the file declares {count} triangles, which need {expected} bytes, and has {} bytes: {} whole triangles",
            bytes.len(),
            (bytes.len() - PREFIX) / TRIANGLE
        ))
        .hint("the file is truncated or is no STL: export it again")),
        _ => Err(Fault::unfit(format!("an STL file has at least {PREFIX} bytes, this one {}", bytes.len()))),
    }
}

/// ASCII files name their first facet within the first kilobyte or two, or end before it.
fn looks_ascii(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    let holds = |word: &[u8]| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    holds(b"facet") || holds(b"endsolid")
}

fn binary(bytes: &[u8]) -> Result<Parsed> {
    let (triangles, _) = bytes[PREFIX..].as_chunks::<TRIANGLE>();
    let corners: Vec<DVec3> =
        triangles.par_iter().flat_map_iter(|triangle| (0..3).map(|c| corner(triangle, c))).collect();
    if let Some(bad) = corners.iter().position(|p| !p.is_finite()) {
        let (triangle, offset) = (bad / 3, PREFIX + TRIANGLE * (bad / 3) + 12 * (bad % 3 + 1));
        finite(corners[bad], || format!("triangle {triangle} of {} (from 0), byte {offset}", triangles.len()))?;
    }
    let mesh = weld(&corners)?;
    Ok(Parsed { mesh, frame: stated_frame(&bytes[..80]), notes: Vec::new() })
}

fn corner(triangle: &[u8; TRIANGLE], number: usize) -> DVec3 {
    let float =
        |at: usize| f64::from(f32::from_le_bytes([triangle[at], triangle[at + 1], triangle[at + 2], triangle[at + 3]]));
    let at = 12 * (number + 1);
    DVec3::new(float(at), float(at + 4), float(at + 8))
}

fn ascii(bytes: &[u8]) -> Result<Parsed> {
    let mut corners = Vec::new();
    let (mut open, mut solids, mut ended, mut frame) = (0, 0, false, None);
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let place = || format!("line {}", index + 1);
        // Names of solids may hold bytes of any encoding; everything else is ASCII.
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        match words.next().map(str::to_ascii_lowercase).as_deref() {
            Some("vertex") => {
                corners.push(finite(vertex(words).map_err(|fault| fault.at(place()))?, place)?);
                open += 1;
            }
            Some("endloop") if open != 3 => {
                return Err(Fault::unfit(format!("a facet has {open} corners, not 3")).at(place()));
            }
            Some("endloop") => open = 0,
            Some("solid") => {
                solids += 1;
                frame = frame.or(stated_frame(line.as_bytes()));
            }
            Some("endsolid") => ended = true,
            Some("facet" | "outer" | "endfacet" | "end" | "color") | None => {}
            Some(_) => return Err(Fault::unfit("this line is not STL").at(place())),
        }
    }
    if open != 0 || !ended {
        return Err(Fault::unfit(format!("the file ends within a solid, after {} whole triangles", corners.len() / 3))
            .hint("the file is truncated: export it again"));
    }
    let notes = if solids > 1 {
        vec![format!("the file holds {solids} solids; they are read as one mesh")]
    } else {
        Vec::new()
    };
    Ok(Parsed { mesh: weld(&corners)?, frame, notes })
}

fn vertex<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<DVec3> {
    let mut next = || words.next().and_then(|word| word.parse::<f64>().ok());
    match (next(), next(), next()) {
        (Some(x), Some(y), Some(z)) => Ok(DVec3::new(x, y, z)),
        _ => Err(Fault::unfit("a vertex needs three numbers")),
    }
}

/// Writes binary STL with `SPACE=LPS` in the header. Positions are rounded to 32 bits.
///
/// # Errors
/// Unfit when there are more than 2^32 - 1 triangles or writing fails.
pub(super) fn write(path: &Path, mesh: &Mesh) -> Result<()> {
    let count = u32::try_from(mesh.triangles.len()).map_err(|_| {
        Fault::unfit(format!("an STL holds at most 2^32 - 1 triangles, the mesh has {}", mesh.triangles.len()))
    })?;
    let mut bytes = Vec::with_capacity(PREFIX + TRIANGLE * mesh.triangles.len());
    bytes.extend_from_slice(format!("{:<80}", "Calvaria. SPACE=LPS").as_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    for triangle in 0..mesh.triangles.len() {
        let [a, b, c] = mesh.corners(triangle);
        let normal = (b - a).cross(c - a).normalize_or_zero();
        for value in [normal, a, b, c].into_iter().flat_map(|p| p.to_array()) {
            bytes.extend_from_slice(&(value as f32 + 0.0).to_le_bytes());
        }
        bytes.extend_from_slice(&[0, 0]);
    }
    file::write(path, &[&bytes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Frame;

    /// One triangle in binary, with a header of choice.
    fn one(header: &str, x: f32) -> Vec<u8> {
        let mut bytes = format!("{header:<80}").into_bytes();
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        for value in [0.0, 0.0, 1.0, x, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0] {
            bytes.extend_from_slice(&f32::to_le_bytes(value));
        }
        bytes.extend_from_slice(&[0, 0]);
        bytes
    }

    #[test]
    fn a_binary_file_may_begin_with_solid() {
        let parsed = parse(&one("solid facet SPACE=RAS", 0.5)).unwrap();
        assert_eq!((parsed.mesh.triangles.len(), parsed.mesh.vertices[0].x), (1, 0.5));
        assert_eq!(parsed.frame, Some(Frame::Ras));
        assert_eq!(parse(&one("COLOR=abc", 0.5)).unwrap().frame, None);
    }

    #[test]
    fn broken_binary_files_are_refused_with_numbers() {
        let nan = parse(&one("x", f32::NAN)).unwrap_err().what;
        assert!(nan.contains("triangle 0") && nan.contains("byte 96"), "{nan}");
        let mut short = one("x", 0.0);
        short.truncate(120);
        assert!(parse(&short).unwrap_err().what.contains("0 whole triangles"));
        let mut many = one("x", 0.0);
        many[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(parse(&many).unwrap_err().what.contains("4294967295 triangles"));
        many[80..84].copy_from_slice(&0_u32.to_le_bytes());
        assert_eq!(parse(&many).unwrap().notes.len(), 1, "trailing bytes are noted");
        assert!(parse(b"solid").is_err() && parse(b"").is_err());
    }

    const ASCII: &str = "solid caf\u{e9} SPACE=LPS\n facet normal 0 0 1\n outer loop\n  vertex 0 0 0\n  vertex 1e1 0 0\n  \
                         VERTEX 0 1.5 0\n endloop\n endfacet\nendsolid\n";

    #[test]
    fn ascii_is_read_and_its_faults_have_lines() {
        let parsed = parse(ASCII.as_bytes()).unwrap();
        assert_eq!(parsed.mesh.vertices, [DVec3::ZERO, DVec3::X * 10.0, DVec3::Y * 1.5]);
        assert_eq!(parsed.frame, Some(Frame::Lps));
        let fault = |from: &str, to: &str| parse(ASCII.replace(from, to).as_bytes()).unwrap_err();
        assert!(fault("1.5", "x").place.unwrap().contains("line 6"));
        assert!(fault("1.5", "nan").what.contains("line 6"));
        assert!(fault("  VERTEX 0 1.5 0\n", "").what.contains("2 corners"));
        assert!(fault("endsolid", "").what.contains("ends within"));
        assert!(parse(&ASCII.as_bytes()[..70]).is_err());
    }
}
