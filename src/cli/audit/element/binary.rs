//! Which number of a binary file a byte belongs to: volumes (NRRD, DICOM), meshes (PLY, STL), weights (safetensors).

use serde_json::Value;

use super::{Scalar, Spot};

/// Returns the number that the byte at `at` is a part of; none in headers, and in files of other formats.
pub(super) fn spot(name: &str, bytes: &[u8], at: usize) -> Option<Spot> {
    let extension = name.rsplit('.').next().unwrap_or_default();
    match extension {
        "nrrd" => nrrd(bytes, at),
        "ply" => ply(bytes, at),
        "stl" => stl(bytes, at),
        "safetensors" => safetensors(bytes, at),
        _ if bytes.get(128..132) == Some(b"DICM") => dicom(bytes, at),
        _ => None,
    }
}

/// The number of `scalar`s that begin at `start` which holds the byte.
fn index(start: usize, scalar: Scalar, at: usize) -> Option<usize> {
    Some(at.checked_sub(start)? / scalar.bytes())
}

/// `NRRD0004`, `key: value` lines, an empty line, raw samples.
fn nrrd(bytes: &[u8], at: usize) -> Option<Spot> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let header = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let value = |key: &str| header.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    if value("encoding") != Some("raw") || value("endian").is_some_and(|endian| endian != "little") {
        return None;
    }
    let scalar = Scalar::from_name(value("type")?)?;
    let sizes: Vec<usize> = value("sizes")?.split_whitespace().filter_map(|size| size.parse().ok()).collect();
    let number = index(end + 2, scalar, at)?;
    let (nx, ny) = (*sizes.first()?, *sizes.get(1)?);
    let (row, rows) = (number.checked_div(nx)?, ny);
    let name = format!("voxel ({}, {}, {})", number % nx, row.checked_rem(rows)?, row / rows);
    Some(Spot { start: end + 2 + number * scalar.bytes(), scalar, name })
}

/// An element of a PLY header.
struct Table {
    name: String,
    count: usize,
    /// Columns; none when one of them is a list.
    columns: Option<Vec<(String, Scalar)>>,
}

fn ply(bytes: &[u8], at: usize) -> Option<Spot> {
    const END: &[u8] = b"end_header\n";
    let end = bytes.windows(END.len()).position(|window| window == END)? + END.len();
    let header = std::str::from_utf8(bytes.get(..end)?).ok()?;
    if !header.contains("format binary_little_endian") {
        return None;
    }
    let mut start = end;
    for table in tables(header) {
        let Some(columns) = table.columns else { return faces(&table.name, start, table.count, at) };
        let width: usize = columns.iter().map(|(_, scalar)| scalar.bytes()).sum();
        let length = width.checked_mul(table.count)?;
        if at < start + length {
            let row = at.checked_sub(start)?.checked_div(width)?;
            let mut place = start + row * width;
            for (column, scalar) in columns {
                if at < place + scalar.bytes() {
                    return Some(Spot { start: place, scalar, name: format!("{} {row} {column}", table.name) });
                }
                place += scalar.bytes();
            }
            return None;
        }
        start += length;
    }
    None
}

fn tables(header: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in header.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["element", name, count] => tables.push(Table {
                name: (*name).to_owned(),
                count: count.parse().unwrap_or(0),
                columns: Some(Vec::new()),
            }),
            ["property", "list", ..] => {
                if let Some(table) = tables.last_mut() {
                    table.columns = None;
                }
            }
            ["property", kind, name] => {
                let columns = tables.last_mut().and_then(|table| table.columns.as_mut());
                if let (Some(columns), Some(scalar)) = (columns, Scalar::from_name(kind)) {
                    columns.push(((*name).to_owned(), scalar));
                }
            }
            _ => {}
        }
    }
    tables
}

/// Triangles as this program writes them: a count of three in a byte, and three indices of 32 bits.
fn faces(name: &str, start: usize, count: usize, at: usize) -> Option<Spot> {
    const WIDTH: usize = 13;
    let inside = at.checked_sub(start)?;
    let (row, column) = (inside / WIDTH, inside % WIDTH);
    let corner = column.checked_sub(1)? / 4;
    (row < count).then(|| Spot {
        start: start + row * WIDTH + 1 + 4 * corner,
        scalar: Scalar::U32,
        name: format!("{name} {row} corner {corner}"),
    })
}

/// 80 bytes, a count, and fifty bytes a triangle: normal and three corners as floats, and an attribute.
fn stl(bytes: &[u8], at: usize) -> Option<Spot> {
    const HEAD: usize = 84;
    const WIDTH: usize = 50;
    let count = Scalar::U32.read(bytes, 80)?.to_string().parse::<usize>().ok()?;
    if bytes.len() != HEAD + WIDTH * count {
        return None;
    }
    let inside = at.checked_sub(HEAD)?;
    let (row, number) = (inside / WIDTH, inside % WIDTH / 4);
    let vector = ["normal", "corner 0", "corner 1", "corner 2"].get(number / 3)?;
    let axis = ["x", "y", "z"].get(number % 3)?;
    let start = HEAD + row * WIDTH + 4 * number;
    Some(Spot { start, scalar: Scalar::F32, name: format!("triangle {row} {vector} {axis}") })
}

/// The length of a JSON header in 8 bytes, the header, the tensors.
fn safetensors(bytes: &[u8], at: usize) -> Option<Spot> {
    let length = usize::try_from(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?)).ok()?;
    let data = length.checked_add(8)?;
    let header: Value = serde_json::from_slice(bytes.get(8..data)?).ok()?;
    let inside = at.checked_sub(data)?;
    for (name, tensor) in header.as_object()? {
        let offset = |end: usize| usize::try_from(tensor["data_offsets"][end].as_u64()?).ok();
        let (Some(begin), Some(end)) = (offset(0), offset(1)) else { continue };
        if (begin..end).contains(&inside) {
            let scalar = Scalar::from_name(tensor["dtype"].as_str()?)?;
            let number = (inside - begin) / scalar.bytes();
            let start = data + begin + number * scalar.bytes();
            return Some(Spot { start, scalar, name: format!("tensor {name} [{number}]") });
        }
    }
    None
}

/// The pixels of a slice, where they stand as they are: explicit little-endian, 16 bits.
fn dicom(bytes: &[u8], at: usize) -> Option<Spot> {
    const PIXELS: &[u8] = b"\xe0\x7f\x10\x00OW\0\0";
    let start = bytes.windows(PIXELS.len()).rposition(|window| window == PIXELS)? + PIXELS.len() + 4;
    let columns = bytes.windows(8).position(|window| window == b"\x28\x00\x11\x00US\x02\x00")?;
    let columns: usize = Scalar::U16.read(bytes, columns + 8)?.to_string().parse().ok()?;
    let number = index(start, Scalar::I16, at)?;
    let (column, row) = (number.checked_rem(columns)?, number / columns);
    Some(Spot { start: start + 2 * number, scalar: Scalar::I16, name: format!("pixel ({column}, {row})") })
}
