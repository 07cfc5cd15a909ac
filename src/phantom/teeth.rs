//! Teeth of the finer anatomy: crowns of their own widths side by side along the arch, roots, jitter.
//!
//! Widths along the arch and across it, mm, are the usual ones of textbooks of dental anatomy, shrunk to the arch that the
//! face has. Coordinates are the face's own, as in `face`.

use super::shape::{rounded_box, smooth_min, tube};
use crate::space::DVec3;

/// Widths along the arch of seven teeth from the midline on: upper jaw, lower jaw, mm.
const ALONG_MM: [[f64; 7]; 2] = [[8.5, 6.5, 7.6, 7.0, 6.8, 10.0, 9.6], [5.3, 5.9, 6.9, 7.0, 7.1, 11.0, 10.5]];
/// Widths across the arch.
const ACROSS_MM: [[f64; 7]; 2] = [[7.0, 6.4, 8.0, 9.0, 9.0, 11.0, 10.5], [6.0, 6.2, 7.7, 7.8, 8.2, 10.3, 10.2]];
/// Lengths of the roots.
const ROOT_MM: [f64; 7] = [11.5, 11.0, 14.5, 12.0, 12.0, 10.5, 10.0];
/// Half widths of the arch, to the side and to the front, and how far back it begins.
const ARCH_MM: [f64; 2] = [25.0, 33.0];
const ARCH_BACK_MM: f64 = -52.0;
/// Heights of the middles of upper and lower crowns.
const CROWN_MM: [f64; 2] = [-92.0, -99.5];
/// Half height of a crown.
const CROWN_HALF_MM: f64 = 3.6;
/// Parts of the arch that its length is summed from.
const STEPS: usize = 64;

/// One tooth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tooth {
    /// Middle of the crown.
    pub(super) crown: DVec3,
    /// Cosine and sine of the direction along the arch.
    along: [f64; 2],
    half_mm: [f64; 2],
    root_mm: f64,
    /// 1 where the root goes up.
    up: f64,
}

impl Tooth {
    /// Returns the teeth that are present (see `Anatomy::missing_teeth`); `jitter` returns a number from -1 to 1.
    pub(super) fn all(missing: u32, jitter: impl Fn(u32) -> f64) -> Vec<Self> {
        let point = |step: f64| {
            let (sine, cosine) = libm::sincos(step / STEPS as f64 * std::f64::consts::FRAC_PI_2);
            [ARCH_MM[0] * sine, ARCH_BACK_MM - ARCH_MM[1] * cosine]
        };
        let lengths: Vec<f64> = (0..STEPS)
            .map(|i| {
                let ([x0, y0], [x1, y1]) = (point(i as f64), point(i as f64 + 1.0));
                ((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)).sqrt()
            })
            .collect();
        let total: f64 = lengths.iter().sum();
        let step_at = |mut mm: f64| {
            let full = lengths.iter().take_while(|&&length| {
                mm -= length;
                mm > 0.0
            });
            full.count() as f64 + 0.5
        };
        (0..28_u32)
            .filter(|tooth| missing >> tooth & 1 == 0)
            .map(|tooth| {
                let (jaw, number) = (usize::from(tooth >= 14), (tooth % 7) as usize);
                let side = if tooth % 14 < 7 { 1.0 } else { -1.0 };
                let shrunk = 0.97 * total / ALONG_MM[jaw].iter().sum::<f64>();
                let before: f64 = ALONG_MM[jaw][..number].iter().sum();
                let step = step_at(shrunk * (before + 0.5 * ALONG_MM[jaw][number]));
                let ([x, y], [next_x, next_y]) = (point(step), point(step + 0.5));
                let along = DVec3::new(side * (next_x - x), next_y - y, 0.0).normalize_or(DVec3::X);
                let wobble = |which: u32| jitter(4 * tooth + which);
                let crown = DVec3::new(side * x, y, CROWN_MM[jaw])
                    + DVec3::new(0.4 * wobble(0), 0.5 * wobble(1), 0.5 * wobble(2));
                let size = shrunk * (1.0 + 0.05 * wobble(3));
                Self {
                    crown,
                    along: [along.x, along.y],
                    half_mm: [0.5 * size * ALONG_MM[jaw][number], 0.5 * size * ACROSS_MM[jaw][number]],
                    root_mm: ROOT_MM[number],
                    up: if jaw == 0 { 1.0 } else { -1.0 },
                }
            })
            .collect()
    }

    /// Returns the middle of crown and root together.
    pub(super) fn middle(&self) -> DVec3 {
        self.crown + DVec3::Z * (4.0 * self.up)
    }

    /// Returns the distance to the tooth, negative inside; a lower bound far away.
    pub(super) fn distance(&self, q: DVec3) -> f64 {
        /// No part of a tooth is farther from the middle of its crown than this.
        const REACH_MM: f64 = 16.5;
        let away = q - self.crown;
        if away.length_squared() > (REACH_MM + 3.0) * (REACH_MM + 3.0) {
            return away.length() - REACH_MM;
        }
        let [cosine, sine] = self.along;
        let [half_along, half_across] = self.half_mm;
        let p = DVec3::new(away.x * cosine + away.y * sine, away.y * cosine - away.x * sine, away.z * self.up);
        let crown = rounded_box(p, DVec3::new(half_along, half_across, CROWN_HALF_MM), 1.6);
        let radius = 0.8 * half_along.min(half_across);
        let tip = DVec3::new(0.0, 0.0, self.root_mm);
        smooth_min(crown, tube(p, DVec3::new(0.0, 0.0, 1.0), tip, [radius, 1.1]), 1.5)
    }
}

/// Returns the distance to the heights where crowns are covered by enamel, negative there.
pub(super) fn enamelled(q: DVec3) -> f64 {
    (q.z - 0.5 * (CROWN_MM[0] + CROWN_MM[1])).abs() - 0.5 * (CROWN_MM[0] - CROWN_MM[1]) - CROWN_HALF_MM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teeth_stand_side_by_side_along_the_arch() {
        let teeth = Tooth::all(0, |_| 0.0);
        assert_eq!(teeth.len(), 28);
        for row in [&teeth[..7], &teeth[14..21]] {
            for pair in row.windows(2) {
                let between = 0.5 * (pair[0].crown + pair[1].crown);
                let gap = pair[0].distance(between).min(pair[1].distance(between));
                assert!(gap.abs() < 1.5, "{gap} mm between neighbours");
                assert!(pair[1].distance(pair[0].crown) > 0.5, "no tooth stands in another");
            }
        }
        assert!(teeth.iter().all(|tooth| tooth.distance(tooth.crown) < -2.0 && enamelled(tooth.crown) < 0.0));
        assert_eq!(Tooth::all(0b101, |_| 0.0).len(), 26);
    }
}
