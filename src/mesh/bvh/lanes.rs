//! A few numbers side by side, in plain code and for two instruction sets. All give the same bits: no operation is fused
//! or reordered, only more of them run at once.
//!
//! The searches are written once, generic over [`Lanes`], and inlined into one function per instruction set
//! ([`for_each_set`](super::set::for_each_set)): the compiler turned no loop of this length into vector instructions by itself.

use super::node::WIDE;

/// Doubles side by side, and what a search does with them. Operations act lane by lane.
pub(super) trait Lanes: Copy {
    /// Number of lanes: divides the triangles of a block.
    const N: usize;
    /// A yes or no a lane.
    type Mask: Copy;
    /// Returns the same number in every lane.
    fn splat(value: f64) -> Self;
    /// Returns the first `N` numbers.
    fn load(from: &[f64]) -> Self;
    /// Writes the lanes to the first `N` places.
    fn store(self, to: &mut [f64]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// Returns where this is less; nowhere where one is no number.
    fn below(self, other: Self) -> Self::Mask;
    /// Returns where this is less or equal.
    fn up_to(self, other: Self) -> Self::Mask;
    fn both(one: Self::Mask, other: Self::Mask) -> Self::Mask;
    /// Returns the one number where the mask says yes, the other elsewhere.
    fn pick(mask: Self::Mask, one: Self, other: Self) -> Self;
    /// Returns whether any lane is not greater than a limit: less, equal, or no number.
    fn any_not_above(self, limit: f64) -> bool;
    /// Returns the squared distances from a box to eight others in single precision, 0 where they meet, and a bit for each
    /// that is at most the limit.
    fn squared_gaps(low: &Eight, high: &Eight, from: [f32; 3], to: [f32; 3], limit: f32) -> ([f32; WIDE], u32);
}

/// A coordinate of eight boxes, by axis.
pub(super) type Eight = [[f32; WIDE]; 3];

/// One lane: plain code.
impl Lanes for f64 {
    const N: usize = 1;
    type Mask = bool;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        from[0]
    }

    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        to[0] = self;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self - other
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self * other
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self / other
    }

    #[inline(always)]
    fn below(self, other: Self) -> bool {
        self < other
    }

    #[inline(always)]
    fn up_to(self, other: Self) -> bool {
        self <= other
    }

    #[inline(always)]
    fn both(one: bool, other: bool) -> bool {
        one & other
    }

    #[inline(always)]
    fn pick(mask: bool, one: Self, other: Self) -> Self {
        if mask { one } else { other }
    }

    #[inline(always)]
    fn any_not_above(self, limit: f64) -> bool {
        self <= limit || self.is_nan()
    }

    #[inline(always)]
    fn squared_gaps(low: &Eight, high: &Eight, from: [f32; 3], to: [f32; 3], limit: f32) -> ([f32; WIDE], u32) {
        // `if` instead of `max`: one instruction, and what is no number counts as 0, which is safe.
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        let mut squared = [0.0_f32; WIDE];
        for axis in 0..3 {
            for (lane, squared) in squared.iter_mut().enumerate() {
                let outside = larger(larger(low[axis][lane] - to[axis], from[axis] - high[axis][lane]), 0.0);
                *squared += outside * outside;
            }
        }
        let mut within = 0;
        for (lane, &squared) in squared.iter().enumerate() {
            within |= u32::from(squared <= limit) << lane;
        }
        (squared, within)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Eight, Lanes, WIDE};

    /// Implements [`Lanes`] for a register type.
    macro_rules! lanes {
        (
            $(#[$doc:meta])* $name:ident, $register:ident, $n:literal, $mask:ident, $splat:ident, $load:ident, $store:ident,
            $add:ident, $sub:ident, $mul:ident, $div:ident, $compare:ident, $both:ident, $pick:ident, $any:ident
        ) => {
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name($register);

            #[expect(unsafe_code, reason = "vector instructions; inlined into functions that enable them")]
            impl Lanes for $name {
                const N: usize = $n;
                type Mask = $mask;

                #[inline(always)]
                fn splat(value: f64) -> Self {
                    // SAFETY: values of this type are made only in functions that `for_each_set` compiles for the set,
                    // which are called only on machines that have it.
                    Self(unsafe { $splat(value) })
                }

                #[inline(always)]
                fn load(from: &[f64]) -> Self {
                    let from = &from[..$n];
                    // SAFETY: as above; the slice holds the numbers that are read, at any alignment.
                    Self(unsafe { $load(from.as_ptr()) })
                }

                #[inline(always)]
                fn store(self, to: &mut [f64]) {
                    let to = &mut to[..$n];
                    // SAFETY: as above; the slice holds the numbers that are written, at any alignment.
                    unsafe { $store(to.as_mut_ptr(), self.0) };
                }

                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $add(self.0, other.0) })
                }

                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $sub(self.0, other.0) })
                }

                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $mul(self.0, other.0) })
                }

                #[inline(always)]
                fn div(self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $div(self.0, other.0) })
                }

                #[inline(always)]
                fn below(self, other: Self) -> $mask {
                    // SAFETY: as above.
                    unsafe { $compare::<_CMP_LT_OQ>(self.0, other.0) }
                }

                #[inline(always)]
                fn up_to(self, other: Self) -> $mask {
                    // SAFETY: as above.
                    unsafe { $compare::<_CMP_LE_OQ>(self.0, other.0) }
                }

                #[inline(always)]
                fn both(one: $mask, other: $mask) -> $mask {
                    // SAFETY: as above.
                    unsafe { $both(one, other) }
                }

                #[inline(always)]
                fn pick(mask: $mask, one: Self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $pick(mask, one.0, other.0) })
                }

                #[inline(always)]
                fn any_not_above(self, limit: f64) -> bool {
                    // SAFETY: as above.
                    unsafe { $any($compare::<_CMP_NGT_UQ>(self.0, $splat(limit))) }
                }

                #[inline(always)]
                fn squared_gaps(
                    low: &Eight,
                    high: &Eight,
                    from: [f32; 3],
                    to: [f32; 3],
                    limit: f32,
                ) -> ([f32; WIDE], u32) {
                    // SAFETY: as above; both sets have these instructions.
                    unsafe { squared_gaps(low, high, from, to, limit) }
                }
            }
        };
    }

    lanes! {
        /// Four lanes in an AVX register.
        Avx2, __m256d, 4, __m256d, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd,
        _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_div_pd, _mm256_cmp_pd,
        _mm256_and_pd, pick_of_4, any_of_4
    }

    lanes! {
        /// Eight lanes in an AVX-512 register.
        Avx512, __m512d, 8, __mmask8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd,
        _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_div_pd, _mm512_cmp_pd_mask,
        both_of_8, pick_of_8, any_of_8
    }

    /// # Safety
    /// The machine has AVX2.
    #[inline(always)]
    #[expect(unsafe_code, reason = "vector instructions")]
    unsafe fn pick_of_4(mask: __m256d, one: __m256d, other: __m256d) -> __m256d {
        // SAFETY: the caller's promise.
        unsafe { _mm256_blendv_pd(other, one, mask) }
    }

    /// # Safety
    /// The machine has AVX2.
    #[inline(always)]
    #[expect(unsafe_code, reason = "vector instructions")]
    unsafe fn any_of_4(mask: __m256d) -> bool {
        // SAFETY: the caller's promise.
        unsafe { _mm256_movemask_pd(mask) != 0 }
    }

    /// # Safety
    /// None is needed: it stands beside others.
    #[inline(always)]
    #[expect(unsafe_code, reason = "called as its like for four lanes")]
    const unsafe fn both_of_8(one: __mmask8, other: __mmask8) -> __mmask8 {
        one & other
    }

    /// # Safety
    /// The machine has AVX-512.
    #[inline(always)]
    #[expect(unsafe_code, reason = "vector instructions")]
    unsafe fn pick_of_8(mask: __mmask8, one: __m512d, other: __m512d) -> __m512d {
        // SAFETY: the caller's promise.
        unsafe { _mm512_mask_blend_pd(mask, other, one) }
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    #[expect(unsafe_code, reason = "called as its like for four lanes")]
    const unsafe fn any_of_8(mask: __mmask8) -> bool {
        mask != 0
    }

    /// # Safety
    /// The machine has AVX2.
    #[inline(always)]
    #[expect(unsafe_code, reason = "vector instructions")]
    unsafe fn squared_gaps(low: &Eight, high: &Eight, from: [f32; 3], to: [f32; 3], limit: f32) -> ([f32; WIDE], u32) {
        let mut squared = [0.0; WIDE];
        // SAFETY: the caller's promise; the arrays hold the eight numbers that are read and written.
        let within = unsafe {
            let mut sum = _mm256_setzero_ps();
            for axis in 0..3 {
                let below = _mm256_sub_ps(_mm256_loadu_ps(low[axis].as_ptr()), _mm256_set1_ps(to[axis]));
                let above = _mm256_sub_ps(_mm256_set1_ps(from[axis]), _mm256_loadu_ps(high[axis].as_ptr()));
                // Of two the second where one is no number, as in plain code.
                let outside = _mm256_max_ps(_mm256_max_ps(below, above), _mm256_setzero_ps());
                sum = _mm256_add_ps(sum, _mm256_mul_ps(outside, outside));
            }
            _mm256_storeu_ps(squared.as_mut_ptr(), sum);
            _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(sum, _mm256_set1_ps(limit)))
        };
        (squared, within as u32)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};
