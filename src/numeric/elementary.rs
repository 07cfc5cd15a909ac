//! Exponential and logarithm as one written chain of IEEE operations, so that every machine gives the same bits.
//!
//! The platform's functions differ between systems, vector widths and devices. These use only fused multiply-add, add,
//! divide, round-to-even and integer moves, which IEEE 754 fixes, and no branch, so that a loop over them vectorises.

use std::f32::consts::LOG2_E;

/// ln 2 in two parts: the first has 16 significant bits, so that its product with any exponent is exact.
const LN_2_HIGH: f32 = 0.693_145_75;
const LN_2_LOW: f32 = 1.428_606_8e-6;

/// Returns e to the power `x`, within 1.1 units in the last place where the result is a normal number.
///
/// `x = n ln 2 + r` with |r| <= 0.35, and e^r is its Taylor polynomial of degree 7 (remainder 5e-9). Below -87.3 the
/// result goes to 0 (no subnormal results), above 88.7 to infinity; NaN gives NaN.
#[inline(always)]
#[must_use]
pub fn exp_f32(x: f32) -> f32 {
    let clamped = if x > 89.0 { 89.0 } else { x };
    let clamped = if clamped < -88.0 { -88.0 } else { clamped };
    let n = (clamped * LOG2_E).round_ties_even();
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, clamped));
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = r.mul_add(p, coefficient);
    }
    // n is in [-127, 128]: half of the power twice keeps both factors normal.
    let half = power_of_two((n as i32) >> 1);
    let rest = power_of_two((n as i32) - ((n as i32) >> 1));
    let result = p * half * rest;
    if x < -87.3 { 0.0 } else { result }
}

/// Returns 2 to the power `n`, for n in [-126, 127].
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// Returns the natural logarithm of a positive normal number, within 2 units in the last place.
///
/// `x = 2^k m` with m in [0.71, 1.42), `s = (m - 1) / (m + 1)`, ln m = 2 (s + s^3/3 + ... + s^9/9). For 0, negative
/// numbers, subnormal numbers and NaN the result has no meaning.
#[inline(always)]
#[must_use]
pub fn ln_f32(x: f32) -> f32 {
    // The bits of sqrt(1/2) are the zero of the exponent count: then m lies around 1.
    let shifted = x.to_bits().wrapping_sub(0x3f35_04f3) as i32;
    let k = (shifted >> 23) as f32;
    let m = f32::from_bits(x.to_bits().wrapping_sub((shifted & 0xff80_0000_u32 as i32) as u32));
    let f = m - 1.0;
    let s = f / (f + 2.0);
    let s2 = s * s;
    let mut p = 2.0 / 9.0;
    for coefficient in [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0] {
        p = s2.mul_add(p, coefficient);
    }
    // ln m = 2 s + s^3 p, and 2 s = f - s f, which keeps f exact.
    let correction = s.mul_add(s2.mul_add(p, -f), k * LN_2_LOW);
    k.mul_add(LN_2_HIGH, f + correction)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the largest relative error over `n` arguments from `low` to `high`.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, low: f32, high: f32, n: u32) -> f64 {
        (0..=n)
            .map(|i| low + (high - low) * (i as f32 / n as f32))
            .map(|x| {
                let truth = exact(f64::from(x));
                ((f64::from(f(x)) - truth) / truth).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_within_its_bound() {
        let error = worst(exp_f32, libm::exp, -87.0, 88.0, 2_000_000);
        println!("exp: largest relative error {error:.3e}");
        assert!(error < 1.1 * f64::from(f32::EPSILON), "{error:e}");
        assert_eq!(exp_f32(0.0), 1.0);
        assert_eq!(exp_f32(-1000.0), 0.0);
        assert_eq!(exp_f32(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_f32(200.0), f32::INFINITY);
        assert!(exp_f32(f32::NAN).is_nan());
    }

    #[test]
    fn ln_is_within_its_bound() {
        let near_one = worst(ln_f32, libm::log, 1.000_001, 1.5, 1_000_000);
        let below_one = worst(ln_f32, libm::log, 0.5, 0.999_999, 1_000_000);
        let wide = worst(ln_f32, libm::log, 2.0, 1e30, 1_000_000);
        let small = worst(ln_f32, libm::log, 1e-30, 0.4, 1_000_000);
        println!("ln: largest relative errors {near_one:.3e} {below_one:.3e} {wide:.3e} {small:.3e}");
        for error in [near_one, below_one, wide, small] {
            assert!(error < 2.0 * f64::from(f32::EPSILON), "{error:e}");
        }
        assert_eq!(ln_f32(1.0), 0.0);
        assert_eq!(ln_f32(2.0), std::f32::consts::LN_2);
    }
}
