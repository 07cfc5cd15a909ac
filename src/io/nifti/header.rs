//! The header of a NIfTI-1 (348 bytes, `nifti1.h`) or NIfTI-2 (540 bytes, `nifti2.h`) image: which sizes, which type,
//! where in the world. The two hold the same fields at other offsets and in other widths: [`Layout`].

use crate::{
    fault::{Fault, Result},
    io::{
        affine::Affine,
        raw::{Endian, Scalar},
    },
    space::{DMat3, DVec3, Frame},
};

/// Length of the longer header.
pub(super) const MOST_HEADER_BYTES: usize = 540;
/// No header says where its data begins beyond this.
const MOST_OFFSET: f64 = 1e9;

/// Forms that differ by more than this anywhere in the image are said to disagree, mm. A quaternion in `f32` may be
/// 5e-4 radians off near a half turn, which is 0.1 mm at the far end of a head.
const DISAGREE_MM: f64 = 0.2;

/// What of a header matters here.
pub(super) struct Header {
    pub(super) endian: Endian,
    pub(super) size: [usize; 3],
    pub(super) scalar: Scalar,
    /// Offset of the first sample in the file that holds the samples, bytes.
    pub(super) data_at: usize,
    /// Whether the samples are in a file of their own (.img).
    pub(super) pair: bool,
    slope: f64,
    intercept: f64,
    /// Millimetres a length unit.
    unit_mm: f64,
    /// `pixdim[0..4]`: qfac, then spacings.
    pixdim: [f64; 4],
    qform: Option<[f64; 6]>,
    sform: Option<[[f64; 4]; 3]>,
}

/// Where the fields are.
struct Layout {
    bytes: usize,
    /// Whether sizes and floats have 64 bits (NIfTI-2) or 16 and 32 (NIfTI-1).
    wide: bool,
    magic: usize,
    datatype: usize,
    dim: usize,
    pixdim: usize,
    vox_offset: usize,
    slope: usize,
    units: usize,
    qform_code: usize,
    sform_code: usize,
    quaternion: usize,
    srow: usize,
}

const NIFTI_1: Layout = Layout {
    bytes: 348,
    wide: false,
    magic: 344,
    datatype: 70,
    dim: 40,
    pixdim: 76,
    vox_offset: 108,
    slope: 112,
    units: 123,
    qform_code: 252,
    sform_code: 254,
    quaternion: 256,
    srow: 280,
};

const NIFTI_2: Layout = Layout {
    bytes: 540,
    wide: true,
    magic: 4,
    datatype: 12,
    dim: 16,
    pixdim: 104,
    vox_offset: 168,
    slope: 176,
    units: 500,
    qform_code: 344,
    sform_code: 348,
    quaternion: 352,
    srow: 400,
};

/// Fields of a header in its layout and byte order; the bytes are as many as the layout says.
struct Fields<'a> {
    bytes: &'a [u8],
    endian: Endian,
    layout: &'static Layout,
}

impl Fields<'_> {
    /// Returns the bytes of a field, little-endian.
    fn word<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut word = [0; N];
        word.copy_from_slice(&self.bytes[at..at + N]);
        if self.endian == Endian::Big {
            word.reverse();
        }
        word
    }

    fn short(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.word(at))
    }

    /// Returns a code: 32 bits in NIfTI-2, 16 in NIfTI-1.
    fn code(&self, at: usize) -> i32 {
        if self.layout.wide { i32::from_le_bytes(self.word(at)) } else { i32::from(self.short(at)) }
    }

    /// Returns number `index` of an array of sizes.
    fn size(&self, at: usize, index: usize) -> i64 {
        match self.layout.wide {
            true => i64::from_le_bytes(self.word(at + 8 * index)),
            false => i64::from(self.short(at + 2 * index)),
        }
    }

    /// Returns number `index` of an array of floats.
    fn float(&self, at: usize, index: usize) -> f64 {
        match self.layout.wide {
            true => f64::from_le_bytes(self.word(at + 8 * index)),
            false => f64::from(f32::from_le_bytes(self.word(at + 4 * index))),
        }
    }

    /// Returns where the samples begin: a float in NIfTI-1, a whole number in NIfTI-2.
    fn offset(&self) -> f64 {
        let at = self.layout.vox_offset;
        if self.layout.wide { i64::from_le_bytes(self.word(at)) as f64 } else { self.float(at, 0) }
    }
}

