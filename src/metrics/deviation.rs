//! Colours for signed distances: blue inside, pale where the surfaces agree, red outside.

/// Distance at which the colours end, mm: the widest tolerance of the tables, so that pictures of all cases compare.
pub const RANGE_MM: f64 = 2.0;

const INSIDE: [f64; 3] = [5.0, 60.0, 130.0];
const AGREE: [f64; 3] = [240.0, 236.0, 226.0];
const OUTSIDE: [f64; 3] = [140.0, 20.0, 20.0];
const UNKNOWN: [u8; 3] = [128; 3];

/// Returns the colour (red, green, blue) of a signed distance, mm; of no number, grey.
#[must_use]
pub fn colour(deviation_mm: f32) -> [u8; 3] {
    if deviation_mm.is_nan() {
        return UNKNOWN;
    }
    let share = (f64::from(deviation_mm) / RANGE_MM).clamp(-1.0, 1.0);
    let end = if share < 0.0 { INSIDE } else { OUTSIDE };
    [0, 1, 2].map(|i| (AGREE[i] + (end[i] - AGREE[i]) * share.abs() + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_from_blue_over_pale_to_red() {
        assert_eq!([-9.0, -2.0, 0.0, 2.0].map(colour), [[5, 60, 130], [5, 60, 130], [240, 236, 226], [140, 20, 20]]);
        assert_eq!(colour(1.0), [190, 128, 123]);
        assert_eq!(colour(f32::NAN), UNKNOWN);
    }
}
