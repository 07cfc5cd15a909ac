//! The 348 bytes of a NIfTI-1 header (`nifti1.h`): which sizes, which type, where in the world.

use crate::{
    fault::{Fault, Result},
    io::{
        affine::Affine,
        raw::{Endian, Scalar},
    },
    space::{DMat3, DVec3, Frame},
};

/// Length of a NIfTI-1 header.
pub(super) const HEADER_BYTES: usize = 348;

/// Forms that differ by more than this anywhere in the image are said to disagree, mm. A quaternion in `f32` may be
/// 5e-4 radians off near a half turn, which is 0.1 mm at the far end of a head.
const DISAGREE_MM: f64 = 0.2;

/// What of a header matters here.
pub(super) struct Header {
    pub(super) endian: Endian,
    pub(super) size: [usize; 3],
    pub(super) scalar: Scalar,
    /// Offset of the first sample, bytes.
    pub(super) data_at: usize,
    slope: f64,
    intercept: f64,
    /// Millimetres a length unit.
    unit_mm: f64,
    /// `pixdim[0..4]`: qfac, then spacings.
    pixdim: [f64; 4],
    qform: Option<[f64; 6]>,
    sform: Option<[[f64; 4]; 3]>,
}

/// Fields of the header in its byte order.
struct Fields<'a>(&'a [u8], Endian);

impl Fields<'_> {
    fn short(&self, at: usize) -> i16 {
        let word = [self.0[at], self.0[at + 1]];
        if self.1 == Endian::Little { i16::from_le_bytes(word) } else { i16::from_be_bytes(word) }
    }

    fn float(&self, at: usize) -> f64 {
        let word = [self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]];
        f64::from(if self.1 == Endian::Little { f32::from_le_bytes(word) } else { f32::from_be_bytes(word) })
    }
}

impl Header {
    /// Returns the header.
    ///
    /// # Errors
    /// Unfit, by name, for NIfTI-2, header/image pairs, Analyze, and types that hold no single number; with the field
    /// for impossible values.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < HEADER_BYTES {
            return Err(Fault::unfit(format!("a NIfTI header has {HEADER_BYTES} bytes, this one {}", bytes.len()))
                .hint("the file is truncated or damaged: copy it again"));
        }
        let endian = endian(bytes)?;
        let fields = Fields(bytes, endian);
        let (mut unit_mm, mut data_at) = (1.0, fields.float(108));
        match bytes[123] & 7 {
            1 => unit_mm = 1000.0,
            3 => unit_mm = 0.001,
            _ => {}
        }
        if data_at == 0.0 {
            data_at = 352.0;
        }
        if !(data_at >= HEADER_BYTES as f64 && data_at < 1e9 && data_at.fract() == 0.0) {
            return Err(Fault::unfit(format!("the data offset {data_at} is impossible (header field vox_offset)")));
        }
        Ok(Self {
            endian,
            size: size(&fields)?,
            scalar: scalar(fields.short(70))?,
            data_at: data_at as usize,
            slope: fields.float(112),
            intercept: fields.float(116),
            unit_mm,
            pixdim: [0, 1, 2, 3].map(|i| fields.float(76 + 4 * i)),
            qform: (fields.short(252) > 0).then(|| [0, 1, 2, 3, 4, 5].map(|i| fields.float(256 + 4 * i))),
            sform: (fields.short(254) > 0)
                .then(|| [0, 1, 2].map(|row| [0, 1, 2, 3].map(|column| fields.float(280 + 16 * row + 4 * column)))),
        })
    }

    /// Returns slope and intercept; a slope of zero or no number means that values are stored as they are.
    pub(super) fn scaling(&self) -> (f64, f64) {
        if self.slope == 0.0 || !self.slope.is_finite() || !self.intercept.is_finite() {
            return (1.0, 0.0);
        }
        (self.slope, self.intercept)
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

fn endian(bytes: &[u8]) -> Result<Endian> {
    let word = [bytes[0], bytes[1], bytes[2], bytes[3]];
    let endian = match (i32::from_le_bytes(word), i32::from_be_bytes(word)) {
        (348, _) => Endian::Little,
        (_, 348) => Endian::Big,
        (540, _) | (_, 540) => return Err(refused("a NIfTI-2 image")),
        _ => return Err(Fault::unfit("this is no NIfTI image: the header does not begin with its length, 348")),
    };
    match &bytes[344..348] {
        b"n+1\0" => Ok(endian),
        b"ni1\0" => Err(refused("a NIfTI header without its image (a .hdr/.img pair)")),
        _ => Err(refused("an Analyze 7.5 header (no NIfTI magic); it does not say where left is")),
    }
}

fn refused(what: &str) -> Fault {
    Fault::unfit(format!("this is {what}, which is not supported"))
        .hint("convert it to .nii or .nii.gz (NIfTI-1) first")
}

fn size(fields: &Fields<'_>) -> Result<[usize; 3]> {
    let dims = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| fields.short(40 + 2 * i));
    let count = dims[0];
    if !(1..=7).contains(&count) {
        return Err(Fault::unfit(format!("the header declares {count} dimensions (field dim[0])")));
    }
    let used = &dims[1..=count as usize];
    if let Some(bad) = used.iter().find(|&&side| side < 1) {
        return Err(Fault::unfit(format!("the header declares a side of {bad} voxels (field dim)")));
    }
    let more: i64 = used.iter().skip(3).fold(1, |product, &side| product.saturating_mul(i64::from(side)));
    if more != 1 {
        return Err(Fault::unfit(format!("the file holds {more} volumes, one is needed"))
            .hint("extract one volume first (a time series or vector image is not a CT)"));
    }
    let side = |i: usize| used.get(i).map_or(1, |&side| side as usize);
    Ok([side(0), side(1), side(2)])
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
