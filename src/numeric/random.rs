//! Random streams that depend on what they are for, never on when they are drawn.
//!
//! A [`Seed`] is derived with blake3 from names, a [`Stream`] from a seed, a purpose and an index: the noise of slice 17 is
//! the same whether slice 16 was drawn before it, after it, or on another machine.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// 256 bits from which streams are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// Returns the seed of one execution: (study seed, op, case, replicate).
    #[must_use]
    pub fn derive(study: u64, op: &str, case: &str, replicate: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 seed");
        hasher.update(&study.to_le_bytes());
        for text in [op, case] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(&replicate.to_le_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Returns the stream for one purpose and index.
    #[must_use]
    pub fn stream(&self, purpose: &str, index: u64) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 stream");
        hasher.update(&self.0);
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(&index.to_le_bytes());
        Stream { bits: ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()), spare_normal: None }
    }
}

/// A stream of random numbers, the same on every platform.
#[derive(Clone, Debug)]
pub struct Stream {
    bits: ChaCha8Rng,
    spare_normal: Option<f64>,
}

impl Stream {
    /// Returns a number in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.bits.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns an integer below `n`, without bias (Lemire's rejection).
    ///
    /// # Panics
    /// When `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is no integer below zero");
        let reject_below = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.bits.next_u64()) * u128::from(n);
            if wide as u64 >= reject_below {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Returns a standard normal number (Box and Muller, with `libm`'s functions: the platform's differ).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        self.spare_normal = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    /// Puts the items in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_every_part_of_their_name() {
        let seed = Seed::derive(2019, "train", "", 1);
        let first = |seed: &Seed, purpose, index| seed.stream(purpose, index).unit();
        assert_eq!(first(&seed, "noise", 3), first(&seed, "noise", 3));
        assert_ne!(first(&seed, "noise", 3), first(&seed, "noise", 4));
        assert_ne!(first(&seed, "noise", 3), first(&seed, "order", 3));
        assert_ne!(seed, Seed::derive(2019, "train", "", 2));
        assert_ne!(Seed::derive(1, "ab", "c", 0), Seed::derive(1, "a", "bc", 0), "lengths are part of the name");
    }

    #[test]
    fn normal_numbers_have_the_right_moments() {
        let mut stream = Seed([7; 32]).stream("test", 0);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..100).collect();
        Seed([1; 32]).stream("order", 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
