//! The text header of a MetaImage: lines `name = value`, the last of which says where the data is.

use crate::{
    fault::{Fault, Result},
    io::{
        packed::Packing,
        raw::{Endian, Sample, Scalar},
        samples::{self, Encoding, Place, Samples},
    },
};

/// Headers are a few hundred bytes; the line that ends them is looked for no further than this.
const MOST_HEADER: usize = 1 << 20;

/// What of a header matters here.
pub(super) struct Header {
    pub(super) size: Option<Vec<usize>>,
    pub(super) scalar: Option<Scalar>,
    pub(super) endian: Endian,
    pub(super) compressed: bool,
    pub(super) ascii: bool,
    pub(super) spacing: Option<Vec<f64>>,
    pub(super) origin: Option<Vec<f64>>,
    pub(super) matrix: Option<Vec<f64>>,
    pub(super) orientation: Option<String>,
    pub(super) header_size: i64,
    pub(super) channels: usize,
    pub(super) data_file: Option<String>,
    /// The lines after a `LIST`.
    pub(super) listed: Vec<String>,
}

/// Returns the header and the offset of what follows it.
///
/// # Errors
/// Unfit with the line number.
pub(super) fn header(bytes: &[u8]) -> Result<(Header, usize)> {
    let mut header = Header {
        size: None,
        scalar: None,
        endian: Endian::Little,
        compressed: false,
        ascii: false,
        spacing: None,
        origin: None,
        matrix: None,
        orientation: None,
        header_size: 0,
        channels: 1,
        data_file: None,
        listed: Vec::new(),
    };
    let (mut at, mut number) = (0, 0);
    while at < bytes.len().min(MOST_HEADER) {
        let length = bytes[at..].iter().take(MOST_HEADER).position(|&b| b == b'\n').unwrap_or(bytes.len() - at);
        let line = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
        at = (at + length + 1).min(bytes.len());
        number += 1;
        header.line(&line).map_err(|fault| fault.at(format!("header line {number}")))?;
        if let Some(place) = &header.data_file {
            if place.split_ascii_whitespace().next() == Some("LIST") {
                header.listed = samples::listed(&bytes[at..])?;
            }
            return Ok((header, at));
        }
    }
    Err(Fault::unfit("the header has no field `ElementDataFile`").hint("this is no MetaImage, or it is truncated"))
}

