//! A vector of f32 lanes with the four operations that the kernels are made of, in plain code and for the instruction sets of
//! x86-64; that of 64-bit ARM is in `neon.rs`.
//!
//! The kernels are written once, generic over [`Lanes`], and inlined into one function per instruction set
//! ([`multiversion`]): a loop over plain arrays was left in memory by the compiler instead of in registers, at a third of
//! the speed.

/// A few f32 numbers side by side. Operations act lane by lane, so the width never reaches a result.
#[expect(unsafe_code, reason = "reads and writes at addresses, whose bounds are checked once a tile")]
pub(super) trait Lanes: Copy {
    /// Number of lanes.
    const N: usize;
    /// Returns the same number in every lane.
    fn splat(value: f32) -> Self;
    /// Returns the first `N` numbers.
    fn load(from: &[f32]) -> Self;
    /// Writes the lanes to the first `N` places.
    fn store(self, to: &mut [f32]);
    /// Returns the `N` numbers at an address.
    ///
    /// # Safety
    /// They are there, and nobody writes them meanwhile.
    unsafe fn read(from: *const f32) -> Self;
    /// Writes the lanes to the `N` places at an address.
    ///
    /// # Safety
    /// They are there, and nobody else uses them meanwhile.
    unsafe fn write(self, to: *mut f32);
    /// Returns `self * factor + addend`, rounded once.
    fn fma(self, factor: Self, addend: Self) -> Self;

    /// What [`Self::tap`] needs to know of a distance.
    type Apart: Copy;
    /// Returns what [`Self::tap`] needs to know of a distance of at most 16 numbers.
    fn apart(distance: usize) -> Self::Apart;
    /// Returns the `T` vectors that lie the distance before an address (tap 0), at it (1), or behind it (2).
    ///
    /// # Safety
    /// They are there, with 16 numbers more on either side, the address is that of a whole vector, and nobody writes
    /// meanwhile.
    unsafe fn tap<const T: usize>(from: *const f32, tap: usize, apart: Self::Apart) -> [Self; T];
}

/// Vectors that lie a distance before and behind an address, read there.
macro_rules! read_tap {
    () => {
        type Apart = usize;

        #[inline(always)]
        fn apart(distance: usize) -> usize {
            distance
        }

        #[inline(always)]
        unsafe fn tap<const T: usize>(from: *const f32, tap: usize, apart: usize) -> [Self; T] {
            let from = from.wrapping_add(tap * apart).wrapping_sub(apart);
            // SAFETY: the caller's promise.
            std::array::from_fn(|i| unsafe { Self::read(from.wrapping_add(i * Self::N)) })
        }
    };
}

#[cfg(target_arch = "aarch64")]
pub(super) use read_tap;

/// Numbers in a cache line.
pub(super) const LINE: usize = 16;

/// Asks for the cache line at an address to be brought to the first-level cache (`LEVEL` 1) or the second.
#[inline(always)]
pub(super) fn prefetch<const LEVEL: u8>(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "an instruction with no effect but on time")]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if LEVEL == 1 {
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T1>(address.cast());
        }
    }
    #[cfg(target_arch = "aarch64")]
    #[expect(unsafe_code, reason = "an instruction with no effect but on time")]
    // SAFETY: as above.
    unsafe {
        use std::arch::asm;
        if LEVEL == 1 {
            asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
        } else {
            asm!("prfm pldl2keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Asks for so many numbers from an address on to be brought to the first-level cache.
#[inline(always)]
pub(super) fn prefetch_near(address: *const f32, numbers: usize) {
    for line in 0..numbers.div_ceil(LINE) {
        prefetch::<1>(address.wrapping_add(LINE * line));
    }
}

/// Returns the address, of which the compiler then knows nothing: it can load nothing from there earlier.
#[inline(always)]
pub(super) fn hide(address: *const f32) -> *const f32 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut address = address;
        #[expect(unsafe_code, clippy::pointers_in_nomem_asm_block, reason = "no instruction, which reads nothing")]
        // SAFETY: a comment, with the address in a register before and after.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) address, options(nomem, nostack, preserves_flags));
        }
        address
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    std::hint::black_box(address)
}

/// Eight lanes in plain code.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 8]);

#[expect(unsafe_code, reason = "reads and writes at addresses, as the vector instructions do")]
impl Lanes for Plain {
    const N: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let mut lanes = [0.0; 8];
        lanes.copy_from_slice(&from[..8]);
        Self(lanes)
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to[..8].copy_from_slice(&self.0);
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the caller's promise; an array of f32 needs no more alignment than f32.
        Self(unsafe { from.cast::<[f32; 8]>().read() })
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; 8]>().write(self.0) };
    }

    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(factor.0[i], addend.0[i])))
    }

    read_tap!();
}

