//! Eight lanes in two registers of NEON, which every 64-bit ARM processor has.

#![expect(unsafe_code, reason = "reads and writes at addresses, as the vector instructions do")]

use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32};

use super::lanes::{Lanes, read_tap};

/// Eight lanes in two registers: the tiles that fill sixteen registers of eight lanes fill the thirty-two of four.
#[derive(Clone, Copy)]
pub(super) struct Neon([float32x4_t; 2]);

impl Lanes for Neon {
    const N: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the instructions are there wherever this is compiled, here and below.
        Self([unsafe { vdupq_n_f32(value) }; 2])
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        // SAFETY: the slice holds the eight numbers that are read.
        unsafe { Self::read(from[..8].as_ptr()) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        // SAFETY: the slice holds the eight numbers that are written.
        unsafe { self.write(to[..8].as_mut_ptr()) };
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the caller's promise; any alignment will do.
        unsafe { Self([vld1q_f32(from), vld1q_f32(from.wrapping_add(4))]) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe {
            vst1q_f32(to, self.0[0]);
            vst1q_f32(to.wrapping_add(4), self.0[1]);
        }
    }

    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        // SAFETY: as above.
        Self(std::array::from_fn(|half| unsafe { vfmaq_f32(addend.0[half], self.0[half], factor.0[half]) }))
    }

    read_tap!();
}
