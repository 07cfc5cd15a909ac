//! The text header of a NRRD file: `field: value` lines, comments and `key:=value` pairs dropped unread.

use crate::{
    fault::{Fault, Result},
    io::{
        affine::Affine,
        packed::Packing,
        raw::{Endian, Sample, Scalar},
        samples::{self, Encoding, Place, Samples},
    },
    space::DVec3,
};

/// What of a header matters here.
pub(super) struct Header {
    pub(super) samples: Samples,
    pub(super) place: Place,
    pub(super) affine: Affine,
    pub(super) notes: Vec<String>,
}

/// Headers are a few hundred bytes; a longer one is no header.
const MOST_HEADER: usize = 1 << 20;

#[derive(Default)]
struct Fields {
    scalar: Option<Scalar>,
    dimension: Option<usize>,
    sizes: Option<Vec<usize>>,
    encoding: Option<Encoding>,
    endian: Option<Endian>,
    space: Option<[f64; 3]>,
    spacings: Option<Vec<f64>>,
    directions: Option<Vec<DVec3>>,
    origin: Option<DVec3>,
    data: Option<DataFiles>,
    units_mm: Option<[f64; 3]>,
    byte_skip: i64,
    line_skip: usize,
    /// Whether the lines that follow are names of files.
    listed: bool,
    seen: Vec<String>,
}

/// The field `data file`.
enum DataFiles {
    One(String),
    /// Several, and how many axes each has.
    Several(Vec<String>, usize),
}

impl Header {
    /// Returns the header and the offset of what follows it.
    ///
    /// # Errors
    /// Unfit with the line number.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut fields = Fields::default();
        let (mut at, mut number, mut ended) = (0, 0, false);
        while at < bytes.len() && !ended {
            let window = &bytes[at..bytes.len().min(at + MOST_HEADER)];
            let length = window.iter().position(|&b| b == b'\n').unwrap_or(window.len());
            let line = &bytes[at..at + length];
            at = (at + length + 1).min(bytes.len());
            number += 1;
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let line = line.trim_end();
            ended = line.is_empty();
            if number == 1 && !line.starts_with("NRRD000") {
                return Err(Fault::unfit("this is no NRRD image: it does not begin with NRRD000"));
            }
            if number > 1 && !line.starts_with('#') && !line.contains(":=") {
                fields.line(line, &bytes[at..]).map_err(|fault| fault.at(format!("header line {number}")))?;
                // What follows the word is the list of files, not the header.
                ended |= fields.listed;
            }
        }
        if !ended && fields.data.is_none() {
            return Err(
                Fault::unfit("the header has no end (an empty line)").hint("the file is truncated: copy it again")
            );
        }
        Ok((fields.finish()?, at))
    }
}

