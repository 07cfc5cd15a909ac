//! PLY: ASCII and binary of both byte orders in; out, the store's own form: binary little-endian with 64-bit positions.
//! Vertices need `x y z`, faces a list `vertex_indices` or `vertex_index`; everything else is skipped.

use std::path::Path;

use super::{
    file,
    mesh::{Parsed, fan, finite, stated_frame},
};
use crate::{
    fault::{Fault, Result},
    mesh::Mesh,
    space::DVec3,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Ascii,
    Little,
    Big,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

struct Property {
    name: String,
    kind: Kind,
    /// Type of the count, for a list.
    list: Option<Kind>,
}

struct Element {
    name: String,
    count: usize,
    properties: Vec<Property>,
}

struct Header {
    encoding: Encoding,
    elements: Vec<Element>,
    /// Offset and line of the body.
    at: usize,
    lines: usize,
}

/// Returns the mesh with the file's own coordinates.
///
/// # Errors
/// Unfit with line or byte offset when a number is missing or not finite, or an index points to no vertex.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed> {
    let header = header(bytes)?;
    let mut source = Source { bytes, at: header.at, encoding: header.encoding, line: header.lines };
    let mut parsed = Parsed { frame: stated_frame(&bytes[..header.at]), ..Parsed::default() };
    for element in &header.elements {
        // Each item takes a byte at least, so a count beyond the file's length is a lie; an empty item takes none.
        if element.properties.is_empty() {
            continue;
        }
        if element.count > bytes.len() - header.at {
            return Err(Fault::unfit(format!(
                "the header declares {} items in {} bytes",
                element.count,
                bytes.len() - header.at
            ))
            .hint("the file is truncated: export it again"));
        }
        for _ in 0..element.count {
            item(element, &mut source, &mut parsed.mesh)?;
        }
    }
    let count = parsed.mesh.vertices.len();
    if let Some(bad) = parsed.mesh.triangles.iter().position(|t| t.iter().any(|&v| v as usize >= count)) {
        return Err(Fault::unfit(format!(
            "triangle {bad} (from 0) points to a vertex that does not exist; there are {count}"
        )));
    }
    Ok(parsed)
}

fn item(element: &Element, source: &mut Source<'_>, mesh: &mut Mesh) -> Result<()> {
    let mut p = DVec3::ZERO;
    for property in &element.properties {
        let count = match property.list {
            None => 1,
            Some(kind) => source.count(kind)?,
        };
        let indices = element.name == "face" && property.list.is_some() && property.name.starts_with("vertex_ind");
        let mut corners = Vec::new();
        for _ in 0..count {
            let value = source.number(property.kind)?;
            if indices {
                corners.push(
                    index(value).ok_or_else(|| Fault::unfit("a vertex index is no whole number").at(source.place()))?,
                );
            } else {
                match property.name.as_str() {
                    "x" => p.x = value,
                    "y" => p.y = value,
                    "z" => p.z = value,
                    _ => {}
                }
            }
        }
        fan(&corners, &mut mesh.triangles);
    }
    source.end_of_item();
    if element.name == "vertex" {
        let number = mesh.vertices.len();
        mesh.vertices.push(finite(p, || format!("vertex {number} (from 0), {}", source.place()))?);
    }
    Ok(())
}

fn index(value: f64) -> Option<u32> {
    (value.fract() == 0.0 && (0.0..4_294_967_296.0).contains(&value)).then_some(value as u32)
}

/// The body, read number by number.
struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
    line: usize,
}

