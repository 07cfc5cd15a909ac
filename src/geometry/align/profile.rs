//! What a scanner shows of a wall of bone along a line across it, and where on that line the wall stands.
//!
//! ```text
//!   tissue │  bone  │ tissue │ air          b ┤   ╭──╮
//!          -τ       0       skin              o ┤ ──╯  ╰──╮        t ─▶ along the outward normal
//!   the mesh knows τ, the image knows the levels  ┤         ╰──
//! ```
//! A voxel averages: an edge is a step blurred by slice and pixel, and the half height of a thin wall's edge is not half of
//! bone. The mesh says how thick the wall is, so the model is the blurred wall itself; its levels are linear unknowns, and
//! the shift of the whole wall is what is looked for. A wall is a sandwich: its two tables are brighter than its middle, and
//! not equally so, which in a thick slice looks like a shift; so each table has a level of its own, held loosely, and where
//! the slice is too thick to tell the two apart the shift is known the worse and counts the less. Same idea as Treece et al. 2010 (cortical bone mapping), with the
//! thickness known and the place unknown.

/// Samples a standard deviation of the blur.
const PER_SIGMA: f64 = 3.0;
/// Samples on either side of the surface.
pub(super) const REACH: usize = 12;
/// All samples of a profile.
pub(super) const SAMPLES: usize = 2 * REACH + 1;
/// How far the model looks: into the bone, beyond its other side, and out of it, standard deviations.
const INTO: f64 = 4.0;
const BEYOND: f64 = 1.5;
const OUT: f64 = 3.0;
/// Half way between tissue and air, HU.
const SKIN_HU: f64 = -480.0;
/// Skin nearer than this, standard deviations, is no skin but a dry bone.
const DRY: f64 = 1.0;
/// Bone must stand out from what lies outside by so much, HU.
const LEAST_HU: f64 = 120.0;
/// How firmly both sides of a wall are taken to be alike, and its tables like its middle: the square of noise over what is
/// likely (40 HU over 60, and over 900), in samples of full weight.
const ALIKE: f64 = 0.5;
const EVEN: f64 = 0.002;
/// Depth of the tables, the compact layers under both faces of a wall, mm.
const TABLE_MM: f64 = 1.3;
/// Rounds of the fit, and the largest shift, standard deviations.
const ROUNDS: usize = 3;
const MOST_SHIFT: f64 = 1.5;

/// The mesh along the outward normal of one of its points: where it is crossed, mm from the point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wall {
    /// Thickness: how far inwards the bone ends.
    pub(super) thickness_mm: Option<f64>,
    /// How far inwards the next bone begins.
    pub(super) behind_mm: Option<f64>,
    /// How far outwards the next bone begins.
    pub(super) ahead_mm: Option<f64>,
}

/// Where the image sees the wall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    /// How far the wall of the image lies outwards of the mesh's, mm.
    pub(super) shift_mm: f64,
    /// Fisher information of the shift for unit noise, HU²/mm².
    pub(super) information: f64,
    /// Mean square of what the model does not explain, HU².
    pub(super) variance: f64,
    /// Bone above what lies outside, HU.
    pub(super) contrast_hu: f64,
}

/// The normal distribution and its density, tabulated; and the weights of the samples.
pub(super) struct Kernel {
    below: Vec<f64>,
    weights: [f64; SAMPLES],
}

/// Steps of the table a standard deviation, and how far it reaches.
const STEPS: f64 = 64.0;
const FAR: f64 = 5.0;

impl Kernel {
    pub(super) fn new() -> Self {
        let n = (2.0 * FAR * STEPS) as usize + 2;
        let at = |i: usize| 0.5 * libm::erfc((FAR - i as f64 / STEPS) * std::f64::consts::FRAC_1_SQRT_2);
        let weight = |k: usize| {
            let t = (k as f64 - REACH as f64) / PER_SIGMA;
            libm::exp(-t * t / 8.0)
        };
        Self { below: (0..n).map(at).collect(), weights: std::array::from_fn(weight) }
    }

    /// Returns the share of a standard normal distribution below `x`, and its density there, both by the table's line.
    fn step(&self, x: f64) -> (f64, f64) {
        let at = (x + FAR) * STEPS;
        if at <= 0.0 {
            return (0.0, 0.0);
        }
        let low = at as usize;
        let Some([below, above]) = self.below.get(low..low + 2) else { return (1.0, 0.0) };
        let slope = above - below;
        (below + slope * (at - low as f64), slope * STEPS)
    }
}

/// Returns where sample `k` lies, in standard deviations of the blur.
pub(super) fn place(k: usize) -> f64 {
    (k as f64 - REACH as f64) / PER_SIGMA
}

/// Unknowns: three levels, air on both sides, how much brighter either table is, the shift.
const MOST: usize = 8;
const SHIFT: usize = MOST - 1;

