//! What the decoder has learned in each context: how large errors are, and how they lean (A.5, A.6 and A.7.2).

use super::header::Header;

const CONTEXTS: usize = 365;
/// Bounds of the correction of a guess.
const LEAST_CORRECTION: i32 = -128;
const MOST_CORRECTION: i32 = 127;

/// A regular context.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// Sum of the sizes of errors; 64 bits, because a hostile stream may forget late.
    sizes: i64,
    /// Sum of errors, kept near zero by the correction.
    lean: i64,
    pub(super) correction: i32,
    count: i64,
}

/// All regular contexts.
pub(super) struct Contexts(Vec<Context>);

impl Contexts {
    pub(super) fn new(header: &Header) -> Self {
        let first = Context { sizes: first_sizes(header), lean: 0, correction: 0, count: 1 };
        Self(vec![first; CONTEXTS])
    }

    /// Returns a context by its number, at most (4 * 9 + 4) * 9 + 4 = 364.
    pub(super) fn of(&mut self, number: usize) -> &mut Context {
        &mut self.0[number]
    }
}

fn first_sizes(header: &Header) -> i64 {
    i64::from((header.range + 32) / 64).max(2)
}

/// The smallest k with count * 2^k at least the sum of sizes.
fn golomb(count: i64, sizes: i64) -> u32 {
    (0..24).find(|&k| count << k >= sizes).unwrap_or(24)
}

impl Context {
    pub(super) fn golomb(&self) -> u32 {
        golomb(self.count, self.sizes)
    }

    /// Returns the error of a mapped one: even numbers are positive; the other way where errors lean below (A.5.2).
    pub(super) fn error(&self, mapped: i32, k: u32, near: i32) -> i32 {
        let error = if mapped & 1 == 0 { mapped / 2 } else { -((mapped + 1) / 2) };
        if near == 0 && k == 0 && 2 * self.lean <= -self.count { -error - 1 } else { error }
    }

    pub(super) fn update(&mut self, error: i32, header: &Header) {
        self.lean += i64::from(error) * i64::from(2 * header.near + 1);
        self.sizes += i64::from(error.abs());
        if self.count >= i64::from(header.reset) {
            self.sizes >>= 1;
            self.lean >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        if self.lean <= -self.count {
            self.lean = (self.lean + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(LEAST_CORRECTION);
        } else if self.lean > 0 {
            self.lean = (self.lean - self.count).min(0);
            self.correction = (self.correction + 1).min(MOST_CORRECTION);
        }
    }
}

/// The context of samples that end a run.
#[derive(Clone, Copy)]
pub(super) struct Run {
    sizes: i64,
    count: i64,
    negative: i64,
}

impl Run {
    pub(super) fn new(header: &Header) -> Self {
        Self { sizes: first_sizes(header), count: 1, negative: 0 }
    }

    pub(super) fn golomb(&self, like: bool) -> u32 {
        golomb(self.count, self.sizes + if like { self.count >> 1 } else { 0 })
    }

    pub(super) fn error(&self, mapped: i32, k: u32, like: bool) -> i32 {
        let number = mapped + i32::from(like);
        let odd = number & 1 == 1;
        let size = (number + i32::from(odd)) / 2;
        if (k != 0 || 2 * self.negative >= self.count) == odd { -size } else { size }
    }

    pub(super) fn update(&mut self, error: i32, mapped: i32, like: bool, reset: i32) {
        self.negative += i64::from(error < 0);
        self.sizes += i64::from((mapped + 1 - i32::from(like)) >> 1);
        if self.count >= i64::from(reset) {
            self.sizes >>= 1;
            self.count >>= 1;
            self.negative >>= 1;
        }
        self.count += 1;
    }
}