impl Fields {
    /// Takes a line of the header; `rest` is what follows it.
    fn line(&mut self, line: &str, rest: &[u8]) -> Result<()> {
        let Some((name, value)) = line.split_once(':') else {
            return if line.is_empty() {
                Ok(())
            } else {
                Err(Fault::unfit("this line is neither a field nor a comment"))
            };
        };
        let value = value.trim();
        let name = name.to_ascii_lowercase();
        // Which of two values holds nobody can say (and the format forbids it).
        if self.seen.contains(&name) {
            return Err(Fault::unfit("this field stands in the header twice"));
        }
        self.seen.push(name.clone());
        match name.as_str() {
            "type" => self.scalar = Some(scalar(value)?),
            "dimension" => self.dimension = Some(number(value)?),
            "sizes" => self.sizes = Some(value.split_whitespace().map(number).collect::<Result<_>>()?),
            "encoding" => self.encoding = Some(encoding(value)?),
            "endian" => self.endian = Some(endian(value)?),
            "space" => self.space = Some(space(value)?),
            "spacings" => self.spacings = Some(value.split_whitespace().map(number).collect::<Result<_>>()?),
            "space directions" => self.directions = Some(vectors(value)?),
            "space origin" => self.origin = vectors(value)?.first().copied(),
            "space units" => self.units_mm = Some(units(value)?),
            "data file" | "datafile" => {
                self.data = Some(data_files(value, rest)?);
                self.listed = value.split_ascii_whitespace().next() == Some("LIST");
            }
            "byte skip" | "byteskip" => self.byte_skip = number(value)?,
            "line skip" | "lineskip" => self.line_skip = number(value)?,
            // Kinds, centerings, measurement frames, old min and max: nothing that moves a voxel.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Header> {
        let missing = |field: &str| Fault::unfit(format!("the header has no field `{field}`"));
        let sizes = self.sizes.ok_or_else(|| missing("sizes"))?;
        let scalar = self.scalar.ok_or_else(|| missing("type"))?;
        let encoding = self.encoding.ok_or_else(|| missing("encoding"))?;
        let dimension = self.dimension.ok_or_else(|| missing("dimension"))?;
        let size: [usize; 3] = sizes.as_slice().try_into().ok().filter(|_| dimension == 3).ok_or_else(|| {
            Fault::unfit(format!("the image has {dimension} axes of sizes {sizes:?}, three are needed"))
                .hint("extract one volume first (a list or colour axis is not a CT)")
        })?;
        let endian = match self.endian {
            Some(endian) => endian,
            None if scalar.bytes() == 1 => Endian::Little,
            None => return Err(missing("endian")),
        };
        let mut notes = Vec::new();
        let signs = self.space.unwrap_or_else(|| {
            notes.push("the header states no space; the axes are taken as L, P, S".to_owned());
            [1.0; 3]
        });
        let columns = match (self.directions, self.spacings) {
            (Some(directions), _) => directions,
            (None, Some(s)) if s.len() == 3 => {
                vec![DVec3::X * s[0].abs(), DVec3::Y * s[1].abs(), DVec3::Z * s[2].abs()]
            }
            _ => return Err(missing("space directions")),
        };
        let columns: [DVec3; 3] = columns.as_slice().try_into().map_err(|_| {
            Fault::unfit(format!("the field `space directions` has {} vectors, three are needed", columns.len()))
        })?;
        // World coordinates have a sign and a unit for each axis of the space.
        let to_lps_mm = DVec3::from_array(signs) * DVec3::from_array(self.units_mm.unwrap_or([1.0; 3]));
        let lps = |v: DVec3| v * to_lps_mm;
        let origin_mm = lps(self.origin.unwrap_or(DVec3::ZERO));
        let place = match self.data {
            None => Place::Attached,
            Some(DataFiles::One(name)) => Place::Files(vec![name]),
            Some(DataFiles::Several(names, axes)) => {
                samples::counted(names.len(), size, axes)?;
                Place::Files(names)
            }
        };
        Ok(Header {
            samples: Samples {
                sample: Sample::plain(scalar, endian),
                encoding,
                line_skip: self.line_skip,
                byte_skip: self.byte_skip,
                file_skip: 0,
            },
            place,
            affine: Affine { size, origin_mm, columns_mm: columns.map(lps) },
            notes,
        })
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Fault::unfit("a number was expected here"))
}

fn vectors(text: &str) -> Result<Vec<DVec3>> {
    let mut out = Vec::new();
    for part in text.split(')').map(str::trim).filter(|part| !part.is_empty()) {
        let inner = part.strip_prefix('(').ok_or_else(|| Fault::unfit("a vector like (1,0,0) was expected here"))?;
        let values = inner.split(',').map(|v| number::<f64>(v.trim())).collect::<Result<Vec<f64>>>()?;
        let [x, y, z] = values.as_slice() else {
            return Err(Fault::unfit(format!("a vector has {} numbers, three are needed", values.len())));
        };
        out.push(DVec3::new(*x, *y, *z));
    }
    Ok(out)
}

fn scalar(text: &str) -> Result<Scalar> {
    Ok(match text {
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => Scalar::U8,
        "signed char" | "int8" | "int8_t" => Scalar::I8,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => Scalar::U16,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => Scalar::I16,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => Scalar::U32,
        "int" | "signed int" | "int32" | "int32_t" => Scalar::I32,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => Scalar::U64,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => Scalar::I64,
        "float" => Scalar::F32,
        "double" => Scalar::F64,
        _ => return Err(Fault::unfit("this voxel type is not supported").hint("write the image as short or float")),
    })
}

fn encoding(text: &str) -> Result<Encoding> {
    match text.to_ascii_lowercase().as_str() {
        "raw" => Ok(Encoding::Raw),
        "gzip" | "gz" => Ok(Encoding::Packed(Packing::Gzip)),
        "bzip2" | "bz2" => Ok(Encoding::Packed(Packing::Bzip2)),
        "txt" | "text" | "ascii" => Ok(Encoding::Text),
        known @ ("hex" | "zrl" | "zstd") => Err(Fault::unfit(format!("the NRRD encoding `{known}` is not supported"))
            .hint("write it as raw or gzip, for example `unu save -f nrrd -e gzip -i IN -o OUT`")),
        _ => Err(Fault::unfit("this NRRD encoding is not known").hint("write it as raw or gzip")),
    }
}

/// Returns what `data file` says: a name; `LIST [axes]` with the names in the lines after it; or
/// `pattern first last step [axes]`, where the pattern has a number like %03d.
fn data_files(text: &str, rest: &[u8]) -> Result<DataFiles> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let axes = |word: Option<&&str>| word.map_or(Ok(2), |word| number(word));
    let (names, axes) = match words.as_slice() {
        ["LIST", more @ ..] if more.len() < 2 => (samples::listed(rest)?, axes(more.first())?),
        [pattern, first, last, step, more @ ..] if pattern.contains('%') && more.len() < 2 => {
            (samples::names(pattern, number(first)?, number(last)?, number(step)?)?, axes(more.first())?)
        }
        _ => return Ok(DataFiles::One(text.to_owned())),
    };
    if (1..=3).contains(&axes) {
        return Ok(DataFiles::Several(names, axes));
    }
    Err(Fault::unfit(format!("each data file is said to have {axes} axes, the image has three")))
}