impl Source<'_> {
    fn place(&self) -> String {
        if self.encoding == Encoding::Ascii { format!("line {}", self.line + 1) } else { format!("byte {}", self.at) }
    }

    fn number(&mut self, kind: Kind) -> Result<f64> {
        let found = if self.encoding == Encoding::Ascii { self.word() } else { self.binary(kind) };
        found.ok_or_else(|| {
            Fault::unfit("a number was expected here")
                .at(self.place())
                .hint("the file may be truncated: export it again")
        })
    }

    fn count(&mut self, kind: Kind) -> Result<usize> {
        let count = self.number(kind)?;
        let most = self.bytes.len() - self.at;
        index(count)
            .map(|count| count as usize)
            .filter(|&count| count <= most)
            .ok_or_else(|| Fault::unfit("a list is longer than the file").at(self.place()))
    }

    fn word(&mut self) -> Option<f64> {
        let rest = &self.bytes[self.at..];
        let skipped = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        self.line += rest[..skipped].iter().filter(|&&byte| byte == b'\n').count();
        let rest = &rest[skipped..];
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.at += skipped + length;
        std::str::from_utf8(&rest[..length]).ok()?.parse().ok()
    }

    fn binary(&mut self, kind: Kind) -> Option<f64> {
        macro_rules! take {
            ($type:ty) => {{
                let word = self.bytes.get(self.at..)?.first_chunk::<{ size_of::<$type>() }>()?;
                self.at += word.len();
                let value = if self.encoding == Encoding::Big {
                    <$type>::from_be_bytes(*word)
                } else {
                    <$type>::from_le_bytes(*word)
                };
                Some(f64::from(value))
            }};
        }
        match kind {
            Kind::I8 => take!(i8),
            Kind::U8 => take!(u8),
            Kind::I16 => take!(i16),
            Kind::U16 => take!(u16),
            Kind::I32 => take!(i32),
            Kind::U32 => take!(u32),
            Kind::F32 => take!(f32),
            Kind::F64 => take!(f64),
        }
    }

    /// In ASCII an item is a line; numbers that no property names are dropped with it.
    fn end_of_item(&mut self) {
        if self.encoding == Encoding::Ascii {
            let rest = &self.bytes[self.at..];
            self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        }
    }
}

fn header(bytes: &[u8]) -> Result<Header> {
    let mut header = Header { encoding: Encoding::Ascii, elements: Vec::new(), at: 0, lines: 0 };
    let mut format_known = false;
    while let Some(length) = bytes[header.at..].iter().position(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(&bytes[header.at..header.at + length]).into_owned();
        header.at += length + 1;
        header.lines += 1;
        let place = format!("line {}", header.lines);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["end_header"] if format_known => return Ok(header),
            ["format", name, ..] => {
                format_known = true;
                header.encoding = match *name {
                    "ascii" => Encoding::Ascii,
                    "binary_little_endian" => Encoding::Little,
                    "binary_big_endian" => Encoding::Big,
                    _ => return Err(Fault::unfit("this PLY format is not known").at(place)),
                };
            }
            ["element", name, count] => {
                let count = count.parse().map_err(|_| Fault::unfit("a count was expected here").at(&place))?;
                header.elements.push(Element { name: (*name).to_owned(), count, properties: Vec::new() });
            }
            ["property", rest @ ..] => {
                let property = property(rest).map_err(|fault| fault.at(&place))?;
                let element = header.elements.last_mut();
                element
                    .ok_or_else(|| Fault::unfit("a property before any element").at(&place))?
                    .properties
                    .push(property);
            }
            _ => {}
        }
    }
    Err(Fault::unfit("the PLY header has no end").hint("the file is truncated: export it again"))
}

fn property(words: &[&str]) -> Result<Property> {
    match words {
        ["list", count, item, name] => {
            Ok(Property { name: (*name).to_owned(), kind: kind(item)?, list: Some(kind(count)?) })
        }
        [item, name] => Ok(Property { name: (*name).to_owned(), kind: kind(item)?, list: None }),
        _ => Err(Fault::unfit("a property needs a type and a name")),
    }
}

fn kind(name: &str) -> Result<Kind> {
    Ok(match name {
        "char" | "int8" => Kind::I8,
        "uchar" | "uint8" => Kind::U8,
        "short" | "int16" => Kind::I16,
        "ushort" | "uint16" => Kind::U16,
        "int" | "int32" => Kind::I32,
        "uint" | "uint32" => Kind::U32,
        "float" | "float32" => Kind::F32,
        "double" | "float64" => Kind::F64,
        _ => return Err(Fault::unfit("this PLY type is not known")),
    })
}

/// Writes binary little-endian PLY, positions in 64 bits, LPS mm, with an optional number a vertex.
///
/// # Errors
/// Unfit when writing fails.
pub(super) fn write(path: &Path, mesh: &Mesh, deviation_mm: Option<&[f32]>) -> Result<()> {
    let extra = if deviation_mm.is_some() { "property float deviation_mm\n" } else { "" };
    let head = format!(
        "ply\nformat binary_little_endian 1.0\ncomment SPACE=LPS\nelement vertex {}\nproperty double x\nproperty double y\n\
         property double z\n{extra}element face {}\nproperty list uchar uint vertex_indices\nend_header\n",
        mesh.vertices.len(),
        mesh.triangles.len()
    );
    let mut body = Vec::with_capacity(28 * mesh.vertices.len() + 13 * mesh.triangles.len());
    for (number, p) in mesh.vertices.iter().enumerate() {
        p.to_array().iter().for_each(|v| body.extend_from_slice(&(v + 0.0).to_le_bytes()));
        if let Some(values) = deviation_mm {
            body.extend_from_slice(&values[number].to_le_bytes());
        }
    }
    for triangle in &mesh.triangles {
        body.push(3);
        triangle.iter().for_each(|v| body.extend_from_slice(&v.to_le_bytes()));
    }
    file::write(path, &[head.as_bytes(), &body])
}

