//! A legacy VTK file read number by number: keywords are lines of text, numbers are words or big-endian binary.

use crate::fault::{Fault, Result};

/// Types of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Kind {
    pub(super) fn of(name: &str, source: &Source<'_>) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "char" | "vtktypeint8" => Self::I8,
            "unsigned_char" | "vtktypeuint8" => Self::U8,
            "short" | "vtktypeint16" => Self::I16,
            "unsigned_short" | "vtktypeuint16" => Self::U16,
            // `vtkIdType` is written as int.
            "int" | "vtktypeint32" | "vtkidtype" => Self::I32,
            "unsigned_int" | "vtktypeuint32" => Self::U32,
            "vtktypeint64" | "long" => Self::I64,
            "vtktypeuint64" | "unsigned_long" => Self::U64,
            "float" => Self::F32,
            "double" => Self::F64,
            _ => return Err(Fault::unfit("this VTK type of numbers is not supported").at(source.place())),
        })
    }

    const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

pub(super) struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) binary: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, binary: false }
    }

    /// Returns the version in the first line; 0 when it makes no sense.
    pub(super) fn version(&self) -> (u32, u32) {
        let first = self.bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let text = String::from_utf8_lossy(&first[..first.len().min(256)]).into_owned();
        let mut numbers = text.rsplit(' ').next().unwrap_or_default().trim().split('.').map(|n| n.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// Where the reading is: the line of a text file, the byte of a binary one.
    pub(super) fn place(&self) -> String {
        if self.binary {
            return format!("byte {}", self.at);
        }
        format!("line {}", 1 + self.bytes[..self.at].iter().filter(|&&byte| byte == b'\n').count())
    }

    /// Returns the next line; empty at the end.
    pub(super) fn line(&mut self) -> String {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let line = &rest[..length.unwrap_or(rest.len())];
        self.at += length.map_or(rest.len(), |length| length + 1);
        // No keyword line is longer; a longer one is data taken for a line.
        String::from_utf8_lossy(&line[..line.len().min(1024)]).into_owned()
    }

    /// Returns the words of the next line that is not empty.
    pub(super) fn keyword(&mut self) -> Option<Vec<String>> {
        while self.at < self.bytes.len() {
            let words: Vec<String> = self.line().split_ascii_whitespace().map(str::to_owned).collect();
            if !words.is_empty() {
                return Some(words);
            }
        }
        None
    }

    /// Steps over lines up to an empty one.
    pub(super) fn skip_paragraph(&mut self) {
        while self.at < self.bytes.len() && !self.line().trim().is_empty() {}
    }

    pub(super) fn count(&self, word: &str) -> Result<usize> {
        word.parse().map_err(|_| Fault::unfit("a count was expected here").at(self.place()))
    }

    /// Checks that so many numbers can be in the rest of the file: a word and what parts it take two bytes.
    pub(super) fn holds(&self, count: usize, kind: Kind) -> Result<()> {
        let left = self.bytes.len() - self.at;
        let least = if self.binary { count.saturating_mul(kind.bytes()) } else { count.saturating_mul(2) };
        if least > left + 1 {
            return Err(Fault::unfit(format!("the file declares {count} numbers here and has {left} bytes left"))
                .at(self.place())
                .hint("the file is truncated: export it again"));
        }
        Ok(())
    }

    /// Returns the next number.
    pub(super) fn number(&mut self, kind: Kind) -> Result<f64> {
        let found = if self.binary { self.word(kind) } else { self.text() };
        found.ok_or_else(|| {
            Fault::unfit("a number was expected here")
                .at(self.place())
                .hint("the file may be truncated: export it again")
        })
    }

    /// Returns the next numbers as indices.
    pub(super) fn indices(&mut self, count: usize, kind: Kind) -> Result<Vec<u32>> {
        self.holds(count, kind)?;
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            let value = self.number(kind)?;
            if value.fract() != 0.0 || !(0.0..=4_294_967_295.0).contains(&value) {
                return Err(Fault::unfit("an index is no whole number, or too large").at(self.place()));
            }
            out.push(value as u32);
        }
        Ok(out)
    }

    fn text(&mut self) -> Option<f64> {
        let rest = &self.bytes[self.at..];
        let skipped = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let rest = &rest[skipped..];
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let value = std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?;
        self.at += skipped + length;
        Some(value)
    }

    #[expect(clippy::cast_lossless, reason = "one macro for types that are and are not lossless in f64")]
    fn word(&mut self, kind: Kind) -> Option<f64> {
        macro_rules! take {
            ($type:ty) => {{
                let word = self.bytes.get(self.at..)?.first_chunk::<{ size_of::<$type>() }>()?;
                self.at += word.len();
                Some(<$type>::from_be_bytes(*word) as f64)
            }};
        }
        match kind {
            Kind::I8 => take!(i8),
            Kind::U8 => take!(u8),
            Kind::I16 => take!(i16),
            Kind::U16 => take!(u16),
            Kind::I32 => take!(i32),
            Kind::U32 => take!(u32),
            Kind::I64 => take!(i64),
            Kind::U64 => take!(u64),
            Kind::F32 => take!(f32),
            Kind::F64 => take!(f64),
        }
    }
}