/// Implements [`Lanes`] for a register type of x86-64.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_lanes {
    ($(#[$doc:meta])* $name:ident, $register:ident, $n:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, $($tap:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name(std::arch::x86_64::$register);

        #[expect(unsafe_code, reason = "vector instructions; inlined into functions that enable them")]
        impl Lanes for $name {
            const N: usize = $n;

            #[inline(always)]
            fn splat(value: f32) -> Self {
                // SAFETY: values of this type are made only in functions that `multiversion` compiles for the set,
                // which are called only on machines that have it.
                Self(unsafe { std::arch::x86_64::$splat(value) })
            }

            #[inline(always)]
            fn load(from: &[f32]) -> Self {
                let from = &from[..$n];
                // SAFETY: as above; the slice holds the $n numbers that are read, at any alignment.
                Self(unsafe { std::arch::x86_64::$load(from.as_ptr()) })
            }

            #[inline(always)]
            fn store(self, to: &mut [f32]) {
                let to = &mut to[..$n];
                // SAFETY: as above; the slice holds the $n numbers that are written, at any alignment.
                unsafe { std::arch::x86_64::$store(to.as_mut_ptr(), self.0) };
            }

            #[inline(always)]
            unsafe fn read(from: *const f32) -> Self {
                // SAFETY: as above for the instruction; the numbers are the caller's promise.
                Self(unsafe { std::arch::x86_64::$load(from) })
            }

            #[inline(always)]
            unsafe fn write(self, to: *mut f32) {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$store(to, self.0) };
            }

            #[inline(always)]
            fn fma(self, factor: Self, addend: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { std::arch::x86_64::$fma(self.0, factor.0, addend.0) })
            }

            $($tap)*
        }
    };
}

/// Vectors that lie a distance before and behind an address, put together from whole ones: of three loads at distances
/// two would cross from one cache line into the next.
#[cfg(target_arch = "x86_64")]
macro_rules! permute_tap {
    () => {
        /// For each lane of the vectors before and behind its number in two whole ones.
        type Apart = [std::arch::x86_64::__m512i; 2];

        #[inline(always)]
        fn apart(distance: usize) -> Self::Apart {
            use std::arch::x86_64::{_mm512_add_epi32, _mm512_set1_epi32, _mm512_setr_epi32};
            let from = |first: usize| {
                // SAFETY: as for the other instructions of this type.
                unsafe {
                    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                    _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32))
                }
            };
            [from(16 - distance), from(distance)]
        }

        #[inline(always)]
        unsafe fn tap<const T: usize>(from: *const f32, tap: usize, [before, behind]: Self::Apart) -> [Self; T] {
            use std::arch::x86_64::{_mm512_load_ps, _mm512_permutex2var_ps};
            // SAFETY: the caller's promise: `i` is at most one vector before and behind.
            let whole = |i: usize| unsafe { _mm512_load_ps(from.wrapping_add(16 * i).wrapping_sub(16)) };
            // SAFETY: as for the other instructions of this type.
            let both = |i, lanes| Self(unsafe { _mm512_permutex2var_ps(whole(i), lanes, whole(i + 1)) });
            match tap {
                0 => std::array::from_fn(|i| both(i, before)),
                1 => std::array::from_fn(|i| Self(whole(i + 1))),
                _ => std::array::from_fn(|i| both(i + 1, behind)),
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_lanes! {
    /// Eight lanes in an AVX register.
    Avx2, __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps,
    read_tap!();
}

#[cfg(target_arch = "x86_64")]
x86_lanes! {
    /// Sixteen lanes in an AVX-512 register.
    Avx512, __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps,
    permute_tap!();
}

/// Defines `fn name(simd, arguments)` that runs `body::<L>(arguments)` compiled for the chosen instruction set, `L` being its
/// [`Lanes`]. A body that is unsafe makes the function `[unsafe]`, under the same conditions.
macro_rules! multiversion {
    (
        $(#[$doc:meta])*
        $visible:vis $([$unsafe:tt])? fn $name:ident $(<$life:lifetime>)? ($($argument:ident: $kind:ty),* $(,)?) = $body:ident
    ) => {
        $(#[$doc])*
        #[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls code compiled for one instruction set"))]
        #[cfg_attr(not(target_arch = "x86_64"), allow(unsafe_code, reason = "where the body is unsafe"))]
        $visible $($unsafe)? fn $name $(<$life>)? (simd: $crate::model::kernels::Simd, $($argument: $kind),*) {
            use $crate::model::kernels::{Simd, lanes};

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            $($unsafe)? fn with_avx2 $(<$life>)? ($($argument: $kind),*) {
                // SAFETY: where the body is unsafe, its conditions are this function's.
                $($unsafe)? { $body::<lanes::Avx2>($($argument),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            $($unsafe)? fn with_avx512 $(<$life>)? ($($argument: $kind),*) {
                // SAFETY: as above.
                $($unsafe)? { $body::<lanes::Avx512>($($argument),*) }
            }

            match simd {
                // SAFETY: the set is used only where `Simd::available` has found its instructions on this machine; and as
                // above.
                #[cfg(target_arch = "x86_64")]
                Simd::Avx2 if simd.available() => unsafe { with_avx2($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Simd::Avx512 if simd.available() => unsafe { with_avx512($($argument),*) },
                // SAFETY: as above; every processor of this kind has it.
                #[cfg(target_arch = "aarch64")]
                Simd::Neon => $($unsafe)? { $body::<$crate::model::kernels::neon::Neon>($($argument),*) },
                // SAFETY: as above.
                _ => $($unsafe)? { $body::<lanes::Plain>($($argument),*) },
            }
        }
    };
}
pub(super) use multiversion;
