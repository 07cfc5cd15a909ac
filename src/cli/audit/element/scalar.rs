//! Numbers as files hold them, and how far two of them lie apart.

use std::fmt;

/// The type of a stored number, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    F64,
}

/// A stored number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    F32(f32),
    F64(f64),
}

impl Scalar {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Returns the type of a name as NRRD, PLY or safetensors write it.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "uchar" | "unsigned char" | "uint8" | "uint8_t" | "U8" => Self::U8,
            "char" | "signed char" | "int8" | "int8_t" | "I8" => Self::I8,
            "ushort" | "unsigned short" | "uint16" | "uint16_t" | "U16" => Self::U16,
            "short" | "int16" | "int16_t" | "I16" => Self::I16,
            "uint" | "unsigned int" | "uint32" | "uint32_t" | "U32" => Self::U32,
            "int" | "int32" | "int32_t" | "I32" => Self::I32,
            "float" | "float32" | "F32" => Self::F32,
            "double" | "float64" | "F64" => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn read(self, bytes: &[u8], at: usize) -> Option<Number> {
        let raw = bytes.get(at..at.checked_add(self.bytes())?)?;
        let integer = |value: i64| Some(Number::Integer(value));
        match self {
            Self::U8 => integer(i64::from(*raw.first()?)),
            Self::I8 => integer(i64::from(i8::from_le_bytes(raw.try_into().ok()?))),
            Self::U16 => integer(i64::from(u16::from_le_bytes(raw.try_into().ok()?))),
            Self::I16 => integer(i64::from(i16::from_le_bytes(raw.try_into().ok()?))),
            Self::U32 => integer(i64::from(u32::from_le_bytes(raw.try_into().ok()?))),
            Self::I32 => integer(i64::from(i32::from_le_bytes(raw.try_into().ok()?))),
            Self::F32 => Some(Number::F32(f32::from_le_bytes(raw.try_into().ok()?))),
            Self::F64 => Some(Number::F64(f64::from_le_bytes(raw.try_into().ok()?))),
        }
    }
}

impl Number {
    /// Returns how many steps from number to number lead from one to the other; none for what is no number.
    pub(super) fn ulps(self, other: Self) -> Option<u64> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(a.abs_diff(b)),
            (Self::F32(a), Self::F32(b)) if !a.is_nan() && !b.is_nan() => Some(rank_32(a).abs_diff(rank_32(b))),
            (Self::F64(a), Self::F64(b)) => ulps_f64(a, b),
            _ => None,
        }
    }
}

/// Returns the distance of two doubles in numbers between them.
pub(super) fn ulps_f64(a: f64, b: f64) -> Option<u64> {
    (!a.is_nan() && !b.is_nan()).then(|| rank_64(a).abs_diff(rank_64(b)))
}

/// The bits of floats, read as signed magnitudes, count them in order; both zeros are 0.
fn rank_32(value: f32) -> i64 {
    let magnitude = i64::from(value.to_bits() & 0x7fff_ffff);
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

fn rank_64(value: f64) -> i64 {
    let magnitude = (value.to_bits() & 0x7fff_ffff_ffff_ffff).cast_signed();
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::F32(value) => write!(f, "{value:?}"),
            Self::F64(value) => write!(f, "{value:?}"),
        }
    }
}