/// Returns where the wall stands in a profile; nothing when the profile shows no bone there or too little of itself.
///
/// `sigma_mm` is the standard deviation of the blur along the normal; samples are `sigma_mm / 3` apart, NaN outside the scan.
pub(super) fn edge(kernel: &Kernel, samples: &[f32; SAMPLES], wall: &Wall, sigma_mm: f64) -> Option<Edge> {
    let near = &samples[REACH - PER_SIGMA as usize..=REACH + PER_SIGMA as usize];
    if near.iter().any(|value| value.is_nan()) {
        return None;
    }
    let in_sigmas = |mm: Option<f64>| mm.map_or(f64::INFINITY, |mm| mm / sigma_mm);
    let [thick, behind, ahead] = [wall.thickness_mm, wall.behind_mm, wall.ahead_mm].map(in_sigmas);
    let low = -INTO.min(thick + BEYOND);
    let window = Window {
        skin: skin(samples, REACH..SAMPLES).filter(|&t| t > DRY),
        skin_behind: skin(samples, (0..=REACH).rev()).filter(|&t| -t > thick + DRY),
        first: ((low * PER_SIGMA).ceil() + REACH as f64).max(0.0) as usize,
        last: (REACH + (OUT * PER_SIGMA) as usize).min(SAMPLES - 1),
        thick,
        behind,
        ahead,
        table: TABLE_MM / sigma_mm,
    };
    let mut shift = 0.0;
    let mut found = None;
    for _ in 0..ROUNDS {
        let solved = window.solve(kernel, samples, shift, found.map(|(_, levels)| levels))?;
        shift += solved.0.shift_mm;
        if !(shift.abs() <= MOST_SHIFT && solved.0.contrast_hu >= LEAST_HU) {
            return None;
        }
        found = Some(solved);
    }
    let (edge, _) = found?;
    Some(Edge { shift_mm: shift * sigma_mm, information: edge.information / (sigma_mm * sigma_mm), ..edge })
}

/// Returns where the samples first fall to air, in standard deviations.
fn skin(samples: &[f32; SAMPLES], order: impl Iterator<Item = usize>) -> Option<f64> {
    let mut before: Option<(f64, f64)> = None;
    for k in order {
        let (t, value) = (place(k), f64::from(samples[k]));
        if value < SKIN_HU {
            let (t0, value0) = before?;
            return Some(t0 + (t - t0) * (value0 - SKIN_HU) / (value0 - value));
        }
        before = Some((t, value));
    }
    None
}

struct Window {
    first: usize,
    last: usize,
    thick: f64,
    behind: f64,
    ahead: f64,
    table: f64,
    skin: Option<f64>,
    skin_behind: Option<f64>,
}

impl Window {
    /// Returns the shares of bone, of what lies behind the wall, and of the near and far table at `t`, each with its slope.
    fn shares(&self, kernel: &Kernel, t: f64) -> [(f64, f64); 4] {
        let out = kernel.step(t);
        let down = |at: f64| {
            let (share, slope) = kernel.step(-t - at);
            (share, -slope)
        };
        let (beyond, more) = (down(self.thick), down(self.behind));
        let next = kernel.step(t - self.ahead);
        let sum = |f: &dyn Fn((f64, f64)) -> f64, parts: &[(f64, (f64, f64))]| -> f64 {
            parts.iter().map(|&(sign, part)| sign * f(part)).sum()
        };
        let both = |parts: &[(f64, (f64, f64))]| (sum(&|part| part.0, parts), sum(&|part| part.1, parts));
        let bone = both(&[(1.0, (1.0, 0.0)), (-1.0, out), (-1.0, beyond), (1.0, more), (1.0, next)]);
        let depth = self.table.min(0.5 * self.thick);
        let under = down(depth);
        let above = down(self.thick - depth);
        let near = both(&[(1.0, (1.0, 0.0)), (-1.0, out), (-1.0, under)]);
        let far = both(&[(1.0, above), (-1.0, beyond)]);
        [bone, both(&[(1.0, beyond), (-1.0, more)]), near, far]
    }

    /// Solves for levels and shift about a shift; returns the edge, in standard deviations, and the levels.
    fn solve(
        &self,
        kernel: &Kernel,
        samples: &[f32; SAMPLES],
        shift: f64,
        known: Option<[f64; 4]>,
    ) -> Option<(Edge, [f64; 4])> {
        let levels = |x: &[f64; MOST]| [x[1], x[2], x[5], x[6]];
        let known = match known {
            Some(known) => known,
            None => levels(&self.least_squares(kernel, samples, shift, None)?.0),
        };
        let (x, information, variance) = self.least_squares(kernel, samples, shift, Some(known))?;
        let edge = Edge { shift_mm: x[SHIFT], information, variance, contrast_hu: x[1] + x[5] };
        Some((edge, levels(&x)))
    }