/// Writes a mesh with a signed distance and its colour at each vertex; the header says what they mean.
pub(super) fn write_coloured(path: &Path, mesh: &Mesh, coloured: &[(f32, [u8; 3])], meaning: &str) -> Result<()> {
    let head = format!(
        "ply\nformat binary_little_endian 1.0\ncomment SPACE=LPS\ncomment {meaning}\nelement vertex {}\n\
         property double x\nproperty double y\nproperty double z\nproperty float quality\nproperty uchar red\n\
         property uchar green\nproperty uchar blue\nelement face {}\nproperty list uchar uint vertex_indices\nend_header\n",
        mesh.vertices.len(),
        mesh.triangles.len()
    );
    let mut body = Vec::with_capacity(31 * mesh.vertices.len() + 13 * mesh.triangles.len());
    for (p, (deviation_mm, colour)) in mesh.vertices.iter().zip(coloured) {
        p.to_array().iter().for_each(|v| body.extend_from_slice(&(v + 0.0).to_le_bytes()));
        body.extend_from_slice(&deviation_mm.to_le_bytes());
        body.extend_from_slice(colour);
    }
    for triangle in &mesh.triangles {
        body.push(3);
        triangle.iter().for_each(|v| body.extend_from_slice(&v.to_le_bytes()));
    }
    file::write(path, &[head.as_bytes(), &body])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: &str = "ply\nformat ascii 1.0\ncomment SPACE=RAS\nelement vertex 4\nproperty float x\nproperty float y\n\
                         property float z\nproperty uchar red\nelement face 1\nproperty list uchar int vertex_index\nend_header\n\
                         0 0 0 255\n1 0 0 255\n1 1 0 255\n0 1 0.5 255\n4 0 1 2 3\n";

    #[test]
    fn ascii_polygons_become_fans() {
        let parsed = parse(ASCII.as_bytes()).unwrap();
        assert_eq!(parsed.mesh.triangles, [[0, 1, 2], [0, 2, 3]]);
        assert_eq!(parsed.mesh.vertices[3], DVec3::new(0.0, 1.0, 0.5));
        assert_eq!(parsed.frame, Some(crate::space::Frame::Ras));
    }

    #[test]
    fn big_endian_floats_are_read() {
        let mut bytes = b"ply\nformat binary_big_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty double z\n\
                          element face 1\nproperty list uchar ushort vertex_indices\nend_header\n"
            .to_vec();
        for v in 0..3_u8 {
            bytes.extend_from_slice(&f32::from(v).to_be_bytes());
            bytes.extend_from_slice(&2.0_f32.to_be_bytes());
            bytes.extend_from_slice(&f64::from(v * v).to_be_bytes());
        }
        bytes.extend_from_slice(&[3, 0, 0, 0, 1, 0, 2]);
        let mesh = parse(&bytes).unwrap().mesh;
        assert_eq!((mesh.vertices[2], mesh.triangles[0]), (DVec3::new(2.0, 2.0, 4.0), [0, 1, 2]));
        let cut = parse(&bytes[..bytes.len() - 1]).unwrap_err();
        assert!(cut.place.unwrap().contains("byte"));
    }

    #[test]
    fn faults_have_places() {
        let fault = |from: &str, to: &str| parse(ASCII.replace(from, to).as_bytes()).unwrap_err();
        assert!(fault("1 1 0 255", "1 nan 0 255").what.contains("vertex 2"));
        assert!(fault("1 1 0 255", "1 x 0 255").place.unwrap().contains("line 14"));
        assert!(fault("4 0 1 2 3", "4 0 1 2 9").what.contains("does not exist"));
        assert!(fault("vertex 4", "vertex 4000000000").what.contains("declares"));
        assert!(fault("end_header", "").what.contains("no end"));
        assert!(parse(b"").is_err());
    }
}
