//! Rows that are needed soon, asked from memory a few cache lines at a time while others are worked on.

use super::lanes::{LINE, prefetch};

/// A list of pieces of rows, and how far they have been asked for.
pub(super) struct Ahead {
    pieces: Vec<*const f32>,
    /// Cache lines of a piece.
    lines: usize,
    /// Cache lines of a step.
    at_once: usize,
    piece: usize,
    line: usize,
}

impl Ahead {
    /// Returns a list of addresses, from each of which `numbers` numbers are to be asked for within so many steps.
    pub(super) fn new(pieces: impl Iterator<Item = *const f32>, numbers: usize, steps: usize) -> Self {
        let (pieces, lines): (Vec<_>, usize) = (pieces.collect(), numbers.div_ceil(LINE));
        let at_once = (pieces.len() * lines).div_ceil(steps.max(1));
        Self { pieces, lines, at_once, piece: 0, line: 0 }
    }

    /// Asks for the next lines.
    #[inline(always)]
    pub(super) fn step(&mut self) {
        for _ in 0..self.at_once {
            let Some(piece) = self.pieces.get(self.piece) else { return };
            prefetch::<2>(piece.wrapping_add(LINE * self.line));
            self.line += 1;
            if self.line == self.lines {
                (self.piece, self.line) = (self.piece + 1, 0);
            }
        }
    }
}