impl Header {
    /// Returns the header.
    ///
    /// # Errors
    /// Unfit, by name, for Analyze and for types that hold no single number; with the field for impossible values.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let (layout, endian) = layout(bytes)?;
        let Some(bytes) = bytes.get(..layout.bytes) else {
            return Err(Fault::unfit(format!("a NIfTI header has {} bytes, this one {}", layout.bytes, bytes.len()))
                .hint("the file is truncated or damaged: copy it again"));
        };
        let fields = Fields { bytes, endian, layout };
        let pair = is_pair(&bytes[layout.magic..layout.magic + 4])?;
        let unit_mm = match fields.bytes[layout.units + if layout.wide && endian == Endian::Big { 3 } else { 0 }] & 7 {
            1 => 1000.0,
            3 => 0.001,
            _ => 1.0,
        };
        // Four bytes of extension flags follow the header; a pair's samples have a file of their own.
        let least = if pair { 0.0 } else { layout.bytes as f64 };
        let data_at = match fields.offset() {
            0.0 if !pair => least + 4.0,
            stated => stated,
        };
        if !(data_at >= least && data_at < MOST_OFFSET && data_at.fract() == 0.0) {
            return Err(Fault::unfit(format!("the data offset {data_at} is impossible (header field vox_offset)")));
        }
        let (quaternion, srow) = (layout.quaternion, layout.srow);
        Ok(Self {
            endian,
            size: size(&fields)?,
            scalar: scalar(fields.short(layout.datatype))?,
            data_at: data_at as usize,
            pair,
            slope: fields.float(layout.slope, 0),
            intercept: fields.float(layout.slope, 1),
            unit_mm,
            pixdim: [0, 1, 2, 3].map(|i| fields.float(layout.pixdim, i)),
            qform: (fields.code(layout.qform_code) > 0)
                .then(|| [0, 1, 2, 3, 4, 5].map(|i| fields.float(quaternion, i))),
            sform: (fields.code(layout.sform_code) > 0)
                .then(|| [0, 1, 2].map(|row| [0, 1, 2, 3].map(|column| fields.float(srow, 4 * row + column)))),
        })
    }

    /// Returns slope and intercept; a slope of zero or no number means that values are stored as they are.
    ///
    /// # Errors
    /// Unfit when there is a slope and the intercept is no number.
    pub(super) fn scaling(&self) -> Result<(f64, f64)> {
        if self.slope == 0.0 || !self.slope.is_finite() {
            return Ok((1.0, 0.0));
        }
        if !self.intercept.is_finite() {
            return Err(Fault::unfit("the header's intercept is no finite number (field scl_inter)"));
        }
        Ok((self.slope, self.intercept))
    }

    /// Returns where the voxels are: by sform where its code is above 0, else by qform, else axis-aligned at the world's
    /// origin with a note (as ITK does). Where both forms are given and disagree, a note says by how much.
    pub(super) fn affine(&self, notes: &mut Vec<String>) -> Result<Affine> {
        let (sform, qform) =
            (self.sform.map(|rows| self.sform_affine(&rows)), self.qform.map(|q| self.qform_affine(&q)));
        if let (Some(s), Some(q)) = (&sform, &qform) {
            let apart_mm = corners_apart_mm(s, q);
            if apart_mm.is_nan() || apart_mm > DISAGREE_MM {
                notes.push(format!("sform and qform disagree by up to {apart_mm:.2} mm; sform is used"));
            }
        }
        let affine = sform.or(qform).unwrap_or_else(|| {
            notes.push(
                "the header states no orientation (qform and sform are 0); the axes are taken as L, P, S".to_owned(),
            );
            let step = |axis: usize| self.pixdim[axis].abs() * self.unit_mm;
            let columns_mm = [DVec3::X * step(1), DVec3::Y * step(2), DVec3::Z * step(3)];
            Affine { size: self.size, origin_mm: DVec3::ZERO, columns_mm }
        });
        let finite = affine.origin_mm.is_finite() && affine.columns_mm.iter().all(|column| column.is_finite());
        if finite { Ok(affine) } else { Err(Fault::unfit("the header's voxel-to-world matrix is not finite")) }
    }

    fn sform_affine(&self, rows: &[[f64; 4]; 3]) -> Affine {
        let column = |c: usize| Frame::Ras.to_lps(DVec3::new(rows[0][c], rows[1][c], rows[2][c])) * self.unit_mm;
        Affine { size: self.size, origin_mm: column(3), columns_mm: [column(0), column(1), column(2)] }
    }

    /// The quaternion's first part is what is left to length one; qfac = -1 mirrors the third axis (`nifti1.h`, method 2).
    fn qform_affine(&self, &[b, c, d, x, y, z]: &[f64; 6]) -> Affine {
        let rest = 1.0 - (b * b + c * c + d * d);
        // Rounded to f32, a half turn may come out a little longer than one: then there is no real part.
        let (a, scale) = if rest < 1e-7 { (0.0, 1.0 / (b * b + c * c + d * d).sqrt()) } else { (rest.sqrt(), 1.0) };
        let (b, c, d) = (b * scale, c * scale, d * scale);
        let turn = DMat3::from_cols(
            DVec3::new(a * a + b * b - c * c - d * d, 2.0 * (b * c + a * d), 2.0 * (b * d - a * c)),
            DVec3::new(2.0 * (b * c - a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d + a * b)),
            DVec3::new(2.0 * (b * d + a * c), 2.0 * (c * d - a * b), a * a + d * d - b * b - c * c),
        );
        let hand = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let step = |axis: usize| self.pixdim[axis].abs() * self.unit_mm;
        let columns_mm = [turn.x_axis * step(1), turn.y_axis * step(2), turn.z_axis * (step(3) * hand)];
        let origin_mm = Frame::Ras.to_lps(DVec3::new(x, y, z)) * self.unit_mm;
        Affine { size: self.size, origin_mm, columns_mm: columns_mm.map(|column| Frame::Ras.to_lps(column)) }
    }
}

