//! Legacy VTK polydata (.vtk), ASCII and binary, in: what 3D Slicer writes and most tools export. Polygons become fans,
//! triangle strips become triangles; lines, vertices and all data at points and cells are left out.
//!
//! ```text
//! # vtk DataFile Version 3.0        the version: from 5.1 on polygons are OFFSETS and CONNECTIVITY
//! any title. SPACE=LPS              3D Slicer states the frame here since 2020; before, its models are RAS and say nothing
//! BINARY                            big-endian, or ASCII
//! DATASET POLYDATA
//! POINTS 8 float ... POLYGONS 12 48 ... TRIANGLE_STRIPS ... POINT_DATA (nothing is read from there on)
//! ```
//! Format: <https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html>.

mod source;

use self::source::{Kind, Source};
use super::mesh::{Parsed, fan, finite, stated_frame};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::DVec3,
};

/// Returns the mesh with the file's own coordinates.
///
/// # Errors
/// Unfit, with line or byte offset, when it is another kind of data set, a number is missing or not finite, or an index
/// points to no point.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let mut source = Source::new(bytes);
    let (_, title) = (source.line(), source.line());
    let mut parsed = Parsed { frame: stated_frame(title.as_bytes()), ..Parsed::default() };
    match source.line().trim() {
        "ASCII" => {}
        "BINARY" => source.binary = true,
        _ => return Err(Fault::unfit("the third line of a legacy VTK file is ASCII or BINARY").at(source.place())),
    }
    let mut sections = Sections { offsets: source.version() >= (5, 1), ..Sections::default() };
    while let Some(words) = source.keyword() {
        if !sections.read(&words, &mut source, &mut parsed.mesh)? {
            break;
        }
    }
    sections.finish(&mut parsed)?;
    Ok(parsed)
}

#[derive(Default)]
struct Sections {
    /// Whether cells are written as offsets and connectivity.
    offsets: bool,
    polydata: bool,
    points: bool,
    /// Lines and vertices.
    others: usize,
}

impl Sections {
    /// Reads one section; false when nothing that matters follows.
    fn read(&mut self, words: &[String], source: &mut Source<'_>, mesh: &mut Mesh) -> Result<bool> {
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        match word(0).to_ascii_uppercase().as_str() {
            "DATASET" if word(1).eq_ignore_ascii_case("POLYDATA") => self.polydata = true,
            "DATASET" => {
                return Err(Fault::unfit("this VTK file holds no polydata; a surface of triangles is needed")
                    .at(source.place())
                    .hint("save the model as POLYDATA, or as STL or PLY"));
            }
            "POINTS" if self.points => return Err(Fault::unfit("the file has two lists of points").at(source.place())),
            "POINTS" => {
                self.points = true;
                mesh.vertices = points(source.count(word(1))?, Kind::of(word(2), source)?, source)?;
            }
            "POLYGONS" => {
                for polygon in self.cells(word(1), word(2), source)?.iter() {
                    fan(corners(polygon, source)?, &mut mesh.triangles);
                }
            }
            "TRIANGLE_STRIPS" => {
                for strip in self.cells(word(1), word(2), source)?.iter() {
                    let triples = corners(strip, source)?.windows(3).enumerate();
                    // Every second triangle of a strip runs the other way.
                    mesh.triangles.extend(
                        triples.map(|(at, t)| if at % 2 == 0 { [t[0], t[1], t[2]] } else { [t[1], t[0], t[2]] }),
                    );
                }
            }
            "VERTICES" | "LINES" => self.others += self.cells(word(1), word(2), source)?.iter().count(),
            "METADATA" => source.skip_paragraph(),
            "FIELD" => field(source.count(word(2))?, source)?,
            "POINT_DATA" | "CELL_DATA" => return Ok(false),
            _ => return Err(Fault::unfit("this is no section of a VTK polydata file").at(source.place())),
        }
        Ok(true)
    }

