//! Exponential and logarithm: the chains of `numeric::elementary`, operation by operation.

use cubecl::prelude::*;

const LN_2_HIGH: f32 = 0.693_145_75;
const LN_2_LOW: f32 = 1.428_606_8e-6;

/// Returns e to the power `x`, as `numeric::exp_f32` does.
#[cube]
pub(crate) fn exp(x: f32) -> f32 {
    let capped = select(x > 89.0f32, 89.0f32, x);
    let clamped = select(capped < -88.0f32, -88.0f32, capped);
    let n = f32::round(clamped * comptime!(core::f32::consts::LOG2_E));
    let r = fma(n, -LN_2_LOW, fma(n, -LN_2_HIGH, clamped));
    let mut p = fma(r, comptime!(1.0f32 / 5040.0), comptime!(1.0f32 / 720.0));
    p = fma(r, p, comptime!(1.0f32 / 120.0));
    p = fma(r, p, comptime!(1.0f32 / 24.0));
    p = fma(r, p, comptime!(1.0f32 / 6.0));
    p = fma(r, p, 0.5f32);
    p = fma(r, p, 1.0f32);
    p = fma(r, p, 1.0f32);
    let half = (n as i32) >> 1i32;
    let result = p * power_of_two(half) * power_of_two(n as i32 - half);
    select(x < -87.3f32, 0.0f32, result)
}

#[cube]
fn power_of_two(n: i32) -> f32 {
    f32::reinterpret(((n + 127i32) as u32) << 23u32)
}

/// Returns the natural logarithm of a positive normal number, as `numeric::ln_f32` does.
#[cube]
pub(crate) fn ln(x: f32) -> f32 {
    let bits = u32::reinterpret(x);
    let shifted = bits - 0x3f35_04f3u32;
    let k = f32::cast_from(i32::reinterpret(shifted) >> 23i32);
    let m = f32::reinterpret(bits - (shifted & 0xff80_0000u32));
    let f = m - 1.0f32;
    let s = f / (f + 2.0f32);
    let s2 = s * s;
    let mut p = fma(s2, comptime!(2.0f32 / 9.0), comptime!(2.0f32 / 7.0));
    p = fma(s2, p, comptime!(2.0f32 / 5.0));
    p = fma(s2, p, comptime!(2.0f32 / 3.0));
    let correction = fma(s, fma(s2, p, -f), k * LN_2_LOW);
    fma(k, LN_2_HIGH, f + correction)
}
