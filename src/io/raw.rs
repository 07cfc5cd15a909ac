//! Samples of an image as bytes: the number types that all formats share, in either byte order.

use rayon::prelude::*;

use super::{file::MOST_BYTES, input::Part, room};
use crate::{
    fault::{Fault, Result},
    volume::Volume,
};

/// The type of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// Byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

/// How one sample is stored, and what it means: `slope * sample + intercept`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) scalar: Scalar,
    pub(super) endian: Endian,
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

impl Sample {
    /// Returns samples that are the values.
    pub(super) const fn plain(scalar: Scalar, endian: Endian) -> Self {
        Self { scalar, endian, slope: 1.0, intercept: 0.0 }
    }
}

impl Scalar {
    /// All types, and their names in `info`.
    const NAMES: [(Self, &'static str); 10] = [
        (Self::U8, "uint8"),
        (Self::I8, "int8"),
        (Self::U16, "uint16"),
        (Self::I16, "int16"),
        (Self::U32, "uint32"),
        (Self::I32, "int32"),
        (Self::U64, "uint64"),
        (Self::I64, "int64"),
        (Self::F32, "float32"),
        (Self::F64, "float64"),
    ];

    /// Returns every type.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().map(|(scalar, _)| scalar)
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(scalar, _)| *scalar == self).map_or("float32", |(_, name)| name)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(scalar, _)| *scalar)
    }

    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Returns the range of an integer type, or nothing for a float.
    pub(super) const fn range(self) -> Option<(f64, f64)> {
        match self {
            Self::U8 => Some((0.0, 255.0)),
            Self::I8 => Some((-128.0, 127.0)),
            Self::U16 => Some((0.0, 65_535.0)),
            Self::I16 => Some((-32_768.0, 32_767.0)),
            Self::U32 => Some((0.0, 4_294_967_295.0)),
            Self::I32 => Some((-2_147_483_648.0, 2_147_483_647.0)),
            Self::U64 => Some((0.0, 18_446_744_073_709_551_615.0)),
            Self::I64 => Some((-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_807.0)),
            Self::F32 | Self::F64 => None,
        }
    }
}

/// Returns the number of bytes of an image, if such an image is allowed at all.
///
/// # Errors
/// Unfit when a side is zero or the image as `f32` would be larger than the limit.
pub(super) fn byte_count(size: [usize; 3], scalar: Scalar) -> Result<usize> {
    if size.contains(&0) {
        return Err(Fault::unfit(format!("the image has no voxels: its size is {size:?}")));
    }
    let voxels = size.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    match voxels {
        Some(voxels) if voxels as u64 <= MOST_BYTES / 4 => Ok(voxels * scalar.bytes()),
        _ => {
            Err(Fault::unfit(format!("the header declares {size:?} voxels, more than the limit of {}", MOST_BYTES / 4)))
        }
    }
}

/// Samples that one thread decodes at a time.
const SHARE: usize = 1 << 18;
/// Bytes that are read from a file at a time: few enough to stay near the processor, and in memory that is used again.
const BUFFER: usize = 1 << 16;

/// Returns the samples as `slope * sample + intercept`, computed in `f64`.
///
/// # Errors
/// Unfit when a file cannot be read.
pub(super) fn decode(part: Part<'_>, sample: Sample) -> Result<Vec<f32>> {
    let width = sample.scalar.bytes();
    let mut values = room::zeros(part.len() / width);
    let done: Vec<Result<()>> = values
        .par_chunks_mut(SHARE)
        .enumerate()
        .map_init(Vec::new, |buffer, (index, out)| {
            let from = index * SHARE * width;
            decode_share(part.piece(from..from + out.len() * width), sample, buffer, out)
        })
        .collect();
    done.into_iter().collect::<Result<()>>()?;
    Ok(values)
}

fn decode_share(part: Part<'_>, sample: Sample, buffer: &mut Vec<u8>, out: &mut [f32]) -> Result<()> {
    if let Part::Memory(bytes) = part {
        put(bytes, sample, out);
        return Ok(());
    }
    buffer.resize(BUFFER, 0);
    let width = sample.scalar.bytes();
    for (index, out) in out.chunks_mut(BUFFER / width).enumerate() {
        let bytes = &mut buffer[..out.len() * width];
        part.piece(index * BUFFER..index * BUFFER + bytes.len()).read(bytes)?;
        put(bytes, sample, out);
    }
    Ok(())
}