    /// Weighted least squares for outside, bone, behind, air outside, air behind, the tables, and the shift when slopes
    /// are known.
    #[expect(clippy::needless_range_loop, reason = "matrix algebra reads by index")]
    fn least_squares(
        &self,
        kernel: &Kernel,
        samples: &[f32; SAMPLES],
        shift: f64,
        slopes: Option<[f64; 4]>,
    ) -> Option<([f64; MOST], f64, f64)> {
        let row = |k: usize| {
            let t = place(k);
            let [bone, behind, near, far] = self.shares(kernel, t - shift);
            let air = self.skin.map_or(0.0, |skin| kernel.step(t - skin).0);
            let air_behind = self.skin_behind.map_or(0.0, |skin| kernel.step(skin - t).0);
            let slide = slopes.map_or(0.0, |[b, q, n, f]| -(b * bone.1 + q * behind.1 + n * near.1 + f * far.1));
            [1.0, bone.0, behind.0, air, air_behind, near.0, far.0, slide]
        };
        let mut matrix = [[0.0; MOST]; MOST];
        let mut right = [0.0; MOST];
        let mut total = 0.0;
        let mut rows = [([0.0; MOST], 0.0, 0.0); SAMPLES];
        let mut seen = 0;
        for k in (self.first..=self.last).filter(|&k| !samples[k].is_nan()) {
            rows[seen] = (row(k), kernel.weights[k], f64::from(samples[k]));
            let (row, weight, value) = rows[seen];
            seen += 1;
            total += weight;
            for i in 0..MOST {
                let weighted = weight * row[i];
                for j in 0..=i {
                    matrix[i][j] += weighted * row[j];
                }
                right[i] += weighted * value;
            }
        }
        matrix[2][2] += ALIKE;
        matrix[5][5] += EVEN;
        matrix[6][6] += EVEN;
        // Columns that are not there, or almost not, stay at zero.
        for i in 0..MOST {
            matrix[i][i] += if i == SHIFT { f64::from(u8::from(slopes.is_none())) } else { 1e-6 * total };
        }
        let lower = cholesky(&matrix)?;
        let x = substitute(&lower, right);
        let mut squares = 0.0;
        for (row, weight, value) in &rows[..seen] {
            let model: f64 = (0..MOST).map(|i| row[i] * x[i]).sum();
            let away = value - model;
            squares += weight * away * away;
        }
        let last = lower[SHIFT][SHIFT];
        Some((x, last * last, squares / total.max(1e-9)))
    }
}

#[expect(clippy::needless_range_loop, reason = "matrix algebra reads by index")]
fn cholesky(matrix: &[[f64; MOST]; MOST]) -> Option<[[f64; MOST]; MOST]> {
    let mut lower = [[0.0; MOST]; MOST];
    for i in 0..MOST {
        for j in 0..=i {
            let mut sum = matrix[i][j];
            for k in 0..j {
                sum -= lower[i][k] * lower[j][k];
            }
            if i == j {
                if !(sum > 0.0 && sum.is_finite()) {
                    return None;
                }
                lower[i][i] = sum.sqrt();
            } else {
                lower[i][j] = sum / lower[j][j];
            }
        }
    }
    Some(lower)
}

fn substitute(lower: &[[f64; MOST]; MOST], mut x: [f64; MOST]) -> [f64; MOST] {
    for i in 0..MOST {
        for j in 0..i {
            x[i] -= lower[i][j] * x[j];
        }
        x[i] /= lower[i][i];
    }
    for i in (0..MOST).rev() {
        for j in i + 1..MOST {
            x[i] -= lower[j][i] * x[j];
        }
        x[i] /= lower[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wall 1100 HU high, `thick` standard deviations, whose outer face lies at `shift`; scalp 40, air beyond `skin`.
    fn shown(thick: f64, shift: f64, skin: f64) -> [f32; SAMPLES] {
        let below = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        std::array::from_fn(|k| {
            let t = place(k);
            let bone = 1.0 - below(t - shift) - below(-t + shift - thick);
            (40.0 + 1060.0 * bone - 1040.0 * below(t - skin)) as f32
        })
    }

    #[test]
    fn the_wall_is_found_however_thin_and_under_skin() {
        let kernel = Kernel::new();
        for thick in [0.8, 1.5, 3.0, 9.0] {
            for shift in [-0.4, 0.0, 0.25] {
                for skin in [2.5, 9.0] {
                    let wall = Wall { thickness_mm: Some(2.0 * thick), ..Wall::default() };
                    let found = edge(&kernel, &shown(thick, shift, skin), &wall, 2.0).unwrap();
                    let error = found.shift_mm - 2.0 * shift;
                    assert!(error.abs() < 0.06, "thick {thick}, shift {shift}, skin {skin}: {error} mm");
                }
            }
        }
    }

    #[test]
    fn no_bone_is_no_edge() {
        let kernel = Kernel::new();
        assert_eq!(edge(&kernel, &[40.0; SAMPLES], &Wall::default(), 1.0), None);
        assert_eq!(edge(&kernel, &[f32::NAN; SAMPLES], &Wall::default(), 1.0), None);
        let mut hole = shown(3.0, 0.0, 9.0);
        hole.iter_mut().for_each(|value| *value = 80.0 - *value);
        assert_eq!(edge(&kernel, &hole, &Wall { thickness_mm: Some(3.0), ..Wall::default() }, 1.0), None);
    }
}