/// Returns millimetres a unit for each axis of the space; the names stand in quotes.
fn units(text: &str) -> Result<[f64; 3]> {
    let names: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    let known = |name: &&str| match name.trim() {
        "mm" | "" => Some(1.0),
        "cm" => Some(10.0),
        "m" => Some(1000.0),
        "um" | "\u{b5}m" | "\u{3bc}m" => Some(0.001),
        _ => None,
    };
    let units: Option<Vec<f64>> = names.iter().map(known).collect();
    units
        .and_then(|units| <[f64; 3]>::try_from(units).ok())
        .ok_or_else(|| Fault::unfit("the space units are three of \"mm\", \"cm\", \"m\", \"um\""))
}

fn endian(text: &str) -> Result<Endian> {
    match text.to_ascii_lowercase().as_str() {
        "little" => Ok(Endian::Little),
        "big" => Ok(Endian::Big),
        _ => Err(Fault::unfit("the byte order is `little` or `big`")),
    }
}

/// Returns the signs that turn a space to LPS.
fn space(text: &str) -> Result<[f64; 3]> {
    match text.to_ascii_lowercase().as_str() {
        "left-posterior-superior" | "lps" => Ok([1.0, 1.0, 1.0]),
        "right-anterior-superior" | "ras" => Ok([-1.0, -1.0, 1.0]),
        "left-anterior-superior" | "las" => Ok([1.0, -1.0, 1.0]),
        _ => Err(Fault::unfit(
            "this space is not supported: left-posterior-superior, right- or left-anterior-superior are",
        )),
    }
}
