//! What a volume's values say: which are inside, and how far they lie above the surface's value.

/// The values of a volume, seen from the surface to cut.
pub(super) trait Field: Sync {
    /// A value of the volume.
    type Value: Copy + Sync;

    /// Returns whether a value is inside.
    fn inside(&self, value: Self::Value) -> bool;

    /// Returns how far a value lies above the surface's: at least zero inside, below zero outside, NaN for NaN.
    fn depth(&self, value: Self::Value) -> f64;

    /// Returns the bits of eight values, the first lowest.
    fn eight(&self, values: [Self::Value; 8]) -> u64;

    /// Returns the bits of at most 64 values, the first lowest.
    fn bits(&self, values: &[Self::Value]) -> u64 {
        let (eights, rest) = values.as_chunks::<8>();
        let whole = eights.iter().enumerate().fold(0, |bits, (i, &eight)| bits | self.eight(eight) << (8 * i));
        let at = 8 * eights.len();
        rest.iter().enumerate().fold(whole, |bits, (i, &value)| bits | u64::from(self.inside(value)) << (at + i))
    }
}

/// Numbers, cut at a value that counts as inside. A value that is not a number is outside.
pub(super) struct AtLeast {
    iso: f64,
    /// The least `f32` inside: comparing with it is exact and needs no widening.
    least: f32,
}

impl AtLeast {
    pub(super) fn new(iso: f64) -> Self {
        let nearest = iso as f32;
        let least = if f64::from(nearest) < iso { nearest.next_up() } else { nearest };
        Self { iso, least }
    }
}

impl Field for AtLeast {
    type Value = f32;

    fn inside(&self, value: f32) -> bool {
        value >= self.least
    }

    fn depth(&self, value: f32) -> f64 {
        f64::from(value) - self.iso
    }

    fn eight(&self, values: [f32; 8]) -> u64 {
        packed(values.map(|value| u8::from(value >= self.least)))
    }
}

/// A label, cut half way between zero and non-zero voxels.
pub(super) struct NonZero;

impl Field for NonZero {
    type Value = u8;

    fn inside(&self, value: u8) -> bool {
        value != 0
    }

    fn depth(&self, value: u8) -> f64 {
        if value == 0 { -0.5 } else { 0.5 }
    }

    fn eight(&self, values: [u8; 8]) -> u64 {
        packed(values.map(|value| u8::from(value != 0)))
    }
}

/// Gathers eight bytes, each 0 or 1, into eight bits: byte i times 2^(56 - 7 i) has its bit at 56 + i, and no two of the 64
/// products meet.
fn packed(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_become_eight_bits() {
        for bits in 0..256_u64 {
            assert_eq!(packed(std::array::from_fn(|i| (bits >> i & 1) as u8)), bits);
        }
    }

    #[test]
    fn the_least_inside_decides_as_the_wide_comparison_does() {
        let isos =
            [0.0, -0.0, 0.1, 0.5, -1000.3, 1e-60, -1e-60, 3.41e38, -3.41e38, 1e300, f64::INFINITY, -f64::INFINITY];
        for iso in isos.into_iter().chain([f64::NAN, f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE) / 3.0]) {
            let field = AtLeast::new(iso);
            let near = iso as f32;
            let values =
                [near, near.next_up(), near.next_down(), 0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            for value in values.into_iter().chain([f32::MAX, f32::MIN, 1e-45, -1e-45]) {
                assert_eq!(field.inside(value), f64::from(value) >= iso, "{value:e} against {iso:e}");
            }
            let expected = values.iter().enumerate().fold(0, |bits, (i, &v)| bits | u64::from(field.inside(v)) << i);
            assert_eq!((field.eight(values), field.bits(&values)), (expected, expected));
        }
    }
}