    /// Reads a list of cells: so many numbers in all, each cell led by its size; or offsets and connectivity.
    fn cells(&self, first: &str, second: &str, source: &mut Source<'_>) -> Result<Cells> {
        let (first, second) = (source.count(first)?, source.count(second)?);
        if !self.offsets {
            let numbers = source.indices(second, Kind::I32)?;
            return Cells::sized(&numbers, first)
                .ok_or_else(|| Fault::unfit(format!("{second} numbers do not make {first} cells")).at(source.place()));
        }
        let mut array = |name: &str, count: usize| {
            let words = source.keyword().unwrap_or_default();
            match words.as_slice() {
                [word, kind] if word.eq_ignore_ascii_case(name) => {
                    let kind = Kind::of(kind, source)?;
                    source.indices(count, kind)
                }
                _ => Err(Fault::unfit(format!("the list {name} of the cells was expected here")).at(source.place())),
            }
        };
        let (offsets, corners) = (array("OFFSETS", first)?, array("CONNECTIVITY", second)?);
        let rising = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends =
            offsets.first().is_none_or(|&at| at == 0) && offsets.last().is_none_or(|&at| at as usize == corners.len());
        if !(rising && ends) || (offsets.is_empty() && !corners.is_empty()) {
            return Err(Fault::unfit("the offsets of the cells do not divide their corners").at(source.place()));
        }
        Ok(Cells { offsets, corners })
    }

    fn finish(self, parsed: &mut Parsed) -> Result<()> {
        if !self.polydata || !self.points {
            return Err(Fault::unfit("the file ends before the points of its polydata")
                .hint("the file is truncated: export it again"));
        }
        let count = parsed.mesh.vertices.len();
        if let Some(bad) = parsed.mesh.triangles.iter().position(|t| t.iter().any(|&v| v as usize >= count)) {
            return Err(Fault::unfit(format!(
                "triangle {bad} (from 0) points to a point that does not exist; there are {count}"
            )));
        }
        if self.others > 0 {
            parsed.notes.push(format!("{} lines and single vertices are left out", self.others));
        }
        if parsed.frame.is_none() {
            parsed.notes.push("VTK models that 3D Slicer wrote before 2020 are RAS and do not say so".to_owned());
        }
        Ok(())
    }
}

/// Cells as corners one after the other, and where each begins; one offset more than cells.
struct Cells {
    offsets: Vec<u32>,
    corners: Vec<u32>,
}

impl Cells {
    /// Returns the cells of a list in which each is led by its size.
    fn sized(numbers: &[u32], count: usize) -> Option<Self> {
        let mut cells = Self { offsets: vec![0], corners: Vec::with_capacity(numbers.len()) };
        let mut rest = numbers;
        for _ in 0..count {
            let (&size, after) = rest.split_first()?;
            let (corners, after) = after.split_at_checked(size as usize)?;
            cells.corners.extend_from_slice(corners);
            cells.offsets.push(cells.corners.len() as u32);
            rest = after;
        }
        rest.is_empty().then_some(cells)
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|pair| &self.corners[pair[0] as usize..pair[1] as usize])
    }
}

fn corners<'a>(cell: &'a [u32], source: &Source<'_>) -> Result<&'a [u32]> {
    if cell.len() < 3 {
        return Err(Fault::unfit(format!("a polygon has {} corners, three are needed", cell.len())).at(source.place()));
    }
    Ok(cell)
}

fn points(count: usize, kind: Kind, source: &mut Source<'_>) -> Result<Vec<DVec3>> {
    source.holds(count.saturating_mul(3), kind)?;
    let mut points = Vec::with_capacity(count);
    for number in 0..count {
        let p = DVec3::new(source.number(kind)?, source.number(kind)?, source.number(kind)?);
        points.push(finite(p, || format!("point {number} (from 0), {}", source.place()))?);
    }
    Ok(points)
}

/// Steps over field data: arrays of `name components tuples type`.
fn field(arrays: usize, source: &mut Source<'_>) -> Result<()> {
    for _ in 0..arrays {
        let Some(words) = source.keyword() else { break };
        let [_, components, tuples, kind] = words.as_slice() else {
            return Err(Fault::unfit("an array of field data was expected here").at(source.place()));
        };
        let count = source.count(components)?.saturating_mul(source.count(tuples)?);
        let kind = Kind::of(kind, source)?;
        source.holds(count, kind)?;
        for _ in 0..count {
            source.number(kind)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