fn layout(bytes: &[u8]) -> Result<(&'static Layout, Endian)> {
    let word = bytes.first_chunk::<4>().map(|word| (i32::from_le_bytes(*word), i32::from_be_bytes(*word)));
    Ok(match word {
        Some((348, _)) => (&NIFTI_1, Endian::Little),
        Some((_, 348)) => (&NIFTI_1, Endian::Big),
        Some((540, _)) => (&NIFTI_2, Endian::Little),
        Some((_, 540)) => (&NIFTI_2, Endian::Big),
        _ => {
            return Err(Fault::unfit("this is no NIfTI image: the header does not begin with its length, 348 or 540"));
        }
    })
}

fn is_pair(magic: &[u8]) -> Result<bool> {
    match magic {
        b"n+1\0" | b"n+2\0" => Ok(false),
        b"ni1\0" | b"ni2\0" => Ok(true),
        _ => Err(Fault::unfit(
            "this is an Analyze 7.5 header (no NIfTI magic), which is not supported; it does not say where left is",
        )
        .hint("convert the original scan to .nii or .nii.gz")),
    }
}

fn size(fields: &Fields<'_>) -> Result<[usize; 3]> {
    let dims = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| fields.size(fields.layout.dim, i));
    let count = dims[0];
    if !(1..=7).contains(&count) {
        return Err(Fault::unfit(format!("the header declares {count} dimensions (field dim[0])")));
    }
    let used = &dims[1..=count as usize];
    if let Some(bad) = used.iter().find(|&&side| side < 1) {
        return Err(Fault::unfit(format!("the header declares a side of {bad} voxels (field dim)")));
    }
    let more: i64 = used.iter().skip(3).fold(1, |product, &side| product.saturating_mul(side));
    if more != 1 {
        return Err(Fault::unfit(format!("the file holds {more} volumes, one is needed"))
            .hint("extract one volume first (a time series or vector image is not a CT)"));
    }
    let side = |i: usize| used.get(i).map_or(Ok(1), |&side| usize::try_from(side));
    match (side(0), side(1), side(2)) {
        (Ok(x), Ok(y), Ok(z)) => Ok([x, y, z]),
        _ => Err(Fault::unfit("the header declares a side that no machine can hold (field dim)")),
    }
}

fn scalar(code: i16) -> Result<Scalar> {
    let what = match code {
        2 => return Ok(Scalar::U8),
        4 => return Ok(Scalar::I16),
        8 => return Ok(Scalar::I32),
        16 => return Ok(Scalar::F32),
        64 => return Ok(Scalar::F64),
        256 => return Ok(Scalar::I8),
        512 => return Ok(Scalar::U16),
        768 => return Ok(Scalar::U32),
        1024 => return Ok(Scalar::I64),
        1280 => return Ok(Scalar::U64),
        1 => "single bits",
        32 | 1792 | 2048 => "complex numbers",
        128 | 2304 => "RGB colours",
        1536 => "128-bit floats",
        _ => return Err(Fault::unfit(format!("the header's data type {code} does not exist (field datatype)"))),
    };
    Err(Fault::unfit(format!("the voxels are {what}, one real number each is needed")))
}

fn corners_apart_mm(a: &Affine, b: &Affine) -> f64 {
    let corner = |affine: &Affine, bits: usize| {
        (0..3).fold(affine.origin_mm, |p, axis| {
            let last = (affine.size[axis] - 1) as f64;
            if bits >> axis & 1 == 1 { p + affine.columns_mm[axis] * last } else { p }
        })
    };
    (0..8).fold(0.0, |worst, bits| {
        let apart = corner(a, bits).distance(corner(b, bits));
        if apart.is_nan() || apart > worst { apart } else { worst }
    })
}
