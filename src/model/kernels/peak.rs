//! The arithmetic that the machine can do: the yardstick of every speed.

use std::{hint::black_box, time::Instant};

use super::{
    Simd,
    lanes::{Lanes, multiversion},
};

/// Independent chains: more than latency times units on any processor, and few enough for 16 registers.
const CHAINS: usize = 12;
/// Multiply-adds of each chain in one call; a hundredth of it in plain code, which may have no such instruction.
const LENGTH: usize = 200_000;
/// Calls of each thread; the fastest counts.
const CALLS: usize = 20;

/// Returns the measured floating-point operations a second of fused multiply-adds that never leave the registers, on so
/// many threads at once. Takes a few milliseconds.
#[must_use]
pub fn fma_peak(simd: Simd, threads: usize) -> f64 {
    let lanes = if simd == Simd::Avx512 { 16.0 } else { 8.0 };
    let length = if simd == Simd::Scalar { LENGTH / 100 } else { LENGTH };
    let one = || {
        let seconds = || {
            let start = Instant::now();
            chains(simd, black_box(length), &mut [0.0; 16]);
            start.elapsed().as_secs_f64()
        };
        let fastest = (0..CALLS).map(|_| seconds()).fold(f64::INFINITY, f64::min);
        2.0 * lanes * (CHAINS * length) as f64 / fastest
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let own = one();
        own + others.into_iter().filter_map(|thread| thread.join().ok()).sum::<f64>()
    })
}

multiversion! {
    /// Runs the chains and writes something that depends on all of them.
    fn chains(length: usize, out: &mut [f32; 16]) = chains_body
}

#[inline(always)]
fn chains_body<L: Lanes>(length: usize, out: &mut [f32; 16]) {
    let (factor, addend) = (L::splat(black_box(0.5)), L::splat(black_box(1.0)));
    let mut values: [L; CHAINS] = std::array::from_fn(|i| L::splat(i as f32));
    for _ in 0..length {
        for value in &mut values {
            *value = value.fma(factor, addend);
        }
    }
    let zero = L::splat(0.0);
    values.into_iter().fold(zero, |sum, value| value.fma(factor, sum)).store(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_a_speed() {
        let peak = fma_peak(Simd::best(), 1);
        assert!(peak > 1e8 && peak < 1e13, "{peak:e}");
    }
}
