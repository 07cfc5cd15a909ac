//! The colours of all figures, chosen to be told apart by colour-blind eyes too.

use super::canvas::Rgb;

pub(super) const WHITE: Rgb = [255; 3];
pub(super) const BLACK: Rgb = [0; 3];
/// Text on white.
pub(super) const INK: Rgb = [34, 34, 34];
/// Secondary text and axes.
pub(super) const GREY: Rgb = [128; 3];
/// Lines behind data.
pub(super) const FAINT: Rgb = [222; 3];
/// Gold standard: orange of Okabe and Ito's palette.
pub(super) const GOLD: Rgb = [230, 159, 0];
/// Prediction: sky blue of the same palette.
pub(super) const PREDICTION: Rgb = [86, 180, 233];
/// A surface with nothing to show but its shape.
pub(super) const BONE: Rgb = [233, 223, 201];

/// Okabe and Ito's palette without yellow, in an order that keeps neighbours apart.
pub(super) const METHODS: [Rgb; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [230, 159, 0]];

/// Stops of the map from -1 to 1: blue, pale bone, vermilion; lightness falls evenly to both sides.
const DIVERGING: [Rgb; 7] =
    [[5, 60, 130], [60, 120, 190], [150, 190, 220], [240, 236, 226], [245, 175, 130], [215, 90, 50], [140, 20, 20]];

/// Returns the colour of a value between -1 and 1; beyond, the end colour; of no number, grey.
pub(super) fn diverging(value: f64) -> Rgb {
    if value.is_nan() {
        return GREY;
    }
    let place = (value.clamp(-1.0, 1.0) + 1.0) * 0.5 * (DIVERGING.len() - 1) as f64;
    let low = (place as usize).min(DIVERGING.len() - 2);
    let share = place - low as f64;
    [0, 1, 2].map(|i| {
        let (from, to) = (f64::from(DIVERGING[low][i]), f64::from(DIVERGING[low + 1][i]));
        (from + (to - from) * share + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_are_the_stops() {
        assert_eq!(diverging(-7.0), DIVERGING[0]);
        assert_eq!(diverging(0.0), DIVERGING[3]);
        assert_eq!(diverging(1.0), DIVERGING[6]);
        assert_eq!(diverging(f64::NAN), GREY);
    }
}
