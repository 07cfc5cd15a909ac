//! A curve through space: places that are near along it are near each other.

/// Cells of the curve along each axis, as a power of two.
const BITS: u32 = 10;

/// A Morton curve over a cube.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    low: [f32; 3],
    scale: f32,
}

impl Curve {
    /// Returns the curve over the cube around a box.
    pub(super) fn over((low, high): ([f32; 3], [f32; 3])) -> Self {
        let width = (0..3).fold(0.0_f32, |width, axis| width.max(high[axis] - low[axis]));
        Self { low, scale: (1 << BITS) as f32 / width }
    }

    /// Returns where along the curve the cell of a place lies; any cell for a place that is no number.
    #[inline]
    pub(super) fn cell(&self, place: [f32; 3]) -> u32 {
        let last = (1 << BITS) - 1;
        let [x, y, z] = [0, 1, 2].map(|axis| (((place[axis] - self.low[axis]) * self.scale) as u32).min(last));
        spread(x) | spread(y) << 1 | spread(z) << 2
    }
}

/// Returns a number of ten bits with two zeros put before each.
const fn spread(bits: u32) -> u32 {
    let bits = (bits | bits << 16) & 0x0300_00FF;
    let bits = (bits | bits << 8) & 0x0300_F00F;
    let bits = (bits | bits << 4) & 0x030C_30C3;
    (bits | bits << 2) & 0x0924_9249
}