/// Fills `out` with samples; there must be as many.
#[expect(clippy::cast_lossless, reason = "one macro for types that are and are not lossless in f64")]
pub(super) fn put(bytes: &[u8], sample: Sample, out: &mut [f32]) {
    let Sample { scalar, endian, slope, intercept } = sample;
    macro_rules! each {
        ($type:ty) => {{
            let (words, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            let pairs = out.iter_mut().zip(words);
            match endian {
                Endian::Little => {
                    pairs.for_each(|(out, &word)| {
                        *out = (<$type>::from_le_bytes(word) as f64 * slope + intercept) as f32
                    });
                }
                Endian::Big => {
                    pairs.for_each(|(out, &word)| {
                        *out = (<$type>::from_be_bytes(word) as f64 * slope + intercept) as f32
                    });
                }
            }
        }};
    }
    // Integers of 16 bits are exact in f32, so the way over f64 changes nothing and is left out.
    macro_rules! plain {
        ($type:ty) => {{
            let (words, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            out.iter_mut().zip(words).for_each(|(out, &word)| *out = <$type>::from_le_bytes(word) as f32);
        }};
    }
    let unscaled = (slope, intercept, endian) == (1.0, 0.0, Endian::Little);
    match scalar {
        Scalar::U8 if unscaled => plain!(u8),
        Scalar::U16 if unscaled => plain!(u16),
        Scalar::I16 if unscaled => plain!(i16),
        Scalar::U8 => each!(u8),
        Scalar::I8 => each!(i8),
        Scalar::U16 => each!(u16),
        Scalar::I16 => each!(i16),
        Scalar::U32 => each!(u32),
        Scalar::I32 => each!(i32),
        Scalar::U64 => each!(u64),
        Scalar::I64 => each!(i64),
        Scalar::F32 => each!(f32),
        Scalar::F64 => each!(f64),
    }
}

/// Returns the volume's values as little-endian samples. Values outside an integer type's range are clamped and
/// fractions cut: ask [`fitting`] first.
pub(super) fn encode(volume: &Volume<f32>, scalar: Scalar) -> Vec<u8> {
    macro_rules! each {
        ($type:ty) => {
            volume.data.iter().flat_map(|&value| (value as $type).to_le_bytes()).collect()
        };
    }
    match scalar {
        Scalar::U8 => each!(u8),
        Scalar::I8 => each!(i8),
        Scalar::U16 => each!(u16),
        Scalar::I16 => each!(i16),
        Scalar::U32 => each!(u32),
        Scalar::I32 => each!(i32),
        Scalar::U64 => each!(u64),
        Scalar::I64 => each!(i64),
        Scalar::F32 => each!(f32),
        Scalar::F64 => each!(f64),
    }
}

/// Returns the type to write the values in: the file's own where they fit it exactly, else `int16`, else `float32`.
pub(super) fn fitting(values: &[f32], own: Scalar) -> Scalar {
    // No early end within a chunk, so that it becomes vectors. Whole numbers of 16 bits survive the way over i32.
    let exact = |scalar: Scalar| match scalar.range() {
        None => true,
        Some((low, high)) => {
            let (low, high) = (low as f32, high as f32);
            let fits = |v: f32| (v as i32) as f32 == v && v >= low && v <= high;
            values.par_chunks(1 << 14).all(|chunk| chunk.iter().fold(true, |all, &v| all & fits(v)))
        }
    };
    // Above 2^24 an f32 no longer holds every integer, so wide types are written as float.
    let narrow = matches!(own, Scalar::U8 | Scalar::I8 | Scalar::U16 | Scalar::I16);
    [own, Scalar::I16]
        .into_iter()
        .find(|&s| (narrow || s == Scalar::I16) && own.range().is_some() && exact(s))
        .unwrap_or(Scalar::F32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DVec3, Grid};

    #[test]
    fn both_byte_orders_and_every_type_decode() {
        let decode = |bytes: &[u8], scalar, endian, slope, intercept| {
            decode(Part::Memory(bytes), Sample { scalar, endian, slope, intercept }).unwrap()
        };
        assert_eq!(decode(&[0xfe, 0xff, 1, 0], Scalar::I16, Endian::Little, 1.0, 0.0), [-2.0, 1.0]);
        assert_eq!(decode(&[0xff, 0xfe, 0, 1], Scalar::I16, Endian::Big, 2.0, 10.0), [6.0, 12.0]);
        assert_eq!(decode(&1.5_f64.to_be_bytes(), Scalar::F64, Endian::Big, 1.0, 0.0), [1.5]);
        let grid = Grid::aligned([3, 1, 1], DVec3::ONE);
        let volume = Volume::new(grid, vec![0.0, 7.0, 100.0]).unwrap();
        for (scalar, _) in Scalar::NAMES {
            let bytes = encode(&volume, scalar);
            assert_eq!(bytes.len(), byte_count([3, 1, 1], scalar).unwrap());
            assert_eq!(decode(&bytes, scalar, Endian::Little, 1.0, 0.0), volume.data, "{}", scalar.name());
        }
    }

    #[test]
    fn the_written_type_is_the_narrowest_honest_one() {
        assert_eq!(fitting(&[0.0, 1.0], Scalar::U8), Scalar::U8);
        assert_eq!(fitting(&[0.0, 300.0], Scalar::U8), Scalar::I16);
        assert_eq!(fitting(&[0.0, 0.5], Scalar::I16), Scalar::F32);
        assert_eq!(fitting(&[0.0, 1.0], Scalar::F32), Scalar::F32);
        assert_eq!(fitting(&[0.0, f32::NAN], Scalar::I16), Scalar::F32);
        assert_eq!(fitting(&[-1024.0], Scalar::I32), Scalar::I16);
    }

    #[test]
    fn an_impossible_size_is_refused() {
        assert!(byte_count([0, 1, 1], Scalar::U8).is_err());
        assert!(byte_count([usize::MAX, 2, 2], Scalar::U8).is_err());
        assert!(byte_count([2048, 2048, 2048], Scalar::F64).is_err());
        assert_eq!(byte_count([512, 512, 1024], Scalar::I16).unwrap(), 512 << 20);
    }
}
