//! The machine's arithmetic: fused multiply-adds a second on registers alone, on all threads of the pool.

use std::time::Instant;

use crate::model::kernels;

/// Seconds that a measurement takes at least.
const LEAST_S: f64 = 0.03;
/// Multiply-adds of every accumulator between two looks at the clock.
const ROUNDS: usize = 200_000;

/// Returns the peak, 10⁹ operations a second; a fused multiply-add is two.
pub(super) fn gflops() -> f64 {
    let width = lanes();
    let rates = rayon::broadcast(|_| {
        let (start, mut done) = (Instant::now(), 0.0);
        let mut seconds = 0.0;
        while seconds < LEAST_S {
            std::hint::black_box(chains(width, std::hint::black_box(0.999_f32)));
            done += 2.0 * (ROUNDS * ACCUMULATORS * width) as f64;
            seconds = start.elapsed().as_secs_f64();
        }
        done / seconds * 1e-9
    });
    rates.iter().sum()
}

/// Chains in flight: two ports of four cycles need eight, and registers hold twelve.
const ACCUMULATORS: usize = 12;

/// Returns the lanes of the instructions in use.
fn lanes() -> usize {
    match kernels::active().name() {
        "avx512" => 16,
        "avx2" => 8,
        "scalar" => 1,
        _ => 4,
    }
}

/// Runs the chains in the widest registers in use and returns their sum, so that nothing can be left out.
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls code for vector instructions that were found"))]
fn chains(width: usize, factor: f32) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        match width {
            // SAFETY: `Simd::active` only names sets that this machine can run.
            16 => return unsafe { avx512(factor) },
            // SAFETY: as above.
            8 => return unsafe { avx2(factor) },
            _ => (),
        }
    }
    if width == 1 { plain::<1>(factor) } else { plain::<4>(factor) }
}

fn plain<const N: usize>(factor: f32) -> f32 {
    let mut sums = [[1.0_f32; N]; ACCUMULATORS];
    for _ in 0..ROUNDS {
        for lane in sums.as_flattened_mut() {
            *lane = lane.mul_add(factor, 0.5);
        }
    }
    sums.as_flattened().iter().sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(factor: f32) -> f32 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps};
    let (factor, step) = (_mm512_set1_ps(factor), _mm512_set1_ps(0.5));
    let mut sums = [_mm512_set1_ps(1.0); ACCUMULATORS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, step);
        }
    }
    sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(factor: f32) -> f32 {
    use std::arch::x86_64::{_mm256_cvtss_f32, _mm256_fmadd_ps, _mm256_set1_ps};
    let (factor, step) = (_mm256_set1_ps(factor), _mm256_set1_ps(0.5));
    let mut sums = [_mm256_set1_ps(1.0); ACCUMULATORS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, step);
        }
    }
    sums.into_iter().map(|sum| _mm256_cvtss_f32(sum)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_computes_the_same_chain() {
        // x ─▶ 0.999 x + 0.5 goes to 500.
        let one = plain::<1>(0.999) / ACCUMULATORS as f32;
        assert!((one / 500.0 - 1.0).abs() < 1e-3, "{one}");
        let width = lanes();
        let all = chains(width, 0.999);
        let per_chain = all / ACCUMULATORS as f32;
        assert!([1.0, width as f32].iter().any(|n| (per_chain / (n * 500.0) - 1.0).abs() < 1e-3), "{per_chain}");
        assert!(gflops() > 0.1);
    }
}