impl Header {
    fn line(&mut self, line: &str) -> Result<()> {
        let Some((name, value)) = line.split_once('=') else {
            return if line.trim().is_empty() {
                Ok(())
            } else {
                Err(Fault::unfit("a line `name = value` was expected"))
            };
        };
        let value = value.trim();
        match name.trim() {
            "DimSize" => self.size = Some(list(value)?),
            "ElementType" => self.scalar = Some(scalar(value)?),
            "ElementSpacing" => self.spacing = Some(list(value)?),
            // ITK writes ElementSize beside or instead of the spacing.
            "ElementSize" if self.spacing.is_none() => self.spacing = Some(list(value)?),
            "Offset" | "Position" | "Origin" => self.origin = Some(list(value)?),
            "TransformMatrix" | "Rotation" | "Orientation" => self.matrix = Some(list(value)?),
            "AnatomicalOrientation" => self.orientation = Some(value.to_owned()),
            "BinaryDataByteOrderMSB" | "ElementByteOrderMSB" if truth(value) => self.endian = Endian::Big,
            "CompressedData" => self.compressed = truth(value),
            "BinaryData" => self.ascii = !truth(value),
            "HeaderSize" => self.header_size = list(value)?.first().copied().unwrap_or(0),
            "ElementNumberOfChannels" => self.channels = list(value)?.first().copied().unwrap_or(1),
            "ElementDataFile" => self.data_file = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

impl Header {
    /// Returns the number of voxels along each axis.
    pub(super) fn size(&self) -> Result<[usize; 3]> {
        three(self.size.as_deref().ok_or_else(|| missing("DimSize"))?, "DimSize")
    }

    /// Returns how the samples are stored.
    pub(super) fn samples(&self, scalar: Scalar) -> Result<Samples> {
        let encoding = match (self.ascii, self.compressed) {
            (false, false) => Encoding::Raw,
            (false, true) => Encoding::Packed(Packing::Zlib),
            (true, false) => Encoding::Text,
            (true, true) => return Err(Fault::unfit("MetaImage data cannot be both compressed and ASCII")),
        };
        // Before compressed data and numbers, the header's bytes are those of the file.
        let (byte_skip, file_skip) = match encoding {
            Encoding::Raw => (self.header_size, 0),
            _ => (
                0,
                usize::try_from(self.header_size)
                    .map_err(|_| Fault::unfit(format!("the header size {} needs raw data", self.header_size)))?,
            ),
        };
        Ok(Samples { sample: Sample::plain(scalar, self.endian), encoding, line_skip: 0, byte_skip, file_skip })
    }

    /// Returns where the data is: in the file (`LOCAL`), in one named file, in those of a list (`LIST [axes]`, the names in
    /// the lines after it), or in those of a pattern (`pattern first last step`, a number like %03d in it).
    pub(super) fn files(&self, size: [usize; 3]) -> Result<Place> {
        let text = self.data_file.as_deref().ok_or_else(|| missing("ElementDataFile"))?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let number = |word: &str| word.parse::<i64>().map_err(|_| Fault::unfit("a number was expected here"));
        let (names, axes) = match words.as_slice() {
            [local] if local.eq_ignore_ascii_case("LOCAL") => return Ok(Place::Attached),
            ["LIST"] => (self.listed.clone(), 2),
            // `LIST 2` and `LIST 2D` are both written.
            ["LIST", axes] => match number(axes.trim_end_matches('D'))? {
                axes @ 1..=3 => (self.listed.clone(), axes as usize),
                axes => return Err(Fault::unfit(format!("each data file is said to have {axes} axes"))),
            },
            [pattern, first, more @ ..] if pattern.contains('%') && more.len() < 3 => {
                let first = number(first)?;
                let step = more.get(1).map_or(Ok(1), |step| number(step))?;
                let steps = i64::try_from(size[2] - 1).ok().and_then(|steps| steps.checked_mul(step));
                let end = steps.and_then(|steps| first.checked_add(steps));
                let last = more.first().map(|last| number(last)).or(end.map(Ok)).unwrap_or(Ok(first))?;
                (samples::names(pattern, first, last, step)?, 2)
            }
            _ => return Ok(Place::Files(vec![text.to_owned()])),
        };
        samples::counted(names.len(), size, axes)?;
        Ok(Place::Files(names))
    }
}

/// Returns what is said of a field that is needed and not there.
pub(super) fn missing(field: &str) -> Fault {
    Fault::unfit(format!("the header has no field `{field}`"))
}

/// Returns the three numbers of a field.
pub(super) fn three<T: Copy + std::fmt::Debug>(values: &[T], field: &str) -> Result<[T; 3]> {
    values.try_into().map_err(|_| {
        Fault::unfit(format!("the field `{field}` has {} numbers, three are needed", values.len()))
            .hint("extract one volume first")
    })
}

fn truth(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text == "1"
}

fn list<T: std::str::FromStr>(text: &str) -> Result<Vec<T>> {
    text.split_whitespace().map(|v| v.parse().map_err(|_| Fault::unfit("a number was expected here"))).collect()
}

/// The numeric types and their MetaImage names.
pub(super) const TYPES: [(&str, Scalar); 12] = [
    ("MET_UCHAR", Scalar::U8),
    ("MET_CHAR", Scalar::I8),
    ("MET_USHORT", Scalar::U16),
    ("MET_SHORT", Scalar::I16),
    ("MET_UINT", Scalar::U32),
    ("MET_INT", Scalar::I32),
    ("MET_ULONG_LONG", Scalar::U64),
    ("MET_LONG_LONG", Scalar::I64),
    ("MET_FLOAT", Scalar::F32),
    ("MET_DOUBLE", Scalar::F64),
    // Four bytes in files of every age, whatever the machine that wrote them.
    ("MET_LONG", Scalar::I32),
    ("MET_ULONG", Scalar::U32),
];

fn scalar(text: &str) -> Result<Scalar> {
    let found = TYPES.iter().find(|(name, _)| *name == text);
    found.map(|(_, scalar)| *scalar).ok_or_else(|| Fault::unfit("this ElementType is not supported"))
}
